// SPDX-License-Identifier: BSL-1.0
#include <fixpool/fixpool.hpp>

int main() {
#ifdef REFUSED
    fixpool::shared_pool<int&> pool(2);
#else
    fixpool::shared_pool<int*> pool(2);
#endif
}
