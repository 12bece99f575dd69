// SPDX-License-Identifier: BSL-1.0
// debug_list: the free list of debug level, which remembers what was done with each block and where.
#pragma once

#include <fixpool/detail/debug_bytes.hpp>
#include <fixpool/detail/debug_record.hpp>
#include <fixpool/detail/debug_report.hpp>
#include <fixpool/detail/free_list.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// The first byte in or around a block that is not as the pool left it.
struct damage {
    violation_kind kind{};
    std::uint32_t block = ~std::uint32_t{0};  // none: nothing is wrong
    std::ptrdiff_t offset = 0;                // of that byte, from the block's start
    unsigned char byte = 0;
    explicit operator bool() const noexcept { return block != ~std::uint32_t{0}; }
    [[nodiscard]] violation described(violation of) const noexcept {
        of.offset = offset;
        of.byte = byte;
        return of;
    }
};

/// As free_list, in whose place it stands, for one level. Blocks that were never handed out come first, lowest first; then
/// those that were released, first in, first out: so a freed block is reused as late as possible. It is filled when it
/// is freed, and verified when it is handed out.
///
/// Guard bytes lie in front of block 0 and behind each block. Those behind a block are the next one's in front.
// Invariant, in blocks: out() + queued == carved_ <= total(); carved_ < total(): none was reused.
class debug_list {
public:
    static constexpr bool is_checked = true;
    using entry = std::uint32_t;
    static constexpr entry none = ~entry{0};
    static constexpr std::size_t gap = 16;  // bytes of guard, at least; strides and block 0 keep whole granules of ASan
    static constexpr std::size_t metadata_size = sizeof(debug_record) + sizeof(holder);  // per block

    [[nodiscard]] static constexpr arena_plan plan(const geometry& g) noexcept {
        const std::size_t blocks_bytes = front_of(g) + g.blocks_bytes();
        return {blocks_bytes, g.alignment < 8 ? 8 : g.alignment, round_up(blocks_bytes, alignof(debug_record)),
                g.block_count * metadata_size, alignof(debug_record)};
    }

    /// The place of a call that returns to `address`.
    [[nodiscard]] static site called_before(const void* address) noexcept {
        return {nullptr, 0, nullptr, static_cast<const char*>(address) - 1};  // within the call
    }

    /// Requires: `on` is as `plan` says.
    debug_list(arena_places on, const geometry& g) noexcept
        : layout_(g),
          base_(on.blocks + front_of(g)),
          inverse_(inverse_of_odd(g.stride >> std::countr_zero(g.stride))),
          metadata_(on.metadata) {
        hide(on.blocks, front_of(g) + g.blocks_bytes());
        pool_begins(base_);
    }

    debug_list() noexcept = default;
    debug_list(debug_list&& other) noexcept { *this = std::move(other); }
    debug_list& operator=(debug_list&& other) noexcept {
        end();
        *this = std::as_const(other);
        const debug_list empty;
        other = empty;
        return *this;
    }
    ~debug_list() { end(); }

    /// Takes a block, which is in use and not yet live; false when there is none. `inspect` and `begin` are to follow.
    template <bool = true> [[nodiscard]] bool take(entry& taken) noexcept {
        if (carved_ == total() && first_ == none) return refuse();
        if (carved_ != total()) {
            carve(taken = carved_++);
        } else {
            taken = first_;
            first_ = at(taken).next;
        }
        at(taken).is_free = false;
        if (++out_ > peak_) peak_ = out_;
        return true;
    }

    bool refuse() noexcept {
        ++refused_;
        return false;
    }

    /// Takes a block back that is in use and not live: it is the last one to be taken.
    void put(entry back) noexcept {
        debug_record& record = at(back);
        if (record.release == 0) record.end(site::unknown(), ++operations_, this_thread());  // its constructor threw
        std::memset(address(back), filled_with, layout_.block_size);
        block_ends(base_, address(back), layout_.block_size);
        record.state = block_state::out_of_use;
        record.is_free = record.is_filled = true;
        record.next = none;
        (first_ == none ? first_ : at(last_).next) = back;
        last_ = back;
        --out_;
    }

    void mark(entry block, block_state state) noexcept { at(block).state = state; }

