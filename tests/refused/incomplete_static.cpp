// SPDX-License-Identifier: BSL-1.0
#include <fixpool/static_pool.hpp>

struct later;

#ifdef REFUSED
constinit fixpool::static_pool<later, 2> pool;
#else
extern fixpool::static_pool<later, 2> pool;
#endif

int main() {}
