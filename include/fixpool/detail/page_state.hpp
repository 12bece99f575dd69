// SPDX-License-Identifier: BSL-1.0
// page_state: what is kept of a page, which holds blocks of one size class; and of a size class.
#pragma once

#include <fixpool/layout.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// A page is a piece of memory that is aligned to its size, a power of two. Block i starts at i * stride. A link of each
/// block is kept outside the page, where no overflow reaches it: the next block of its list, or why the block is in none.
/// Blocks are taken from one list and come back to another, as in mimalloc: so neither waits for what the other one has
/// just stored.
// Invariant: a block below `carved` is in the list from `head` or in that from `returned`, or its link says why not.
// It has 32 bytes, by its alignment also with 32-bit addresses: a table's entry has a power of two of bytes.
struct alignas(16) page_state {
    static constexpr std::uint16_t number = 0x1fff;      // the part of a link that is a block's number
    static constexpr std::uint16_t none = 0x2000;        // instead of a number: no block, the end of a list
    static constexpr std::uint16_t fresh = 0x4000;       // beside a number: the link's block was never handed out
    static constexpr std::uint16_t live = 0x8000;        // instead of a number, here and below: not free
    static constexpr std::uint16_t given_up = 0x8001;    // live, and no handle owns it
    static constexpr std::uint16_t unfinished = 0x8002;  // its object is being constructed or destroyed
    static constexpr std::uint16_t distant = 0x8000;     // in `countdown`: it does not reach 0
    static constexpr std::size_t most_blocks = number + std::size_t{1};
    static constexpr std::uintptr_t number_bits = 0xfff;  // of a tag: where its size class is

    std::uintptr_t tag = 0;          // tag_of the page; 0: no page
    std::uint16_t* links = nullptr;  // of its blocks; in front of them, where the next page in the queue is
    std::uint16_t head = none;       // the free block that is handed out next; none: see `returned`
    std::uint16_t returned = none;   // the block that was released last: handed out when those from `head` are out
    std::uint16_t countdown = 0;     // blocks that are in use, or 1 in a filled page: at 0 there is something to do
    std::uint16_t carved = 0;        // blocks that were free or in use since the page was empty
    std::uint16_t linked = 0;        // blocks whose links say what they are; none behind them was ever handed out
    std::uint16_t capacity = 0;      // blocks
    std::uint16_t batch = 0;         // blocks that are carved at a time
    bool is_filled = false;          // no block is free; the page is neither current nor in the queue
    unsigned char size_bits = 0;     // the page's size is 1 << size_bits

    [[nodiscard]] std::byte* address() const noexcept {
        return reinterpret_cast<std::byte*>(tag & ~number_bits);  // an address that upstream returned
    }
    /// Of an address, from the page's first byte; one before it wraps to more than any page has.
    [[nodiscard]] FIXPOOL_WRAPS std::size_t offset_of(const void* at) const noexcept {
        return reinterpret_cast<std::uintptr_t>(at) - (tag & ~number_bits);
    }
    [[nodiscard]] static std::uintptr_t tag_of(std::uintptr_t address, std::size_t size_class) noexcept {
        return address + number_of(size_class);
    }
    /// What a tag has of a size class. It is not 0: no page has the tag of an empty place, wherever it lies.
    [[nodiscard]] static constexpr std::size_t number_of(std::size_t size_class) noexcept { return size_class + 1; }
    [[nodiscard]] FIXPOOL_WRAPS unsigned size_class() const noexcept {
        return static_cast<unsigned>(tag & number_bits) - 1;
    }
    [[nodiscard]] std::size_t size() const noexcept { return std::size_t{1} << size_bits; }  // bytes
    [[nodiscard]] bool has_head() const noexcept { return (head & none) == 0; }
    /// Whether the block that is handed out next never was. Requires: has_head().
    [[nodiscard]] bool has_fresh_head() const noexcept { return (links[head & number] & fresh) != 0; }
    /// Makes the blocks that were released the ones that are handed out. Requires: has_head() is false.
    [[nodiscard]] bool take_returned() noexcept {
        head = std::exchange(returned, std::uint16_t{none});  // a copy: no symbol that pins a plug-in
        return has_head();
    }
    /// Blocks that were ever handed out: all but the fresh ones, which were carved last and are in use last.
    [[nodiscard]] std::size_t handed_out() const noexcept {
        std::size_t count = linked;
        while (count != 0 && (links[count - 1] & (live | fresh)) == fresh) --count;
        return count;
    }
    [[nodiscard]] std::size_t links_bytes() const noexcept {  // with what is in front of them
        return sizeof(std::uintptr_t) + capacity * sizeof(std::uint16_t);
    }
    /// Blocks that are not free.
    [[nodiscard]] std::size_t out() const noexcept { return is_filled ? capacity : countdown & (distant - 1); }
};

/// The blocks of a size class.
struct block_shape {
    std::uint32_t stride = 8;   // bytes, a multiple of 8: odd << shift
    std::uint32_t inverse = 1;  // odd * inverse == 1 modulo 2^32
    unsigned shift = 3;
    std::uint32_t unused = 0;  // a power of two is the faster size

    constexpr block_shape() noexcept = default;
    explicit constexpr block_shape(std::size_t bytes) noexcept
        : stride(static_cast<std::uint32_t>(bytes)),
          inverse(static_cast<std::uint32_t>(inverse_of_odd(bytes >> std::countr_zero(bytes)))),
          shift(static_cast<unsigned>(std::countr_zero(bytes))) {}

    /// The number of the block that starts `offset` bytes behind the page's start; for any other offset a number that
    /// is larger than that of any block. See free_list.
    [[nodiscard]] FIXPOOL_WRAPS std::uint32_t number_of(std::uint32_t offset) const noexcept {
        const std::uint32_t product = offset * inverse;
        return product >> shift | product << (-shift & 31);
    }
};

[[nodiscard]] constexpr std::size_t smaller(std::size_t a, std::size_t b) noexcept { return a < b ? a : b; }

/// How the pages of a size class grow.
struct page_growth {
    std::size_t first_bytes;  // of the first page: a power of two, at least 4096, below 2^31, room for a block
    std::size_t bytes;        // of each other page: the same, and not less
    std::size_t most_blocks;  // in a page, at most page_state::most_blocks
};

/// Pages of 64 KiB, or of four blocks if those are more, and a first one of 4 KiB or four blocks; of less where a page is
/// to have `most_blocks`, at most.
[[nodiscard]] constexpr page_growth growth_of(std::size_t stride, std::size_t most_blocks) noexcept {
    const std::size_t four = std::bit_ceil(4 * stride), needed = std::bit_ceil(smaller(most_blocks, 65536) * stride);
    const std::size_t least = std::size_t{4} << 10, whole = four < least << 4 ? least << 4 : four;
    const std::size_t bytes = needed < least ? least : smaller(needed, whole);
    return {smaller(four < least ? least : four, bytes), bytes, most_blocks};
}

/// What is kept of the pages of a size class. Those wait here that have free blocks and are not current; the one that has been
/// waiting for longest is current next.
struct page_queue {
    static constexpr std::uintptr_t no_page =
        ~(~std::uintptr_t{0} >> 1);  // no page is so large, and no block starts there

    std::uintptr_t page_mask = no_page;  // the bits of an address that are its page's, which has the size of new pages
    std::uintptr_t last = 0;             // the tag of the page that came last, which knows the first; 0: none waits
    std::size_t refused = 0;             // allocations that found no memory
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
