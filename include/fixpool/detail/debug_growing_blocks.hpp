// SPDX-License-Identifier: BSL-1.0
// debug_growing_blocks: the blocks of a pool that grows, at debug level. Each is in a frame, which is a checked block.
#pragma once

#include <fixpool/detail/debug_page_report.hpp>
#include <fixpool/detail/growing_blocks.hpp>
#include <fixpool/exhausted.hpp>

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// The layout of frames for blocks of the layout `g`. Throws: as checked_page_stride.
constexpr geometry frame_layout(const geometry& g) {
    return checked_page_stride(debug_frame::bytes_for(g.block_size, g.alignment),
                               debug_frame::aligned_for(g.alignment));
}

/// Replaces growing_blocks at debug level. All functions take and return the caller's blocks, not the frames.
// Invariant: a frame has a record if its block is in use, or was handed out since the last reset. The frame of a free
// block that has a record is filled, unless somebody wrote to it.
template <checking C>
requires keeps_sites<C>
class growing_blocks<C> {
    using blocks = growing_blocks<checking::checked>;

public:
    using entry = blocks::entry;

    /// Who gets the reports when a block is verified. A handler may use the pool.
    struct watch {
        const reporter& to;
        const void* pool;
    };

    growing_blocks(const geometry& g, std::size_t page_bytes, std::size_t limit, std::pmr::memory_resource* upstream)
        : layout_(g), frames_(frame_layout(g), page_bytes, limit, upstream) {
        layout_.stride = frames_.layout().stride;
        pool_begins(this);
    }
    ~growing_blocks() {
        pool_ends(this);
        pages().for_each([](const page_state& page) { reveal(page.address(), page.size()); });
    }

    /// Takes a block, which is then `unfinished`. Returns an empty entry if the limit is reached.
    /// Throws: what upstream throws.
    [[nodiscard]] entry take(const site& where, const watch& by) {
        return take_by([this] { return frames_.refill(); }, where, by);
    }
    /// The same, but returns an empty entry if upstream throws.
    [[nodiscard]] entry try_take(const site& where, const watch& by) noexcept {
        return take_by([this] { return frames_.try_refill(); }, where, by);
    }
    [[noreturn]] FIXPOOL_COLD void raise_exhausted(const char* name) const {
        if constexpr (traps) stop();
        else raise_made<pool_exhausted>(name, total(), text_of_holders().c_str());
    }

    /// Takes taken.size() blocks, which are then live; or returns false and takes none.
    [[nodiscard]] bool try_take_all(std::span<void*> taken, const site& where, const watch& by) noexcept {
        bool is_whole = false;
        while (!is_whole) {  // begins anew when a handler has reset the pool
            if (!frames_.try_reserve(taken.size())) return false;
            for (void*& block : taken) {  // before any is verified: a handler may take blocks, too
                static_cast<void>(frames_.has_free() || frames_.try_refill());
                block = take_unverified(where).block;
            }
            is_whole = true;
            for (std::size_t i = 0; is_whole && i < taken.size(); ++i) {
                const entry each = change(taken[i], page_state::unfinished, page_state::unfinished);
                is_whole = begin(each, where, by);
                if (is_whole) mark(each, page_state::live);
            }
        }
        return true;
    }

    static void mark(const entry& block, std::uint16_t state) noexcept { *block.link = state; }

    [[nodiscard]] entry change(void* block, std::uint16_t from, std::uint16_t to) noexcept {
        const entry changed = frames_.template change<0>(start_of(block), from, to);
        return changed.block == nullptr ? entry() : entry{block, changed.link};
    }

    /// The block at `block` if it was live; it is then `unfinished`. The caller calls `verify` next.
    [[nodiscard]] entry claim(void* block, const site& where) noexcept {
        const entry claimed = change(block, page_state::live, page_state::unfinished);
        if (claimed.block != nullptr) frame_of(claimed).close(where, ++operations_);
        return claimed;
    }
    /// Reports and mends damage around a claimed block. False if a handler has reset the pool: the block is then free.
    [[nodiscard]] bool verify(const entry& claimed, const site& where, const watch& by) noexcept {
        debug_frame frame = frame_of(claimed);
        if (!mend(frame, &debug_frame::damage_around, by)) return false;
        if (frame.record().release == 0) frame.close(where, operations_);  // its record was mended
        return true;
    }
    /// Takes back an `unfinished` block.
    void put(const entry& back) noexcept {
        debug_frame frame = frame_of(back);
        if (frame.record().release == 0) frame.close(site::unknown(), ++operations_);  // its constructor threw
        block_ends(this, back.block, layout_.block_size);
        frame.fill();
        frames_.template put<0>({frame.start(), back.link});
    }

