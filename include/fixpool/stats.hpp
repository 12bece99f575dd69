// SPDX-License-Identifier: BSL-1.0
// pool_stats: a pool's counters, read at one moment.
#pragma once

#include <fixpool/detail/platform.hpp>

#include <cstddef>

namespace fixpool::inline FIXPOOL_ABI {

/// What `stats()` of every pool returns: a copy, which does not change any more.
struct pool_stats {
    std::size_t total_blocks = 0;  // blocks: the pool's capacity
    std::size_t in_use = 0;        // blocks that are in use now
    std::size_t peak_in_use = 0;   // blocks: the most in use at once since construction or reset; shared pools: or more
    std::size_t refused = 0;       // allocations that found too few free blocks, since then; a bulk form counts once
    std::size_t block_size = 0;    // bytes usable in a block
    std::size_t stride = 0;        // bytes from one block to the next
    std::size_t arena_bytes = 0;   // bytes: what `required_bytes` says, also where metadata are apart
    std::size_t metadata_bytes = 0;  // bytes: arena_bytes - total_blocks * stride
};

}  // namespace fixpool::inline FIXPOOL_ABI
