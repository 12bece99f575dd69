// SPDX-License-Identifier: BSL-1.0
// A memory_pool that is moved from: the target has its blocks, and it has none.
#include <fixpool/memory_pool.hpp>

#include <array>
#include <cstddef>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/violations.hpp"

using fixpool::checking;
using fixpool::memory_pool;
using fixpool::release_status;
using fixpool::violation_kind;
using unchecked_pool = fixpool::basic_memory_pool<checking::unchecked>;

namespace {

int arenas = 0;  // arenas that were fetched and not released

void* fetch(std::size_t size, std::size_t alignment, void*) {
    ++arenas;
    return ::operator new (size, std::align_val_t{alignment});
}
void release(void* bytes, std::size_t, std::size_t alignment, void*) noexcept {
    --arenas;
    ::operator delete (bytes, std::align_val_t{alignment});
}
fixpool::arena counted_arena() { return fixpool::arena::from(&fetch, &release); }

/// Whether a pool behaves as one without blocks.
bool has_no_blocks(auto& pool) {
    const fixpool::pool_stats stats = pool.stats();
    bool is_empty = pool.total_blocks() == 0 && pool.available() == 0 && pool.in_use() == 0 && pool.peak_in_use() == 0;
    is_empty &= stats.arena_bytes == 0 && stats.metadata_bytes == 0 && pool.blocks().empty();
    is_empty &= pool.try_allocate() == nullptr && pool.try_allocate_bulk({});
    std::array<void*, 1> one{};
    is_empty &= !pool.try_allocate_bulk(one);
    is_empty &= !pool.contains(nullptr) && !pool.contains(&pool) && pool.index_of(&pool) == pool.npos;
    pool.deallocate(nullptr);
    pool.reset();
    return is_empty;
}

}  // namespace

TEMPLATE_TEST_CASE("a pool moves with its blocks, and leaves a pool of none", "[moves]", unchecked_pool, memory_pool) {
    {
        TestType first({24, 4}, counted_arena(), {.name = "vertices"});
        void* const held = first.allocate();
        void* const freed = first.allocate();
        first.deallocate(freed);
        TestType second(std::move(first));
        CHECK(has_no_blocks(first));  // NOLINT(bugprone-use-after-move): that is the test
        CHECK_THROWS_AS(first.allocate(), fixpool::pool_exhausted);
        CHECK(second.in_use() == 1);
        CHECK(second.peak_in_use() == 2);
        CHECK(second.total_blocks() == 4);
        CHECK(std::string(second.name()) == "vertices");
        CHECK(second.allocate() == freed);
        second.deallocate(freed);
        second.deallocate(held);

        TestType third({64, 2}, counted_arena());
        CHECK(arenas == 2);
        third = std::move(second);
        CHECK(arenas == 1);
        CHECK(has_no_blocks(second));
        CHECK(third.allocate() == held);
        third.deallocate(held);
        TestType fourth(std::move(second));  // of no blocks, too
        CHECK(has_no_blocks(fourth));
        second = std::move(third);  // and takes blocks again
        CHECK(second.total_blocks() == 4);
        CHECK(second.allocate() == held);
        second.deallocate(held);
        auto& same = second;
        second = std::move(same);
        CHECK(second.total_blocks() == 4);
    }
    CHECK(arenas == 0);
}

TEST_CASE("a moved-from pool finds every pointer foreign", "[moves]") {
    recorded_violations violations;
    memory_pool first({64, 4}, {.name = "first"});
    void* const block = first.allocate();
    memory_pool second(std::move(first));
    first.deallocate(block);  // NOLINT(bugprone-use-after-move)
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::foreign_pointer);
    CHECK(violations.last().pool == &first);
    CHECK(violations.last().total_blocks == 0);
    CHECK(first.try_deallocate(block) == release_status::foreign_pointer);
    CHECK_FALSE(first.owns(block));
    first.sort_free_blocks();
    first.for_each_allocated([&](void*) { FAIL("there is no block"); });
    second.deallocate(block);
    CHECK(violations.count() == 0);
}

TEST_CASE("a pool that is moved onto one with live blocks reports their leak, and its memory goes back", "[moves]") {
    recorded_violations violations;
    {
        memory_pool target({64, 4}, counted_arena(), {.name = "target"});
        void* const lost = target.allocate();
        memory_pool source({32, 8}, counted_arena(), {.name = "source"});
        void* const kept = source.allocate();
        target = std::move(source);
        REQUIRE(violations.count() == 1);
        CHECK(violations.last().kind == violation_kind::leak);
        CHECK(violations.last().pool == &target);
        CHECK(violations.last().address == lost);
        CHECK(violations.last().live_blocks == 1);
        CHECK(violations.last().total_blocks == 4);
        CHECK(std::string(target.name()) == "source");
        target.deallocate(kept);
    }
    CHECK(violations.count() == 0);
    CHECK(arenas == 0);
}

TEST_CASE("a pool that is moved onto itself keeps its blocks, and reports nothing", "[moves]") {
    recorded_violations violations;
    memory_pool pool({64, 4}, counted_arena());
    void* const block = pool.allocate();
    auto& same = pool;
    pool = std::move(same);
    CHECK(violations.count() == 0);
    CHECK(arenas == 1);
    CHECK(pool.owns(block));
    pool.deallocate(block);
}

TEST_CASE("pools live in a vector, and on lent memory", "[moves]") {
    recorded_violations violations;
    constexpr fixpool::pool_layout layout{.block_size = 24, .block_count = 10};
    alignas(8) std::array<std::byte, memory_pool::required_bytes(layout)> buffer;
    {
        std::vector<memory_pool> pools;
        pools.emplace_back(layout, fixpool::arena::borrow(buffer));
        void* const first = pools[0].allocate();
        for (int i = 0; i < 10; ++i) pools.emplace_back(layout);
        CHECK(first == buffer.data());
        pools.erase(pools.begin() + 1, pools.begin() + 5);
        std::swap(pools[0], pools[3]);
        pools[3].deallocate(first);
        CHECK(pools[3].available() == 10);
    }
    buffer.fill(std::byte{1});  // the caller may use all of it again
    CHECK(violations.count() == 0);
}

TEST_CASE("a large pool that was moved restores order as before", "[moves]") {
    const std::size_t count = 8192;
    std::optional<memory_pool> first(std::in_place, fixpool::pool_layout{64, count});
    std::vector<void*> blocks(count);
    REQUIRE(first->try_allocate_bulk(blocks));
    memory_pool second(std::move(*first));
    first.reset();
    for (std::size_t i = 0; i < count; ++i) second.deallocate(blocks[i * 5 % count]);
    std::vector<void*> again(count);
    REQUIRE(second.try_allocate_bulk(again));
    CHECK((again == blocks));
    second.reset();
}
