// SPDX-License-Identifier: BSL-1.0
// pool_layout: the size, number and alignment of a pool's blocks; and the checked arithmetic of their bytes.
#pragma once

#include <fixpool/detail/platform.hpp>

#include <cstddef>
#include <cstdint>
#include <stdexcept>

namespace fixpool::inline FIXPOOL_ABI {

/// What a pool is asked for. Nothing is checked here: the pool's constructor and `required_bytes` check it.
struct pool_layout {
    std::size_t block_size;     // bytes usable in each block, at least 1
    std::size_t block_count;    // blocks, 1 to 2^32 - 2
    std::size_t alignment = 0;  // bytes, a power of two; 0: the largest that divides block_size, up to max_align_t's

    /// As many whole blocks of `block_size` bytes as fit into `bytes`. No pool takes a layout of 0 blocks. A pool needs
    /// memory for its metadata, too: its `blocks_in` says how many of its blocks fit into a buffer.
    [[nodiscard]] static constexpr pool_layout from_total_size(std::size_t bytes, std::size_t block_size) noexcept {
        return {block_size, block_size == 0 ? 0 : bytes / block_size};
    }

    /// Blocks for objects of type T.
    template <class T> [[nodiscard]] static constexpr pool_layout of(std::size_t block_count) noexcept {
        return {sizeof(T), block_count, alignof(T)};
    }
};

namespace detail {

inline constexpr std::size_t max_bytes = PTRDIFF_MAX - 64;  // of the blocks and their metadata; 64 are for the rest
inline constexpr std::size_t max_blocks = 0xffff'fffe;      // an index is 32 bits, and one value of it means "none"

/// The smallest multiple of `step`, a power of two, that is not below `n`. Requires: n + step - 1 does not wrap.
constexpr std::size_t round_up(std::size_t n, std::size_t step) noexcept { return (n + step - 1) & ~(step - 1); }

/// The bytes that are missing from `address` to the next multiple of `alignment`, a power of two.
[[nodiscard]] FIXPOOL_WRAPS inline std::size_t padding_of(const void* address, std::size_t alignment) noexcept {
    return (0 - reinterpret_cast<std::uintptr_t>(address)) & (alignment - 1);
}

/// The number whose product with `odd` is 1, modulo 2^bits: Newton's iteration, which doubles the correct bits
/// (Hacker's Delight, 10-16). `odd` is its own inverse to 3 bits; 5 steps make 96.
[[nodiscard]] FIXPOOL_WRAPS constexpr std::uintptr_t inverse_of_odd(std::uintptr_t odd) noexcept {
    std::uintptr_t inverse = odd;
    for (int step = 0; step < 5; ++step) inverse *= 2 - odd * inverse;
    return inverse;
}

/// std::rotr, which libc++ writes so that -fsanitize=integer reports it.
[[nodiscard]] FIXPOOL_WRAPS constexpr std::uintptr_t rotated(std::uintptr_t value, unsigned by) noexcept {
    constexpr unsigned last_bit = sizeof value * 8 - 1;
    return value >> (by & last_bit) | value << ((0 - by) & last_bit);
}

/// A pool_layout that has been found good.
// Invariant: stride % alignment == 0, block_size <= stride, block_count * (stride + metadata per block) <= max_bytes
struct geometry {
    std::size_t block_size;   // bytes
    std::size_t block_count;  // blocks
    std::size_t alignment;    // bytes, a power of two
    std::size_t stride;       // bytes

    [[nodiscard]] constexpr std::size_t blocks_bytes() const noexcept { return block_count * stride; }
};

/// The stride of `layout`, whose number of blocks is not looked at. At least `gap` bytes lie between two blocks.
/// Throws: std::invalid_argument, std::length_error.
constexpr geometry checked_stride(pool_layout layout, std::size_t gap) {
    if (layout.block_size == 0) raise<std::invalid_argument>("fixpool: block_size is 0, a block has at least 1 byte");
    if (layout.alignment != 0 && (layout.alignment & (layout.alignment - 1)) != 0)
        raise<std::invalid_argument>("fixpool: alignment is not a power of two");
    if (layout.block_size > max_bytes)
        raise<std::length_error>("fixpool: block_size is too large: the pool would exceed PTRDIFF_MAX bytes");

    const std::size_t lowest_bit = layout.block_size & ~(layout.block_size - 1);
    const std::size_t natural = lowest_bit < alignof(std::max_align_t) ? lowest_bit : alignof(std::max_align_t);
    const std::size_t alignment = layout.alignment == 0 ? natural : layout.alignment;
    const std::size_t step = alignment < gap ? gap : alignment;
    return {layout.block_size, layout.block_count, alignment, round_up(layout.block_size + gap, step)};
}

/// The most blocks that a pool can have, at `metadata_size` bytes per block beside the blocks. Maybe 0. A gap lies in
/// front of the first block, too, and what aligns it: neither takes more than a block.
constexpr std::size_t most_blocks(std::size_t stride, std::size_t metadata_size, std::size_t gap = 0) noexcept {
    const std::size_t fitting = max_bytes / (stride + metadata_size);
    const std::size_t most = gap == 0 ? fitting : fitting < 2 ? 0 : fitting - 2;
    return most < max_blocks ? most : max_blocks;
}

/// Checks `layout` for a pool that keeps `metadata_size` bytes per block beside the blocks, and `gap` between them.
/// Throws: std::invalid_argument, std::length_error.
constexpr geometry checked_geometry(pool_layout layout, std::size_t metadata_size, std::size_t gap = 0) {
    const geometry found = checked_stride(layout, gap);
    if (layout.block_count == 0) raise<std::invalid_argument>("fixpool: block_count is 0, a pool has at least 1 block");
    if (layout.block_count > max_blocks) raise<std::length_error>("fixpool: block_count is above 2^32 - 2");
    if (layout.block_count > most_blocks(found.stride, metadata_size, gap))
        raise<std::length_error>("fixpool: the blocks and their metadata come to more than PTRDIFF_MAX bytes");
    return found;
}

/// Where an arena has a pool's blocks and metadata.
struct arena_places {
    std::byte* blocks;
    std::byte* metadata;
    bool are_apart = false;  // in two pieces of memory
};

/// What a pool asks of its arena: blocks and metadata, in one piece or apart.
struct arena_plan {
    std::size_t blocks_bytes;
    std::size_t blocks_alignment;
    std::size_t metadata_offset;  // bytes from the start, where both are in one piece
    std::size_t metadata_bytes;
    std::size_t metadata_alignment;
    std::size_t blocks_offset = 0;  // as of the metadata

    /// Of one piece, at least 8: a buffer that is aligned for one level is aligned for all.
    [[nodiscard]] constexpr std::size_t alignment() const noexcept {
        return blocks_alignment < 8 ? 8 : blocks_alignment;
    }
    [[nodiscard]] constexpr std::size_t total_bytes() const noexcept {
        const std::size_t end = metadata_offset + metadata_bytes, blocks_end = blocks_offset + blocks_bytes;
        return end < blocks_end ? blocks_end : end;
    }
};

}  // namespace detail
}  // namespace fixpool::inline FIXPOOL_ABI
