// SPDX-License-Identifier: BSL-1.0
#include <fixpool/fixpool.hpp>

int main() {
    fixpool::typed_pool<int> pool(2);
    auto block = pool.allocate(1);
#ifdef REFUSED
    pool.reset();
#else
    block.reset();
#endif
}
