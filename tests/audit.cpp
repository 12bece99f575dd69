// SPDX-License-Identifier: BSL-1.0
// `audit` of every pool: it accepts a sound pool, and reports what was overwritten, with whatever value.
#include <fixpool/debug.hpp>
#include <fixpool/shared_memory_pool.hpp>
#include <fixpool/shared_pool.hpp>
#include <fixpool/typed_pool.hpp>

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/threads.hpp"
#include "support/unseen.hpp"
#include "support/violations.hpp"

using fixpool::arena;
using fixpool::checking;
using fixpool::memory_pool;
using fixpool::shared_memory_pool;
using fixpool::violation_kind;
using fixpool::detail::block_state;
using fixpool::detail::debug_record;
using debug_pool = fixpool::basic_memory_pool<checking::debug>;
using shared_debug_pool = fixpool::basic_shared_memory_pool<checking::debug>;

namespace {

constexpr std::size_t size = 32, count = 8;
constexpr std::uint32_t none = ~std::uint32_t{0};

/// A pool whose metadata lie in a buffer of this test.
template <class Pool> struct on_buffers {
    alignas(64) std::array<std::byte, 4096> blocks{};
    alignas(64) std::array<std::byte, 4096> metadata{};
    Pool pool{{size, count}, arena::borrow(blocks, metadata), {.name = "audited"}};

    /// The metadata of a checked pool: the free blocks above an entry `none`, then one state per block.
    std::uint32_t* entries() { return reinterpret_cast<std::uint32_t*>(metadata.data()); }
    block_state* states() { return reinterpret_cast<block_state*>(entries() + count + 1); }
    /// The metadata of a debug pool: one record per block.
    debug_record* records() { return reinterpret_cast<debug_record*>(metadata.data()); }
};

/// Eight blocks: 0, 2 and 4 are in use, 1 and 3 were in use and are free, 5 to 7 were never in use.
template <class Pool> std::vector<void*> half_used(Pool& pool) {
    std::vector<void*> blocks;
    for (int i = 0; i < 5; ++i) blocks.push_back(pool.allocate());
    pool.deallocate(blocks[1]);
    pool.deallocate(blocks[3]);
    return {blocks[0], blocks[2], blocks[4]};
}

/// Writes `value` to `place`, asks `audit`, and restores the place. Returns what `audit` says, or "" if it passes.
/// `where` and `block` get the violation's address and index.
template <class Pool, class V>
std::string said_of(const Pool& pool, V& place, V value, const void** where = nullptr, std::size_t* block = nullptr) {
    recorded_violations violations;
    const V before = std::exchange(place, value);
    const bool passes = pool.audit();
    place = before;
    const std::size_t told = violations.count();
    if (told != (passes ? 0U : 1U)) return "told " + std::to_string(told) + " times";
    if (passes) return "";
    if (violations.last().kind != violation_kind::corrupted_pool || violations.last_name() != "audited") return "?";
    if (where != nullptr) *where = violations.last().address;
    if (block != nullptr) *block = violations.last().index;
    return violations.last().problem;
}

}  // namespace

TEMPLATE_TEST_CASE("audit passes a sound pool", "[audit]", memory_pool, debug_pool, shared_memory_pool,
                   shared_debug_pool) {
    recorded_violations violations;
    TestType pool({size, count});
    CHECK(pool.audit());
    const std::vector<void*> rest = half_used(pool);
    CHECK(pool.audit());
    std::vector<void*> others;
    while (void* const block = pool.try_allocate()) others.push_back(block);
    CHECK(pool.audit());
    for (void* const block : others) pool.deallocate(block);
    CHECK(pool.audit());
    for (void* const block : rest) pool.deallocate(block);
    CHECK(pool.audit());
    pool.deallocate(rest[0]);
    CHECK(violations.count() == 1);
    CHECK(pool.audit());
}

TEMPLATE_TEST_CASE("audit passes a pool that was reset, moved or sorted, and one of no blocks", "[audit]", memory_pool,
                   debug_pool) {
    recorded_violations violations;
    TestType pool({size, count});
    static_cast<void>(half_used(pool));
    pool.sort_free_blocks();
    CHECK(pool.audit());
    TestType target(std::move(pool));
    CHECK(target.audit());
    CHECK(pool.audit());
    pool.reset();
    target.reset();
    CHECK(target.audit());
    CHECK(violations.count() == 0);
}

