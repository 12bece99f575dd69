// SPDX-License-Identifier: BSL-1.0
// debug_list: the free list of debug level, which records where each block was allocated and released.
#pragma once

#include <fixpool/detail/debug_record.hpp>
#include <fixpool/detail/debug_report.hpp>
#include <fixpool/detail/free_list.hpp>
#include <fixpool/detail/guarded_blocks.hpp>

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// Replaces free_list at debug level. It first hands out blocks that were never handed out, lowest first. Then it hands
/// out released ones, first in, first out: so a freed block is reused as late as possible. A block is filled when it is
/// freed, and verified when it is handed out again.
// Invariant, in blocks: out() + queued == carved_ <= total(). While carved_ < total(), no block was reused.
class debug_list {
public:
    using entry = std::uint32_t;
    static constexpr entry none = ~entry{0};
    static constexpr std::size_t gap = guarded_blocks::gap;
    static constexpr std::size_t metadata_size = sizeof(debug_record) + sizeof(holder);  // per block

    /// The records lie in front of the blocks, so that a long overflow of the last block cannot spoil its own report.
    [[nodiscard]] static constexpr arena_plan plan(const geometry& g) noexcept {
        const std::size_t alignment = g.alignment < 8 ? 8 : g.alignment, records = g.block_count * metadata_size;
        const std::size_t blocks_bytes = guarded_blocks::front_of(g) + g.blocks_bytes();
        return {blocks_bytes, alignment, 0, records, alignof(debug_record), round_up(records, alignment)};
    }

    /// The site of a call that returns to `address`.
    [[nodiscard]] static site called_before(const void* address) noexcept {
        return {nullptr, 0, nullptr, static_cast<const char*>(address) - 1};  // an address inside the call
    }

