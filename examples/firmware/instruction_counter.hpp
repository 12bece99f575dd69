// SPDX-License-Identifier: BSL-1.0
// instruction_counter: counts the instructions of a part of the firmware, by the board's clock.
#pragma once

#include "board.hpp"

#include <cstdint>

/// The instructions that a part of the program takes. The part runs often.
class instruction_counter {
public:
    /// Counts what `part` takes.
    template <class Part> [[gnu::always_inline]] void of(Part&& part) {
        const std::uint32_t begin = board::now();
        part();
        const std::uint32_t spent = board::instructions(board::now() - begin);
        sum_ += spent;
        if (spent > most_) most_ = spent;
        ++turns_;
    }
    /// Prints the mean and the maximum, without the cost of counting.
    void print(const char* name, const instruction_counter& nothing) const {
        board::print(name, (sum_ + turns_ / 2) / turns_ - nothing.most_, " ", most_ - nothing.most_, "\n");
    }

private:
    std::uint32_t sum_ = 0;
    std::uint32_t most_ = 0;
    std::uint32_t turns_ = 0;
};
