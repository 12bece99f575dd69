// SPDX-License-Identifier: BSL-1.0
// page_memory: gets a page and its links from an upstream resource.
#pragma once

#include <fixpool/detail/address_table.hpp>
#include <fixpool/detail/page_state.hpp>

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// Gets a page of the size in `page`, aligned to that size, and its links.
/// Throws: as memory_from. Nothing is then lost.
inline void fetch_page(std::pmr::memory_resource& upstream, page_state& page, std::size_t size_class) {
    struct lease {  // gives the links back if there is no page
        std::pmr::memory_resource& upstream;
        std::size_t size;
        void* memory = memory_from(upstream, size, alignof(std::uintptr_t));
        ~lease() {
            if (memory != nullptr) upstream.deallocate(memory, size, alignof(std::uintptr_t));
        }
    } links{upstream, page.links_bytes()};
    page.tag = page_state::tag_of(reinterpret_cast<std::uintptr_t>(memory_from(upstream, page.size(), page.size())),
                                  size_class);
    page.links = reinterpret_cast<std::uint16_t*>(static_cast<std::byte*>(std::exchange(links.memory, nullptr)) +
                                                  sizeof(std::uintptr_t));
}

}  // namespace fixpool::inline FIXPOOL_ABI::detail
