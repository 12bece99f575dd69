// SPDX-License-Identifier: BSL-1.0
// checking: how much misuse a pool detects. It is part of the pool's type, so one program can use several levels.
#pragma once

#include <fixpool/detail/platform.hpp>

namespace fixpool::inline FIXPOOL_ABI {

/// How much misuse a pool detects. The level is part of the pool's type, not a macro or a build mode. All levels have
/// the same capacity and, but for `debug`, the same complexity.
///
/// | level       | detects                                         | costs                                            |
/// |-------------|-------------------------------------------------|--------------------------------------------------|
/// | `unchecked` | nothing: misuse is undefined behaviour          | one pointer per block                            |
/// | `checked`   | double free, wrong pointers, second owner, leak | 5 bytes per block; finding an index per release  |
/// | `debug`     | also wrong writes; where blocks were allocated  | over 150 bytes per block; O(block_size) per call |
///
/// Wrong pointers are foreign, misaligned (as inside a block), or of a block that was never allocated. Each misuse is
/// detected exactly, not by samples. Wrong writes are writes after free, overflows and underflows. At each release,
/// `checked` computes the block's index.
///
/// The debug level also reports where and when a block was allocated and released. debug.hpp describes it in detail. It
/// is part of fixpool.hpp.
enum class checking : unsigned char { unchecked, checked, debug };

/// Satisfied by every level but `unchecked`. Members that need to know which blocks are in use require it.
template <checking C>
concept knows_live_blocks = C != checking::unchecked;  // fixpool: an unchecked pool does not know its live blocks

/// Satisfied by the debug level, which records where each block was allocated and released.
template <checking C>
concept keeps_sites = (C != checking::unchecked) && (C != checking::checked);

namespace detail {

/// State of a block at the checked levels. A block has a state only after it was handed out once.
enum class block_state : unsigned char {
    out_of_use,  // free, or its object is being constructed or destroyed
    live,        // in use
    given_up,    // in use, and no handle owns it
    fresh,       // free, and never handed out; only in shared pools
    sorted,      // free, while sort runs
};

}  // namespace detail
}  // namespace fixpool::inline FIXPOOL_ABI
