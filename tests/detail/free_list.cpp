// SPDX-License-Identifier: BSL-1.0
#include <fixpool/detail/free_list.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <new>
#include <vector>

#include "../support/catch.hpp"

using fixpool::checking;
using fixpool::violation_kind;
using fixpool::detail::block_state;
using fixpool::detail::checked_geometry;
using fixpool::detail::free_list;
using fixpool::detail::geometry;
using sizes = std::initializer_list<std::size_t>;
static constexpr std::size_t npos = fixpool::violation::npos;

namespace {

template <checking C> struct list_on_heap {
    explicit list_on_heap(fixpool::pool_layout layout)
        : g(checked_geometry(layout, free_list<C>::metadata_size)),
          bytes(new (std::align_val_t{4096}) std::byte[free_list<C>::plan(g).total_bytes()]),
          list({bytes.get(), bytes.get() + free_list<C>::plan(g).metadata_offset}, g) {}

    struct aligned_delete {
        void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{4096}); }
    };
    geometry g;
    std::unique_ptr<std::byte[], aligned_delete> bytes;
    free_list<C> list;
};

/// Takes a block from a list that has one.
template <class List> typename List::entry taken_from(List& list) {
    typename List::entry taken{};
    REQUIRE(list.take(taken));
    return taken;
}

}  // namespace

TEST_CASE("unchecked blocks are known by their address, checked ones by their index", "[free_list]") {
    list_on_heap<checking::unchecked> unchecked({24, 3});
    list_on_heap<checking::checked> checked({24, 3});
    for (std::uint32_t i = 0; i < 3; ++i) {
        CHECK(taken_from(unchecked.list) == unchecked.bytes.get() + 24 * i);
        CHECK(taken_from(checked.list) == i);
        CHECK(checked.list.address(i) == checked.bytes.get() + 24 * i);
    }
    free_list<checking::unchecked>::entry address;
    CHECK_FALSE(unchecked.list.take(address));
    free_list<checking::checked>::entry index;
    CHECK_FALSE(checked.list.take(index));
}

TEST_CASE("a taken block is live only when it is marked", "[free_list]") {
    list_on_heap<checking::checked> on_heap({64, 2});
    auto& list = on_heap.list;
    const auto block = taken_from(list);
    CHECK(list.out() == 1);
    CHECK_FALSE(list.is_live(block));
    CHECK(list.claim(list.address(block)) == list.none);
    list.mark(block, block_state::live);
    CHECK(list.is_live(block));
    CHECK(list.claim(list.address(block)) == block);
    CHECK(list.out() == 1);  // until it is put back
    CHECK_FALSE(list.is_live(block));
    CHECK(list.claim(list.address(block)) == list.none);
    list.put(block);
    CHECK(list.out() == 0);
    CHECK(list.handed_out() == 1);
}

TEST_CASE("a block that is carved again after a reset is not live, whatever it was", "[free_list]") {
    list_on_heap<checking::checked> on_heap({64, 2});
    auto& list = on_heap.list;
    list.mark(taken_from(list), block_state::live);
    list.reset();
    CHECK(list.out() == 0);
    CHECK(list.misuse_of(on_heap.bytes.get()) == violation_kind::not_allocated);
    const auto again = taken_from(list);
    CHECK_FALSE(list.is_live(again));
    list.put(again);
}

// Every address, byte by byte, from two strides before the first block to two strides behind the last one.
TEST_CASE("exactly the blocks' first bytes are blocks, for any stride", "[free_list]") {
    for (const std::size_t stride : sizes{1, 2, 3, 5, 7, 8, 12, 16, 24, 40, 48, 64, 96, 100, 127, 1000, 1003}) {
        const std::size_t count = 9;
        const std::size_t handed_out = 6;
        list_on_heap<checking::checked> on_heap({stride, count, 1});
        auto& list = on_heap.list;
        for (std::size_t i = 0; i < handed_out; ++i) {
            const auto block = taken_from(list);
            if (i % 2 == 0) list.mark(block, block_state::live);
        }
        const auto base = reinterpret_cast<std::uintptr_t>(on_heap.bytes.get());
        std::size_t wrong = 0;
        for (std::uintptr_t address = base - 2 * stride; address < base + (count + 2) * stride; ++address) {
            const auto* const pointer = reinterpret_cast<const void*>(address);
            const std::uintptr_t offset = address - base;
            const bool is_inside = address >= base && offset < count * stride;
            const std::size_t index = offset / stride;
            const bool is_block = is_inside && offset % stride == 0;
            const bool is_live = is_block && index < handed_out && index % 2 == 0;
            if (list.is_live(list.index_of(pointer)) != is_live) ++wrong;
            if (list.index_of(pointer) != (is_block ? index : npos)) ++wrong;
            if (list.enclosing_index(pointer) != (is_inside ? index : npos)) ++wrong;
            if (list.contains(pointer) != is_inside) ++wrong;
            const violation_kind misuse = !is_inside           ? violation_kind::foreign_pointer
                                          : !is_block          ? violation_kind::misaligned_pointer
                                          : index < handed_out ? violation_kind::double_free
                                                               : violation_kind::not_allocated;
            if (!is_live && list.misuse_of(pointer) != misuse) ++wrong;
        }
        INFO("stride " << stride);
        CHECK(wrong == 0);
    }
}

