// SPDX-License-Identifier: BSL-1.0
#include <fixpool/debug.hpp>

#include <fixpool/census.hpp>
#include <fixpool/shared_memory_pool.hpp>
#include <fixpool/shared_pool.hpp>
#include <fixpool/typed_pool.hpp>

#include <array>
#include <cstring>
#include <deque>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/counted.hpp"
#include "support/debug_handles.hpp"
#include "support/unseen.hpp"
#include "support/violations.hpp"

using fixpool::checking;
using fixpool::site;
using fixpool::violation;
using fixpool::violation_kind;
using debug_pool = fixpool::basic_memory_pool<checking::debug>;
using shared_debug_pool = fixpool::basic_shared_memory_pool<checking::debug>;
template <class T> using typed_debug_pool = fixpool::typed_pool<T, checking::debug>;
template <class T> using shared_objects = fixpool::shared_pool<T, checking::debug>;

namespace {

std::string text_of(const violation& v) { return fixpool::detail::describe_debug(v).c_str(); }

/// Raw blocks at debug level, for one thread or for many.
using raw_pools = std::tuple<debug_pool, shared_debug_pool>;

constexpr site first_place{"first.cpp", 1, "f"}, second_place{"second.cpp", 2, "g"}, third_place{"third.cpp", 3, "h"};

bool is(const site& a, const site& b) { return a.file == b.file && a.line == b.line && a.address == b.address; }

}  // namespace

TEMPLATE_LIST_TEST_CASE("debug: a raw block's sites are the caller's unless they are given", "[debug]", raw_pools) {
    recorded_violations violations;
    TestType pool({64, 2});
    const unsigned line = __LINE__ + 1;
    void* const block = pool.allocate();
    pool.deallocate(block);
    pool.deallocate(block);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::double_free);
    CHECK(std::string(violations.last().allocated_at.file) == __FILE__);
    CHECK(violations.last().allocated_at.line == line);
    CHECK(violations.last().released_at.line == line + 1);

    void* const other = pool.try_allocate(first_place);
    CHECK(pool.try_deallocate(other, second_place) == fixpool::release_status::released);
    CHECK(pool.try_deallocate(other, third_place) == fixpool::release_status::double_free);
    CHECK(violations.count() == 0);
    pool.deallocate(other, third_place);
    REQUIRE(violations.count() == 1);
    CHECK(is(violations.last().allocated_at, first_place));
    CHECK(is(violations.last().released_at, second_place));

    void* const taken = pool.allocate();
    pool.deallocate(taken);
    CHECK(pool.try_deallocate(nullptr) == fixpool::release_status::null_pointer);
}

TEST_CASE("debug: bulk forms keep the site of their call", "[debug]") {
    recorded_violations violations;
    debug_pool pool({64, 4});
    std::array<void*, 3> blocks{};
    REQUIRE(pool.try_allocate_bulk(blocks, first_place));
    std::array<void*, 2> too_many{};
    CHECK(!pool.try_allocate_bulk(too_many));
    pool.deallocate_bulk(blocks, second_place);
    pool.deallocate(blocks[2]);
    REQUIRE(violations.count() == 1);
    CHECK(is(violations.last().allocated_at, first_place));
    CHECK(is(violations.last().released_at, second_place));

    REQUIRE(pool.try_allocate_bulk(too_many));
    pool.deallocate_bulk(too_many);
    const unsigned line = __LINE__ - 2;
    pool.deallocate_bulk(too_many);
    CHECK(violations.count() == 2);
    CHECK(violations.last().allocated_at.line == line);
}

TEMPLATE_LIST_TEST_CASE("debug: operations and threads are numbered", "[debug]", raw_pools) {
    recorded_violations violations;
    TestType pool({64, 3});
    void* const first = pool.allocate();
    void* const second = pool.allocate();
    pool.deallocate(first);
    std::thread([&] { pool.deallocate(second); }).join();  // not while this thread uses the pool
    pool.deallocate(second);
    REQUIRE(violations.count() == 1);
    const violation& v = violations.last();
    CHECK(v.allocation == 2);
    CHECK(v.release == 4);
    CHECK(v.allocated_by != 0);
    CHECK(v.released_by != 0);
    CHECK(v.allocated_by != v.released_by);
}

TEMPLATE_LIST_TEST_CASE("debug: a write after free is found when the block is handed out, and mended", "[debug]",
                        raw_pools) {
    recorded_violations violations;
    for (const std::size_t size : {1u, 2u, 24u, 100u}) {
        for (const std::size_t offset : {std::size_t{0}, size / 2, size - 1}) {
            TestType pool({size, 2});
            void* const block = pool.allocate(first_place);
            pool.deallocate(block, second_place);
            write_unseen(block, static_cast<std::ptrdiff_t>(offset), 0x41);
            void* const fresh = pool.allocate();
            CHECK(fresh != block);
            CHECK(violations.count() == 0);
            CHECK(pool.allocate(third_place) == block);
            REQUIRE(violations.count() == 1);
            const violation& v = violations.last();
            CHECK(v.kind == violation_kind::write_after_free);
            CHECK(v.address == block);
            CHECK(v.index == 0);
            CHECK(v.offset == static_cast<std::ptrdiff_t>(offset));
            CHECK(v.byte == 0x41);
            CHECK(is(v.allocated_at, first_place));
            CHECK(is(v.released_at, second_place));
            CHECK(read_unseen(block, static_cast<std::ptrdiff_t>(offset)) == 0xdd);
            pool.deallocate(block);
            pool.deallocate(fresh);
            CHECK(violations.count() == 0);
        }
    }
}

