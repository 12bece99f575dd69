// SPDX-License-Identifier: BSL-1.0
#include <fixpool/fixpool.hpp>

struct number {
#if defined(REFUSED)
    explicit number(int v) : value(v) {}
#endif
    int value;
};

int value() {
    fixpool::typed_pool<number> pool(1);
    return pool.allocate_for_overwrite()->value = 1;
}
