// SPDX-License-Identifier: BSL-1.0
// list_batches: what a shared pool does with the free list in its depot, many blocks at a time.
#pragma once

#include <fixpool/detail/free_list.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// A view of a free list that moves many blocks at once, and counts them. For sanitizers, moved blocks stay free.
template <checking C> class list_batches {
    using entry = typename free_list<C>::entry;

public:
    explicit list_batches(free_list<C>& list) noexcept : list_(list) {}

    /// Free blocks that were in use before. All other free blocks are still to be carved.
    [[nodiscard]] std::size_t recycled() const noexcept { return static_cast<std::size_t>(list_.top_ - list_.bottom_); }

    /// Moves `count` of them to `to`. The one that was put back last becomes the last. Requires: there are so many.
    void take(entry* to, std::size_t count) const noexcept {
        list_.top_ -= count;
        std::memcpy(to, list_.top_ + 1, count * sizeof(entry));
    }

    /// Moves `count` blocks back. The last one is then on top.
    void put(const entry* from, std::size_t count) const noexcept {
        for (; count != 0 && list_.full_ - list_.top_ <= static_cast<std::ptrdiff_t>(count); --count)
            list_.put(*from++);
        std::memcpy(list_.top_ + 1, from, count * sizeof(entry));
        list_.top_ += count;
    }

    /// Carves `count` blocks. The lowest one becomes the last.
    /// Requires: so many can be carved, and recycled() is 0.
    void carve(entry* to, std::size_t count) const noexcept {
        for (entry* each = to + count; each != to; list_.fresh_ += list_.one_carved())
            *--each = static_cast<entry>(list_.fresh_);
    }

    /// Undoes the carving of a run of blocks, unless another block was carved after them. `run` begins with the last
    /// one that was carved. Returns whether it did.
    [[nodiscard]] bool uncarve(const entry* run, std::uint32_t count) const noexcept {
        if (count == 0 || *run + list_.one_carved() != static_cast<entry>(list_.fresh_)) return false;
        list_.fresh_ -= count * list_.one_carved();
        list_.full_ = restores_order() ? list_.bottom_ + list_.carved() : list_.least_ordered();
        return true;
    }

    /// Whether the list carves anew when all carved blocks are back and not in order.
    [[nodiscard]] bool restores_order() const noexcept {
        return list_.least_ordered() <= list_.bottom_ + list_.carved();
    }

    /// Requires: every block is free, and none is kept elsewhere.
    void carve_anew() const noexcept { list_.carve_anew(); }

    /// AddressSanitizer keeps one byte for eight bytes. Two threads that poison neighbours in the same eight would
    /// race. So a list with such blocks poisons none of them.
    void share_granules() const noexcept {
        if constexpr (detail::fences) {
            if (((reinterpret_cast<std::uintptr_t>(list_.base_) | list_.layout_.stride) & 7) == 0) return;
            detail::unfence(list_.base_, std::exchange(list_.fenced_, 0));
        }
    }

private:
    free_list<C>& list_;
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
