// SPDX-License-Identifier: BSL-1.0
#include <fixpool/fixpool.hpp>

#include <stdexcept>

#include "absent_exceptions.hpp"
#include "catch.hpp"

TEST_CASE("the umbrella header brings all of the core", "[fixpool]") {
    fixpool::memory_pool raw(fixpool::pool_layout::from_total_size(1024, 64), fixpool::pool_options{.name = "raw"});
    fixpool::typed_pool<int> typed(2, {.name = "typed"});
    const fixpool::shared_pool<int> shared(2, fixpool::arena::heap());
    void* const block = raw.allocate();
    const fixpool::block<int> one = typed.allocate(1);
    const fixpool::shared_block<int> two = shared.allocate(2);
    CHECK(*one + *two == 3);
    CHECK(raw.try_deallocate(block) == fixpool::release_status::released);
    const fixpool::pool_stats stats = raw.stats();
    CHECK(stats.total_blocks == 16);
    CHECK(FIXPOOL_VERSION_MAJOR >= 0);
}

TEST_CASE("the default options are spelled {}", "[fixpool]") {
    const fixpool::memory_pool raw({64, 2}, {});
    const fixpool::typed_pool<int> typed(2, {});
    const fixpool::shared_pool<int> shared(2, {});
    CHECK(raw.available() + typed.available() + shared.available() == 6);
}

TEST_CASE("a part of the program without exceptions takes them from no other part", "[fixpool]") {
    CHECK(use_pools_without_exceptions() == 3);
    fixpool::memory_pool pool({64, 1});
    void* const only = pool.allocate();
    CHECK_THROWS_AS(pool.allocate(), fixpool::pool_exhausted);
    CHECK_THROWS_AS(fixpool::memory_pool({0, 1}), std::invalid_argument);
    pool.deallocate(only);
}
