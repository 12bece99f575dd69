// SPDX-License-Identifier: BSL-1.0
// construction: measures the time to build a pool over 1 GiB, and its metadata. Also the time to construct a large object, and
// the size of a shared pool. Fails above the promised limits.
#include <unistd.h>
#include <fixpool/shared_pool.hpp>
#include <fixpool/typed_pool.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <memory>
#include <new>
#include <vector>

namespace {

using fixpool::checking;

constexpr std::size_t blocks_bytes = std::size_t{1} << 30;
std::size_t requested_bytes = 0;  // in the last call of operator new
std::size_t all_bytes = 0;        // in all calls of operator new

constexpr double most_us = 1000;
constexpr std::size_t most_resident_bytes = std::size_t{1} << 20;
constexpr std::size_t most_bytes_a_pool = 64;

std::size_t resident_bytes() {
    std::size_t all = 0;
    std::size_t resident = 0;
    std::ifstream("/proc/self/statm") >> all >> resident;
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// Prints a line. Returns whether all limits hold.
template <checking C> bool build(std::size_t block_size) {
    constexpr std::size_t most_bytes_a_block = C == checking::checked ? 5 : 8;
    using clock = std::chrono::steady_clock;
    std::vector<double> times;  // us
    std::size_t resident = 0;
    fixpool::pool_stats stats;
    for (int i = 0; i < 9; ++i) {
        const std::size_t before = resident_bytes();
        const clock::time_point start = clock::now();
        fixpool::basic_memory_pool<C> pool({.block_size = block_size, .block_count = blocks_bytes / block_size});
        times.push_back(std::chrono::duration<double, std::micro>(clock::now() - start).count());
        const std::size_t now = resident_bytes();
        resident = std::max(resident, now < before ? 0 : now - before);
        stats = pool.stats();
    }
    std::nth_element(times.begin(), times.begin() + 4, times.end());
    const std::size_t for_pool = stats.metadata_bytes - stats.total_blocks * most_bytes_a_block;
    const bool holds = times[4] < most_us && resident < most_resident_bytes &&
                       stats.metadata_bytes >= stats.total_blocks * most_bytes_a_block &&
                       for_pool <= most_bytes_a_pool &&
                       stats.total_blocks * stats.stride + stats.metadata_bytes == requested_bytes;
    std::printf("%-9s | %10zu  %10zu | %9.1f  %8zu | %5zu  %6zu | %s\n",
                C == checking::checked ? "checked" : "unchecked", block_size, stats.total_blocks, times[4],
                resident / 1024, most_bytes_a_block, for_pool, holds ? "holds" : "FAILED");
    return holds;
}

struct packet {
    char bytes[std::size_t{64} << 10];
};

/// Median time to construct a packet, write its first byte, and destroy it, in nanoseconds.
double time_of(auto&& make) {
    std::vector<double> times;
    for (int turn = 0; turn < 21; ++turn) {
        const auto start = std::chrono::steady_clock::now();
        for (int i = 0; i < 1000; ++i) {
            const auto made = make();
            made->bytes[0] = 1;
            const char* volatile seen = made->bytes;  // forces the object into memory
            static_cast<void>(seen);
        }
        times.push_back(std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count() /
                        1000);
    }
    std::nth_element(times.begin(), times.begin() + 10, times.end());
    return times[10];
}

/// Prints the cost of zeroing a packet. Returns whether `allocate_for_overwrite` leaves it out.
bool make_large_objects() {
    fixpool::typed_pool<packet> pool(4);
    const double zeroed = time_of([&pool] { return pool.allocate(); });
    const double overwritten = time_of([&pool] { return pool.allocate_for_overwrite(); });
    const double unique = time_of([] { return std::make_unique_for_overwrite<packet>(); });
    const bool holds = overwritten <= unique && overwritten < zeroed;
    std::printf(
        "\nan object of 64 KiB, ns: allocate %.1f, allocate_for_overwrite %.1f, std::make_unique_for_overwrite %.1f | "
        "%s\n",
        zeroed, overwritten, unique, holds ? "holds" : "FAILED");
    return holds;
}

/// Bytes that a pool of int takes from the heap, with the state that its handles share.
template <class Pool> std::size_t bytes_of(std::size_t blocks) {
    const std::size_t before = all_bytes;
    const auto pool = std::make_unique<Pool>(blocks);
    return all_bytes - before;
}

/// Prints how many bytes a shared pool has beyond a typed one. Returns whether a small one has at most a KiB.
bool weigh_shared_pools() {
    using typed = fixpool::typed_pool<int>;
    using shared = fixpool::shared_pool<int>;
    static_assert(sizeof(fixpool::shared_block<int>) == 2 * sizeof(void*));
    bool holds = true;
    std::printf("\nbytes of    | typed_pool | shared_pool |  more   (a shared_block has %zu)\n",
                sizeof(fixpool::shared_block<int>));
    for (const std::size_t blocks : {std::size_t{10}, std::size_t{100}, std::size_t{1000}, std::size_t{1'000'000}}) {
        const std::size_t of_typed = bytes_of<typed>(blocks);
        const std::size_t of_shared = bytes_of<shared>(blocks);
        holds = holds && (blocks > 100 || of_shared <= of_typed + 1024);
        std::printf("%7zu int | %10zu | %11zu | %5zu\n", blocks, of_typed, of_shared, of_shared - of_typed);
    }
    std::printf("at most 1024 more for 100 int | %s\n", holds ? "holds" : "FAILED");
    return holds;
}

void* counted(std::size_t size, std::size_t alignment) {
    all_bytes += size;
    return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}
void* or_throw(void* block) {
    if (block == nullptr) throw std::bad_alloc();
    return block;
}

}  // namespace

// Pools take their memory by this operator: it counts the bytes.
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    requested_bytes = size;
    return counted(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
    return or_throw(counted(size, static_cast<std::size_t>(alignment)));
}
void* operator new(std::size_t size) { return or_throw(counted(size, alignof(std::max_align_t))); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }

int main() try {
    std::puts("          |  blocks over 1 GiB    |     building it     | metadata, bytes |  below 1 ms and 1 MiB,");
    std::puts("level     |      bytes      number | us, median  KiB res. | block   +pool | at most 64 bytes a pool");
    bool holds = true;
    for (const std::size_t block_size : {1U, 8U, 16U, 24U, 64U, 256U, 4096U, 1U << 20}) {
        holds = build<checking::checked>(block_size) && holds;
        holds = build<checking::unchecked>(block_size) && holds;
    }
    holds = make_large_objects() && holds;
    holds = weigh_shared_pools() && holds;
    return holds ? EXIT_SUCCESS : EXIT_FAILURE;
} catch (const std::exception& error) {
    std::fprintf(stderr, "construction: %s\n", error.what());
    return EXIT_FAILURE;
}
