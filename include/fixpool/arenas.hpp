// SPDX-License-Identifier: BSL-1.0
// More arenas: memory from a std::pmr::memory_resource, and pages from the operating system. Opt-in.
#pragma once

#include <fixpool/arena.hpp>
#include <fixpool/detail/system_memory.hpp>

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <system_error>

namespace fixpool::inline FIXPOOL_ABI {

/// Options of mapped_arena. Each has a cost, so all are off by default.
struct mapping {
    bool huge_pages = false;   ///< pages of 2 MiB if the system has them, else others; rounds the size up to 2 MiB
    bool prefault = false;     ///< give all pages memory at construction, so that there are no page faults later
    bool lock = false;         ///< keep pages from being swapped out; limited by RLIMIT_MEMLOCK or the working set
    bool guard_pages = false;  ///< any access to the page before or behind the memory ends the program
};

namespace detail {

// Never inlined: the compiler may assume that `allocate` aligns its result, and drop arena's check of it.
FIXPOOL_COLD inline void* fetch_from_resource(std::size_t size, std::size_t alignment, void* upstream) {
    return static_cast<std::pmr::memory_resource*>(upstream)->allocate(size, alignment);
}
inline void release_to_resource(void* bytes, std::size_t size, std::size_t alignment, void* upstream) noexcept {
    static_cast<std::pmr::memory_resource*>(upstream)->deallocate(bytes, size, alignment);
}

/// The options as the context of an arena's functions: a number, so that no object has to live.
[[nodiscard]] inline void* context_of(mapping options) noexcept {
    const unsigned bits = (options.huge_pages ? 1u : 0u) | (options.prefault ? 2u : 0u) | (options.lock ? 4u : 0u) |
                          (options.guard_pages ? 8u : 0u);
    return reinterpret_cast<void*>(std::uintptr_t{bits});
}
[[nodiscard]] inline mapping mapping_in(const void* context) noexcept {
    const auto bits = reinterpret_cast<std::uintptr_t>(context);
    return {(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0};
}

/// The pages for an arena. They depend only on the arguments, so `fetch_pages` and `release_pages` agree on them.
[[nodiscard]] inline pages pages_of(std::size_t size, std::size_t alignment, mapping options) noexcept {
    const std::size_t page = options.huge_pages ? huge_page_size : page_size();
    return {round_up(size, page), alignment < page ? page : alignment, options.guard_pages ? page_size() : 0,
            options.huge_pages};
}

/// Gives the pages back and throws the system's last error. `deed` is the verb for the message.
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

/// Memory from `upstream`: one allocation at the pool's construction, one deallocation of the same size and alignment
/// at its destruction. A shared pool is destroyed on the thread that gives up its last copy or block.
/// Requires: `upstream` is not nullptr and outlives the pool.
/// Throws: the pool's constructor throws what `upstream` throws.
[[nodiscard]] inline arena memory_resource_arena(std::pmr::memory_resource* upstream) noexcept {
    return arena::from(&detail::fetch_from_resource, &detail::release_to_resource, upstream);
}

/// Whole pages from the operating system, by mmap or VirtualAlloc, at any alignment. The pool maps them at its
/// construction and unmaps them at its destruction. A page takes memory at its first use.
///
/// Order in memory, from the start of the first page: blocks, then metadata. At debug level: metadata, guard bytes,
/// then blocks. With guard pages, a write before the first block ends the program at once. At debug level, it may first
/// overwrite guard bytes and metadata. A write behind the last block may first overwrite the rest of the last page,
/// metadata included.
///
/// Huge pages are the reserved ones of Linux (MAP_HUGETLB), if there are enough. Otherwise they are transparent ones,
/// as with guard pages or an alignment above 2 MiB. After a fork, the child ends if it writes to a reserved page and no
/// other is left.
///
/// Throws: the pool's constructor throws std::bad_alloc if the system has no memory or no addresses left. It throws
/// std::system_error if the system refuses to lock or prefault the pages; the text says how many bytes were requested.
/// Nothing stays mapped then.
[[nodiscard]] inline arena mapped_arena(mapping options = {}) noexcept {
    return arena::from(&detail::fetch_pages, &detail::release_pages, detail::context_of(options));
}

}  // namespace fixpool::inline FIXPOOL_ABI
