// SPDX-License-Identifier: BSL-1.0
// event_log: what the main loop does with blocks. Most are read and given back. Those with a hit wait for the radio.
#pragma once

#include "sample_block.hpp"

#include <array>
#include <cstdint>
#include <utility>

/// Measures the vibration in each block. A block with high energy is kept, without a copy, until the radio has sent it.
/// The radio sends the strongest event first, so blocks leave in another order than they came.
template <class Store> class event_log {
public:
    static constexpr std::uint32_t event_energy = 300'000;

    constexpr event_log(Store& store, std::uint32_t send_time) noexcept : store_(store), send_time_(send_time) {}

    /// Takes over a full block. Returns whether it is kept for the radio.
    bool take(typename Store::handle block) noexcept {
        if (block->sequence < next_) is_in_order_ = false;
        next_ = block->sequence + 1;
        ++blocks_;
        const std::uint32_t sum = sum_of(*block);
        sum_ += sum;
        const std::uint32_t energy = energy_of(*block);
        if (energy < event_energy) return false;
        ++events_;
        for (event& place : events_kept_) {
            if (!place.block) {
                place = {store_.keep(std::move(block)), energy, sum};
                return true;
            }
        }
        ++missed_;
        return false;
    }

    /// If the radio has sent its block, gives that back, and starts to send the next one. `now` is in ticks. Returns
    /// the address of the returned block, or nullptr.
    const sample_block* send(std::uint32_t now) noexcept {
        const sample_block* sent = nullptr;
        if (sending_ != nullptr) {
            if (now - sent_at_ < send_time_) return nullptr;
            sent = sending_->block.get();
            if (sum_of(*sent) != sending_->sum) is_unchanged_ = false;
            sending_->block.reset();
            ++sent_;
        }
        sending_ = strongest();
        sent_at_ = now;
        return sent;
    }

    /// Gives all kept blocks back.
    void clear() noexcept {
        for (event& place : events_kept_) place.block.reset();
        sending_ = nullptr;
    }

    /// The energy along the three axes, without gravity, which changes slowly.
    std::uint32_t energy_of(const sample_block& block) noexcept {
        std::uint32_t energy = 0;
        for (const sample& s : block.samples) {
            energy += square(slow_[0], s.x) + square(slow_[1], s.y) + square(slow_[2], s.z);
        }
        return energy;
    }

    [[nodiscard]] std::uint32_t blocks() const noexcept { return blocks_; }  // taken over
    [[nodiscard]] std::uint32_t sum() const noexcept { return sum_; }
    [[nodiscard]] bool is_in_order() const noexcept { return is_in_order_; }    // whether no block came twice
    [[nodiscard]] bool is_unchanged() const noexcept { return is_unchanged_; }  // whether what was sent is what came
    [[nodiscard]] std::uint32_t events() const noexcept { return events_; }
    [[nodiscard]] std::uint32_t missed() const noexcept { return missed_; }  // events that the radio had no time for
    [[nodiscard]] std::uint32_t sent() const noexcept { return sent_; }

private:
    struct event {
        typename Store::kept block;
        std::uint32_t energy = 0;
        std::uint32_t sum = 0;  // checksum when it came
    };

    event* strongest() noexcept {
        event* best = nullptr;
        for (event& place : events_kept_) {
            if (place.block && (best == nullptr || place.energy > best->energy)) best = &place;
        }
        return best;
    }

    static std::uint32_t square(std::int32_t& slow, std::int32_t value) noexcept {
        slow += (value * 256 - slow) / 128;
        const std::int32_t fast = (value - slow / 256) / 4;
        return static_cast<std::uint32_t>(fast * fast);
    }

    Store& store_;
    std::uint32_t send_time_;  // ticks
    std::array<event, most_kept> events_kept_{};
    event* sending_ = nullptr;
    std::uint32_t sent_at_ = 0;
    std::array<std::int32_t, 3> slow_{0, 0, 4096 * 256};
    std::uint32_t next_ = 0;  // the lowest sequence number that may come
    std::uint32_t blocks_ = 0;
    std::uint32_t sum_ = 0;
    std::uint32_t events_ = 0;
    std::uint32_t missed_ = 0;
    std::uint32_t sent_ = 0;
    bool is_in_order_ = true;
    bool is_unchanged_ = true;
};