TEMPLATE_TEST_CASE_SIG("audit passes a pool of objects, also while one is made or destroyed", "[audit]",
                       ((checking C), C), checking::checked, checking::debug) {
    struct object {
        explicit object(std::function<bool()> audits) : audits_(std::move(audits)) { CHECK(audits_()); }
        ~object() { CHECK(audits_()); }
        std::function<bool()> audits_;
    };
    recorded_violations violations;
    fixpool::typed_pool<object, C> pool(4);
    const fixpool::shared_pool<object, C> shared(4);
    {
        const auto one = pool.allocate([&] { return pool.audit(); });
        const auto two = shared.allocate([&] { return shared.audit(); });
        object* const given_up = pool.allocate([&] { return pool.audit(); }).release();
        object* const shared_one = shared.allocate([&] { return shared.audit(); }).release();
        CHECK(pool.audit());
        CHECK(shared.audit());
        static_cast<void>(pool.adopt(given_up));
        static_cast<void>(shared.adopt(shared_one));
    }
    CHECK(pool.audit());
    CHECK(shared.audit());
    CHECK(violations.count() == 0);
}

TEMPLATE_TEST_CASE("audit of a checked pool says what was overwritten, and where", "[audit]", memory_pool,
                   shared_memory_pool) {
    on_buffers<TestType> on;
    const std::vector<void*> rest = half_used(on.pool);
    std::uint32_t* const entries = on.entries();
    block_state* const states = on.states();
    REQUIRE(entries[0] == none);
    REQUIRE(entries[1] == 1);
    REQUIRE(entries[2] == 3);
    const void* where = nullptr;
    std::size_t block = 0;

    CHECK(said_of(on.pool, entries[0], 0U) == "the end of its free list was overwritten");
    CHECK(said_of(on.pool, entries[1], 5U, &where) == "its free list has a block that was never handed out");
    CHECK(where == &entries[1]);
    CHECK(said_of(on.pool, entries[2], none) == "its free list has a block that was never handed out");
    CHECK(said_of(on.pool, entries[1], 3U, &where, &block) == "the block is in its free list twice");
    CHECK(where == &entries[1]);
    CHECK(block == 3);
    CHECK(said_of(on.pool, entries[2], 0U, &where, &block) == "the block is in its free list and in use");
    CHECK(block == 0);
    CHECK(said_of(on.pool, states[3], states[0]) == "the block is in its free list and in use");
    CHECK(said_of(on.pool, states[2], block_state{5}, &where, &block) == "the block's state was overwritten");
    CHECK(where == &states[2]);
    CHECK(block == 2);
    CHECK(said_of(on.pool, states[4], block_state::sorted) == "the block's state was overwritten");
    CHECK(said_of(on.pool, entries[3], 0U).empty());        // above the free list
    CHECK(said_of(on.pool, states[5], states[0]).empty());  // the state of a block that was never out

    CHECK(on.pool.audit());  // it leaves no marks
    for (void* const each : rest) on.pool.deallocate(each);
    CHECK(on.pool.in_use() == 0);
}

TEST_CASE("audit counts the blocks in use", "[audit]") {
    const char* const problem = "its blocks' states do not agree with the number in use";
    on_buffers<memory_pool> raw;
    const std::vector<void*> rest = half_used(raw.pool);
    const void* where = nullptr;
    CHECK(said_of(raw.pool, raw.states()[2], block_state::out_of_use, &where) == problem);
    CHECK(where == &raw.states()[0]);
    CHECK(said_of(raw.pool, raw.states()[2], block_state::given_up) == problem);  // a raw block never has this state
    CHECK(said_of(raw.pool, raw.states()[2], block_state::fresh) == "the block's state was overwritten");
    raw.pool.deallocate_bulk(rest);

    on_buffers<debug_pool> debug;
    const std::vector<void*> others = half_used(debug.pool);
    CHECK(said_of(debug.pool, debug.records()[2].state, block_state::out_of_use) == problem);
    CHECK(said_of(debug.pool, debug.records()[1].is_free, static_cast<unsigned char>(0)) == problem);
    debug.pool.deallocate_bulk(others);
}

TEST_CASE("audit looks at a pool of one block as well", "[audit]") {
    alignas(64) std::array<std::byte, 4096> blocks{}, metadata{};
    memory_pool pool({size, 1}, arena::borrow(blocks, metadata), {.name = "audited"});
    auto& end = *reinterpret_cast<std::uint32_t*>(metadata.data());
    CHECK(said_of(pool, end, 0U) == "the end of its free list was overwritten");
    CHECK(pool.audit());
}