    template <std::size_t Stride = 0>
    [[nodiscard]] entry change(void* address, block_state from, block_state to) noexcept {
        const std::size_t index = index_of(address);
        if (index >= carved_ || at(index).state != from) return none;
        at(index).state = to;
        return static_cast<entry>(index);
    }
    /// The block at `address`, live no longer, if it was. `inspect` is to follow.
    template <std::size_t Stride = 0>
    [[nodiscard]] entry claim(void* address, const site& where = site::unknown(),
                              block_state from = block_state::live) noexcept {
        const entry claimed = change(address, from, block_state::out_of_use);
        if (claimed != none) at(claimed).end(where, ++operations_, this_thread());
        return claimed;
    }

    /// The first damage in a block that was taken, or around one that was claimed.
    [[nodiscard]] damage inspect(entry block) noexcept {
        return at(block).is_filled ? damage_in(block) : damage_around(block);
    }

    /// The block that was taken is handed out now.
    void begin(entry block, const site& where) noexcept {
        block_begins(base_, address(block), layout_.block_size);
        at(block).begin(where, ++operations_, this_thread());
    }

    void mend(const damage& found) noexcept {
        std::byte* const block = address(found.block);
        if (found.kind == violation_kind::write_after_free) paint(block, layout_.block_size, filled_with);
        else if (found.offset >= 0) paint(block + layout_.block_size, gap_bytes(), guarded_with);
        else paint(block - lead_of(found.block), lead_of(found.block), guarded_with);
    }

    /// Adds what is known of the block that a violation is about.
    void describe(violation& v) const noexcept {
        if constexpr (!traps) v.print = &print_debug;
        if (v.index < carved_) at(v.index).describe(v);
    }

    /// Who holds the blocks that are in use, most first. Valid until the next call. O(n log n) in the carved blocks.
    [[nodiscard]] std::span<const holder> holders() const noexcept {
        auto* const each = reinterpret_cast<holder*>(metadata_ + total() * sizeof(debug_record));
        std::size_t count = 0;
        for (std::size_t index = 0; index < carved_; ++index)
            if (!at(index).is_free) ::new (static_cast<void*>(each + count++)) holder{at(index).allocated_at, 1};
        return grouped({each, count});
    }

    [[nodiscard]] text_line text_of_holders() const noexcept { return describe_holders(holders()); }

    [[nodiscard]] bool is_live(std::size_t index) const noexcept {
        return index < carved_ && at(index).state != block_state::out_of_use;
    }
    [[nodiscard]] bool is_free(std::size_t index) const noexcept { return index >= carved_ || at(index).is_free; }

    template <std::size_t Stride = 0> [[nodiscard]] std::byte* address(entry block) const noexcept {
        return base_ + block * layout_.stride;
    }

    [[nodiscard]] violation_kind misuse_of(const void* address) const noexcept {
        const std::size_t index = index_of(address);
        if (index == violation::npos)
            return contains(address) ? violation_kind::misaligned_pointer : violation_kind::foreign_pointer;
        if (is_live(index)) return violation_kind::still_owned;
        return index < carved_ ? violation_kind::double_free : violation_kind::not_allocated;
    }

    [[nodiscard]] bool contains(const void* p) const noexcept { return offset_of(p) < layout_.blocks_bytes(); }
    template <std::size_t Stride = 0>
    [[nodiscard]] FIXPOOL_WRAPS std::size_t index_of(const void* address) const noexcept {
        const std::uintptr_t index =
            rotated(offset_of(address) * inverse_, static_cast<unsigned>(std::countr_zero(layout_.stride)));
        return index < total() ? index : violation::npos;
    }
    [[nodiscard]] std::size_t enclosing_index(const void* address) const noexcept {
        return contains(address) ? offset_of(address) / layout_.stride : violation::npos;
    }

    template <class Fn> void for_each_live(Fn&& fn) const {
        for (std::size_t index = 0; index < carved_; ++index)
            if (is_live(index)) fn(base_ + index * layout_.stride);
    }

    /// Nothing: what is handed out next is what was released first.
    void sort() noexcept {}

    /// Another value after a reset, and of another list.
    [[nodiscard]] std::pair<const std::byte*, unsigned> life() const noexcept { return {base_, resets_}; }

    void reset() noexcept {
        if (total() == 0) return;
        ++resets_;
        pool_ends(base_);
        hide(base_, carved_ * layout_.stride);
        pool_begins(base_);
        carved_ = 0;
        first_ = none;
        out_ = peak_ = refused_ = 0;
    }

