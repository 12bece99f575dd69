// SPDX-License-Identifier: BSL-1.0
// magazine: the free blocks that a thread has at hand, and the slots in which threads find them.
#pragma once

#include <fixpool/detail/free_list.hpp>
#include <fixpool/detail/threads.hpp>

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// How many slots a shared pool has, and how many blocks move at once between a magazine and the depot. A magazine
/// holds up to twice as many. Without slots, every operation takes the pool's mutex.
struct magazine_plan {
    std::uint32_t size = 0;   // blocks
    std::uint32_t slots = 0;  // a power of two, or 0

    /// A plan for a pool of `blocks` blocks. Its size is at most `most`. All magazines together hold at most `blocks`.
    [[nodiscard]] static constexpr magazine_plan of(std::size_t blocks, std::size_t most) noexcept {
        const std::size_t fitting = blocks / 20 < 0xffff ? blocks / 20 : 0xffff;
        const auto size = static_cast<std::uint32_t>(most < fitting ? most : fitting);
        if (size == 0) return {};
        const std::size_t slots = blocks / size / 2;
        return {size, static_cast<std::uint32_t>(std::bit_floor(slots < 16 ? slots : 16))};
    }
};

/// A stack of free blocks. Its entries lie behind this object, in the same memory from `operator new`.
/// At the bottom are fresh blocks, which were never handed out. They are neighbours, so that threads which fill a pool
/// do not share cache lines.
/// A closed magazine accepts no block, and keeps only fresh ones. Magazines, with a depot of full and empty ones behind
/// them, were invented by Bonwick and Adams (USENIX 2001).
// Invariant, in blocks: open: never_out <= count <= capacity; closed: capacity == 0, never_out == count.
template <checking C> struct magazine {
    using entry = typename free_list<C>::entry;

    [[nodiscard]] bool push(entry block) noexcept {
        if (count >= capacity) return false;
        stack()[count++] = block;
        return true;
    }
    /// Takes a block that was put back. False if there is none.
    [[nodiscard]] bool pop(entry& taken) noexcept {
        if (count == never_out) return false;
        taken = stack()[--count];
        return true;
    }
    /// Takes a fresh block. False if there is none. Requires: `pop` found none.
    [[nodiscard]] bool pop_fresh(entry& taken) noexcept {
        if (count == 0) return false;
        taken = stack()[never_out = --count];
        return true;
    }

    [[nodiscard]] entry* stack() noexcept { return std::launder(reinterpret_cast<entry*>(this + 1)); }

    std::uint32_t capacity = 0;   // of the stack, in blocks; 0: closed
    std::uint32_t count = 0;      // blocks in the stack
    std::uint32_t never_out = 0;  // fresh blocks, at the bottom; the topmost of them has the lowest address
};

/// A lock that the fast path only tries: a thread that finds it taken goes elsewhere.
template <class Sync> class FIXPOOL_LOCKS(capability("slot")) slot_lock {
public:
    [[nodiscard]] bool try_lock() noexcept FIXPOOL_LOCKS(try_acquire_capability(true)) {
        return Sync::exchange(taken_, 1u, std::memory_order_acquire) == 0;
    }
    void lock() noexcept FIXPOOL_LOCKS(acquire_capability()) {
        for (unsigned turn = 0; Sync::exchange(taken_, 1u, std::memory_order_acquire) != 0; ++turn) Sync::pause(turn);
    }
    void unlock() noexcept FIXPOOL_LOCKS(release_capability()) { Sync::store(taken_, 0u, std::memory_order_release); }

private:
    std::atomic<unsigned> taken_ = 0;  // not a byte: exchanging one took half as long again (Zen 3)
};

template <checking C, class Sync> struct slot {
    slot_lock<Sync> lock;
    typename Sync::template guarded<magazine<C>> at_hand FIXPOOL_LOCKS(guarded_by(lock));  // the last member
};

/// The slots of a shared pool, in memory from `operator new`. Each has cache lines of its own.
template <checking C, class Sync> class slots {
    using slot = detail::slot<C, Sync>;
    using entry = typename magazine<C>::entry;

public:
    FIXPOOL_HIDDEN static constexpr std::size_t line = 64;  // bytes: of a cache line

    explicit slots(magazine_plan plan) : plan_(plan), stride_(std::bit_ceil(slot_size() < line ? line : slot_size())) {
        if (plan.slots == 0) return;
        mask_ = plan.slots - 1;
        first_ = static_cast<std::byte*>(::operator new (count() * stride_, std::align_val_t{line}));
        for (std::size_t i = 0; i < plan.slots; ++i) ::new (first_ + i * stride_) slot;
    }
    slots(const slots&) = delete;
    slots& operator=(const slots&) = delete;
    ~slots() { ::operator delete (first_, std::align_val_t{line}); }

    [[nodiscard]] std::size_t count() const noexcept { return plan_.slots; }
    [[nodiscard]] std::uint32_t size() const noexcept { return plan_.size; }      // blocks that move at once
    [[nodiscard]] std::uint32_t room() const noexcept { return 2 * plan_.size; }  // blocks that a magazine holds
    [[nodiscard]] slot& at(std::size_t i) const noexcept { return at(i, first_); }

    /// Sets whether any slot is open. Threads without the pool's mutex take this as a hint, and do not look if none is.
    void set_open(bool any) noexcept { Sync::store(open_, any ? first_ : nullptr, std::memory_order_relaxed); }

    /// Returns what fn(magazine) returns for the caller's slot: whether fn succeeded. False if another thread has the
    /// slot; the caller then moves on to the next slot. False if there is no slot; with `IfOpen`, also if none is open.
    template <bool IfOpen, class Fn> [[nodiscard]] bool in_own(const Fn& fn) const noexcept {
        std::byte* const first = IfOpen ? Sync::load(open_, std::memory_order_relaxed) : first_;
        if (first == nullptr) return false;
        slot& mine = at(Sync::number() & mask_, first);
        if (!mine.lock.try_lock()) {
            ++Sync::number();
            return false;
        }
        const bool result = fn(mine.at_hand.write());
        mine.lock.unlock();
        return result;
    }

    /// Calls fn(magazine) for each slot.
    template <class Fn> void for_each(const Fn& fn) const noexcept {
        for (std::size_t i = 0; i < plan_.slots; ++i) {
            slot& each = at(i);
            const held<slot_lock<Sync>> lock(each.lock);
            fn(each.at_hand.write());
        }
    }

private:
    [[nodiscard]] std::size_t slot_size() const noexcept { return sizeof(slot) + room() * sizeof(entry); }  // bytes
    [[nodiscard]] slot& at(std::size_t i, std::byte* first) const noexcept {
        return *std::launder(reinterpret_cast<slot*>(first + i * stride_));
    }

    std::byte* first_ = nullptr;
    magazine_plan plan_;
    std::size_t stride_;                      // bytes from slot to slot
    std::uint32_t mask_ = 0;                  // the number of slots - 1, if there are any
    std::atomic<std::byte*> open_ = nullptr;  // first_ if a slot is open: one load tells whether, and where
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
