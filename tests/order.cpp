// SPDX-License-Identifier: BSL-1.0
// The order in which blocks are handed out. A large pool restores the order of addresses when it is empty, or when
// asked. Also: which blocks are visited while blocks come and go.
#include <fixpool/shared_memory_pool.hpp>
#include <fixpool/shared_pool.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <map>
#include <numeric>
#include <random>
#include <tuple>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/violations.hpp"

using fixpool::checking;
using fixpool::memory_pool;
using fixpool::release_status;
using fixpool::typed_pool;
using fixpool::violation_kind;
using unchecked_pool = fixpool::basic_memory_pool<checking::unchecked>;

namespace {

// Order is restored from so many bytes, and so many blocks, on.
constexpr std::size_t limit = std::size_t{256} << 10, few = 64;

std::vector<void*> taken_from(auto& pool, std::size_t count) {
    std::vector<void*> blocks(count);
    for (void*& block : blocks) block = pool.allocate();
    return blocks;
}

void release_in_disorder(auto& pool, std::vector<void*> blocks) {
    std::shuffle(blocks.begin(), blocks.end(), std::mt19937(1));
    pool.deallocate_bulk(blocks);
}

}  // namespace

TEMPLATE_TEST_CASE("a large pool that is empty hands out its blocks in order of addresses again", "[order]",
                   unchecked_pool, memory_pool) {
    for (const std::size_t size : {8U, 24U, 64U, 4096U, 300000U}) {
        const std::size_t count = std::max(few, (limit + size - 1) / size);
        TestType pool({size, count + 2});
        for (int round = 0; round < 3; ++round) {
            const std::vector<void*> blocks = taken_from(pool, count);
            INFO(size << " bytes, round " << round);
            CHECK(std::is_sorted(blocks.begin(), blocks.end()));
            CHECK(blocks.front() == pool.blocks().data());
            CHECK(pool.in_use() == count);
            release_in_disorder(pool, blocks);
            CHECK(pool.in_use() == 0);
            CHECK(pool.available() == count + 2);
            CHECK(pool.peak_in_use() == count);
        }
        CHECK(taken_from(pool, count + 2).back() == pool.block_at(count + 1));  // and all of them
        CHECK(pool.try_allocate() == nullptr);
        CHECK(pool.peak_in_use() == count + 2);
        pool.reset();
    }
}

TEMPLATE_TEST_CASE_SIG("a large typed or shared pool that is empty makes its objects in order of addresses again",
                       "[order]", ((checking C), C), checking::unchecked, checking::checked) {
    struct node {
        unsigned char bytes[64] = {};
    };
    static constexpr std::size_t count = limit / sizeof(node);
    const auto is_in_order = [](auto& pool) {
        std::vector<decltype(pool.allocate())> nodes(count);
        bool is_sorted = true;
        for (auto& made : nodes) {
            made = pool.allocate();
            is_sorted &= &made == nodes.data() || std::less<>()((&made)[-1].get(), made.get());
        }
        std::shuffle(nodes.begin(), nodes.end(), std::mt19937(1));
        return is_sorted;
    };
    typed_pool<node, C> typed(count);
    fixpool::shared_pool<node, C> shared(count);
    for (int round = 0; round < 3; ++round) {
        INFO("round " << round);
        CHECK(is_in_order(typed));
        CHECK(is_in_order(shared));
    }
}

TEMPLATE_TEST_CASE_SIG("a shared pool that was never full restores order as well", "[order]", ((checking C), C),
                       checking::unchecked, checking::checked) {
    static constexpr std::size_t size = 64;
    for (const unsigned magazine_size : {0u, 1u, 60u, 1000u}) {
        for (const std::size_t count : {limit / size, limit / size + 7, 2 * limit / size + 29}) {
            const fixpool::basic_shared_memory_pool<C> pool({size, 5 * limit / size}, {.magazine_size = magazine_size});
            std::vector<void*> blocks(count);
            for (int round = 0; round < 3; ++round) {
                for (void*& block : blocks) block = pool.allocate();
                INFO("magazines of " << magazine_size << ", " << count << " blocks, round " << round);
                CHECK(std::is_sorted(blocks.begin(), blocks.end(), std::less<>()));
                std::shuffle(blocks.begin(), blocks.end(), std::mt19937(1));
                for (void* const block : blocks) pool.deallocate(block);
                CHECK(pool.available() == pool.total_blocks());
            }
        }
    }
}

