// SPDX-License-Identifier: BSL-1.0
// debug_pages: the level checking::debug, for growing pools and resources. Opt-in. Includes only.
//
// debug.hpp says what the level finds. Here each block lies in a frame: what is kept of it, a guard, the block, a guard. So a
// stride is some 160 bytes larger than the block, and a page has fewer of them. In other ways than there:
//
// A released block is reused as soon as at the other levels: of a write into it less is found. `sort_free_blocks` sorts. An
// overflow of more than 16 bytes may reach what is kept of the next block, or that of a large one what is kept of this
// one. This is found when that block is released or handed out again, reported as corrupted_pool, and mended: where it
// was allocated is lost then. Who holds the blocks of a pool is told in memory of its upstream resource, if there is any.
#pragma once

#include <fixpool/detail/debug_growing_pool.hpp>