TEST_CASE("audit of a shared pool counts the blocks that were never out", "[audit]") {
    on_buffers<shared_memory_pool> small;
    CHECK(small.pool.audit());
    alignas(64) std::array<std::byte, 4096> blocks{}, metadata{};
    const shared_memory_pool pool({size, 40}, arena::borrow(blocks, metadata), {.name = "audited", .magazine_size = 2});
    const played_threads playing;
    playing.as(1);
    void* const block = pool.allocate();  // its magazine has another block
    auto* const states = reinterpret_cast<block_state*>(metadata.data() + 41 * sizeof(std::uint32_t));
    CHECK(pool.audit());
    REQUIRE(states[1] == block_state::fresh);
    CHECK(pool.audit());
    CHECK(pool.in_use() == 1);
    pool.deallocate(block);
    CHECK(pool.audit());
}

TEST_CASE("what audit reports of a shared pool counts no block that a magazine keeps", "[audit]") {
    recorded_violations violations;
    alignas(64) std::array<std::byte, 4096> blocks{}, metadata{};
    const shared_memory_pool pool({size, 40}, arena::borrow(blocks, metadata), {.name = "audited", .magazine_size = 2});
    const played_threads playing;
    playing.as(1);
    void* const first = pool.allocate();  // from the run of blocks 0 and 1
    playing.as(2);
    void* const second = pool.allocate();  // from the run of blocks 2 and 3
    auto* const states = reinterpret_cast<block_state*>(metadata.data() + 41 * sizeof(std::uint32_t));
    const block_state before = std::exchange(states[2], block_state{7});
    CHECK_FALSE(pool.audit());
    states[2] = before;
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().index == 2);
    CHECK(violations.last().live_blocks == 2);
    pool.deallocate(first);
    pool.deallocate(second);
}

TEMPLATE_TEST_CASE("audit at debug level says what was overwritten, and where", "[audit]", debug_pool,
                   shared_debug_pool) {
    on_buffers<TestType> on;
    const std::vector<void*> rest = half_used(on.pool);
    debug_record* const records = on.records();
    const char* const lost = "its free blocks are not all in the queue";
    const void* where = nullptr;
    std::size_t block = 0;
    REQUIRE(records[1].next == 3);

    CHECK(said_of(on.pool, records[1].next, none, &where) == lost);
    CHECK(where == &records[1]);
    CHECK(said_of(on.pool, records[1].next, 1U) == lost);  // the queue is a circle
    CHECK(said_of(on.pool, records[3].next, 1U) == lost);
    CHECK(said_of(on.pool, records[3].next, 5U) == lost);
    CHECK(said_of(on.pool, records[1].next, 0U) == lost);  // a block in use
    CHECK(said_of(on.pool, records[2].state, block_state{3}, &where, &block) == "the block's state was overwritten");
    CHECK(where == &records[2]);
    CHECK(block == 2);
    CHECK(said_of(on.pool, records[2].is_free, static_cast<unsigned char>(7)) == "the block's state was overwritten");
    CHECK(said_of(on.pool, records[3].is_filled, static_cast<unsigned char>(0)) == "the block's state was overwritten");
    CHECK(said_of(on.pool, records[2].is_filled, static_cast<unsigned char>(2)) == "the block's state was overwritten");
    CHECK(said_of(on.pool, records[3].state, block_state::live, &where, &block) == "the block is free and in use");
    CHECK(block == 3);
    CHECK(on.pool.audit());
    for (void* const each : rest) on.pool.deallocate(each);
}

namespace {

/// The place in `object` where the word `value` lies last. A pool's arena, which may have the same word, lies in front.
template <class T, class V> std::size_t offset_in(const T& object, V value) {
    const auto* const bytes = reinterpret_cast<const unsigned char*>(&object);
    std::size_t found = sizeof object;
    for (std::size_t offset = 0; offset + sizeof value <= sizeof object; offset += alignof(V))
        if (std::memcmp(bytes + offset, &value, sizeof value) == 0) found = offset;
    return found;
}

/// Whether `audit` says that the counters do not agree while `value` lies at that place in the pool.
template <class Pool, class V> bool finds_counters(Pool& pool, std::size_t offset, V value) {
    recorded_violations violations;
    unsigned char* const place = reinterpret_cast<unsigned char*>(&pool) + offset;
    V before;
    std::memcpy(&before, place, sizeof before);
    std::memcpy(place, &value, sizeof value);
    const bool passes = pool.audit();
    std::memcpy(place, &before, sizeof before);
    return !passes && violations.count() == 1 && std::string(violations.last().problem) == "its counters do not agree";
}

}  // namespace

