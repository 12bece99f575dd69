// SPDX-License-Identifier: BSL-1.0
#include <fixpool/fixpool.hpp>

struct first {
    int a;
};
struct second {
    int b;
};
struct both : first, second {};

int main() {
    fixpool::typed_pool<both> pool(2);
    auto owner = pool.allocate();
    both* object = owner.release();
#ifdef REFUSED
    owner = pool.adopt(static_cast<second*>(object));
#else
    owner = pool.adopt(object);
#endif
}
