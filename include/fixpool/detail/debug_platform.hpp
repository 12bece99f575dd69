// SPDX-License-Identifier: BSL-1.0
// debug_platform: what debug level needs of compilers, tools and systems, in #if. platform.hpp has all other #if.
#pragma once

#include <fixpool/detail/text_line.hpp>

#include <atomic>
#include <cstddef>
#include <cstring>

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define FIXPOOL_VALGRIND(request) request
#else
#define FIXPOOL_VALGRIND(request)
#endif

#if FIXPOOL_HAS_FEATURE(memory_sanitizer)
#define FIXPOOL_DEFINED(address, size) __msan_unpoison(address, size)
#else
#define FIXPOOL_DEFINED(address, size) detail::unfence(address, size)
#endif

// dladdr finds the module (executable or shared library) of an address. Before glibc 2.34 it is in libdl, which a
// program may not link.
#if (defined(__linux__) || defined(__APPLE__)) && !FIXPOOL_TRAPS
#include <dlfcn.h>
#define FIXPOOL_MODULE_INFO ::Dl_info
#if defined(__linux__)
namespace fixpool::inline FIXPOOL_ABI::detail {
// Weak only here: the calls of dladdr in the program itself stay as they are.
static int dladdr_if_linked(const void*, ::Dl_info*) noexcept __attribute__((weakref("dladdr")));
}  // namespace fixpool::inline FIXPOOL_ABI::detail
#define FIXPOOL_MODULE_OF(address, info) \
    (&detail::dladdr_if_linked != nullptr && detail::dladdr_if_linked(address, info) != 0)
#else
#define FIXPOOL_MODULE_OF(address, info) (::dladdr(address, info) != 0)
#endif
#else
#define FIXPOOL_MODULE_OF(address, info) false
#define FIXPOOL_MODULE_INFO fixpool::detail::no_module
#endif

#if defined(__STDCPP_THREADS__) || defined(_MSC_VER)
#define FIXPOOL_THREAD_LOCAL thread_local
#else
#define FIXPOOL_THREAD_LOCAL
#endif

namespace fixpool::inline FIXPOOL_ABI::detail {

struct no_module {
    const char* dli_fname = nullptr;
    void* dli_fbase = nullptr;
};

/// Adds a path, or only the end of a long one. A line of text has room for three places and the rest of a report.
inline text_line& add_path(text_line& line, const char* path) noexcept {
    constexpr std::size_t most = 40;  // characters
    const std::size_t length = std::strlen(path);
    return length > most ? line.add("...").add(path + (length - most)) : line.add(path);
}

/// Adds a code address as `module+0xoffset`, for addr2line. If the system does not know its module, adds the address.
inline text_line& add_code_address(text_line& line, const void* address) noexcept {
    [[maybe_unused]] FIXPOOL_MODULE_INFO module{};
    if (!FIXPOOL_MODULE_OF(address, &module) || module.dli_fname == nullptr) return line.add(address);
    // A program linked to a fixed address (ELF's e_type is ET_EXEC, 2) has absolute addresses in its symbols.
    const auto* const header = static_cast<const unsigned char*>(module.dli_fbase);
    const bool is_fixed = std::memcmp(header, "\177ELF", 4) == 0 && header[16] + header[17] == 2;
    const auto offset =
        reinterpret_cast<std::uintptr_t>(address) - (is_fixed ? 0 : reinterpret_cast<std::uintptr_t>(module.dli_fbase));
    return add_path(line, module.dli_fname).add("+").add(reinterpret_cast<const void*>(offset));
}

FIXPOOL_HIDDEN inline constinit FIXPOOL_THREAD_LOCAL unsigned debug_thread_number = 0;
FIXPOOL_HIDDEN inline constinit std::atomic<unsigned> debug_threads = 0;

/// The number of the calling thread. The first thread that uses a debug pool of this image has 1.
[[nodiscard]] inline unsigned this_thread() noexcept {
    if constexpr (std::atomic<unsigned>::is_always_lock_free) {
        if (debug_thread_number == 0) debug_thread_number = debug_threads.fetch_add(1, std::memory_order_relaxed) + 1;
        return debug_thread_number;
    } else {
        return 1;  // a Cortex-M0 has one thread
    }
}

/// From now on nobody may touch these bytes: guards, and what lies behind the carved blocks.
inline void hide(const void* at, std::size_t size) noexcept {
    fence(at, size);
    FIXPOOL_VALGRIND(VALGRIND_MAKE_MEM_NOACCESS(at, size));
}
/// The pool itself may read and write these bytes now. Their values count as defined.
inline void reveal(const void* at, std::size_t size) noexcept {
    FIXPOOL_DEFINED(at, size);
    FIXPOOL_VALGRIND(VALGRIND_MAKE_MEM_DEFINED(at, size));
}

/// Tells Valgrind that a pool at `base` begins or ends. Valgrind knows each block by the pool's base.
inline void pool_begins([[maybe_unused]] const void* base) noexcept {
    FIXPOOL_VALGRIND(VALGRIND_CREATE_MEMPOOL(base, 0, 0));
}
inline void pool_ends([[maybe_unused]] const void* base) noexcept { FIXPOOL_VALGRIND(VALGRIND_DESTROY_MEMPOOL(base)); }

/// A block of the pool at `base` belongs to its owner now, and has no value; or it is free again.
inline void block_begins([[maybe_unused]] const void* base, const void* at, std::size_t size) noexcept {
    unpoison(at, size);
    FIXPOOL_VALGRIND(VALGRIND_MEMPOOL_ALLOC(base, at, size));
}
inline void block_ends([[maybe_unused]] const void* base, const void* at, std::size_t size) noexcept {
    poison(at, size);
    FIXPOOL_VALGRIND(VALGRIND_MEMPOOL_FREE(base, at));
}

}  // namespace fixpool::inline FIXPOOL_ABI::detail
