// SPDX-License-Identifier: BSL-1.0
#include <fixpool/static_pool.hpp>

#include <cstdint>

#ifdef REFUSED
constinit fixpool::static_pool<int, PTRDIFF_MAX / 8> pool;
#else
extern fixpool::static_pool<int, PTRDIFF_MAX / 8> pool;
#endif

int main() {}
