// SPDX-License-Identifier: BSL-1.0
// pool_layout: the size, number and alignment of a pool's blocks; and what it comes to in
// bytes, the arithmetic checked.
#pragma once

#include <fixpool/detail/platform.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

namespace fixpool::inline FIXPOOL_ABI {

/// What a pool is asked for. Nothing is checked here: the pool's constructor
/// and `required_bytes` do.
struct pool_layout {
    std::size_t block_size;     // bytes usable in each block, at least 1
    std::size_t block_count;    // blocks, 1 to 2^32 - 2
    std::size_t alignment = 0;  // bytes, a power of two; 0: the largest that divides block_size, up to max_align_t's

    /// As many whole blocks of `block_size` bytes as fit into `total_size` bytes: maybe 0,
    /// which no pool takes.
    [[nodiscard]] static constexpr pool_layout from_total_size(std::size_t total_size,
                                                               std::size_t block_size) noexcept {
        return {block_size, block_size == 0 ? 0 : total_size / block_size};
    }
};

namespace detail {

inline constexpr std::size_t max_bytes = PTRDIFF_MAX - 64;  // of the blocks and their metadata; 64 are for the rest
inline constexpr std::size_t max_blocks = 0xffff'fffe;      // an index is 32 bits, and one value of it means "none"

/// The smallest multiple of `step`, a power of two, that is not below `n`. Requires: n + step -
/// 1 does not wrap.
constexpr std::size_t round_up(std::size_t n, std::size_t step) noexcept { return (n + step - 1) & ~(step - 1); }

/// A pool_layout that has been found good.
// Invariant: stride % alignment == 0, block_size <= stride, block_count * (stride + metadata
// a block) <= max_bytes
struct geometry {
    std::size_t block_size;   // bytes
    std::size_t block_count;  // blocks
    std::size_t alignment;    // bytes, a power of two
    std::size_t stride;       // bytes

    [[nodiscard]] constexpr std::size_t blocks_bytes() const noexcept { return block_count * stride; }
};

/// Checks `layout` for a pool that keeps `metadata_size` bytes a block beside the blocks.
/// Throws: std::invalid_argument, std::length_error.
constexpr geometry checked_geometry(pool_layout layout, std::size_t metadata_size) {
    if (layout.block_size == 0) raise<std::invalid_argument>("fixpool: block_size is 0, a block has at least 1 byte");
    if (layout.block_count == 0) raise<std::invalid_argument>("fixpool: block_count is 0, a pool has at least 1 block");
    if (layout.alignment != 0 && !std::has_single_bit(layout.alignment))
        raise<std::invalid_argument>("fixpool: alignment is not a power of two");
    if (layout.block_count > max_blocks) raise<std::length_error>("fixpool: block_count is above 2^32 - 2");
    if (layout.block_size > max_bytes)
        raise<std::length_error>("fixpool: block_size is too large: the pool would exceed PTRDIFF_MAX bytes");

    const std::size_t lowest_bit = layout.block_size & (0 - layout.block_size);
    const std::size_t natural = lowest_bit < alignof(std::max_align_t) ? lowest_bit : alignof(std::max_align_t);
    const std::size_t alignment = layout.alignment == 0 ? natural : layout.alignment;
    const std::size_t stride = round_up(layout.block_size, alignment);
    if (layout.block_count > max_bytes / (stride + metadata_size))
        raise<std::length_error>("fixpool: the blocks and their metadata come to more than PTRDIFF_MAX bytes");
    return {layout.block_size, layout.block_count, alignment, stride};
}

}  // namespace detail
}  // namespace fixpool::inline FIXPOOL_ABI