TEMPLATE_TEST_CASE("a small pool that is empty hands out first what was released last", "[order]", unchecked_pool,
                   memory_pool) {
    for (const auto& [size, total, count] : {std::tuple(std::size_t{64}, limit / 64, limit / 64 - 1),
                                             std::tuple(limit, few, few - 1), std::tuple(limit, few - 2, few - 2)}) {
        TestType pool({size, total});
        std::vector<void*> blocks = taken_from(pool, count);          // a block below the limit
        std::shuffle(blocks.begin(), blocks.end(), std::mt19937(1));  // blocks in order would stay in order anyway
        for (int round = 0; round < 3; ++round) {
            pool.deallocate_bulk(blocks);
            std::vector<void*> again = taken_from(pool, blocks.size());
            std::reverse(again.begin(), again.end());
            CHECK((again == blocks));
        }
        pool.reset();
    }
}

TEMPLATE_TEST_CASE("a pool that grows beyond the limit restores order only when every block is back", "[order]",
                   unchecked_pool, memory_pool) {
    TestType pool({64, 2 * limit / 64});
    for (const std::size_t count : {limit / 128, limit / 64, 2 * limit / 64}) {
        std::vector<void*> blocks = taken_from(pool, count);
        void* const held = blocks.back();
        blocks.pop_back();
        pool.deallocate_bulk(blocks);
        CHECK(pool.allocate() == blocks.back());  // one is held: the last one back is the first one out
        pool.deallocate(blocks.back());
        pool.deallocate(held);
    }
    release_in_disorder(pool, taken_from(pool, pool.total_blocks()));
    for (int round = 0; round < 3; ++round) {  // with fewer than before, too
        const std::vector<void*> blocks = taken_from(pool, limit / 64);
        CHECK(blocks.front() == pool.blocks().data());
        CHECK(std::is_sorted(blocks.begin(), blocks.end()));
        release_in_disorder(pool, blocks);
    }
    CHECK(pool.peak_in_use() == pool.total_blocks());
    pool.reset();
    CHECK(pool.peak_in_use() == 0);
}

TEMPLATE_TEST_CASE("a large pool that is in order, up or down, stays as it is, and is watched on", "[order]",
                   unchecked_pool, memory_pool) {
    const std::size_t count = 2 * limit / 64;
    TestType pool({64, count});
    const std::vector<void*> up = taken_from(pool, count);
    const std::vector<void*> down(up.rbegin(), up.rend());
    for (int round = 0; round < 3; ++round) {
        pool.deallocate_bulk(up);  // the last one back is the last one of all
        CHECK((taken_from(pool, count) == down));
        pool.deallocate_bulk(down);
        CHECK((taken_from(pool, count) == up));
        release_in_disorder(pool, up);
        CHECK((taken_from(pool, count) == up));
    }
    pool.deallocate_bulk(up);
    CHECK(pool.peak_in_use() == count);
}

TEMPLATE_TEST_CASE("a pool in order restores it when more than a few blocks were out at a time", "[order]",
                   unchecked_pool, memory_pool) {
    using row = std::tuple<std::size_t, std::size_t, std::size_t>;
    for (const auto& [size, count, deep] : {row(64, 4096, 72), row(64, 4097, 72), row(64, 100000, 84),
                                            row(4096, 64, 60), row(4096, 86, 60), row(300000, 100, 60)}) {
        TestType pool({size, count});
        const std::vector<void*> up = taken_from(pool, count);
        const std::vector<void*> down(up.rbegin(), up.rend());
        for (const auto& order : {down, up}) {
            for (const std::size_t out : {deep - 1, deep, deep + 1, count / 2 + 28, count - 1}) {
                INFO(size << " bytes, " << count << " blocks, " << out << " out, up: " << (order == down));
                pool.deallocate_bulk(order);
                const std::vector<void*> swing = taken_from(pool, out);
                release_in_disorder(pool, swing);
                const bool is_kept = taken_from(pool, out) != std::vector<void*>(up.data(), up.data() + out);
                CHECK(is_kept == (out <= deep));
                pool.reset();
                CHECK((taken_from(pool, count) == up));
            }
        }
        pool.reset();
    }
}

