// SPDX-License-Identifier: BSL-1.0
// checking: how much misuse a pool finds. A part of the pool's type, so that two levels can live in one program.
#pragma once

#include <fixpool/detail/platform.hpp>

namespace fixpool::inline FIXPOOL_ABI {

/// How much a pool checks. The level is a type, never a macro or a build mode, and changes neither capacity nor
/// complexity.
///
/// | level       | catches                                           | costs                    |
/// |-------------|---------------------------------------------------|--------------------------|
/// | `unchecked` | nothing: misuse is undefined                      | a pointer per block      |
/// | `checked`   | double free; pointers that are foreign, misalign- | 5 bytes per block;       |
/// |             | ed, interior, never allocated; a second owner;    | finding the block's      |
/// |             | live blocks when the pool dies: each exactly      | index at its release     |
/// | `debug`     | also writes after free, overflows and underflows; | 150 bytes per block and  |
/// |             | where and when each block was allocated and       | more; O(block_size) per  |
/// |             | released (debug.hpp, which fixpool.hpp includes)  | operation                |
enum class checking : unsigned char { unchecked, checked, debug };

/// What an unchecked pool cannot do requires this.
template <checking C>
concept knows_live_blocks = C != checking::unchecked;  // fixpool: an unchecked pool does not know its live blocks

/// Debug level keeps where each block was allocated and released; and so does what its raw pools are derived from.
template <checking C>
concept keeps_sites = (C != checking::unchecked) && (C != checking::checked);

namespace detail {

/// What a checked level knows of a carved block. The states of other blocks are not read.
enum class block_state : unsigned char {
    out_of_use,  // free, or its object is being constructed or destroyed
    live,
    given_up,  // live, and no handle owns it
    fresh,     // free, and never handed out; only in shared pools
    sorted,    // free, while sort runs
};

}  // namespace detail
}  // namespace fixpool::inline FIXPOOL_ABI