TEMPLATE_LIST_TEST_CASE("debug: an overflow is found when the block is released, and mended", "[debug]", raw_pools) {
    recorded_violations violations;
    for (const fixpool::pool_layout layout : {fixpool::pool_layout{1, 3}, {24, 3}, {64, 3, 64}, {40, 3, 4096}}) {
        TestType pool(layout);
        std::array<void*, 3> blocks{};
        for (void*& block : blocks) block = pool.allocate();
        const auto size = static_cast<std::ptrdiff_t>(layout.block_size);
        const auto gap = static_cast<std::ptrdiff_t>(pool.stride()) - size;
        for (std::size_t i = 0; i < 3; ++i) {
            for (const std::ptrdiff_t offset :
                 {size, size + 7, size + gap / 2 - 1, -gap / 2, -std::ptrdiff_t{8}, -std::ptrdiff_t{1}}) {
                write_unseen(blocks[i], offset, 0x42);
                pool.deallocate(blocks[i], first_place);
                REQUIRE(violations.count() == 1);
                const violation& v = violations.last();
                CHECK(v.kind == violation_kind::buffer_overflow);
                CHECK(v.address == blocks[i]);
                CHECK(v.index == i);
                CHECK(v.offset == offset);
                CHECK(v.byte == 0x42);
                CHECK(v.live_blocks == 3);  // the block is still in use
                CHECK(read_unseen(blocks[i], offset) == 0xfd);
                blocks[i] = pool.allocate();
                CHECK(violations.count() == 0);
            }
        }
        for (void* const block : blocks) CHECK(pool.try_deallocate(block) == fixpool::release_status::released);
        CHECK(violations.count() == 0);
    }
}

TEST_CASE("debug: guard bytes between two blocks are blamed on the one that is nearer", "[debug]") {
    recorded_violations violations;
    debug_pool pool({24, 4});
    std::array<void*, 3> blocks{};
    for (void*& block : blocks) block = pool.allocate();
    write_unseen(blocks[0], 24, 1);
    write_unseen(blocks[0], 25, 2);
    pool.deallocate(blocks[1], second_place);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().address == blocks[0]);
    CHECK(violations.last().offset == 24);
    CHECK(violations.last().byte == 1);

    write_unseen(blocks[2], -1, 1);
    write_unseen(blocks[2], -3, 3);
    CHECK(pool.try_deallocate(blocks[0]) == fixpool::release_status::released);
    CHECK(violations.count() == 0);  // not its neighbour
    pool.deallocate(blocks[2]);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().address == blocks[2]);
    CHECK(violations.last().offset == -3);

    void* const last = pool.allocate();  // the last carved block: no block lies behind it
    write_unseen(last, static_cast<std::ptrdiff_t>(pool.stride()) - 1, 1);
    pool.deallocate(last);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().address == last);
    CHECK(violations.last().offset == static_cast<std::ptrdiff_t>(pool.stride()) - 1);
}

TEMPLATE_LIST_TEST_CASE("debug: blocks are reused as late as possible", "[debug]", raw_pools) {
    TestType pool({16, 4});
    std::array<void*, 4> blocks{};
    blocks[0] = pool.allocate();
    pool.deallocate(blocks[0]);
    for (std::size_t i = 1; i < 4; ++i) {
        blocks[i] = pool.allocate();
        CHECK(pool.index_of(blocks[i]) == i);  // blocks that were never handed out come first
    }
    pool.deallocate(blocks[2]);
    pool.deallocate(blocks[1]);
    pool.deallocate(blocks[3]);
    for (const std::size_t next : {0u, 2u, 1u, 3u}) CHECK(pool.allocate() == blocks[next]);
    CHECK(pool.try_allocate() == nullptr);
    CHECK(pool.stats().refused == 1);
    CHECK(pool.peak_in_use() == 4);
    for (void* const block : blocks) pool.deallocate(block);
    CHECK(pool.in_use() == 0);
}

TEST_CASE("debug: the peak is the most in use at a time, and not the blocks that were ever used", "[debug]") {
    debug_pool pool({16, 8});
    for (int i = 0; i < 8; ++i) pool.deallocate(pool.allocate());
    CHECK(pool.peak_in_use() == 1);
    CHECK(pool.available() == 8);
    pool.sort_free_blocks();
    CHECK(pool.index_of(pool.block_at(3)) == 3);
    void* const held = pool.allocate();
    CHECK(pool.index_of(held) == 0);
    pool.reset();
    CHECK(pool.peak_in_use() == 0);
    CHECK(!pool.owns(held));
    CHECK(pool.allocate() == held);
    pool.deallocate(held);
}

