// SPDX-License-Identifier: BSL-1.0
#include <fixpool/detail/debug_growing_pool.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <new>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "../support/catch.hpp"
#include "../support/counted.hpp"
#include "../support/debug_handles.hpp"
#include "../support/strict_upstream.hpp"
#include "../support/unseen.hpp"
#include "../support/violations.hpp"

using fixpool::checking;
using fixpool::release_status;
using fixpool::site;
using fixpool::violation;
using fixpool::violation_kind;
using fixpool::detail::debug_frame;
using debug_pool = fixpool::basic_growing_pool<checking::debug>;
template <class T> using objects = fixpool::growing_typed_pool<T, checking::debug>;

namespace {

constexpr site first_place{"first.cpp", 1, "f"}, second_place{"second.cpp", 2, "g"}, third_place{"third.cpp", 3, "h"};

bool is(const site& a, const site& b) { return a.file == b.file && a.line == b.line && a.address == b.address; }

std::string text_of(const violation& v) { return fixpool::detail::describe_debug(v).c_str(); }

void* behind(void* block, std::ptrdiff_t bytes) {
    return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(block) + static_cast<std::uintptr_t>(bytes));
}

std::vector<void*> take(debug_pool& pool, std::size_t count, const site& where = first_place) {
    std::vector<void*> blocks;
    while (blocks.size() < count) blocks.push_back(pool.allocate(where));
    return blocks;
}

/// The record of a block's frame.
fixpool::detail::debug_frame_record record_of(void* block, std::size_t front = debug_frame::front_of(1)) {
    return debug_frame(static_cast<std::byte*>(block) - front, 0).record();
}

static_assert(!std::is_copy_constructible_v<debug_pool> && !std::is_move_constructible_v<debug_pool>);
static_assert(noexcept(std::declval<debug_pool&>().try_allocate()) &&
              !noexcept(std::declval<debug_pool&>().allocate()));
static_assert(noexcept(std::declval<debug_pool&>().deallocate(nullptr)));
static_assert(noexcept(std::declval<debug_pool&>().try_deallocate(nullptr)));
static_assert(noexcept(std::declval<debug_pool&>().try_allocate_bulk({})));
static_assert(noexcept(std::declval<debug_pool&>().deallocate_bulk({})));
static_assert(noexcept(std::declval<objects<int>&>().adopt(nullptr)));
static_assert(sizeof(fixpool::growing_block<int, checking::debug>) == 2 * sizeof(void*));

}  // namespace

TEST_CASE("debug growing: a raw block's sites are the caller's unless they are given", "[debug_growing_pool]") {
    recorded_violations violations;
    debug_pool pool(64);
    const unsigned line = __LINE__ + 1;
    void* const block = pool.allocate();
    pool.deallocate(block);
    pool.deallocate(block);
    REQUIRE(violations.count() == 1);
    const violation v = violations.last();
    CHECK(v.kind == violation_kind::double_free);
    CHECK(v.address == block);
    CHECK(v.index == 0);
    CHECK(v.pool == &pool);
    CHECK(v.total_blocks == pool.total_blocks());
    CHECK(v.live_blocks == 0);
    CHECK(std::string(v.allocated_at.file) == __FILE__);
    CHECK(v.allocated_at.line == line);
    CHECK(v.released_at.line == line + 1);
    CHECK(v.print != nullptr);
    CHECK(text_of(v).find("released at") != std::string::npos);

    void* const other = pool.try_allocate(first_place);
    CHECK(pool.try_deallocate(other, second_place) == release_status::released);
    CHECK(pool.try_deallocate(other, third_place) == release_status::double_free);
    CHECK(violations.count() == 0);
    pool.deallocate(other, third_place);
    REQUIRE(violations.count() == 1);
    CHECK(is(violations.last().allocated_at, first_place));
    CHECK(is(violations.last().released_at, second_place));
    CHECK(pool.try_deallocate(nullptr) == release_status::null_pointer);
    pool.deallocate(nullptr);
    CHECK(violations.count() == 0);
}

TEST_CASE("debug growing: bulk forms keep the site of their call", "[debug_growing_pool]") {
    recorded_violations violations;
    debug_pool pool(64, {.max_blocks = 4});
    std::array<void*, 3> blocks{};
    REQUIRE(pool.try_allocate_bulk(blocks, first_place));
    std::array<void*, 2> too_many{&pool, &pool};
    CHECK(!pool.try_allocate_bulk(too_many));
    CHECK(too_many[0] == &pool);
    CHECK(pool.stats().refused == 1);
    pool.deallocate_bulk(blocks, second_place);
    CHECK(pool.in_use() == 0);
    for (void* const block : blocks) {
        pool.deallocate(block);
        REQUIRE(violations.count() == 1);
        CHECK(is(violations.last().allocated_at, first_place));
        CHECK(is(violations.last().released_at, second_place));
    }
    REQUIRE(pool.try_allocate_bulk(too_many));
    pool.deallocate_bulk(too_many);
    const unsigned line = __LINE__ - 2;
    pool.deallocate_bulk(too_many);
    CHECK(violations.count() == 2);
    CHECK(violations.last().allocated_at.line == line);
    CHECK(violations.last().released_at.line == line + 1);
}