namespace {

/// Addresses that a list with a stride known at compile time claims wrongly. Each byte is tried.
template <std::size_t Stride> std::size_t wrongly_claimed() {
    const std::size_t count = 9;
    list_on_heap<checking::checked> on_heap({Stride, count, 1});
    auto& list = on_heap.list;
    for (std::size_t i = 0; i < count; ++i) list.mark(taken_from(list), block_state::live);
    std::size_t wrong = 0;
    const auto base = reinterpret_cast<std::uintptr_t>(on_heap.bytes.get());
    // Downwards: addresses inside a block come before its start, while it is live.
    for (std::uintptr_t address = base + (count + 2) * Stride; address-- > base - 2 * Stride;) {
        const std::uintptr_t offset = address - base;
        const bool is_block = address >= base && offset < count * Stride && offset % Stride == 0;
        const auto claimed = list.template claim<Stride>(reinterpret_cast<void*>(address));
        if (claimed != (is_block ? offset / Stride : list.none)) ++wrong;
        if (is_block && list.template address<Stride>(claimed) != on_heap.bytes.get() + offset) ++wrong;
    }
    return wrong;
}

}  // namespace

TEST_CASE("exactly the blocks' first bytes are claimed where the stride is known to the compiler", "[free_list]") {
    CHECK(wrongly_claimed<1>() + wrongly_claimed<3>() + wrongly_claimed<8>() + wrongly_claimed<24>() == 0);
    CHECK(wrongly_claimed<40>() + wrongly_claimed<64>() + wrongly_claimed<96>() + wrongly_claimed<1000>() == 0);
}

TEST_CASE("the index of a large and odd stride is right", "[free_list]") {
    list_on_heap<checking::checked> on_heap({1000003, 4, 1});
    auto& list = on_heap.list;
    for (int i = 0; i < 4; ++i) list.mark(taken_from(list), block_state::live);
    std::size_t found = 0;
    for (std::size_t offset = 0; offset < 4 * 1000003; ++offset)
        if (list.is_live(list.index_of(on_heap.bytes.get() + offset))) found += offset % 1000003 == 0 ? 1 : 1000;
    CHECK(found == 4);
}

TEST_CASE("the guard keeps what follows the blocks at least 16 bytes away", "[free_list]") {
    for (const std::size_t size : sizes{1, 3, 8, 64}) {
        const geometry g = checked_geometry({size, 5}, free_list<checking::checked>::metadata_size);
        CHECK(free_list<checking::checked>::plan(g).total_bytes() >= g.blocks_bytes() + 16 + 6 * 4 + 5);
        const geometry h = checked_geometry({size, 5}, free_list<checking::unchecked>::metadata_size);
        CHECK(free_list<checking::unchecked>::plan(h).total_bytes() >= h.blocks_bytes() + 16 + 6 * sizeof(void*));
    }
}

TEMPLATE_TEST_CASE("the stack is aligned for its entries, whatever the blocks' size", "[free_list]",
                   free_list<checking::unchecked>, free_list<checking::checked>) {
    using entry = typename TestType::entry;
    for (const std::size_t size : sizes{1, 3, 7, 100}) {
        const geometry g = checked_geometry({size, 5}, TestType::metadata_size);
        CHECK(TestType::plan(g).metadata_offset % alignof(entry) == 0);
        CHECK(TestType::plan(g).metadata_bytes == sizeof(entry) + 5 * TestType::metadata_size);
    }
}

TEST_CASE("for_each_live visits live blocks only, in address order", "[free_list]") {
    list_on_heap<checking::checked> on_heap({32, 5});
    auto& list = on_heap.list;
    for (int i = 0; i < 4; ++i) list.mark(taken_from(list), block_state::live);
    list.put(list.claim(list.address(1)));
    std::vector<std::byte*> seen;
    list.for_each_live([&seen](std::byte* block) { seen.push_back(block); });
    std::byte* const base = on_heap.bytes.get();
    CHECK(seen == std::vector<std::byte*>{base, base + 64, base + 96});
}
