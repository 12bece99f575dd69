// SPDX-License-Identifier: BSL-1.0
// pool_stats: a pool's counters.
#pragma once

#include <fixpool/detail/platform.hpp>

#include <cstddef>

namespace fixpool::inline FIXPOOL_ABI {

/// The counters of a pool, as its `stats()` returns them. They are a copy and do not change afterwards.
struct pool_stats {
    std::size_t total_blocks = 0;    ///< capacity, in blocks
    std::size_t in_use = 0;          ///< blocks in use
    std::size_t peak_in_use = 0;     ///< most blocks in use at once since `reset()`; shared pools: an upper bound
    std::size_t refused = 0;         ///< allocations that found too few free blocks, since then; a bulk one counts once
    std::size_t block_size = 0;      ///< usable bytes per block
    std::size_t stride = 0;          ///< bytes from the start of one block to the start of the next
    std::size_t arena_bytes = 0;     ///< bytes for blocks and metadata together, in one buffer or two: `required_bytes`
    std::size_t metadata_bytes = 0;  ///< bytes for metadata: `arena_bytes - total_blocks * stride`
};

}  // namespace fixpool::inline FIXPOOL_ABI