TEST_CASE("debug growing: operations and threads are numbered", "[debug_growing_pool]") {
    recorded_violations violations;
    debug_pool pool(64, {.max_blocks = 2});
    void* const first = pool.allocate();
    void* const second = pool.allocate();
    pool.deallocate(first);
    std::thread([&] { pool.deallocate(second); }).join();
    pool.deallocate(second);
    REQUIRE(violations.count() == 1);
    const violation& v = violations.last();
    CHECK(v.allocation == 2);
    CHECK(v.release == 4);
    CHECK(v.allocated_by != v.released_by);
    void* const third = pool.allocate();
    CHECK(third == second);
    CHECK(pool.try_deallocate(behind(third, 1)) == release_status::misaligned_pointer);
    pool.deallocate(behind(third, 1));
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().allocation == 5);
    CHECK(violations.last().release == 0);
    pool.deallocate(third);
}

TEST_CASE("debug growing: a write after free is found when the block is handed out, and mended",
          "[debug_growing_pool]") {
    recorded_violations violations;
    for (const std::size_t size : {1u, 2u, 24u, 100u, 1000u}) {
        debug_pool pool(size, {.max_blocks = 1}, std::pmr::get_default_resource(), {.name = "packets"});
        const auto end = static_cast<std::ptrdiff_t>(pool.stride() - debug_frame::front_of(1));
        const auto bytes = static_cast<std::ptrdiff_t>(size);
        for (const std::ptrdiff_t offset :
             {std::ptrdiff_t{0}, bytes / 2, bytes - 1, bytes, end - 1, std::ptrdiff_t{-1}, std::ptrdiff_t{-16}}) {
            void* const block = pool.allocate(first_place);
            pool.deallocate(block, second_place);
            write_unseen(block, offset, 0x41);
            CHECK(pool.allocate(third_place) == block);
            REQUIRE(violations.count() == 1);
            const violation& v = violations.last();
            CHECK(v.kind == violation_kind::write_after_free);
            CHECK(v.address == block);
            CHECK(v.pool == &pool);
            CHECK(v.index == 0);
            CHECK(v.total_blocks == pool.total_blocks());
            CHECK(v.live_blocks == 1);
            CHECK(v.offset == offset);
            CHECK(v.byte == 0x41);
            CHECK(is(v.allocated_at, first_place));
            CHECK(is(v.released_at, second_place));
            CHECK(violations.last_name() == "packets");
            pool.deallocate(block);
            pool.deallocate(pool.allocate());
            CHECK(violations.count() == 0);
            CHECK(read_unseen(block, offset) == 0xdd);
        }
    }
}

TEST_CASE("debug growing: an overflow is found when the block is released, and mended", "[debug_growing_pool]") {
    recorded_violations violations;
    struct layout {
        std::size_t size, alignment;
    };
    for (const layout& of : {layout{1, 0}, {24, 0}, {64, 64}, {40, 4096}, {5000, 8}}) {
        debug_pool pool(of.size, {.max_blocks = 3}, std::pmr::get_default_resource(), {}, of.alignment);
        std::vector<void*> blocks = take(pool, 3);
        const auto size = static_cast<std::ptrdiff_t>(of.size);
        const std::size_t front = debug_frame::front_of(pool.alignment());
        const auto end = static_cast<std::ptrdiff_t>(pool.stride() - front);
        const auto start = static_cast<std::ptrdiff_t>(sizeof(fixpool::detail::debug_frame_record)) -
                           static_cast<std::ptrdiff_t>(front);
        for (std::size_t i = 0; i < 3; ++i) {
            CHECK(reinterpret_cast<std::uintptr_t>(blocks[i]) % pool.alignment() == 0);
            for (const std::ptrdiff_t offset : {size, size + 7, size + 15, end - 1, std::ptrdiff_t{-1}, start}) {
                write_unseen(blocks[i], offset, 0x42);
                pool.deallocate(blocks[i], second_place);
                REQUIRE(violations.count() == 1);
                const violation& v = violations.last();
                CHECK(v.kind == violation_kind::buffer_overflow);
                CHECK(v.address == blocks[i]);
                CHECK(v.index == i);
                CHECK(v.offset == offset);
                CHECK(v.byte == 0x42);
                CHECK(v.live_blocks == 3);  // the block is still in use
                CHECK(is(v.allocated_at, first_place));
                CHECK(is(v.released_at, second_place));
                CHECK(read_unseen(blocks[i], offset) == 0xdd);
                CHECK(pool.in_use() == 2);
                CHECK(pool.allocate(first_place) == blocks[i]);
                CHECK(violations.count() == 0);
            }
        }
        write_unseen(blocks[0], size, 1);
        write_unseen(blocks[0], -1, 2);
        CHECK(pool.try_deallocate(blocks[0]) == release_status::released);
        CHECK(violations.count() == 2);  // one on each side
        pool.deallocate(blocks[1]);
        pool.deallocate(blocks[2]);
        CHECK(violations.count() == 0);
    }
}