    [[nodiscard]] bool is_live(const void* block) const noexcept { return frames_.is_live(start_of(block)); }
    [[nodiscard]] bool contains(const void* address) const noexcept { return frames_.contains(address); }

    [[nodiscard]] debug_place<page_misuse> misuse_of(const void* address) const noexcept {
        page_misuse found = frames_.misuse_of(start_of(address));
        if (found.kind == violation_kind::misaligned_pointer || found.kind == violation_kind::foreign_pointer) {
            found = frames_.misuse_of(address);  // it may lie in front of a block
            if (found.stride != 0) found.kind = violation_kind::misaligned_pointer;
        }
        const place at = place_of(address);
        return {found, was_handed_out(at) ? frame_at(at).start() : nullptr, stride()};
    }

    /// A page_misuse that names the holders of the blocks. Complexity: O(n log n) in the blocks in use, and O(blocks).
    [[nodiscard]] auto misuse_of_all(violation_kind kind) const noexcept {
        struct misuse_of_held : debug_place<page_misuse> {
            page_holders of;
            misuse_of_held(const growing_blocks& list, violation_kind what) noexcept
                : debug_place<page_misuse>{list.frames_.misuse_of_all(what)}, of(list.upstream(), list.out()) {
                list.add_holders(of);
                holders = of.grouped();
                if (const void* const lowest = list.lowest_live(); lowest != nullptr) {
                    frame = list.frame_at(list.place_of(lowest)).start();
                    bytes = list.stride();
                }
            }
        };
        return misuse_of_held(*this, kind);
    }

    template <class Fn> void for_each_live(Fn&& fn) const {
        frames_.for_each_live([&fn, this](std::byte* start) { fn(start + front()); });
    }
    [[nodiscard]] const void* lowest_live() const noexcept {
        const void* const start = frames_.lowest_live();
        return start == nullptr ? nullptr : static_cast<const std::byte*>(start) + front();
    }

    /// Also verifies the guards and the fill. Complexity: O(bytes of the blocks).
    [[nodiscard]] debug_place<page_finding> find_disorder() const noexcept {
        debug_place<page_finding> found{frames_.find_disorder()};
        if (found.at != nullptr) return found;
        pages().for_each([&](const page_state& page) {
            for (std::size_t i = 0; i < page.linked && found.at == nullptr; ++i) found = damage_at({&page, i});
        });
        return found;
    }

    void shrink() noexcept {
        pages().for_each([](const page_state& page) { reveal(page.address(), page.out() == 0 ? page.size() : 0); });
        frames_.shrink();
    }
    void reset() noexcept {
        ++resets_;
        pool_ends(this);
        pool_begins(this);
        pages().for_each([this](const page_state& page) { hide(page.address(), page.linked * stride()); });
        frames_.reset();
    }
    void sort() noexcept { frames_.sort(); }

    [[nodiscard]] const geometry& layout() const noexcept { return layout_; }
    [[nodiscard]] std::size_t total() const noexcept { return frames_.total(); }
    [[nodiscard]] std::size_t out() const noexcept { return frames_.out(); }
    [[nodiscard]] std::size_t peak() const noexcept { return frames_.peak(); }
    [[nodiscard]] std::size_t refused() const noexcept { return frames_.refused(); }
    [[nodiscard]] std::size_t upstream_bytes() const noexcept { return frames_.upstream_bytes(); }

private:
    /// A page, and the number of a block in it.
    struct place {
        const page_state* page;  // nullptr: no page
        std::size_t number;
    };

    [[nodiscard]] const address_table<page_state>& pages() const noexcept { return frames_.pages(); }
    [[nodiscard]] std::pmr::memory_resource& upstream() const noexcept { return *frames_.blocks_.upstream(); }
    [[nodiscard]] std::size_t stride() const noexcept { return layout_.stride; }
    [[nodiscard]] std::size_t front() const noexcept { return debug_frame::front_of(layout_.alignment); }

