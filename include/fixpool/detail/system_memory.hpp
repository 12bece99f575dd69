// SPDX-License-Identifier: BSL-1.0
// system_memory: pages from the operating system, for arenas.hpp. It has the #if for systems.
#pragma once

#include <fixpool/layout.hpp>

#include <cerrno>
#include <cstddef>

#if defined(_WIN32)
#include <type_traits>
// Declared here, because <windows.h> would bring its macros into every program. The types are those of <windows.h>, so
// both may be included.
struct _MEMORY_BASIC_INFORMATION;  // NOLINT(bugprone-reserved-identifier): the system's name
namespace fixpool::inline FIXPOOL_ABI::detail {
using windows_size = std::conditional_t<sizeof(void*) == 8, unsigned long long, unsigned long>;
}
extern "C" {
__declspec(dllimport) void* __stdcall VirtualAlloc(void*, fixpool::detail::windows_size, unsigned long, unsigned long);
__declspec(dllimport) int __stdcall VirtualFree(void*, fixpool::detail::windows_size, unsigned long);
__declspec(dllimport) int __stdcall VirtualLock(void*, fixpool::detail::windows_size);
__declspec(dllimport) fixpool::detail::windows_size
    __stdcall VirtualQuery(const void*, _MEMORY_BASIC_INFORMATION*, fixpool::detail::windows_size);
__declspec(dllimport) fixpool::detail::windows_size __stdcall GetLargePageMinimum();
__declspec(dllimport) unsigned long __stdcall GetLastError();
}
#elif defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace fixpool::inline FIXPOOL_ABI::detail {

inline constexpr std::size_t huge_page_size = std::size_t{2} << 20;  // bytes

/// The pages that an arena asks of the system.
// Invariant: size and guard are whole pages, and huge ones if are_huge. alignment is a power of two, and at least a
// page. No sum of them wraps: alignment <= size + a page, and size <= max_bytes + a page.
struct pages {
    std::size_t size;       // bytes that can be read and written
    std::size_t alignment;  // bytes, of the first page's address
    std::size_t guard;      // bytes in front, and as many behind, that nobody can read or write; may be 0
    bool are_huge;          // if the system has huge pages
};

/// Writes to each page, which gives it memory.
inline void touch_pages(std::byte* bytes, std::size_t size, std::size_t page) noexcept {
    for (std::size_t at = 0; at < size; at += page) *static_cast<volatile std::byte*>(bytes + at) = std::byte{0};
}

#if defined(_WIN32)

[[nodiscard]] inline std::size_t page_size() noexcept { return 4096; }  // bytes, on all processors that Windows runs on

/// The number of the last error, for std::system_category.
[[nodiscard]] inline int last_system_error() noexcept { return static_cast<int>(::GetLastError()); }

/// Maps pages whose bytes are 0; nullptr if there is no memory. Windows cannot give back a part of a reservation. So
/// the guards, and what aligns the pages, stay reserved, without memory.
[[nodiscard]] inline std::byte* map_pages(const pages& wanted) noexcept {
    constexpr unsigned long commits = 0x1000, reserves = 0x2000, are_large = 0x20000000, frees = 0x8000;
    constexpr unsigned long no_access = 1, read_write = 4;
    if (wanted.are_huge && wanted.guard == 0 && wanted.alignment == huge_page_size &&
        ::GetLargePageMinimum() == huge_page_size) {
        void* const mapped = ::VirtualAlloc(nullptr, wanted.size, commits | reserves | are_large, read_write);
        if (mapped != nullptr) return static_cast<std::byte*>(mapped);
    }
    const std::size_t whole = wanted.size + 2 * wanted.guard + (wanted.alignment - page_size());
    auto* const reserved = static_cast<std::byte*>(::VirtualAlloc(nullptr, whole, reserves, no_access));
    if (reserved == nullptr) return nullptr;
    std::byte* const behind_guard = reserved + wanted.guard;
    std::byte* const start = behind_guard + padding_of(behind_guard, wanted.alignment);
    if (::VirtualAlloc(start, wanted.size, commits, read_write) != nullptr) return start;
    ::VirtualFree(reserved, 0, frees);
    return nullptr;
}

/// Undoes `map_pages`.
inline void unmap_pages(std::byte* bytes, const pages&) noexcept {
    struct {
        void* base;
        void* reserved;  // what VirtualAlloc returned
        void* others[4];
    } region{};
    ::VirtualQuery(bytes, reinterpret_cast<_MEMORY_BASIC_INFORMATION*>(&region), sizeof region);
    ::VirtualFree(region.reserved, 0, 0x8000);
}

