// SPDX-License-Identifier: BSL-1.0
#include <fixpool/fixpool.hpp>

class secret {
#if !defined(REFUSED)
public:
#endif
    explicit secret(int v) : value(v) {}

public:
    int value;
};

int value() {
    fixpool::shared_pool<secret> pool(1);
    return pool.allocate(1)->value;
}
