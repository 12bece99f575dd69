// SPDX-License-Identifier: BSL-1.0
// arena: the source of a pool's memory, owned or borrowed.
#pragma once

#include <fixpool/checking.hpp>
#include <fixpool/detail/text_line.hpp>
#include <fixpool/layout.hpp>

#include <cstddef>
#include <new>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI {

template <checking C> class basic_memory_pool;

FIXPOOL_CALLERS_BEGIN
/// A buffer of the caller, as a parameter of arena::borrow. Write the buffer itself there: an array, a container or a
/// span of std::byte or unsigned char, or a pointer and a size in braces.
struct lent_bytes {
    /// std::byte or unsigned char: the element type of the buffer that `From...` denotes.
    template <class... From>
    using byte_of =
        std::conditional_t<std::is_constructible_v<std::span<std::byte>, From...>, std::byte, unsigned char>;

    /// The bytes of the buffer that `from` denotes: what a std::span of bytes can be constructed from.
    template <class... From>
    requires std::is_constructible_v<std::span<byte_of<From...>>, From...> lent_bytes(From&&... from)
    noexcept {
        using lent = std::span<byte_of<From...>>;
        // By data and size, not by iterators. For those, g++ -O0 makes symbols that are unique in the process: a
        // plug-in could not be unloaded.
        if constexpr (requires { lent(std::data(from)..., std::size(from)...); })
            bytes = std::as_writable_bytes(lent(std::data(from)..., std::size(from)...));
        else bytes = std::as_writable_bytes(lent(std::forward<From>(from)...));
    }

    std::span<std::byte> bytes;  ///< the buffer
};
FIXPOOL_CALLERS_END

/// The source of a pool's memory. It is an argument of the pool's constructor, which moves it into the pool. It is used
/// only at construction and destruction of the pool, so it does not slow down allocations.
///
/// The functions of this class throw nothing: an arena gets its memory when a pool is constructed. That constructor
/// throws if there is no memory, or too little.
/// Complexity: O(1), plus the time of the memory's source.
/// Thread safety: one thread at a time.
class arena {
public:
    /// Returns `size` bytes at a multiple of `alignment`, or nullptr if there is no memory. It may throw: the pool's
    /// constructor passes the exception on.
    using fetch_function = void* (*)(std::size_t size, std::size_t alignment, void* context);
    /// Takes back memory from a `fetch_function`. Size and alignment are the same as there.
    using release_function = void (*)(void* bytes, std::size_t size, std::size_t alignment, void* context) noexcept;

    /// Memory from `operator new`: one allocation at the pool's construction, one deallocation at its destruction.
    /// Throws: the pool's constructor throws std::bad_alloc if there is no memory.
    [[nodiscard]] static arena heap() noexcept { return from(&fetch_from_heap, &release_to_heap); }

    /// Memory from the caller's functions. The pool calls `fetch` once, at its construction. It calls `release` once,
    /// at its destruction or if its constructor fails after `fetch`. Both get `context`. `release` may be nullptr.
    /// Requires: `fetch` is not nullptr.
    /// Throws: the pool's constructor throws std::bad_alloc if `fetch` returns nullptr, std::length_error if it returns
    /// misaligned memory, and any exception of `fetch`.
    [[nodiscard]] static arena from(fetch_function fetch, release_function release, void* context = nullptr) noexcept {
        return arena({.fetch = fetch, .release = release, .context = context});
    }

    /// A buffer of the caller. The caller keeps it until the pool is destroyed, and gives it to one pool only. A
    /// memory_pool or typed_pool in it allocates no other memory.
    /// Throws: the pool's constructor throws std::length_error if the buffer is too small.
    [[nodiscard]] static arena borrow(lent_bytes lent) noexcept {
        return arena({lent.bytes.data(), lent.bytes.size()});
    }

    /// Two buffers of the caller: `blocks` holds only blocks, in memory for DMA for example. `metadata` holds the rest.
    /// It needs at least the pool's `required_metadata_bytes`, at any alignment.
    /// Throws: the pool's constructor throws std::length_error if a buffer is too small.
    [[nodiscard]] static arena borrow(lent_bytes blocks, lent_bytes metadata) noexcept {
        return arena({blocks.bytes.data(), blocks.bytes.size(), metadata.bytes.data(), metadata.bytes.size(), true});
    }

