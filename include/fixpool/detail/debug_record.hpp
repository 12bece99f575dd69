// SPDX-License-Identifier: BSL-1.0
// debug_record: what debug level records of a block, and who holds the blocks, grouped by place.
#pragma once

#include <fixpool/checking.hpp>
#include <fixpool/violation.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// What debug level records of a carved block.
struct debug_record {
    site allocated_at = site::unknown();
    site released_at = site::unknown();
    std::uint64_t allocation = 0;                // number of the operation
    std::uint64_t release = 0;                   // the same; 0: not released since then
    unsigned allocated_by = 0, released_by = 0;  // numbers of threads
    std::uint32_t next = 0;                      // the next block in the queue, if this one is free
    block_state state = block_state::out_of_use;
    unsigned char is_free = 0;    // 1: free. Not a bool, which must not be read if it was overwritten
    unsigned char is_filled = 0;  // 1: filled since its release

    void begin(const site& where, std::uint64_t operation, unsigned thread) noexcept {
        is_filled = 0;
        allocated_at = where;
        released_at = site::unknown();
        allocation = operation;
        release = 0;
        allocated_by = thread;
        released_by = 0;
    }
    void end(const site& where, std::uint64_t operation, unsigned thread) noexcept {
        released_at = where;
        release = operation;
        released_by = thread;
    }
    void describe(violation& v) const noexcept {
        v.allocated_at = allocated_at;
        v.released_at = released_at;
        v.allocation = allocation;
        v.release = release;
        v.allocated_by = allocated_by;
        v.released_by = released_by;
    }
};

/// Compares two places: below 0, 0 or above 0. Compares the names of files, not their addresses: two translation units
/// may have the same name at two addresses.
[[nodiscard]] inline int order_of_places(const site& a, const site& b) noexcept {
    if (a.file != b.file) {
        if (a.file == nullptr || b.file == nullptr) return a.file == nullptr ? 1 : -1;
        if (const int files = std::strcmp(a.file, b.file); files != 0) return files;
    }
    if (a.line != b.line) return a.line < b.line ? -1 : 1;
    if (a.address == b.address) return 0;
    return std::less<>()(a.address, b.address) ? -1 : 1;
}

/// Merges the holders of the same place into groups, and puts the largest group first.
/// Complexity: O(n log n).
[[nodiscard]] inline std::span<const holder> grouped(std::span<holder> holders) noexcept {
    const auto is_before = [](const holder& a, const holder& b) { return order_of_places(a.where, b.where) < 0; };
    std::sort(holders.begin(), holders.end(), is_before);
    std::size_t count = 0;
    for (const holder& each : holders) {
        if (count != 0 && order_of_places(holders[count - 1].where, each.where) == 0)
            holders[count - 1].blocks += each.blocks;
        else holders[count++] = each;
    }
    const std::span<holder> groups = holders.first(count);
    std::sort(groups.begin(), groups.end(), [&](const holder& a, const holder& b) {
        return a.blocks != b.blocks ? a.blocks > b.blocks : is_before(a, b);
    });
    return groups;
}

}  // namespace fixpool::inline FIXPOOL_ABI::detail
