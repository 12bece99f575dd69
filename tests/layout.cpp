// SPDX-License-Identifier: BSL-1.0
#include <fixpool/layout.hpp>

#include <fixpool/debug.hpp>
#include <fixpool/memory_pool.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <memory>
#include <stdexcept>
#include <type_traits>

#include "support/catch.hpp"
#include "support/heap.hpp"

using fixpool::checking;
using fixpool::pool_layout;
using unchecked_pool = fixpool::basic_memory_pool<checking::unchecked>;
using debug_pool = fixpool::basic_memory_pool<fixpool::checking::debug>;
using sizes = std::initializer_list<std::size_t>;

namespace {

constexpr std::size_t size_max = std::numeric_limits<std::size_t>::max();
constexpr std::size_t half = static_cast<std::size_t>(PTRDIFF_MAX);

/// Expects that the constructor and required_bytes throw Exception, and that no memory is requested.
template <class Exception, class Pool> void refuses(pool_layout layout) {
    const std::size_t allocations = heap::allocations();
    bool constructor_refused = false;
    bool required_bytes_refused = false;
    std::size_t asked_for = 0;
    try {
        const Pool pool(layout);
    } catch (const Exception&) {
        constructor_refused = true;
    }
    try {
        asked_for = Pool::required_bytes(layout);
    } catch (const Exception&) {
        required_bytes_refused = true;
    }
    const std::size_t asked = heap::allocations() - allocations;
    INFO(layout.block_size << " bytes, " << layout.block_count << " blocks, aligned to " << layout.alignment);
    CHECK(constructor_refused);
    CHECK(required_bytes_refused);
    CHECK(asked_for == 0);
    CHECK(asked == 2);  // the messages of two exceptions, and no arena
}

}  // namespace

TEST_CASE("1024 bytes in 64-byte blocks are 16 blocks", "[layout]") {
    const fixpool::memory_pool pool(pool_layout::from_total_size(1024, 64));
    CHECK(pool.total_blocks() == 16);
    CHECK(pool.block_size() == 64);
    CHECK(pool.available() == 16);
}

TEST_CASE("a total that is no multiple of the block size gives whole blocks only", "[layout]") {
    const fixpool::memory_pool pool(pool_layout::from_total_size(1000, 64));
    CHECK(pool.total_blocks() == 15);
    STATIC_REQUIRE(pool_layout::from_total_size(64, 64).block_count == 1);
    STATIC_REQUIRE(pool_layout::from_total_size(127, 64).block_count == 1);
}

TEST_CASE("a total that is smaller than a block is refused", "[layout]") {
    STATIC_REQUIRE(pool_layout::from_total_size(63, 64).block_count == 0);
    CHECK_THROWS_AS(fixpool::memory_pool(pool_layout::from_total_size(63, 64)), std::invalid_argument);
    STATIC_REQUIRE(pool_layout::from_total_size(63, 0).block_count == 0);
    CHECK_THROWS_AS(fixpool::memory_pool(pool_layout::from_total_size(63, 0)), std::invalid_argument);
}

TEMPLATE_TEST_CASE("a size, a count or an alignment that cannot be is an invalid argument", "[layout]", unchecked_pool,
                   fixpool::memory_pool, debug_pool) {
    refuses<std::invalid_argument, TestType>({0, 1});
    refuses<std::invalid_argument, TestType>({1, 0});
    refuses<std::invalid_argument, TestType>({0, 0});
    refuses<std::invalid_argument, TestType>({64, 16, 3});
    refuses<std::invalid_argument, TestType>({64, 16, 48});
    refuses<std::invalid_argument, TestType>({64, 16, size_max});
}

TEMPLATE_TEST_CASE("sizes beyond PTRDIFF_MAX are a length error before any memory is asked for", "[layout]",
                   unchecked_pool, fixpool::memory_pool, debug_pool) {
    for (const std::size_t size : sizes{std::size_t{1}, std::size_t{64}, std::size_t{4096}}) {
        for (const std::size_t count :
             {size_max, size_max / size, size_max / size + 1, size_max / size - 1, half / size})
            if (count > 0) refuses<std::length_error, TestType>({size, count});
        refuses<std::length_error, TestType>({size_max / size, size, 1});
        refuses<std::length_error, TestType>({half / size, size, 1});
    }
    refuses<std::length_error, TestType>({size_max, 1, 1});
    refuses<std::length_error, TestType>({size_max, 1, 64});
    refuses<std::length_error, TestType>({size_max - 62, 1, 64});  // wraps to 0 when it is rounded up
    refuses<std::length_error, TestType>({half, 1, 1});
    refuses<std::length_error, TestType>({half + 1, 1, 1});
    refuses<std::length_error, TestType>({1, 1, half + 1});
    refuses<std::length_error, TestType>({half / 4, 4, 1});
}

