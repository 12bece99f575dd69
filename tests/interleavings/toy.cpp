// SPDX-License-Identifier: BSL-1.0
// The scheduler's own test. It must find every bug that is planted here, and report nothing where there is none.
#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "scheduler.hpp"

using interleavings::explore;
using interleavings::harness;
using interleavings::modelled;
using interleavings::outcome;
using interleavings::unbounded;

namespace {

enum class bug {
    none,
    dropped_lock,
    early_unlock,
    late_decision,
    hidden_decision,
    destroyed_while_held,
    lock_order,
    leak,
    relaxed_unlock,
    load_and_store,
    hasty_refusal,
    never_unlocked,
    crash,
};

constexpr std::size_t most_blocks = 4;

/// Blocks behind one mutex. The pool owns itself: when it was let go, whoever puts back the last block destroys it.
template <class Sync, bug Bug> class counter_pool {
    struct data {
        explicit data(std::size_t count) : total(count), free(count) {}
        std::size_t total, free;
        bool is_let_go = false;
        std::size_t stack[most_blocks] = {0, 1, 2, 3};
    };

public:
    explicit counter_pool(std::size_t blocks) : data_(blocks) {}

    const void* take() {
        std::unique_lock lock(mutex_, std::defer_lock);
        if constexpr (Bug != bug::dropped_lock) lock.lock();
        if (Bug == bug::crash && data_.read().free == 0) std::abort();
        if (data_.read().free == 0) return nullptr;
        if constexpr (Bug == bug::early_unlock) lock.unlock();
        data& d = data_.write();
        return &blocks_[d.stack[--d.free]];
    }
    void put(const void* block) {
        std::unique_lock order(order_, std::defer_lock);
        if constexpr (Bug == bug::lock_order) order.lock();
        const std::lock_guard lock(mutex_);
        data& d = data_.write();
        d.stack[d.free++] = static_cast<std::size_t>(static_cast<const char*>(block) - blocks_);
    }
    std::size_t available() {
        std::unique_lock lock(mutex_);
        std::unique_lock order(order_, std::defer_lock);
        if constexpr (Bug == bug::lock_order) order.lock();
        return data_.read().free;
    }

    /// As put, by an owner that may be the last one.
    void put_or_end(const void* block) {
        std::unique_lock lock(mutex_);
        data& d = data_.write();
        d.stack[d.free++] = static_cast<std::size_t>(static_cast<const char*>(block) - blocks_);
        end_if_last(lock);
    }
    void let_go() {
        std::unique_lock lock(mutex_);
        data_.write().is_let_go = true;
        end_if_last(lock);
    }

private:
    [[nodiscard]] bool is_last() const { return data_.read().is_let_go && data_.read().free == data_.read().total; }

    void end_if_last(std::unique_lock<typename Sync::mutex>& lock) {
        bool is_last = this->is_last();
        if (Bug == bug::destroyed_while_held && is_last) {
            delete this;
            std::abort();
        }
        lock.unlock();
        if constexpr (Bug == bug::late_decision) is_last = this->is_last();
        if constexpr (Bug == bug::hidden_decision) {  // under the lock, but at another time
            lock.lock();
            is_last = this->is_last();
            lock.unlock();
        }
        lock.release();
        if (!is_last || Bug == bug::leak) return;
        delete this;
    }

    typename Sync::mutex mutex_, order_;  // the second one serves a bug
    typename Sync::template guarded<data> data_;
    char blocks_[most_blocks] = {};
};

/// The same with a slot of one block in front. Its lock is only tried, unless a thread finds no other block.
template <class Sync, bug Bug> class slotted_pool {
    struct slot {
        const void* block = nullptr;
    };
    static constexpr unsigned open = 0, locked = 1;

public:
    explicit slotted_pool(std::size_t blocks) : pool_(blocks) {}

    const void* take() {
        if (const void* const block = take_from_slot(false)) return block;
        const std::lock_guard lock(mutex_);
        const void* const block = pool_.take();
        return block != nullptr ? block : take_from_slot(Bug != bug::hasty_refusal);
    }
    void put(const void* block) {
        if (try_lock()) {
            const bool has_room = slot_.read().block == nullptr;
            if (has_room) slot_.write().block = block;
            unlock();
            if (has_room) return;
        }
        const std::lock_guard lock(mutex_);
        pool_.put(block);
    }
    std::size_t available() {
        const std::lock_guard lock(mutex_);
        wait_for_lock();
        const std::size_t count = pool_.available() + (slot_.read().block != nullptr);
        unlock();
        return count;
    }

private:
    const void* take_from_slot(bool waits) {
        if (waits) wait_for_lock();
        else if (!try_lock()) return nullptr;
        const void* const block = slot_.read().block;
        if (block != nullptr) slot_.write().block = nullptr;
        if (Bug != bug::never_unlocked || block == nullptr) unlock();
        return block;
    }
    bool try_lock() {
        if constexpr (Bug != bug::load_and_store)
            return Sync::exchange(lock_, locked, std::memory_order_acquire) == open;
        if (Sync::load(lock_, std::memory_order_acquire) == locked) return false;
        Sync::store(lock_, locked, std::memory_order_relaxed);
        return true;
    }
    void wait_for_lock() {
        for (unsigned turn = 0; !try_lock(); ++turn) Sync::pause(turn);
    }
    void unlock() {
        Sync::store(lock_, open, Bug == bug::relaxed_unlock ? std::memory_order_relaxed : std::memory_order_release);
    }

    std::atomic<unsigned> lock_ = open;
    typename Sync::template guarded<slot> slot_;
    typename Sync::mutex mutex_;
    counter_pool<Sync, bug::none> pool_;
};

/// A pool of one block, in one atomic pointer.
template <class Sync, bug Bug> class cell_pool {
public:
    const void* take() {
        if constexpr (Bug != bug::load_and_store)
            return Sync::exchange(cell_, static_cast<const void*>(nullptr), std::memory_order_acquire);
        const void* const block = Sync::load(cell_, std::memory_order_acquire);
        if (block != nullptr) Sync::store(cell_, static_cast<const void*>(nullptr), std::memory_order_relaxed);
        return block;
    }
    void put(const void* block) { Sync::store(cell_, block, std::memory_order_release); }

private:
    char block_ = 0;
    std::atomic<const void*> cell_ = &block_;
};

template <class Pool> void take_and_put(harness& h, Pool& pool) {
    if (const void* const block = h.take([&] { return pool.take(); })) h.put(block, [&] { pool.put(block); });
    else h.saw("a refusal");
}

/// Each thread takes a block, puts it back and counts.
template <class Pool> outcome busy(const char* name, unsigned bound, unsigned threads, std::size_t blocks) {
    return explore(name, bound, [=](harness& h) {
        const auto pool = std::make_unique<Pool>(blocks);
        h.capacity(blocks);
        const auto count = [&] { return pool->available(); };
        const auto body = [&] {
            take_and_put(h, *pool);
            h.available(count);
        };
        if (threads == 2) h.run(body, body);
        else h.run(body, body, body);
        h.check(h.available(count) == blocks, "a block is lost");
    });
}

/// One thread lets the pool go while another one puts the last block back.
template <bug Bug> outcome last_out(const char* name, unsigned bound) {
    return explore(name, bound, [](harness& h) {
        auto* const pool = new counter_pool<modelled, Bug>(2);
        const void* const block = pool->take();
        h.run([&] { pool->put_or_end(block); }, [&] { pool->let_go(); });
    });
}

template <bug Bug> outcome one_cell(const char* name, unsigned bound) {
    return explore(name, bound, [](harness& h) {
        cell_pool<modelled, Bug> pool;
        h.capacity(1);
        const auto body = [&] { take_and_put(h, pool); };
        h.run(body, body);
    });
}

/// One block is in the slot all the time, so no take may be refused.
template <bug Bug> outcome full_slot(const char* name, unsigned bound) {
    return explore(name, bound, [](harness& h) {
        slotted_pool<modelled, Bug> pool(2);
        h.capacity(2);
        const void* const first = h.take([&] { return pool.take(); });
        const void* const second = h.take([&] { return pool.take(); });
        h.put(first, [&] { pool.put(first); });
        h.run([&] { h.put(second, [&] { pool.put(second); }); }, [&] { take_and_put(h, pool); });
    });
}

outcome double_delete(const char* name) {
    return explore(name, unbounded, [](harness& h) {
        void* volatile block = ::operator new(1);
        const auto body = [&] { ::operator delete(block); };
        h.run(body, body);
    });
}

/// Two or three threads, each with some stores, in all possible orders.
outcome counted(unsigned bound, unsigned threads, unsigned stores) {
    return explore("stores", bound, [=](harness& h) {
        std::atomic<unsigned> at = 0;
        const auto body = [&] {
            for (unsigned i = 0; i < stores; ++i) modelled::store(at, i, std::memory_order_relaxed);
        };
        if (threads == 2) h.run(body, body);
        else h.run(body, body, body);
    });
}

/// One thread passes a value to a second one by a flag, which passes the flag on to a third one.
outcome passed_on(const char* name, std::memory_order set, std::memory_order got, bool exchanges) {
    return explore(name, unbounded, [=](harness& h) {
        modelled::guarded<int> value(0);
        std::atomic<unsigned> flag = 0;
        const auto wait_for = [&](unsigned wanted, std::memory_order order) {
            for (unsigned turn = 0; modelled::load(flag, order) != wanted; ++turn) modelled::pause(turn);
        };
        const auto writer = [&] {
            value.write() = 1;
            modelled::store(flag, 1u, set);
        };
        const auto courier = [&] {
            wait_for(1, std::memory_order_relaxed);
            if (exchanges) modelled::exchange(flag, 2u, std::memory_order_relaxed);
            else modelled::store(flag, 2u, std::memory_order_relaxed);
        };
        const auto reader = [&] {
            wait_for(2, got);
            h.check(value.read() == 1, "the value has not come");
        };
        h.run(reader, courier, writer);
    });
}

int status = 0;

void expect_found(const outcome& o, const char* words) {
    const bool is_right = o.failure.find(words) != std::string::npos;
    std::printf("%-28s %s after %4ju: %s\n", o.name.c_str(), is_right ? "found" : "NOT FOUND",
                std::uintmax_t{o.interleavings}, o.failure.c_str());
    if (!is_right) status = 1;
}
void expect_count(const outcome& o, std::uint64_t count) {
    status |= o.report();
    if (o.interleavings != count) status = 1;
}
void expect_passed(const outcome& o, bool wants_refusal = false) {
    status |= o.report();
    std::printf("  %.0f a second\n", static_cast<double>(o.interleavings) / o.seconds);
    if (wants_refusal && o.seen("a refusal") == 0) status = 1;
}

}  // namespace

