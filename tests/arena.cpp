// SPDX-License-Identifier: BSL-1.0
#include <fixpool/arena.hpp>

#include <fixpool/debug.hpp>
#include <fixpool/memory_pool.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/heap.hpp"

using fixpool::arena;
using fixpool::checking;
using fixpool::pool_layout;
using unchecked_pool = fixpool::basic_memory_pool<checking::unchecked>;
using debug_pool = fixpool::basic_memory_pool<fixpool::checking::debug>;
using sizes = std::initializer_list<std::size_t>;

static_assert(std::is_nothrow_move_constructible_v<arena>);
static_assert(!std::is_copy_constructible_v<arena>);
static_assert(noexcept(arena::heap()));
static_assert(noexcept(arena::borrow({})));

namespace {

bool is_within(const void* block, std::size_t size, std::span<const std::byte> bytes) {
    const auto first = reinterpret_cast<std::uintptr_t>(block);
    const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data());
    return first >= begin && first + size <= begin + bytes.size();
}

template <class Pool> std::string refusal(pool_layout layout, std::span<std::byte> bytes) {
    try {
        const Pool pool(layout, arena::borrow(bytes));
    } catch (const std::length_error& error) {
        return error.what();
    }
    return "accepted";
}

std::string needs(std::size_t needed, std::size_t has, std::size_t padding = 0,
                  const std::string& content = "blocks and metadata (see blocks_in())") {
    std::string text = "fixpool: the pool's " + content + " need " + std::to_string(needed) + " bytes";
    if (padding != 0) text += ", and " + std::to_string(padding) + " to align them in this buffer";
    return text + ": the buffer has " + std::to_string(has);
}

}  // namespace

TEMPLATE_TEST_CASE("every byte of the heap goes back to where it came from", "[arena]", unchecked_pool,
                   fixpool::memory_pool, debug_pool) {
    for (const std::size_t alignment : sizes{0, 1, 8, 16, 64, 4096}) {
        const heap::usage before = heap::in_use();
        {
            TestType pool({24, 10, alignment});
            CHECK(heap::in_use().blocks == before.blocks + 1);
            CHECK(heap::in_use().bytes == before.bytes + TestType::required_bytes({24, 10, alignment}));
            pool.deallocate(pool.allocate());
        }
        CHECK(heap::in_use() == before);
    }
}

TEMPLATE_TEST_CASE("a pool without memory is a bad_alloc, and nothing leaks", "[arena]", unchecked_pool,
                   fixpool::memory_pool, debug_pool) {
    const heap::usage before = heap::in_use();
    bool thrown = false;
    {
        const heap::failure no_memory(0, true);
        try {
            const TestType pool({64, 16});
        } catch (const std::bad_alloc&) {
            thrown = true;
        }
    }
    CHECK(thrown);
    CHECK(heap::in_use() == before);
}

TEMPLATE_TEST_CASE("a pool on a borrowed buffer allocates nothing and stays inside it", "[arena]", unchecked_pool,
                   fixpool::memory_pool, debug_pool) {
    constexpr pool_layout layout{48, 10};
    alignas(std::max_align_t) std::array<std::byte, TestType::required_bytes(layout)> buffer;
    const std::size_t allocations = heap::allocations();
    TestType pool(layout, arena::borrow(buffer));
    std::array<void*, 10> blocks{};
    for (void*& block : blocks) block = pool.allocate();
    const bool all_within =
        std::all_of(blocks.begin(), blocks.end(), [&](void* b) { return is_within(b, 48, buffer); });
    for (void* const block : blocks) pool.deallocate(block);
    CHECK(heap::allocations() == allocations);
    CHECK(all_within);
}

