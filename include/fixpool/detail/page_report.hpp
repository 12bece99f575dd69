// SPDX-License-Identifier: BSL-1.0
// page_report: what is wrong in pages, or with an address in them, and how it is reported.
#pragma once

#include <fixpool/options.hpp>
#include <fixpool/violation.hpp>

#include <cstddef>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// Why an address cannot be released.
struct page_misuse {
    violation_kind kind = violation_kind::foreign_pointer;
    std::size_t index = violation::npos;  // of the block in its page
    std::size_t page_blocks = 0;          // blocks of that page; of all pages if the pointer is foreign
    std::size_t page_out = 0;             // blocks in use among these
    std::size_t stride = 0;               // bytes from block to block; 0: no page
};

/// What is wrong in pages, and where.
struct page_finding {
    violation_kind kind = violation_kind::corrupted_pool;
    const void* at = nullptr;  // the metadata of a page or block; nullptr: nothing is wrong
    const char* problem = "";
    std::size_t index = violation::npos;  // of the block in its page
    std::size_t page_blocks = 0;          // blocks of that page; of all pages if it is about none of them
    std::size_t page_out = 0;             // blocks in use among these
};

/// Reports a violation. `place` describes the block's page: a page_finding or a page_misuse.
template <class Place>
void report_page(const reporter& to, const void* pool, const void* address, const Place& place,
                 const char* problem = "") noexcept {
    violation v{place.kind,        pool,           to.name(),       address,         place.index,
                place.page_blocks, place.page_out, site::unknown(), site::unknown(), to.context()};
    v.problem = problem;
    if constexpr (requires { place.describe(v); }) place.describe(v);  // debug level
    to.report(v);
}

/// Reports what an audit found. True if it found nothing.
template <class Finding> bool is_sound(const Finding& found, const reporter& to, const void* pool) noexcept {
    if (found.at != nullptr) report_page(to, pool, found.at, found, found.problem);
    return found.at == nullptr;
}

}  // namespace fixpool::inline FIXPOOL_ABI::detail
