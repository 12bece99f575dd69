// SPDX-License-Identifier: BSL-1.0
#include <fixpool/fixpool.hpp>

int main() {
    fixpool::memory_pool pool({64, 2});
#ifdef REFUSED
    fixpool::memory_pool copy = pool;
#else
    fixpool::memory_pool& copy = pool;
#endif
    (void)copy;
}