TEST_CASE("debug growing: exactly the blocks are blocks, of what an address may be", "[debug_growing_pool]") {
    recorded_violations violations;
    strict_upstream memory;
    debug_pool pool(40, {.page_bytes = 4096, .max_blocks = 10}, &memory);
    const std::vector<void*> blocks = take(pool, 3);
    pool.deallocate(blocks[1], second_place);
    auto* const page = static_cast<std::byte*>(memory.start_of(blocks[0]));
    const std::size_t stride = pool.stride(), front = debug_frame::front_of(1);
    bool are_right = true;
    for (std::size_t at = 0; at < 10 * stride; ++at) {
        void* const address = page + at;
        const bool is_start = at % stride == front;
        const std::size_t number = at / stride;
        const release_status status = number == 0 || number == 2 ? release_status::released
                                      : number == 1              ? release_status::double_free
                                                                 : release_status::not_allocated;
        are_right &= pool.contains(address);
        are_right &= pool.owns(address) == (is_start && status == release_status::released);
        if (is_start && status == release_status::released) continue;
        are_right &= pool.try_deallocate(address) == (is_start ? status : release_status::misaligned_pointer);
        if (at % 8 != 0) continue;
        pool.deallocate(address);
        if (violations.count() != 1) FAIL("at " << at);
        const violation& v = violations.last();
        are_right &= v.index == number;
        are_right &= v.total_blocks == 10;
        are_right &= v.live_blocks == 2;
        are_right &= is(v.allocated_at, number < 3 ? first_place : site::unknown());
        are_right &= is(v.released_at, number == 1 ? second_place : site::unknown());
    }
    CHECK(are_right);
    for (std::byte* const address : {page - 1, page - front, page + 10 * stride, page + 10 * stride + front}) {
        CHECK(!pool.contains(address));
        CHECK(pool.try_deallocate(address) == release_status::foreign_pointer);
        pool.deallocate(address);
        REQUIRE(violations.count() == 1);
        CHECK(violations.last().index == violation::npos);
        CHECK(violations.last().print != nullptr);
        CHECK(violations.last().total_blocks == 10);
        CHECK(violations.last().allocation == 0);
    }
    for (const std::uintptr_t nowhere : {std::uintptr_t{1}, std::uintptr_t{front}, ~std::uintptr_t{0}})
        CHECK(pool.try_deallocate(reinterpret_cast<void*>(nowhere)) == release_status::foreign_pointer);
    pool.deallocate(blocks[0]);
    pool.deallocate(blocks[2]);
    CHECK(violations.count() == 0);
}

TEST_CASE("debug growing: what memory holds that never was a block is not looked at", "[debug_growing_pool]") {
    recorded_violations violations;
    alignas(4096) static std::array<std::byte, 1 << 16> buffer;
    for (const int garbage : {0, 0xa5, 0xdd, 0xfd}) {
        std::memset(buffer.data(), garbage, buffer.size());
        for (int turn = 0; turn < 2; ++turn) {  // the second turn finds the frames of the first
            std::pmr::monotonic_buffer_resource memory(buffer.data(), buffer.size(), std::pmr::null_memory_resource());
            debug_pool pool(24, {.page_bytes = 4096}, &memory);
            const std::vector<void*> blocks = take(pool, 30);
            CHECK(pool.audit());
            pool.deallocate_bulk(blocks);
            CHECK(pool.audit());
        }
    }
    CHECK(violations.count() == 0);
}

TEST_CASE("debug growing: the blocks of a page that starts anew are still verified", "[debug_growing_pool]") {
    recorded_violations violations;
    debug_pool pool(16, {.page_bytes = 65536});
    std::vector<void*> blocks = take(pool, 200);
    pool.deallocate_bulk(blocks, second_place);
    CHECK(pool.in_use() == 0);
    std::sort(blocks.begin(), blocks.end());
    write_unseen(blocks[70], 3, 0x41);
    write_unseen(blocks[199], 4, 0x41);
    CHECK(take(pool, 200) == blocks);
    CHECK(violations.count() == 2);
    CHECK(violations.were_all(violation_kind::write_after_free));
    CHECK(violations.last().address == blocks[199]);
    CHECK(is(violations.last().released_at, second_place));
    pool.deallocate_bulk(blocks);
}

TEST_CASE("debug growing: reset forgets fills and records", "[debug_growing_pool]") {
    recorded_violations violations;
    debug_pool pool(16);
    void* const block = pool.allocate();
    void* const held = pool.allocate();
    pool.deallocate(block);
    write_unseen(block, 0, 1);
    write_unseen(held, 16, 1);
    pool.reset();
    CHECK(pool.in_use() == 0);
    CHECK(pool.peak_in_use() == 0);
    CHECK(!pool.owns(held));
    CHECK(pool.audit());
    CHECK(pool.allocate() == block);
    CHECK(violations.count() == 0);
    pool.reset();
    pool.deallocate(block);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::not_allocated);
    CHECK(violations.last().allocation == 0);
    CHECK(is(violations.last().allocated_at, site::unknown()));
}

TEST_CASE("debug growing: shrink gives pages back, and those that stay are as they were", "[debug_growing_pool]") {
    recorded_violations violations;
    strict_upstream memory;
    debug_pool pool(40, {.page_bytes = 4096}, &memory);
    const std::vector<void*> blocks = take(pool, 100);
    for (std::size_t i = 1; i < 100; ++i) pool.deallocate(blocks[i]);
    const std::size_t before = memory.out();
    pool.shrink();
    CHECK(memory.out() < before);
    CHECK(pool.contains(blocks[0]));
    CHECK(!pool.contains(blocks[99]));
    CHECK(pool.audit());
    pool.deallocate(blocks[0]);
    pool.deallocate_bulk(take(pool, 100));
    pool.shrink();
    CHECK(pool.total_blocks() == 0);
    CHECK(violations.count() == 0);
    CHECK(memory.wrong() == 0);
}

TEST_CASE("debug growing: free blocks are handed out as at the other levels, sorted where that was asked for",
          "[debug_growing_pool]") {
    debug_pool pool(16);
    const std::vector<void*> blocks = take(pool, 4);
    pool.deallocate(blocks[3]);
    pool.deallocate(blocks[1]);
    pool.deallocate(blocks[2]);
    pool.sort_free_blocks();
    for (const std::size_t next : {1u, 2u, 3u}) CHECK(pool.allocate() == blocks[next]);
    std::vector<void*> seen;
    pool.for_each_allocated([&seen](void* block) { seen.push_back(block); });
    CHECK(seen == blocks);
    pool.deallocate_bulk(blocks);
}

