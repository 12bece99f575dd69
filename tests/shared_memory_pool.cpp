// SPDX-License-Identifier: BSL-1.0
#include <fixpool/debug.hpp>
#include <fixpool/shared_memory_pool.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/heap.hpp"
#include "support/threads.hpp"
#include "support/violations.hpp"

using fixpool::basic_shared_memory_pool;
using fixpool::checking;
using fixpool::pool_layout;
using fixpool::release_status;
using fixpool::shared_memory_pool;
using fixpool::violation_kind;

template <class Pool> static constexpr bool keeps_contract() {
    static_assert(std::is_nothrow_copy_constructible_v<Pool> && std::is_nothrow_copy_assignable_v<Pool>);
    static_assert(std::is_nothrow_move_constructible_v<Pool> && std::is_nothrow_move_assignable_v<Pool>);
    static_assert(!std::is_default_constructible_v<Pool> && !std::is_convertible_v<pool_layout, Pool>);
    static_assert(noexcept(std::declval<const Pool&>().try_allocate()) &&
                  !noexcept(std::declval<const Pool&>().allocate()));
    static_assert(noexcept(std::declval<const Pool&>().deallocate(nullptr)));
    static_assert(noexcept(std::declval<const Pool&>().stats())&& noexcept(std::declval<const Pool&>().available()));
    static_assert(noexcept(std::declval<const Pool&>().blocks())&& noexcept(std::declval<const Pool&>().name()));
    static_assert(sizeof(Pool) == 2 * sizeof(void*));
    return true;
}
static_assert(keeps_contract<shared_memory_pool>());
static_assert(keeps_contract<basic_shared_memory_pool<checking::unchecked>>());
static_assert(noexcept(std::declval<const shared_memory_pool&>().try_deallocate(nullptr)));
static_assert(noexcept(std::declval<const shared_memory_pool&>().owns(nullptr)));
template <class Pool>
concept answers_for_pointers = requires(const Pool& pool) {
    pool.owns(nullptr);
}
|| requires(const Pool& pool) { pool.try_deallocate(nullptr); };
static_assert(answers_for_pointers<shared_memory_pool> &&
              !answers_for_pointers<basic_shared_memory_pool<checking::unchecked>>);

namespace {

void* offset(void* block, std::ptrdiff_t bytes) {
    return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(block) + static_cast<std::uintptr_t>(bytes));
}

}  // namespace

TEMPLATE_TEST_CASE_SIG("a shared_memory_pool of ten blocks has ten", "[shared_memory_pool]", ((checking C), C),
                       checking::unchecked, checking::checked) {
    const basic_shared_memory_pool<C> pool({.block_size = 24, .block_count = 10}, {.name = "packets"});
    CHECK(pool.total_blocks() == 10);
    CHECK(pool.block_size() == 24);
    CHECK(pool.stride() == 24);
    CHECK(pool.alignment() == 8);
    CHECK(std::string(pool.name()) == "packets");
    std::set<void*> blocks;
    for (std::size_t i = 0; i < 10; ++i) {
        void* const block = pool.allocate();
        CHECK(pool.index_of(block) < 10);
        CHECK(pool.block_at(pool.index_of(block)) == block);
        CHECK(pool.contains(block));
        std::memset(block, 7, 24);
        blocks.insert(block);
    }
    CHECK(blocks.size() == 10);
    CHECK(pool.available() == 0);
    CHECK(pool.in_use() == 10);
    CHECK(pool.peak_in_use() == 10);
    CHECK(pool.try_allocate() == nullptr);
    CHECK_THROWS_AS(pool.allocate(), fixpool::pool_exhausted);
    CHECK(pool.stats().refused == 2);
    for (void* const block : blocks) pool.deallocate(block);
    pool.deallocate(nullptr);
    CHECK(pool.available() == 10);
    CHECK(pool.peak_in_use() == 10);
    CHECK(pool.index_of(pool.blocks().data() + 1) == pool.npos);
    CHECK(pool.index_of(pool.blocks().data() + pool.blocks().size()) == pool.npos);
    CHECK_FALSE(pool.contains(pool.blocks().data() + pool.blocks().size()));
    CHECK(pool.blocks().size() == 240);
}

