// SPDX-License-Identifier: BSL-1.0
// What differs between compilers and build modes: every #if of the library is here. The lowest layer.
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

// The inline namespace: the version, the sanitizer and what errors do. Translation units which differ in them have
// different types, and the linker keeps them apart.
#define FIXPOOL_JOIN_EXPANDED(major, minor, sanitizer, errors) v##major##_##minor##sanitizer##errors
#define FIXPOOL_JOIN(major, minor, sanitizer, errors) FIXPOOL_JOIN_EXPANDED(major, minor, sanitizer, errors)
#define FIXPOOL_ABI FIXPOOL_JOIN(FIXPOOL_VERSION_MAJOR, FIXPOOL_VERSION_MINOR, FIXPOOL_SANITIZER, FIXPOOL_ERRORS)

// FIXPOOL_COLD keeps what is rare out of the caller's instruction stream. FIXPOOL_TRAP_NOW ends the program without a
// library.
// FIXPOOL_APART is a function of its own, which a FIXPOOL_CALLER in it names the caller of.
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

// An image is an executable or a shared library. FIXPOOL_HIDDEN: each image has a symbol of its own. Without it g++
// marks an inline variable as unique in the process, and a plug-in with such a symbol is never unloaded.
// FIXPOOL_VISIBLE: one symbol for all images, also under -fvisibility=hidden. On Windows no image shares its symbols.
#if defined(__ELF__) || defined(__APPLE__)
#define FIXPOOL_HIDDEN [[gnu::visibility("hidden")]]
#define FIXPOOL_VISIBLE [[gnu::visibility("default")]]
#else
#define FIXPOOL_HIDDEN
#define FIXPOOL_VISIBLE
#endif

// FIXPOOL_WRAPS: unsigned arithmetic wraps here on purpose, -fsanitize=integer does not report it.
// FIXPOOL_HIDDEN_FUNCTIONS: a class whose implicit constructor is hidden, which clang calls where g++ copies a
// constant, and whose type is not. FIXPOOL_LOCKS: what -Wthread-safety proves.
#if defined(__clang__)
#define FIXPOOL_LOCKS(attribute) __attribute__((attribute))
#define FIXPOOL_WRAPS [[clang::no_sanitize("unsigned-integer-overflow", "unsigned-shift-base")]]
#define FIXPOOL_HIDDEN_FUNCTIONS [[gnu::visibility("hidden"), clang::type_visibility("default")]]
#else
#define FIXPOOL_LOCKS(attribute)
#define FIXPOOL_WRAPS
#define FIXPOOL_HIDDEN_FUNCTIONS
#endif

// Around what is done with the caller's arguments: how they convert is not for our warnings to say.
#if defined(__GNUC__)
#define FIXPOOL_CALLERS_BEGIN                                                                         \
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wmissing-field-initializers\"") \
        _Pragma("GCC diagnostic ignored \"-Wconversion\"") _Pragma("GCC diagnostic ignored \"-Wsign-conversion\"")
#define FIXPOOL_CALLERS_END _Pragma("GCC diagnostic pop")
#else
#define FIXPOOL_CALLERS_BEGIN
#define FIXPOOL_CALLERS_END
#endif

// What an error does: traps where FIXPOOL_TRAP is 1, throws where there are exceptions, else prints and aborts.
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
inline constexpr bool traps = FIXPOOL_TRAPS;    // errors and the default violation handler make no text, they trap

/// Ends the program: by a trap where FIXPOOL_TRAP is 1, otherwise by abort.
[[noreturn]] FIXPOOL_COLD inline void stop() noexcept {
    if constexpr (traps) FIXPOOL_TRAP_NOW();
    else std::abort();
}

/// One of the two places that throw. Throws an E made of `args`. Without exceptions, it prints `what()` and aborts.
template <class E, class... Args> [[noreturn]] FIXPOOL_COLD void raise_made([[maybe_unused]] const Args&... args) {
    FIXPOOL_RAISE(E(args...), E(args...).what());
}
/// The same for an E made of `text`. Without exceptions, no E is made: it would need the heap, and bring much of the
/// standard library into the program.
template <class E> [[noreturn]] FIXPOOL_COLD void raise([[maybe_unused]] const char* text) {
    FIXPOOL_RAISE(E(text), text);
}

/// A block is free now: nobody may touch it (AddressSanitizer), it holds no value (MemorySanitizer).
inline void poison(const void* address, std::size_t size) noexcept { FIXPOOL_POISON(address, size); }

/// A block is handed out: its owner may touch it (ASan), it holds no value yet (MSan).
inline void unpoison(const void* address, std::size_t size) noexcept { FIXPOOL_UNPOISON(address, size); }

/// A pool takes these bytes over, and gives them up. For MSan their values stay as they are.
inline void fence(const void* at, std::size_t size) noexcept { FIXPOOL_POISON(at, fences ? size : 0); }
inline void unfence(const void* at, std::size_t size) noexcept { FIXPOOL_UNPOISON(at, fences ? size : 0); }

}  // namespace fixpool::inline FIXPOOL_ABI::detail
