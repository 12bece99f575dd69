// SPDX-License-Identifier: BSL-1.0
#include <fixpool/fixpool.hpp>

struct point {
    int x;
    int y;
};

int sum() {
    fixpool::typed_pool<point> pool(1);
#if defined(REFUSED)
    return pool.allocate("text")->x;
#else
    return pool.allocate(1, 2)->x;
#endif
}
