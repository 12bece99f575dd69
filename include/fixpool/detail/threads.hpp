// SPDX-License-Identifier: BSL-1.0
// threads: the locks, atomics and waiting of shared pools, and the data that locks guard. The tests' scheduler has a
// class with the same members as `threads`. It runs the same pools through chosen interleavings.
#pragma once

#include <fixpool/detail/platform.hpp>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// Chooses the calling thread's slot in every pool; 0: not chosen yet. Each image counts for itself. Constant
/// initialisation and no destructor: usable before main, in destructors of other thread_locals, and at exit.
FIXPOOL_HIDDEN inline constinit thread_local unsigned thread_number = 0;
FIXPOOL_HIDDEN inline constinit std::atomic<unsigned> threads_numbered = 0;

struct threads {
    class FIXPOOL_LOCKS(capability("mutex")) mutex {
    public:
        void lock() FIXPOOL_LOCKS(acquire_capability()) { mutex_.lock(); }
        void unlock() FIXPOOL_LOCKS(release_capability()) { mutex_.unlock(); }

    private:
        std::mutex mutex_;
    };

    /// Data that a lock guards. Callers say whether they read or write, for the scheduler's race detector.
    template <class V> class guarded {
    public:
        template <class... Args> explicit guarded(Args&&... args) : value_(std::forward<Args>(args)...) {}
        [[nodiscard]] const V& read() const noexcept { return value_; }
        [[nodiscard]] V& write() noexcept { return value_; }
        [[nodiscard]] const V& constant() const noexcept { return value_; }  // for parts that never change: no lock

    private:
        V value_;  // the last member: the stack of a magazine lies behind it
    };

    template <class V> [[nodiscard]] static V load(const std::atomic<V>& from, std::memory_order order) noexcept {
        return from.load(order);
    }
    template <class V> static void store(std::atomic<V>& to, V value, std::memory_order order) noexcept {
        to.store(value, order);
    }
    template <class V> static V exchange(std::atomic<V>& at, V value, std::memory_order order) noexcept {
        return at.exchange(value, order);
    }
    /// Stores `value` if `expected` is there. Returns what was there.
    template <class V>
    static V compare_exchange(std::atomic<V>& at, V expected, V value, std::memory_order order) noexcept {
        at.compare_exchange_strong(expected, value, order);
        return expected;
    }

    /// Waits a little, and longer with each turn. The holder of the lock may have lost its processor.
    static void pause(unsigned turn) noexcept {
        if (turn < 32) return;
        if (turn < 64) std::this_thread::yield();
        else std::this_thread::sleep_for(std::chrono::microseconds(50));
    }

    [[nodiscard]] static unsigned& number() noexcept { return thread_number; }
    [[nodiscard]] static unsigned next_number() noexcept {
        return threads_numbered.fetch_add(1, std::memory_order_relaxed) + 1;
    }
};

/// Holds a lock as long as it lives.
template <class Lock> class FIXPOOL_LOCKS(scoped_lockable) held {
public:
    explicit held(Lock& lock) FIXPOOL_LOCKS(acquire_capability(lock)) : lock_(lock) { lock.lock(); }
    held(const held&) = delete;
    held& operator=(const held&) = delete;
    ~held() FIXPOOL_LOCKS(release_capability()) { lock_.unlock(); }

private:
    Lock& lock_;
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
