// SPDX-License-Identifier: BSL-1.0
// workload: a stream of allocations and releases, recorded or made, which every contender plays in the same loop.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "../examples/trace.hpp"

/// What is played, over and over: records are those of a trace, a slot gets a block, or with the highest bit set gives it back.
struct workload {
    std::size_t block_size = 0;          // bytes
    std::size_t slots = 0;               // one above the highest slot
    std::size_t peak = 0;                // blocks out at once
    std::vector<std::uint32_t> records;  // at the end nothing is live
    std::size_t passes_before = 1;       // times that it is played before it is measured
};

/// Makes the streams that are not recorded. The same arguments make the same stream, on every machine.
class workload_maker {
public:
    workload_maker(std::size_t block_size, std::size_t blocks) : block_size_(block_size), blocks_(blocks) {}

    /// One block, allocated and released.
    [[nodiscard]] static workload pair(std::size_t block_size) { return {block_size, 1, 1, {0, trace::release_bit}}; }

    /// All blocks, and the last one released first.
    [[nodiscard]] workload lifo() const {
        std::vector<std::uint32_t> order = in_order();
        std::reverse(order.begin(), order.end());
        return allocated_then_released(order);
    }

    /// All blocks, and the first one released first.
    [[nodiscard]] workload fifo() const { return allocated_then_released(in_order()); }

    /// All blocks, released in an order that has nothing to do with that of allocation.
    [[nodiscard]] workload shuffled() const { return allocated_then_released(shuffled_order()); }

    /// Load that rises and falls: three allocations into random slots and a release of a random block, and so on until all
    /// are live; then three releases and an allocation, until none is. Which is at random, whether is not: what is
    /// measured is not the prediction of the loop's branch.
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
    std::size_t blocks_;      // the most that are live
};
