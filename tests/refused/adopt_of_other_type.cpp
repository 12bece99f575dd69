// SPDX-License-Identifier: BSL-1.0
#include <fixpool/fixpool.hpp>

int main() {
    fixpool::typed_pool<int> numbers(2);
    fixpool::typed_pool<long> others(2);
#ifdef REFUSED
    auto block = others.adopt(numbers.allocate(1).release());
#else
    auto block = numbers.adopt(numbers.allocate(1).release());
#endif
}
