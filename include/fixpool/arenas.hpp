// SPDX-License-Identifier: BSL-1.0
// Arenas that are opt-in: memory from a std::pmr::memory_resource, and pages from the operating system.
#pragma once

#include <fixpool/arena.hpp>
#include <fixpool/detail/system_memory.hpp>

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <system_error>

namespace fixpool::inline FIXPOOL_ABI {

/// What a mapped_arena asks of its pages. Each option costs something, so none is the default.
struct mapping {
    bool huge_pages = false;   // of 2 MiB, where the system has them; else ordinary ones. Rounds the size up to 2 MiB
    bool prefault = false;     // all pages have memory before the pool is built: no page fault later on
    bool lock = false;         // no page is swapped out. Systems limit the size: RLIMIT_MEMLOCK, the working set
    bool guard_pages = false;  // any access to the page in front, or to the one behind, ends the program
};

namespace detail {

// Never inlined: `allocate` promises the compiler an aligned address, and arena's check of it might be dropped.
FIXPOOL_COLD inline void* fetch_from_resource(std::size_t size, std::size_t alignment, void* upstream) {
    return static_cast<std::pmr::memory_resource*>(upstream)->allocate(size, alignment);
}
inline void release_to_resource(void* bytes, std::size_t size, std::size_t alignment, void* upstream) noexcept {
    static_cast<std::pmr::memory_resource*>(upstream)->deallocate(bytes, size, alignment);
}

/// A mapping as the context of an arena's functions: a number, so that nobody has to own it.
[[nodiscard]] inline void* context_of(mapping options) noexcept {
    const unsigned bits = (options.huge_pages ? 1u : 0u) | (options.prefault ? 2u : 0u) | (options.lock ? 4u : 0u) |
                          (options.guard_pages ? 8u : 0u);
    return reinterpret_cast<void*>(std::uintptr_t{bits});
}
[[nodiscard]] inline mapping mapping_in(const void* context) noexcept {
    const auto bits = reinterpret_cast<std::uintptr_t>(context);
    return {(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0};
}

/// The pages for an arena. Fetch and release agree on them without a note: they depend on nothing else.
[[nodiscard]] inline pages pages_of(std::size_t size, std::size_t alignment, mapping options) noexcept {
    const std::size_t page = options.huge_pages ? huge_page_size : page_size();
    return {round_up(size, page), alignment < page ? page : alignment, options.guard_pages ? page_size() : 0,
            options.huge_pages};
}

/// Gives the pages back and throws the system's last error. `deed` is what the system has refused.
[[noreturn]] FIXPOOL_COLD inline void raise_refused(const char* deed, std::byte* bytes, const pages& mapped) {
    const int error = last_system_error();
    unmap_pages(bytes, mapped);
    if constexpr (traps) {
        stop();
    } else {
        text_line text;
        text.add("fixpool: cannot ").add(deed).add(" ").add(mapped.size).add(" bytes of memory");
        raise_made<std::system_error>(std::error_code(error, std::system_category()), text.c_str());
    }
}

inline void* fetch_pages(std::size_t size, std::size_t alignment, void* context) {
    const mapping options = mapping_in(context);
    const pages wanted = pages_of(size, alignment, options);
    std::byte* const bytes = map_pages(wanted);
    if (bytes == nullptr) return nullptr;
    if (options.lock && !lock_pages(bytes, wanted.size)) raise_refused("lock", bytes, wanted);
    if (options.prefault && !populate_pages(bytes, wanted.size)) raise_refused("prefault", bytes, wanted);
    return bytes;
}
inline void release_pages(void* bytes, std::size_t size, std::size_t alignment, void* context) noexcept {
    unmap_pages(static_cast<std::byte*>(bytes), pages_of(size, alignment, mapping_in(context)));
}

}  // namespace detail

/// Memory from `upstream`: one allocation when the pool is built. The same size and alignment go back when the pool is
/// destroyed. What `upstream` throws is passed on. A shared pool gives its memory back on the thread that drops the
/// last of it.
/// Requires: `upstream` is not nullptr, and outlives the pool.
[[nodiscard]] inline arena memory_resource_arena(std::pmr::memory_resource* upstream) noexcept {
    return arena::from(&detail::fetch_from_resource, &detail::release_to_resource, upstream);
}

/// Whole pages from the operating system, by mmap or VirtualAlloc, at any alignment. They are mapped when the pool is
/// built, and unmapped when it is destroyed. A page takes memory when it is used first.
///
/// Blocks start where the first page starts; at debug level, their guard bytes do. The pool's metadata are at the end.
/// With guard pages, a write in front of the first block ends the program at once. A write behind the last block may
/// reach the metadata, and what is left of the last page, before it meets the guard.
///
/// Huge pages: those that Linux has reserved (MAP_HUGETLB), unless guard pages or a larger alignment are asked for;
/// else transparent ones. A forked child ends when it writes to a reserved one and no more are left.
///
/// The pool's constructor throws std::bad_alloc when the system has no memory or no addresses, and std::system_error
/// when it refuses to lock or to prefault. The error says how many bytes were asked for. Nothing stays mapped then.
[[nodiscard]] inline arena mapped_arena(mapping options = {}) noexcept {
    return arena::from(&detail::fetch_pages, &detail::release_pages, detail::context_of(options));
}

}  // namespace fixpool::inline FIXPOOL_ABI