TEST_CASE("debug: reset forgets fills and records, and starts from the first block", "[debug]") {
    recorded_violations violations;
    debug_pool pool({16, 2});
    void* const block = pool.allocate();
    pool.deallocate(block);
    write_unseen(block, 0, 1);
    pool.reset();
    CHECK(pool.allocate() == block);
    CHECK(violations.count() == 0);
    pool.reset();
    pool.deallocate(block);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::not_allocated);
    CHECK(violations.last().allocation == 0);
    CHECK(is(violations.last().allocated_at, site::unknown()));
}

TEST_CASE("debug: a leak is grouped by site, most first", "[debug]") {
    struct seen {
        std::vector<fixpool::holder> holders;
        std::size_t live = 0;
        std::string text;
    } found;
    const auto keep = [](const violation& v) {
        auto& to = *static_cast<seen*>(v.context);
        to.holders.assign(v.holders.begin(), v.holders.end());
        to.live = v.live_blocks;
        to.text = text_of(v);
    };
    const std::string other_copy = "first.cpp";  // the same file name, at another address
    {
        debug_pool pool({16, 20}, {.name = "packets", .on_violation = keep, .context = &found});
        (void)pool.allocate(first_place);
        (void)pool.allocate(second_place);
        pool.deallocate(pool.allocate(third_place));
        (void)pool.allocate(second_place);
        (void)pool.allocate(site::unknown());
        (void)pool.allocate({other_copy.c_str(), 1, "f"});
        (void)pool.allocate(second_place);
        (void)pool.allocate({"first.cpp", 2, "f"});
        (void)pool.allocate({nullptr, 0, nullptr, &found});
        (void)pool.allocate({nullptr, 0, nullptr, &found});
        (void)pool.allocate({nullptr, 0, nullptr, &found.live});
    }
    REQUIRE(found.live == 10);
    REQUIRE(found.holders.size() == 6);
    CHECK(is(found.holders[0].where, second_place));
    CHECK(found.holders[0].blocks == 3);
    CHECK(std::string(found.holders[1].where.file) == "first.cpp");
    CHECK(found.holders[1].where.line == 1);
    CHECK(found.holders[1].blocks == 2);
    CHECK(found.holders[2].where.address == &found);
    CHECK(found.holders[2].blocks == 2);
    CHECK(found.holders[3].where.line == 2);
    CHECK(found.holders[4].where.file == nullptr);
    CHECK(found.holders[5].where.file == nullptr);
    CHECK(found.holders[4].blocks + found.holders[5].blocks == 2);
    CHECK(found.text.substr(0, 46) == "fixpool: leak of 10 blocks, the first 0x" + found.text.substr(40, 6));
    CHECK(found.text.find("allocated at") == std::string::npos);  // the groups tell it
}

TEST_CASE("debug: a leak from one place says it in its line", "[debug]") {
    std::string text;
    {
        debug_pool pool({16, 4},
                        {.name = "packets",
                         .on_violation = [](const violation& v) { *static_cast<std::string*>(v.context) = text_of(v); },
                         .context = &text});
        (void)pool.allocate(first_place);
        (void)pool.allocate(first_place);
    }
    CHECK(text.substr(text.find(" (")) == " (0 of 4) in pool \"packets\"; allocated at first.cpp:1");
}

TEMPLATE_LIST_TEST_CASE("debug: an exhausted pool says who holds its blocks, the first three places", "[debug]",
                        raw_pools) {
    TestType pool({16, 7}, {.name = "packets"});
    std::vector<void*> blocks;
    const auto refusal = [&](const site& where, std::size_t count) {
        while (count-- != 0) blocks.push_back(pool.allocate(where));
        std::vector<void*> rest;
        while (void* const block = pool.try_allocate(site{"rest.cpp", 9, "r"})) rest.push_back(block);
        std::string what;
        try {
            (void)pool.allocate();
        } catch (const fixpool::pool_exhausted& exhausted) {
            what = exhausted.what();
        }
        for (void* const block : rest) pool.deallocate(block);
        return what;
    };
    const std::string all = "fixpool: 7 of 7 blocks in use in pool \"packets\"";
    CHECK(refusal(first_place, 0) == all + ": 7 allocated at rest.cpp:9");
    CHECK(refusal(first_place, 2) == all + ": 5 allocated at rest.cpp:9, 2 allocated at first.cpp:1");
    CHECK(refusal(site::unknown(), 3) ==
          all + ": 3 allocated at an unknown place, 2 allocated at first.cpp:1, 2 allocated at rest.cpp:9");
    CHECK(refusal(third_place, 1) == all +
                                         ": 3 allocated at an unknown place, 2 allocated at first.cpp:1, 1 allocated "
                                         "at rest.cpp:9, and at 1 more place");
    for (void* const block : blocks) pool.deallocate(block);
}

TEST_CASE("debug: handles are validated, and their sites are the caller's", "[debug]") {
    recorded_violations violations;
    typed_debug_pool<std::pair<int, int>> pool(8);
    CHECK(pool.stride() >= sizeof(std::pair<int, int>) + 16);
    handles_are_validated(pool, violations);
    handles_know_their_sites(pool, violations);
}

