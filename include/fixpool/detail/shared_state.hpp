// SPDX-License-Identifier: BSL-1.0
// shared_state: the blocks of a shared pool. It is as exact as one counter behind one mutex, but seldom takes it.
#pragma once

#include <fixpool/detail/block_marks.hpp>
#include <fixpool/detail/block_numbers.hpp>
#include <fixpool/detail/depot.hpp>
#include <fixpool/detail/magazine.hpp>
#include <fixpool/detail/threads.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// What the copies of a shared pool share: a depot behind a mutex, and slots. A slot is a magazine behind a lock that
/// is only tried. A thread takes blocks from its slot and puts them back there. If the slot is taken, closed, empty or
/// full, the thread takes the mutex, and moves up to `magazine_plan::size` blocks. No user code and no handler runs
/// while a lock is held. Order of locks: the mutex, then one slot. `stats` takes the mutex, then all slots.
///
/// The capacity is exact. Before an allocation fails, it closes and empties all slots under the mutex: at that moment
/// all blocks are out. A release that finds its slot closed takes the mutex. (If slots stayed open, a block could move
/// from a slot not yet emptied into an emptied one.) A slot opens again when the depot can fill a magazine.
///
/// No counter per block keeps the state alive. When the last copy is gone, `abandon` closes all slots for good. From
/// then on every release takes the mutex, and learns whether it was the last.
///
/// A handle's release is not validated. A pointer that a handle gave up is: its block has a mark, and only one caller
/// can take that away. So most operations do not touch the blocks' states, which share cache lines.
// Invariant, under the mutex and all slots' locks, in blocks: out + the depot's + the magazines' == total. The depot's
// list counts blocks in magazines as out.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): what changes and what does not are on lines of their own
template <checking C, class Sync = threads> class shared_state {
    using free_list = typename detail::list_for<C>::type;
    using magazine = detail::magazine<C>;
    using depot = detail::depot<C>;
    using lock_of_mutex = held<typename Sync::mutex>;

public:
    using entry = typename free_list::entry;
    static constexpr bool is_checked = free_list::is_checked;
    static constexpr entry none = free_list::none;

    shared_state(pool_layout layout, arena memory, const pool_options& options, magazine_plan plan)
        : depot_(layout, std::move(memory), options),
          pool_(depot_.constant().pool),
          numbers_(pool_.list_),
          slots_(plan),
          marks_(pool_.list_) {
        depot_.write().batches().share_granules();
    }

    /// Takes a block; `none` if all are out. Without `Handles`, the caller gives it up at once.
    template <bool Handles = true> [[nodiscard]] entry take() noexcept {
        entry taken = none;
        const auto take_at_hand = [&](magazine& at_hand) { return take_from<Handles>(at_hand, taken); };
        if (!slots_.template in_own</*IfOpen=*/true>(take_at_hand)) taken = take_from_depot<Handles>();
        if (taken != none && pool_.list_.poisons()) unpoison(numbers_.address(taken), pool_.block_size());
        return taken;
    }

    /// Puts back a block that is out. True if this state must end now, because nobody else knows it. Otherwise it may
    /// be gone already.
    [[nodiscard]] bool put(entry block) noexcept {
        if (pool_.list_.poisons()) poison(numbers_.address(block), numbers_.stride());
        const auto put_at_hand = [block](magazine& at_hand) { return at_hand.push(block); };
        return !slots_.template in_own</*IfOpen=*/true>(put_at_hand) && put_into_depot(block);
    }

    /// The last copy of the pool is gone. True if this state must end now. Otherwise a `put` will return true.
    [[nodiscard]] bool abandon() noexcept {
        const lock_of_mutex lock(mutex_);
        depot& d = depot_.write();
        close_slots(d);
        slots_.for_each([&](magazine& closed) {
            for (entry taken = none; take_fresh<true>(closed, taken);) d.list().put(taken);  // no longer fresh: no leak
        });
        d.kept = 0;
        d.is_abandoned = true;
        return d.list().out() == 0;
    }

    /// Marks a block whose address goes to the program. `claim` takes it once.
    void give_up(entry block) noexcept { marks_.mark(block); }

    /// Whether `claim` would take the block at `address` now.
    template <std::size_t Stride = 0> [[nodiscard]] bool is_given_up(const void* address) const noexcept {
        return marks_.is_marked(numbers_.template number_of<Stride>(address));
    }

    /// The block at `address` if it was given up; else `none`, and `was` is its state. Unchecked: always the block.
    template <std::size_t Stride = 0> [[nodiscard]] entry claim(void* address, block_state& was) noexcept {
        if constexpr (!is_checked) return static_cast<entry>(address);
        else was = marks_.take(numbers_.template number_of<Stride>(address));
        return was == block_state::given_up ? numbers_.template entry_of<Stride>(address) : none;
    }

    /// Why `claim` refused `address`, whose state was `was`. With `Handles`, a block not free has an owner. O(peak).
    template <bool Handles>
    [[nodiscard]] FIXPOOL_COLD violation misuse_of(const void* address, block_state was) noexcept {
        return at_rest([=, this](depot& d) {
            const std::size_t index = numbers_.index_of(address);
            violation_kind kind = violation_kind::double_free;
            if (index == violation::npos)
                kind = pool_.contains(address) ? violation_kind::misaligned_pointer : violation_kind::foreign_pointer;
            else if (was == block_state::fresh) kind = violation_kind::not_allocated;
            else if constexpr (Handles) kind = d.list().is_free(index) ? kind : violation_kind::still_owned;
            violation misuse = d.pool.violation_at(kind, address);
            misuse.live_blocks -= d.kept;
            return misuse;
        });
    }

    /// Counts all blocks at one moment, while all locks are held.
    [[nodiscard]] pool_stats stats() const noexcept FIXPOOL_LOCKS(no_thread_safety_analysis) {
        const lock_of_mutex lock(mutex_);
        pool_stats counts = depot_.read().pool.stats();
        counts.peak_in_use = depot_.read().ever_out;
        for (std::size_t i = 0; i < slots_.count(); ++i) {
            slots_.at(i).lock.lock();
            const magazine& at_hand = slots_.at(i).at_hand.read();
            counts.in_use -= at_hand.count;
            counts.peak_in_use -= at_hand.never_out;
        }
        for (std::size_t i = 0; i < slots_.count(); ++i) slots_.at(i).lock.unlock();
        return counts;
    }

    /// Calls fn(depot) under the mutex, with all slots closed. Blocks not out are in the depot's list or kept in slots.
    template <class Fn> auto at_rest(const Fn& fn) noexcept {
        const lock_of_mutex lock(mutex_);
        close_slots(depot_.write());
        return fn(depot_.write());
    }
    /// Calls fn(block) for each block kept in a slot. Requires: `at_rest` called this.
    template <class Fn> void for_each_kept(const Fn& fn) noexcept {
        slots_.for_each([&fn](magazine& closed) { std::for_each_n(closed.stack(), closed.count, fn); });
    }
    [[nodiscard]] bool is_fresh(std::size_t block) const noexcept { return marks_.load(block) == block_state::fresh; }

    /// Reports what is wrong in the metadata. The lock is not held during the report.
    [[nodiscard]] bool is_sound() noexcept {
        violation wrong;
        at_rest([&](depot& d) {
            wrong = d.pool.violation_of(find_disorder(d.list(), marks_, d.kept));
            wrong.live_blocks -= d.kept;
        });
        if (wrong.address != nullptr) report(wrong);
        return wrong.address == nullptr;
    }

    /// The number of open slots. If it is 0, every operation takes the mutex.
    [[nodiscard]] std::size_t open_slots() const noexcept {
        const lock_of_mutex lock(mutex_);
        return depot_.read().open;
    }

    // Constant: read without the lock.
    [[nodiscard]] const basic_memory_pool<C>& pool() const noexcept { return pool_; }
    [[nodiscard]] const block_numbers<C>& numbers() const noexcept { return numbers_; }
    void report(const violation& misuse) const noexcept { pool_.reporter_.report(misuse); }
    [[noreturn]] void raise_exhausted() const { pool_.raise_exhausted(); }

private:
    [[nodiscard]] bool may_open(depot& d) const noexcept {
        return !d.is_draining && !d.is_abandoned && d.spare() >= slots_.room();
    }

    /// As the slots' `in_own`, but opens the caller's slot. False if it is closed and may not be opened.
    template <class Fn> [[nodiscard]] bool in_open_slot(depot& d, const Fn& fn) noexcept {
        if (slots_.count() == 0 || (d.open == 0 && !may_open(d))) return false;
        if (Sync::number() == 0) Sync::number() = Sync::next_number();
        return slots_.template in_own</*IfOpen=*/false>([&](magazine& at_hand) {
            if (at_hand.capacity == 0 && may_open(d)) {
                at_hand.capacity = slots_.room();
                if (d.open++ == 0) slots_.set_open(true);
                d.kept -= at_hand.count;
            }
            return at_hand.capacity != 0 && fn(at_hand);
        });
    }

    template <bool Handles> [[nodiscard]] bool take_from(magazine& at_hand, entry& taken) noexcept {
        return at_hand.pop(taken) || (at_hand.capacity != 0 && take_fresh<Handles>(at_hand, taken));
    }

    template <bool Handles> [[nodiscard]] bool take_fresh(magazine& at_hand, entry& taken) noexcept {
        if (!at_hand.pop_fresh(taken)) return false;
        if constexpr (Handles) marks_.hand_out(taken);
        return true;
    }

    template <bool Handles> [[nodiscard]] FIXPOOL_COLD entry take_from_depot() noexcept {
        const lock_of_mutex lock(mutex_);
        depot& d = depot_.write();
        if (d.is_draining && ++d.takes > slots_.size()) d.is_draining = false;
        entry taken = none;
        const auto take_at_hand = [&](magazine& at_hand) {
            if (at_hand.count == 0 && d.spare() != 0) fill(at_hand, d);
            return take_from<Handles>(at_hand, taken);
        };
        if (in_open_slot(d, take_at_hand)) return taken;
        if (d.spare() == 0) close_slots(d);
        if (d.spare() == 0 && d.kept != 0) {
            slots_.for_each([&](magazine& closed) { return taken != none || take_fresh<Handles>(closed, taken); });
            --d.kept;
            return taken;
        }
        std::uint32_t one = 1;
        const bool is_fresh =
            d.batches().recycled() == 0 && d.spare() != 0 && marks_.add(d.list().out(), one, d.list().handed_out());
        d.ever_out += is_fresh;
        if (!d.list().template take<false>(taken) || !is_fresh) return taken;
        if constexpr (Handles) marks_.hand_out(taken);
        return taken;
    }

    [[nodiscard]] FIXPOOL_COLD bool put_into_depot(entry block) noexcept {
        const lock_of_mutex lock(mutex_);
        depot& d = depot_.write();
        const std::size_t few = (d.open + 1) * 3 * slots_.size();  // with fewer out, a later look could be too late
        if (d.was_half_out && d.list().out() - d.kept <= few && d.batches().restores_order()) {
            d.was_half_out = false;
            d.is_draining = true;
            d.takes = 0;
            close_slots(d);
        }
        const auto put_at_hand = [&](magazine& at_hand) {
            if (at_hand.count == at_hand.capacity) spill(at_hand, d.batches(), slots_.size());
            return at_hand.push(block);
        };
        if (in_open_slot(d, put_at_hand)) return false;
        d.list().put(block);
        if (d.list().out() == d.kept) end_draining(d);
        return d.is_abandoned && d.list().out() == 0;
    }

    /// Moves blocks from the depot into an empty magazine. If some were put back, it moves those. Otherwise it carves a
    /// run: fresh blocks or, when the list carves anew, blocks that were out before. Requires: the depot has blocks.
    void fill(magazine& at_hand, depot& d) noexcept {
        const std::size_t recycled = d.batches().recycled();
        if (recycled <= d.list().handed_out() / 2) d.was_half_out = true;
        const std::size_t most = std::min<std::size_t>(recycled != 0 ? recycled : d.spare(), slots_.size());
        at_hand.count = static_cast<std::uint32_t>(most);
        if (recycled != 0) return d.batches().take(at_hand.stack(), most);
        if (marks_.add(d.list().out(), at_hand.count, d.list().handed_out())) at_hand.never_out = at_hand.count;
        d.ever_out += at_hand.never_out;
        d.batches().carve(at_hand.stack(), at_hand.count);
    }

    static void spill(magazine& at_hand, const list_batches<C>& to, std::uint32_t count) noexcept {
        at_hand.count -= count;
        to.put(at_hand.stack() + at_hand.count, count);
    }

    /// Closes all slots: before an allocation fails, for the last copy of the pool, for reports, and when the pool
    /// drains. Their blocks go to the depot, except fresh ones in front of the last carved block.
    void close_slots(depot& d) noexcept {
        if (d.open == 0) return;
        slots_.for_each([&](magazine& at_hand) {
            if (at_hand.capacity == 0) return;
            spill(at_hand, d.batches(), at_hand.count - at_hand.never_out);
            at_hand.capacity = 0;
            d.kept += at_hand.count;
            if (d.batches().uncarve(at_hand.stack(), at_hand.count)) forget(d, at_hand);
        });
        d.open = 0;
        slots_.set_open(false);
    }

    /// No block is out, or in an open slot. The list forgets the blocks in closed slots, and carves all in order.
    void end_draining(depot& d) noexcept {
        d.is_draining = false;
        if (d.kept == 0 || !d.batches().restores_order()) return;
        if constexpr (!is_checked) d.ever_out += d.kept;  // unchecked, they do not count as fresh again
        slots_.for_each([&](magazine& at_hand) { forget(d, at_hand); });
        d.batches().carve_anew();
    }

    /// The blocks of a closed slot will be carved again.
    void forget(depot& d, magazine& at_hand) noexcept {
        d.kept -= at_hand.count;
        d.ever_out -= at_hand.count;
        at_hand.count = at_hand.never_out = 0;
    }

    mutable typename Sync::mutex mutex_;
    typename Sync::template guarded<depot> depot_ FIXPOOL_LOCKS(guarded_by(mutex_));
    const basic_memory_pool<C>& pool_;  // the depot's pool, for its constant parts

    // On cache lines that are rarely written: the constants, and the count of carved blocks.
    alignas(slots<C, Sync>::line) const block_numbers<C> numbers_;
    slots<C, Sync> slots_;
    block_marks<C, Sync> marks_;
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