TEMPLATE_TEST_CASE("an aligned buffer of required_bytes is enough, one byte less is refused with the number needed",
                   "[arena]", unchecked_pool, fixpool::memory_pool, debug_pool) {
    for (const std::size_t alignment : sizes{1, 2, 4, 8, 16, 64, 4096}) {
        for (const std::size_t block_size : sizes{1, 3, 8, 24, 100}) {
            const pool_layout layout{block_size, 5, alignment};
            const std::size_t required = TestType::required_bytes(layout);
            std::vector<std::byte> storage(required + 8192);
            const auto address = reinterpret_cast<std::uintptr_t>(storage.data());
            const std::size_t multiple = alignment < 8 ? 8 : alignment;
            std::byte* const aligned = storage.data() + (multiple - address % multiple) % multiple;
            CHECK(refusal<TestType>(layout, {aligned, required}) == "accepted");
            CHECK(refusal<TestType>(layout, {aligned, required - 1}) == needs(required, required - 1));
            CHECK(refusal<TestType>(layout, {aligned + 1, required + multiple - 1}) == "accepted");
            CHECK(refusal<TestType>(layout, {aligned + 1, required + multiple - 2}) ==
                  needs(required, required + multiple - 2, multiple - 1));
        }
    }
}

TEMPLATE_TEST_CASE("no buffer at all is refused with the number needed", "[arena]", unchecked_pool,
                   fixpool::memory_pool, debug_pool) {
    CHECK(refusal<TestType>({64, 16}, {}) == needs(TestType::required_bytes({64, 16}), 0));
    std::array<std::byte, 1> tiny{};
    alignas(64) std::array<std::byte, 8> small{};
    CHECK(refusal<TestType>({64, 16}, tiny) != "accepted");
    CHECK(refusal<TestType>({64, 16, 64}, std::span(small).subspan(1)) != "accepted");  // smaller than its padding
}

TEMPLATE_TEST_CASE("blocks are aligned in a buffer that is not", "[arena]", unchecked_pool, fixpool::memory_pool) {
    alignas(64) std::array<std::byte, 1000> buffer;
    TestType pool({64, 4, 64}, arena::borrow(std::span(buffer).subspan(1)));
    void* const block = pool.allocate();
    CHECK(block == buffer.data() + 64);
    pool.deallocate(block);
}

TEST_CASE("a borrowed buffer is written only where the pool says it is", "[arena]") {
    constexpr pool_layout layout{16, 4};
    constexpr std::size_t required = fixpool::memory_pool::required_bytes(layout);
    alignas(16) std::array<std::byte, required + 32> buffer;
    buffer.fill(std::byte{0x5a});
    {
        fixpool::memory_pool pool(layout, arena::borrow(std::span(buffer).subspan(16, required)));
        std::array<void*, 4> blocks{};
        CHECK(pool.try_allocate_bulk(blocks));
        pool.deallocate_bulk(blocks);
    }
    const auto is_untouched = [](std::byte b) { return b == std::byte{0x5a}; };
    CHECK(std::all_of(buffer.begin(), buffer.begin() + 16, is_untouched));
    CHECK(std::all_of(buffer.end() - 16, buffer.end(), is_untouched));
}

TEST_CASE("a borrowed buffer can be used again after its pool", "[arena]") {
    constexpr pool_layout layout{32, 4};
    alignas(16) std::array<std::byte, fixpool::memory_pool::required_bytes(layout)> buffer;
    for (int turn = 0; turn < 3; ++turn) {
        fixpool::memory_pool pool(layout, arena::borrow(buffer));
        CHECK(pool.in_use() == 0);
        void* const block = pool.allocate();
        CHECK(block == buffer.data());
        CHECK(pool.owns(block));
        pool.deallocate(block);
    }
    buffer.fill(std::byte{1});  // the caller may use all of it again
    CHECK(buffer.back() == std::byte{1});
}

TEST_CASE("an arena moves before a pool takes it over", "[arena]") {
    const heap::usage before = heap::in_use();
    {
        arena first = arena::heap();
        arena second = std::move(first);
        fixpool::memory_pool pool({8, 2}, std::move(second));
        pool.deallocate(pool.allocate());
        CHECK(heap::in_use().blocks == before.blocks + 1);
    }
    CHECK(heap::in_use() == before);
    { const arena unused = arena::heap(); }
    CHECK(heap::in_use() == before);
}

TEST_CASE("an arena that was moved from is a buffer of no bytes", "[arena]") {
    arena heap = arena::heap();
    alignas(16) std::array<std::byte, 1000> buffer;
    arena borrowed = arena::borrow(buffer);
    const fixpool::memory_pool first({8, 2}, std::move(heap));
    const fixpool::memory_pool second({8, 2}, std::move(borrowed));
    CHECK_THROWS_AS(fixpool::memory_pool({8, 2}, std::move(heap)), std::length_error);
    CHECK_THROWS_AS(fixpool::memory_pool({8, 2}, std::move(borrowed)), std::length_error);
}