    /// Requires: `on` is laid out as `plan` says.
    debug_list(arena_places on, const geometry& g) noexcept : blocks_(on.blocks, g), metadata_(on.metadata) {
        pool_begins(base());
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

    /// Takes a block, which is then in use but not live. False if there is none. `inspect` and `begin` must follow.
    template <bool = true> [[nodiscard]] bool take(entry& taken) noexcept {
        if (carved_ == total() && first_ == none) return refuse();
        if (carved_ != total()) {
            taken = carved_++;
            ::new (static_cast<void*>(record_at(taken))) debug_record;
            blocks_.carve(taken);
        } else {
            taken = first_;
            first_ = at(taken).next;
        }
        at(taken).is_free = 0;
        if (++out_ > peak_) peak_ = out_;
        return true;
    }

    bool refuse() noexcept {
        ++refused_;
        return false;
    }

    /// Takes back a block that is in use and not live. It will be the last one to be taken.
    void put(entry back) noexcept {
        debug_record& record = at(back);
        if (record.release == 0) record.end(site::unknown(), ++operations_, this_thread());  // its constructor threw
        blocks_.fill(back);
        block_ends(base(), address(back), layout().block_size);
        record.state = block_state::out_of_use;
        record.is_free = record.is_filled = 1;
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
    /// The block at `address` if it was live; else `none`. It is then no longer live, and `inspect` must follow.
    template <std::size_t Stride = 0>
    [[nodiscard]] entry claim(void* address, const site& where = site::unknown(),
                              block_state from = block_state::live) noexcept {
        const entry claimed = change(address, from, block_state::out_of_use);
        if (claimed != none) at(claimed).end(where, ++operations_, this_thread());
        return claimed;
    }

    /// The first damage in a taken block, or around a claimed one.
    [[nodiscard]] finding inspect(entry block) noexcept {
        if (at(block).is_filled != 0) return blocks_.damage_in(block);
        const finding found = damage_in_front_of(block);
        return found ? found : damage_in_front_of(block + 1);
    }

    /// Hands out a taken block.
    void begin(entry block, const site& where) noexcept {
        block_begins(base(), address(block), layout().block_size);
        at(block).begin(where, ++operations_, this_thread());
    }

    /// Repairs the damage that was found. The caller inspects again, until nothing is found.
    void mend(const finding& found) noexcept { blocks_.mend(found); }

    /// Adds what is known of the violation's block.
    void describe(violation& v) const noexcept {
        if constexpr (!traps) v.print = &print_debug;
        if (v.index < carved_) at(v.index).describe(v);
    }

    /// The holders of the blocks in use, largest group first. Valid until the next call. O(n log n), n carved blocks.
    [[nodiscard]] std::span<const holder> holders() const noexcept {
        auto* const each = reinterpret_cast<holder*>(record_at(total()));
        std::size_t count = 0;
        for (std::size_t index = 0; index < carved_; ++index)
            if (at(index).is_free == 0) ::new (static_cast<void*>(each + count++)) holder{holder_of(index), 1};
        return grouped({each, count});
    }

    [[nodiscard]] text_line text_of_holders() const noexcept { return describe_holders(holders()); }

    [[nodiscard]] bool is_live(std::size_t index) const noexcept {
        return index < carved_ && at(index).state != block_state::out_of_use;
    }
    [[nodiscard]] bool is_free(std::size_t index) const noexcept { return index >= carved_ || at(index).is_free != 0; }

    template <std::size_t Stride = 0> [[nodiscard]] std::byte* address(entry block) const noexcept {
        return blocks_.address(block);
    }

    [[nodiscard]] violation_kind misuse_of(const void* address) const noexcept {
        const std::size_t index = index_of(address);
        if (index == violation::npos)
            return contains(address) ? violation_kind::misaligned_pointer : violation_kind::foreign_pointer;
        if (is_live(index)) return violation_kind::still_owned;
        return index < carved_ ? violation_kind::double_free : violation_kind::not_allocated;
    }

    [[nodiscard]] bool contains(const void* p) const noexcept { return blocks_.contains(p); }
    template <std::size_t Stride = 0> [[nodiscard]] std::size_t index_of(const void* address) const noexcept {
        return blocks_.index_of(address);
    }
    [[nodiscard]] std::size_t enclosing_index(const void* address) const noexcept {
        return blocks_.enclosing_index(address);
    }

    template <class Fn> void for_each_live(Fn&& fn) const {
        for (std::size_t index = 0; index < carved_; ++index)
            if (is_live(index)) fn(blocks_.address(index));
    }

    /// Calls fn(index, whether it is free, where it was allocated) for each carved block.
    template <class Fn> void for_each_carved(const Fn& fn) const {
        for (std::size_t index = 0; index < carved_; ++index) fn(index, at(index).is_free != 0, holder_of(index));
    }

    /// Does nothing: blocks are handed out in the order of their release.
    void sort() noexcept {}

    /// A value that changes with each reset, and differs between lists.
    [[nodiscard]] std::pair<const std::byte*, unsigned> life() const noexcept { return {base(), resets_}; }

    void reset() noexcept {
        if (total() == 0) return;
        ++resets_;
        pool_ends(base());
        blocks_.hide();
        pool_begins(base());
        carved_ = 0;
        first_ = none;
        out_ = peak_ = refused_ = 0;
    }

    [[nodiscard]] const geometry& layout() const noexcept { return blocks_.layout(); }
    [[nodiscard]] std::byte* base() const noexcept { return blocks_.base(); }
    [[nodiscard]] std::size_t total() const noexcept { return layout().block_count; }
    [[nodiscard]] std::size_t out() const noexcept { return out_; }
    [[nodiscard]] std::size_t refused() const noexcept { return refused_; }
    [[nodiscard]] std::size_t handed_out() const noexcept { return peak_; }  // the peak

    /// The first thing that is wrong. If `least` is 0, objects may be under construction or destruction. Their blocks
    /// have no owner, like those between `take` and `begin`, or `claim` and `put`. O(carved blocks * stride).
    [[nodiscard]] finding find_disorder(std::size_t least) const noexcept {
        if (total() == 0) return {};
        if (carved_ > total() || out_ > peak_ || peak_ > carved_)
            return {.at = this, .problem = "its counters do not agree"};
        if (const finding found = find_in_records(least)) return found;
        for (entry block = 0; block < carved_; ++block) {
            const finding found = at(block).is_free == 0 ? finding{} : blocks_.damage_in(block);
            hide_if_free(block);
            if (found) return found;
        }
        for (entry block = 0; block <= carved_ && carved_ != 0; ++block)
            if (const finding found = damage_in_front_of(block)) return found;
        return {};
    }

private:
    debug_list& operator=(const debug_list&) noexcept = default;

    [[nodiscard]] std::byte* record_at(std::size_t index) const noexcept {
        return metadata_ + index * sizeof(debug_record);
    }
    /// Where the block was allocated. Unknown while it is being handed out: its record is that of the last holder.
    [[nodiscard]] site holder_of(std::size_t index) const noexcept {
        return at(index).is_filled != 0 ? site::unknown() : at(index).allocated_at;
    }

    [[nodiscard]] debug_record& at(std::size_t index) const noexcept {
        return *std::launder(reinterpret_cast<debug_record*>(record_at(index)));
    }

    // Reading a guard opens the eight bytes around it for sanitizers. If a free block shares them, it is closed again.
    void hide_if_free(entry block) const noexcept {
        if (block < carved_ && at(block).is_free != 0) poison(address(block), layout().block_size);
    }
    [[nodiscard]] finding damage_in_front_of(entry block) const noexcept {
        const finding found = blocks_.damage_in_front_of(block, carved_);
        if (block != 0) hide_if_free(block - 1);
        return found;
    }

    [[nodiscard]] finding find_in_records(std::size_t least) const noexcept {
        std::size_t used = 0, lost = 0;
        for (entry block = 0; block < carved_; ++block) {
            const debug_record& record = at(block);
            const bool is_owned = record.state != block_state::out_of_use;
            if (record.state > block_state::given_up || record.is_free > 1 || record.is_filled > 1 ||
                record.is_free > record.is_filled)
                return {.at = &record, .block = block, .problem = "the block's state was overwritten"};
            if (record.is_free != 0 && is_owned)
                return {.at = &record, .block = block, .problem = "the block is free and in use"};
            lost += record.is_free == 0 && !is_owned && record.release == 0 && record.allocation != 0;
            used += record.is_free == 0;
        }
        if (used != out_ || (least != 0 && lost != 0))
            return {.at = metadata_, .problem = "its blocks' states do not agree with the number in use"};
        entry last = none, next = first_;
        std::size_t queued = 0;
        for (; next < carved_ && at(next).is_free != 0 && queued < carved_ - out_; ++queued)
            next = at(last = next).next;
        if (next == none && queued == carved_ - out_ && (queued == 0 || last == last_)) return {};
        return {.at = last == none ? metadata_ : record_at(last),
                .problem = "its free blocks are not all in the queue"};
    }

    void end() noexcept {
        if (total() == 0) return;
        pool_ends(base());
        blocks_.reveal();
    }

    guarded_blocks blocks_;
    std::byte* metadata_ = nullptr;  // records, then room for one holder per block
    entry carved_ = 0;               // blocks that have a record
    entry first_ = none;             // first in the queue of free blocks: the next one out when all are carved
    entry last_ = none;              // the last in the queue, unless it is empty
    std::size_t out_ = 0;            // blocks in use
    std::size_t peak_ = 0;           // peak of out_ since the last reset
    std::size_t refused_ = 0;        // allocations that found too few free blocks
    std::uint64_t operations_ = 0;   // allocations and releases so far
    unsigned resets_ = 0;
};

[[nodiscard]] inline finding find_disorder(const debug_list& list, std::size_t least) noexcept {
    return list.find_disorder(least);
}

template <checking C>
requires keeps_sites<C>
struct list_for<C> {
    using type = debug_list;
    FIXPOOL_HIDDEN static constexpr std::size_t gap = debug_list::gap;
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
