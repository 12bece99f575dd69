// SPDX-License-Identifier: BSL-1.0
// page_limits: the sizes of the blocks and pages of a pool that grows, from the requested ones.
#pragma once

#include <fixpool/detail/page_state.hpp>
#include <fixpool/layout.hpp>

#include <bit>
#include <cstddef>
#include <stdexcept>

namespace fixpool::inline FIXPOOL_ABI::detail {

inline constexpr std::size_t largest_page = std::size_t{1} << 30;  // bytes: offsets in a page have 31 bits

/// As checked_stride, but for blocks in a page: the stride is a multiple of 8.
constexpr geometry checked_page_stride(std::size_t block_size, std::size_t alignment) {
    geometry found = checked_stride({block_size, 0, alignment}, 0);
    found.stride = round_up(found.stride, 8);
    if (found.stride > largest_page / 4) raise<std::length_error>("fixpool: block_size is too large for a page");
    return found;
}

/// The stride of blocks for a T in a page, in bytes.
template <class T> inline constexpr std::size_t page_stride_of = checked_page_stride(sizeof(T), alignof(T)).stride;

/// The size of pages: `page_bytes`, or four blocks if those need more. Less if all possible blocks need less.
/// Throws: std::invalid_argument, std::length_error.
constexpr page_growth checked_growth(std::size_t stride, std::size_t page_bytes, std::size_t limit) {
    if (!std::has_single_bit(page_bytes)) raise<std::invalid_argument>("fixpool: page_bytes is not a power of two");
    if (page_bytes < 4096) raise<std::invalid_argument>("fixpool: page_bytes is below 4096");
    if (page_bytes > largest_page) raise<std::length_error>("fixpool: page_bytes is above 2^30");
    if (limit == 0) raise<std::invalid_argument>("fixpool: max_blocks is 0, a pool has at least 1 block");
    const std::size_t most = smaller(limit, page_state::most_blocks), four = std::bit_ceil(4 * stride);
    const std::size_t needed = most > largest_page / stride ? largest_page : std::bit_ceil(most * stride);
    const std::size_t bytes = smaller(page_bytes < four ? four : page_bytes, needed < 4096 ? 4096 : needed);
    return {bytes, bytes, most};
}

}  // namespace fixpool::inline FIXPOOL_ABI::detail
