// SPDX-License-Identifier: BSL-1.0
// checking: how much misuse a pool finds. A part of the pool's type, so that two levels can live in one
// program.
#pragma once

#include <fixpool/detail/platform.hpp>

namespace fixpool::inline FIXPOOL_ABI {

/// How much a pool checks. The level never depends on a macro or on NDEBUG, and never changes capacity or
/// complexity.
///
/// | level       | catches                                                        | costs                                  |
/// |-------------|----------------------------------------------------------------|----------------------------------------|
/// | `unchecked` | nothing: misuse is undefined                                   | a pointer a block                      |
/// | `checked`   | double free; never allocated, foreign, misaligned and interior | 5 bytes a block; a few instructions to |
/// |             | pointers; live blocks when the pool dies: each of them exactly | find the block's number at its release |
/// | `debug`     | not there yet                                                  |                                        |
enum class checking : unsigned char { unchecked, checked, debug };

}  // namespace fixpool::inline FIXPOOL_ABI