TEST_CASE("an exhausted shared_memory_pool says its name", "[shared_memory_pool]") {
    const shared_memory_pool pool({8, 1}, {.name = "jobs"});
    void* const block = pool.allocate();
    std::string text;
    try {
        (void)pool.allocate();
    } catch (const fixpool::pool_exhausted& error) {
        text = error.what();
    }
    CHECK(text == "fixpool: 1 of 1 blocks in use in pool \"jobs\"");
    pool.deallocate(block);
}

TEST_CASE("a shared_memory_pool takes every stride and alignment", "[shared_memory_pool]") {
    for (const std::size_t size : {1u, 2u, 3u, 7u, 8u, 24u, 40u, 64u, 100u, 4096u}) {
        for (const std::size_t alignment : {0u, 1u, 16u, 256u, 4096u}) {
            INFO(size << " bytes at " << alignment);
            const shared_memory_pool pool({size, 50, alignment});
            std::vector<void*> blocks;
            while (void* const block = pool.try_allocate()) blocks.push_back(block);
            REQUIRE(blocks.size() == 50);
            std::size_t wrong = 0;
            for (std::size_t i = 0; i < 50; ++i) {
                const auto address = reinterpret_cast<std::uintptr_t>(blocks[i]);
                if (address % pool.alignment() != 0 || pool.block_at(pool.index_of(blocks[i])) != blocks[i]) ++wrong;
                std::memset(blocks[i], static_cast<int>(i), size);
            }
            for (std::size_t i = 0; i < 50; ++i) {
                const auto* const bytes = static_cast<unsigned char*>(blocks[i]);
                if (std::count(bytes, bytes + size, static_cast<unsigned char>(i)) != static_cast<std::ptrdiff_t>(size))
                    ++wrong;
                if (pool.try_deallocate(blocks[i]) != release_status::released) ++wrong;
            }
            CHECK(wrong == 0);
            CHECK(pool.available() == 50);
        }
    }
}

TEST_CASE("arguments and buffers of a shared_memory_pool are those of a memory_pool", "[shared_memory_pool]") {
    constexpr pool_layout layout{24, 30, 8};
    STATIC_REQUIRE(shared_memory_pool::required_bytes(layout) == fixpool::memory_pool::required_bytes(layout));
    STATIC_REQUIRE(shared_memory_pool::required_metadata_bytes(layout) ==
                   fixpool::memory_pool::required_metadata_bytes(layout));
    STATIC_REQUIRE(shared_memory_pool::required_metadata_bytes(layout) != shared_memory_pool::required_bytes(layout));
    STATIC_REQUIRE(shared_memory_pool::blocks_in(10'000, 24, 64) == fixpool::memory_pool::blocks_in(10'000, 24, 64));
    STATIC_REQUIRE(shared_memory_pool::blocks_in(10'000, 24, 64) != shared_memory_pool::blocks_in(10'000, 24));
    alignas(8) std::array<std::byte, shared_memory_pool::required_bytes(layout)> buffer;
    {
        const shared_memory_pool pool(layout, fixpool::arena::borrow(buffer));
        void* const block = pool.allocate();
        CHECK(block == buffer.data());
        pool.deallocate(block);
    }
    CHECK_THROWS_AS(shared_memory_pool({24, 31, 8}, fixpool::arena::borrow(buffer)), std::length_error);
    CHECK_THROWS_AS(shared_memory_pool({0, 1}), std::invalid_argument);
    CHECK_THROWS_AS(shared_memory_pool({8, 0}), std::invalid_argument);
    CHECK_THROWS_AS(shared_memory_pool({8, 1, 3}), std::invalid_argument);
    std::array<std::byte, 30 * 24 + 8> blocks;
    std::array<std::byte, shared_memory_pool::required_metadata_bytes(layout)> metadata;
    const shared_memory_pool apart(layout, fixpool::arena::borrow(blocks, metadata));
    CHECK(apart.available() == 30);
}

