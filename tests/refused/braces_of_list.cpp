// SPDX-License-Identifier: BSL-1.0
#include <fixpool/fixpool.hpp>

#include <vector>

int size() {
    fixpool::typed_pool<std::vector<int>> pool(1);
#if defined(REFUSED)
    return static_cast<int>(pool.allocate(2, 7, 9)->size());
#else
    return static_cast<int>(pool.allocate(2u, 7)->size());
#endif
}
