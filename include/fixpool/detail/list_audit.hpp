// SPDX-License-Identifier: BSL-1.0
// list_audit: verifies the metadata of a checked free list, for `audit`.
#pragma once

#include <fixpool/detail/finding.hpp>
#include <fixpool/detail/free_list.hpp>

#include <cstddef>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// The states of a list that one thread uses.
struct plain_states {
    static constexpr block_state last = block_state::given_up;  // the last state that a block may have
    block_state* first;
    [[nodiscard]] static bool counts(block_state state) noexcept { return state == block_state::live; }
    [[nodiscard]] const void* place(std::size_t block) const noexcept { return first + block; }
    [[nodiscard]] block_state load(std::size_t block) const noexcept { return first[block]; }
    void store(std::size_t block, block_state state) const noexcept { first[block] = state; }
};

/// Verifies a checked free list. Complexity: linear in its blocks, even if its metadata were overwritten.
class list_audit {
    using list = free_list<checking::checked>;
    using entry = list::entry;

public:
    explicit list_audit(const list& audited) noexcept : list_(audited) {}

    /// The first thing that is wrong. At least `least` blocks must have a state that counts. More blocks may be out
    /// while objects are under construction or destruction.
    template <class States> [[nodiscard]] finding find(const States& states, std::size_t least) const noexcept {
        const std::size_t carved = list_.carved();
        if (list_.total() == 0) return {};
        if (carved > list_.total() || list_.out() > carved)
            return {.at = &list_, .problem = "its counters do not agree"};
        if (*list_.bottom_ != list::none)
            return {.at = list_.bottom_, .problem = "the end of its free list was overwritten"};
        if (const finding found = find_in_stack(states)) return found;
        std::size_t count = 0;
        for (std::size_t i = 0; i < carved; ++i) {
            const block_state state = states.load(i);
            if (state > States::last)
                return {.at = states.place(i), .block = i, .problem = "the block's state was overwritten"};
            count += States::counts(state);
        }
        if (count >= least) return {};  // never more than are out: those in the stack do not count
        return {.at = states.place(0), .problem = "its blocks' states do not agree with the number in use"};
    }

    /// Calls fn(index) for each block in the stack of free blocks. Skips overwritten entries.
    template <class Fn> void for_each_free(const Fn& fn) const {
        for (const entry* free = list_.top_; free != list_.bottom_; --free)
            if (*free < list_.total()) fn(*free);
    }

private:
    /// Marks each free block, to find one that is free twice. Then removes the marks.
    template <class States> [[nodiscard]] finding find_in_stack(const States& states) const noexcept {
        finding found;
        const entry* free = list_.top_;
        for (; free != list_.bottom_; --free) {
            if (*free >= list_.carved())
                found = {.at = free, .problem = "its free list has a block that was never handed out"};
            else if (const block_state state = states.load(*free); state == block_state::sorted)
                found = {.at = free, .block = *free, .problem = "the block is in its free list twice"};
            else if (state != block_state::out_of_use)
                found = {.at = free, .block = *free, .problem = "the block is in its free list and in use"};
            if (found) break;
            states.store(*free, block_state::sorted);
        }
        for (const entry* marked = list_.top_; marked != free; --marked) states.store(*marked, block_state::out_of_use);
        return found;
    }

    const list& list_;
};

/// The first thing that is wrong in a list. An unchecked list verifies nothing.
template <checking C, class States>
[[nodiscard]] finding find_disorder([[maybe_unused]] const free_list<C>& list, [[maybe_unused]] const States& states,
                                    [[maybe_unused]] std::size_t least) noexcept {
    finding found;
    if constexpr (free_list<C>::is_checked) found = list_audit(list).find(states, least);
    return found;
}
template <checking C> [[nodiscard]] finding find_disorder(const free_list<C>& list, std::size_t least) noexcept {
    return find_disorder(list, plain_states{list.states()}, least);
}

}  // namespace fixpool::inline FIXPOOL_ABI::detail
