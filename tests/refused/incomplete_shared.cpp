// SPDX-License-Identifier: BSL-1.0
#include <fixpool/fixpool.hpp>

struct later;
struct now {};

int main() {
#ifdef REFUSED
    fixpool::shared_pool<later> pool(2);
#else
    fixpool::shared_pool<now> pool(2);
#endif
}
