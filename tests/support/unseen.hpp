// SPDX-License-Identifier: BSL-1.0
// write_unseen, read_unseen: access bytes that a program may not touch. AddressSanitizer and Valgrind report such
// accesses, as the tests in sanitized/ expect. Here they must not see them.
#pragma once

#include <cstddef>

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define FIXPOOL_TEST_VALGRIND(request) request
#else
#define FIXPOOL_TEST_VALGRIND(request) static_cast<void>(0)
#endif
#if defined(__SANITIZE_ADDRESS__)
#define FIXPOOL_TEST_UNSEEN [[gnu::no_sanitize_address]]
#elif defined(__clang__)
#define FIXPOOL_TEST_UNSEEN [[clang::no_sanitize("address")]]
#else
#define FIXPOOL_TEST_UNSEEN
#endif

FIXPOOL_TEST_UNSEEN inline void write_unseen(void* block, std::ptrdiff_t offset, unsigned char value) {
    FIXPOOL_TEST_VALGRIND(VALGRIND_DISABLE_ERROR_REPORTING);
    static_cast<volatile unsigned char*>(block)[offset] = value;
    FIXPOOL_TEST_VALGRIND(VALGRIND_ENABLE_ERROR_REPORTING);
}

FIXPOOL_TEST_UNSEEN inline unsigned char read_unseen(const void* block, std::ptrdiff_t offset) {
    FIXPOOL_TEST_VALGRIND(VALGRIND_DISABLE_ERROR_REPORTING);
    unsigned char value = static_cast<const volatile unsigned char*>(block)[offset];
    FIXPOOL_TEST_VALGRIND(VALGRIND_ENABLE_ERROR_REPORTING);
    FIXPOOL_TEST_VALGRIND(static_cast<void>(VALGRIND_MAKE_MEM_DEFINED(&value, sizeof value)));
    return value;
}