TEMPLATE_TEST_CASE_SIG("a pool writes nothing beside the buffers that it borrows, to the byte", "[shared_memory_pool]",
                       ((checking C), C), checking::unchecked, checking::checked, checking::debug) {
    const auto use = []<class Pool>(std::type_identity<Pool>) {
        constexpr pool_layout layout{24, 30, 8};
        constexpr std::size_t metadata_bytes = Pool::required_metadata_bytes(layout);
        constexpr std::size_t blocks_bytes = Pool::required_bytes(layout) - metadata_bytes + 16;  // room for alignment
        constexpr std::byte canary{0x5A};
        for (std::size_t start = 16; start < 24; ++start) {
            alignas(16) std::array<std::byte, blocks_bytes + 64> blocks;
            alignas(16) std::array<std::byte, metadata_bytes + 64> metadata;
            blocks.fill(canary);
            metadata.fill(canary);
            {
                Pool pool(layout, fixpool::arena::borrow(std::span(blocks).subspan(start, blocks_bytes),
                                                         std::span(metadata).subspan(start, metadata_bytes)));
                std::vector<void*> taken;
                while (void* const block = pool.try_allocate()) taken.push_back(block);
                for (void* const block : taken) std::memset(block, 1, 24);
                CHECK(taken.size() == 30);
                for (void* const block : taken) pool.deallocate(block);
            }
            const auto is_left_alone = [&](const auto& buffer, std::size_t size) {
                const auto is_canary = [&](std::byte each) { return each == canary; };
                return std::all_of(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(start), is_canary) &&
                       std::all_of(buffer.begin() + static_cast<std::ptrdiff_t>(start + size), buffer.end(), is_canary);
            };
            INFO("buffers begin at " << start);
            CHECK(is_left_alone(blocks, blocks_bytes));
            CHECK(is_left_alone(metadata, metadata_bytes));
        }
    };
    use(std::type_identity<fixpool::basic_memory_pool<C>>());
    use(std::type_identity<basic_shared_memory_pool<C>>());
}

TEMPLATE_TEST_CASE_SIG("a shared_memory_pool measures as a memory_pool of the same layout", "[shared_memory_pool]",
                       ((checking C), C), checking::unchecked, checking::checked) {
    const fixpool::basic_memory_pool<C> own({40, 1000, 16});
    const basic_shared_memory_pool<C> pool({40, 1000, 16}, fixpool::arena::heap(), {.name = "packets"});
    CHECK(pool.alignment() == own.alignment());
    CHECK(pool.blocks().size() == own.blocks().size());
    const fixpool::pool_stats expected = own.stats();
    const fixpool::pool_stats stats = pool.stats();
    CHECK(stats.total_blocks == expected.total_blocks);
    CHECK(stats.block_size == expected.block_size);
    CHECK(stats.stride == expected.stride);
    CHECK(stats.arena_bytes == expected.arena_bytes);
    CHECK(stats.metadata_bytes == expected.metadata_bytes);
}

TEMPLATE_TEST_CASE_SIG("each byte in and around a shared_memory_pool is in a block or not, and starts one or not",
                       "[shared_memory_pool]", ((checking C), C), checking::unchecked, checking::checked) {
    for (const std::size_t stride : {1u, 3u, 8u, 24u, 64u, 1000u}) {
        const basic_shared_memory_pool<C> pool({stride, 5, 1});
        const auto bytes = static_cast<std::ptrdiff_t>(stride);
        std::byte* const first = pool.blocks().data();
        std::size_t wrong = 0;
        for (std::ptrdiff_t at = -2 * bytes; at < 7 * bytes; ++at) {
            const bool is_inside = at >= 0 && at < 5 * bytes;
            const bool is_block = is_inside && at % bytes == 0;
            const std::size_t index = is_block ? static_cast<std::size_t>(at / bytes) : pool.npos;
            if (pool.contains(offset(first, at)) != is_inside || pool.index_of(offset(first, at)) != index) ++wrong;
            if (is_block && pool.block_at(index) != offset(first, at)) ++wrong;
        }
        INFO("blocks of " << stride << " bytes");
        CHECK(wrong == 0);
    }
}

TEMPLATE_TEST_CASE_SIG("the block that a thread released last is its next one", "[shared_memory_pool]",
                       ((checking C), C), checking::unchecked, checking::checked) {
    for (const std::size_t count : {8u, 1000u}) {  // without magazines, and with them
        const basic_shared_memory_pool<C> pool({64, count});
        const std::array<void*, 3> blocks{pool.allocate(), pool.allocate(), pool.allocate()};
        for (const std::size_t i : {1u, 2u, 0u}) pool.deallocate(blocks[i]);
        for (const std::size_t i : {0u, 2u, 1u}) CHECK(pool.allocate() == blocks[i]);
        for (void* const block : blocks) pool.deallocate(block);
    }
}