TEST_CASE("debug growing: a pool tells of the caller's blocks", "[debug_growing_pool]") {
    strict_upstream memory;
    {
        debug_pool pool(40, {.page_bytes = 4096, .max_blocks = 50}, &memory, {.name = "few"});
        CHECK(pool.block_size() == 40);
        CHECK(pool.alignment() == 8);
        CHECK(pool.stride() >= debug_frame::bytes_for(40, 8));
        CHECK(pool.stride() % 16 == 0);
        CHECK(pool.stride() < debug_frame::bytes_for(40, 8) + 16);
        CHECK(pool.total_blocks() == 0);
        CHECK(memory.asked() == 0);
        const std::vector<void*> blocks = take(pool, 50);
        CHECK(pool.total_blocks() == 50);
        CHECK(pool.available() == 0);
        CHECK(pool.try_allocate() == nullptr);
        CHECK_THROWS_AS(pool.allocate(), fixpool::pool_exhausted);
        const fixpool::pool_stats s = pool.stats();
        CHECK(s.refused == 2);
        CHECK(s.block_size == 40);
        CHECK(s.stride == pool.stride());
        CHECK(s.arena_bytes == memory.bytes());
        CHECK(s.metadata_bytes == s.arena_bytes - 50 * pool.stride());
        CHECK(std::string(pool.name()) == "few");
        pool.deallocate_bulk(blocks);
        memory.fail(0, true);
        CHECK(pool.try_allocate() != nullptr);
        pool.reset();
        pool.shrink();
        CHECK(pool.try_allocate() == nullptr);
        CHECK_THROWS_AS(pool.allocate(), std::bad_alloc);
        memory.succeed();
    }
    CHECK(memory.out() == 0);
    CHECK(memory.wrong() == 0);
    for (const std::size_t alignment : {1u, 16u, 32u, 4096u})
        CHECK(debug_pool(100, {}, &memory, {}, alignment).stride() % alignment == 0);
    CHECK_THROWS_AS(debug_pool(std::size_t{1} << 28), std::length_error);
    CHECK_THROWS_AS(debug_pool(0), std::invalid_argument);
}

TEST_CASE("debug growing: audit finds what was written around live blocks and into free ones, and mends nothing",
          "[debug_growing_pool]") {
    recorded_violations violations;
    debug_pool pool(40, {.page_bytes = 4096});
    const std::size_t in_page = 4096 / pool.stride(), count = 3 * in_page;
    const std::vector<void*> blocks = take(pool, count);
    for (std::size_t i = 0; i < count; i += 3) pool.deallocate(blocks[i], second_place);
    CHECK(pool.audit());
    const auto is_found = [&](std::size_t i, std::ptrdiff_t offset, violation_kind kind) {
        const unsigned char before = read_unseen(blocks[i], offset);
        write_unseen(blocks[i], offset, 0x42);
        for (int turn = 0; turn < 2; ++turn) {
            CHECK(!pool.audit());
            REQUIRE(violations.count() == 1);
            const violation& v = violations.last();
            CHECK(v.kind == kind);
            CHECK(v.address == blocks[i]);
            CHECK(v.offset == offset);
            CHECK(v.byte == 0x42);
            CHECK(v.index == i % in_page);
            CHECK(v.total_blocks == in_page);
            CHECK(is(v.allocated_at, first_place));
        }
        write_unseen(blocks[i], offset, before);
        CHECK(pool.audit());
    };
    REQUIRE(pool.total_blocks() == count);
    const std::size_t in_second = (in_page + 2) / 3 * 3;  // the first free block there
    for (const std::size_t i : {std::size_t{1}, in_second + 1, count - 2}) {
        is_found(i, 40, violation_kind::buffer_overflow);
        is_found(i, -1, violation_kind::buffer_overflow);
    }
    for (const std::size_t i : {std::size_t{0}, in_second, count - 3}) {
        is_found(i, 0, violation_kind::write_after_free);
        is_found(i, 39, violation_kind::write_after_free);
        is_found(i, -16, violation_kind::write_after_free);
    }
    const std::ptrdiff_t record = -static_cast<std::ptrdiff_t>(debug_frame::front_of(1));
    for (const std::size_t i : {0u, 1u}) {
        const unsigned char before = read_unseen(blocks[i], record);
        write_unseen(blocks[i], record, static_cast<unsigned char>(before + 1));
        CHECK(!pool.audit());
        REQUIRE(violations.count() == 1);
        CHECK(violations.last().kind == violation_kind::corrupted_pool);
        CHECK(violations.last().index == i);
        CHECK(std::string(violations.last().problem) == "what is kept of the block was overwritten");
        write_unseen(blocks[i], record, before);
    }
    for (std::size_t i = 0; i < count; ++i)
        if (i % 3 != 0) pool.deallocate(blocks[i]);
    CHECK(violations.count() == 0);
}

TEST_CASE("debug growing: audit finds what was written to links, too", "[debug_growing_pool]") {
    recorded_violations violations;
    class watched final : public std::pmr::memory_resource {
    public:
        std::byte* in_front_of_links = nullptr;  // of the only page: its links lie behind this

    private:
        void* do_allocate(std::size_t bytes, std::size_t alignment) override {
            void* const memory = std::pmr::new_delete_resource()->allocate(bytes, alignment);
            if (alignment < 4096) in_front_of_links = static_cast<std::byte*>(memory);
            return memory;
        }
        void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
            std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
        }
        [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
    } memory;
    debug_pool pool(24, {.page_bytes = 4096}, &memory);
    void* const block = pool.allocate();
    auto* const links = reinterpret_cast<std::uint16_t*>(memory.in_front_of_links + sizeof(std::uintptr_t));
    const std::uint16_t third = std::exchange(links[2], fixpool::detail::page_state::live);
    CHECK(!pool.audit());
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::corrupted_pool);
    CHECK(violations.last().address == links + 2);
    CHECK(violations.last().index == 2);
    CHECK(violations.last().allocation == 0);
    links[2] = third;
    CHECK(pool.audit());
    pool.deallocate(block);
}

