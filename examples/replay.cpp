// SPDX-License-Identifier: BSL-1.0
// Replays allocations that real programs made through operator new and two pools, side by side, and prints what each costs.
#include <fixpool/memory_pool.hpp>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "trace.hpp"

namespace {

using unchecked_pool = fixpool::basic_memory_pool<fixpool::checking::unchecked>;

/// operator new, with the members of a pool that are needed here.
struct system_allocator {
    std::size_t block_size;
    std::size_t out = 0;

    void* allocate() {
        ++out;
        return ::operator new(block_size);
    }
    void deallocate(void* block) {
        --out;
        ::operator delete(block);
    }
    [[nodiscard]] std::size_t in_use() const { return out; }
    void reset() {}
};

/// What glibc's malloc does with free memory at the heap's end depends on what the process released before. This pins it
/// down: to glibc's initial thresholds, past which memory goes back to the system, or, with `keeps`, to keeping all of it.
void set_system_policy([[maybe_unused]] bool keeps) {
#if defined(__GLIBC__)
    constexpr int initial = 128 * 1024;  // bytes, both
    constexpr int most = 1 << 30;
    ::mallopt(M_TRIM_THRESHOLD, keeps ? most : initial);
    ::mallopt(M_MMAP_THRESHOLD, keeps ? 32 << 20 : initial);
#endif
}

/// Hides where a pointer comes from: the pool stays in memory, as in a program, and not in registers.
template <class T> T* opaque(T* pointer) {
    T* volatile hidden = pointer;
    return hidden;
}

/// One pass over the trace; a block's stamp is its slot. Returns nanoseconds an operation.
template <class Pool> double replay_once(const trace& t, Pool* pool, std::vector<void*>& slots) {
    using clock = std::chrono::steady_clock;
    std::size_t broken_stamps = 0;
    const auto release = [&](std::uint32_t slot) {
        std::uint32_t stamp;
        std::memcpy(&stamp, slots[slot], sizeof stamp);
        broken_stamps += stamp != slot;
        pool->deallocate(slots[slot]);
    };

    pool->reset();  // carves anew, as in a program that has just started
    const clock::time_point start = clock::now();
    for (const std::uint32_t record : t.records) {
        const std::uint32_t slot = record & ~trace::release_bit;
        if (slot == record) {
            slots[slot] = pool->allocate();
            std::memcpy(slots[slot], &slot, sizeof slot);
        } else {
            release(slot);
            slots[slot] = nullptr;
        }
    }
    const std::chrono::duration<double, std::nano> taken = clock::now() - start;

    for (std::uint32_t slot = 0; slot < t.slots; ++slot) {  // what the program itself never released
        if (slots[slot] != nullptr) release(slot);
        slots[slot] = nullptr;
    }
    if (broken_stamps != 0) throw std::runtime_error(t.name + ": a block changed while it was in use");
    if (pool->in_use() != 0) throw std::runtime_error(t.name + ": blocks leaked");
    return taken.count() / static_cast<double>(t.records.size());
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

struct result {
    double system_ns, checked_ns, unchecked_ns;  // medians, an operation
    double checked_ratio, unchecked_ratio;       // to operator new: medians of what each turn's neighbours say
    fixpool::pool_stats stats;                   // of the checked pool, after all of it
};

/// Rounds in which each contender has its turn, in turning order; a pass to warm up is not counted.
result replay(const trace& t, int rounds) {
    constexpr std::size_t operations_a_turn = 400'000;
    const std::size_t passes = operations_a_turn / t.records.size() + 1;

    const fixpool::pool_layout layout{.block_size = t.block_size, .block_count = t.peak};
    const auto checked = std::make_unique<fixpool::memory_pool>(layout, fixpool::pool_options{.name = t.name.c_str()});
    const auto unchecked = std::make_unique<unchecked_pool>(layout);
    const auto system = std::make_unique<system_allocator>(system_allocator{t.block_size});
    std::vector<void*> slots(t.slots);
    std::vector<double> times[3];

    std::fprintf(stderr, "replaying %-16s", t.name.c_str());
    for (int round = 0; round <= rounds; ++round) {
        std::fputc('.', stderr);
        for (int turn = 0; turn < 3; ++turn) {
            const int contender = (round + turn) % 3;
            for (std::size_t pass = 0; pass < (round == 0 ? 1 : passes); ++pass) {
                const double ns = contender == 0   ? replay_once(t, opaque(system.get()), slots)
                                  : contender == 1 ? replay_once(t, opaque(checked.get()), slots)
                                                   : replay_once(t, opaque(unchecked.get()), slots);
                if (round > 0) times[contender].push_back(ns);
            }
        }
    }
    std::fputc('\n', stderr);
    const auto ratio_to_system = [&times](const std::vector<double>& ns) {
        std::vector<double> ratios(ns.size());
        std::transform(ns.begin(), ns.end(), times[0].begin(), ratios.begin(), std::divides<>());
        return median(ratios);
    };
    return {median(times[0]),          median(times[1]),          median(times[2]),
            ratio_to_system(times[1]), ratio_to_system(times[2]), checked->stats()};
}

/// 1234567 as 1,234,567.
std::string grouped(std::size_t number) {
    std::string text = std::to_string(number);
    for (std::size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, 1, ',');
    return text;
}

void print(const std::vector<trace>& traces, const std::vector<result>& results) {
    double checked_logs = 0;
    double unchecked_logs = 0;
    std::puts("\n                                     |    ns per operation, median      | ratio to operator new");
    std::puts("trace          operations   reused   |  operator new  checked  unchecked |   checked  unchecked");
    std::puts("-------------------------------------+----------------------------------+----------------------");
    for (std::size_t i = 0; i < traces.size(); ++i) {
        const trace& t = traces[i];
        const result& r = results[i];
        const double reused =
            100.0 * (1 - static_cast<double>(r.stats.peak_in_use) / static_cast<double>(t.allocations));
        std::printf("%-14s %10s   %5.1f %%  | %13.2f  %7.2f  %9.2f | %9.2f  %9.2f\n", t.name.c_str(),
                    grouped(t.records.size()).c_str(), reused, r.system_ns, r.checked_ns, r.unchecked_ns,
                    r.checked_ratio, r.unchecked_ratio);
        checked_logs += std::log(r.checked_ratio);
        unchecked_logs += std::log(r.unchecked_ratio);
    }
    const auto count = static_cast<double>(traces.size());
    std::printf("%-36s | %32s | %9.2f  %9.2f\n\n", "geometric mean", "", std::exp(checked_logs / count),
                std::exp(unchecked_logs / count));

    std::puts("                 block size  peak in use: the          arena    of which     leaked");
    std::puts("trace                 bytes  blocks to ask for         bytes    metadata     blocks");
    std::puts("--------------------------------------------------------------------------------------");
    for (std::size_t i = 0; i < traces.size(); ++i) {
        const fixpool::pool_stats& s = results[i].stats;
        std::printf("%-14s %12s  %17s  %12s  %10s  %9s\n", traces[i].name.c_str(), grouped(s.block_size).c_str(),
                    grouped(traces[i].peak).c_str(), grouped(s.arena_bytes).c_str(), grouped(s.metadata_bytes).c_str(),
                    grouped(s.in_use).c_str());
    }
    std::puts("\nchecked: memory_pool, the default. unchecked: basic_memory_pool<checking::unchecked>.");
    std::puts("Every block was stamped when it was allocated, and every stamp was intact when it was released.");
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<std::string> files(argv + 1, argv + argc);
    const int rounds = std::erase(files, "--once") > 0 ? 1 : 15;
    const bool keeps = std::erase(files, "--keep") > 0;
    if (files.empty()) {
        std::fputs(
            "usage: replay [--once] [--keep] PROGRAM-BLOCKSIZE.trace ...\n"
            "  --once   one round: a look, not a measurement\n"
            "  --keep   operator new keeps the memory that is released to it, as the pools do (glibc)\n",
            stderr);
        return 1;
    }
    set_system_policy(keeps);
    try {
        std::vector<trace> traces;
        traces.reserve(files.size());
        for (const std::string& file : files) traces.push_back(load_trace(file));
        std::vector<result> results;
        results.reserve(traces.size());
        for (const trace& t : traces) results.push_back(replay(t, rounds));
        print(traces, results);
#if defined(__GLIBC__)
        std::puts(
            keeps
                ? "operator new kept the memory that was released to it, as the pools do."
                : "operator new is glibc's as it starts: it gives memory back to the system. --keep lets it keep it.");
#endif
        if (std::fflush(stdout) != 0) throw std::runtime_error("standard output cannot be written");
    } catch (const std::exception& error) {
        std::fprintf(stderr, "replay: %s\n", error.what());
        return 1;
    }
}
