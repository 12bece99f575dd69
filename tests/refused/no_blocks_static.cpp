// SPDX-License-Identifier: BSL-1.0
#include <fixpool/static_pool.hpp>

#ifdef REFUSED
constinit fixpool::static_pool<int, 0> pool;
#else
constinit fixpool::static_pool<int, 1> pool;
#endif

int main() {}
