// SPDX-License-Identifier: BSL-1.0
// shared_pattern: what the threads of threads.cpp do with their contender.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

using random_numbers = std::linear_congruential_engine<std::uint64_t, 6364136223846793005U, 1442695040888963407U, 0U>;

enum class play { pair, churn, burst, any, hand_over };

struct pattern {
    const char* name;
    play what;
    std::size_t held;             // live blocks per thread, at most
    bool is_shuffled = false;     // whether the free blocks are shuffled first
    bool is_nearly_full = false;  // only 16 blocks are free
    std::size_t group = 1;        // threads that share the work of a pair
};

inline constexpr std::size_t common_slots = 1024;  // in `any`, for all threads together
inline constexpr std::size_t shuffled_blocks = 65'536;
inline constexpr std::size_t ring_size = 256;  // in `producer`

inline constexpr pattern patterns[] = {
    {"pair", play::pair, 1},
    {"private/16", play::churn, 16},
    {"private/512", play::churn, 512},
    {"any", play::any, 0},
    {"producer", play::hand_over, ring_size, false, false, 2},
    {"shuffled/16", play::churn, 16, true},
    {"burst/2048", play::burst, 2048, true},
    {"nearly_full", play::churn, 16, false, true},
};

/// A pattern and a number of threads.
struct task {
    const pattern* of;
    std::size_t threads;

    /// Blocks in the pool: twice as many as are live, unless the pattern is nearly full.
    [[nodiscard]] std::size_t capacity() const {
        const std::size_t out = of->held * threads;
        if (of->is_nearly_full) return out + 16;
        return std::max<std::size_t>(of->is_shuffled ? shuffled_blocks : 4096, 2 * out);
    }
    [[nodiscard]] std::string name() const {
        return std::string(of->name) + ", " + std::to_string(threads) + (threads == 1 ? " thread" : " threads");
    }
};

/// What a thread uses, and its sums. Passed by value, so that it stays in registers.
template <class Contender> struct worker_of {
    using slot = typename Contender::slot;

    Contender* contender;
    std::size_t thread;
    std::span<slot> slots;
    random_numbers random{thread};
    std::uint64_t number = std::uint64_t{thread} << 40;  // the last one put into a block
    std::uint64_t put_sum = 0;
    std::uint64_t taken_sum = 0;
    std::uint64_t refused = 0;

    void put(slot& where) {
        ++number;
        while (!contender->put(where, number)) {
            ++refused;
            std::this_thread::yield();
        }
        put_sum += number;
    }
    void take(slot& where) { taken_sum += contender->take(where); }
    std::size_t random_below(std::size_t limit) { return static_cast<std::size_t>((random() >> 32) * limit >> 32); }
};

// Each thread plays a pattern: `prepare`, `run` twice, of which the second is measured, and `finish`. In between, the
// threads wait for each other.

/// One block, again and again.
template <class Contender> struct pair_play {
    using worker = worker_of<Contender>;
    explicit pair_play(const task&) {}
    void prepare(worker&) {}
    [[gnu::noinline]] worker run(worker w, std::size_t operations) {
        for (std::size_t i = 0; i < operations; ++i) {
            w.put(w.slots[0]);
            std::atomic_signal_fence(std::memory_order_seq_cst);  // forces a read from the block
            w.take(w.slots[0]);
        }
        return w;
    }
    void finish(worker&) {}
};

/// Each thread replaces a random one of its own blocks.
template <class Contender> struct churn_play {
    using worker = worker_of<Contender>;
    explicit churn_play(const task&) {}
    void prepare(worker& w) {
        for (auto& slot : w.slots) w.put(slot);
    }
    [[gnu::noinline]] worker run(worker w, std::size_t operations) {
        for (std::size_t i = 0; i < operations; ++i) {
            auto& slot = w.slots[w.random_below(w.slots.size())];
            w.take(slot);
            w.put(slot);
        }
        return w;
    }
    void finish(worker& w) {
        for (auto& slot : w.slots) w.take(slot);
    }
};

/// Each thread allocates blocks, and then releases all of them, the first one first.
template <class Contender> struct burst_play {
    using worker = worker_of<Contender>;
    explicit burst_play(const task&) {}
    void prepare(worker&) {}
    [[gnu::noinline]] worker run(worker w, std::size_t operations) {
        while (operations > 0) {
            const auto slots = w.slots.first(std::min(operations, w.slots.size()));
            for (auto& slot : slots) w.put(slot);
            for (auto& slot : slots) w.take(slot);
            operations -= slots.size();
        }
        return w;
    }
    void finish(worker&) {}
};

