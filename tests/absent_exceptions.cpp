// SPDX-License-Identifier: BSL-1.0
// A part of the program that is compiled without exceptions: what it makes of errors must not become everybody's. Its name
// comes before those of the tests that expect exceptions, so that the linker would prefer what is here.
#include "absent_exceptions.hpp"

#include <fixpool/fixpool.hpp>

std::size_t use_pools_without_exceptions() {
    fixpool::memory_pool raw({.block_size = 64, .block_count = 2});
    fixpool::typed_pool<int> typed(2);
    const fixpool::block<int> block = typed.allocate(1);
    raw.deallocate(raw.allocate());
    return raw.available() + typed.available();
}
