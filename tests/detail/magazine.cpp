// SPDX-License-Identifier: BSL-1.0
#include <fixpool/detail/magazine.hpp>

#include <cstddef>
#include <cstdint>

#include "../support/catch.hpp"

using fixpool::checking;

TEST_CASE("plans of magazines", "[magazine]") {
    using fixpool::detail::magazine_plan;
    for (const std::size_t blocks : {std::size_t{0}, std::size_t{1}, std::size_t{19}})
        CHECK(magazine_plan::of(blocks, 60).slots == 0);
    CHECK(magazine_plan::of(1'000'000, 0).slots == 0);
    for (const std::size_t blocks : {20u, 39u, 100u, 1000u, 5000u, 100'000u, 4'000'000u}) {
        for (const std::size_t most : {1u, 2u, 60u, 1000u, 1'000'000u}) {
            INFO(blocks << " blocks, at most " << most);
            const magazine_plan plan = magazine_plan::of(blocks, most);
            CHECK(plan.size >= 1);
            CHECK(plan.size <= most);
            CHECK(plan.slots >= 1);
            CHECK(plan.slots <= 16);
            CHECK((plan.slots & (plan.slots - 1)) == 0);
            CHECK(std::size_t{2} * plan.size * plan.slots <= blocks);
        }
    }
    CHECK(magazine_plan::of(1'000'000, 60).size == 60);
    CHECK(magazine_plan::of(1'000'000, 60).slots == 16);
}

TEST_CASE("who finds a slot taken moves on to the next one", "[magazine]") {
    using fixpool::detail::threads;
    fixpool::detail::slots<checking::checked, threads> slots({.size = 1, .slots = 1});
    const auto is_mine = [](auto&) { return true; };
    const unsigned number = threads::number();
    slots.at(0).lock.lock();
    CHECK_FALSE(slots.at(0).lock.try_lock());
    CHECK_FALSE(slots.in_own<false>(is_mine));
    CHECK(threads::number() == number + 1);
    slots.at(0).lock.unlock();
    CHECK(slots.in_own<false>(is_mine));
    for (const unsigned turn : {0u, 40u, 100u}) threads::pause(turn);
}

TEST_CASE("a slot is looked at when there is one, and for most when one is open", "[magazine]") {
    using slots = fixpool::detail::slots<checking::checked, fixpool::detail::threads>;
    unsigned looks = 0;
    const auto look = [&](auto&) { return ++looks != 0; };
    slots two({.size = 1, .slots = 2});
    CHECK((reinterpret_cast<std::uintptr_t>(&two.at(1)) - reinterpret_cast<std::uintptr_t>(&two.at(0))) % slots::line ==
          0);
    CHECK_FALSE(two.in_own<true>(look));
    two.set_open(true);
    CHECK(two.in_own<true>(look));
    two.set_open(false);
    CHECK_FALSE(two.in_own<true>(look));
    CHECK(looks == 1);
    CHECK(two.in_own<false>(look));
    CHECK_FALSE(slots({}).in_own<false>(look));
    CHECK(looks == 2);
}
