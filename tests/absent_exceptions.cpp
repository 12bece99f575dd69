// SPDX-License-Identifier: BSL-1.0
// A part of the program that is compiled without exceptions. What it does on an error must not replace what the rest of
// the program does. It is linked before the tests that expect exceptions: the linker would prefer its code.
#include "absent_exceptions.hpp"

#include <fixpool/fixpool.hpp>

std::size_t use_pools_without_exceptions() {
    fixpool::memory_pool raw({.block_size = 64, .block_count = 2});
    fixpool::typed_pool<int> typed(2);
    const fixpool::block<int> block = typed.allocate(1);
    raw.deallocate(raw.allocate());
    return raw.available() + typed.available();
}
