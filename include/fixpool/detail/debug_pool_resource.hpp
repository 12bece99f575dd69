// SPDX-License-Identifier: BSL-1.0
// debug_pool_resource: a resource at debug level. Each block lies in a frame, between guards.
#pragma once

#include <fixpool/detail/debug_frame.hpp>
#include <fixpool/detail/debug_memory_pool.hpp>
#include <fixpool/detail/frame_pages.hpp>
#include <fixpool/pool_resource.hpp>

#include <cstddef>
#include <cstdint>
#include <memory_resource>

namespace fixpool::inline FIXPOOL_ABI {

/// As at the other levels, but each block lies in a frame, which is a block of the level beneath. Sizes are exact.
/// Releasing a block with another size than at its allocation is a size_mismatch, even in the same size class. Another
/// alignment is one, too, if the block would lie elsewhere in its frame, or if the block is large.
///
/// A violation has the code addresses of the calls of `allocate` and `deallocate`, on the resource or its allocators.
/// If a frame would be larger than the largest size class, the request also goes to the upstream resource. Such a block
/// has guards, but is not filled: its memory goes back at once.
// Invariant: a frame's link is `live` while its block is in use, and `unfinished` while it is verified. A frame in a
// page has a record unless its link is fresh.
template <> class basic_pool_resource<checking::debug> : public basic_pool_resource<detail::beneath<checking::debug>> {
    using base = basic_pool_resource<detail::beneath<checking::debug>>;
    using frame = detail::debug_frame;
    using state = detail::page_state;
    FIXPOOL_HIDDEN static constexpr std::size_t least_around =
        frame::bytes_for(0, 1);  // bytes: a frame without its block

public:
    FIXPOOL_HIDDEN basic_pool_resource() noexcept : basic_pool_resource(std::pmr::pool_options()) {}
    FIXPOOL_HIDDEN explicit basic_pool_resource(const std::pmr::pool_options& sizes) noexcept
        : basic_pool_resource(sizes, std::pmr::get_default_resource()) {}
    basic_pool_resource(const std::pmr::pool_options& sizes, std::pmr::memory_resource* upstream,
                        resource_options options = {}) noexcept
        : base(sizes, upstream, options) {
        detail::pool_begins(this);
    }
    explicit basic_pool_resource(std::pmr::memory_resource* upstream, resource_options options = {}) noexcept
        : basic_pool_resource(std::pmr::pool_options(), upstream, options) {}

    basic_pool_resource(std::nullptr_t, resource_options = {}) = delete;
    basic_pool_resource(const basic_pool_resource&) = delete;
    basic_pool_resource& operator=(const basic_pool_resource&) = delete;
    ~basic_pool_resource() override { reveal_all(); }

    void release() noexcept {
        reveal_all();
        base::release();
        ++releases_;
        detail::pool_begins(this);
    }

    void shrink() noexcept {
        blocks_.pages().for_each([](const state& page) {
            if (page.out() == 0) detail::reveal(page.address(), page.size());
        });
        base::shrink();
    }

    /// Also verifies the guards of all blocks in use, and the fill of those that were released.
    /// Complexity: linear in the bytes of all pages and large blocks.
    bool audit() const noexcept {
        if (!base::audit()) return false;
        detail::finding found;
        frame damaged = detail::first_damaged(blocks_.pages(), found).frame();
        large_.for_each([&](const detail::large_block& large) {
            if (!found) found = (damaged = frame_of(large)).damage_around();
        });
        if (found) report(found, damaged);
        return !found;
    }

    /// As at the other levels, but limits the largest block to what fits into the largest frame.
    [[nodiscard]] std::pmr::pool_options options() const noexcept {
        std::pmr::pool_options sizes = base::options();
        sizes.largest_required_pool_block =
            detail::smaller(sizes.largest_required_pool_block, detail::largest_class - least_around);
        return sizes;
    }

    /// `block_size` is the largest size that the class serves. `stride` is that of its frames.
    template <class Fn> void for_each_pool(Fn&& fn) const {
        base::for_each_pool([&fn](pool_stats stats) {
            stats.block_size -= least_around;
            fn(std::as_const(stats));
        });
    }

protected:
    FIXPOOL_APART void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        return allocate_at(detail::debug_list::called_before(FIXPOOL_CALLER()), bytes, alignment);
    }
    FIXPOOL_APART void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
        deallocate_at(detail::debug_list::called_before(FIXPOOL_CALLER()), block, bytes, alignment);
    }

