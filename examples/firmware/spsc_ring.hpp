// SPDX-License-Identifier: BSL-1.0
// spsc_ring: a queue from one writer to one reader, without a lock. Either may be an interrupt.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

/// Up to N values on their way from one writer to one reader. A global one lies in .bss.
/// Thread safety: one thread or interrupt pushes, and one pops. Neither ever waits for the other.
// Invariant: pushed_ - popped_ <= N, in arithmetic modulo 2^32
template <class T, std::size_t N> class spsc_ring {
    static_assert(N != 0 && (N & (N - 1)) == 0, "N has to be a power of two");
    using counter = std::atomic<std::uint32_t>;
    static_assert(counter::is_always_lock_free);

public:
    /// Returns false, and pushes nothing, if the ring is full. Only the writer may call it.
    [[nodiscard]] bool push(T value) noexcept {
        const std::uint32_t pushed = pushed_.load(std::memory_order_relaxed);
        if (pushed - popped_.load(std::memory_order_acquire) == N) return false;
        values_[pushed % N] = value;
        pushed_.store(pushed + 1, std::memory_order_release);
        return true;
    }

    /// Returns false, and does not change `value`, if the ring is empty. Only the reader may call it.
    [[nodiscard]] bool pop(T& value) noexcept {
        const std::uint32_t popped = popped_.load(std::memory_order_relaxed);
        if (pushed_.load(std::memory_order_acquire) == popped) return false;
        value = values_[popped % N];
        popped_.store(popped + 1, std::memory_order_release);
        return true;
    }

    /// The number of values that wait. The other side may change it at once: it is an upper bound for the writer, and a
    /// lower bound for the reader.
    [[nodiscard]] std::size_t size() const noexcept {
        const std::uint32_t popped = popped_.load(std::memory_order_acquire);
        return pushed_.load(std::memory_order_acquire) - popped;
    }

private:
    counter pushed_ = 0;  // values pushed so far
    counter popped_ = 0;
    std::array<T, N> values_{};
};
