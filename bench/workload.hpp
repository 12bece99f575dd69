// SPDX-License-Identifier: BSL-1.0
// workload: a stream of allocations and releases, recorded or synthetic. All contenders play it in the same loop.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "../examples/trace.hpp"

/// A stream that can be played over and over. A record is a slot, as in a trace: it gets a block, or with the highest bit set
/// releases it.
struct workload {
    std::size_t block_size = 0;          // bytes
    std::size_t slots = 0;               // the highest slot, plus one
    std::size_t peak = 0;                // live blocks, at most
    std::vector<std::uint32_t> records;  // at the end no block is live
    std::size_t passes_before = 1;       // passes before the measurement
};

/// Makes synthetic streams. The same arguments make the same stream on every machine.
class workload_maker {
public:
    workload_maker(std::size_t block_size, std::size_t blocks) : block_size_(block_size), blocks_(blocks) {}

    /// One block, allocated and released.
    [[nodiscard]] static workload pair(std::size_t block_size) { return {block_size, 1, 1, {0, trace::release_bit}}; }

    /// All blocks; the last one is released first.
    [[nodiscard]] workload lifo() const {
        std::vector<std::uint32_t> order = in_order();
        std::reverse(order.begin(), order.end());
        return allocated_then_released(order);
    }

    /// All blocks; the first one is released first.
    [[nodiscard]] workload fifo() const { return allocated_then_released(in_order()); }

    /// All blocks, released in random order.
    [[nodiscard]] workload shuffled() const { return allocated_then_released(shuffled_order()); }

    /// Load that rises and falls: three allocations per release until all blocks are live, then three releases per
    /// allocation until none is. Slots are random. The order of operations is not, so branch prediction costs nothing.
    [[nodiscard]] workload churn() const {
        workload made{block_size_, blocks_, blocks_, {}};
        std::vector<std::uint32_t> free = in_order();
        std::vector<std::uint32_t> live;
        std::mt19937 random(1);
        const auto move_one = [&](std::vector<std::uint32_t>& from, std::vector<std::uint32_t>& to, std::uint32_t bit) {
            std::swap(from[random() % from.size()], from.back());
            made.records.push_back(from.back() | bit);
            to.push_back(from.back());
            from.pop_back();
        };
        while (!free.empty())
            for (int i = 0; i < 4 && !free.empty(); ++i)
                i < 3 ? move_one(free, live, 0) : move_one(live, free, trace::release_bit);
        while (!live.empty())
            for (int i = 0; i < 4 && !live.empty(); ++i)
                i < 3 ? move_one(live, free, trace::release_bit) : move_one(free, live, 0);
        return made;
    }

private:
    [[nodiscard]] std::vector<std::uint32_t> in_order() const {
        std::vector<std::uint32_t> order(blocks_);
        std::iota(order.begin(), order.end(), 0U);
        return order;
    }

    [[nodiscard]] std::vector<std::uint32_t> shuffled_order() const {
        std::vector<std::uint32_t> order = in_order();
        std::shuffle(order.begin(), order.end(), std::mt19937(0));
        return order;
    }

    [[nodiscard]] workload allocated_then_released(const std::vector<std::uint32_t>& order) const {
        workload made{block_size_, blocks_, blocks_, {}};
        made.records = in_order();
        for (const std::uint32_t slot : order) made.records.push_back(slot | trace::release_bit);
        return made;
    }

    std::size_t block_size_;  // bytes
    std::size_t blocks_;      // live blocks, at most
};
