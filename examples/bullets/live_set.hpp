// SPDX-License-Identifier: BSL-1.0
// live_set: which blocks of a pool have a live object. One bit per block, so one word tells about 64 blocks.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

class live_set {
public:
    explicit live_set(std::size_t blocks) : words_((blocks + 63) / 64) {}

    void insert(std::size_t index) { words_[index / 64] |= bit(index); }
    void erase(std::size_t index) { words_[index / 64] &= ~bit(index); }

    /// Calls fn(index) for each index in the set, in rising order. fn may erase that index, and no other.
    template <class Fn> void for_each(Fn fn) const {
        for (std::size_t i = 0; i < words_.size(); ++i) {
            for (std::uint64_t rest = words_[i]; rest != 0; rest &= rest - 1)
                fn(i * 64 + static_cast<std::size_t>(std::countr_zero(rest)));
        }
    }

private:
    static constexpr std::uint64_t bit(std::size_t index) { return std::uint64_t{1} << index % 64; }

    std::vector<std::uint64_t> words_;
};
