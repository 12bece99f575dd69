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

/// Hands out blocks of one arena, last in first out, and takes them back. O(1) in everything but
/// `for_each_live`. Members with a `Stride` are told it where the compiler knows it: an index then
/// needs neither the loaded inverse nor the branch.
///
/// The arena, from its start: the blocks; a guard that keeps a small overflow of the last one off
/// what follows; the free list, a stack of `entry` above one that says "none"; and where misuse is
/// checked a block_state for each block. Nothing is kept inside the blocks: a link in a cold block
/// is a cache miss that the next pop waits for, and a write after free could change what is handed
/// out next. Blocks are carved, lowest first, only when the stack is empty, so that construction
/// touches one entry, and the arena is touched as it is used.
// Invariant, in blocks: live + being constructed or destroyed + free == carved() <= total(),
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
          bottom_(::new (static_cast<void*>(base + stack_offset(g))) entry[g.block_count + 1]),
          top_(bottom_),
          fresh_(none_carved()),
          end_(fresh_ + g.block_count * one_carved()) {
        if constexpr (is_checked) states_ = ::new (top_ + g.block_count + 1) block_state[g.block_count];
        *bottom_ = none;
        poison(base_, layout_.blocks_bytes() + guard_size);
    }
    ~free_list() { unpoison(base_, layout_.blocks_bytes() + guard_size); }

    /// Takes a free block, which is now out but not yet live; false when there is none.
    [[nodiscard]] bool take(entry& taken) noexcept {
        entry* const top = top_;
        taken = *top;
        if (taken != none) {
            top_ = top - 1;
        } else {  // carve; here and not in a function: what is called stores more, and cold blocks wait for stores
            if (fresh_ == end_) return false;
            if constexpr (is_checked) taken = static_cast<entry>(carved());
            else taken = fresh_;
            fresh_ += one_carved();
            mark(taken, block_state::out_of_use);
        }
        unpoison(address(taken), layout_.block_size);
        return true;
    }

    /// Takes a block back that is out and not live: it is the next one to be taken.
    void put(entry back) noexcept {
        poison(address(back), layout_.stride);
        *++top_ = back;
    }

    /// Says whether the block is live: from then on `claim` accepts it, or does not.
    void mark([[maybe_unused]] entry block, [[maybe_unused]] block_state state) noexcept {
        if constexpr (is_checked) states_[block] = state;
    }

    /// The block at `address`, live no longer, if it was; otherwise `none`, and nothing has
    /// changed. Unchecked: the block.
    template <std::size_t Stride = 0> [[nodiscard]] entry claim(void* address) noexcept {
        if constexpr (is_checked) {
            const std::size_t index = index_of<Stride>(address);
            if (index >= carved() || states_[index] != block_state::live) return none;
            states_[index] = block_state::out_of_use;
            return static_cast<entry>(index);
        } else {
            return static_cast<entry>(address);
        }
    }

    /// Whether a live block starts at `address`, which is not read.
    [[nodiscard]] bool is_live(const void* address) const noexcept {
        const std::size_t index = index_of(address);
        return index < carved() && states_[index] == block_state::live;
    }

    template <std::size_t Stride = 0> [[nodiscard]] std::byte* address(entry block) const noexcept {
        if constexpr (!is_checked) return block;
        else return base_ + block * (Stride != 0 ? Stride : layout_.stride);
    }

    /// What releasing `address` would be called. Requires: it is not live.
    [[nodiscard]] violation_kind misuse_of(const void* address) const noexcept {
        const std::size_t index = index_of(address);
        if (index < total()) return index < carved() ? violation_kind::double_free : violation_kind::not_allocated;
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
        for (std::uint32_t index = 0; index < carved(); ++index)
            if (states_[index] == block_state::live) fn(address(index));
    }

    /// Makes every block free, and none ever handed out.
    void reset() noexcept {
        poison(base_, carved() * layout_.stride);
        fresh_ = none_carved();
        top_ = bottom_;
    }

    [[nodiscard]] const geometry& layout() const noexcept { return layout_; }
    [[nodiscard]] std::size_t total() const noexcept { return layout_.block_count; }
    [[nodiscard]] std::size_t out() const noexcept { return carved() - static_cast<std::size_t>(top_ - bottom_); }
    [[nodiscard]] std::size_t peak_out() const noexcept { return carved(); }  // a block is carved only when all are out

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
    template <std::size_t Stride = 0> [[nodiscard]] std::uintptr_t index_of(const void* address) const noexcept {
        const std::uintptr_t offset = offset_of(address);
        if constexpr (Stride != 0) {
            return std::rotr(offset * inverse_of_odd(Stride >> std::countr_zero(Stride)), std::countr_zero(Stride));
        } else {
            const std::uintptr_t product = (fresh_ & multiplies) == 0 ? offset : offset * inverse_;
            return std::rotr(product, static_cast<int>(fresh_ >> 32 & 63));
        }
    }

    /// A block that may be the next to be carved, or the one behind the last: its address. Where misuse is checked,
    /// its number, in the lower half of a word; the upper half is the same in all, and tells index_of what to do: how
    /// far to rotate, and whether to multiply. All in one word, because releases of cold blocks wait together in the
    /// processor's queue of loads: the fewer loads in each, the more of them.
    using carving = std::conditional_t<is_checked, std::uint64_t, std::byte*>;
    static constexpr std::uint64_t multiplies = std::uint64_t{1} << 63;  // the stride is no power of two

    [[nodiscard]] carving none_carved() const noexcept {
        if constexpr (!is_checked) return base_;
        else return static_cast<carving>(std::countr_zero(layout_.stride)) << 32 | (inverse_ == 1 ? 0 : multiplies);
    }
    [[nodiscard]] std::uint64_t one_carved() const noexcept { return is_checked ? 1 : layout_.stride; }

    /// Blocks that were ever handed out, the lowest: also the peak.
    [[nodiscard]] std::size_t carved() const noexcept {
        if constexpr (is_checked) return static_cast<std::uint32_t>(fresh_);
        else return std::rotr(offset_of(fresh_) * inverse_, std::countr_zero(layout_.stride));
    }

    geometry layout_;
    std::byte* base_;                // of block 0
    std::uintptr_t inverse_;         // odd * inverse_ == 1 modulo 2^bits, stride == odd << shift
    entry* bottom_;                  // holds `none`
    entry* top_;                     // the free block handed out next; bottom_ when there is none but those not carved
    carving fresh_;                  // the block that is carved next; end_ when all are
    carving end_;                    // behind the last block
    block_state* states_ = nullptr;  // of every block, where misuse is checked
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
