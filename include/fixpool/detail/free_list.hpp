// SPDX-License-Identifier: BSL-1.0
// free_list: which blocks of the arena are free, and which block an address is. The
// mechanism under every pool.
#pragma once

#include <fixpool/checking.hpp>
#include <fixpool/layout.hpp>
#include <fixpool/violation.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// What a checked level knows of a block that was handed out at least once. Of the others nothing
/// is written, nor read.
enum class block_state : unsigned char { out_of_use, live };

/// Hands out blocks of one arena, last in first out, and takes them back. O(1)
/// in everything but `for_each_live`.
///
/// The arena, from its start: the blocks; a guard that keeps a small overflow of the last one off
/// what follows; the free list, a stack of `entry` above one that says "none"; and where misuse is
/// checked a block_state for each block. Nothing is kept inside the blocks: a link in a cold block
/// is a cache miss that the next pop waits for, and a write after free could change what is handed
/// out next. Blocks are carved, lowest first, only when the stack is empty, so that construction
/// touches one entry, and the arena is touched as it is used.
// Invariant, in blocks: live + being constructed or destroyed + free == carved_ <= total(),
// where free == top_ - bottom_
template <checking C> class free_list {
public:
    static constexpr bool is_checked = C != checking::unchecked;

    /// How a block is known between take and put: by its index where that is needed,
    /// else by its address.
    using entry = std::conditional_t<is_checked, std::uint32_t, std::byte*>;
    static constexpr entry none =
        std::conditional_t<is_checked, std::integral_constant<std::uint32_t, ~std::uint32_t{0}>,
                           std::integral_constant<std::byte*, nullptr>>::value;

    static constexpr std::size_t arena_alignment = 8;  // bytes, at least; the blocks may want more
    static constexpr std::size_t guard_size = 16;      // bytes
    static constexpr std::size_t metadata_size = sizeof(entry) + (is_checked ? sizeof(block_state) : 0);  // a block

    /// Bytes from the arena's start to the end of everything.
    [[nodiscard]] static constexpr std::size_t arena_bytes(const geometry& g) noexcept {
        return stack_offset(g) + sizeof(entry) + g.block_count * metadata_size;
    }

    /// Requires: `base` is aligned for the blocks and for `entry`, and has arena_bytes(g) bytes.
    free_list(std::byte* base, const geometry& g) noexcept
        : layout_(g),
          base_(base),
          inverse_(inverse_of_odd(g.stride >> std::countr_zero(g.stride))),
          shift_(std::countr_zero(g.stride)),
          bottom_(::new (static_cast<void*>(base + stack_offset(g))) entry[g.block_count + 1]),
          top_(bottom_) {
        void* const after_stack = bottom_ + g.block_count + 1;
        if constexpr (is_checked) states_ = ::new (after_stack) block_state[g.block_count];
        *bottom_ = none;
        poison(base_, layout_.blocks_bytes() + guard_size);
    }
    ~free_list() { unpoison(base_, layout_.blocks_bytes() + guard_size); }

    /// A free block, which is now out but not yet live; `none` when there is none.
    [[nodiscard]] entry take() noexcept {
        entry* const top = top_;
        entry taken = *top;
        if (taken != none) [[likely]] {
            top_ = top - 1;
        } else {  // carve; here and not in a function: what is called stores more, and cold blocks wait for stores
            if (carved_ == total()) return none;
            if constexpr (is_checked) {
                taken = carved_;
                states_[taken] = block_state::out_of_use;
            } else {
                taken = base_ + carved_ * layout_.stride;
            }
            ++carved_;
        }
        unpoison(address(taken), layout_.block_size);
        return taken;
    }

    /// Takes a block back that is out and not live: it is the next one to be taken.
    void put(entry back) noexcept {
        poison(address(back), layout_.stride);
        entry* const top = top_ + 1;
        top_ = top;
        *top = back;
    }

    /// Says whether the block is live: from then on `claim` accepts it, or does not.
    void mark([[maybe_unused]] entry block, [[maybe_unused]] block_state state) noexcept {
        if constexpr (is_checked) states_[block] = state;
    }

    /// The block at `address`, live no longer, if it was; otherwise `none`, and nothing has
    /// changed. Unchecked: the block.
    [[nodiscard]] entry claim(void* address) noexcept {
        if constexpr (is_checked) {
            const std::size_t index = index_of(address);
            if (index >= carved_ || states_[index] != block_state::live) [[unlikely]]
                return none;
            states_[index] = block_state::out_of_use;
            return static_cast<entry>(index);
        } else {
            return static_cast<entry>(address);
        }
    }

    /// Whether a live block starts at `address`, which is not read.
    [[nodiscard]] bool is_live(const void* address) const noexcept {
        const std::size_t index = index_of(address);
        return index < carved_ && states_[index] == block_state::live;
    }

    [[nodiscard]] std::byte* address(entry block) const noexcept {
        if constexpr (is_checked) {
            return base_ + block * layout_.stride;
        } else {
            return block;
        }
    }

    /// What releasing `address` would be called. Requires: it is not live.
    [[nodiscard]] violation_kind misuse_of(const void* address) const noexcept {
        const std::size_t index = index_of(address);
        if (index < carved_) return violation_kind::double_free;
        if (index < total()) return violation_kind::not_allocated;
        if (offset_of(address) < layout_.blocks_bytes()) return violation_kind::misaligned_pointer;
        return violation_kind::foreign_pointer;
    }

    /// The block that `address` points to or into; 0 for an address outside the
    /// blocks. Takes a division.
    [[nodiscard]] std::size_t enclosing_index(const void* address) const noexcept {
        const std::size_t index = offset_of(address) / layout_.stride;
        return index < total() ? index : 0;
    }

    /// fn(address) for every live block, in address order. Complexity: a load for each block that
    /// was ever handed out.
    template <class Fn> void for_each_live(Fn&& fn) const {
        for (std::uint32_t index = 0; index < carved_; ++index)
            if (states_[index] == block_state::live) fn(address(index));
    }

    /// Makes every block free, and none ever handed out.
    void reset() noexcept {
        poison(base_, carved_ * layout_.stride);
        carved_ = 0;
        top_ = bottom_;
    }

    [[nodiscard]] const geometry& layout() const noexcept { return layout_; }
    [[nodiscard]] std::size_t total() const noexcept { return layout_.block_count; }
    [[nodiscard]] std::size_t out() const noexcept { return carved_ - static_cast<std::size_t>(top_ - bottom_); }
    [[nodiscard]] std::size_t peak_out() const noexcept { return carved_; }  // a block is carved only when all are out

private:
    static constexpr std::size_t stack_offset(const geometry& g) noexcept {
        return round_up(g.blocks_bytes() + guard_size, alignof(entry));
    }

    /// The number whose product with `odd` is 1, modulo 2^bits: Newton's iteration, which
    /// doubles the correct bits (Hacker's Delight, 10-16). `odd` is its own inverse to 3 bits;
    /// 5 steps make 96.
    static constexpr std::uintptr_t inverse_of_odd(std::uintptr_t odd) noexcept {
        std::uintptr_t inverse = odd;
        for (int step = 0; step < 5; ++step) inverse *= 2 - odd * inverse;
        return inverse;
    }

    /// From the first block's first byte; an address before it wraps to more than any arena has.
    [[nodiscard]] std::uintptr_t offset_of(const void* address) const noexcept {
        return reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(base_);
    }

    /// The index of the block that starts at `address`; for any other address a number that
    /// is at least total().
    // offset * inverse is index << shift exactly for offset == index * stride, since multiplying by
    // an odd number permutes the integers modulo 2^bits. A bit that is set below shift is rotated
    // to the top: the result is then at least 2^(bits - shift), which is above total(), since
    // total() << shift <= 2^(bits - 1).
    [[nodiscard]] std::uintptr_t index_of(const void* address) const noexcept {
        const std::uintptr_t offset = offset_of(address);
        if (inverse_ == 1) return std::rotr(offset, shift_);  // a power of two: the branch is cheaper than the product
        return std::rotr(offset * inverse_, shift_);
    }

    struct no_states {};

    geometry layout_;
    std::byte* base_;           // of block 0
    std::uintptr_t inverse_;    // odd * inverse_ == 1 modulo 2^bits, stride == odd << shift_
    int shift_;                 // bits
    std::uint32_t carved_ = 0;  // blocks ever handed out, the lowest: also the peak
    entry* bottom_;             // holds `none`
    entry* top_;                // the free block handed out next; bottom_ when there is none but those not carved
    [[no_unique_address]] std::conditional_t<is_checked, block_state*, no_states> states_;
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
