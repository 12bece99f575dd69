// SPDX-License-Identifier: BSL-1.0
#include <fixpool/fixpool.hpp>

int main() {
#ifdef REFUSED
    fixpool::typed_pool<int, fixpool::checking::unchecked> pool(2);
#else
    fixpool::typed_pool<int> pool(2);
#endif
    pool.for_each([](int& value) { ++value; });
}
