// SPDX-License-Identifier: BSL-1.0
#include <fixpool/typed_pool.hpp>
#ifndef REFUSED
#include <fixpool/debug.hpp>
#endif

int main() {
    fixpool::typed_pool<int, fixpool::checking::debug> pool(2);
    auto number = pool.allocate_at({}, 1);
}