TEMPLATE_TEST_CASE_SIG("a copy of a shared_memory_pool is the same pool, and so is what is left after a move",
                       "[shared_memory_pool]", ((checking C), C), checking::checked, checking::debug) {
    basic_shared_memory_pool<C> pool({8, 2});
    const basic_shared_memory_pool<C> copy = pool;
    const basic_shared_memory_pool<C> other({8, 2});
    void* const block = pool.allocate();
    CHECK(copy.in_use() == 1);
    const basic_shared_memory_pool<C> moved = std::move(pool);
    CHECK(pool.in_use() == 1);
    CHECK(pool == copy);
    CHECK(moved == copy);
    CHECK(copy != other);
    moved.deallocate(block);
    CHECK(pool.available() == 2);
}

TEST_CASE("misuse of a shared_memory_pool is told exactly", "[shared_memory_pool]") {
    recorded_violations violations;
    for (const unsigned magazine_size : {0u, 60u}) {
        const shared_memory_pool pool({24, 4000}, {.name = "packets", .magazine_size = magazine_size});
        const shared_memory_pool other({24, 4000});
        auto* const block = static_cast<std::byte*>(pool.allocate());
        auto* const released = static_cast<std::byte*>(pool.allocate());
        auto* const foreign = static_cast<std::byte*>(other.allocate());
        pool.deallocate(released);
        const auto refuses = [&](std::byte* address, violation_kind kind, release_status status) {
            CHECK(pool.try_deallocate(address) == status);
            CHECK(violations.count() == 0);
            CHECK_FALSE(pool.owns(address));
            pool.deallocate(address);
            REQUIRE(violations.count() == 1);
            CHECK(violations.last().kind == kind);
            CHECK(violations.last_name() == "packets");
            CHECK(violations.last().address == address);
            CHECK(violations.last().live_blocks == 1);
            CHECK(pool.in_use() == 1);
        };
        refuses(released, violation_kind::double_free, release_status::double_free);
        refuses(released + 24, violation_kind::not_allocated, release_status::not_allocated);
        refuses(released + 24 * 1000, violation_kind::not_allocated, release_status::not_allocated);
        refuses(block + 1, violation_kind::misaligned_pointer, release_status::misaligned_pointer);
        refuses(foreign, violation_kind::foreign_pointer, release_status::foreign_pointer);
        refuses(block - 24, violation_kind::foreign_pointer, release_status::foreign_pointer);
        CHECK(pool.try_deallocate(nullptr) == release_status::null_pointer);
        CHECK(pool.owns(block));
        CHECK_FALSE(pool.owns(nullptr));
        CHECK(pool.try_deallocate(block) == release_status::released);
        CHECK(violations.count() == 0);
        other.deallocate(foreign);
        pool.deallocate(nullptr);
        CHECK(violations.count() == 0);
        // In a buffer with arbitrary bytes, no block counts as one that is out.
        std::vector<std::byte> buffer(shared_memory_pool::required_bytes({24, 4000}) + 8, std::byte{2});
        const shared_memory_pool dirty({24, 4000}, fixpool::arena::borrow(buffer));
        void* const one = dirty.allocate();
        for (const std::size_t never_out : {std::size_t{1}, std::size_t{5}, std::size_t{100}, std::size_t{3000}})
            CHECK(dirty.try_deallocate(dirty.block_at(never_out)) == release_status::not_allocated);
        CHECK(dirty.try_deallocate(one) == release_status::released);
    }
}

TEST_CASE("of two threads that release one block, one succeeds, and the other one is told",
          "[shared_memory_pool][threads]") {
    recorded_violations violations;
    for (const unsigned magazine_size : {0u, 60u}) {
        const shared_memory_pool pool({64, 100}, {.magazine_size = magazine_size});
        std::array<release_status, 2> said{};
        std::size_t wrong = 0;
        const std::size_t rounds = turns(500);
        for (std::size_t round = 0; round < rounds; ++round) {
            void* const block = pool.allocate();
            on_threads(2, [&](std::size_t me) { said[me] = pool.try_deallocate(block); });
            std::sort(said.begin(), said.end());
            if (said != std::array{release_status::released, release_status::double_free}) ++wrong;
        }
        CHECK(wrong == 0);
        void* const block = pool.allocate();
        on_threads(2, [&](std::size_t) { pool.deallocate(block); });
        CHECK(violations.count() == 1);
        CHECK(violations.last().kind == violation_kind::double_free);
        CHECK(pool.available() == 100);
    }
}