TEMPLATE_TEST_CASE("a stack of which only parts are in order is put in order", "[order]", unchecked_pool, memory_pool) {
    const std::size_t count = 5000;
    TestType pool({64, count});
    const std::vector<void*> up = taken_from(pool, count);
    const auto release = [&pool, &up](const std::vector<void*>& blocks) {
        pool.deallocate_bulk(blocks);
        CHECK((taken_from(pool, count) == up));
    };
    std::mt19937 random(3);
    std::vector<void*> blocks(up.rbegin(), up.rend());
    SECTION("the first and the last one, and the rest is shuffled") {
        std::shuffle(blocks.begin() + 1, blocks.end() - 1, random);
        release(blocks);
    }
    SECTION("the first one and the last hundred, and the rest is shuffled") {
        std::shuffle(blocks.begin() + 1, blocks.end() - 100, random);
        release(blocks);
    }
    SECTION("a third in the middle is shuffled") {
        std::shuffle(blocks.begin() + count / 3, blocks.end() - count / 3, random);
        release(blocks);
    }
    SECTION("a quarter is shuffled, near the first one back") {
        std::shuffle(blocks.begin() + 1, blocks.begin() + 1 + count / 4, random);
        release(blocks);
    }
    SECTION("the first tenth back is shuffled") {
        std::shuffle(blocks.begin(), blocks.begin() + 500, random);
        release(blocks);
    }
    SECTION("the last tenth back is shuffled") {
        std::shuffle(blocks.end() - 500, blocks.end(), random);
        release(blocks);
    }
    SECTION("turned round by one") {
        std::rotate(blocks.begin(), blocks.begin() + 1, blocks.end());
        release(blocks);
        std::rotate(blocks.begin(), blocks.end() - 2, blocks.end());
        release(blocks);
    }
    SECTION("near the last one back, neighbours change places") {
        for (const std::size_t fewer : {0U, 1U, 2U, 3U}) {
            pool.reset();
            const std::vector<void*> taken = taken_from(pool, count - fewer);
            blocks.assign(taken.rbegin(), taken.rend());
            for (std::size_t i = 4; i < 80; i += 2)
                std::swap(blocks.end()[-static_cast<std::ptrdiff_t>(i)],
                          blocks.end()[-static_cast<std::ptrdiff_t>(i) - 1]);
            pool.deallocate_bulk(blocks);
            CHECK((taken_from(pool, count - fewer) == taken));
        }
    }
    SECTION("neighbours change places") {
        for (std::size_t i = 0; i < count; i += 2) std::swap(blocks[i], blocks[i + 1]);
        release(blocks);
    }
    SECTION("sixteen runs in disorder") {
        std::vector<std::size_t> runs(16);
        std::iota(runs.begin(), runs.end(), std::size_t{0});
        std::shuffle(runs.begin(), runs.end(), random);
        blocks.clear();
        for (const std::size_t run : runs)
            for (std::size_t i = run * count / 16; i < (run + 1) * count / 16; ++i) blocks.push_back(up[i]);
        release(blocks);
    }
    pool.reset();
}

TEST_CASE("what was handed out before a pool was empty is a double free, also when it is carved anew", "[order]") {
    recorded_violations violations;
    const std::size_t count = limit / 64;
    memory_pool pool({64, count + 1});
    const std::vector<void*> blocks = taken_from(pool, count);
    release_in_disorder(pool, blocks);
    for (const std::size_t live : {std::size_t{0}, std::size_t{1}, count - 1}) {
        const std::vector<void*> anew = taken_from(pool, live);
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < count; ++i) {
            CHECK(pool.owns(blocks[i]) == (i < live));
            if (i >= live && pool.try_deallocate(blocks[i]) != release_status::double_free) ++wrong;
        }
        CHECK(wrong == 0);
        CHECK(pool.try_deallocate(pool.block_at(count)) == release_status::not_allocated);
        pool.deallocate(blocks[count - 1]);
        REQUIRE(violations.count() == 1);
        CHECK(violations.last().kind == violation_kind::double_free);
        CHECK(violations.last().index == count - 1);
        pool.deallocate_bulk(anew);
    }
    pool.reset();
    CHECK(pool.try_deallocate(blocks[0]) == release_status::not_allocated);
    CHECK(violations.count() == 0);
}

TEST_CASE("sort_free_blocks hands out the lowest free block first, and leaves live ones alone", "[order]") {
    for (const std::size_t held_each : {std::size_t{2}, std::size_t{3}, std::size_t{1000}}) {
        memory_pool pool({64, 1000});
        const std::vector<void*> blocks = taken_from(pool, 900);
        std::vector<void*> freed;
        for (std::size_t i = 0; i < blocks.size(); ++i)
            if (i % held_each != 0) freed.push_back(blocks[i]);
        release_in_disorder(pool, freed);
        const std::size_t peak = pool.peak_in_use();
        pool.sort_free_blocks();
        CHECK(pool.in_use() == 900 - freed.size());
        CHECK(pool.peak_in_use() == peak);
        std::size_t visited = 0;
        pool.for_each_allocated([&visited](void*) { ++visited; });
        CHECK(visited == pool.in_use());
        CHECK(pool.try_deallocate(freed[0]) == release_status::double_free);
        CHECK((taken_from(pool, freed.size()) == freed));
        CHECK(pool.allocate() == pool.block_at(900));
        pool.sort_free_blocks();  // with none free
        CHECK(pool.in_use() == 901);
        pool.deallocate(pool.block_at(900));
        for (std::size_t i = 0; i < 900; ++i) pool.deallocate(pool.block_at(i));
        pool.sort_free_blocks();  // with all free
        CHECK(pool.peak_in_use() == peak + 1);
        CHECK(pool.try_deallocate(blocks[5]) == release_status::double_free);
        CHECK(pool.allocate() == blocks[0]);
        pool.reset();
        pool.sort_free_blocks();  // with none handed out
        CHECK(pool.allocate() == blocks[0]);
        pool.reset();
    }
}

