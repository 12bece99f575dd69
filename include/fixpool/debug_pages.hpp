// SPDX-License-Identifier: BSL-1.0
// debug_pages: the level checking::debug for growing pools and resources. Opt-in. This header only has includes.
//
// It finds what debug.hpp describes, with these differences:
// - Each block has its record and its guard bytes around it. So a stride is about 160 bytes larger than the block, and
//   a page has fewer blocks.
// - A released block is reused as early as at the other levels. So fewer writes after free are found.
//   `sort_free_blocks` sorts.
// - A long overflow may overwrite the record of the next block. It is found at the latest when that block is released
//   or handed out again. It is reported as buffer_overflow of the block before, if that is in use, then as
//   corrupted_pool. Where the next block was allocated is unknown afterwards.
// - To group the blocks of a leak by place, the pool allocates from upstream. If that has no memory, the report has no
//   groups.
// - A resource records code addresses and the exact size of each block. A size class serves blocks that are about 160
//   bytes smaller than at other levels. Its `options()` takes this into account.
#pragma once

#include <fixpool/detail/debug_growing_pool.hpp>
#include <fixpool/detail/debug_pool_resource.hpp>