TEST_CASE("debug growing: a long overflow into what is kept of the next block is told, and that block goes on",
          "[debug_growing_pool]") {
    std::vector<violation> told;
    const auto keep = [](const violation& v) { static_cast<std::vector<violation>*>(v.context)->push_back(v); };
    auto count = [&told, seen = std::size_t{0}]() mutable { return told.size() - std::exchange(seen, told.size()); };
    debug_pool pool(40, {.max_blocks = 3}, std::pmr::get_default_resource(), {.on_violation = keep, .context = &told});
    const std::vector<void*> blocks = take(pool, 3);
    const auto end = static_cast<std::ptrdiff_t>(pool.stride() - debug_frame::front_of(1));
    const auto overrun = [&] {
        for (std::ptrdiff_t offset = 40; offset < end + 64; ++offset) write_unseen(blocks[0], offset, 0x41);
    };
    overrun();
    pool.deallocate(blocks[1], second_place);
    REQUIRE(count() == 2);
    CHECK(told[0].kind == violation_kind::buffer_overflow);
    CHECK(told[0].address == blocks[0]);
    CHECK(told[0].index == 0);
    CHECK(told[0].offset == 40);
    CHECK(told[0].byte == 0x41);
    CHECK(is(told[0].allocated_at, first_place));
    CHECK(told[1].kind == violation_kind::corrupted_pool);
    CHECK(told[1].index == 1);
    CHECK(told[1].offset == 0);
    CHECK(is(told[1].allocated_at, site::unknown()));
    CHECK(text_of(told[1]).find("what is kept of the block was overwritten") != std::string::npos);
    pool.deallocate(blocks[1]);
    REQUIRE(count() == 1);
    CHECK(told.back().kind == violation_kind::double_free);
    CHECK(is(told.back().released_at, second_place));  // where it was allocated is lost
    CHECK(is(told.back().allocated_at, site::unknown()));
    overrun();
    CHECK(pool.try_deallocate(blocks[1]) == release_status::double_free);
    CHECK(pool.allocate(third_place) == blocks[1]);
    REQUIRE(count() == 2);
    CHECK(told.back().kind == violation_kind::corrupted_pool);
    CHECK(record_of(blocks[1]).allocation == 5);
    pool.deallocate(blocks[0]);
    REQUIRE(count() == 1);
    CHECK(told.back().kind == violation_kind::buffer_overflow);

    // A block is not blamed if it was overwritten on its other side, or if it is free.
    write_unseen(blocks[1], end, 1);
    write_unseen(blocks[1], -1, 1);
    pool.deallocate(blocks[2], second_place);
    REQUIRE(count() == 1);
    CHECK(told.back().kind == violation_kind::corrupted_pool);
    CHECK(told.back().index == 2);
    write_unseen(blocks[1], -1, 0xfd);
    write_unseen(blocks[0], 40, 1);
    write_unseen(blocks[0], end, 1);
    pool.deallocate(blocks[1]);
    REQUIRE(count() == 1);
    CHECK(told.back().kind == violation_kind::corrupted_pool);
    CHECK(told.back().index == 1);
    write_unseen(blocks[0], 40, 0xdd);
    write_unseen(blocks[0], end - static_cast<std::ptrdiff_t>(pool.stride()), 1);
    CHECK(take(pool, 3).size() == 3);
    REQUIRE(count() == 1);
    CHECK(told.back().index == 0);
    pool.reset();
}

namespace {

/// What a handler learns from a pool that dies.
struct last_words {
    std::vector<fixpool::holder> holders;
    std::size_t calls = 0, live = 0;
    violation_kind kind{};
    std::string text;
};
void keep(const violation& v) {
    auto& to = *static_cast<last_words*>(v.context);
    ++to.calls;
    to.kind = v.kind;
    to.holders.assign(v.holders.begin(), v.holders.end());
    to.live = v.live_blocks;
    to.text = text_of(v);
}

}  // namespace

TEST_CASE("debug growing: a leak is grouped by site, most first", "[debug_growing_pool]") {
    last_words found;
    strict_upstream memory;
    {
        debug_pool pool(16, {.page_bytes = 4096}, &memory,
                        {.name = "packets", .on_violation = keep, .context = &found});
        (void)take(pool, 30, first_place);
        (void)take(pool, 50, second_place);
        pool.deallocate(pool.allocate(third_place));
        (void)pool.allocate(site::unknown());
    }
    CHECK(found.calls == 1);
    CHECK(found.kind == violation_kind::leak);
    CHECK(found.live == 81);
    REQUIRE(found.holders.size() == 3);
    CHECK(is(found.holders[0].where, second_place));
    CHECK(found.holders[0].blocks == 50);
    CHECK(is(found.holders[1].where, first_place));
    CHECK(found.holders[1].blocks == 30);
    CHECK(is(found.holders[2].where, site::unknown()));
    CHECK(found.text.find("allocated at") == std::string::npos);  // the groups tell it
    CHECK(memory.out() == 0);
    CHECK(memory.wrong() == 0);

    {
        debug_pool pool(16, {}, &memory, {.name = "packets", .on_violation = keep, .context = &found});
        (void)take(pool, 2, first_place);
    }
    CHECK(found.text.substr(found.text.find("in pool")) == "in pool \"packets\"; allocated at first.cpp:1");
}