TEST_CASE("debug: shared handles are validated at their release, and their sites are the caller's", "[debug]") {
    recorded_violations violations;
    std::optional<shared_objects<std::pair<int, int>>> pool(std::in_place, 8u, fixpool::pool_options{.name = "pairs"});
    handles_know_their_sites(*pool, violations);
    pool.emplace(8u, fixpool::pool_options{.name = "pairs"});  // in the new pool, no block was ever handed out
    auto first = pool->allocate(1, 2);
    auto second = pool->allocate(1, 2);
    auto third = pool->allocate(1, 2);
    auto fourth = pool->allocate(1, 2);
    auto fifth = pool->allocate();
    auto sixth = pool->allocate();
    CHECK(pool->stride() == typed_debug_pool<std::pair<int, int>>::stride());
    auto* const never_out =
        reinterpret_cast<std::pair<int, int>*>(reinterpret_cast<std::byte*>(first.get()) + 6 * pool->stride());
    CHECK(pool->adopt(never_out) == nullptr);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::not_allocated);
    CHECK(pool->index_of(first.get()) == 0);

    auto* const object = first.release();
    first = pool->adopt(object);
    CHECK(first.get() == object);
    write_unseen(first.get(), -1, 1);
    first.reset();
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::buffer_overflow);
    (void)pool->adopt(object);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::double_free);
    CHECK(violations.last().released_at.address != nullptr);

    // Two owners of one object, as if two threads reset one handle at once: the second release is found.
    using handle = decltype(second);
    alignas(handle) std::array<std::byte, sizeof second> copy{};
    std::memcpy(copy.data(), static_cast<const void*>(&second), sizeof second);
    second.reset();
    std::launder(reinterpret_cast<handle*>(copy.data()))->reset();
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::double_free);
    CHECK(pool->in_use() == 4);

    pool.reset();
    CHECK(third->second == 2);
    third.reset();
    CHECK(violations.count() == 0);
}

TEST_CASE("debug: a shared pool is exact and exhausted as any other", "[debug]") {
    const shared_objects<int> pool(2, {.name = "numbers"});
    auto one = pool.allocate(1);
    auto two = pool.allocate_at(first_place, 2);
    CHECK(!pool.try_allocate(3));
    CHECK_THROWS_AS(pool.allocate_at({}, 3), fixpool::pool_exhausted);
    CHECK(pool.in_use() == 2);
    CHECK(pool.stats().refused == 2);
    const shared_debug_pool raw({16, 2});
    void* const block = raw.allocate();
    CHECK(raw.owns(block));
    raw.deallocate(block);
    CHECK(!raw.owns(block));
    int foreign = 0;
    CHECK(raw.try_deallocate(&foreign) == fixpool::release_status::foreign_pointer);
    CHECK(raw.try_deallocate(static_cast<std::byte*>(block) + 1) == fixpool::release_status::misaligned_pointer);
    CHECK(raw.try_deallocate(raw.block_at(1)) == fixpool::release_status::not_allocated);
}

TEST_CASE("debug: a constructor that throws gives its block back, filled", "[debug]") {
    recorded_violations violations;
    typed_debug_pool<counted> pool(1);
    counted::start(1);
    CHECK_THROWS(pool.allocate_at(first_place, 7));
    CHECK(pool.in_use() == 0);
    (void)pool.adopt(reinterpret_cast<counted*>(pool.object_at(0)));
    counted* const place = static_cast<counted*>(static_cast<void*>(pool.allocate(7).get()));
    (void)pool.adopt(place);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::double_free);
    counted::start(1);
    CHECK_THROWS(pool.allocate_at(first_place, 7));
    (void)pool.adopt(place);
    REQUIRE(violations.count() == 1);
    CHECK(is(violations.last().allocated_at, first_place));
    CHECK(is(violations.last().released_at, site::unknown()));
    CHECK(violations.last().release != 0);
    CHECK(read_unseen(place, 0) == 0xdd);
}

TEST_CASE("debug: an object that is constructed or destroyed is not allocated, and its site is known", "[debug]") {
    struct adopts_itself {
        typed_debug_pool<adopts_itself>& pool;
        explicit adopts_itself(typed_debug_pool<adopts_itself>& of) : pool(of) { (void)pool.adopt(this); }
        ~adopts_itself() { (void)pool.adopt(this); }
    };
    recorded_violations violations;
    typed_debug_pool<adopts_itself> pool(1);
    auto only = pool.allocate_at(first_place, pool);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::not_allocated);
    CHECK(is(violations.last().allocated_at, first_place));
    only.reset();
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::not_allocated);
}