TEST_CASE("bytes are lent as std::byte or unsigned char, from an array, a container, a span, or a pointer and a size",
          "[arena]") {
    constexpr pool_layout layout{16, 4};
    constexpr std::size_t required = fixpool::memory_pool::required_bytes(layout);
    alignas(16) static std::byte bytes[required];
    alignas(16) static unsigned char chars[required];
    alignas(16) std::array<unsigned char, required> array;
    std::vector<unsigned char> vector(required + 16);
    const auto first_block_of = [&](arena memory) {
        fixpool::memory_pool pool(layout, std::move(memory));
        return static_cast<void*>(pool.blocks().data());
    };
    CHECK(first_block_of(arena::borrow(bytes)) == bytes);
    CHECK(first_block_of(arena::borrow(chars)) == chars);
    CHECK(first_block_of(arena::borrow(array)) == array.data());
    CHECK(first_block_of(arena::borrow({bytes, required})) == bytes);
    CHECK(first_block_of(arena::borrow({chars, required})) == chars);
    CHECK(first_block_of(arena::borrow({array.begin(), array.end()})) == array.data());
    CHECK(first_block_of(arena::borrow(std::span<unsigned char>(chars))) == chars);
    CHECK(first_block_of(arena::borrow(std::span<std::byte, required>(bytes))) == bytes);
    CHECK(first_block_of(arena::borrow(vector)) >= vector.data());
    CHECK_THROWS_AS(first_block_of(arena::borrow({})), std::length_error);
    static_assert(noexcept(arena::borrow(chars)));
    static_assert(!std::is_constructible_v<fixpool::lent_bytes, const std::array<std::byte, 4>&>);
    static_assert(!std::is_constructible_v<fixpool::lent_bytes, std::array<char, 4>&>);
}

TEMPLATE_TEST_CASE("blocks and metadata apart: in the first span are the blocks, and nothing else", "[arena]",
                   unchecked_pool, fixpool::memory_pool) {
    for (const std::size_t block_size : sizes{1, 3, 24, 64}) {
        const pool_layout layout{block_size, 5};
        const std::size_t required = TestType::required_metadata_bytes(layout);
        alignas(64) std::array<std::byte, 5 * 64> memory;
        const auto blocks = std::span(memory).first(5 * block_size);
        std::vector<unsigned char> metadata(required + 8);
        for (std::size_t shift = 0; shift < 8; ++shift) {  // at any alignment
            std::fill(blocks.begin(), blocks.end(), std::byte{0x5a});
            {
                TestType pool(layout, arena::borrow(blocks, std::span(metadata).subspan(shift, required)));
                std::array<void*, 5> taken{};
                CHECK(pool.try_allocate_bulk(taken));
                CHECK(taken[0] == blocks.data());
                CHECK(pool.try_allocate() == nullptr);
                pool.deallocate_bulk(taken);
                CHECK(pool.allocate() == taken[4]);
                pool.deallocate(taken[4]);
            }
#if !FIXPOOL_HAS_FEATURE(memory_sanitizer)
            CHECK(std::all_of(blocks.begin(), blocks.end(), [](std::byte b) { return b == std::byte{0x5a}; }));
#endif
        }
        const auto refused = [&](std::span<std::byte> lent, std::size_t bytes) -> std::string {
            try {
                const TestType pool(layout, arena::borrow(lent, std::span(metadata).first(bytes)));
            } catch (const std::length_error& error) {
                return error.what();
            }
            return "accepted";
        };
        CHECK(refused(blocks, required) == "accepted");
        CHECK(refused(blocks.first(5 * block_size - 1), required) ==
              needs(5 * block_size, 5 * block_size - 1, 0, "blocks"));
        CHECK(refused(blocks, 4).starts_with("fixpool: the pool's metadata (see required_metadata_bytes()) need "));
    }
}