TEST_CASE("debug growing: a leak without memory for the groups is told all the same", "[debug_growing_pool]") {
    last_words found;
    strict_upstream memory;
    {
        debug_pool pool(16, {}, &memory, {.on_violation = keep, .context = &found});
        (void)take(pool, 2, first_place);
        memory.fail(0, true);
    }
    CHECK(found.calls == 1);
    CHECK(found.live == 2);
    CHECK(found.holders.empty());
    CHECK(memory.out() == 0);
}

TEST_CASE("debug growing: an exhausted pool says who holds its blocks", "[debug_growing_pool]") {
    strict_upstream memory;
    debug_pool pool(16, {.max_blocks = 5}, &memory, {.name = "packets"});
    const std::vector<void*> blocks = take(pool, 3, first_place), more = take(pool, 2, second_place);
    const auto refusal = [&pool] {
        try {
            (void)pool.allocate();
        } catch (const fixpool::pool_exhausted& exhausted) {
            return std::string(exhausted.what());
        }
        return std::string("none");
    };
    const std::string all = "fixpool: 5 of 5 blocks in use in pool \"packets\"";
    CHECK(refusal() == all + ": 3 allocated at first.cpp:1, 2 allocated at second.cpp:2");
    const std::size_t out = memory.out();
    memory.fail(0, true);
    CHECK(refusal() == all);
    memory.succeed();
    CHECK(memory.out() == out);
    pool.deallocate_bulk(blocks);
    pool.deallocate_bulk(more);
}

namespace {

/// What a handler does to the pool of the violation.
struct scene {
    debug_pool* pool = nullptr;
    void (*does)(scene&) = nullptr;
    unsigned calls = 0, corruptions = 0, overflows = 0;
    static void play(const violation& v) {
        scene& in = *static_cast<scene*>(v.context);
        in.corruptions += v.kind == violation_kind::corrupted_pool;
        in.overflows += v.kind == violation_kind::buffer_overflow;
        if (++in.calls <= 10) in.does(in);
    }
};

}  // namespace

TEST_CASE("debug growing: a handler may use the pool", "[debug_growing_pool]") {
    scene now;
    debug_pool pool(16, {.max_blocks = 4}, std::pmr::get_default_resource(),
                    {.on_violation = scene::play, .context = &now});
    now.pool = &pool;
    now.does = [](scene& in) { in.pool->deallocate(in.pool->try_allocate()); };
    const std::vector<void*> blocks = take(pool, 4);
    pool.deallocate_bulk(blocks);
    for (void* const block : blocks) write_unseen(block, 3, 7);
    void* const taken = pool.allocate();
    CHECK(now.calls == 4);  // each block once: the handler took the others
    write_unseen(taken, 16, 7);
    pool.deallocate(taken);
    CHECK(now.calls == 5);
    CHECK(pool.in_use() == 0);
    CHECK(pool.audit());
    CHECK(now.calls == 5);
}

TEST_CASE("debug growing: a handler may make the pool grow, so that what is kept of its pages moves",
          "[debug_growing_pool]") {
    scene now;
    debug_pool pool(1000, {.page_bytes = 4096}, std::pmr::get_default_resource(),
                    {.on_violation = scene::play, .context = &now});
    now.pool = &pool;
    static std::vector<void*> taken;
    taken.clear();
    now.does = [](scene& in) {
        for (int i = 0; i < 500; ++i) taken.push_back(in.pool->allocate());
    };
    std::vector<void*> page = take(pool, 7);
    REQUIRE(pool.available() == 0);
    void* const block = page.back();
    page.pop_back();
    pool.deallocate(block);
    write_unseen(block, 3, 7);
    CHECK(pool.allocate() == block);
    CHECK(now.calls == 1);
    CHECK(pool.owns(block));
    write_unseen(block, -1, 7);
    pool.deallocate(block);
    CHECK(now.calls == 2);
    CHECK(!pool.owns(block));
    CHECK(pool.audit());
    pool.deallocate_bulk(taken);
    pool.deallocate_bulk(page);
    CHECK(pool.in_use() == 0);
}

TEST_CASE("debug growing: a handler may reset the pool in the middle of an operation, and give its memory back",
          "[debug_growing_pool]") {
    static bool shrinks;
    for (const bool does_shrink : {false, true}) {
        shrinks = does_shrink;
        scene now;
        strict_upstream memory;
        debug_pool pool(16, {.max_blocks = 2}, &memory, {.on_violation = scene::play, .context = &now});
        now.pool = &pool;
        now.does = [](scene& in) {
            in.pool->reset();
            if (shrinks) in.pool->shrink();
        };
        void* const first = pool.allocate();
        write_unseen(first, 16, 1);
        pool.deallocate(first);
        CHECK(now.calls == 1);
        CHECK(pool.in_use() == 0);
        CHECK(pool.total_blocks() == (shrinks ? 0 : 2));
        CHECK(pool.audit());
        void* const second = pool.allocate();
        write_unseen(second, 16, 1);
        CHECK(pool.try_deallocate(second) == release_status::released);
        CHECK(now.calls == 2);
        CHECK(pool.total_blocks() == (shrinks ? 0 : 2));
        CHECK(pool.audit());

        void* const third = pool.allocate();
        (void)pool.allocate();
        pool.deallocate(third);
        write_unseen(third, 0, 1);
        void* const fourth = pool.allocate();
        CHECK(now.calls == 3);
        CHECK(pool.owns(fourth));
        CHECK(pool.in_use() == 1);
        CHECK(record_of(fourth).release == 0);
        CHECK(pool.audit());
        pool.deallocate(fourth);
        write_unseen(fourth, 0, 1);
        std::array<void*, 2> both{};
        CHECK(pool.try_allocate_bulk(both));
        CHECK(now.calls == 4);
        CHECK(pool.in_use() == 2);
        CHECK(pool.audit());
        pool.deallocate_bulk(both);
        CHECK(now.corruptions == 0);
        CHECK(memory.wrong() == 0);
        CHECK(now.calls == 4);
    }
}

