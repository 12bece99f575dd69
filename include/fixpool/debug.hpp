// SPDX-License-Identifier: BSL-1.0
// debug: the level checking::debug, for all pools. Include it to use that level; fixpool.hpp does. Includes only.
//
// A freed block is filled with 0xdd, and verified when it is handed out again: as late as possible, for blocks that were
// never handed out come first, then those that were released first. `sort_free_blocks` does nothing. Guard bytes (0xfd)
// lie before and behind each block, 16 at least; they are verified when it or a neighbour is released, or handed out for
// the first time. So strides are larger than at the other levels. What the pool keeps lies in front of the blocks, where
// a long overflow of the last one does not reach it. When a handler returns from write_after_free or buffer_overflow,
// the bytes are mended and the operation goes on. `audit` verifies all of them, and mends nothing.
//
// For each block the pool keeps where, when and on which thread it was allocated and released. Raw pools take the site as
// a last argument, whose default is the caller's place. A site's file name must stay valid as long as the pool. The
// `allocate` of objects keeps the code address that it was called at, which reports print as `module+0xoffset`, for
// addr2line; `allocate_at({}, ...)` keeps the line. Of a long path reports print the last 40 characters. (g++ may compile
// a function that ends in `return pool.allocate();` to a jump: then the address is that of its caller.) An object's
// release is kept by its code address, too, which may lie in this library, where nothing is inlined.
//
// Complexity: O(block_size) per operation. Reports of leaks and of exhaustion take O(n log n) for n blocks in use.
// Shared pools have no magazines: each operation takes the pool's mutex.
#pragma once

#include <fixpool/detail/debug_memory_pool.hpp>
#include <fixpool/detail/debug_shared_memory_pool.hpp>
#include <fixpool/detail/debug_state.hpp>
