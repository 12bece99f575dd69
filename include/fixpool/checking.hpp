// SPDX-License-Identifier: BSL-1.0
// checking: how much misuse a pool finds. A part of the pool's type, so that two levels can
// live in one program.
#pragma once

#include <fixpool/detail/platform.hpp>

namespace fixpool::inline FIXPOOL_ABI {

/// How much a pool checks. The level is a type, never a macro or a build mode, and never
/// changes capacity or complexity.
///
/// | level       | catches                                           | costs                    |
/// |-------------|---------------------------------------------------|--------------------------|
/// | `unchecked` | nothing: misuse is undefined                      | a pointer a block        |
/// | `checked`   | double free; pointers that are foreign, misalign- | 5 bytes a block; finding |
/// |             | ed, interior, never allocated; live blocks when   | the block's number when  |
/// |             | the pool dies: each of them exactly               | it is released           |
/// | `debug`     | not there yet                                     |                          |
enum class checking : unsigned char { unchecked, checked, debug };

}  // namespace fixpool::inline FIXPOOL_ABI