TEST_CASE("debug growing: a pool is sound while its handler runs", "[debug_growing_pool]") {
    scene now;
    debug_pool pool(64, {.max_blocks = 4}, std::pmr::get_default_resource(),
                    {.on_violation = scene::play, .context = &now});
    now.pool = &pool;
    static bool is_inside;
    is_inside = false;
    now.does = [](scene& in) {
        if (std::exchange(is_inside, true)) return;
        static_cast<void>(in.pool->audit());
        is_inside = false;
    };
    std::array<void*, 4> blocks{};
    REQUIRE(pool.try_allocate_bulk(blocks));
    pool.deallocate(blocks[0]);
    write_unseen(blocks[0], 0, 1);
    CHECK(pool.allocate() == blocks[0]);
    CHECK(now.calls == 2);  // audit found it as well
    CHECK(now.overflows == 0);
    write_unseen(blocks[0], 64, 1);
    pool.deallocate(blocks[0]);
    CHECK(now.calls == 4);
    CHECK(now.overflows == 2);
    pool.deallocate(blocks[1]);
    pool.deallocate(blocks[2]);
    write_unseen(blocks[0], 0, 1);
    write_unseen(blocks[2], 0, 1);
    std::array<void*, 3> taken{};
    REQUIRE(pool.try_allocate_bulk(taken));
    CHECK(now.calls == 8);
    CHECK(now.overflows == 2);
    CHECK(now.corruptions == 0);
    CHECK(pool.audit());
    pool.deallocate_bulk(taken);
    pool.deallocate(blocks[3]);
    CHECK(now.calls == 8);
}

TEST_CASE("debug growing: a bulk allocation is whole, whatever a handler does in the middle of it",
          "[debug_growing_pool]") {
    for (const bool resets : {false, true}) {
        scene now;
        debug_pool pool(64, {.max_blocks = 4}, std::pmr::get_default_resource(),
                        {.on_violation = scene::play, .context = &now});
        now.pool = &pool;
        static unsigned allocated;
        allocated = 0;
        if (resets) now.does = [](scene& in) { in.pool->reset(); };
        else now.does = [](scene& in) { allocated += in.pool->try_allocate() != nullptr; };
        std::array<void*, 2> blocks{};  // the other two are fresh
        REQUIRE(pool.try_allocate_bulk(blocks));
        pool.deallocate_bulk(blocks);
        write_unseen(blocks[1], 0, 1);
        std::array<void*, 4> taken{};
        REQUIRE(pool.try_allocate_bulk(taken, third_place));
        CHECK(now.calls == 1);
        CHECK(allocated == 0);  // all are taken before the first one is verified
        CHECK(pool.in_use() == 4);
        CHECK(pool.audit());
        for (void* const block : taken) {
            CHECK(pool.owns(block));
            CHECK(is(record_of(block).allocated_at, third_place));
        }
        pool.deallocate_bulk(taken);
        CHECK(pool.in_use() == 0);
    }
}

TEST_CASE("debug growing: a random walk agrees with a model", "[debug_growing_pool]") {
    recorded_violations violations;
    constexpr std::size_t most = 300;
    debug_pool pool(24, {.page_bytes = 4096, .max_blocks = most});
    std::vector<std::pair<void*, int>> held;  // with the value of its bytes
    std::vector<void*> released;              // since the last reset or shrink, and not handed out again
    std::size_t peak = 0, refused = 0;
    std::mt19937 random(20240117);
    const auto below = [&random](std::size_t bound) { return static_cast<std::size_t>(random()) % bound; };
    const auto hold = [&](void* block) {
        released.erase(std::remove(released.begin(), released.end(), block), released.end());
        held.emplace_back(block, static_cast<int>(below(256)));
        std::memset(block, held.back().second, 24);
        peak = std::max(peak, held.size());
    };
    int step = 0;
    const auto agrees = [&step](bool is) {  // no assertion per step: their number would depend on where pages lie
        if (!is) FAIL("it does not agree in step " << step);
    };
    for (; step < 20000; ++step) {
        const std::size_t turn = below(100);
        if (turn < 40) {
            void* const block = pool.try_allocate();
            agrees((block == nullptr) == (held.size() == most));
            if (block != nullptr) hold(block);
            else ++refused;
        } else if (turn < 75 && !held.empty()) {
            auto& victim = held[below(held.size())];
            const auto* const bytes = static_cast<const unsigned char*>(victim.first);
            agrees(std::all_of(bytes, bytes + 24, [&](unsigned char byte) { return byte == victim.second; }));
            pool.deallocate(victim.first);
            released.push_back(victim.first);
            victim = held.back();
            held.pop_back();
        } else if (turn < 80 && !released.empty()) {
            agrees(pool.try_deallocate(released[below(released.size())]) == release_status::double_free);
        } else if (turn < 85 && !held.empty()) {
            const auto apart = static_cast<std::ptrdiff_t>(below(63)) - 31;
            const release_status is =
                pool.try_deallocate(behind(held[below(held.size())].first, apart == 0 ? 1 : apart));
            agrees(is == release_status::misaligned_pointer);
        } else if (turn < 90) {
            std::vector<void*> many(below(40));
            const bool is_given = pool.try_allocate_bulk(many);
            agrees(is_given == (many.size() <= most - held.size()));
            if (is_given) std::for_each(many.begin(), many.end(), hold);
            else ++refused;
        } else if (turn == 90) {
            pool.shrink();
            released.clear();
        } else if (turn == 91) {
            pool.sort_free_blocks();
        } else if (turn == 92 && below(8) == 0) {
            pool.reset();
            held.clear();
            released.clear();
            peak = refused = 0;
        } else if (turn == 93 && below(4) == 0) {
            agrees(pool.audit());
        }
        agrees(pool.in_use() == held.size());
        agrees(pool.peak_in_use() == peak);
        agrees(pool.stats().refused == refused);
        agrees(pool.total_blocks() <= most);
    }
    CHECK(pool.audit());
    for (const auto& [block, with] : held) pool.deallocate(block);
    CHECK(violations.count() == 0);
    CHECK(pool.in_use() == 0);
}