TEST_CASE("a double free of a raw block is one, also where the block is handed out again meanwhile",
          "[shared_memory_pool][threads]") {
    recorded_violations violations;
    const shared_memory_pool pool({64, 1});
    void* const block = pool.allocate();  // there is no other block
    std::array<std::size_t, 2> wrong{};
    on_threads(2, [&](std::size_t me) {
        for (std::size_t turn = 0; turn < turns(50'000); ++turn) {
            if (me == 0) static_cast<void>(pool.try_allocate());
            const release_status said = pool.try_deallocate(block);
            if (said != release_status::released && said != release_status::double_free) ++wrong[me];
            pool.deallocate(block);
        }
    });
    CHECK(wrong == std::array<std::size_t, 2>{});
    CHECK(violations.count() != 0);
    CHECK(violations.were_all(violation_kind::double_free));
    static_cast<void>(pool.try_deallocate(block));
    CHECK(pool.in_use() == 0);
}

TEMPLATE_TEST_CASE_SIG("misuse of a shared_memory_pool is told exactly while other threads use it",
                       "[shared_memory_pool][threads]", ((checking C), C), checking::checked, checking::debug) {
    recorded_violations violations;
    const basic_shared_memory_pool<C> pool({24, 200});
    void* const held = pool.allocate();
    void* const last = pool.block_at(199);  // reached only at debug level
    std::array<std::size_t, 4> wrong{};
    const std::size_t rounds = turns(1000);
    on_threads(4, [&](std::size_t me) {
        int foreign = 0;
        for (std::size_t round = 0; round < rounds; ++round) {
            void* const block = pool.try_allocate();
            if (pool.try_deallocate(&foreign) != release_status::foreign_pointer) ++wrong[me];
            if (pool.try_deallocate(offset(held, 23)) != release_status::misaligned_pointer) ++wrong[me];
            if constexpr (C == checking::checked)
                if (pool.try_deallocate(last) != release_status::not_allocated || pool.owns(last)) ++wrong[me];
            if (!pool.owns(held) || !pool.owns(block)) ++wrong[me];
            if (round % 50 == 0) pool.deallocate(&foreign);
            if (pool.try_deallocate(block) != release_status::released) ++wrong[me];
        }
    });
    CHECK(wrong == std::array<std::size_t, 4>{});
    CHECK(violations.count() == 4 * ((rounds + 49) / 50));
    CHECK(pool.in_use() == 1);
    pool.deallocate(held);
}

TEMPLATE_TEST_CASE_SIG("any thread releases any raw block", "[shared_memory_pool][threads]", ((checking C), C),
                       checking::unchecked, checking::checked, checking::debug) {
    const basic_shared_memory_pool<C> pool({sizeof(std::uint64_t), 200});
    std::array<std::atomic<std::uint64_t*>, 50> places{};
    std::array<std::size_t, 4> wrong{};
    on_threads(4, [&](std::size_t me) {
        for (std::size_t turn = 0; turn < turns(20'000); ++turn) {
            void* const block = pool.try_allocate();
            if (block == nullptr) {
                ++wrong[me];
                continue;
            }
            auto* const mine = ::new (block) std::uint64_t(turn * 4 + me);
            std::uint64_t* const theirs = places[(turn * 7 + me) % places.size()].exchange(mine);
            if (theirs == nullptr) continue;
            if (*theirs >= 4 * turns(20'000)) ++wrong[me];
            *theirs = ~std::uint64_t{0};
            pool.deallocate(theirs);
        }
    });
    for (auto& place : places)
        if (place != nullptr) pool.deallocate(place);
    CHECK(wrong == std::array<std::size_t, 4>{});
    CHECK(pool.available() == 200);
    CHECK(pool.peak_in_use() <= 200);
}

TEST_CASE("blocks that are out when the last copy of a shared_memory_pool dies are one leak", "[shared_memory_pool]") {
    const heap::usage before = heap::in_use();
    {
        static std::vector<fixpool::violation> told;
        const auto tell = [](const fixpool::violation& v) {
            told.push_back(v);
            *static_cast<std::string*>(v.context) += v.pool_name;
        };
        std::string names;
        {
            std::optional<shared_memory_pool> pool(
                std::in_place, pool_layout{64, 1000},
                fixpool::pool_options{.name = "packets", .on_violation = tell, .context = &names});
            std::optional<shared_memory_pool> copy = pool;
            std::vector<void*> blocks;
            for (int i = 0; i < 300; ++i) blocks.push_back(pool->allocate());
            const void* const second = blocks[1];
            for (int i = 0; i < 300; ++i)
                if (i != 1 && i != 200) pool->deallocate(blocks[static_cast<std::size_t>(i)]);
            pool.reset();
            CHECK(told.empty());
            copy.reset();
            REQUIRE(told.size() == 1);
            CHECK(told[0].kind == violation_kind::leak);
            CHECK(told[0].live_blocks == 2);
            CHECK(told[0].address == second);
            CHECK(told[0].index == 1);
            CHECK(names == "packets");
        }
        {
            const shared_memory_pool pool({64, 1000}, {.on_violation = tell, .context = &names});
            pool.deallocate(pool.allocate());
        }
        CHECK(told.size() == 1);
        told = std::vector<fixpool::violation>();
    }
    CHECK(heap::in_use() == before);
}

namespace {

const shared_memory_pool* pool_of_handler = nullptr;
std::size_t in_use_in_handler = 0;
void use_the_pool(const fixpool::violation&) {
    in_use_in_handler = pool_of_handler->in_use();
    pool_of_handler->deallocate(pool_of_handler->allocate());
}

}  // namespace

TEST_CASE("the violation handler may use the shared_memory_pool: no lock is held", "[shared_memory_pool]") {
    for (const std::size_t count : {3u, 1000u}) {
        const shared_memory_pool pool({64, count}, {.on_violation = &use_the_pool});
        pool_of_handler = &pool;
        void* const block = pool.allocate();
        for (void* const misused : {offset(block, 64), static_cast<void*>(&pool_of_handler)}) {
            in_use_in_handler = 99;
            pool.deallocate(misused);
            CHECK(in_use_in_handler == 1);
        }
        CHECK(pool.in_use() == 1);
        pool.deallocate(block);
    }
}

TEMPLATE_TEST_CASE_SIG("when memory fails anywhere in the construction of a shared_memory_pool, nothing is left behind",
                       "[shared_memory_pool]", ((checking C), C), checking::unchecked, checking::checked) {
    const heap::usage before = heap::in_use();
    for (const std::size_t count : {10u, 1000u}) {
        std::size_t refusals = 0;
        bool happened = true;
        for (std::size_t nth = 0; happened && nth < 10; ++nth) {
            const heap::failure failure(nth, false);
            try {
                const basic_shared_memory_pool<C> pool({64, count});
            } catch (const std::bad_alloc&) {
                ++refusals;
            }
            happened = failure.happened();
            CHECK(heap::in_use() == before);
        }
        CHECK(refusals == (count == 10 ? 3 : 4));  // the state, the arena, the counts; and the slots
    }
}

// Sanitizers would end the program here.
#if !defined(__SANITIZE_ADDRESS__) && !FIXPOOL_HAS_FEATURE(address_sanitizer) && !FIXPOOL_HAS_FEATURE(memory_sanitizer)
TEMPLATE_TEST_CASE_SIG("a write after free changes nothing that a shared_memory_pool knows", "[shared_memory_pool]",
                       ((checking C), C), checking::unchecked, checking::checked) {
    const basic_shared_memory_pool<C> pool({64, 100});
    std::array<void*, 20> blocks{}, again{};
    for (void*& block : blocks) block = pool.allocate();
    for (void* const block : blocks) pool.deallocate(block);
    for (void* const block : blocks) std::memset(block, 0xff, 64);
    for (void*& block : again) block = pool.allocate();
    std::sort(blocks.begin(), blocks.end());
    std::sort(again.begin(), again.end());
    CHECK(again == blocks);
    CHECK(pool.in_use() == 20);
    for (void* const block : again) pool.deallocate(block);
    CHECK(pool.available() == 100);
}
#endif

TEST_CASE("a shared_memory_pool that is assigned is the other one, and sizes can be asked for at run time",
          "[shared_memory_pool]") {
    const pool_layout layout{GENERATE(24u, 64u), 100};
    shared_memory_pool pool(layout);
    const shared_memory_pool other({8, 10});
    pool = other;
    CHECK(pool == other);
    CHECK(pool.total_blocks() == 10);
    CHECK(shared_memory_pool::required_bytes(layout) == fixpool::memory_pool::required_bytes(layout));
    CHECK(shared_memory_pool::required_metadata_bytes(layout) == fixpool::memory_pool::required_metadata_bytes(layout));
    CHECK(shared_memory_pool::blocks_in(10'000, layout.block_size) ==
          fixpool::memory_pool::blocks_in(10'000, layout.block_size));
}