int main() {
    using counter = counter_pool<modelled, bug::none>;
    using slotted = slotted_pool<modelled, bug::none>;
    constexpr auto relaxed = std::memory_order_relaxed, acquire = std::memory_order_acquire,
                   release = std::memory_order_release;
    expect_found(busy<counter_pool<modelled, bug::dropped_lock>>("dropped lock", 2, 2, 2), "data race");
    expect_found(busy<counter_pool<modelled, bug::early_unlock>>("unlock too early", 2, 2, 2), "data race");
    expect_found(busy<counter_pool<modelled, bug::lock_order>>("lock order", 2, 2, 2), "deadlock");
    expect_found(busy<counter_pool<modelled, bug::crash>>("abort", 2, 2, 1), "raised signal");
    expect_found(last_out<bug::late_decision>("late decision", 2), "data race");
    expect_found(last_out<bug::hidden_decision>("late decision under a lock", 2), "use after destruction");
    expect_found(last_out<bug::destroyed_while_held>("destroyed while held", 2), "holds");
    expect_found(last_out<bug::leak>("leak", 2), "leak of 1");
    expect_found(double_delete("double delete"), "double delete");
    expect_found(busy<slotted_pool<modelled, bug::relaxed_unlock>>("relaxed unlock", 2, 2, 2), "data race");
    expect_found(busy<slotted_pool<modelled, bug::load_and_store>>("lock by load and store", 2, 2, 2), "data race");
    expect_found(busy<slotted_pool<modelled, bug::never_unlocked>>("slot never unlocked", 2, 2, 2), "deadlock");
    expect_found(full_slot<bug::hasty_refusal>("hasty refusal", 2), "no order");
    expect_found(one_cell<bug::load_and_store>("taken by load and store", 2), "out already");
    expect_found(passed_on("set by a relaxed store", relaxed, acquire, true), "data race");
    expect_found(passed_on("got by a relaxed load", release, relaxed, true), "data race");
    expect_found(passed_on("passed on by a store", release, acquire, false), "data race");

    expect_count(counted(0, 2, 3), 2);
    expect_count(counted(unbounded, 2, 3), 20);  // 6! / (3! 3!)
    expect_count(counted(unbounded, 3, 2), 90);  // 6! / (2! 2! 2!)
    expect_passed(passed_on("passed on by an exchange", release, acquire, true));
    expect_passed(one_cell<bug::none>("cell", unbounded), true);
    expect_passed(full_slot<bug::none>("full slot", unbounded));
    expect_passed(last_out<bug::none>("last out", unbounded));
    for (const unsigned bound : {1u, 2u, 3u, unbounded})
        expect_passed(busy<counter>("counter, 2 x 3", bound, 2, 1), true);
    for (const unsigned bound : {1u, 2u, 3u, unbounded})
        expect_passed(busy<slotted>("slotted, 2 x 3", bound, 2, 1), true);
    expect_passed(busy<counter>("counter, 3 x 3", 3, 3, 2), true);
    expect_passed(busy<slotted>("slotted, 3 x 3", 3, 3, 2), true);
    return status;
}
