// SPDX-License-Identifier: BSL-1.0
// growing_blocks: the blocks of a pool that grows, and their counts. All pages have one size and one size class.
#pragma once

#include <fixpool/detail/attempt.hpp>
#include <fixpool/detail/page_audit.hpp>
#include <fixpool/detail/page_limits.hpp>
#include <fixpool/detail/paged_blocks.hpp>

#include <cstddef>
#include <cstdint>
#include <memory_resource>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// The shape of blocks whose stride is known at compile time.
template <std::size_t Stride> FIXPOOL_HIDDEN inline constexpr block_shape fixed_shape(Stride);

/// Hands out blocks of one size and takes them back. Operations are O(1) unless stated. A release is O(1) expected. As
/// in free_list, callers pass a `Stride` that they know at compile time.
// Invariant: in_use_ <= total_ <= limit_ and in_use_ <= peak_. total_ is the sum of the pages' capacities. in_use_
// counts the blocks that are not free.
template <checking C> class growing_blocks {
    static_assert(!keeps_sites<C>,
                  "fixpool: checking::debug needs the header fixpool/debug_pages.hpp in pools that grow");

public:
    static constexpr bool is_checked = C != checking::unchecked;
    /// A block, and where its link is while the block is not free. The states of pages move when the table grows: never
    /// keep the address of one while code runs that may allocate.
    struct entry {
        void* block = nullptr;  // nullptr: none
        std::uint16_t* link = nullptr;
    };

    /// Throws: as checked_growth.
    growing_blocks(const geometry& g, std::size_t page_bytes, std::size_t limit, std::pmr::memory_resource* upstream)
        : layout_(g),
          shape_(g.stride),
          growth_(checked_growth(g.stride, page_bytes, limit)),
          limit_(limit),
          blocks_(upstream) {}

    /// Whether `take` finds a block at once.
    [[nodiscard]] bool has_free() const noexcept { return blocks_.current(0).has_head(); }

    /// Gets a free block for `take`. False if all blocks up to the limit are in use. Throws: what upstream throws.
    [[nodiscard]] FIXPOOL_COLD bool refill() {
        const bool is_full = in_use_ == total_;
        if (is_full && total_ == limit_) return refuse();
        const page_state& page = blocks_.refill(0, shape_, [this] { return next_growth(); });
        if (is_full) total_ += page.capacity;
        return true;
    }
    /// The same, but false if upstream throws.
    [[nodiscard]] FIXPOOL_COLD bool try_refill() noexcept {
        return attempt([this] { return refill(); });
    }

    /// Gets pages until `count` blocks are free. False if the limit forbids that, or upstream throws: new pages stay.
    [[nodiscard]] bool try_reserve(std::size_t count) noexcept {
        if (count > limit_ - in_use_) return refuse();
        return attempt([this, count] {
            while (total_ - in_use_ < count) {
                page_state& page = blocks_.open(0, shape_, next_growth());
                total_ += page.capacity;
                blocks_.enqueue(page, queue());
            }
            return true;
        });
    }

    /// Takes a block, which is then live. Requires: has_free().
    template <std::size_t Stride = 0> [[nodiscard]] entry take() noexcept {
        page_state& page = blocks_.current(0);
        std::uint16_t* const link = page.links + (page.head & page_state::number);
        if (++in_use_ > peak_) peak_ = in_use_;
        return {blocks_.take(page, shape<Stride>(), layout_.block_size), link};
    }

    /// Takes back a live block. False if no live block starts there.
    template <std::size_t Stride = 0> [[nodiscard]] bool release(void* block) noexcept {
        if (!blocks_.release(0, shape<Stride>(), block)) [[unlikely]]
            if (!release_searched(block)) return false;
        --in_use_;
        return true;
    }

    /// Sets the state of a block that is not free. Does nothing if unchecked.
    static void mark(const entry& block, std::uint16_t state) noexcept {
        if constexpr (is_checked) *block.link = state;
    }

    /// The block at `address` if its state was `from`; it is then `to`. Unchecked: always that block.
    template <std::size_t Stride>
    [[nodiscard]] entry change(void* address, std::uint16_t from, std::uint16_t to) noexcept {
        if constexpr (is_checked) {
            std::uint16_t* const link = link_of<Stride>(address);
            if (link == nullptr || *link != from) return {};
            *link = to;
            return {address, link};
        } else {
            return {address, nullptr};
        }
    }

    /// Takes back a block that is not free.
    template <std::size_t Stride> void put(const entry& block) noexcept {
        mark(block, page_state::live);
        static_cast<void>(release<Stride>(block.block));
    }

    /// Whether a block starts at `address` that is handed out, and not under construction or destruction.
    [[nodiscard]] bool is_live(const void* address) const noexcept {
        const std::uint16_t* const link = link_of<0>(address);
        return link != nullptr && is_live_link(*link);
    }

    [[nodiscard]] bool contains(const void* address) const noexcept {
        const auto at = reinterpret_cast<std::uintptr_t>(address);
        const page_state* const page = pages().find(page_state::tag_of(at & page_mask(), 0));
        return page != nullptr && (at & ~page_mask()) < page->capacity * layout_.stride;
    }

    /// Why `address` cannot be released or adopted. Complexity: O(pages).
    [[nodiscard]] page_misuse misuse_of(const void* address) const noexcept {
        page_misuse found = blocks_.misuse_of(address, &shape_);
        if (is_live(address)) found.kind = violation_kind::still_owned;
        return found;
    }

    /// What is reported about blocks that are in use when they should not be.
    [[nodiscard]] page_misuse misuse_of_all(violation_kind kind) const noexcept {
        return {.kind = kind, .page_blocks = total_, .page_out = in_use_};
    }

    /// Calls fn(address) for each live block, in the order of addresses. fn may take and release.
    /// Complexity: O(pages * pages + blocks), because the pages are in no order.
    template <class Fn> void for_each_live(Fn&& fn) const {
        std::uintptr_t tag = 0;
        while (const page_state* page = page_above(tag)) {
            tag = page->tag;
            for (std::size_t i = 0; page != nullptr && i < page->linked; ++i) {
                if (!is_live_link(page->links[i])) continue;
                fn(page->address() + i * layout_.stride);
                page = pages().find(tag);  // fn may have moved the page, or given it back
            }
        }
    }

    /// The first live block; nullptr if all blocks in use are under construction or destruction.
    /// Complexity: as for_each_live.
    [[nodiscard]] const void* lowest_live() const noexcept {
        const void* lowest = nullptr;
        for_each_live([&lowest](const std::byte* block) { lowest = lowest == nullptr ? block : lowest; });
        return lowest;
    }

    /// The first thing that is wrong in the metadata. Complexity: O(blocks), even if they were overwritten.
    [[nodiscard]] page_finding find_disorder() const noexcept {
        page_audit<C, 1> audit(blocks_, &shape_);
        page_finding found = audit.find();
        if (found.at == nullptr && (audit.total() != total_ || audit.out() != in_use_))
            found = {.at = this, .problem = "its counters do not agree"};
        return found;
    }

    /// Gives back the pages whose blocks are all free. Complexity: O(pages).
    void shrink() noexcept {
        blocks_.shrink();
        total_ = 0;
        pages().for_each([this](const page_state& page) { total_ += page.capacity; });
    }

    /// Makes every block free, as if none had been handed out. Complexity: O(pages).
    void reset() noexcept {
        blocks_.current_[0] = &blocks_.nothing_;
        queue().last = 0;
        pages().for_each([this](page_state& page) {
            detail::poison(page.address(), page.linked * layout_.stride);
            page.is_filled = false;
            page.returned = page_state::none;
            page.countdown = page_state::distant;
            page.carved = page.linked = 0;
            blocks_.enqueue(blocks_.carve(page), queue());
        });
        in_use_ = peak_ = queue().refused = 0;
    }

    /// Sorts the free blocks: the lowest one is the next to be taken. Complexity: as for_each_live.
    void sort() noexcept {
        blocks_.current_[0] = &blocks_.nothing_;
        queue().last = 0;
        for (page_state* page = page_above(0); page != nullptr; page = page_above(page->tag)) {
            sort_links(*page);
            if (!page->has_head() && page->carved < page->capacity) blocks_.carve(*page);
            page->is_filled = !page->has_head();
            if (page->is_filled) page->countdown = 1;
            else blocks_.enqueue(*page, queue());
        }
    }

    [[nodiscard]] const geometry& layout() const noexcept { return layout_; }
    template <std::size_t Stride = 0> [[nodiscard]] const block_shape& shape() const noexcept {
        if constexpr (Stride == 0) return shape_;
        else return fixed_shape<Stride>;
    }
    [[nodiscard]] std::size_t total() const noexcept { return total_; }
    [[nodiscard]] std::size_t out() const noexcept { return in_use_; }
    [[nodiscard]] std::size_t peak() const noexcept { return peak_; }
    [[nodiscard]] std::size_t refused() const noexcept { return blocks_.queues_[0].refused; }  // allocations
    /// Bytes that came from upstream.
    [[nodiscard]] std::size_t upstream_bytes() const noexcept {
        const std::size_t links_bytes = pages().size() * sizeof(std::uintptr_t) + total_ * sizeof(std::uint16_t);
        return pages().size() * growth_.bytes + links_bytes + pages().bytes();
    }

private:
    template <checking D> friend class growing_blocks;

    [[nodiscard]] const address_table<page_state>& pages() const noexcept { return blocks_.pages(); }
    [[nodiscard]] page_queue& queue() noexcept { return blocks_.queues_[0]; }
    [[nodiscard]] std::uintptr_t page_mask() const noexcept { return ~std::uintptr_t{growth_.bytes - 1}; }
    [[nodiscard]] static bool is_live_link(std::uint16_t link) noexcept {
        return link == page_state::live || link == page_state::given_up;
    }

    bool refuse() noexcept {
        ++queue().refused;
        return false;
    }
    /// The size of the next page. It has no more blocks than the limit allows.
    [[nodiscard]] page_growth next_growth() const noexcept {
        return {growth_.first_bytes, growth_.bytes, smaller(growth_.most_blocks, limit_ - total_)};
    }

    FIXPOOL_APART bool release_searched(void* block) noexcept {
        return blocks_.release_searched(0, shape_, block, [this] { return growth_; });
    }

    /// The link of the block that starts at `address`; nullptr if none does, or if it was not carved yet.
    template <std::size_t Stride> [[nodiscard]] std::uint16_t* link_of(const void* address) const noexcept {
        const auto at = reinterpret_cast<std::uintptr_t>(address);
        const page_state* const page = pages().find(page_state::tag_of(at & page_mask(), 0));
        const std::uint32_t number = shape<Stride>().number_of(static_cast<std::uint32_t>(at & ~page_mask()));
        return page == nullptr || number >= page->linked ? nullptr : page->links + number;
    }

    /// The page with the lowest address above that of `tag`. Complexity: O(pages).
    [[nodiscard]] page_state* page_above(std::uintptr_t tag) const noexcept {
        page_state* next = nullptr;
        pages().for_each([&next, tag](page_state& page) {
            if (page.tag > tag && (next == nullptr || page.tag < next->tag)) next = &page;
        });
        return next;
    }

    static void sort_links(page_state& page) noexcept {
        page.head = page.returned = page_state::none;
        for (std::size_t above = page.carved; above != 0; --above) {
            std::uint16_t& link = page.links[above - 1];
            if ((link & page_state::live) != 0) continue;
            link = static_cast<std::uint16_t>(page.head | (link & page_state::fresh));
            page.head = static_cast<std::uint16_t>(above - 1);
        }
    }

    geometry layout_;
    block_shape shape_;
    page_growth growth_;
    std::size_t limit_;       // blocks: the most at a time
    std::size_t total_ = 0;   // blocks of all pages
    std::size_t in_use_ = 0;  // blocks
    std::size_t peak_ = 0;    // blocks: the most in use since the last reset
    paged_blocks<C, 1> blocks_;
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