TEST_CASE("the largest pool that required_bytes admits is within PTRDIFF_MAX", "[layout]") {
    for (const std::size_t count : sizes{std::size_t{1}, std::size_t{2}, std::size_t{1000}}) {
        const std::size_t block_size = (half - 64) / count - 8;
        CHECK(fixpool::memory_pool::required_bytes({block_size, count, 1}) <= half);
        CHECK(fixpool::memory_pool::required_bytes({block_size, count, 1}) >= block_size * count);
        CHECK(unchecked_pool::required_bytes({block_size, count, 1}) <= half);
    }
}

TEST_CASE("the largest block is the largest that keeps the pool within PTRDIFF_MAX", "[layout]") {
    const std::size_t checked_most = half - 64 - 5;  // per block a state and an index; per pool 64
    const std::size_t unchecked_most = half - 64 - sizeof(void*);
    CHECK(fixpool::memory_pool::required_bytes({checked_most, 1, 1}) <= half);
    CHECK(unchecked_pool::required_bytes({unchecked_most, 1, 1}) <= half);
    refuses<std::length_error, fixpool::memory_pool>({checked_most + 1, 1, 1});
    refuses<std::length_error, unchecked_pool>({unchecked_most + 1, 1, 1});
}

TEST_CASE("a pool has at most 2^32 - 2 blocks", "[layout]") {
    const std::size_t most = 0xffff'fffe;
    refuses<std::length_error, fixpool::memory_pool>({1, most + 1});
    refuses<std::length_error, unchecked_pool>({1, most + 1});
    CHECK_THROWS_WITH(fixpool::memory_pool::required_bytes({1, most + 1}), "fixpool: block_count is above 2^32 - 2");
    if constexpr (sizeof(std::size_t) > 4) {
        CHECK(fixpool::memory_pool::required_bytes({1, most}) >= 6 * most);
    } else {  // more bytes than there are addresses
        CHECK_THROWS_AS(fixpool::memory_pool::required_bytes({1, most}), std::length_error);
    }
}

TEST_CASE("the natural alignment is the largest that divides the block size, up to max_align_t's", "[layout]") {
    const auto alignment_of = [](std::size_t block_size) { return fixpool::memory_pool({block_size, 2}).alignment(); };
    const std::size_t most = alignof(std::max_align_t);
    CHECK(alignment_of(1) == 1);
    CHECK(alignment_of(2) == 2);
    CHECK(alignment_of(3) == 1);
    CHECK(alignment_of(6) == 2);
    CHECK(alignment_of(12) == 4);
    CHECK(alignment_of(24) == 8);
    CHECK(alignment_of(most) == most);
    CHECK(alignment_of(4 * most) == most);
    CHECK(alignment_of(1000003) == 1);
}

TEST_CASE("the stride is the block size rounded up to the alignment", "[layout]") {
    const auto stride_of = [](pool_layout layout) { return fixpool::memory_pool(layout).stride(); };
    CHECK(stride_of({1, 2}) == 1);
    CHECK(stride_of({3, 2}) == 3);
    CHECK(stride_of({24, 2}) == 24);
    CHECK(stride_of({24, 2, 16}) == 32);
    CHECK(stride_of({32, 2, 16}) == 32);
    CHECK(stride_of({33, 2, 16}) == 48);
    CHECK(stride_of({1, 2, 4096}) == 4096);
}

TEMPLATE_TEST_CASE("required_bytes is a constant, and grows with every block", "[layout]", unchecked_pool,
                   fixpool::memory_pool) {
    STATIC_REQUIRE(TestType::required_bytes({64, 16}) > 16 * 64);
    const std::size_t metadata = std::is_same_v<TestType, unchecked_pool> ? sizeof(void*) : 5;
    for (std::size_t count = 1; count < 100; ++count) {
        const std::size_t more = TestType::required_bytes({64, count + 1}) - TestType::required_bytes({64, count});
        CHECK(more >= 64);
        CHECK(more <= 64 + metadata);
    }
}
