// SPDX-License-Identifier: BSL-1.0
// page_state: the metadata of a page, which holds blocks of one size class; and the shape of a size class's blocks.
#pragma once

#include <fixpool/layout.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// The metadata of a page: memory that is aligned to its size, a power of two. Block i starts at i * stride.
/// Each block has a link outside the page, where no overflow reaches it. The link of a free block is the next block in
/// its list. Any other link tells the block's state.
/// Blocks are taken from one list and come back to another, as in mimalloc. So neither operation waits for what the
/// other has just stored.
// Invariant: a block below `carved` is in the list from `head` or in the list from `returned`, or its link tells its
// state. The size is 32 bytes, also with 32-bit addresses: the alignment ensures it, and address_table needs it.
struct alignas(16) page_state {
    static constexpr std::uint16_t number = 0x1fff;      // the bits of a link that hold a block's number
    static constexpr std::uint16_t none = 0x2000;        // in place of a number: no block, the end of a list
    static constexpr std::uint16_t fresh = 0x4000;       // beside a number: the link's own block was never handed out
    static constexpr std::uint16_t live = 0x8000;        // in place of a number, here and below: the block is not free
    static constexpr std::uint16_t given_up = 0x8001;    // live, but no handle owns it
    static constexpr std::uint16_t unfinished = 0x8002;  // its object is being constructed or destroyed
    static constexpr std::uint16_t distant = 0x8000;     // in `countdown`: it does not reach 0
    static constexpr std::size_t most_blocks = number + std::size_t{1};
    static constexpr std::uintptr_t number_bits = 0xfff;  // the bits of a tag that hold the size class

    std::uintptr_t tag = 0;          // tag_of the page; 0: no page
    std::uint16_t* links = nullptr;  // of its blocks; in front of them lies the tag of the next page in the queue
    std::uint16_t head = none;       // the next block to be handed out; none: see `returned`
    std::uint16_t returned = none;   // the block released last; this list is handed out after that from `head`
    std::uint16_t countdown = 0;     // blocks in use, or 1 in a filled page; at 0, has_counted_down is called
    std::uint16_t carved = 0;        // blocks that were put into a list since the page was last empty
    std::uint16_t linked = 0;        // blocks whose links are valid; none behind them was ever handed out
    std::uint16_t capacity = 0;      // blocks
    std::uint16_t batch = 0;         // blocks that are carved at once
    bool is_filled = false;          // no block is free; the page is neither current nor in the queue
    unsigned char size_bits = 0;     // the page's size is 1 << size_bits

    [[nodiscard]] std::byte* address() const noexcept {
        return reinterpret_cast<std::byte*>(tag & ~number_bits);  // an address that upstream returned
    }
    /// Offset from the page's first byte. In front of the page it wraps, and is larger than any page.
    [[nodiscard]] FIXPOOL_WRAPS std::size_t offset_of(const void* at) const noexcept {
        return reinterpret_cast<std::uintptr_t>(at) - (tag & ~number_bits);
    }
    [[nodiscard]] static std::uintptr_t tag_of(std::uintptr_t address, std::size_t size_class) noexcept {
        return address + number_of(size_class);
    }
    /// A size class as a part of a tag. It is not 0: no page, wherever it lies, has the tag of an empty place.
    [[nodiscard]] static constexpr std::size_t number_of(std::size_t size_class) noexcept { return size_class + 1; }
    [[nodiscard]] FIXPOOL_WRAPS unsigned size_class() const noexcept {
        return static_cast<unsigned>(tag & number_bits) - 1;
    }
    [[nodiscard]] std::size_t size() const noexcept { return std::size_t{1} << size_bits; }  // bytes
    [[nodiscard]] bool has_head() const noexcept { return (head & none) == 0; }
    /// Whether the next block to be handed out never was. Requires: has_head().
    [[nodiscard]] bool has_fresh_head() const noexcept { return (links[head & number] & fresh) != 0; }
    /// Makes the list of released blocks the one to hand out. Requires: has_head() is false.
    [[nodiscard]] bool take_returned() noexcept {
        head = std::exchange(returned, std::uint16_t{none});  // a copy: no symbol that pins a plug-in
        return has_head();
    }
    /// Blocks that were ever handed out. The fresh ones are at the end: they are carved last and used last.
    [[nodiscard]] std::size_t handed_out() const noexcept {
        std::size_t count = linked;
        while (count != 0 && (links[count - 1] & (live | fresh)) == fresh) --count;
        return count;
    }
    [[nodiscard]] std::size_t links_bytes() const noexcept {  // with the tag in front of them
        return sizeof(std::uintptr_t) + capacity * sizeof(std::uint16_t);
    }
    /// Blocks that are not free.
    [[nodiscard]] std::size_t out() const noexcept { return is_filled ? capacity : countdown & (distant - 1); }
};

/// The shape of the blocks of a size class.
struct block_shape {
    std::uint32_t stride = 8;   // bytes, a multiple of 8; equal to odd << shift
    std::uint32_t inverse = 1;  // odd * inverse == 1 modulo 2^32
    unsigned shift = 3;
    std::uint32_t unused = 0;  // makes the size a power of two, which is faster to index

    constexpr block_shape() noexcept = default;
    explicit constexpr block_shape(std::size_t bytes) noexcept
        : stride(static_cast<std::uint32_t>(bytes)),
          inverse(static_cast<std::uint32_t>(inverse_of_odd(bytes >> std::countr_zero(bytes)))),
          shift(static_cast<unsigned>(std::countr_zero(bytes))) {}

    /// The number of the block that starts at `offset` bytes from the page's start. For any other offset, a number
    /// larger than that of any block. See free_list.
    [[nodiscard]] FIXPOOL_WRAPS std::uint32_t number_of(std::uint32_t offset) const noexcept {
        const std::uint32_t product = offset * inverse;
        return product >> shift | product << (-shift & 31);
    }
};

[[nodiscard]] constexpr std::size_t smaller(std::size_t a, std::size_t b) noexcept { return a < b ? a : b; }

/// The sizes of the pages of a size class.
struct page_growth {
    std::size_t first_bytes;  // of the first page: a power of two, at least 4096, below 2^31, enough for a block
    std::size_t bytes;        // of all other pages: the same, and not less
    std::size_t most_blocks;  // per page, at most page_state::most_blocks
};

/// Pages of 64 KiB, or of four blocks if those need more. The first page has 4 KiB or four blocks. Pages are smaller if
/// `most_blocks` need less.
[[nodiscard]] constexpr page_growth growth_of(std::size_t stride, std::size_t most_blocks) noexcept {
    const std::size_t four = std::bit_ceil(4 * stride), needed = std::bit_ceil(smaller(most_blocks, 65536) * stride);
    const std::size_t least = std::size_t{4} << 10, whole = four < least << 4 ? least << 4 : four;
    const std::size_t bytes = needed < least ? least : smaller(needed, whole);
    return {smaller(four < least ? least : four, bytes), bytes, most_blocks};
}

/// What is kept of all pages of a size class. Pages with free blocks wait here, except the current one. The page that
/// has waited longest is current next.
struct page_queue {
    static constexpr std::uintptr_t no_page =
        ~(~std::uintptr_t{0} >> 1);  // no page is so large, and no block starts there

    std::uintptr_t page_mask = no_page;  // the bits of an address that tell its page, if that has the size of new pages
    std::uintptr_t last = 0;             // the tag of the last page in the queue, which knows the first; 0: none waits
    std::size_t refused = 0;             // allocations that found no memory
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