private:
    template <class T, checking D> friend struct detail::object_memory;

    template <std::size_t Size, std::size_t Alignment> [[nodiscard]] FIXPOOL_APART void* allocate_one() {
        return allocate_at(detail::debug_list::called_before(FIXPOOL_CALLER()), Size, Alignment);
    }
    template <std::size_t Size, std::size_t Alignment> FIXPOOL_APART void deallocate_one(void* block) noexcept {
        deallocate_at(detail::debug_list::called_before(FIXPOOL_CALLER()), block, Size, Alignment);
    }

    /// The size class of the frame for a block. class_count means a large block: it is large at the other levels, too,
    /// or its frame is larger than any class.
    [[nodiscard]] std::size_t frame_class(std::size_t bytes, std::size_t alignment) const noexcept {
        if (!is_small(bytes, alignment) && any_class(bytes, alignment) == detail::class_count)
            return detail::class_count;
        const std::size_t all = detail::round_up(frame::bytes_for(bytes, alignment), frame::aligned_for(alignment));
        return all > detail::largest_class ? detail::class_count : detail::class_of(all);
    }
    /// Where the frame of a block of this alignment starts. Works for any address.
    [[nodiscard]] FIXPOOL_WRAPS static std::byte* start_of(const void* block, std::size_t alignment) noexcept {
        return reinterpret_cast<std::byte*>(reinterpret_cast<std::uintptr_t>(block) - frame::front_of(alignment));
    }
    [[nodiscard]] static frame frame_of(const detail::large_block& large) noexcept {
        return {reinterpret_cast<void*>(large.tag), large.size};
    }

    [[nodiscard]] void* allocate_at(const site& where, std::size_t bytes, std::size_t alignment) {
        const std::size_t size_class = frame_class(bytes, alignment);
        if (size_class == detail::class_count) return allocate_large(where, bytes, alignment);
        const detail::block_shape& frames = detail::class_shapes[size_class];
        for (;;) {  // starts again if a handler has released everything
            state* page = &blocks_.current(size_class);
            const auto grows = [this, size_class] { return growth_of(size_class); };
            if (!page->has_head()) page = &blocks_.refill(size_class, frames, grows);
            std::uint16_t* const link = page->links + (page->head & state::number);
            const bool is_fresh = page->has_fresh_head();
            const frame taken(decltype(blocks_)::take(*page, frames, 0), frames.stride);
            *link = state::unfinished;
            if (!is_fresh && !mend(taken, &frame::damage_in)) continue;
            *link = state::live;
            return hand_out(taken, where, bytes, alignment);
        }
    }
    [[nodiscard]] void* allocate_large(const site& where, std::size_t bytes, std::size_t alignment) {
        const std::size_t all = frame::bytes_for(bytes, alignment);
        void* const start = large_.allocate(*upstream_resource(), all, frame::aligned_for(alignment));
        return hand_out({start, all}, where, bytes, alignment);
    }
    [[nodiscard]] void* hand_out(frame taken, const site& where, std::size_t bytes, std::size_t alignment) noexcept {
        taken.begin(bytes, alignment, where, ++operations_);
        detail::block_begins(this, taken.block(), bytes);
        return taken.block();
    }

    void deallocate_at(const site& where, void* block, std::size_t bytes, std::size_t alignment) noexcept {
        const std::size_t size_class = frame_class(bytes, alignment);
        if (size_class == detail::class_count) return deallocate_large(where, block, bytes, alignment);
        frame released(start_of(block, alignment), detail::class_shapes[size_class].stride);
        std::uint16_t* const link =
            detail::link_at(blocks_.pages(), size_class, growth_of(size_class), released.start());
        if (link == nullptr || *link != state::live || !is_of(released, bytes, alignment))
            return report_misuse(block, bytes, alignment);
        *link = state::unfinished;
        const std::uint64_t operation = ++operations_;
        released.close(where, operation);
        if (!mend(released, &frame::damage_around)) return;
        released.end(where, operation);
        detail::block_ends(this, block, bytes);
        *link = state::live;
        put(size_class, released.start(), 0);
    }
    void deallocate_large(const site& where, void* block, std::size_t bytes, std::size_t alignment) noexcept {
        const std::size_t all = frame::bytes_for(bytes, alignment);
        frame released(start_of(block, alignment), all);
        const bool is_there = large_.find(released.start()) != nullptr && released.is_sound();
        if (is_there && released.record().alignment != alignment) return report_misuse(block, bytes, alignment);
        // Removes it from the table first: then no handler can release it again, alone or with all others.
        if (!large_.take_out(released.start(), all, frame::aligned_for(alignment)))
            return report_misuse(block, bytes, alignment);
        released.close(where, ++operations_);
        if (mend(released, &frame::damage_around)) detail::block_ends(this, block, bytes);
        detail::reveal(released.start(), all);
        upstream_resource()->deallocate(released.start(), all, frame::aligned_for(alignment));
    }

    /// Whether the frame's block has this size and alignment. If its record was overwritten, nobody knows: true.
    [[nodiscard]] static bool is_of(const frame& live, std::size_t bytes, std::size_t alignment) noexcept {
        const detail::debug_frame_record record = live.record();
        return !live.is_sound() || (record.size == bytes && record.front() == frame::front_of(alignment));
    }
    /// Reports and mends all that `damage` finds. False if a handler has released everything, this frame included.
    [[nodiscard]] bool mend(frame damaged, detail::finding (frame::*damage)() const noexcept) noexcept {
        const std::uint64_t releases = releases_;
        for (auto found = (damaged.*damage)(); found; found = (damaged.*damage)()) {
            if (found.kind == violation_kind::corrupted_pool) report_overflow_in_front_of(damaged);
            if (releases_ == releases) report(found, damaged);
            if (releases_ != releases) return false;
            damaged.mend(found);
        }
        return true;
    }

    /// The block in front has most likely overwritten the record. It is reported here, and once more at its release.
    FIXPOOL_COLD void report_overflow_in_front_of(const frame& in) const noexcept {
        const detail::paged_frame before = detail::frame_around(blocks_.pages(), in.start() - 1);
        const detail::finding found = before.damage();
        if (found.kind == violation_kind::buffer_overflow && found.offset > 0) report(found, before.frame());
    }
    FIXPOOL_COLD void report(const detail::finding& found, const frame& in) const noexcept {
        violation v = violation_at(found.kind, found.at, in.start());
        v.problem = found.problem;
        v.offset = found.offset;
        v.byte = found.byte;
        in.describe(v);
        reporter_.report(v);
    }
    /// `in_frame` is any address in the block's frame.
    [[nodiscard]] violation violation_at(violation_kind kind, const void* address,
                                         const void* in_frame) const noexcept {
        const detail::page_misuse in = blocks_.misuse_of(in_frame, detail::class_shapes.data());
        return {kind,           this,        name(),          address,         in.index,
                in.page_blocks, in.page_out, site::unknown(), site::unknown(), reporter_.context()};
    }

    FIXPOOL_COLD void report_misuse(const void* block, std::size_t bytes, std::size_t alignment) const noexcept {
        if (block == nullptr) return;
        violation v = violation_at(violation_kind::foreign_pointer, block, block);
        const detail::paged_frame at = detail::frame_around(blocks_.pages(), block);
        frame in = at.frame();
        bool is_known = at.was_handed_out();  // it has a record
        if (at.start == nullptr) {
            for (std::size_t i = 16; i != 0 && !is_known; i *= 2) {
                const detail::large_block* const large = large_.find(start_of(block, i));
                is_known = large != nullptr && frame_of(*large).block() == block;
                if (is_known) in = frame_of(*large);
            }
            if (is_known) v.kind = violation_kind::size_mismatch;
        } else {
            const bool is_asked = start_of(block, alignment) == at.start;
            const bool is_live = at.link == state::live;
            const bool is_start = is_known && (is_live || !is_asked) && in.is_sound() ? in.block() == block : is_asked;
            if (!is_start) v.kind = violation_kind::misaligned_pointer;
            else if (!is_known) v.kind = violation_kind::not_allocated;
            else v.kind = is_live ? violation_kind::size_mismatch : violation_kind::double_free;
        }
        if (is_known) in.describe(v);
        detail::text_line sizes;
        if (v.kind == violation_kind::size_mismatch && in.is_sound()) {
            const std::size_t size = in.record().size;
            sizes.add("it has ").add(size).add(" bytes, and was released with ").add(bytes);
            if (size == bytes) sizes.add(" of another alignment");
        }
        v.problem = sizes.c_str();
        reporter_.report(v);
    }

    /// Makes all bytes accessible before they go back to upstream.
    void reveal_all() noexcept {
        detail::pool_ends(this);
        blocks_.pages().for_each([](const state& page) { detail::reveal(page.address(), page.size()); });
        large_.for_each([](const detail::large_block& large) {
            detail::reveal(reinterpret_cast<const void*>(large.tag), large.size);
        });
    }

    std::uint64_t operations_ = 0;  // allocations and releases so far
    std::uint64_t releases_ = 0;    // calls of release()
};

}  // namespace fixpool::inline FIXPOOL_ABI
