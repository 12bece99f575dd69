// SPDX-License-Identifier: BSL-1.0
// sampler: what the sensor's interrupt does.
#pragma once

#include "sample_block.hpp"
#include "sensor.hpp"

#include <atomic>
#include <cstdint>

/// At each interrupt, reads the sensor into a block of the store. Without a block, counts the interrupt as dropped.
/// Thread safety: only the interrupt calls `on_interrupt`. `interrupts` may be read at any time, the rest when the
/// interrupts have ended.
template <class Store> class sampler {
public:
    constexpr explicit sampler(Store& store) noexcept : store_(store) {}

    void on_interrupt(std::uint32_t now) noexcept {
        const std::uint32_t sequence = interrupts_.load(std::memory_order_relaxed);
        if (sample_block* const block = store_.begin(); block != nullptr) {
            block->sequence = sequence;
            block->stamp = now;
            sensor_.read(block->samples);
            sum_ += sum_of(*block);
            store_.commit(block);
        } else {
            ++dropped_;
        }
        interrupts_.store(sequence + 1, std::memory_order_release);
    }

    [[nodiscard]] std::uint32_t interrupts() const noexcept { return interrupts_.load(std::memory_order_acquire); }
    [[nodiscard]] std::uint32_t dropped() const noexcept { return dropped_; }  // interrupts without a block
    [[nodiscard]] std::uint32_t sum() const noexcept { return sum_; }          // checksum of all samples in blocks

private:
    Store& store_;
    sensor sensor_;
    std::atomic<std::uint32_t> interrupts_ = 0;
    std::uint32_t dropped_ = 0;
    std::uint32_t sum_ = 0;
};
