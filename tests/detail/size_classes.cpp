// SPDX-License-Identifier: BSL-1.0
#include <fixpool/detail/size_classes.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>

#include "../support/catch.hpp"

using fixpool::detail::block_shape;
using fixpool::detail::class_count;
using fixpool::detail::class_of;
using fixpool::detail::class_shapes;
using fixpool::detail::growth_of;
using fixpool::detail::largest_class;
using fixpool::detail::page_growth;
using fixpool::detail::page_state;
using fixpool::detail::size_of_class;

static_assert(class_count < page_state::number_bits);
static_assert(size_of_class(0) == 8 && size_of_class(3) == 32 && size_of_class(9) == 128 && size_of_class(10) == 160);
static_assert(size_of_class(class_count - 1) == largest_class);
static_assert(class_of(1) == 0 && class_of(largest_class) == class_count - 1);

TEST_CASE("size classes are 8 to 32, multiples of 16 to 128, then four a doubling", "[size_classes]") {
    for (std::size_t number = 1; number < class_count; ++number) {
        const std::size_t size = size_of_class(number), last = size_of_class(number - 1);
        const std::size_t step = last < 32 ? 8 : last < 128 ? 16 : std::bit_floor(last) / 4;
        INFO("class " << number);
        CHECK(size == last + step);
    }
}

TEST_CASE("each size is of the smallest class that holds it", "[size_classes]") {
    bool is_right = true;
    for (std::size_t size = 1; size <= largest_class; ++size) {
        const std::size_t number = class_of(size);
        is_right &= number < class_count && size_of_class(number) >= size;
        is_right &= number == 0 || size_of_class(number - 1) < size;
    }
    CHECK(is_right);
}

TEST_CASE("a class's size is a multiple of each power of two that a size of it is a multiple of", "[size_classes]") {
    bool is_right = true;
    for (std::size_t size = 1; size <= largest_class; ++size)
        for (std::size_t alignment = 1; alignment <= size; alignment *= 2)
            is_right &= size % alignment != 0 || size_of_class(class_of(size)) % alignment == 0;
    CHECK(is_right);
    CHECK(size_of_class(fixpool::detail::small_classes[0]) == 16);  // for 0 bytes at any alignment up to 16
}

TEST_CASE("the number of a block is its offset divided by the stride, and a large one where no block starts",
          "[size_classes]") {
    for (const block_shape& shape : class_shapes) {
        INFO(shape.stride << " bytes");
        const std::uint32_t most = 65536 / shape.stride < 4 ? 4 * shape.stride : 65536;
        bool is_right = true;
        for (std::uint32_t offset = 0; offset < most; ++offset) {
            const std::uint32_t number = shape.number_of(offset);
            if (offset % shape.stride == 0) is_right &= number == offset / shape.stride;
            else is_right &= number > page_state::number && number >= most / shape.stride;
        }
        CHECK(is_right);
        CHECK(shape.stride == size_of_class(class_of(shape.stride)));
    }
}

TEST_CASE("pages are 64 KiB, the first one 4 KiB or four blocks, and smaller only where fewer blocks are wanted",
          "[size_classes]") {
    for (std::size_t number = 0; number < class_count; ++number) {
        const std::size_t size = size_of_class(number);
        const page_growth usual = growth_of(size, page_state::most_blocks);
        INFO(size << " bytes");
        CHECK(usual.bytes == 65536);
        CHECK(usual.first_bytes == (4 * size <= 4096 ? 4096 : std::bit_ceil(4 * size)));
        for (const std::size_t most : {1U, 2U, 3U, 5U, 64U, 100U, 8192U}) {
            const page_growth pages = growth_of(size, most);
            CHECK((std::has_single_bit(pages.bytes) && std::has_single_bit(pages.first_bytes)));
            CHECK((pages.first_bytes >= 4096 && pages.first_bytes >= size && pages.first_bytes <= pages.bytes));
            CHECK((pages.bytes >= most * size || pages.bytes == 65536));
            CHECK((pages.bytes == 4096 || pages.bytes / 2 < most * size));
            CHECK(pages.most_blocks == most);
        }
    }
    CHECK(growth_of(100000, 100).bytes == 524288);  // four blocks
}
