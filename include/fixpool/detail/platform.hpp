// SPDX-License-Identifier: BSL-1.0
// What differs between compilers and build modes: every #if of the library is
// here. The lowest layer.
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
#define FIXPOOL_POISON(address, size) __asan_poison_memory_region(address, size)
#define FIXPOOL_UNPOISON(address, size) __asan_unpoison_memory_region(address, size)
#elif FIXPOOL_HAS_FEATURE(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#define FIXPOOL_SANITIZER _msan
#define FIXPOOL_POISON(address, size) __msan_poison(address, size)
#define FIXPOOL_UNPOISON(address, size) __msan_allocated_memory(address, size)
#else
#define FIXPOOL_SANITIZER
#define FIXPOOL_POISON(address, size) (static_cast<void>(address), static_cast<void>(size))
#define FIXPOOL_UNPOISON(address, size) (static_cast<void>(address), static_cast<void>(size))
#endif

// The inline namespace: the version, the sanitizer and what errors do, so that translation units
// which differ in them cannot be mixed up.
#define FIXPOOL_JOIN_EXPANDED(major, minor, sanitizer, errors) v##major##_##minor##sanitizer##errors
#define FIXPOOL_JOIN(major, minor, sanitizer, errors) FIXPOOL_JOIN_EXPANDED(major, minor, sanitizer, errors)
#define FIXPOOL_ABI FIXPOOL_JOIN(FIXPOOL_VERSION_MAJOR, FIXPOOL_VERSION_MINOR, FIXPOOL_SANITIZER, FIXPOOL_ERRORS)

// Keeps what is rare out of the caller's instruction stream.
#if defined(_MSC_VER)
#define FIXPOOL_COLD __declspec(noinline)
#else
#define FIXPOOL_COLD [[gnu::noinline, gnu::cold]]
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

#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define FIXPOOL_ERRORS
#define FIXPOOL_THROW(exception, text) throw exception
#else
#define FIXPOOL_ERRORS _noexceptions
#define FIXPOOL_THROW(exception, text) (std::fputs(text, stderr), std::fputs("\n", stderr), std::abort())
#endif

namespace fixpool::inline FIXPOOL_ABI::detail {

/// The one place that throws. Where exceptions are off it prints the text and aborts.
template <class Exception> [[noreturn]] FIXPOOL_COLD void raise(const Exception& exception) {
    FIXPOOL_THROW(exception, exception.what());
}
/// The same for an E made of `text`, which is not made where exceptions are off: it would want the
/// heap, and bring much of the standard library into the program.
template <class E> [[noreturn]] FIXPOOL_COLD void raise(const char* text) { FIXPOOL_THROW(E(text), text); }

/// Tells the sanitizer that nobody may touch these bytes (ASan), or that they hold no value (MSan).
inline void poison(const void* address, std::size_t size) noexcept { FIXPOOL_POISON(address, size); }

/// Tells the sanitizer that these bytes may be used (ASan), and hold no value yet (MSan).
inline void unpoison(const void* address, std::size_t size) noexcept { FIXPOOL_UNPOISON(address, size); }

}  // namespace fixpool::inline FIXPOOL_ABI::detail
