// SPDX-License-Identifier: BSL-1.0
// attempt: whether a function returns without an exception. It has the #if of the pools that grow.
#pragma once

#include <fixpool/detail/platform.hpp>

#include <new>

// Without exceptions nothing is caught: FIXPOOL_RAISE ends the program then.
#if !FIXPOOL_TRAPS && (defined(__cpp_exceptions) || defined(_CPPUNWIND))
#define FIXPOOL_TRY try
#define FIXPOOL_CATCH catch (...)
#define FIXPOOL_CATCH_NO_MEMORY catch (const std::bad_alloc&)
#else
#define FIXPOOL_TRY if constexpr (true)
#define FIXPOOL_CATCH else
#define FIXPOOL_CATCH_NO_MEMORY else
#endif

namespace fixpool::inline FIXPOOL_ABI::detail {

/// Returns what `does` returns; false if it throws.
template <class Fn> [[nodiscard]] bool attempt(const Fn& does) noexcept {
    FIXPOOL_TRY { return does(); }
    FIXPOOL_CATCH { return false; }
}

/// Returns what `does` returns; false if it throws a std::bad_alloc.
/// Throws: anything else that `does` throws.
template <class Fn> [[nodiscard]] bool has_memory(const Fn& does) {
    FIXPOOL_TRY { return does(); }
    FIXPOOL_CATCH_NO_MEMORY { return false; }
}

}  // namespace fixpool::inline FIXPOOL_ABI::detail
