// SPDX-License-Identifier: BSL-1.0
// static_list: the free list of a pool that contains its blocks. A list of zero bytes is a list of free blocks.
#pragma once

#include <fixpool/checking.hpp>
#include <fixpool/detail/finding.hpp>
#include <fixpool/detail/object.hpp>
#include <fixpool/violation.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// Whether AddressSanitizer watches the free blocks. A static_list has no destructor that takes the poison back. So its
/// free blocks are poisoned only if the list is constant-initialised: its memory is then used for nothing else.
struct watched_memory {
    bool is_lasting = std::is_constant_evaluated();
    [[nodiscard]] bool is_poisoned() const noexcept { return is_lasting; }
};
struct unwatched_memory {  // without AddressSanitizer
    [[nodiscard]] bool is_poisoned() const noexcept { return true; }
};

/// A free_list for N blocks of T that are part of the list. A number of blocks takes as few bytes as N needs. The
/// metadata lie in front of the blocks, where an overflow of the last block does not reach them. No member is a pointer
/// that needs an initial value: a constinit list lies in .bss.
///
/// When the stack of free blocks is empty, the next block is carved (put into use), lowest first. Blocks that are not
/// carved have the state out_of_use. So, unlike in free_list, an index is compared with a constant.
// Invariant, in blocks: out() + free_ == carved_ <= handed_out() <= N
template <class T, std::size_t N, checking C> class static_list {
    static constexpr bool is_checked = C != checking::unchecked;
    static constexpr std::size_t stride = stride_of<T, 0>;  // bytes

    using number =
        std::conditional_t<(N < 0x100), std::uint8_t, std::conditional_t<(N < 0x10000), std::uint16_t, std::uint32_t>>;

    using kept = std::conditional_t<is_checked, number, std::byte*>;  // an entry, as the stack stores it

public:
    using entry = std::conditional_t<is_checked, std::size_t, std::byte*>;  // a block: its index or its address
    static constexpr entry none = std::conditional_t<is_checked, std::integral_constant<std::size_t, violation::npos>,
                                                     std::integral_constant<std::byte*, nullptr>>::value;

    constexpr static_list() noexcept : no_byte_() {}

    /// Takes a free block, which is then in use but not live. False if there is none.
    [[nodiscard]] bool take(entry& taken) noexcept {
        if (const std::size_t free = free_; free != 0) {
            taken = stack_[free - 1];
            free_ = static_cast<number>(free - 1);
        } else {
            if (carved_ == N) return refuse();
            taken = entry_of(carved_);
            ++carved_;
            if constexpr (keeps_order)
                if (carved_ == least_ordered) full_ = carved_;
        }
        if (poisons()) detail::unpoison(address(taken), sizeof(T));
        return true;
    }

    /// Takes back a block that is in use and not live. It is the next one to be taken.
    void put(entry back) noexcept {
        if (poisons()) detail::poison(address(back), stride);
        const std::size_t free = free_;
        stack_[free] = static_cast<kept>(back);
        free_ = static_cast<number>(free + 1);
        if constexpr (keeps_order)
            if (free_ == full_) has_filled();
    }

    void mark(entry block, block_state state) noexcept {
        if constexpr (is_checked) states_[block] = state;
    }

    /// The block at `address` if its state was `from`; it is then `to`. Else `none`. Unchecked: always the block.
    [[nodiscard]] entry change(void* address, block_state from, block_state to) noexcept {
        if constexpr (is_checked) {
            const std::uintptr_t index = number_of(address);
            if (index >= N || states_[index] != from) return none;
            states_[index] = to;
            return static_cast<entry>(index);
        } else {
            return static_cast<entry>(address);
        }
    }

    [[nodiscard]] bool is_live(std::size_t index) const noexcept {
        return is_checked && index < N && states_[index] != block_state::out_of_use;
    }

    /// Whether the block is in the stack or not carved. Complexity: O(free blocks).
    [[nodiscard]] bool is_free(std::size_t index) const noexcept {
        if (index >= carved_) return true;
        for (std::size_t i = 0; i < free_; ++i)
            if (stack_[i] == index) return true;
        return false;
    }

    [[nodiscard]] std::byte* address(entry block) noexcept {
        if constexpr (!is_checked) return block;
        else return blocks_ + block * stride;
    }
    [[nodiscard]] const std::byte* base() const noexcept { return blocks_; }
    [[nodiscard]] std::byte* base() noexcept { return blocks_; }

    /// Why `address` cannot be released or adopted.
    [[nodiscard]] violation_kind misuse_of(const void* address) const noexcept {
        const std::uintptr_t index = number_of(address);
        if (index >= N) return contains(address) ? violation_kind::misaligned_pointer : violation_kind::foreign_pointer;
        if (is_live(index)) return violation_kind::still_owned;
        return index < handed_out() ? violation_kind::double_free : violation_kind::not_allocated;
    }

    [[nodiscard]] bool contains(const void* p) const noexcept { return offset_of(p) < N * stride; }

    /// The index of the block that starts at `address`; npos for any other address.
    [[nodiscard]] std::size_t index_of(const void* address) const noexcept {
        const std::uintptr_t index = number_of(address);
        return index < N ? index : violation::npos;
    }
    /// The index of the block that `address` points into; npos for an address outside the blocks.
    [[nodiscard]] std::size_t enclosing_index(const void* address) const noexcept {
        return contains(address) ? offset_of(address) / stride : violation::npos;
    }

    /// Sorts the free blocks: the lowest one is the next to be taken. Complexity: O(carved blocks).
    void sort() noexcept {
        if constexpr (is_checked) {
            for (std::size_t i = 0; i < free_; ++i) states_[stack_[i]] = block_state::sorted;
            std::size_t sorted = 0;
            for (std::size_t above = carved_; above != 0; --above) {
                if (states_[above - 1] != block_state::sorted) continue;
                states_[above - 1] = block_state::out_of_use;
                stack_[sorted++] = static_cast<kept>(above - 1);
            }
        }
    }

    /// The first thing that is wrong in the metadata. Takes O(N) steps, even if they were overwritten.
    [[nodiscard]] finding find_disorder() const noexcept {
        if constexpr (is_checked) {
            finding found;
            if (carved_ > N || free_ > carved_) return {.at = this, .problem = "its counters do not agree"};
            std::size_t marked = 0;
            for (const kept* free = stack_; free != stack_ + free_; ++free, ++marked) {
                if (*free >= carved_)
                    found = {.at = free, .problem = "its free list has a block that was never handed out"};
                else if (states_[*free] == block_state::sorted)
                    found = {.at = free, .block = *free, .problem = "the block is in its free list twice"};
                else if (states_[*free] != block_state::out_of_use)
                    found = {.at = free, .block = *free, .problem = "the block is in its free list and in use"};
                if (found) break;
                states_[*free] = block_state::sorted;
            }
            while (marked != 0) states_[stack_[--marked]] = block_state::out_of_use;
            for (std::size_t i = 0; i < N && !found; ++i)
                if (states_[i] > (i < carved_ ? block_state::given_up : block_state::out_of_use))
                    found = {.at = &states_[i], .block = i, .problem = "the block's state was overwritten"};
            return found;
        } else {
            return {};
        }
    }

    [[nodiscard]] std::size_t carved() const noexcept { return carved_; }
    [[nodiscard]] std::size_t out() const noexcept { return std::size_t{carved_} - free_; }
    [[nodiscard]] std::size_t refused() const noexcept { return refused_; }  // allocations
    /// Blocks that were ever handed out. Also the peak: a block is carved only when all carved ones are in use.
    [[nodiscard]] std::size_t handed_out() const noexcept { return carved_ < handed_out_ ? handed_out_ : carved_; }

private:
    /// The rule of free_list. If blocks of so many bytes were carved and all are back, they are carved anew, unless
    /// they are in order. A smaller list has no code for it.
    static constexpr std::size_t ordered_bytes = std::size_t{256} << 10, page = std::size_t{4} << 10;
    static constexpr std::size_t least_ordered = (ordered_bytes - 1) / (stride < page ? stride : page) + 1;  // blocks
    static constexpr bool keeps_order = N >= least_ordered;
    static constexpr std::size_t watched = detail::fences ? 8 : 1;  // bytes that AddressSanitizer watches together

    /// Counts an allocation that found no free block. Returns false.
    bool refuse() noexcept {
        ++refused_;
        return false;
    }

    [[nodiscard]] entry entry_of(std::size_t index) noexcept {
        if constexpr (is_checked) return static_cast<entry>(index);
        else return blocks_ + index * stride;
    }

    // As in free_list.
    [[nodiscard]] FIXPOOL_WRAPS std::uintptr_t offset_of(const void* address) const noexcept {
        return reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(blocks_);
    }
    [[nodiscard]] FIXPOOL_WRAPS std::uintptr_t number_of(const void* address) const noexcept {
        constexpr unsigned shift = std::countr_zero(stride);
        return rotated(offset_of(address) * inverse_of_odd(stride >> shift), shift);
    }

    /// As many blocks are free as full_ says. If these are all that were carved, samples show whether they are in
    /// order, as in free_list.
    FIXPOOL_COLD void has_filled() noexcept {
        const std::size_t count = carved_, quarter = count / 4;
        full_ = carved_;
        if (free_ != count) return;
        const bool up = address(stack_[count - 1]) == blocks_;
        for (std::size_t at = count; at != 0; at = at > quarter + 3 ? at - quarter : at / 16) {
            if (address(stack_[count - at]) != blocks_ + (up ? at - 1 : count - at) * stride) {
                handed_out_ = static_cast<number>(handed_out());
                free_ = carved_ = full_ = 0;
                return;
            }
            full_ = static_cast<number>(full_ - 12);
        }
    }

    [[nodiscard]] bool poisons() const noexcept { return memory_.is_poisoned(); }

    number free_ = 0;        // blocks in the stack
    number carved_ = 0;      // blocks
    number handed_out_ = 0;  // the most blocks carved before they were carved anew
    number full_ = 0;        // free blocks when has_filled is called; 0: never
    [[no_unique_address]] std::conditional_t<detail::fences, watched_memory, unwatched_memory> memory_ = {};
    std::size_t refused_ = 0;                              // allocations that found no free block
    kept stack_[N] = {};                                   // the free blocks; entry free_ - 1 is the next one out
    mutable block_state states_[is_checked ? N : 1] = {};  // one per block; find_disorder marks some for a while
    union {                                                // so that no byte of the blocks is ever initialised
        char no_byte_;
        alignas(T) alignas(watched) std::byte blocks_[N * stride];
    };
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
