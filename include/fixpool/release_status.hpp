// SPDX-License-Identifier: BSL-1.0
// release_status: the result of `try_deallocate`.
#pragma once

#include <fixpool/violation.hpp>

namespace fixpool::inline FIXPOOL_ABI {

/// The result of `try_deallocate`. After any result but `released`, the pool is unchanged.
enum class release_status : unsigned char {
    released,            ///< the block is free now
    null_pointer,        ///< the pointer is nullptr: no misuse
    foreign_pointer,     ///< see violation_kind::foreign_pointer
    misaligned_pointer,  ///< see violation_kind::misaligned_pointer
    not_allocated,       ///< see violation_kind::not_allocated
    double_free          ///< see violation_kind::double_free
};

namespace detail {

[[nodiscard]] inline release_status status_of(violation_kind misuse) noexcept {
    switch (misuse) {
        case violation_kind::foreign_pointer: return release_status::foreign_pointer;
        case violation_kind::misaligned_pointer: return release_status::misaligned_pointer;
        case violation_kind::double_free: return release_status::double_free;
        default: return release_status::not_allocated;
    }
}

}  // namespace detail
}  // namespace fixpool::inline FIXPOOL_ABI
