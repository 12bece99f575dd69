// SPDX-License-Identifier: BSL-1.0
// size_classes: which sizes share blocks, and how large those blocks are.
#pragma once

#include <fixpool/detail/page_state.hpp>

#include <array>
#include <bit>
#include <cstddef>

namespace fixpool::inline FIXPOOL_ABI::detail {

// The size classes of a resource: 8, 16, 24, 32 bytes, then multiples of 16 up to 128, then four sizes per doubling. If
// a size is a multiple of a power of two, so is its class's size: a multiple of an alignment gets blocks of it.
FIXPOOL_HIDDEN inline constexpr std::size_t class_count = 38;
FIXPOOL_HIDDEN inline constexpr std::size_t largest_class = 16384;  // bytes

/// The size of the blocks of a class, in bytes.
[[nodiscard]] constexpr std::size_t size_of_class(std::size_t number) noexcept {
    if (number < 4) return 8 * (number + 1);
    if (number < 10) return 16 * (number - 1);
    const std::size_t doubling = (number - 10) / 4, quarter = (number - 10) % 4 + 1;
    return (4 + quarter) * (std::size_t{32} << doubling);
}

/// The shape of the blocks of each class.
FIXPOOL_HIDDEN inline constexpr auto class_shapes = [] {
    std::array<block_shape, class_count> shapes{};
    for (std::size_t i = 0; i < class_count; ++i) shapes[i] = block_shape(size_of_class(i));
    return shapes;
}();

/// The largest size whose class comes from a table, in bytes.
FIXPOOL_HIDDEN inline constexpr std::size_t largest_small = 1024;

/// The class of each multiple of 8. The class of 0 is aligned to 16. The table has one entry per value of a byte: so
/// compilers see that no index is too large.
FIXPOOL_HIDDEN inline constexpr auto small_classes = [] {
    std::array<unsigned char, 256> numbers{1};
    for (std::size_t i = 1, number = 0; i < numbers.size(); ++i) {
        if (size_of_class(number) < 8 * i) ++number;
        numbers[i] = static_cast<unsigned char>(number);
    }
    return numbers;
}();

/// The class for blocks of `bytes`. Requires: bytes <= largest_small.
[[nodiscard]] constexpr std::size_t small_class_of(std::size_t bytes) noexcept {
    return small_classes[static_cast<unsigned char>((bytes + 7) / 8)];
}
/// The class for blocks of `bytes`. Requires: 0 < bytes <= largest_class.
[[nodiscard]] constexpr std::size_t class_of(std::size_t bytes) noexcept {
    if (bytes <= largest_small) return small_class_of(bytes);
    const auto width = static_cast<std::size_t>(std::bit_width(bytes - 1));  // 11 up to 2048
    return 4 * (width - 6) + ((bytes - 1) >> (width - 3)) - 2;
}

}  // namespace fixpool::inline FIXPOOL_ABI::detail
