// SPDX-License-Identifier: BSL-1.0
// Finds how many blocks a program needs: with a pool that grows, with a pool that is too small, and then in bytes.
#include <fixpool/fixpool.hpp>
#include <fixpool/growing_pool.hpp>

#include <cstddef>
#include <cstdio>
#include <vector>

namespace {

constexpr std::size_t request_size = 200;  // bytes

/// The program under load: bursts of requests, each of which keeps a block until the burst ends.
template <class Pool> void busy_hour(Pool& pool) {
    for (const std::size_t requests : {10U, 40U, 25U}) {
        std::vector<void*> burst;
        for (std::size_t i = 0; i < requests; ++i) {
            if (void* const request = pool.try_allocate()) burst.push_back(request);
        }
        pool.deallocate_bulk(burst);
    }
}

void print(const char* pool, const fixpool::pool_stats& stats) {
    std::printf("%-8s at most %zu blocks in use, %zu requests refused\n", pool, stats.peak_in_use, stats.refused);
}

}  // namespace

int main() {
    fixpool::growing_pool growing(request_size);
    busy_hour(growing);
    print("growing:", growing.stats());

    fixpool::memory_pool small({.block_size = request_size, .block_count = 32});
    busy_hour(small);
    print("small:", small.stats());

    constexpr fixpool::pool_layout layout{.block_size = request_size, .block_count = 50};
    fixpool::memory_pool chosen(layout);
    busy_hour(chosen);
    print("chosen:", chosen.stats());

    std::printf("50 blocks need %zu bytes, of which %zu are metadata\n", fixpool::memory_pool::required_bytes(layout),
                chosen.stats().metadata_bytes);
    std::printf("16384 bytes have room for %zu blocks\n", fixpool::memory_pool::blocks_in(16384, request_size));
}