    /// Takes over the source of `other`, which becomes a buffer of 0 bytes.
    arena(arena&& other) noexcept : source_(std::exchange(other.source_, {})) {}
    /// Gives back this arena's memory, then takes over the source of `other`.
    arena& operator=(arena&& other) noexcept {
        arena taken(std::move(other));
        std::swap(source_, taken.source_);
        return *this;
    }
    /// Gives back what `fetch` returned, also if the pool's constructor threw afterwards. Does nothing for borrowed
    /// memory.
    ~arena() {
        if (source_.release != nullptr && source_.blocks != nullptr)
            source_.release(source_.blocks, source_.blocks_size, source_.alignment, source_.context);
    }

private:
    template <checking C> friend class basic_memory_pool;

    // Borrowed: fetch and release are nullptr. Owned: blocks is nullptr until acquire. The functions are called by
    // pointer, so that a program that only borrows does not link operator new.
    struct source {
        std::byte* blocks = nullptr;
        std::size_t blocks_size = 0;  // bytes
        std::byte* metadata = nullptr;
        std::size_t metadata_size = 0;  // bytes
        bool is_apart = false;          // metadata is a second buffer
        std::size_t alignment = 0;      // bytes: alignment of the fetched memory
        fetch_function fetch = nullptr;
        release_function release = nullptr;
        void* context = nullptr;
    };

    explicit arena(const source& from) noexcept : source_(from) {}

    static void* fetch_from_heap(std::size_t size, std::size_t alignment, void*) {
        return ::operator new (size, std::align_val_t{alignment}, std::nothrow);
    }
    static void release_to_heap(void* bytes, std::size_t, std::size_t alignment, void*) noexcept {
        ::operator delete (bytes, std::align_val_t{alignment});
    }

    /// Memory for blocks and metadata, valid until the arena is destroyed. Called once.
    /// Throws: std::bad_alloc if there is no memory; std::length_error if a borrowed buffer is too small, or if `fetch`
    /// returned misaligned memory.
    [[nodiscard]] detail::arena_places acquire(const detail::arena_plan& plan) {
        source& s = source_;
        if (s.is_apart) {
            return {aligned(s.blocks, s.blocks_size, plan.blocks_bytes, plan.blocks_alignment, "blocks"),
                    aligned(s.metadata, s.metadata_size, plan.metadata_bytes, plan.metadata_alignment,
                            "metadata (see required_metadata_bytes())"),
                    true};
        }
        if (s.fetch != nullptr) {
            s.blocks_size = plan.total_bytes();
            s.alignment = plan.alignment();
            s.blocks = static_cast<std::byte*>(s.fetch(s.blocks_size, s.alignment, s.context));
            if (s.blocks == nullptr) detail::raise_made<std::bad_alloc>();
        }
        const char* const content = s.fetch == nullptr ? "blocks and metadata (see blocks_in())"
                                                       : "blocks and metadata (in memory of the arena's function)";
        std::byte* const start = aligned(s.blocks, s.blocks_size, plan.total_bytes(), plan.alignment(), content);
        return {start + plan.blocks_offset, start + plan.metadata_offset};
    }

    /// The first multiple of `alignment` in the buffer. Throws: std::length_error unless `wanted` bytes follow it
    /// there.
    [[nodiscard]] static std::byte* aligned(std::byte* buffer, std::size_t size, std::size_t wanted,
                                            std::size_t alignment, const char* content) {
        const std::size_t padding = detail::padding_of(buffer, alignment);
        if (size < padding || size - padding < wanted) {
            if constexpr (detail::traps) detail::stop();
            else raise_too_small(content, wanted, padding, size);
        }
        return buffer + padding;
    }

    [[noreturn]] FIXPOOL_COLD static void raise_too_small(const char* content, std::size_t wanted, std::size_t padding,
                                                          std::size_t size) {
        detail::text_line text;
        text.add("fixpool: the pool's ").add(content).add(" need ").add(wanted).add(" bytes");
        if (padding != 0) text.add(", and ").add(padding).add(" to align them in this buffer");
        text.add(": the buffer has ").add(size);
        detail::raise<std::length_error>(text.c_str());
    }

    source source_;
};

}  // namespace fixpool::inline FIXPOOL_ABI
