// SPDX-License-Identifier: BSL-1.0
#include <fixpool/static_pool.hpp>

struct point {
    int x;
    int y;
};
constinit fixpool::static_pool<point, 2> pool;

int main() {
#ifdef REFUSED
    return pool.allocate("text")->x;
#else
    return pool.allocate(1, 2)->x;
#endif
}
