// SPDX-License-Identifier: BSL-1.0
#include <fixpool/fixpool.hpp>

struct throws {
    ~throws() noexcept(false) {}
};
struct does_not {
    ~does_not() {}
};

int main() {
#ifdef REFUSED
    fixpool::typed_pool<throws> pool(2);
#else
    fixpool::typed_pool<does_not> pool(2);
#endif
}