namespace {

/// A program's own memory functions. They record each request.
struct recording_memory {
    static void* fetch(std::size_t size, std::size_t alignment, void* context) {
        auto& self = *static_cast<recording_memory*>(context);
        ++self.fetched;
        self.size = size;
        self.alignment = alignment;
        if (self.throws) throw std::runtime_error("no memory today");
        return self.answer;
    }
    static void release(void* bytes, std::size_t size, std::size_t alignment, void* context) noexcept {
        auto& self = *static_cast<recording_memory*>(context);
        ++self.released;
        self.is_right &= bytes == self.answer && size == self.size && alignment == self.alignment;
    }
    std::byte* answer = nullptr;
    bool throws = false;
    bool is_right = true;
    int fetched = 0;
    int released = 0;
    std::size_t size = 0;
    std::size_t alignment = 0;
};

}  // namespace

TEMPLATE_TEST_CASE("an arena from functions fetches once, and releases the same once", "[arena]", unchecked_pool,
                   fixpool::memory_pool, debug_pool) {
    constexpr pool_layout layout{24, 10, 64};
    alignas(64) std::array<std::byte, TestType::required_bytes(layout)> memory;
    recording_memory source{.answer = memory.data()};
    {
        TestType pool(layout, arena::from(&recording_memory::fetch, &recording_memory::release, &source));
        TestType moved(std::move(pool));
        moved.deallocate(moved.allocate());
        CHECK(source.released == 0);
    }
    CHECK(source.fetched == 1);
    CHECK(source.released == 1);
    CHECK(source.is_right);
    CHECK(source.size == TestType::required_bytes(layout));
    CHECK(source.alignment == 64);
    { const arena unused = arena::from(&recording_memory::fetch, &recording_memory::release, &source); }
    CHECK(source.fetched == 1);
    CHECK(source.released == 1);
    { const TestType kept(layout, arena::from(&recording_memory::fetch, nullptr, &source)); }
    CHECK(source.fetched == 2);
    CHECK(source.released == 1);
}

TEMPLATE_TEST_CASE("blocks that are apart are aligned as they are asked to be, and metadata as they have to be",
                   "[arena]", unchecked_pool, fixpool::memory_pool) {
    const pool_layout layout{64, 4, 64};
    alignas(64) std::array<std::byte, 5 * 64> memory;
    alignas(8) std::array<std::byte, 200> metadata;
    const std::size_t required = TestType::required_metadata_bytes(layout);
    {
        TestType pool(layout, arena::borrow(std::span(memory).subspan(1), metadata));
        CHECK(pool.blocks().data() == memory.data() + 64);
        std::array<void*, 4> taken{};
        CHECK(pool.try_allocate_bulk(taken));
        pool.deallocate_bulk(taken);
    }
    const TestType bytes({1, 4, 1}, arena::borrow(std::span(memory).subspan(3, 4), metadata));
    CHECK(bytes.blocks().data() == memory.data() + 3);  // unaligned, because nothing else lies there
    for (std::size_t shift = 0; shift < 8; ++shift) {   // the worst alignment needs all required bytes
        bool fits_with_one_less = true;
        try {
            const TestType pool(layout, arena::borrow(memory, std::span(metadata).subspan(shift, required - 1)));
        } catch (const std::length_error&) {
            fits_with_one_less = false;
        }
        const std::size_t entry = std::is_same_v<TestType, unchecked_pool> ? alignof(void*) : 4;
        CHECK(fits_with_one_less == (shift % entry != 1));
    }
}

TEST_CASE("an arena's function that has no memory, throws, or does not align", "[arena]") {
    constexpr pool_layout layout{24, 10, 64};
    alignas(64) std::array<std::byte, fixpool::memory_pool::required_bytes(layout) + 8> memory;
    recording_memory source;
    const auto build = [&] {
        const fixpool::memory_pool pool(layout,
                                        arena::from(&recording_memory::fetch, &recording_memory::release, &source));
    };
    CHECK_THROWS_AS(build(), std::bad_alloc);
    CHECK(source.released == 0);
    source.throws = true;
    CHECK_THROWS_AS(build(), std::runtime_error);
    CHECK(source.released == 0);
    source.throws = false;
    source.answer = memory.data() + 8;
    CHECK_THROWS_WITH(
        build(), needs(fixpool::memory_pool::required_bytes(layout), fixpool::memory_pool::required_bytes(layout), 56,
                       "blocks and metadata (in memory of the arena's function)"));
    CHECK(source.released == 1);
    CHECK(source.is_right);
    CHECK(source.fetched == 3);
}
