// SPDX-License-Identifier: BSL-1.0
// spsc_ring: a queue from one writer to one reader, without a lock. Either of them may be an interrupt.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

/// Up to N values on their way from one writer to one reader. It lies in .bss when it is a global.
/// Thread safety: one thread or interrupt pushes, one pops. Neither ever waits for the other.
// Invariant: pushed_ - popped_ <= N, in arithmetic modulo 2^32
template <class T, std::size_t N> class spsc_ring {
    static_assert(N != 0 && (N & (N - 1)) == 0, "N has to be a power of two");
    using counter = std::atomic<std::uint32_t>;
    static_assert(counter::is_always_lock_free);

public:
    /// Returns false, and pushes nothing, when the ring is full. Only the writer may call it.
    [[nodiscard]] bool push(T value) noexcept {
        const std::uint32_t pushed = pushed_.load(std::memory_order_relaxed);
        if (pushed - popped_.load(std::memory_order_acquire) == N) return false;
        values_[pushed % N] = value;
        pushed_.store(pushed + 1, std::memory_order_release);
        return true;
    }

    /// Returns false, and leaves `value` alone, when the ring is empty. Only the reader may call it.
    [[nodiscard]] bool pop(T& value) noexcept {
        const std::uint32_t popped = popped_.load(std::memory_order_relaxed);
        if (pushed_.load(std::memory_order_acquire) == popped) return false;
        value = values_[popped % N];
        popped_.store(popped + 1, std::memory_order_release);
        return true;
    }

    /// How many values wait. The other side may change that at once: for the writer it is an upper bound, for the reader
    /// a lower one.
    [[nodiscard]] std::size_t size() const noexcept {
        const std::uint32_t popped = popped_.load(std::memory_order_acquire);
        return pushed_.load(std::memory_order_acquire) - popped;
    }

private:
    counter pushed_ = 0;  // values, ever
    counter popped_ = 0;
    std::array<T, N> values_{};
};
