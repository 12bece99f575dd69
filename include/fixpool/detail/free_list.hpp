// SPDX-License-Identifier: BSL-1.0
// free_list: which blocks of the arena are free, and which block starts at an address.
#pragma once

#include <fixpool/checking.hpp>
#include <fixpool/layout.hpp>
#include <fixpool/violation.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI::detail {

template <checking C> class list_batches;

/// Hands out the blocks of one arena and takes them back, last in, first out. Operations are O(1) unless stated.
/// Callers pass the stride as `Stride` if they know it at compile time: an index then needs no loads.
///
/// The metadata lie outside the blocks: a write after free cannot change them, and no link has to be read in a cold
/// block. They are a stack of free blocks above an entry `none` and, if checked, one block_state per block. If blocks
/// and metadata share a buffer, 16 bytes of guard lie between, for a small overflow of the last block.
///
/// Blocks are carved (put into use), lowest first, when the stack is empty. The stack is in no order. When many blocks
/// were carved and all are free, the list carves anew: it empties the stack, and carves from the first block on.
// Invariant, in blocks: out() + free == carved() <= handed_out() <= total(), where free == top_ - bottom_
template <checking C> class free_list {
public:
    static constexpr bool is_checked = C != checking::unchecked;
    using entry = std::conditional_t<is_checked, std::uint32_t, std::byte*>;  // a block: its index or its address
    static constexpr entry none =
        std::conditional_t<is_checked, std::integral_constant<std::uint32_t, ~std::uint32_t{0}>,
                           std::integral_constant<std::byte*, nullptr>>::value;
    static constexpr std::size_t guard_size = 16;                                                         // bytes
    static constexpr std::size_t metadata_size = sizeof(entry) + (is_checked ? sizeof(block_state) : 0);  // per block

    /// The list carves anew only from so many bytes on; a block counts as at most a page. Fewer stay warm in caches.
    static constexpr std::size_t ordered_bytes = std::size_t{256} << 10, page = std::size_t{4} << 10;

    [[nodiscard]] static constexpr arena_plan plan(const geometry& g) noexcept {
        return {g.blocks_bytes(), g.alignment, round_up(g.blocks_bytes() + guard_size, alignof(entry)),
                sizeof(entry) + g.block_count * metadata_size, alignof(entry)};
    }

    /// Requires: `on` is laid out as `plan` says.
    free_list(arena_places on, const geometry& g) noexcept
        : layout_(g),
          base_(on.blocks),
          inverse_(inverse_of_odd(g.stride >> std::countr_zero(g.stride))),
          bottom_(::new (static_cast<void*>(on.metadata)) entry[g.block_count + 1]),
          end_(fresh_ + g.block_count * one_carved()),
          fenced_(!detail::fences ? 0 : g.blocks_bytes() + (on.are_apart ? 0 : guard_size)) {
        if constexpr (is_checked)
            states_ = ::new (static_cast<void*>(top_ + g.block_count + 1)) block_state[g.block_count];
        *bottom_ = none;
        detail::fence(base_, fenced_);
    }

    free_list() noexcept = default;
    /// Takes over the blocks of `other`, which is then a list of no blocks.
    free_list(free_list&& other) noexcept { *this = std::move(other); }
    free_list& operator=(free_list&& other) noexcept {
        detail::unfence(base_, fenced_);
        copy(other);
        other.copy(free_list());
        return *this;
    }
    ~free_list() { detail::unfence(base_, fenced_); }

    /// Takes a free block, in use but not yet live; false if there is none. `Marks`: also sets a carved block's state.
    template <bool Marks = true> [[nodiscard]] bool take(entry& taken) noexcept {
        entry* const top = top_;
        taken = *top;
        if (taken != none) {
            top_ = top - 1;
        } else {  // carve. Inline: a call would store registers, and cold blocks wait for stores
            if (fresh_ == end_) return refuse();
            if constexpr (is_checked) taken = static_cast<entry>(carved());
            else taken = fresh_;
            fresh_ += one_carved();
            if constexpr (Marks) mark(taken, block_state::out_of_use);
        }
        if (poisons()) detail::unpoison(address(taken), layout_.block_size);
        return true;
    }

    /// Counts an allocation that found too few free blocks. Returns false.
    bool refuse() noexcept {
        ++refused_;
        return false;
    }

    /// Takes back a block that is in use and not live. It is the next one to be taken.
    void put(entry back) noexcept {
        if (poisons()) detail::poison(address(back), layout_.stride);
        entry* const top = top_ + 1;
        *top = back;
        top_ = top;
        if (top == full_) has_filled();
    }

    /// Sets the state of a block. `claim` accepts a block only while it is live.
    void mark(entry block, block_state state) noexcept {
        if constexpr (is_checked) states_[block] = state;
    }

    /// The block at `address` if its state was `from`; it is then `to`. Else `none`. Unchecked: always the block.
    template <std::size_t Stride = 0>
    [[nodiscard]] entry change(void* address, block_state from, block_state to) noexcept {
        if constexpr (is_checked) {
            const std::size_t index = number_of<Stride>(address);
            if (index >= carved() || states_[index] != from) return none;
            states_[index] = to;
            return static_cast<entry>(index);
        } else {
            return static_cast<entry>(address);
        }
    }
    /// The block at `address` if it was live; it is then no longer live. Else `none`.
    template <std::size_t Stride = 0> [[nodiscard]] entry claim(void* address) noexcept {
        return change<Stride>(address, block_state::live, block_state::out_of_use);
    }

    [[nodiscard]] bool is_live(std::size_t index) const noexcept {
        return is_checked && index < carved() && states_[index] != block_state::out_of_use;
    }

    /// Whether the block is in the stack or not carved. Complexity: O(free blocks).
    [[nodiscard]] bool is_free(std::size_t index) const noexcept {
        if (index >= carved()) return true;
        for (const entry* free = top_; free != bottom_; --free)
            if (address(*free) == base_ + index * layout_.stride) return true;
        return false;
    }

    template <std::size_t Stride = 0> [[nodiscard]] std::byte* address(entry block) const noexcept {
        if constexpr (!is_checked) return block;
        else return base_ + block * (Stride != 0 ? Stride : layout_.stride);
    }

    /// Why `address` cannot be released or adopted.
    [[nodiscard]] violation_kind misuse_of(const void* address) const noexcept {
        const std::size_t index = index_of(address);
        if (index >= total())
            return contains(address) ? violation_kind::misaligned_pointer : violation_kind::foreign_pointer;
        if (is_live(index)) return violation_kind::still_owned;
        return index < handed_out() ? violation_kind::double_free : violation_kind::not_allocated;
    }

    [[nodiscard]] bool contains(const void* p) const noexcept { return offset_of(p) < layout_.blocks_bytes(); }

    /// The index of the block that starts at `address`; npos for any other address.
    template <std::size_t Stride = 0> [[nodiscard]] std::size_t index_of(const void* address) const noexcept {
        const std::size_t index = number_of<Stride>(address);
        return index < total() ? index : violation::npos;
    }

    /// The index of the block that `address` points into; npos for an address outside the blocks. Needs a division.
    [[nodiscard]] std::size_t enclosing_index(const void* address) const noexcept {
        return contains(address) ? offset_of(address) / layout_.stride : violation::npos;
    }

    /// Calls fn(address) for each live block, in the order of addresses. fn may take, put and mark. O(carved blocks).
    template <class Fn> void for_each_live(Fn&& fn) const {
        for (std::size_t index = 0; index < carved(); ++index)
            if (is_live(index)) fn(base_ + index * layout_.stride);
    }

    /// Sorts the free blocks: the lowest one is the next to be taken. Complexity: O(carved blocks).
    void sort() noexcept {
        if constexpr (is_checked) {
            for (const entry* free = top_; free != bottom_; --free) states_[*free] = block_state::sorted;
            entry* top = bottom_;
            for (std::uint32_t above = carved(); above != 0; --above) {
                if (states_[above - 1] != block_state::sorted) continue;
                states_[above - 1] = block_state::out_of_use;
                *++top = above - 1;
            }
        }
    }

    /// Makes every block free, as if none had been handed out.
    void reset() noexcept {
        detail::poison(base_, carved() * layout_.stride);
        carve_anew();
        handed_out_ = refused_ = 0;
    }

    [[nodiscard]] block_state* states() const noexcept { return states_; }                   // nullptr if unchecked
    [[nodiscard]] bool poisons() const noexcept { return !detail::fences || fenced_ != 0; }  // free blocks
    [[nodiscard]] const geometry& layout() const noexcept { return layout_; }
    [[nodiscard]] std::byte* base() const noexcept { return base_; }
    [[nodiscard]] std::size_t total() const noexcept { return layout_.block_count; }
    [[nodiscard]] std::size_t out() const noexcept { return carved() - static_cast<std::size_t>(top_ - bottom_); }
    [[nodiscard]] std::size_t refused() const noexcept { return refused_; }  // allocations
    /// Blocks handed out since the last reset. Also the peak: a block is carved only when all carved ones are in use.
    [[nodiscard]] std::size_t handed_out() const noexcept { return carved() < handed_out_ ? handed_out_ : carved(); }

private:
    friend class list_batches<C>;
    friend class list_audit;

    free_list& operator=(const free_list&) = default;
    void copy(const free_list& other) noexcept {
        *this = other;
        if (total() == 0) bottom_ = top_ = full_ = &no_entry_;  // its own
    }

    /// Offset from block 0, in bytes. In front of block 0 it wraps, and is larger than any arena.
    [[nodiscard]] FIXPOOL_WRAPS std::uintptr_t offset_of(const void* address) const noexcept {
        return reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(base_);
    }

    /// The number of the block that starts at `address`. For any other address, a number that is at least total().
    // offset * inverse is index << shift exactly if offset == index * stride: multiplying by an odd number permutes the
    // integers modulo 2^bits. So no other multiple of 2^shift gives an index. A bit of offset below shift is rotated to
    // the top. The result is then 2^(bits - shift) or more: above total(), as total() << shift <= 2^(bits - 1).
    template <std::size_t Stride>
    [[nodiscard]] FIXPOOL_WRAPS std::uintptr_t number_of(const void* address) const noexcept {
        const std::uintptr_t offset = offset_of(address);
        if constexpr (Stride != 0) {
            constexpr unsigned shift = std::countr_zero(Stride);
            return rotated(offset * inverse_of_odd(Stride >> shift), shift);
        } else if constexpr (is_checked) {
            const std::uintptr_t product = (fresh_ & multiplies) == 0 ? offset : offset * inverse_;
            return rotated(product, static_cast<unsigned>(fresh_ >> 32));
        } else {
            return rotated(offset * inverse_, static_cast<unsigned>(std::countr_zero(layout_.stride)));
        }
    }

    /// The top has reached full_. If all carved blocks are free, the list carves anew. It does not if samples show the
    /// stack in order of addresses, up or down: popping is cheaper. It takes samples again when more than 12 blocks per
    /// sample were out, so they cost little per release. Otherwise full_ moves to where all carved blocks are free.
    FIXPOOL_COLD void has_filled() noexcept {
        const std::size_t count = carved(), quarter = count / 4;
        full_ = bottom_ + count;
        if (top_ != full_) return;
        const bool up = address(*top_) == base_;
        // `at` counts from the top: the bottom entry, three more a quarter apart, then each at a sixteenth of the last.
        for (std::size_t at = count; at != 0; at = at > quarter + 3 ? at - quarter : at / 16, full_ -= 12)
            if (address(bottom_[count + 1 - at]) != base_ + (up ? at - 1 : count - at) * layout_.stride)
                return carve_anew();
    }

    void carve_anew() noexcept {
        handed_out_ = handed_out();
        fresh_ -= carved() * one_carved();
        top_ = bottom_;
        full_ = least_ordered();
    }

    /// Where the top is when just enough blocks are free to restore their order; out of reach in a smaller pool.
    [[nodiscard]] entry* least_ordered() const noexcept {
        const std::size_t least = (ordered_bytes - 1) / (layout_.stride < page ? layout_.stride : page) + 1;
        return bottom_ + (total() < least ? total() + 1 : least);
    }

    /// The block that is carved next. Unchecked: its address. Checked: its number, in the lower half of a word. The
    /// upper half tells number_of how far to rotate, and whether to multiply. It is one word because releases of cold
    /// blocks wait in the processor's load queue. With fewer loads per release, more of them wait at the same time.
    using carving = std::conditional_t<is_checked, std::uint64_t, std::byte*>;
    static constexpr std::uint64_t multiplies = std::uint64_t{1} << 63;  // set if the stride is not a power of two

    [[nodiscard]] carving none_carved() const noexcept {
        if constexpr (!is_checked) return base_;
        else return static_cast<carving>(std::countr_zero(layout_.stride)) << 32 | (inverse_ == 1 ? 0 : multiplies);
    }
    [[nodiscard]] std::uint64_t one_carved() const noexcept { return is_checked ? 1 : layout_.stride; }

    [[nodiscard]] std::uint32_t carved() const noexcept {
        if constexpr (is_checked) return static_cast<std::uint32_t>(fresh_);
        else return static_cast<std::uint32_t>(number_of<0>(fresh_));
    }

    geometry layout_{.block_size = 0, .block_count = 0, .alignment = 1, .stride = 1};
    std::byte* base_ = nullptr;      // of block 0
    std::uintptr_t inverse_ = 1;     // odd * inverse_ == 1 modulo 2^bits, stride == odd << shift
    entry no_entry_ = none;          // the stack of a list of no blocks; not static, since an image may be unloaded
    entry* bottom_ = &no_entry_;     // holds `none`
    entry* top_ = bottom_;           // the next one out; bottom_ if the stack is empty
    entry* full_ = least_ordered();  // where the top is when has_filled is called
    carving fresh_ = none_carved();  // the block that is carved next; end_ when all are
    carving end_ = fresh_;           // end of the last block
    block_state* states_ = nullptr;  // one per block; nullptr if unchecked
    std::size_t handed_out_ = 0;     // the most blocks carved before the list carved anew
    std::size_t refused_ = 0;        // allocations that found too few free blocks
    std::size_t fenced_ = 0;         // bytes from base_ on that only a block's holder may touch
};

template <checking C> struct list_for {  // the list that a level uses. debug.hpp has the one of debug level
    static_assert(C != checking::debug, "fixpool: checking::debug needs the header fixpool/debug.hpp");
    using type = free_list<C>;
    FIXPOOL_HIDDEN static constexpr std::size_t gap = 0;  // bytes between two blocks, at least
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
