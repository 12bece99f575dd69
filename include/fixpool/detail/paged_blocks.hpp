// SPDX-License-Identifier: BSL-1.0
// paged_blocks: the mechanism of pools that grow: blocks in pages from a memory resource.
#pragma once

#include <fixpool/checking.hpp>
#include <fixpool/detail/address_table.hpp>
#include <fixpool/detail/attempt.hpp>
#include <fixpool/detail/page_memory.hpp>
#include <fixpool/detail/page_report.hpp>
#include <fixpool/detail/page_state.hpp>
#include <fixpool/stats.hpp>

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI::detail {

template <checking C> class growing_blocks;
template <checking C, std::size_t Classes> class page_audit;

/// Blocks of `Classes` size classes, in pages from an upstream resource. A mask and a hash table find the page of an
/// address, so a wrong pointer is never read. All pages of a class have one size, except a small first page, so that
/// few blocks take little memory. If upstream has no memory for a large page, all later pages are small.
///
/// A page hands out all blocks of its free list before those that were released meanwhile. If more than about 64 of its
/// blocks were in use and all are free again, it hands them out in the order of addresses.
// Invariant of each page: countdown == blocks that are not free. The bit `distant` is added until a batch behind block
// 63 was carved, or until all of more than 64 blocks were in use.
template <checking C, std::size_t Classes> class paged_blocks {
public:
    static constexpr bool is_checked = C != checking::unchecked;

    explicit paged_blocks(std::pmr::memory_resource* upstream) noexcept : upstream_(upstream) {
        for (page_state*& page : current_) page = &nothing_;
    }
    paged_blocks(const paged_blocks&) = delete;
    paged_blocks& operator=(const paged_blocks&) = delete;
    ~paged_blocks() { give_all_back(); }

    [[nodiscard]] std::pmr::memory_resource* upstream() const noexcept { return upstream_; }
    [[nodiscard]] const address_table<page_state>& pages() const noexcept { return table_; }

    [[nodiscard]] page_state& current(std::size_t size_class) const noexcept { return *current_[size_class]; }

    /// Takes a block of the page, which is then `live`. Requires: the page has a free block.
    [[nodiscard]] static void* take(page_state& page, const block_shape& shape,
                                    [[maybe_unused]] std::size_t bytes) noexcept {
        const std::size_t number = page.head & page_state::number;
        page.head = page.links[number];
        page.links[number] = page_state::live;
        ++page.countdown;
        std::byte* const block = page.address() + number * shape.stride;
        detail::unpoison(block, bytes);
        return block;
    }

    /// Releases the block at `address` if it is a live block of the class and is found at once. Otherwise returns
    /// false, and the caller calls `release_searched`.
    [[nodiscard]] bool release(std::size_t size_class, const block_shape& shape, void* address) noexcept {
        const std::uintptr_t at = reinterpret_cast<std::uintptr_t>(address), mask = queues_[size_class].page_mask;
        page_state* const page = table_.find_at_once(at & mask, page_state::number_of(size_class));
        return page != nullptr && release_in(*page, size_class, shape, address, static_cast<std::uint32_t>(at & ~mask));
    }
    /// The same, but searches all pages of the class. grows() returns their sizes. False if no live block starts there.
    template <class Grows>
    [[nodiscard]] bool release_searched(std::size_t size_class, const block_shape& shape, void* address,
                                        const Grows& grows) noexcept {
        std::uintptr_t mask = queues_[size_class].page_mask;
        const auto at = reinterpret_cast<std::uintptr_t>(address);
        page_state* page = table_.find(page_state::tag_of(at & mask, size_class));
        if (page == nullptr) {
            const page_growth sizes = grows();
            mask = mask_of(has_small(size_class) ? sizes.bytes : sizes.first_bytes);
            page = table_.find(page_state::tag_of(at & mask, size_class));
        }
        return page != nullptr && release_in(*page, size_class, shape, address, static_cast<std::uint32_t>(at & ~mask));
    }

    /// Makes a page with a free block current. If there is none, opens a page of the size that grows() returns.
    /// Throws: what upstream throws. Nothing is then lost.
    template <class Grows>
    [[nodiscard]] page_state& refill(std::size_t size_class, const block_shape& shape, const Grows& grows) {
        page_state*& current = current_[size_class];
        page_state& full = *current;
        if (full.take_returned()) return full;
        if (full.carved < full.capacity) return carve(full);
        if (&full != &nothing_) {
            full.is_filled = true;
            full.countdown = 1;
            current = &nothing_;
        }
        page_queue& waiting = queues_[size_class];
        if (waiting.last == 0) return *(current = &open(size_class, shape, grows()));
        page_state& last = *table_.find(waiting.last);
        page_state& first = *table_.find(next_of(last));
        if (&first == &last) waiting.last = 0;
        next_of(last) = std::exchange(next_of(first), first.tag);
        static_cast<void>(first.has_head() || first.take_returned());
        return *(current = &first);
    }

    /// Why `address` cannot be released. `shapes` has one entry per class. Complexity: O(pages).
    [[nodiscard]] page_misuse misuse_of(const void* address, const block_shape* shapes) const noexcept {
        page_misuse found;
        table_.for_each([&](const page_state& page) {
            const std::size_t offset = page.offset_of(address), stride = shapes[page.size_class()].stride;
            if (offset >= page.capacity * stride) {
                if (found.stride != 0) return;
                found.page_blocks += page.capacity;
                found.page_out += page.out();
                return;
            }
            const std::size_t number = offset / stride;
            found = {violation_kind::misaligned_pointer, number, page.capacity, page.out(), stride};
            if (number * stride != offset) return;
            const std::uint16_t link = number < page.linked ? page.links[number] : page_state::fresh;
            if (link == page_state::live) found.kind = violation_kind::size_mismatch;
            else if (link >= page_state::fresh) found.kind = violation_kind::not_allocated;
            else found.kind = violation_kind::double_free;
        });
        return found;
    }

    /// Adds each page to the counts of its class. Complexity: O(pages).
    void count(pool_stats* all, const block_shape* shapes) const noexcept {
        for (std::size_t i = 0; i < Classes; ++i) all[i].refused = queues_[i].refused;
        table_.for_each([&](const page_state& page) {
            pool_stats& stats = all[page.size_class()];
            stats.total_blocks += page.capacity;
            stats.in_use += page.out();
            stats.peak_in_use += page.handed_out();
            stats.block_size = stats.stride = shapes[page.size_class()].stride;
            const std::size_t kept = page.size() - page.capacity * stats.stride + page.links_bytes() + sizeof page;
            stats.metadata_bytes += kept;
            stats.arena_bytes += page.capacity * stats.stride + kept;
        });
    }

    /// Gives all pages back, even if blocks are in use.
    void release_pages() noexcept {
        give_all_back();
        table_.clear();
        for (page_state*& page : current_) page = &nothing_;
        for (page_queue& waiting : queues_) waiting = page_queue();
    }

    /// Gives back the pages whose blocks are all free. Complexity: O(pages).
    void shrink() noexcept {
        table_.for_each([this](page_state& page) {
            if (page.out() != 0) return;
            page_state*& current = current_[page.size_class()];
            if (current == &page) current = &nothing_;
            give_back(page);
            table_.erase(page, has_moved());
        });
        for (page_queue& waiting : queues_) waiting = {.refused = waiting.refused};
        table_.for_each([this](page_state& page) {
            page_queue& waiting = queues_[page.size_class()];
            const std::uintptr_t mask = mask_of(page.size()), known = waiting.page_mask;
            if (known == page_queue::no_page || (has_small(page.size_class()) ? mask > known : mask < known))
                waiting.page_mask = mask;
            if (!page.is_filled && current_[page.size_class()] != &page) enqueue(page, waiting);
        });
    }

private:
    friend class growing_blocks<C>;
    friend class page_audit<C, Classes>;

    /// Blocks that are carved at once: as many as have their links in one cache line. Fewer if they are large, because
    /// all carved blocks are used in turn.
    [[nodiscard]] static constexpr std::size_t batch_for(std::size_t stride) noexcept {
        return stride >= 1024 ? 4 : smaller(4096 / stride, 32);
    }
    static constexpr std::size_t least_ordered = 64;  // blocks; a page of which more were carved starts anew

    [[nodiscard]] bool release_in(page_state& page, std::size_t size_class, const block_shape& shape,
                                  [[maybe_unused]] void* address, std::uint32_t offset) noexcept {
        const std::uint32_t number = shape.number_of(offset);
        if constexpr (is_checked)
            if (number >= page.linked || page.links[number] != page_state::live) [[unlikely]]
                return false;
        detail::poison(address, shape.stride);
        page.links[number] = page.returned;
        page.returned = static_cast<std::uint16_t>(number);
        if (--page.countdown == 0) [[unlikely]]
            has_counted_down(page, size_class);
        return true;
    }
    [[nodiscard]] static std::uintptr_t mask_of(std::size_t bytes) noexcept { return ~std::uintptr_t{bytes - 1}; }
    /// The tag of the next page in the queue. A page that does not wait has its own tag here.
    [[nodiscard]] static std::uintptr_t& next_of(const page_state& page) noexcept {
        return *reinterpret_cast<std::uintptr_t*>(reinterpret_cast<std::byte*>(page.links) - sizeof(std::uintptr_t));
    }
    [[nodiscard]] auto has_moved() noexcept {
        return [this](const page_state* from, page_state& to) {
            page_state*& current = current_[to.size_class()];
            if (current == from) current = &to;
        };
    }

    void enqueue(page_state& page, page_queue& waiting) noexcept {
        next_of(page) = page.tag;
        if (waiting.last != 0) std::swap(next_of(page), next_of(*table_.find(waiting.last)));
        waiting.last = page.tag;
    }

    /// Puts the next blocks of a page into its free list, in the order of addresses. Requires: no block of it is free.
    static page_state& carve(page_state& page) noexcept {
        const std::size_t from = page.carved, to = smaller(from + page.batch, page.capacity);
        const unsigned mark = from < page.linked ? 0U : page_state::fresh;
        if (from >= least_ordered) page.countdown = static_cast<std::uint16_t>(from);
        std::size_t i = from;
        for (; i + 8 <= to; i += 8)
            for (unsigned k = 0; k < 8; ++k) page.links[i + k] = static_cast<std::uint16_t>((i + k + 1) | mark);
        for (; i < to; ++i) page.links[i] = static_cast<std::uint16_t>((i + 1) | mark);
        for (i = page.linked; i < to && mark == 0; ++i) page.links[i] |= page_state::fresh;
        page.links[to - 1] = static_cast<std::uint16_t>(page_state::none | (page.links[to - 1] & page_state::fresh));
        page.head = static_cast<std::uint16_t>(from);
        page.carved = static_cast<std::uint16_t>(to);
        if (page.linked < to) page.linked = static_cast<std::uint16_t>(to);
        return page;
    }

    /// `countdown` is 0: a filled page has a free block now, or all blocks of the page are free.
    FIXPOOL_COLD void has_counted_down(page_state& page, std::size_t size_class) noexcept {
        if (page.is_filled) {
            page.is_filled = false;
            page.countdown = static_cast<std::uint16_t>((page.capacity - 1U) |
                                                        (page.capacity <= least_ordered ? page_state::distant : 0U));
            enqueue(page, queues_[size_class]);
        } else {
            page.countdown = page_state::distant;
            page.linked = static_cast<std::uint16_t>(page.handed_out());  // the rest counts as never carved
            page.carved = 0;
            page.returned = page_state::none;
            carve(page);
        }
    }

    FIXPOOL_COLD page_state& open(std::size_t size_class, const block_shape& shape, page_growth growth) {
        page_queue& pages = queues_[size_class];
        ++pages.refused;  // until there is a page
        table_.reserve(*upstream_, has_moved());
        page_state page;
        page.countdown = page_state::distant;
        page.batch = static_cast<std::uint16_t>(batch_for(shape.stride));
        const auto fetch = [&](std::size_t bytes) {
            const std::size_t fitting = bytes / shape.stride;
            page.capacity = static_cast<std::uint16_t>(fitting < growth.most_blocks ? fitting : growth.most_blocks);
            page.size_bits = static_cast<unsigned char>(std::countr_zero(bytes));
            fetch_page(*upstream_, page, size_class);
            return true;
        };
        const std::uint64_t of_class = std::uint64_t{1} << size_class;
        const bool is_first = pages.page_mask == page_queue::no_page;
        if (is_first) small_ &= ~of_class;
        if (is_first || growth.first_bytes == growth.bytes || has_small(size_class)) {
            fetch(growth.first_bytes);
        } else if (!has_memory([&] { return fetch(growth.bytes); })) {
            fetch(growth.first_bytes);
            small_ |= of_class;
        }
        detail::fence(page.address(), page.size());
        --pages.refused;
        pages.page_mask = mask_of(page.size());
        next_of(page) = page.tag;
        return carve(table_.insert(page));
    }
    /// Whether new pages of the class are small; older ones may be large. While there is a small page, `page_mask` is
    /// that of small pages, and a search with it never ends at a wrong page.
    [[nodiscard]] bool has_small(std::size_t size_class) const noexcept { return (small_ >> size_class & 1) != 0; }

    void give_all_back() noexcept {
        table_.for_each([this](page_state& page) { give_back(page); });
        table_.give_back(*upstream_);
    }
    void give_back(page_state& page) noexcept {
        detail::unfence(page.address(), page.size());
        upstream_->deallocate(page.address(), page.size(), page.size());
        upstream_->deallocate(&next_of(page), page.links_bytes(), alignof(std::uintptr_t));
    }

    std::pmr::memory_resource* upstream_;
    page_state nothing_;            // stands for no page: it has no free block
    page_state* current_[Classes];  // of each size class: the page that hands out blocks; never nullptr
    page_queue queues_[Classes];
    std::uint64_t small_ = 0;  // one bit per class: see has_small
    address_table<page_state> table_;
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