TEST_CASE("debug: a shared object that is released while it is destroyed was released already", "[debug]") {
    struct ends_twice {
        explicit ends_twice(std::byte* handle) : copy(handle) {}
        ~ends_twice() {
            using handle = fixpool::shared_block<ends_twice, checking::debug>;
            if (copy != nullptr) std::launder(reinterpret_cast<handle*>(copy))->reset();
        }
        std::byte* copy;
    };
    using handle = fixpool::shared_block<ends_twice, checking::debug>;
    recorded_violations violations;
    const shared_objects<ends_twice> pool(2);
    alignas(handle) std::array<std::byte, sizeof(handle)> copy;
    auto only = pool.allocate(copy.data());
    std::memcpy(copy.data(), static_cast<const void*>(&only), sizeof only);
    only.reset();
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::double_free);
    CHECK(pool.in_use() == 0);
}

TEST_CASE("debug: a handler may use the pool", "[debug]") {
    struct world {
        debug_pool* pool = nullptr;
        int calls = 0;
    } w;
    debug_pool pool({16, 4}, {.on_violation =
                                  [](const violation& v) {
                                      auto& in = *static_cast<world*>(v.context);
                                      if (++in.calls > 10) return;
                                      in.pool->deallocate(in.pool->try_allocate());
                                  },
                              .context = &w});
    w.pool = &pool;
    std::array<void*, 4> blocks{};
    for (void*& block : blocks) block = pool.allocate();
    for (void* const block : blocks) pool.deallocate(block);
    for (void* const block : blocks) write_unseen(block, 3, 7);
    CHECK(pool.allocate() == blocks[0]);
    CHECK(w.calls == 4);  // each block once: the handler took the others
    write_unseen(blocks[0], 16, 7);
    pool.deallocate(blocks[0]);
    CHECK(w.calls == 5);
    CHECK(pool.in_use() == 0);
}

TEST_CASE("debug: a handler may reset the pool in the middle of an operation", "[debug]") {
    struct world {
        debug_pool* pool = nullptr;
        int calls = 0;
    } w;
    debug_pool pool({16, 2}, {.on_violation =
                                  [](const violation& v) {
                                      auto& in = *static_cast<world*>(v.context);
                                      ++in.calls;
                                      in.pool->reset();
                                  },
                              .context = &w});
    w.pool = &pool;
    void* const first = pool.allocate();
    write_unseen(first, 16, 1);
    pool.deallocate(first);
    CHECK(w.calls == 1);
    CHECK(pool.in_use() == 0);
    void* const second = pool.allocate();
    write_unseen(second, 16, 1);
    CHECK(pool.try_deallocate(second) == fixpool::release_status::released);
    CHECK(w.calls == 2);
    CHECK(pool.available() == 2);

    void* const third = pool.allocate();
    void* const fourth = pool.allocate();
    pool.deallocate(third);
    write_unseen(third, 0, 1);
    CHECK(pool.allocate() == third);  // again the first one, after the reset
    CHECK(w.calls == 3);
    CHECK(pool.allocate() == fourth);
    CHECK(pool.in_use() == 2);
    CHECK(pool.try_allocate() == nullptr);
    pool.reset();
}

TEST_CASE("debug: a pool is sound while its handler runs", "[debug][audit]") {
    struct scene {
        debug_pool* pool = nullptr;
        unsigned depth = 0, calls = 0, corruptions = 0;
        std::size_t unknown = 0;  // holders whose place was unknown at the last census
    };
    scene now;
    debug_pool pool({64, 4}, {.on_violation =
                                  [](const violation& v) {
                                      scene& in = *static_cast<scene*>(v.context);
                                      ++in.calls;
                                      in.corruptions += v.kind == violation_kind::corrupted_pool;
                                      if (in.depth != 0) return;
                                      ++in.depth;
                                      static_cast<void>(in.pool->audit());
                                      in.unknown = 0;
                                      const fixpool::census taken(*in.pool);
                                      for (const fixpool::census::group& group : taken.groups())
                                          if (group.where.file == nullptr) in.unknown += group.blocks;
                                      --in.depth;
                                  },
                              .context = &now});
    now.pool = &pool;
    std::array<void*, 4> blocks{};
    REQUIRE(pool.try_allocate_bulk(blocks));
    pool.deallocate_bulk(blocks);
    write_unseen(blocks[0], 0, 1);
    CHECK(pool.allocate() == blocks[0]);
    CHECK(now.calls == 1);
    CHECK(now.unknown == 1);  // the block that is being handed out has no holder yet
    write_unseen(blocks[0], 64, 1);
    pool.deallocate(blocks[0]);
    CHECK(now.calls == 3);  // and audit found the overflow as well
    CHECK(now.unknown == 0);
    write_unseen(blocks[2], 0, 1);
    write_unseen(blocks[3], 0, 1);
    REQUIRE(pool.try_allocate_bulk(blocks));
    CHECK(now.calls == 5);  // the first of the two is taken, and the second, too
    CHECK(now.corruptions == 0);
    CHECK(pool.audit());
    pool.deallocate_bulk(blocks);
}

