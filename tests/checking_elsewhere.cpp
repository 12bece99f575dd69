// SPDX-License-Identifier: BSL-1.0
#include "checking.hpp"

std::size_t use_unchecked_elsewhere(fixpool::basic_memory_pool<fixpool::checking::unchecked>& pool) {
    void* const block = pool.allocate();
    const std::size_t in_use = pool.in_use();
    pool.deallocate(block);
    return in_use;
}

fixpool::block<int, fixpool::checking::unchecked> make_unchecked_elsewhere(
    fixpool::typed_pool<int, fixpool::checking::unchecked>& pool, int value) {
    return pool.allocate(value);
}

fixpool::violation_handler set_handler_elsewhere(fixpool::violation_handler handler) {
    return fixpool::set_violation_handler(handler);
}
