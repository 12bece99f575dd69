// SPDX-License-Identifier: BSL-1.0
#include <fixpool/fixpool.hpp>

struct shape {
    virtual ~shape() = default;
    virtual double area() const = 0;
};
struct circle : shape {
    double area() const override { return 3; }
};

int main() {
#ifdef REFUSED
    fixpool::typed_pool<shape> pool(2);
#else
    fixpool::typed_pool<circle> pool(2);
#endif
}