    /// Where the frame of a block at `address` would begin. Works for any address.
    [[nodiscard]] FIXPOOL_WRAPS void* start_of(const void* address) const noexcept {
        return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(address) - front());
    }
    [[nodiscard]] place place_of(const void* address) const noexcept {
        const auto at = reinterpret_cast<std::uintptr_t>(address);
        return {pages().find(page_state::tag_of(at & frames_.page_mask(), 0)), (at & ~frames_.page_mask()) / stride()};
    }
    [[nodiscard]] static bool was_handed_out(const place& at) noexcept {
        return at.page != nullptr && at.number < at.page->linked &&
               (at.page->links[at.number] & (page_state::live | page_state::fresh)) != page_state::fresh;
    }
    [[nodiscard]] debug_frame frame_at(const place& at) const noexcept {
        return {at.page->address() + at.number * stride(), stride()};
    }
    [[nodiscard]] debug_frame frame_of(const entry& block) const noexcept {
        return {static_cast<std::byte*>(block.block) - front(), stride()};
    }

    template <class Refill> [[nodiscard]] entry take_by(const Refill& refill, const site& where, const watch& by) {
        while (frames_.has_free() || refill()) {
            const entry taken = take_unverified(where);
            if (begin(taken, where, by)) return taken;
        }
        return {};
    }
    /// Takes a block, which is then `unfinished`. If it was never handed out, it begins without verification.
    [[nodiscard]] entry take_unverified(const site& where) noexcept {
        const bool is_fresh = frames_.blocks_.current(0).has_fresh_head();
        entry taken = frames_.take();
        mark(taken, page_state::unfinished);
        taken.block = static_cast<std::byte*>(taken.block) + front();
        if (is_fresh) begin_verified(taken, where);
        return taken;
    }
    /// Hands out a taken block. Before, verifies it if it was handed out earlier. False as for `verify`.
    [[nodiscard]] bool begin(const entry& taken, const site& where, const watch& by) noexcept {
        debug_frame frame = frame_of(taken);
        if (frame.is_sound() && frame.record().is_filled == 0) return true;
        if (!mend(frame, &debug_frame::damage_in, by)) return false;
        begin_verified(taken, where);
        return true;
    }
    void begin_verified(const entry& taken, const site& where) noexcept {
        frame_of(taken).begin(layout_.block_size, layout_.alignment, where, ++operations_);
        block_begins(this, taken.block, layout_.block_size);
    }

    /// Reports and mends what `find` finds. False if a handler has reset the pool.
    [[nodiscard]] bool mend(debug_frame& frame, finding (debug_frame::*find)() const noexcept,
                            const watch& by) noexcept {
        const unsigned resets = resets_;
        for (finding found = (frame.*find)(); found; found = (frame.*find)()) {
            if (found.kind == violation_kind::corrupted_pool) report_overflow_in_front_of(frame, by);
            if (resets_ == resets) report(described(found, frame), by);
            if (resets_ != resets) return false;
            frame.mend(found);
        }
        return true;
    }
    /// The block in front, if in use, has most likely overwritten the record. Its own release reports it again.
    void report_overflow_in_front_of(const debug_frame& frame, const watch& by) const noexcept {
        place at = place_of(frame.start());
        if (at.number == 0) return;
        --at.number;
        const auto found = damage_at(at);
        if (found.kind == violation_kind::buffer_overflow && found.of.offset > 0) report(found, by);
    }
    static void report(const debug_place<page_finding>& found, const watch& by) noexcept {
        report_page(by.to, by.pool, found.at, found, found.problem);
    }

    [[nodiscard]] debug_place<page_finding> described(const finding& found, const debug_frame& frame) const noexcept {
        const place at = place_of(frame.start());
        return {{found.kind, found.at, found.problem, at.number, at.page->capacity, at.page->out()},
                frame.start(),
                stride(),
                found};
    }
    [[nodiscard]] debug_place<page_finding> damage_at(const place& at) const noexcept {
        if (!was_handed_out(at)) return {};
        const debug_frame frame = frame_at(at);
        const finding found = frame.record().is_filled != 0 ? frame.damage_in() : frame.damage_around();
        return found ? described(found, frame) : debug_place<page_finding>();
    }

    [[nodiscard]] text_line text_of_holders() const noexcept {
        page_holders of(upstream(), out());
        add_holders(of);
        return describe_holders(of.grouped());
    }
    void add_holders(page_holders& to) const noexcept {
        pages().for_each([&](const page_state& page) {
            for (std::size_t i = 0; i < page.linked; ++i) {
                if ((page.links[i] & page_state::live) == 0) continue;
                const debug_frame frame = frame_at({&page, i});
                const debug_frame_record record = frame.record();
                to.add(frame.is_sound() && record.is_filled == 0 ? record.allocated_at : site::unknown());
            }
        });
    }

    geometry layout_;  // of the caller's blocks, but with the stride of the frames
    blocks frames_;
    std::uint64_t operations_ = 0;  // allocations and releases so far
    unsigned resets_ = 0;
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
