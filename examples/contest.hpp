// SPDX-License-Identifier: BSL-1.0
// contest: replays a trace through operator new and two pools, in turns, and measures the time of each.
#pragma once

#include <fixpool/memory_pool.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/grouped.hpp"
#include "trace.hpp"

using unchecked_pool = fixpool::basic_memory_pool<fixpool::checking::unchecked>;

/// operator new, with those members of a pool that are used here.
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

/// Hides where a pointer comes from. So the pool stays in memory, as in a program, and not in registers.
template <class T> T* opaque(T* pointer) {
    T* volatile hidden = pointer;
    return hidden;
}

/// One pass over the trace. A block's stamp is its slot. Returns nanoseconds per operation.
// static, like `replay`: so each contender's loop is inlined into the round in the same way, in every program.
template <class Pool> static double replay_once(const trace& t, Pool* pool, std::vector<void*>& slots) {
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

    for (std::uint32_t slot = 0; slot < t.slots; ++slot) {  // blocks that the program never released
        if (slots[slot] != nullptr) release(slot);
        slots[slot] = nullptr;
    }
    if (broken_stamps != 0) throw std::runtime_error(t.name + ": a block changed while it was in use");
    if (pool->in_use() != 0) throw std::runtime_error(t.name + ": blocks leaked");
    return taken.count() / static_cast<double>(t.records.size());
}

inline double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

/// The cost of a trace through operator new and two pools.
struct contest {
    double system_ns, checked_ns, unchecked_ns;  // medians, per operation
    double checked_ratio, unchecked_ratio;       // to operator new: medians of the ratios within one turn
    fixpool::pool_stats stats;                   // of the checked pool, after all of it
};

/// Plays rounds in which each contender has its turn, in rotating order. A first pass to warm up is not counted.
template <class Checked = fixpool::memory_pool> static contest replay(const trace& t, int rounds) {
    constexpr std::size_t operations_a_turn = 400'000;
    const std::size_t passes = operations_a_turn / t.records.size() + 1;

    const fixpool::pool_layout layout{.block_size = t.block_size, .block_count = t.peak};
    const auto checked = std::make_unique<Checked>(layout, fixpool::pool_options{.name = t.name.c_str()});
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

/// Percentage of the allocations that are served by blocks that were used before.
inline double reused(const trace& t) {
    return 100.0 * (1 - static_cast<double>(t.peak) / static_cast<double>(t.allocations));
}