TEST_CASE("audit at debug level finds what was written to free blocks and guards", "[audit]") {
    recorded_violations violations;
    alignas(64) std::array<std::byte, 4096> buffer{};
    debug_pool pool({48, 6}, arena::borrow(buffer));
    const std::vector<void*> rest = half_used(pool);
    const auto damage = [&](std::size_t block, std::ptrdiff_t offset, violation_kind kind) {
        void* const start = pool.block_at(block);
        const unsigned char before = read_unseen(start, offset);
        write_unseen(start, offset, 0x41);
        const bool passes = pool.audit();
        const bool is_told = violations.count() == 1 && violations.last().kind == kind &&
                             violations.last().index == block && violations.last().address == start &&
                             violations.last().offset == offset && violations.last().byte == 0x41;
        const bool is_left = read_unseen(start, offset) == 0x41;
        write_unseen(start, offset, before);
        return !passes && is_told && is_left;
    };
    CHECK(damage(1, 0, violation_kind::write_after_free));
    CHECK(damage(3, 47, violation_kind::write_after_free));
    CHECK(damage(0, -1, violation_kind::buffer_overflow));
    CHECK(damage(0, 48, violation_kind::buffer_overflow));
    CHECK(damage(2, -3, violation_kind::buffer_overflow));
    CHECK(damage(3, 50, violation_kind::buffer_overflow));  // for a free block, too
    CHECK(damage(4, 48, violation_kind::buffer_overflow));
    pool.deallocate(rest[0]);
    CHECK(damage(0, 7, violation_kind::write_after_free));
    CHECK(damage(4, 63, violation_kind::buffer_overflow));
    CHECK(pool.audit());
    write_unseen(rest[1], 5, 1);  // the block is in use: its owner may write
    CHECK(pool.audit());
    pool.deallocate(rest[1]);
    pool.deallocate(rest[2]);
}

TEST_CASE("audit does not follow counters that cannot be", "[audit]") {
    on_buffers<memory_pool> raw;
    const std::vector<void*> rest = half_used(raw.pool);
    const std::size_t top = offset_in(raw.pool, raw.entries() + 2);
    REQUIRE(top != sizeof raw.pool);
    CHECK(finds_counters(raw.pool, top, raw.entries() + 6));  // more free blocks than carved ones
    CHECK(finds_counters(raw.pool, top, raw.entries() - 1));
    const std::uint64_t carving = std::uint64_t{5} << 32 | 5;  // a stride of 2^5 bytes, five blocks carved
    const std::size_t fresh = offset_in(raw.pool, carving);
    REQUIRE(fresh != sizeof raw.pool);
    CHECK(finds_counters(raw.pool, fresh, carving - 5 + count + 1));
    raw.pool.deallocate_bulk(rest);

    on_buffers<debug_pool> debug;
    const std::vector<void*> others = half_used(debug.pool);
    const std::size_t carved = offset_in(debug.pool, debug.records()) + sizeof(void*);
    REQUIRE(carved < sizeof debug.pool);
    CHECK(finds_counters(debug.pool, carved, std::uint32_t{count + 1}));
    CHECK(finds_counters(debug.pool, carved, std::uint32_t{4}));  // fewer than the peak
    debug.pool.deallocate_bulk(others);
}

TEMPLATE_TEST_CASE("audit takes bounded steps, whatever was written over the metadata", "[audit]", memory_pool,
                   shared_memory_pool, debug_pool, shared_debug_pool) {
    recorded_violations violations;
    on_buffers<TestType> on;
    const std::vector<void*> rest = half_used(on.pool);
    const std::array<std::byte, 4096> before = on.metadata;
    std::mt19937 random(1);
    std::size_t passed = 0;
    for (int round = 0; round < 2000; ++round) {
        const std::size_t first = random() % 512, end = first + 1 + random() % 64;
        const unsigned most = round % 2 == 0 ? 256 : 6;  // small values look like what belongs there
        for (std::size_t i = first; i < end; ++i) on.metadata[i] = static_cast<std::byte>(random() % most);
        passed += on.pool.audit();
        on.metadata = before;
    }
    CHECK(violations.count() == 2000 - passed);
    CHECK(passed < 2000);
    CHECK(on.pool.audit());
    for (void* const each : rest) on.pool.deallocate(each);
}

TEST_CASE("a corrupted pool is described in one sentence", "[audit]") {
    fixpool::violation v;
    v.kind = violation_kind::corrupted_pool;
    v.pool_name = "connections";
    v.address = reinterpret_cast<const void*>(std::uintptr_t{0x40});
    v.total_blocks = 8;
    v.problem = "the end of its free list was overwritten";
    CHECK(std::string(fixpool::detail::describe(v).c_str()) ==
          "fixpool: corrupted pool at 0x40 (of 8) in pool \"connections\": the end of its free list was overwritten");
    v.index = 3;
    v.problem = "the block is in its free list twice";
    CHECK(std::string(fixpool::detail::describe(v).c_str()) ==
          "fixpool: corrupted pool at 0x40 (3 of 8) in pool \"connections\": the block is in its free list twice");
}
