// SPDX-License-Identifier: BSL-1.0
// What all kinds of pools of objects promise about handles at debug level. Each check gets a pool with 8 free objects,
// which are two ints, and leaves it in that state.
#pragma once

#include <fixpool/debug.hpp>

#include <array>
#include <utility>

#include "catch.hpp"
#include "unseen.hpp"
#include "violations.hpp"

/// Every way of allocation records where the object was allocated.
template <class Pool> void handles_know_their_sites(Pool& pool, recorded_violations& violations) {
    constexpr fixpool::site given{"given.cpp", 1, "f"};
    auto first = pool.allocate(1, 2);
    auto second = pool.allocate(1, 2);
    auto third = pool.allocate_at(given, 1, 2);
    auto fourth = pool.try_allocate_at({}, 1, 2);
    const unsigned line = __LINE__ - 1;
    auto fifth = pool.try_allocate(3, 4);
    auto sixth = pool.allocate_for_overwrite();
    auto seventh = pool.try_allocate_for_overwrite();
    CHECK(second->second == 2);
    const auto site_of = [&](auto& handle) {
        (void)pool.adopt(handle.get());
        REQUIRE(violations.count() == 1);
        CHECK(violations.last().kind == fixpool::violation_kind::still_owned);
        return violations.last().allocated_at;
    };
    CHECK(site_of(first).file == nullptr);
    CHECK(site_of(first).address != nullptr);
    CHECK(site_of(first).address != site_of(second).address);
    const fixpool::site third_at = site_of(third);
    CHECK(third_at.file == given.file);
    CHECK(third_at.line == given.line);
    CHECK(third_at.address == nullptr);
    CHECK(site_of(fourth).line == line);
    CHECK(site_of(fifth).address != nullptr);
    CHECK(site_of(sixth).address != nullptr);
    CHECK(site_of(sixth).address != site_of(fifth).address);
    CHECK(site_of(seventh).address != site_of(sixth).address);
}

/// A given-up object can be adopted, and one that is gone cannot. A full pool says so. A release finds an overflow.
template <class Pool> void handles_are_validated(Pool& pool, recorded_violations& violations) {
    auto first = pool.allocate(1, 2);
    auto second = pool.allocate(1, 2);
    auto* const object = first.release();
    CHECK(pool.owns(object));
    first = pool.adopt(object);
    CHECK(first.get() == object);
    first.reset();
    (void)pool.adopt(object);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == fixpool::violation_kind::double_free);
    CHECK(violations.last().released_at.address != nullptr);
    CHECK(pool.adopt(nullptr) == nullptr);

    const std::array<decltype(first), 7> all{pool.allocate(), pool.allocate(), pool.allocate(), pool.allocate(),
                                             pool.allocate(), pool.allocate(), pool.allocate()};
    for (const auto& handle : all) CHECK(handle->first == 0);
    CHECK(!pool.try_allocate());
    CHECK(!pool.try_allocate_at({}));
    CHECK_THROWS_AS(pool.allocate(), fixpool::pool_exhausted);
    CHECK_THROWS_AS(pool.allocate_at({}), fixpool::pool_exhausted);
    CHECK(violations.count() == 0);
    write_unseen(second.get(), sizeof *second, 1);
    second.reset();
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == fixpool::violation_kind::buffer_overflow);
    CHECK(violations.last().index == 1);
    CHECK(violations.last().released_at.address != nullptr);
}
