// SPDX-License-Identifier: BSL-1.0
#include <fixpool/growing_pool.hpp>

int main() {
#ifdef REFUSED
    fixpool::basic_growing_pool<fixpool::checking::debug> pool(64);
#else
    fixpool::basic_growing_pool<fixpool::checking::checked> pool(64);
#endif
    pool.deallocate(pool.allocate());
}
