// SPDX-License-Identifier: BSL-1.0
#include <fixpool/fixpool.hpp>

int main() {
    using fixpool::checking;
#ifdef REFUSED
    fixpool::basic_memory_pool<checking::debug> pool({64, 2});
#else
    fixpool::basic_memory_pool<checking::checked> pool({64, 2});
#endif
}
