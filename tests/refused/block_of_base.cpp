// SPDX-License-Identifier: BSL-1.0
#include <fixpool/fixpool.hpp>

struct base {
    virtual ~base() = default;
};
struct derived : base {};

int main() {
    fixpool::typed_pool<derived> pool(2);
#ifdef REFUSED
    fixpool::block<base> block = pool.allocate();
#else
    fixpool::block<derived> block = pool.allocate();
#endif
}