    [[nodiscard]] const geometry& layout() const noexcept { return layout_; }
    [[nodiscard]] std::byte* base() const noexcept { return base_; }
    [[nodiscard]] std::size_t total() const noexcept { return layout_.block_count; }
    [[nodiscard]] std::size_t out() const noexcept { return out_; }
    [[nodiscard]] std::size_t refused() const noexcept { return refused_; }
    [[nodiscard]] std::size_t handed_out() const noexcept { return peak_; }  // the most at a time

private:
    debug_list& operator=(const debug_list&) noexcept = default;

    /// Bytes in front of block 0.
    [[nodiscard]] static constexpr std::size_t front_of(const geometry& g) noexcept {
        return round_up(gap, g.alignment);
    }
    [[nodiscard]] std::size_t gap_bytes() const noexcept { return layout_.stride - layout_.block_size; }
    [[nodiscard]] std::size_t lead_of(entry block) const noexcept {
        return block == 0 ? front_of(layout_) : gap_bytes();
    }

    [[nodiscard]] debug_record& at(std::size_t index) const noexcept {
        return *std::launder(reinterpret_cast<debug_record*>(metadata_ + index * sizeof(debug_record)));
    }

    void end() noexcept {
        if (total() == 0) return;
        pool_ends(base_);
        reveal(base_ - front_of(layout_), front_of(layout_) + layout_.blocks_bytes());
    }

    void carve(entry block) noexcept {
        ::new (static_cast<void*>(metadata_ + block * sizeof(debug_record))) debug_record;
        if (block == 0) paint(base_ - front_of(layout_), front_of(layout_), guarded_with);
        paint(address(block) + layout_.block_size, gap_bytes(), guarded_with);
    }

    [[nodiscard]] damage damage_in(entry block) const noexcept {
        const other_bytes wrong = other_than(filled_with, address(block), layout_.block_size);
        if (!wrong.any) return {};
        return {violation_kind::write_after_free, block, static_cast<std::ptrdiff_t>(wrong.first), wrong.value};
    }

    [[nodiscard]] damage damage_around(entry block) const noexcept {
        const damage found = damage_in_front_of(block);
        return found ? found : damage_in_front_of(block + 1);
    }

    /// In the guard bytes in front of a block: damage of that block, if they were written nearer to it than to the one
    /// before. The last carved one has no block behind it.
    [[nodiscard]] damage damage_in_front_of(entry block) const noexcept {
        const std::size_t lead = lead_of(block);
        const other_bytes wrong = other_than(guarded_with, address(block) - lead, lead);
        if (!wrong.any) return {};
        const bool is_next = block == 0 || (block != carved_ && lead - 1 - wrong.last < wrong.first);
        const auto offset = static_cast<std::ptrdiff_t>(wrong.first);
        if (is_next)
            return {violation_kind::buffer_overflow, block, offset - static_cast<std::ptrdiff_t>(lead), wrong.value};
        return {violation_kind::buffer_overflow, block - 1, offset + static_cast<std::ptrdiff_t>(layout_.block_size),
                wrong.value};
    }

    [[nodiscard]] FIXPOOL_WRAPS std::uintptr_t offset_of(const void* address) const noexcept {
        return reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(base_);
    }

    geometry layout_{.block_size = 0, .block_count = 0, .alignment = 1, .stride = 1};
    std::byte* base_ = nullptr;      // of block 0
    std::uintptr_t inverse_ = 1;     // of the odd part of the stride
    std::byte* metadata_ = nullptr;  // records, then room for as many groups of holders
    entry carved_ = 0;               // blocks that have a record
    entry first_ = none;             // of the queue of free blocks: the next one out when all are carved
    entry last_ = none;              // of the queue, unless it is empty
    std::size_t out_ = 0;            // blocks
    std::size_t peak_ = 0;           // blocks, the most out at a time since the last reset
    std::size_t refused_ = 0;        // allocations that found too few free blocks
    std::uint64_t operations_ = 0;   // allocations and releases so far
    unsigned resets_ = 0;
};

template <> struct list_for<checking::debug> {
    using type = debug_list;
    FIXPOOL_HIDDEN static constexpr std::size_t gap = debug_list::gap;
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