// Objects.

TEST_CASE("debug growing: handles are validated, and their sites are the caller's", "[debug_growing_pool]") {
    recorded_violations violations;
    objects<std::pair<int, int>> pool({.max_blocks = 8});
    handles_are_validated(pool, violations);
    handles_know_their_sites(pool, violations);
    CHECK(pool.block_size() == 8);
    CHECK(pool.stride() == pool.stats().stride);
    CHECK(pool.alignment() == 4);
    auto last = pool.allocate();
    write_unseen(last.get(), sizeof(std::pair<int, int>), 1);
    CHECK(!pool.audit());
    CHECK(violations.count() == 1);
}

TEST_CASE("debug growing: a handle gives up only what it owns, and nothing is released twice", "[debug_growing_pool]") {
    using handle = fixpool::growing_block<int, checking::debug>;
    recorded_violations violations;
    objects<int> pool;
    auto only = pool.allocate(7);
    alignas(handle) std::array<std::byte, sizeof(handle)> copy{};
    std::memcpy(copy.data(), static_cast<const void*>(&only), sizeof only);
    auto* const stolen = std::launder(reinterpret_cast<handle*>(copy.data()));
    only.reset();
    stolen->reset();
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::double_free);
    CHECK(pool.in_use() == 0);
    auto again = pool.allocate(8);
    std::memcpy(copy.data(), static_cast<const void*>(&again), sizeof again);
    int* const given_up = again.release();
    (void)stolen->release();
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::still_owned);
    CHECK(pool.adopt(given_up).get() == given_up);
    CHECK(pool.in_use() == 0);
}

TEST_CASE("debug growing: a constructor that throws gives its block back, filled", "[debug_growing_pool]") {
    recorded_violations violations;
    objects<counted> pool({.max_blocks = 1});
    counted::start(2);
    counted* const place = pool.allocate_at(second_place, 7).get();
    CHECK_THROWS(pool.allocate_at(first_place, 7));
    CHECK(pool.in_use() == 0);
    (void)pool.adopt(place);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::double_free);
    CHECK(is(violations.last().allocated_at, first_place));
    CHECK(is(violations.last().released_at, site::unknown()));
    CHECK(violations.last().release == 4);
    CHECK(read_unseen(place, 0) == 0xdd);
    CHECK(pool.audit());
    counted::start();
    auto next = pool.allocate(1);
    CHECK(next.get() == place);
    CHECK(violations.count() == 0);
}

namespace {

/// Looks at its pool while it is constructed and destroyed.
struct looks_around {
    objects<looks_around>& pool;
    std::size_t* seen;
    looks_around(objects<looks_around>& of, std::size_t* to) : pool(of), seen(to) { look(); }
    ~looks_around() { look(); }
    void look() {
        *seen = 0;
        pool.for_each([this](looks_around&) { ++*seen; });
        (void)pool.adopt(this);
        if (!pool.audit()) *seen = 99;
    }
};

}  // namespace

TEST_CASE("debug growing: an object that is constructed or destroyed is not allocated, and its pool is sound",
          "[debug_growing_pool]") {
    recorded_violations violations;
    objects<looks_around> pool;
    std::size_t seen = 99;
    auto first = pool.allocate_at(first_place, pool, &seen);
    CHECK(seen == 0);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::not_allocated);
    CHECK(is(violations.last().allocated_at, first_place));
    auto second = pool.allocate_at(second_place, pool, &seen);
    CHECK(seen == 1);
    CHECK(violations.count() == 1);
    second.reset();
    CHECK(seen == 1);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::not_allocated);
    CHECK(is(violations.last().allocated_at, second_place));
    second = pool.allocate(pool, &seen);  // in the released block
    CHECK(seen == 1);
    CHECK(violations.count() == 1);
}

TEST_CASE("debug growing: objects of all alignments lie where they must", "[debug_growing_pool]") {
    struct alignas(256) wide {
        char byte = 'a';
    };
    objects<wide> wides;
    objects<char> chars;
    const auto one = wides.allocate(), two = wides.allocate();
    const auto three = chars.allocate('c');
    CHECK(reinterpret_cast<std::uintptr_t>(one.get()) % 256 == 0);
    CHECK(reinterpret_cast<std::uintptr_t>(two.get()) % 256 == 0);
    CHECK(two->byte == 'a');
    CHECK(wides.stride() == wides.stats().stride);
    CHECK(wides.stride() % 256 == 0);
    CHECK(chars.stride() == chars.stats().stride);
    CHECK(wides.audit());
    CHECK(chars.audit());
}
