// SPDX-License-Identifier: BSL-1.0
// debug_pages: the level checking::debug, for growing pools and resources. Opt-in. Includes only.
//
// debug.hpp says what the level finds. Here each block lies in a frame: what is kept of it, a guard, the block, a guard. So a
// stride is some 160 bytes larger than the block, and a page has fewer of them. In other ways than there:
//
// A released block is reused as soon as at the other levels: of a write into it less is found. `sort_free_blocks` sorts. A
// long overflow reaches what is kept of the next block. It is found at the latest when that one is released or handed out
// again: reported as that of the block in front, if this is in use, then as corrupted_pool. After that, it is not known
// where the next block was allocated. Who holds the blocks of a pool is told in memory of its upstream resource, if there
// is any.
//
// A resource keeps code addresses, and the exact size of each block. Its size classes are those of frames: a class serves
// blocks of up to some 160 bytes less, and `options()` says so.
#pragma once

#include <fixpool/detail/debug_growing_pool.hpp>
#include <fixpool/detail/debug_pool_resource.hpp>
