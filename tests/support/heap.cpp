// SPDX-License-Identifier: BSL-1.0
#include "heap.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

constexpr std::size_t never = static_cast<std::size_t>(-1);

std::atomic<std::size_t> blocks_out = 0;
std::atomic<std::size_t> bytes_out = 0;
std::atomic<std::size_t> allocated = 0;
std::atomic<std::size_t> fail_at = never;  // the value of `allocated` at which to fail
std::atomic<bool> fails_for_ever = false;
std::atomic<bool> has_failed = false;

#if defined(_WIN32)  // it has no std::aligned_alloc
void* take_aligned(std::size_t alignment, std::size_t size) { return ::_aligned_malloc(size, alignment); }
void give_aligned(void* block) { ::_aligned_free(block); }
#else
void* take_aligned(std::size_t alignment, std::size_t size) { return std::aligned_alloc(alignment, size); }
void give_aligned(void* block) { std::free(block); }
#endif

/// The size lies in front of the block, as far in front as the alignment requires.
std::size_t header_size(std::size_t alignment) {
    return alignment < 2 * sizeof(std::size_t) ? 2 * sizeof(std::size_t) : alignment;
}

void* allocate(std::size_t size, std::size_t alignment) noexcept {
    const std::size_t number = allocated++;
    if (number == fail_at || (fails_for_ever && number > fail_at)) {
        has_failed = true;
        return nullptr;
    }
    const std::size_t header = header_size(alignment);
    if (size > static_cast<std::size_t>(-1) / 4) return nullptr;
    auto* const start = static_cast<std::byte*>(take_aligned(header, (header + size + header - 1) / header * header));
    if (start == nullptr) return nullptr;
    ::new (static_cast<void*>(start)) std::size_t(size);
    ++blocks_out;
    bytes_out += size;
    return start + header;
}

void release(void* block, std::size_t alignment) noexcept {
    if (block == nullptr) return;
    std::byte* const start = static_cast<std::byte*>(block) - header_size(alignment);
    --blocks_out;
    bytes_out -= *reinterpret_cast<std::size_t*>(start);
    give_aligned(start);
}

void* or_throw(void* block) {
    if (block == nullptr) throw std::bad_alloc();
    return block;
}

constexpr std::size_t ordinary = __STDCPP_DEFAULT_NEW_ALIGNMENT__;

}  // namespace

heap::usage heap::in_use() noexcept { return {blocks_out, bytes_out}; }
std::size_t heap::allocations() noexcept { return allocated; }

heap::failure::failure(std::size_t nth, bool for_ever) noexcept {
    has_failed = false;
    fails_for_ever = for_ever;
    fail_at = allocated + nth;
}
heap::failure::~failure() { fail_at = never; }
bool heap::failure::happened() const noexcept { return has_failed; }

void* operator new(std::size_t size) { return or_throw(allocate(size, ordinary)); }
void* operator new[](std::size_t size) { return or_throw(allocate(size, ordinary)); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size, ordinary); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size, ordinary); }
void* operator new(std::size_t size, std::align_val_t alignment) {
    return or_throw(allocate(size, static_cast<std::size_t>(alignment)));
}
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* block) noexcept { release(block, ordinary); }
void operator delete[](void* block) noexcept { release(block, ordinary); }
void operator delete(void* block, std::size_t) noexcept { release(block, ordinary); }
void operator delete[](void* block, std::size_t) noexcept { release(block, ordinary); }
void operator delete(void* block, const std::nothrow_t&) noexcept { release(block, ordinary); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { release(block, ordinary); }
void operator delete(void* block, std::align_val_t alignment) noexcept {
    release(block, static_cast<std::size_t>(alignment));
}
void operator delete(void* block, std::size_t, std::align_val_t alignment) noexcept {
    release(block, static_cast<std::size_t>(alignment));
}
void operator delete(void* block, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    release(block, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
    return or_throw(allocate(size, static_cast<std::size_t>(alignment)));
}
void* operator new[](std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete[](void* block, std::align_val_t alignment) noexcept {
    release(block, static_cast<std::size_t>(alignment));
}
void operator delete[](void* block, std::size_t, std::align_val_t alignment) noexcept {
    release(block, static_cast<std::size_t>(alignment));
}
void operator delete[](void* block, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    release(block, static_cast<std::size_t>(alignment));
}
