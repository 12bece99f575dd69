// SPDX-License-Identifier: BSL-1.0
#include <fixpool/static_pool.hpp>

int main() {
    fixpool::static_pool<int, 2> pool;
#ifdef REFUSED
    fixpool::static_pool<int, 2> copy(pool);
#else
    fixpool::static_pool<int, 2>& copy(pool);
#endif
    (void)copy;
}
