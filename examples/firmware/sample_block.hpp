// SPDX-License-Identifier: BSL-1.0
// sample_block: the samples that the sensor's interrupt writes and the main loop reads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

/// Acceleration along three axes. 4096 is that of gravity.
struct sample {
    std::int16_t x;
    std::int16_t y;
    std::int16_t z;
};

/// The contents of the sensor's queue when it raises its interrupt.
struct sample_block {
    std::uint32_t sequence;  // number of the interrupt, from 0
    std::uint32_t stamp;     // time of the interrupt, in ticks
    std::array<sample, 16> samples;
};

inline constexpr std::size_t block_count = 16;  // blocks that the firmware has
inline constexpr std::size_t most_kept = 6;     // blocks that wait for the radio

/// A checksum of all samples, which tells at the end whether one was lost or changed.
[[nodiscard]] inline std::uint32_t sum_of(const sample_block& block) noexcept {
    std::uint32_t sum = block.sequence;
    for (const sample& s : block.samples) {
        sum = sum * 3 + static_cast<std::uint32_t>(s.x + s.y + s.z);
    }
    return sum;
}