TEST_CASE("debug: a bulk allocation is whole, whatever a handler does in the middle of it", "[debug]") {
    struct scene {
        debug_pool* pool = nullptr;
        bool resets = false;
        unsigned calls = 0, allocated = 0;
    };
    scene now;
    debug_pool pool({64, 4}, {.on_violation =
                                  [](const violation& v) {
                                      scene& in = *static_cast<scene*>(v.context);
                                      ++in.calls;
                                      if (in.resets) in.pool->reset();
                                      else in.allocated += in.pool->try_allocate() != nullptr;
                                  },
                              .context = &now});
    now.pool = &pool;
    for (const bool resets : {false, true}) {
        std::array<void*, 4> blocks{};
        REQUIRE(pool.try_allocate_bulk(blocks));
        pool.deallocate_bulk(blocks);
        write_unseen(blocks[1], 0, 1);
        now.resets = resets;
        now.calls = 0;
        std::array<void*, 4> taken{};
        REQUIRE(pool.try_allocate_bulk(taken));
        CHECK(now.calls == 1);
        CHECK(now.allocated == 0);  // all are taken before the first one is verified
        CHECK(pool.in_use() == 4);
        CHECK(pool.audit());
        for (void* const block : taken) CHECK(pool.owns(block));
        pool.deallocate_bulk(taken);
        CHECK(pool.in_use() == 0);
    }
}

TEST_CASE("debug: a shared object that is constructed has an owner", "[debug]") {
    struct adopts_itself {
        explicit adopts_itself(const shared_objects<adopts_itself>& pool) { CHECK(pool.adopt(this) == nullptr); }
    };
    recorded_violations violations;
    const shared_objects<adopts_itself> pool(1);
    const auto only = pool.allocate(pool);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::still_owned);
}

TEST_CASE("debug: damage in the middle of a guard is the block's in front", "[debug]") {
    recorded_violations violations;
    debug_pool pool({48, 2});
    void* const first = pool.allocate();
    void* const second = pool.allocate();
    REQUIRE(pool.stride() == 64);
    write_unseen(first, 48 + 7, 1);
    write_unseen(first, 48 + 8, 1);
    pool.deallocate(second);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().index == 0);
    CHECK(violations.last().offset == 48 + 7);
    pool.deallocate(first);
}

TEST_CASE("debug: a block that is used again was not released", "[debug]") {
    recorded_violations violations;
    typed_debug_pool<int> pool(1);
    pool.allocate(1).reset();
    const auto again = pool.allocate(2);
    CHECK(pool.adopt(again.get()) == nullptr);
    REQUIRE(violations.count() == 1);
    CHECK(is(violations.last().released_at, site::unknown()));
    CHECK(violations.last().release == 0);
    CHECK(violations.last().released_by == 0);
}

TEST_CASE("debug: a handle gives up only what it owns", "[debug]") {
    recorded_violations violations;
    const shared_objects<int> pool(4);
    auto number = pool.allocate(1);
    using handle = decltype(number);
    alignas(handle) std::array<std::byte, sizeof number> copy{};
    std::memcpy(copy.data(), static_cast<const void*>(&number), sizeof number);
    number.reset();
    int* const object = std::launder(reinterpret_cast<handle*>(copy.data()))->release();
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::double_free);
    CHECK(!pool.adopt(object));
    CHECK(violations.count() == 1);
    CHECK(pool.in_use() == 0);
}

TEST_CASE("debug: a pool moves with its records", "[debug]") {
    recorded_violations violations;
    debug_pool source({16, 2}, {.name = "source"});
    void* const block = source.allocate(first_place);
    debug_pool target = std::move(source);
    CHECK(source.total_blocks() == 0);
    CHECK(source.block_size() == 0);
    CHECK(source.alignment() == 1);
    CHECK(source.stride() == 1);
    CHECK(source.try_allocate() == nullptr);
    target.deallocate(block, second_place);
    target.deallocate(block);
    REQUIRE(violations.count() == 1);
    CHECK(is(violations.last().allocated_at, first_place));
    write_unseen(block, 1, 1);
    target = debug_pool({32, 1});
    CHECK(violations.count() == 0);
    CHECK(target.block_size() == 32);
    target.deallocate(target.allocate());
}

