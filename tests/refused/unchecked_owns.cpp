// SPDX-License-Identifier: BSL-1.0
#include <fixpool/fixpool.hpp>

int main() {
#ifdef REFUSED
    fixpool::basic_memory_pool<fixpool::checking::unchecked> pool({64, 2});
#else
    fixpool::basic_memory_pool<fixpool::checking::checked> pool({64, 2});
#endif
    return pool.owns(nullptr) ? 1 : 0;
}
