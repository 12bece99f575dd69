// SPDX-License-Identifier: BSL-1.0
// key_sets: random keys to insert, look up and erase. The same ones on every machine.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

class key_sets {
public:
    explicit key_sets(std::size_t count) : inserted_(count), refilled_(count / 2) {
        std::mt19937 random(1);  // the same numbers on every machine
        for (std::uint32_t& key : inserted_) key = static_cast<std::uint32_t>(random());
        for (std::uint32_t& key : refilled_) key = static_cast<std::uint32_t>(random());
        shuffled_ = inserted_;
        for (std::size_t i = shuffled_.size() - 1; i > 0; --i) std::swap(shuffled_[i], shuffled_[random() % (i + 1)]);
    }

    [[nodiscard]] std::span<const std::uint32_t> inserted() const { return inserted_; }
    [[nodiscard]] std::span<const std::uint32_t> looked_up() const { return shuffled_; }
    /// A random half of the inserted keys, in random order.
    [[nodiscard]] std::span<const std::uint32_t> erased() const {
        return std::span(shuffled_).first(shuffled_.size() / 2);
    }
    /// As many new keys.
    [[nodiscard]] std::span<const std::uint32_t> refilled() const { return refilled_; }

private:
    std::vector<std::uint32_t> inserted_;
    std::vector<std::uint32_t> refilled_;
    std::vector<std::uint32_t> shuffled_;
};
