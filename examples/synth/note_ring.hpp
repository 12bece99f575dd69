// SPDX-License-Identifier: BSL-1.0
// note_ring: a queue of note events from one thread to another. No operation locks or waits.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "voice.hpp"

/// One thread pushes. One other thread looks at the front and pops.
// Invariant: 0 <= pushed_ - popped_ <= capacity   (modulo 2^32)
class note_ring {
public:
    /// Returns false if the ring is full.
    [[nodiscard]] bool push(const note_event& event) {
        const std::uint32_t place = pushed_.load(std::memory_order_relaxed);
        if (place - popped_.load(std::memory_order_acquire) == capacity) return false;
        events_[place % capacity] = event;
        pushed_.store(place + 1, std::memory_order_release);
        return true;
    }
    /// The oldest event, or nullptr if the ring is empty.
    [[nodiscard]] const note_event* front() const {
        const std::uint32_t place = popped_.load(std::memory_order_relaxed);
        return place == pushed_.load(std::memory_order_acquire) ? nullptr : &events_[place % capacity];
    }
    /// Requires: `front` was not nullptr.
    void pop() { popped_.store(popped_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

private:
    static constexpr std::uint32_t capacity = 1024;  // a power of two

    std::array<note_event, capacity> events_{};
    alignas(64) std::atomic<std::uint32_t> pushed_ = 0;
    alignas(64) std::atomic<std::uint32_t> popped_ = 0;
};
