// SPDX-License-Identifier: BSL-1.0
// debug_page_report: what debug level adds to a report on a block in a page, and who holds a growing pool's blocks.
#pragma once

#include <fixpool/detail/address_table.hpp>
#include <fixpool/detail/attempt.hpp>
#include <fixpool/detail/debug_frame.hpp>
#include <fixpool/detail/page_report.hpp>

#include <cstddef>
#include <memory_resource>
#include <new>
#include <span>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// A page_misuse or a page_finding, with the frame that it is about.
template <class Place> struct debug_place : Place {
    std::byte* frame = nullptr;  // nullptr: no frame that was handed out
    std::size_t bytes = 0;       // of the frame
    finding of = {};             // the damage in the frame, if any
    std::span<const holder> holders = {};

    void describe(violation& v) const noexcept {
        if constexpr (!traps) v.print = &print_debug;
        if (frame != nullptr) debug_frame(frame, bytes).describe(v);
        v.offset = of.offset;
        v.byte = of.byte;
        v.holders = holders;
    }
};

/// The holders of a pool's blocks, in memory from its upstream resource. If upstream has no memory, no holder is known.
class page_holders {
public:
    page_holders(std::pmr::memory_resource& upstream, std::size_t blocks) noexcept
        : upstream_(upstream), bytes_(blocks * sizeof(holder)) {
        const auto fetch = [this] {
            memory_ = static_cast<holder*>(memory_from(upstream_, bytes_, alignof(holder)));
            return true;
        };
        static_cast<void>(attempt(fetch));
    }
    page_holders(const page_holders&) = delete;
    page_holders& operator=(const page_holders&) = delete;
    ~page_holders() {
        if (memory_ != nullptr) upstream_.deallocate(memory_, bytes_, alignof(holder));
    }

    /// Adds the holder of one block.
    /// Requires: at most as many calls as the constructor got blocks.
    void add(const site& where) noexcept {
        if (memory_ != nullptr) ::new (static_cast<void*>(memory_ + count_++)) holder{where, 1};
    }
    /// Groups the holders by place, the largest group first. Call it once.
    [[nodiscard]] std::span<const holder> grouped() noexcept { return detail::grouped({memory_, count_}); }

private:
    std::pmr::memory_resource& upstream_;
    std::size_t bytes_;
    holder* memory_ = nullptr;
    std::size_t count_ = 0;
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
