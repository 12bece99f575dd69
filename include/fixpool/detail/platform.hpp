// SPDX-License-Identifier: BSL-1.0
// platform: what differs between compilers and build modes. Nearly every #if of the library is here.
#pragma once

#include <fixpool/version.hpp>

#include <cstddef>
#include <cstdio>
#include <cstdlib>

#if !defined(__cpp_concepts)
#error "fixpool needs C++20: compile with -std=c++20, /std:c++20 or later"
#endif

#if defined(__has_feature)
#define FIXPOOL_HAS_FEATURE(feature) __has_feature(feature)
#else
#define FIXPOOL_HAS_FEATURE(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || FIXPOOL_HAS_FEATURE(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define FIXPOOL_SANITIZER _asan
#define FIXPOOL_FENCES true
#define FIXPOOL_POISON(address, size) __asan_poison_memory_region(address, size)
#define FIXPOOL_UNPOISON(address, size) __asan_unpoison_memory_region(address, size)
#elif FIXPOOL_HAS_FEATURE(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#define FIXPOOL_SANITIZER _msan
#define FIXPOOL_FENCES false
#define FIXPOOL_POISON(address, size) __msan_poison(address, size)
#define FIXPOOL_UNPOISON(address, size) __msan_allocated_memory(address, size)
#else
#define FIXPOOL_SANITIZER
#define FIXPOOL_FENCES false
#define FIXPOOL_POISON(address, size) (static_cast<void>(address), static_cast<void>(size))
#define FIXPOOL_UNPOISON(address, size) (static_cast<void>(address), static_cast<void>(size))
#endif

// The name of the inline namespace: version, sanitizer, and what errors do. Translation units that differ in these have
// different types, and the linker keeps them apart.
#define FIXPOOL_JOIN_EXPANDED(major, minor, sanitizer, errors) v##major##_##minor##sanitizer##errors
#define FIXPOOL_JOIN(major, minor, sanitizer, errors) FIXPOOL_JOIN_EXPANDED(major, minor, sanitizer, errors)
#define FIXPOOL_ABI FIXPOOL_JOIN(FIXPOOL_VERSION_MAJOR, FIXPOOL_VERSION_MINOR, FIXPOOL_SANITIZER, FIXPOOL_ERRORS)

// FIXPOOL_COLD keeps rare code out of the caller's instruction stream.
// FIXPOOL_TRAP_NOW ends the program without a library.
// FIXPOOL_APART prevents inlining. FIXPOOL_CALLER in such a function is the address that it returns to.
#if defined(_MSC_VER)
extern "C" void* _ReturnAddress();
#pragma intrinsic(_ReturnAddress)
#define FIXPOOL_COLD __declspec(noinline)
#define FIXPOOL_APART __declspec(noinline)
#define FIXPOOL_CALLER() _ReturnAddress()
#define FIXPOOL_TRAP_NOW() __fastfail(7)  // FAST_FAIL_FATAL_APP_EXIT
#else
#define FIXPOOL_COLD [[gnu::noinline, gnu::cold]]
#define FIXPOOL_APART [[gnu::noinline]]
#define FIXPOOL_CALLER() __builtin_extract_return_addr(__builtin_return_address(0))
#define FIXPOOL_TRAP_NOW() __builtin_trap()
#endif

// An image is an executable or a shared library.
// FIXPOOL_HIDDEN: each image has its own symbol. Without it, g++ makes an inline variable unique in the process, and a
// plug-in with such a symbol is never unloaded.
// FIXPOOL_VISIBLE: all images have one symbol, even under -fvisibility=hidden. On Windows, images share no symbols.
#if defined(__ELF__) || defined(__APPLE__)
#define FIXPOOL_HIDDEN [[gnu::visibility("hidden")]]
#define FIXPOOL_VISIBLE [[gnu::visibility("default")]]
#else
#define FIXPOOL_HIDDEN
#define FIXPOOL_VISIBLE
#endif

