// SPDX-License-Identifier: BSL-1.0
// pool_layout: size, number and alignment of a pool's blocks; and the checked arithmetic on them.
#pragma once

#include <fixpool/detail/platform.hpp>

#include <cstddef>
#include <cstdint>
#include <stdexcept>

namespace fixpool::inline FIXPOOL_ABI {

/// Size, number and alignment of a pool's blocks. The pool's constructor and `required_bytes` check the values. The
/// default alignment is the largest power of two that divides `block_size`, at most `alignof(std::max_align_t)`.
struct pool_layout {
    std::size_t block_size;     ///< usable bytes per block, at least 1
    std::size_t block_count;    ///< number of blocks, from 1 to 2^32 - 2
    std::size_t alignment = 0;  ///< in bytes, a power of two; 0: the default

    /// Layout with as many blocks of `block_size` bytes as fit into `bytes`: maybe 0, which no pool accepts. It leaves
    /// no space for a pool's metadata. To fill a buffer with a pool, use the pool's `blocks_in`.
    [[nodiscard]] static constexpr pool_layout from_total_size(std::size_t bytes, std::size_t block_size) noexcept {
        return {block_size, block_size == 0 ? 0 : bytes / block_size};
    }

    /// Layout of `block_count` blocks that each hold one T.
    template <class T> [[nodiscard]] static constexpr pool_layout of(std::size_t block_count) noexcept {
        return {sizeof(T), block_count, alignof(T)};
    }
};

namespace detail {

inline constexpr std::size_t max_bytes = PTRDIFF_MAX - 64;  // blocks and metadata; 64 bytes are left for the rest
inline constexpr std::size_t max_blocks = 0xffff'fffe;      // an index has 32 bits, and one value means "none"

/// Rounds `n` up to a multiple of `step`, a power of two. Requires: n + step - 1 does not wrap.
constexpr std::size_t round_up(std::size_t n, std::size_t step) noexcept { return (n + step - 1) & ~(step - 1); }

/// Number of bytes from `address` to the next multiple of `alignment`, a power of two.
[[nodiscard]] FIXPOOL_WRAPS inline std::size_t padding_of(const void* address, std::size_t alignment) noexcept {
    return (0 - reinterpret_cast<std::uintptr_t>(address)) & (alignment - 1);
}

/// The number whose product with `odd` is 1, modulo 2^bits. Newton's iteration doubles the number of correct bits in
/// each step (Hacker's Delight, 10-16). `odd` itself is correct in 3 bits, so after 5 steps 96 bits are correct.
[[nodiscard]] FIXPOOL_WRAPS constexpr std::uintptr_t inverse_of_odd(std::uintptr_t odd) noexcept {
    std::uintptr_t inverse = odd;
    for (int step = 0; step < 5; ++step) inverse *= 2 - odd * inverse;
    return inverse;
}

/// As std::rotr. libc++'s version is reported by -fsanitize=integer.
[[nodiscard]] FIXPOOL_WRAPS constexpr std::uintptr_t rotated(std::uintptr_t value, unsigned by) noexcept {
    constexpr unsigned last_bit = sizeof value * 8 - 1;
    return value >> (by & last_bit) | value << ((0 - by) & last_bit);
}

/// A valid layout with its stride.
// Invariant: stride % alignment == 0, block_size <= stride, block_count * (stride + metadata per block) <= max_bytes
struct geometry {
    std::size_t block_size;   // bytes
    std::size_t block_count;  // blocks
    std::size_t alignment;    // bytes, a power of two
    std::size_t stride;       // bytes

    [[nodiscard]] constexpr std::size_t blocks_bytes() const noexcept { return block_count * stride; }
};

/// Computes the stride of `layout` with at least `gap` bytes between two blocks. Does not check the number of blocks.
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

/// Largest possible number of blocks, with `metadata_size` bytes of metadata per block. Maybe 0. A gap also lies in
/// front of the first block, with padding for its alignment. Each takes at most the space of one block.
constexpr std::size_t most_blocks(std::size_t stride, std::size_t metadata_size, std::size_t gap = 0) noexcept {
    const std::size_t fitting = max_bytes / (stride + metadata_size);
    const std::size_t most = gap == 0 ? fitting : fitting < 2 ? 0 : fitting - 2;
    return most < max_blocks ? most : max_blocks;
}

/// Checks `layout` for a pool with `metadata_size` bytes of metadata per block and `gap` bytes between blocks.
/// Throws: std::invalid_argument, std::length_error.
constexpr geometry checked_geometry(pool_layout layout, std::size_t metadata_size, std::size_t gap = 0) {
    const geometry found = checked_stride(layout, gap);
    if (layout.block_count == 0) raise<std::invalid_argument>("fixpool: block_count is 0, a pool has at least 1 block");
    if (layout.block_count > max_blocks) raise<std::length_error>("fixpool: block_count is above 2^32 - 2");
    if (layout.block_count > most_blocks(found.stride, metadata_size, gap))
        raise<std::length_error>("fixpool: the blocks and their metadata come to more than PTRDIFF_MAX bytes");
    return found;
}

/// Places of a pool's blocks and metadata in its arena.
struct arena_places {
    std::byte* blocks;
    std::byte* metadata;
    bool are_apart = false;  // they are in two buffers
};

/// Memory that a pool needs from its arena: blocks and metadata, in one buffer or in two.
struct arena_plan {
    std::size_t blocks_bytes;
    std::size_t blocks_alignment;
    std::size_t metadata_offset;  // bytes from the start of the buffer, if there is one
    std::size_t metadata_bytes;
    std::size_t metadata_alignment;
    std::size_t blocks_offset = 0;  // bytes from the start of the buffer, if there is one

    /// Alignment of the one buffer. At least 8, so that all levels of checking need the same.
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
