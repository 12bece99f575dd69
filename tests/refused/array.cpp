// SPDX-License-Identifier: BSL-1.0
#include <fixpool/fixpool.hpp>

#include <array>

int main() {
#ifdef REFUSED
    fixpool::typed_pool<int[4]> pool(2);
#else
    fixpool::typed_pool<std::array<int, 4>> pool(2);
#endif
}
