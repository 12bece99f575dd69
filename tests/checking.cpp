// SPDX-License-Identifier: BSL-1.0
#include "checking.hpp"

#include <type_traits>

#include "support/catch.hpp"
#include "support/violations.hpp"

using fixpool::checking;

static_assert(std::is_same_v<fixpool::memory_pool, fixpool::basic_memory_pool<checking::checked>>);
static_assert(!std::is_same_v<fixpool::memory_pool, fixpool::basic_memory_pool<checking::unchecked>>);
static_assert(std::is_same_v<fixpool::typed_pool<int>, fixpool::typed_pool<int, checking::checked>>);
static_assert(std::is_same_v<fixpool::block<int>, fixpool::block<int, checking::checked>>);
static_assert(std::is_same_v<fixpool::shared_pool<int>, fixpool::shared_pool<int, checking::checked>>);
static_assert(std::is_same_v<fixpool::shared_block<int>, fixpool::shared_block<int, checking::checked>>);

TEST_CASE("two levels live in one program, over two translation units", "[checking]") {
    recorded_violations violations;
    fixpool::memory_pool checked({64, 4});
    fixpool::basic_memory_pool<checking::unchecked> unchecked({64, 4});
    void* const block = checked.allocate();
    CHECK(use_unchecked_elsewhere(unchecked) == 1);
    checked.deallocate(block);
    checked.deallocate(block);
    CHECK(violations.count() == 1);
    CHECK(unchecked.in_use() == 0);

    fixpool::typed_pool<int, checking::unchecked> numbers(1);
    const auto number = make_unchecked_elsewhere(numbers, 42);
    CHECK(*number == 42);
    CHECK(numbers.available() == 0);
}

TEST_CASE("there is one violation handler for all translation units", "[checking]") {
    recorded_violations violations;
    const fixpool::violation_handler ours = set_handler_elsewhere(nullptr);
    CHECK(fixpool::set_violation_handler(ours) != ours);
    CHECK(fixpool::set_violation_handler(ours) == ours);
}

TEST_CASE("the level changes neither capacity nor stride", "[checking]") {
    for (const fixpool::pool_layout layout : {fixpool::pool_layout{1, 7}, {24, 100}, {64, 16, 64}, {3, 9, 8}}) {
        const fixpool::memory_pool checked(layout);
        const fixpool::basic_memory_pool<checking::unchecked> unchecked(layout);
        CHECK(checked.total_blocks() == unchecked.total_blocks());
        CHECK(checked.stride() == unchecked.stride());
        CHECK(checked.alignment() == unchecked.alignment());
    }
}
