// SPDX-License-Identifier: BSL-1.0
// finding: what is wrong in a pool, and where.
#pragma once

#include <fixpool/violation.hpp>

#include <cstddef>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// The first thing that is wrong: in a pool's metadata or, at debug level, in bytes that nobody may write.
struct finding {
    violation_kind kind = violation_kind::corrupted_pool;
    const void* at = nullptr;             // the block, or its metadata; nullptr: nothing is wrong
    std::size_t block = violation::npos;  // its index
    const char* problem = "";             // the text about a corrupted pool
    std::ptrdiff_t offset = 0;            // of the damaged byte, from the block's start
    unsigned char byte = 0;
    explicit operator bool() const noexcept { return at != nullptr; }
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
