// SPDX-License-Identifier: BSL-1.0
// page_audit: verifies the metadata of pages, for `audit`.
#pragma once

#include <fixpool/detail/paged_blocks.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// Verifies the metadata of pages. Complexity: linear in the pages and blocks, even if the metadata were overwritten.
/// It trusts the pool object itself, and the pointer to the links in a page whose tag is good.
template <checking C, std::size_t Classes> class page_audit {
public:
    explicit page_audit(const paged_blocks<C, Classes>& audited, const block_shape* shapes) noexcept
        : blocks_(audited), shapes_(shapes) {}

    /// The first thing that is wrong.
    [[nodiscard]] page_finding find() noexcept {
        page_finding found = find_in_table();
        if (found.at != nullptr) return found;
        each_page([&](const page_state& page) {
            if (found.at == nullptr) found = find_in(page);
        });
        for (std::size_t i = 0; i < Classes && found.at == nullptr; ++i) found = find_in_queue(i);
        return found;
    }

    // Counts of all pages, valid if `find` has found nothing.
    [[nodiscard]] std::size_t total() const noexcept { return total_; }  // blocks
    [[nodiscard]] std::size_t out() const noexcept { return out_; }      // blocks in use

private:
    template <class Fn> void each_page(const Fn& fn) const noexcept { blocks_.pages().for_each(fn); }

    [[nodiscard]] bool waits(const page_state& page) const noexcept {
        return !page.is_filled && blocks_.current_[page.size_class()] != &page;
    }

    /// Checks first that searches end: there must be as many tags as the table counts.
    [[nodiscard]] page_finding find_in_table() const noexcept {
        const address_table<page_state>& table = blocks_.pages();
        page_finding found;
        std::size_t count = 0;
        each_page([&count](const page_state&) { ++count; });
        if (count != table.size()) return {.at = &table, .problem = "its table of pages was overwritten"};
        each_page([&](const page_state& page) {
            const bool is_sound = table.find(page.tag) == &page && page.size_class() < Classes && page.size_bits < 31 &&
                                  padding_of(page.address(), page.size()) == 0 &&
                                  (waits(page) || blocks_.next_of(page) == page.tag);
            if (!is_sound) found = {.at = &page, .problem = "what it keeps of a page was overwritten"};
        });
        return found;
    }

    [[nodiscard]] static page_finding at_block(const page_state& page, std::size_t i, const char* problem) noexcept {
        return {
            .at = page.links + i, .problem = problem, .index = i, .page_blocks = page.capacity, .page_out = page.out()};
    }
    [[nodiscard]] static page_finding at_page(const page_state& page, const char* problem) noexcept {
        return {.at = &page, .problem = problem, .page_blocks = page.capacity, .page_out = page.out()};
    }

    [[nodiscard]] page_finding find_in(const page_state& page) noexcept {
        const std::size_t stride = shapes_[page.size_class()].stride, most = page.size() / stride;
        if (page.capacity == 0 || page.capacity > smaller(most, page_state::most_blocks) ||
            page.linked > page.capacity || page.carved > page.linked || page.batch != blocks_.batch_for(stride))
            return at_page(page, "a page's counters do not agree");

        // Two lists that share a block end with the same block, because a block has one link.
        std::size_t free = 0, out = 0, last = page.carved;
        for (std::size_t next : {page.head & ~unsigned{page_state::fresh}, unsigned{page.returned}}) {
            const std::size_t last_of_other = std::exchange(last, std::size_t{page.carved});
            for (std::size_t before = free; (next & page_state::none) == 0; ++free) {
                if (next >= page.carved) return at_page(page, "a page's free list has a block that it cannot have");
                if (free - before == page.carved) return at_page(page, "a page's free list has a block twice");
                const std::uint16_t link = page.links[last = next];
                if ((link & page_state::live) != 0)
                    return at_block(page, next, "the block is in its free list and in use");
                next = link & ~unsigned{page_state::fresh};
            }
            if (next != page_state::none) return at_page(page, "the end of a page's free list was overwritten");
            if (last != page.carved && last == last_of_other)
                return at_page(page, "a page's free list has a block twice");
        }
        for (std::size_t i = 0; i < page.linked; ++i) {
            if ((page.links[i] & page_state::live) == 0) continue;
            if (page.links[i] > page_state::unfinished || i >= page.carved)
                return at_block(page, i, "what is kept of the block was overwritten");
            ++out;
        }
        if (free + out != page.carved) return at_page(page, "a page's free list has not all of its free blocks");
        // `countdown` is distant up to 64 carved blocks. Then it may stay distant until the next batch is carved.
        constexpr std::size_t ordered = paged_blocks<C, Classes>::least_ordered;
        const bool may_count = page.countdown == out && page.carved > ordered;
        const bool may_be_distant = page.countdown == (out | page_state::distant) && page.carved < ordered + page.batch;
        if (page.is_filled ? out != page.capacity || page.countdown != 1 : !may_count && !may_be_distant)
            return at_page(page, "a page's blocks do not agree with the number in use");
        total_ += page.capacity;
        out_ += out;
        return {};
    }

    /// All pages with free blocks must wait in the queue, except the current one.
    [[nodiscard]] page_finding find_in_queue(std::size_t size_class) const noexcept {
        const page_queue& pages = blocks_.queues_[size_class];
        const page_state* const current = blocks_.current_[size_class];
        const page_finding wrong{.at = &pages, .problem = "its queue of pages was overwritten"};
        std::size_t waiting = 0;
        bool has_current = current == &blocks_.nothing_;
        each_page([&](const page_state& page) {
            if (page.size_class() != size_class) return;
            if (&page == current) has_current = true;
            else waiting += waits(page);
        });
        if (!has_current) return wrong;
        std::uintptr_t tag = pages.last;
        for (; waiting != 0; --waiting) {
            page_state* const page = tag == 0 ? nullptr : blocks_.pages().find(tag);
            if (page == nullptr || page->size_class() != size_class || page == current || page->is_filled) return wrong;
            tag = blocks_.next_of(*page);
            if (tag == pages.last && waiting != 1) return wrong;  // some pages that wait are not in the queue
        }
        return tag == pages.last ? page_finding() : wrong;
    }

    const paged_blocks<C, Classes>& blocks_;
    const block_shape* shapes_;  // one per class
    std::size_t total_ = 0;
    std::size_t out_ = 0;
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
