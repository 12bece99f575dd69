// SPDX-License-Identifier: BSL-1.0
// arena: the aligned bytes that a pool lives on, owned or borrowed.
#pragma once

#include <fixpool/checking.hpp>
#include <fixpool/detail/platform.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
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
        arena result(nullptr, 0);
        result.fetch_ = [](std::size_t size, std::size_t alignment) noexcept {
            return static_cast<std::byte*>(::operator new (size, std::align_val_t{alignment}, std::nothrow));
        };
        result.give_back_ = [](std::byte* bytes, std::size_t alignment) noexcept {
            ::operator delete (bytes, std::align_val_t{alignment});
        };
        return result;
    }

    /// The caller's bytes. They outlive the pool, and no two pools share them. A pool
    /// on them allocates nothing.
    [[nodiscard]] static arena borrow(std::span<std::byte> bytes) noexcept { return {bytes.data(), bytes.size()}; }

    arena(arena&& other) noexcept : arena(std::as_const(other)) { other.give_back_ = nullptr; }
    arena& operator=(arena&&) = delete;
    ~arena() {
        if (give_back_ != nullptr) give_back_(bytes_, alignment_);
    }

private:
    template <checking C> friend class basic_memory_pool;

    arena(std::byte* bytes, std::size_t size) noexcept : bytes_(bytes), size_(size) {}
    arena(const arena&) noexcept = default;

    /// `size` bytes at a multiple of `alignment`, valid until the arena dies. Called once.
    /// Throws: std::bad_alloc when there is no memory, std::length_error when a borrowed
    /// buffer is too small.
    [[nodiscard]] std::byte* acquire(std::size_t size, std::size_t alignment) {
        if (fetch_ != nullptr) {
            bytes_ = fetch_(size, alignment);
            alignment_ = alignment;
            if (bytes_ == nullptr) detail::raise(std::bad_alloc());
            return bytes_;
        }
        const std::size_t padding = (0 - reinterpret_cast<std::uintptr_t>(bytes_)) & (alignment - 1);
        if (size_ < padding || size_ - padding < size) raise_too_small(padding + size);
        return bytes_ + padding;
    }

    [[noreturn]] FIXPOOL_COLD void raise_too_small(std::size_t needed) const {
        char text[128];
        std::snprintf(text, sizeof text, "fixpool: the pool needs a buffer of %zu bytes, this one has %zu", needed,
                      size_);
        detail::raise(std::length_error(text));
    }

    // Borrowed: both functions are nullptr. Owned: bytes_ is nullptr until acquire, which
    // give_back_ takes, too. Reached by pointer, so that a program whose pools are all borrowed
    // does not link operator new.
    std::byte* bytes_;
    std::size_t size_;           // bytes, of a borrowed buffer
    std::size_t alignment_ = 0;  // bytes, of an owned one
    std::byte* (*fetch_)(std::size_t size, std::size_t alignment) noexcept = nullptr;
    void (*give_back_)(std::byte* bytes, std::size_t alignment) noexcept = nullptr;
};

}  // namespace fixpool::inline FIXPOOL_ABI
