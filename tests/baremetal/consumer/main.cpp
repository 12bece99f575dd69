// SPDX-License-Identifier: BSL-1.0
// A firmware with the pools that need no threads, and with a violation handler.
#include <fixpool/memory_pool.hpp>
#include <fixpool/static_pool.hpp>
#include <fixpool/typed_pool.hpp>

#include <cstddef>

namespace {

constexpr fixpool::pool_layout layout{.block_size = 16, .block_count = 4};
alignas(8) std::byte raw_storage[fixpool::memory_pool::required_bytes(layout)];
alignas(8) std::byte typed_storage[fixpool::typed_pool<int>::required_bytes(4)];
constinit fixpool::static_pool<int, 4> in_place;
int violations = 0;

}  // namespace

int main() {
    fixpool::set_violation_handler([](const fixpool::violation&) { ++violations; });
    fixpool::memory_pool raw(layout, fixpool::arena::borrow(raw_storage));
    fixpool::typed_pool<int> typed(4, fixpool::arena::borrow(typed_storage));
    in_place.set_options({.name = "in place"});
    void* const bytes = raw.try_allocate();
    const fixpool::block<int> number = typed.try_allocate(42);
    const fixpool::static_block<int, 4> other = in_place.try_allocate(43);
    raw.deallocate(bytes);
    raw.deallocate(bytes);
    const bool is_refused = in_place.adopt(other.get()) == nullptr;
    return violations == 2 && is_refused && *number == 42 && *other == 43 ? 0 : 1;
}