/// Keeps pages in memory. False if the system refuses.
[[nodiscard]] inline bool lock_pages(std::byte* bytes, std::size_t size) noexcept {
    return ::VirtualLock(bytes, size) != 0;
}

/// Gives each page its memory now. False if the system refuses.
[[nodiscard]] inline bool populate_pages(std::byte* bytes, std::size_t size) noexcept {
    touch_pages(bytes, size, page_size());
    return true;
}

#elif defined(__unix__) || defined(__APPLE__)

[[nodiscard]] inline std::size_t page_size() noexcept { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }
[[nodiscard]] inline int last_system_error() noexcept { return errno; }

#if defined(__linux__)
[[nodiscard]] inline void* map_reserved_huge_pages(std::size_t size) noexcept {
    constexpr int size_of_each = 21 << 26;  // MAP_HUGE_2MB
    return ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON | MAP_HUGETLB | size_of_each, -1, 0);
}
inline void prefer_huge_pages(std::byte* bytes, std::size_t size) noexcept { ::madvise(bytes, size, MADV_HUGEPAGE); }
/// 0, or the system's error.
[[nodiscard]] inline int advise_to_populate(std::byte* bytes, std::size_t size) noexcept {
    constexpr int populate_write = 23;  // MADV_POPULATE_WRITE, since Linux 5.14
    return ::madvise(bytes, size, populate_write) == 0 ? 0 : errno;
}
#else
[[nodiscard]] inline void* map_reserved_huge_pages(std::size_t) noexcept { return MAP_FAILED; }
inline void prefer_huge_pages(std::byte*, std::size_t) noexcept {}
[[nodiscard]] inline int advise_to_populate(std::byte*, std::size_t) noexcept { return EINVAL; }
#endif

[[nodiscard]] inline std::byte* map_pages(const pages& wanted) noexcept {
    if (wanted.are_huge && wanted.guard == 0 && wanted.alignment == huge_page_size) {
        void* const mapped = map_reserved_huge_pages(wanted.size);
        if (mapped != MAP_FAILED) return static_cast<std::byte*>(mapped);
    }
    // Reserves addresses first, and gives back what is too much at both ends. Then asks for the memory of the pages.
    const std::size_t whole = wanted.size + 2 * wanted.guard, slack = wanted.alignment - page_size();
    void* const mapped = ::mmap(nullptr, whole + slack, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0);
    if (mapped == MAP_FAILED) return nullptr;
    auto* const front = static_cast<std::byte*>(mapped);
    const std::size_t padding = padding_of(front + wanted.guard, wanted.alignment);
    if (padding != 0) ::munmap(front, padding);
    if (padding != slack) ::munmap(front + padding + whole, slack - padding);
    std::byte* const start = front + padding + wanted.guard;
    if (::mprotect(start, wanted.size, PROT_READ | PROT_WRITE) != 0) {
        ::munmap(front + padding, whole);
        return nullptr;
    }
    if (wanted.are_huge) prefer_huge_pages(start, wanted.size);
    return start;
}

inline void unmap_pages(std::byte* bytes, const pages& mapped) noexcept {
    ::munmap(bytes - mapped.guard, mapped.size + 2 * mapped.guard);
}

[[nodiscard]] inline bool lock_pages(std::byte* bytes, std::size_t size) noexcept { return ::mlock(bytes, size) == 0; }

[[nodiscard]] inline bool populate_pages(std::byte* bytes, std::size_t size) noexcept {
    const int error = advise_to_populate(bytes, size);
    if (error == ENOMEM || error == EFAULT) return false;   // a write would end the program
    if (error != 0) touch_pages(bytes, size, page_size());  // an older kernel, or a filter of system calls
    return true;
}

#else  // no pages: as if there were no memory

[[nodiscard]] inline std::size_t page_size() noexcept { return 4096; }
[[nodiscard]] inline int last_system_error() noexcept { return 0; }
[[nodiscard]] inline std::byte* map_pages(const pages&) noexcept { return nullptr; }
inline void unmap_pages(std::byte*, const pages&) noexcept {}
[[nodiscard]] inline bool lock_pages(std::byte*, std::size_t) noexcept { return false; }
[[nodiscard]] inline bool populate_pages(std::byte*, std::size_t) noexcept { return false; }

#endif

}  // namespace fixpool::inline FIXPOOL_ABI::detail
