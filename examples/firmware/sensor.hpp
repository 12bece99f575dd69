// SPDX-License-Identifier: BSL-1.0
// sensor: a simulated accelerometer, with the same samples in each run.
#pragma once

#include "sample_block.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

/// Lies still, with some noise. Now and then it is hit, and rings for a few blocks.
class sensor {
public:
    /// Reads the sensor's queue.
    void read(std::array<sample, 16>& into) noexcept {
        if (random() % 64 == 0) ringing_ = 512 + static_cast<std::int32_t>(random() % 4096);
        for (sample& s : into) {
            const std::uint32_t noise = random();
            s.x = axis(noise, ringing_);
            s.y = axis(noise >> 8U, -ringing_ / 2);
            s.z = axis(noise >> 16U, 4096);
            ringing_ -= ringing_ / 8;
        }
    }

private:
    static std::int16_t axis(std::uint32_t noise, std::int32_t value) noexcept {
        return static_cast<std::int16_t>(value + static_cast<std::int32_t>(noise % 32) - 16);
    }

    /// xorshift32.
    std::uint32_t random() noexcept {
        random_ ^= random_ << 13U;
        random_ ^= random_ >> 17U;
        random_ ^= random_ << 5U;
        return random_;
    }

    std::uint32_t random_ = 0x2545f491;
    std::int32_t ringing_ = 0;
};
