// SPDX-License-Identifier: BSL-1.0
// debug: the level checking::debug for all pools of the core. fixpool.hpp includes it. This header only has includes.
//
// Writes after free: a released block is filled with 0xdd. The fill is verified when the block is handed out again.
// That happens as late as possible: first come blocks that were never handed out, then the block that was released
// first.
//
// Overflows: guard bytes (0xfd), 16 or more, lie before and behind each block. They are verified when the block or a
// neighbour is released or handed out for the first time. Strides are larger than at other levels. The pool's metadata
// lies before the blocks, out of reach of an overflow.
//
// When the handler returns from write_after_free or buffer_overflow, the pool repairs the bytes and goes on. `audit`
// verifies all bytes and repairs nothing. `sort_free_blocks` does nothing.
//
// Sites: the pool records where, when and on which thread each block was allocated and released. Raw pools take a site
// as their last argument; the default is the caller's line. Its file name must stay valid as long as the pool. Reports
// print the last 40 characters of a long path.
//
// The `allocate` of objects records its caller's code address, which reports print as `module+0xoffset` for addr2line.
// `allocate_at({}, ...)` records the line. If a function ends in `return pool.allocate();`, g++ may compile a jump: the
// address is then that of the function's caller. The release of an object records an address, too. Without inlining,
// that address may lie in this library.
//
// Complexity: O(block_size) per operation. A report of a leak or of exhaustion takes O(n log n) for n blocks in use.
// Shared pools have no magazines: each operation locks the pool's mutex.
#pragma once

#include <fixpool/detail/debug_memory_pool.hpp>
#include <fixpool/detail/debug_shared_memory_pool.hpp>
#include <fixpool/detail/debug_state.hpp>
