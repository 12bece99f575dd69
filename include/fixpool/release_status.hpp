// SPDX-License-Identifier: BSL-1.0
// release_status: what `try_deallocate` says of a pointer.
#pragma once

#include <fixpool/violation.hpp>

namespace fixpool::inline FIXPOOL_ABI {

/// What `try_deallocate` says of a pointer. The kinds of misuse are those of violation_kind.
enum class release_status : unsigned char {
    released,
    null_pointer,
    foreign_pointer,
    misaligned_pointer,
    not_allocated,
    double_free
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
