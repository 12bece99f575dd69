// SPDX-License-Identifier: BSL-1.0
#include <fixpool/fixpool.hpp>

class hidden {
    ~hidden() = default;
};
class open {
public:
    ~open() = default;
};

int main() {
#ifdef REFUSED
    fixpool::typed_pool<hidden> pool(2);
#else
    fixpool::typed_pool<open> pool(2);
#endif
}
