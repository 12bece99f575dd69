// SPDX-License-Identifier: BSL-1.0
// Shared pools on real threads, with magazines of any size and without magazines. Both must behave alike.
#include <fixpool/shared_memory_pool.hpp>
#include <fixpool/shared_pool.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/heap.hpp"
#include "support/threads.hpp"
#include "support/violations.hpp"

using fixpool::basic_shared_memory_pool;
using fixpool::checking;
using fixpool::shared_block;
using fixpool::shared_pool;

namespace {

constexpr auto magazine_sizes = {0u, 1u, 5u, 60u, 100'000u};

/// Whether exactly `count` different blocks can be taken from `pool`. All go back.
bool has_exactly(const auto& pool, std::size_t count) {
    const std::size_t available = pool.available();
    std::set<void*> blocks;
    std::size_t taken = 0;
    for (void* block = pool.try_allocate(); block != nullptr; block = pool.try_allocate(), ++taken)
        blocks.insert(block);
    for (void* const block : blocks) pool.deallocate(block);
    return available == count && taken == count && blocks.size() == count && pool.available() == count;
}

}  // namespace

TEMPLATE_TEST_CASE_SIG("threads that take no more than their share are never refused", "[magazines][threads]",
                       ((checking C), C), checking::unchecked, checking::checked) {
    for (const unsigned magazine_size : magazine_sizes) {
        for (const std::size_t count : {4u, 8u, 100u, 4096u}) {
            const shared_pool<std::uint64_t, C> pool(count, {.magazine_size = magazine_size});
            std::array<std::size_t, 4> refused{};
            on_threads(4, [&](std::size_t me) {
                std::vector<shared_block<std::uint64_t, C>> held;
                const auto take_share = [&] {
                    while (held.size() < count / 4) {
                        held.push_back(pool.try_allocate(me));
                        if (held.back() == nullptr) ++refused[me];
                    }
                };
                for (std::size_t turn = 0; turn < turns(20000) / count + 2; ++turn) {
                    take_share();
                    std::this_thread::yield();  // so that other threads hold theirs at the same time
                    held.resize(turn % 3 == 0 ? 0 : turn % (count / 4));
                    take_share();
                    held.clear();
                }
            });
            INFO(count << " blocks, magazines of " << magazine_size);
            CHECK(refused == std::array<std::size_t, 4>{});
            CHECK(pool.stats().refused == 0);
            CHECK(pool.available() == count);
        }
    }
}

TEMPLATE_TEST_CASE_SIG("a shared pool counts exactly after each join, and has what it counts", "[magazines][threads]",
                       ((checking C), C), checking::unchecked, checking::checked) {
    for (const unsigned magazine_size : magazine_sizes) {
        const basic_shared_memory_pool<C> pool({16, 400}, {.magazine_size = magazine_size});
        std::array<std::vector<void*>, 4> held;
        std::array<std::size_t, 4> refused{};
        std::size_t most = 0, refused_here = 0, wrong = 0;
        for (std::size_t round = 0; round < turns(30); ++round) {
            on_threads(4, [&](std::size_t me) {
                std::mt19937 random(static_cast<unsigned>(4 * round + me));
                for (std::size_t i = random() % 150; i-- > 0;) {
                    if (void* const block = pool.try_allocate()) held[me].push_back(block);
                    else ++refused[me];
                }
                for (std::size_t i = random() % 150; i-- > 0 && !held[me].empty(); held[me].pop_back())
                    pool.deallocate(held[me].back());
            });
            std::size_t out = 0;
            for (const auto& each : held) out += each.size();
            most = std::max(most, out);
            const fixpool::pool_stats counts = pool.stats();
            if (counts.in_use != out || counts.peak_in_use < most || counts.peak_in_use > 400) ++wrong;
            if (counts.refused != refused_here + std::accumulate(refused.begin(), refused.end(), std::size_t{0}))
                ++wrong;
            if constexpr (C == checking::checked)
                for (const auto& each : held)
                    for (void* const block : each) wrong += pool.owns(block) ? 0 : 1;
            if (round % 10 != 0) continue;
            if (!has_exactly(pool, 400 - out)) ++wrong;
            ++refused_here;
            most = 400;
        }
        INFO("magazines of " << magazine_size);
        CHECK(wrong == 0);
        for (const auto& each : held)
            for (void* const block : each) pool.deallocate(block);
        CHECK(has_exactly(pool, 400));
    }
}

TEST_CASE("the last copies and the last blocks of a pool with magazines die on many threads at once",
          "[magazines][threads]") {
    const heap::usage before = heap::in_use();
    const std::size_t rounds = turns(100);
    for (std::size_t round = 0; round < rounds; ++round) {
        std::array<std::optional<shared_pool<int>>, 4> copies;
        std::array<std::vector<shared_block<int>>, 4> blocks;
        copies[0].emplace(400u, fixpool::pool_options{.magazine_size = static_cast<unsigned>(round % 8)});
        for (std::size_t i = 1; i < 4; ++i) copies[i] = copies[0];
        on_threads(4, [&](std::size_t me) {
            for (int i = 0; i < 60; ++i) blocks[me].push_back(copies[me]->allocate(1));
        });
        on_threads(4, [&](std::size_t me) {
            blocks[me].resize(me * round % 60);
            copies[me].reset();
            blocks[me].clear();
        });
    }
    CHECK(heap::in_use() == before);
}

TEST_CASE("the last copies of a shared_memory_pool die on many threads at once, and tell one leak",
          "[magazines][threads]") {
    recorded_violations violations;
    const std::size_t rounds = turns(100);
    std::size_t wrong = 0;
    for (std::size_t round = 0; round < rounds; ++round) {
        std::array<std::optional<fixpool::shared_memory_pool>, 4> copies;
        copies[0].emplace(fixpool::pool_layout{64, 100});
        for (std::size_t i = 1; i < 4; ++i) copies[i] = copies[0];
        on_threads(4, [&](std::size_t me) {
            for (int i = 0; i < 10; ++i) copies[me]->deallocate(copies[me]->allocate());
            if (round % 2 == 0) (void)copies[me]->allocate();
            copies[me].reset();
        });
        if (violations.count() != (round % 2 == 0 ? 1 : 0)) ++wrong;
        if (round % 2 == 0 && violations.last().live_blocks != 4) ++wrong;
    }
    CHECK(wrong == 0);
}

TEST_CASE("what a thread releases whose magazine was closed with blocks in it goes back to the pool", "[magazines]") {
    const played_threads playing;
    const fixpool::shared_memory_pool pool({64, 100});  // magazines of up to 10
    playing.as(1);
    std::vector<void*> blocks{pool.allocate()};
    playing.as(2);
    pool.deallocate(pool.allocate());
    CHECK(pool.try_deallocate(&blocks) == fixpool::release_status::foreign_pointer);  // closes both magazines
    while (blocks.size() < 50) blocks.push_back(pool.allocate());                     // opens the second one
    playing.as(1);
    for (void* const block : blocks) pool.deallocate(block);
    CHECK(pool.in_use() == 0);
    CHECK(has_exactly(pool, 100));
}

TEST_CASE("a shared pool allocates no memory after its construction", "[magazines]") {
    const shared_pool<int> pool(1000);
    const fixpool::shared_memory_pool raw({64, 1000});
    std::vector<shared_block<int>> handles(1000);
    std::vector<void*> blocks(1000);
    bool is_exact = true;
    const std::size_t before = heap::allocations();
    for (int round = 0; round < 3; ++round) {
        for (auto& handle : handles) handle = pool.allocate(1);
        for (void*& block : blocks) block = raw.allocate();
        const bool is_refused = !pool.try_allocate(1) && raw.try_allocate() == nullptr;
        for (auto& handle : handles) handle.reset();
        for (void* const block : blocks) raw.deallocate(block);
        is_exact = is_exact && is_refused && raw.try_deallocate(blocks[0]) == fixpool::release_status::double_free;
        (void)pool.stats();
    }
    const std::size_t after = heap::allocations();  // a check may allocate
    CHECK(is_exact);
    CHECK(after == before);
}

TEMPLATE_TEST_CASE_SIG("a pool that restored order counts no block of its peak twice", "[magazines]", ((checking C), C),
                       checking::unchecked, checking::checked) {
    const played_threads playing;
    const unsigned threads = GENERATE(1u, 2u);
    const basic_shared_memory_pool<C> pool({4096, 200}, {.magazine_size = 3});
    for (const std::size_t most : {101u, 103u, 105u}) {
        std::vector<void*> blocks(most);
        for (unsigned i = 0; i < blocks.size(); ++i) {
            playing.as(1 + i % 5 % 2 * (threads - 1));
            blocks[i] = pool.allocate();
        }
        CHECK(pool.index_of(blocks[0]) == 0);
        CHECK(pool.peak_in_use() >= most);
        CHECK(pool.peak_in_use() <= most + 10 * (threads - 1));  // plus what was left of runs
        std::swap(blocks[7], blocks[70]);                        // not in order
        for (void* const block : blocks) pool.deallocate(block);
    }
}

TEST_CASE("a leak is told of a block that is out, not of one that no thread ever took", "[magazines]") {
    const played_threads playing;
    recorded_violations told;
    std::size_t out = 0;
    {
        const fixpool::shared_memory_pool pool({64, 1000}, {.magazine_size = 10});
        playing.as(1);
        void* const first = pool.allocate();  // from a run of ten
        playing.as(2);
        out = pool.index_of(pool.allocate());
        playing.as(1);
        pool.deallocate(first);
    }
    REQUIRE(told.count() == 1);
    CHECK(told.last().index == out);
    CHECK(told.last().live_blocks == 1);
}
