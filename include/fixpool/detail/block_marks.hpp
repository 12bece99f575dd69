// SPDX-License-Identifier: BSL-1.0
// block_marks: which blocks of a shared pool were given up. The program holds the address of such a block, and no
// handle owns it.
#pragma once

#include <fixpool/detail/free_list.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// One state per block of a shared pool, in the free list's memory.
/// Thread safety: all threads may set and take marks at once.
template <checking C, class Sync> class block_marks {
    using entry = typename free_list<C>::entry;

public:
    explicit block_marks(const free_list<C>& list) noexcept
        : states_(reinterpret_cast<std::atomic<block_state>*>(list.states())) {}

    /// Called when the `count` blocks from index `first` on are carved. Blocks that are carved for the first time
    /// become fresh: they were never handed out.
    /// Lowers `count` so that all of these blocks are fresh, or none. Returns whether they are fresh. An unchecked pool
    /// keeps no states: its blocks from index `handed_out` on are fresh.
    [[nodiscard]] bool add(std::size_t first, std::uint32_t& count, [[maybe_unused]] std::size_t handed_out) noexcept {
        if constexpr (free_list<C>::is_checked) {
            const auto end = static_cast<std::uint32_t>(first + count),
                       carved = Sync::load(carved_, std::memory_order_relaxed);
            for (std::uint32_t each = carved; each < end; ++each)
                Sync::store(states_[each], block_state::fresh, std::memory_order_relaxed);
            if (carved < end) Sync::store(carved_, end, std::memory_order_release);
        }
        const auto is_fresh = [&](std::size_t i) {
            if constexpr (!free_list<C>::is_checked) return i >= handed_out;
            else return Sync::load(states_[i], std::memory_order_relaxed) == block_state::fresh;
        };
        const bool are_fresh = is_fresh(first);
        std::uint32_t alike = 1;
        while (alike != count && is_fresh(first + alike) == are_fresh) ++alike;
        count = alike;
        return are_fresh;
    }

    /// Hands out a block that may be fresh.
    void hand_out(entry block) noexcept {
        if constexpr (free_list<C>::is_checked)
            Sync::store(states_[block], block_state::out_of_use, std::memory_order_release);
    }

    void mark(entry block) noexcept {
        if constexpr (free_list<C>::is_checked)
            Sync::store(states_[block], block_state::given_up, std::memory_order_release);
    }

    // For list_audit: the blocks in closed magazines are fresh.
    static constexpr block_state last = block_state::fresh;
    [[nodiscard]] static bool counts(block_state state) noexcept { return state == block_state::fresh; }
    [[nodiscard]] const void* place(std::size_t block) const noexcept { return &states_[block]; }
    [[nodiscard]] block_state load(std::size_t block) const noexcept {
        return Sync::load(states_[block], std::memory_order_relaxed);
    }
    void store(std::size_t block, block_state state) const noexcept {
        Sync::store(states_[block], state, std::memory_order_relaxed);
    }

    /// `number` is what block_numbers::number_of returns, of any address.
    [[nodiscard]] bool is_marked(std::uintptr_t number) const noexcept {
        return is_carved(number) && Sync::load(states_[number], std::memory_order_acquire) == block_state::given_up;
    }

    /// Removes the mark, and returns the former state. If two threads call this at once, only one gets `given_up`.
    [[nodiscard]] block_state take(std::uintptr_t number) noexcept {
        if (!is_carved(number)) return block_state::fresh;
        return Sync::compare_exchange(states_[number], block_state::given_up, block_state::out_of_use,
                                      std::memory_order_acq_rel);
    }

private:
    [[nodiscard]] bool is_carved(std::uintptr_t number) const noexcept {
        return number < Sync::load(carved_, std::memory_order_acquire);
    }

    std::atomic<block_state>* states_;       // libc++ before 19 has no std::atomic_ref
    std::atomic<std::uint32_t> carved_ = 0;  // blocks; the states of all others are not initialised
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
