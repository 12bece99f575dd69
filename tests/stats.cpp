// SPDX-License-Identifier: BSL-1.0
#include <fixpool/memory_pool.hpp>
#include <fixpool/stats.hpp>

#include "support/catch.hpp"

using fixpool::checking;
using sizes = std::initializer_list<std::size_t>;

TEMPLATE_TEST_CASE("stats say what the members say", "[stats]", fixpool::basic_memory_pool<checking::unchecked>,
                   fixpool::memory_pool) {
    TestType pool({40, 10, 16});
    void* const first = pool.allocate();
    void* const second = pool.allocate();
    pool.deallocate(first);
    const fixpool::pool_stats stats = pool.stats();
    CHECK(stats.total_blocks == 10);
    CHECK(stats.in_use == 1);
    CHECK(stats.peak_in_use == 2);
    CHECK(stats.block_size == 40);
    CHECK(stats.stride == 48);
    CHECK(stats.arena_bytes == TestType::required_bytes({40, 10, 16}));
    CHECK(stats.metadata_bytes == stats.arena_bytes - 10 * 48);
    pool.deallocate(second);
    CHECK(stats.in_use == 1);  // a copy, of one moment
}

TEST_CASE("metadata are at most 5 bytes a block checked, a pointer unchecked, and 64 a pool", "[stats]") {
    for (const std::size_t block_size : sizes{1, 2, 3, 7, 8, 24, 64, 4096}) {
        for (const std::size_t count : sizes{1, 2, 3, 10, 1000}) {
            const fixpool::memory_pool checked({block_size, count});
            const fixpool::basic_memory_pool<checking::unchecked> unchecked({block_size, count});
            CHECK(checked.stats().metadata_bytes <= 5 * count + 64);
            CHECK(unchecked.stats().metadata_bytes <= sizeof(void*) * count + 64);
            CHECK(checked.stats().metadata_bytes >= 5 * count);
        }
    }
}

TEST_CASE("stats of nothing are zero", "[stats]") {
    constexpr fixpool::pool_stats none;
    STATIC_REQUIRE(none.total_blocks + none.in_use + none.peak_in_use + none.block_size + none.stride == 0);
    STATIC_REQUIRE(none.arena_bytes + none.metadata_bytes + none.refused == 0);
}
