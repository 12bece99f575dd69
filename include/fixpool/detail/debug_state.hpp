// SPDX-License-Identifier: BSL-1.0
// debug_state: the blocks of a shared pool at debug level. One mutex guards them, and each release is validated.
#pragma once

#include <fixpool/detail/debug_memory_pool.hpp>

#include <cstddef>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI::detail {

struct magazine_plan;
template <class Lock> class held;

/// Replaces shared_state at debug level, without magazines. It includes no header of threads: a program that uses a
/// shared pool does that.
template <checking C, class Sync>
requires keeps_sites<C>
class shared_state<C, Sync> {
    using pool_of_blocks = basic_memory_pool<checking::debug>;
    using lock_of_mutex = held<typename Sync::mutex>;

    struct depot {
        depot(pool_layout layout, arena&& memory, const pool_options& options)
            : pool(layout, std::move(memory), options) {}
        [[nodiscard]] debug_list& list() noexcept { return pool.list_; }
        pool_of_blocks pool;
        bool is_abandoned = false;  // the last copy of the pool is gone
    };

public:
    using entry = debug_list::entry;
    static constexpr entry none = debug_list::none;

    shared_state(pool_layout layout, arena memory, const pool_options& options, const magazine_plan&)
        : depot_(layout, std::move(memory), options), pool_(depot_.constant().pool) {}

    /// Takes a block, which is then out but not live; `none` if all are out.
    template <bool = true> [[nodiscard]] entry take(const site& where = site::unknown()) noexcept {
        entry taken = none;
        {
            const lock_of_mutex lock(mutex_);
            if (!list().take(taken)) return none;
        }
        inspect(taken);
        const lock_of_mutex lock(mutex_);
        list().begin(taken, where);
        return taken;
    }

    /// As in shared_state.
    [[nodiscard]] bool put(entry block) noexcept {
        const lock_of_mutex lock(mutex_);
        list().put(block);
        return depot_.read().is_abandoned && list().out() == 0;
    }
    [[nodiscard]] bool abandon() noexcept {
        const lock_of_mutex lock(mutex_);
        depot_.write().is_abandoned = true;
        return list().out() == 0;
    }

    void mark(entry block, block_state state) noexcept {
        const lock_of_mutex lock(mutex_);
        list().mark(block, state);
    }
    void give_up(entry block) noexcept { mark(block, block_state::given_up); }
    [[nodiscard]] bool is_given_up(const void* address) const noexcept {
        const lock_of_mutex lock(mutex_);
        return depot_.read().pool.list_.is_live(pool_.index_of(address));
    }

    /// Takes the block at `address` if its state is `from`; else returns `none`. The caller puts the block back.
    [[nodiscard]] entry claim(void* address, block_state from, const site& where = site::unknown()) noexcept {
        entry claimed = none;
        {
            const lock_of_mutex lock(mutex_);
            claimed = list().claim(address, where, from);
        }
        if (claimed != none) inspect(claimed);
        return claimed;
    }

    /// Changes the state of the block at `address` from `from` to `to`. False if the state was another.
    [[nodiscard]] bool change(void* address, block_state from, block_state to) noexcept {
        const lock_of_mutex lock(mutex_);
        return list().change(address, from, to) != none;
    }

    /// Why `claim` or `change` refused `address`. An object under construction or destruction counts as owned.
    template <bool Handles>
    [[nodiscard]] FIXPOOL_COLD violation misuse_of(const void* address, block_state = {}) noexcept {
        const lock_of_mutex lock(mutex_);
        const std::size_t index = list().index_of(address);
        const bool is_owned = Handles && !list().is_free(index);
        return depot_.read().pool.violation_at(is_owned ? violation_kind::still_owned : list().misuse_of(address),
                                               address);
    }

    [[nodiscard]] pool_stats stats() const noexcept {
        const lock_of_mutex lock(mutex_);
        return depot_.read().pool.stats();
    }

    /// As in shared_state.
    template <class Fn> auto at_rest(const Fn& fn) noexcept {
        const lock_of_mutex lock(mutex_);
        return fn(depot_.write());
    }
    [[nodiscard]] bool is_sound() noexcept {
        const violation wrong =
            at_rest([](depot& d) { return d.pool.violation_of(find_disorder(d.list(), /*least=*/0)); });
        if (wrong.address != nullptr) report(wrong);
        return wrong.address == nullptr;
    }

    // Constant: read without the lock.
    [[nodiscard]] const pool_of_blocks& pool() const noexcept { return pool_; }
    [[nodiscard]] const debug_list& numbers() const noexcept { return pool_.list_; }
    void report(const violation& misuse) const noexcept { pool_.reporter_.report(misuse); }
    [[noreturn]] void raise_exhausted() const {
        if constexpr (traps) stop();
        else raise_made<pool_exhausted>(pool_.name(), pool_.total_blocks(), text_of_holders().c_str());
    }

private:
    [[nodiscard]] debug_list& list() noexcept FIXPOOL_LOCKS(requires_capability(mutex_)) {
        return depot_.write().pool.list_;
    }

    [[nodiscard]] text_line text_of_holders() const noexcept {
        const lock_of_mutex lock(mutex_);
        return depot_.read().pool.list_.text_of_holders();
    }

    /// Reports and mends damage in or around a block. The lock is not held during a report.
    void inspect(entry block) noexcept {
        for (finding found = first_damage(block); found; found = first_damage(block)) {
            report(violation_of(found));
            const lock_of_mutex lock(mutex_);
            list().mend(found);
        }
    }
    [[nodiscard]] finding first_damage(entry block) noexcept {
        const lock_of_mutex lock(mutex_);
        return list().inspect(block);
    }
    [[nodiscard]] violation violation_of(const finding& found) const noexcept {
        const lock_of_mutex lock(mutex_);
        return depot_.read().pool.violation_of(found);
    }

    mutable typename Sync::mutex mutex_;
    typename Sync::template guarded<depot> depot_ FIXPOOL_LOCKS(guarded_by(mutex_));
    const pool_of_blocks& pool_;  // the depot's pool, for its constant parts
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
