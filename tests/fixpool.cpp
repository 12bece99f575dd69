// SPDX-License-Identifier: BSL-1.0
#include <fixpool/fixpool.hpp>

#include <functional>
#include <stdexcept>
#include <utility>

#include "absent_exceptions.hpp"
#include "support/catch.hpp"

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

namespace {

/// One function of each name: g++ 12 cannot choose between two, even if a constraint excludes one.
template <fixpool::checking C> void take_addresses() {
    using raw_pool = fixpool::basic_memory_pool<C>;
    using shared_raw_pool = fixpool::basic_shared_memory_pool<C>;
    using objects = fixpool::typed_pool<std::pair<int, int>, C>;
    using shared_objects = fixpool::shared_pool<std::pair<int, int>, C>;
    CHECK(&raw_pool::allocate != nullptr);
    CHECK(&raw_pool::try_allocate != nullptr);
    CHECK(&raw_pool::deallocate != nullptr);
    CHECK(&raw_pool::try_allocate_bulk != nullptr);
    CHECK(&raw_pool::deallocate_bulk != nullptr);
    CHECK(&shared_raw_pool::allocate != nullptr);
    CHECK(&shared_raw_pool::try_allocate != nullptr);
    CHECK(&shared_raw_pool::deallocate != nullptr);
    CHECK(&objects::template allocate<int, int> != nullptr);
    CHECK(&objects::template try_allocate<int, int> != nullptr);
    CHECK(&shared_objects::template allocate<int, int> != nullptr);
    CHECK(&shared_objects::template try_allocate<int, int> != nullptr);
}

}  // namespace

TEST_CASE("the address of each operation can be taken", "[fixpool]") {
    take_addresses<fixpool::checking::unchecked>();
    take_addresses<fixpool::checking::checked>();
    take_addresses<fixpool::checking::debug>();
    fixpool::memory_pool pool({64, 1});
    const auto allocate = std::bind_front(&fixpool::memory_pool::allocate, &pool);
    const auto deallocate = std::mem_fn(&fixpool::memory_pool::deallocate);
    const auto try_deallocate = &fixpool::memory_pool::try_deallocate;
    void* const block = allocate();
    deallocate(pool, block);
    CHECK((pool.*try_deallocate)(block) == fixpool::release_status::double_free);
}

TEST_CASE("a part of the program without exceptions takes them from no other part", "[fixpool]") {
    CHECK(use_pools_without_exceptions() == 3);
    fixpool::memory_pool pool({64, 1});
    void* const only = pool.allocate();
    CHECK_THROWS_AS(pool.allocate(), fixpool::pool_exhausted);
    CHECK_THROWS_AS(fixpool::memory_pool({0, 1}), std::invalid_argument);
    pool.deallocate(only);
}
