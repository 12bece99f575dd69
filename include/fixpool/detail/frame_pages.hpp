// SPDX-License-Identifier: BSL-1.0
// frame_pages: finds the frames of a debug resource through its table of pages.
#pragma once

#include <fixpool/detail/address_table.hpp>
#include <fixpool/detail/debug_frame.hpp>
#include <fixpool/detail/page_state.hpp>
#include <fixpool/detail/size_classes.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// A block of a page, which holds or held a frame. Its memory is not read unless it was handed out.
struct paged_frame {
    std::byte* start = nullptr;              // nullptr: none
    std::size_t bytes = 0;                   // size of the block
    std::uint16_t link = page_state::fresh;  // the block's link, see page_state

    [[nodiscard]] debug_frame frame() const noexcept { return {start, bytes}; }
    [[nodiscard]] bool was_handed_out() const noexcept { return link < page_state::fresh || link >= page_state::live; }
    /// The damage in the frame. One that is being handed out still has its fill.
    [[nodiscard]] finding damage() const noexcept {
        if (!was_handed_out()) return {};
        const bool has_guards = link >= page_state::live && frame().record().is_filled == 0;
        return has_guards ? frame().damage_around() : frame().damage_in();
    }
};

[[nodiscard]] inline paged_frame frame_of(const page_state& page, std::size_t number) noexcept {
    const std::size_t stride = class_shapes[page.size_class()].stride;
    const std::uint16_t link = number < page.linked ? page.links[number] : std::uint16_t{page_state::fresh};
    return {page.address() + number * stride, stride, link};
}

/// The frame that contains `address`. The address is not read. Complexity: O(pages).
[[nodiscard]] inline paged_frame frame_around(const address_table<page_state>& pages, const void* address) noexcept {
    paged_frame found;
    pages.for_each([&found, address](const page_state& page) {
        const std::size_t number = page.offset_of(address) / class_shapes[page.size_class()].stride;
        if (number < page.capacity) found = frame_of(page, number);
    });
    return found;
}

/// The link of the frame of this class that starts at `start`, or nullptr. The address is not read. O(1) expected.
[[nodiscard]] inline std::uint16_t* link_at(const address_table<page_state>& pages, std::size_t size_class,
                                            const page_growth& grows, const void* start) noexcept {
    const auto at = reinterpret_cast<std::uintptr_t>(start);
    for (const std::size_t bytes : {grows.first_bytes, grows.bytes}) {  // a small page may lie where a large one could
        const std::uintptr_t offset = at & (bytes - 1);
        const page_state* const page = pages.find(page_state::tag_of(at - offset, size_class));
        if (page == nullptr) continue;
        const std::size_t number = class_shapes[size_class].number_of(static_cast<std::uint32_t>(offset));
        return number < page->linked ? page->links + number : nullptr;
    }
    return nullptr;
}

/// The first damaged frame of any page, and in `found` its damage. An empty frame if nothing is damaged.
[[nodiscard]] inline paged_frame first_damaged(const address_table<page_state>& pages, finding& found) noexcept {
    paged_frame damaged;
    pages.for_each([&](const page_state& page) {
        for (std::size_t i = 0; i < page.linked && !found; ++i) {
            damaged = frame_of(page, i);
            found = damaged.damage();
        }
    });
    return damaged;
}

}  // namespace fixpool::inline FIXPOOL_ABI::detail
