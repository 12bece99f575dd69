// SPDX-License-Identifier: BSL-1.0
#include <fixpool/fixpool.hpp>

int main() {
    fixpool::typed_pool<int> pool(2);
#ifdef REFUSED
    fixpool::typed_pool<int> moved = std::move(pool);
#else
    fixpool::typed_pool<int>& moved = pool;
#endif
    (void)moved;
}