// FIXPOOL_WRAPS: unsigned arithmetic wraps here on purpose, so -fsanitize=integer must not report it.
// FIXPOOL_HIDDEN_FUNCTIONS: the class is visible, but its implicit constructor is hidden. Clang calls that constructor
// where g++ copies a constant.
// FIXPOOL_LOCKS: what clang's -Wthread-safety proves.
#if defined(__clang__)
#define FIXPOOL_LOCKS(attribute) __attribute__((attribute))
#define FIXPOOL_WRAPS [[clang::no_sanitize("unsigned-integer-overflow", "unsigned-shift-base")]]
#define FIXPOOL_HIDDEN_FUNCTIONS [[gnu::visibility("hidden"), clang::type_visibility("default")]]
#else
#define FIXPOOL_LOCKS(attribute)
#define FIXPOOL_WRAPS
#define FIXPOOL_HIDDEN_FUNCTIONS
#endif

// Around code that uses the caller's arguments. How they convert is not for our warnings to judge.
#if defined(__GNUC__)
#define FIXPOOL_CALLERS_BEGIN                                                                         \
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wmissing-field-initializers\"") \
        _Pragma("GCC diagnostic ignored \"-Wconversion\"") _Pragma("GCC diagnostic ignored \"-Wsign-conversion\"")
#define FIXPOOL_CALLERS_END _Pragma("GCC diagnostic pop")
#else
#define FIXPOOL_CALLERS_BEGIN
#define FIXPOOL_CALLERS_END
#endif

// What an error does: it traps if FIXPOOL_TRAP is 1, throws if there are exceptions, else prints and aborts.
#if defined(FIXPOOL_TRAP) && FIXPOOL_TRAP
#define FIXPOOL_ERRORS _trap
#define FIXPOOL_TRAPS true
#define FIXPOOL_RAISE(exception, text) fixpool::detail::stop()
#elif defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define FIXPOOL_ERRORS
#define FIXPOOL_TRAPS false
#define FIXPOOL_RAISE(exception, text) throw exception
#else
#define FIXPOOL_ERRORS _noexceptions
#define FIXPOOL_TRAPS false
#define FIXPOOL_RAISE(exception, text) (std::fputs(text, stderr), std::fputs("\n", stderr), std::abort())
#endif

namespace fixpool::inline FIXPOOL_ABI::detail {

inline constexpr bool fences = FIXPOOL_FENCES;  // whether `fence` does anything
inline constexpr bool traps = FIXPOOL_TRAPS;    // errors and the default violation handler trap, without text

/// Ends the program: by a trap if FIXPOOL_TRAP is 1, otherwise by abort.
[[noreturn]] FIXPOOL_COLD inline void stop() noexcept {
    if constexpr (traps) FIXPOOL_TRAP_NOW();
    else std::abort();
}

/// Throws an E made of `args`. Without exceptions, prints `what()` and aborts. Only this and `raise` throw.
template <class E, class... Args> [[noreturn]] FIXPOOL_COLD void raise_made([[maybe_unused]] const Args&... args) {
    FIXPOOL_RAISE(E(args...), E(args...).what());
}
/// Throws an E made of `text`. Without exceptions it makes no E, which needs the heap and much of the standard library.
template <class E> [[noreturn]] FIXPOOL_COLD void raise([[maybe_unused]] const char* text) {
    FIXPOOL_RAISE(E(text), text);
}

/// A block is free now. Nobody may touch it (AddressSanitizer), and it holds no value (MemorySanitizer).
inline void poison(const void* address, std::size_t size) noexcept { FIXPOOL_POISON(address, size); }

/// A block is handed out. Its owner may touch it (AddressSanitizer), and it holds no value yet (MemorySanitizer).
inline void unpoison(const void* address, std::size_t size) noexcept { FIXPOOL_UNPOISON(address, size); }

/// A pool takes over these bytes, or gives them up. For MemorySanitizer, their values stay as they are.
inline void fence(const void* at, std::size_t size) noexcept { FIXPOOL_POISON(at, fences ? size : 0); }
inline void unfence(const void* at, std::size_t size) noexcept { FIXPOOL_UNPOISON(at, fences ? size : 0); }

}  // namespace fixpool::inline FIXPOOL_ABI::detail