TEST_CASE("debug: sizes are exact, and the blocks lie in guards", "[debug]") {
    for (const fixpool::pool_layout layout :
         {fixpool::pool_layout{1, 1}, {3, 50}, {24, 7}, {64, 5, 64}, {40, 3, 4096}}) {
        const std::size_t bytes = debug_pool::required_bytes(layout);
        CHECK(debug_pool::blocks_in(bytes, layout.block_size, layout.alignment) == layout.block_count);
        CHECK(debug_pool::blocks_in(bytes - 1, layout.block_size, layout.alignment) == layout.block_count - 1);
        const std::size_t alignment = layout.alignment < 16 ? 16 : layout.alignment;
        std::byte* const buffer = static_cast<std::byte*>(::operator new (bytes, std::align_val_t{alignment}));
        {
            debug_pool pool(layout, fixpool::arena::borrow({buffer, bytes}));
            CHECK(pool.stats().arena_bytes == bytes);
            CHECK(pool.stats().total_blocks == layout.block_count);
            CHECK(static_cast<std::size_t>(pool.blocks().data() - buffer) >= 16);
            CHECK(pool.stride() >= layout.block_size + 16);
            std::vector<void*> blocks;
            while (void* const block = pool.try_allocate()) {
                std::memset(block, 1, layout.block_size);
                CHECK(reinterpret_cast<std::uintptr_t>(block) % pool.alignment() == 0);
                blocks.push_back(block);
            }
            CHECK(blocks.size() == layout.block_count);
            for (void* const block : blocks) CHECK(pool.try_deallocate(block) == fixpool::release_status::released);
        }
        CHECK_THROWS_AS(debug_pool(layout, fixpool::arena::borrow({buffer, bytes - 1})), std::length_error);
        std::memset(buffer, 2, bytes);  // the caller may use it again
        ::operator delete (buffer, std::align_val_t{alignment});
    }
    CHECK_THROWS_AS(debug_pool({std::size_t{1} << 30, 0xffff'ffff}), std::length_error);
    constexpr std::size_t eighth = fixpool::detail::max_bytes / 8 + 1;  // a stride of that, and records: 7 would fit
    CHECK(debug_pool::required_bytes({eighth - 16, 5, 16}) < fixpool::detail::max_bytes);
    CHECK_THROWS_AS(debug_pool::required_bytes({eighth - 16, 6, 16}), std::length_error);
    CHECK_THROWS_AS(debug_pool({fixpool::detail::max_bytes, 1}), std::length_error);
    CHECK(debug_pool::blocks_in(SIZE_MAX, std::size_t{1} << 20) > 0);
}

TEST_CASE("debug: ten groups have a line each, and the rest one together", "[debug][violation]") {
    std::vector<fixpool::holder> holders;
    for (unsigned line = 1; line <= 12; ++line) holders.push_back({site("many.cpp", line, "f"), 1});
    violation v{violation_kind::leak, nullptr, "a leak that a test prints", nullptr, violation::npos, 64, 12};
    for (const std::size_t groups : {1U, 2U, 10U, 11U, 12U}) {
        v.holders = std::span(holders).first(groups);
        fixpool::detail::print_debug(v);  // deaths/ compares the lines
    }
}

TEST_CASE("debug: reports in full", "[debug][violation]") {
    violation v{violation_kind::double_free, nullptr, "connections", reinterpret_cast<void*>(0x7f40), 17, 64, 1};
    const std::string head = "fixpool: double free of block 0x7f40 (17 of 64) in pool \"connections\"";
    CHECK(text_of(v) == head);
    v.allocated_at = first_place;
    v.allocation = 41;
    v.allocated_by = 1;
    CHECK(text_of(v) == head + "; allocated at first.cpp:1; operation 41, thread 1");
    v.released_at = second_place;
    v.release = 57;
    v.released_by = 2;
    CHECK(text_of(v) ==
          head + "; allocated at first.cpp:1, released at second.cpp:2; operations 41 and 57, threads 1 and 2");
    v.released_by = 1;
    v.released_at = {nullptr, 0, nullptr, reinterpret_cast<void*>(0x10)};  // in no module
    CHECK(text_of(v) == head + "; allocated at first.cpp:1, released at 0x10; operations 41 and 57, thread 1");

    const std::string path = "/home/somebody/" + std::string(100, 'x') + "/parser.cpp";
    v.allocated_at = site(path.c_str(), 7, "parse");
    CHECK(text_of(v) == head + "; allocated at ..." + path.substr(path.size() - 40) +
                            ":7, released at 0x10; operations 41 and 57, thread 1");
    v.allocated_at = site(path.c_str() + (path.size() - 40), 7, "parse");  // as long as possible
    CHECK(text_of(v) == head + "; allocated at " + path.substr(path.size() - 40) +
                            ":7, released at 0x10; operations 41 and 57, thread 1");

    v = {violation_kind::write_after_free, nullptr, "p", reinterpret_cast<void*>(0x7f40), 1, 2, 1};
    v.offset = 12;
    v.byte = 0x41;
    CHECK(text_of(v) == "fixpool: write after free in block 0x7f40 (1 of 2) in pool \"p\": byte 12 is 0x41");
    v.offset = 0;
    CHECK(text_of(v) == "fixpool: write after free in block 0x7f40 (1 of 2) in pool \"p\": byte 0 is 0x41");
    v.kind = violation_kind::buffer_overflow;
    v.offset = -1;
    CHECK(text_of(v) == "fixpool: buffer overflow of block 0x7f40 (1 of 2) in pool \"p\": byte -1 is 0x41");
}

TEMPLATE_TEST_CASE("debug: a long overflow of the last block reaches nothing that its report is made of", "[debug]",
                   debug_pool, shared_debug_pool) {
    recorded_violations violations;
    alignas(64) static std::array<std::byte, 8192> buffer;
    for (const std::size_t count : {std::size_t{1}, std::size_t{4}}) {
        for (const std::size_t alignment : {1U, 16U, 64U}) {
            const fixpool::pool_layout layout{16, count, alignment};
            TestType pool(layout, fixpool::arena::borrow(buffer), {.name = "overrun"});
            std::vector<void*> blocks;
            for (unsigned i = 0; i < count; ++i) blocks.push_back(pool.allocate(site("taken.cpp", i, "f")));
            for (std::size_t at = 16; at < 400; ++at) write_unseen(blocks.back(), static_cast<std::ptrdiff_t>(at), 'A');
            try {
                static_cast<void>(pool.allocate());
                FAIL("all blocks are out");
            } catch (const fixpool::pool_exhausted& e) {
                CHECK(std::string(e.what()).find("1 allocated at taken.cpp:0") != std::string::npos);
            }
            INFO(count << " blocks, aligned to " << alignment);
            CHECK(violations.count() == 0);
            pool.deallocate(blocks.back());
            REQUIRE(violations.count() == 1);
            CHECK(violations.last().kind == violation_kind::buffer_overflow);
            CHECK(violations.last().offset == 16);
            CHECK(violations.last().index == count - 1);
            CHECK(violations.last().allocated_at.line == count - 1);
            blocks.pop_back();
            for (void* const block : blocks) pool.deallocate(block);
            CHECK(violations.count() == 0);
            CHECK(pool.audit());
        }
    }
}

TEST_CASE("debug: the block behind the carved ones was never allocated, whatever its record's bytes are", "[debug]") {
    alignas(64) static std::array<std::byte, 4096> buffer;
    for (const int byte : {0, 1, 0xff}) {
        std::memset(buffer.data(), byte, buffer.size());
        recorded_violations violations;
        const fixpool::shared_pool<int, checking::debug> pool(4, fixpool::arena::borrow(buffer));
        const auto first = pool.allocate(1);
        auto* const next = reinterpret_cast<std::byte*>(first.get()) + pool.stride();
        CHECK(pool.adopt(reinterpret_cast<int*>(next)) == nullptr);
        REQUIRE(violations.count() == 1);
        CHECK(violations.last().kind == violation_kind::not_allocated);
        CHECK(violations.last().allocation == 0);
    }
}

TEST_CASE("debug: a report of long paths and large numbers is whole", "[debug]") {
    const std::string path = std::string(200, '/') + "parser.cpp", name(31, 'n');
    violation v{violation_kind::write_after_free,        nullptr, name.c_str(),
                reinterpret_cast<void*>(0x7fff12345678), 399'999, 400'000};
    v.offset = 123'456;
    v.allocated_at = site(path.c_str(), 12345, "parse");
    v.released_at = site(path.c_str(), 23456, "parse");
    v.allocation = 123'456'789;
    v.release = 223'456'789;
    v.allocated_by = 111;
    v.released_by = 112;
    const std::string text = text_of(v), end = ":23456; operations 123456789 and 223456789, threads 111 and 112";
    REQUIRE(text.size() > end.size());
    CHECK(text.substr(text.size() - end.size()) == end);

    std::vector<fixpool::holder> holders;
    for (unsigned line = 12345; line != 12349; ++line) holders.push_back({site(path.c_str(), line, "parse"), 100'000});
    const std::string held = fixpool::detail::describe_holders(holders).c_str(), more = ":12347, and at 1 more place";
    CHECK(held.substr(held.size() - more.size()) == more);
    CHECK(fixpool::pool_exhausted(name.c_str(), 400'000, held.c_str()).what() ==
          "fixpool: 400000 of 400000 blocks in use in pool \"" + name + "\"" + held);
}

TEST_CASE("debug: many blocks of one place are one group, and nothing beside them is touched", "[debug]") {
    const fixpool::holder same{site("same.cpp", 2, "f"), 1}, outside{site("same.cpp", 2, "f"), 7},
        before{site("a.cpp", 2, "f"), 8}, behind{site("z.cpp", 2, "f"), 9};
    std::vector<fixpool::holder> all(100, before);
    all.insert(all.end(), 100, outside);
    all.insert(all.end(), 1000, same);
    all.insert(all.end(), 100, outside);
    all.insert(all.end(), 100, behind);
    const auto groups = fixpool::detail::grouped(std::span(all).subspan(200, 1000));
    REQUIRE(groups.size() == 1);
    CHECK(groups[0].blocks == 1000);
    for (std::size_t i = 0; i < 200; ++i) {
        REQUIRE(all[i].blocks == (i < 100 ? 8U : 7U));
        REQUIRE(all[1200 + i].blocks == (i < 100 ? 7U : 9U));
    }

    std::array<fixpool::holder, 3> callers{};  // in order of their addresses
    for (const std::size_t i : {1U, 0U, 2U})
        callers[i] = {{nullptr, 0, nullptr, reinterpret_cast<void*>(0x30 - 0x10 * i)}, 1};
    const auto ordered = fixpool::detail::grouped(callers);
    REQUIRE(ordered.size() == 3);
    CHECK(ordered[0].where.address == reinterpret_cast<void*>(0x10));
    CHECK(ordered[2].where.address == reinterpret_cast<void*>(0x30));
}

static_assert(noexcept(std::declval<debug_pool&>().try_allocate()));
static_assert(noexcept(std::declval<debug_pool&>().deallocate(nullptr)));
static_assert(sizeof(fixpool::block<int, checking::debug>) == 2 * sizeof(void*));
static_assert(sizeof(fixpool::shared_block<int, checking::debug>) == 2 * sizeof(void*));
