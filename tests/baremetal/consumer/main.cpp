// SPDX-License-Identifier: BSL-1.0
// A firmware with both pools that need no threads, and a violation handler.
#include <fixpool/memory_pool.hpp>
#include <fixpool/typed_pool.hpp>

#include <cstddef>

namespace {

constexpr fixpool::pool_layout layout{.block_size = 16, .block_count = 4};
alignas(8) std::byte raw_storage[fixpool::memory_pool::required_bytes(layout)];
alignas(8) std::byte typed_storage[fixpool::typed_pool<int>::required_bytes(4)];
int violations = 0;

}  // namespace

int main() {
    fixpool::set_violation_handler([](const fixpool::violation&) { ++violations; });
    fixpool::memory_pool raw(layout, fixpool::arena::borrow(raw_storage));
    fixpool::typed_pool<int> typed(4, fixpool::arena::borrow(typed_storage));
    void* const bytes = raw.try_allocate();
    const fixpool::block<int> number = typed.try_allocate(42);
    raw.deallocate(bytes);
    raw.deallocate(bytes);
    return violations == 1 && *number == 42 ? 0 : 1;
}
