// SPDX-License-Identifier: BSL-1.0
#include <fixpool/fixpool.hpp>

#include <deque>
#include <vector>

int main() {
#ifdef REFUSED
    std::vector<fixpool::typed_pool<int>> pools;
#else
    std::deque<fixpool::typed_pool<int>> pools;
#endif
    pools.emplace_back(2);
}
