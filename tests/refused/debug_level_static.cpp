// SPDX-License-Identifier: BSL-1.0
#include <fixpool/static_pool.hpp>

#ifdef REFUSED
constinit fixpool::static_pool<int, 2, fixpool::checking::debug> pool;
#else
constinit fixpool::static_pool<int, 2, fixpool::checking::checked> pool;
#endif

int main() {}
