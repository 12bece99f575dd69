// SPDX-License-Identifier: BSL-1.0
#include <fixpool/fixpool.hpp>

int main() {
    fixpool::typed_pool<int> pool(2);
    auto first = pool.allocate(1);
#ifdef REFUSED
    auto second = first;
#else
    auto second = std::move(first);
#endif
}