/// Each thread leaves a new block in a random place of a common array, and releases the one that was there. Handles are
/// too large for an atomic exchange, so threads exchange pointers to cells with a block. Each thread has a spare cell.
template <class Contender> class any_play {
    using worker = worker_of<Contender>;
    struct alignas(64) cell {
        typename Contender::slot block{};
    };

public:
    explicit any_play(const task& t) : cells_(common_slots + t.threads), threads_(t.threads) {
        for (std::size_t i = 0; i < common_slots; ++i) places_[i] = &cells_[i];
        for (std::size_t thread = 0; thread < threads_; ++thread) spare_.push_back(&cells_[common_slots + thread]);
    }
    void prepare(worker& w) {
        for (std::size_t i = w.thread; i < common_slots; i += threads_) w.put(places_[i].load()->block);
    }
    [[gnu::noinline]] worker run(worker w, std::size_t operations) {
        cell* spare = spare_[w.thread];
        for (std::size_t i = 0; i < operations; ++i) {
            w.put(spare->block);
            spare = places_[w.random_below(common_slots)].exchange(spare, std::memory_order_acq_rel);
            w.take(spare->block);
        }
        spare_[w.thread] = spare;
        return w;
    }
    void finish(worker& w) {
        for (std::size_t i = w.thread; i < common_slots; i += threads_) w.take(places_[i].load()->block);
    }

private:
    std::vector<cell> cells_;
    std::size_t threads_;
    std::vector<cell*> spare_;  // per thread, empty
    std::array<std::atomic<cell*>, common_slots> places_{};
};

/// The first half of the threads allocates, the other half releases. A ring joins one thread of each half, on different
/// processors if there are two. A thread that has to wait yields.
template <class Contender> class hand_over_play {
    using worker = worker_of<Contender>;
    struct ring {
        alignas(64) std::atomic<std::size_t> written{0};
        alignas(64) std::atomic<std::size_t> read{0};
        alignas(64) std::array<typename Contender::slot, ring_size> slots{};
    };

public:
    explicit hand_over_play(const task& t) : rings_(t.threads / 2) {}
    void prepare(worker&) {}
    worker run(worker w, std::size_t operations) {
        if (w.thread < rings_.size()) return produce(w, rings_[w.thread], operations);
        return consume(w, rings_[(w.thread + 1) % rings_.size()], operations);
    }
    void finish(worker&) {}

private:
    [[gnu::noinline]] static worker produce(worker w, ring& to, std::size_t operations) {
        std::size_t read = to.read.load(std::memory_order_acquire);  // the value seen last; it may be larger by now
        const std::size_t first = to.written.load(std::memory_order_relaxed);
        for (std::size_t i = first; i < first + operations; ++i) {
            while (i - read == ring_size) {
                read = to.read.load(std::memory_order_acquire);
                if (i - read == ring_size) std::this_thread::yield();
            }
            w.put(to.slots[i % ring_size]);
            to.written.store(i + 1, std::memory_order_release);
        }
        return w;
    }
    [[gnu::noinline]] static worker consume(worker w, ring& from, std::size_t operations) {
        std::size_t written = from.written.load(std::memory_order_acquire);
        const std::size_t first = from.read.load(std::memory_order_relaxed);
        for (std::size_t i = first; i < first + operations; ++i) {
            while (i == written) {
                written = from.written.load(std::memory_order_acquire);
                if (i == written) std::this_thread::yield();
            }
            w.take(from.slots[i % ring_size]);
            from.read.store(i + 1, std::memory_order_release);
        }
        return w;
    }

    std::vector<ring> rings_;
};

/// Allocates a share of all blocks, and releases them in random order.
template <class Contender>
void shuffle_free_blocks(worker_of<Contender>& w, std::size_t share, std::barrier<>& together) {
    std::vector<typename Contender::slot> taken(share);
    for (auto& slot : taken) w.put(slot);
    together.arrive_and_wait();
    std::shuffle(taken.begin(), taken.end(), w.random);
    for (auto& slot : taken) w.take(slot);
    together.arrive_and_wait();
}