namespace {

/// Sorts its pool while it is constructed and destroyed. Then takes a block, which must not be its own.
struct sorter {
    explicit sorter(typed_pool<sorter>& p) : pool(&p) { pool->sort_free_blocks(); }
    ~sorter() {
        pool->sort_free_blocks();
        fixpool::block<sorter> other;
        if (nested-- > 0) other = pool->allocate(*pool);
        was_apart &= other.get() != this;
    }
    typed_pool<sorter>* pool;
    inline static int nested = 1;
    inline static bool was_apart = true;
};

}  // namespace

TEST_CASE("sort_free_blocks does not hand out what is being constructed or destroyed", "[order]") {
    recorded_violations violations;
    typed_pool<sorter> pool(4);
    {
        auto first = pool.allocate(pool);
        auto second = pool.allocate(pool);
        first.reset();
        CHECK(sorter::was_apart);
        CHECK(pool.in_use() == 1);
        sorter::nested = 1;
        second.reset();  // its block lies between free blocks
        CHECK(sorter::was_apart);
    }
    CHECK(pool.in_use() == 0);
    CHECK(violations.count() == 0);
}

TEST_CASE("a visit may release the object it is given, the one before, the one after, and allocate", "[order]") {
    for (const std::size_t total : {std::size_t{10}, std::size_t{8192}}) {  // the larger one is carved anew on the way
        for (int deed = 0; deed < 16; ++deed) {
            typed_pool<std::size_t> pool(total + 10);
            std::map<std::size_t, fixpool::block<std::size_t>> live;
            std::vector<fixpool::block<std::size_t>> made;
            std::map<std::size_t, int> visits;
            for (std::size_t i = 0; i < total; ++i) live[i] = pool.allocate(i);
            std::size_t dead_visited = 0;
            pool.for_each([&](std::size_t& number) {
                const std::size_t me = number;
                if (me >= total) return;  // allocated meanwhile
                if (live.count(me) == 0) ++dead_visited;
                ++visits[me];
                if ((deed & 1) != 0) live.erase(me - 1);
                if ((deed & 2) != 0) live.erase(me + 1);
                if ((deed & 4) != 0) live.erase(me);
                if ((deed & 8) != 0 && made.size() < 10) made.push_back(pool.allocate(total + me));
            });
            INFO("total " << total << ", deed " << deed);
            CHECK(dead_visited == 0);
            CHECK(std::all_of(visits.begin(), visits.end(), [](const auto& v) { return v.second == 1; }));
            CHECK(visits.size() == ((deed & 2) != 0 ? total / 2 : total));
            CHECK(pool.in_use() == live.size() + made.size());
        }
    }
}

TEST_CASE("a visit of raw blocks may release all of them and allocate others", "[order]") {
    const std::size_t count = limit / 64;
    memory_pool pool({64, count + 1});
    const std::vector<void*> blocks = taken_from(pool, count);
    std::size_t visits = 0;
    pool.for_each_allocated([&](void*) {
        if (visits++ == 0) pool.deallocate_bulk(blocks);  // all of them, and the pool is carved anew
        if (visits < 5) (void)pool.allocate();
    });
    CHECK(visits <= 5);
    CHECK(pool.in_use() <= 5);
    pool.reset();
}

TEMPLATE_TEST_CASE("what comes back in pairs or in halves is not taken for order", "[order]", unchecked_pool,
                   memory_pool) {
    const std::size_t count = limit / 64 + 16;
    TestType pool({64, count});
    const std::vector<void*> blocks = taken_from(pool, count);
    std::vector<std::size_t> pairs(count / 2);
    std::iota(pairs.begin(), pairs.end(), std::size_t{0});
    std::shuffle(pairs.begin(), pairs.end(), std::mt19937(2));
    for (const std::size_t pair : pairs) {
        pool.deallocate(blocks[2 * pair]);
        pool.deallocate(blocks[2 * pair + 1]);
    }
    CHECK((taken_from(pool, count) == blocks));
    for (std::size_t i = count / 2; i < count; ++i) pool.deallocate(blocks[i]);
    for (std::size_t i = count / 2; i-- > 0;) pool.deallocate(blocks[i]);  // up, and then down
    CHECK((taken_from(pool, count) == blocks));
    pool.reset();
}
