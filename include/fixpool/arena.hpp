// SPDX-License-Identifier: BSL-1.0
// arena: the aligned bytes that a pool lives on, owned or borrowed.
#pragma once

#include <fixpool/checking.hpp>
#include <fixpool/violation.hpp>

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <stdexcept>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI {

template <checking C> class basic_memory_pool;

/// Where a pool gets its bytes from: said when the pool is built, and of no cost later. The
/// pool takes it over.
class arena {
public:
    /// Bytes from `operator new`, fetched when the pool is built and given back when it dies.
    [[nodiscard]] static arena heap() noexcept {
        return arena({.fetch = &fetch_from_heap, .release = &release_to_heap});
    }

    /// The caller's bytes. They outlive the pool, and no two pools share them. A raw or typed pool
    /// on them allocates nothing.
    [[nodiscard]] static arena borrow(std::span<std::byte> bytes) noexcept {
        return arena({.bytes = bytes.data(), .size = bytes.size()});
    }

    arena(arena&& other) noexcept : source_(std::exchange(other.source_, {})) {}  // leaves a buffer of 0 bytes
    arena& operator=(arena&&) = delete;
    ~arena() {
        if (source_.release != nullptr) source_.release(source_.bytes, source_.alignment);
    }

private:
    template <checking C> friend class basic_memory_pool;

    // Borrowed: both functions are nullptr. Owned: bytes is nullptr until acquire, which
    // release takes, too. Reached by pointer, so that a program whose pools are all borrowed
    // does not link operator new.
    struct source {
        std::byte* bytes = nullptr;
        std::size_t size = 0;       // bytes, of a borrowed buffer
        std::size_t alignment = 0;  // bytes, of an owned one
        std::byte* (*fetch)(std::size_t size, std::size_t alignment) noexcept = nullptr;
        void (*release)(std::byte* bytes, std::size_t alignment) noexcept = nullptr;
    };

    explicit arena(const source& from) noexcept : source_(from) {}

    static std::byte* fetch_from_heap(std::size_t size, std::size_t alignment) noexcept {
        return static_cast<std::byte*>(::operator new (size, std::align_val_t{alignment}, std::nothrow));
    }
    static void release_to_heap(std::byte* bytes, std::size_t alignment) noexcept {
        ::operator delete (bytes, std::align_val_t{alignment});
    }

    /// `size` bytes at a multiple of `alignment`, valid until the arena dies. Called once.
    /// Throws: std::bad_alloc when there is no memory, std::length_error when a borrowed
    /// buffer is too small.
    [[nodiscard]] std::byte* acquire(std::size_t size, std::size_t alignment) {
        if (source_.fetch != nullptr) {
            source_.bytes = source_.fetch(size, alignment);
            source_.alignment = alignment;
            if (source_.bytes == nullptr) detail::raise(std::bad_alloc());
            return source_.bytes;
        }
        const std::size_t padding = (0 - reinterpret_cast<std::uintptr_t>(source_.bytes)) & (alignment - 1);
        if (source_.size < padding || source_.size - padding < size) raise_too_small(padding + size);
        return source_.bytes + padding;
    }

    [[noreturn]] FIXPOOL_COLD void raise_too_small(std::size_t needed) const {
        auto text = detail::text_line().add("fixpool: the pool needs a buffer of ").add(needed);
        detail::raise<std::length_error>(text.add(" bytes, this one has ").add(source_.size).c_str());
    }

    source source_;
};

}  // namespace fixpool::inline FIXPOOL_ABI
