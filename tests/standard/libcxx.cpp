// SPDX-License-Identifier: BSL-1.0
// What libc++'s tests of std::pmr::unsynchronized_pool_resource check, in our own words and code.
#include "resources.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory_resource>
#include <string>
#include <vector>

#include "../support/heap.hpp"

namespace {

constexpr std::size_t largest_size = std::numeric_limits<std::size_t>::max();

/// Any call of it is a failure.
class asks_nothing : public std::pmr::memory_resource {
public:
    mutable bool was_asked = false;

private:
    void* do_allocate(std::size_t, std::size_t) override {
        was_asked = true;
        return nullptr;
    }
    void do_deallocate(void*, std::size_t, std::size_t) override { was_asked = true; }
    bool do_is_equal(const std::pmr::memory_resource&) const noexcept override {
        was_asked = true;
        return true;
    }
};

/// Whether all that `pattern(resource)` took from upstream has come back once, with its size and alignment.
template <class Resource, class Pattern> std::string wrong_after(Pattern pattern) {
    recording_upstream upstream;
    Resource resource({0, 256}, &upstream);
    pattern(resource);
    resource.release();
    std::vector<request> taken = upstream.taken(), returned = upstream.returned();
    std::sort(taken.begin(), taken.end());
    std::sort(returned.begin(), returned.end());
    if (taken.empty()) return "nothing was taken of the upstream";
    if (taken != returned) return "what came back is not what was taken";
    if (upstream.live() != 0) return "something is left";
    return upstream.fault();
}

}  // namespace

TEMPLATE_TEST_CASE("the construction of a pool resource allocates nothing", "[pool_resource][standard]",
                   checked_pool_resource, unchecked_pool_resource, debug_pool_resource, std_pool_resource) {
    if (is_libstdcxx<TestType>) return;  // allocates its array of pools there, as the standard permits
    recording_upstream upstream;
    upstream.forbid(true);
    const std::size_t before = heap::allocations();
    {
        const TestType first;
        const TestType second(std::pmr::pool_options{1024, 2048});
        const TestType third(std::pmr::pool_options{1024, 2048}, std::pmr::new_delete_resource());
        const TestType fourth(&upstream);
    }
    CHECK(heap::allocations() == before);
    CHECK(upstream.fault() == "none");
}

TEMPLATE_TEST_CASE("the upstream is what the default resource was at construction", "[pool_resource][standard]",
                   checked_pool_resource, unchecked_pool_resource, debug_pool_resource, std_pool_resource) {
    for (std::pmr::memory_resource* const expected :
         {std::pmr::null_memory_resource(), std::pmr::new_delete_resource()}) {
        if (is_libstdcxx<TestType> && expected == std::pmr::null_memory_resource()) continue;  // allocates there
        for (const std::pmr::pool_options options :
             {std::pmr::pool_options{0, 0}, std::pmr::pool_options{1024, 2048}}) {
            const default_resource scope(expected);
            TestType one, other(options);
            const default_resource later(std::pmr::null_memory_resource());
            CHECK(one.upstream_resource() == expected);
            CHECK(other.upstream_resource() == expected);
        }
    }
}

TEMPLATE_TEST_CASE("references to a pool resource compare as it does, and another resource is never asked",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    const TestType one, other;
    const std::pmr::memory_resource &to_one = one, &to_other = other;
    CHECK(to_one == to_one);
    CHECK(to_one == one);
    CHECK(one == to_one);
    CHECK(to_one != to_other);
    CHECK(to_one != other);
    CHECK(other != to_one);

    const asks_nothing stranger;
    const std::pmr::memory_resource& to_stranger = stranger;
    CHECK(to_one != to_stranger);
    CHECK_FALSE(to_one == to_stranger);
    CHECK_FALSE(one.is_equal(to_stranger));
    CHECK_FALSE(stranger.was_asked);
    static_assert(noexcept(one.is_equal(to_stranger)));
}

TEMPLATE_TEST_CASE("memory is taken when a block is asked for, and all of it is back after release and at the end",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    const heap::usage before = heap::in_use();
    {
        auto resource = TestType(std::pmr::new_delete_resource());
        std::pmr::memory_resource& reference = resource;
        void* const small = reference.allocate(50);
        const heap::usage with_small = heap::in_use();
        CHECK(with_small.blocks > before.blocks);
        reference.deallocate(small, 50);
        CHECK(heap::in_use() == with_small);
        resource.release();
        CHECK(heap::in_use() == before);

        static_cast<void>(reference.allocate(500));
        CHECK(heap::in_use().blocks > before.blocks);
    }
    CHECK(heap::in_use() == before);
}

TEMPLATE_TEST_CASE("a large over-aligned block, then a small block: both are aligned, and each takes memory",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    constexpr std::size_t big_alignment = 8 * alignof(std::max_align_t);
    auto resource = TestType(std::pmr::pool_options{1, 1024}, std::pmr::new_delete_resource());
    std::pmr::memory_resource& reference = resource;
    const std::size_t before = heap::allocations();
    const void* const large = reference.allocate(2048, big_alignment);
    CHECK(is_aligned(large, big_alignment));
    const std::size_t with_large = heap::allocations();
    CHECK(with_large > before);
    const void* const small = reference.allocate(16, 4);
    CHECK(is_aligned(small, 4));
    CHECK(heap::allocations() > with_large);
}

TEMPLATE_TEST_CASE("a released block is used again without asking for memory, or giving any back",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    auto resource = TestType(std::pmr::pool_options{1, 256}, std::pmr::new_delete_resource());
    std::pmr::memory_resource& reference = resource;
    void* const first = reference.allocate(8);
    CHECK(is_aligned(first, 8));
    const std::size_t allocations = heap::allocations();
    const heap::usage in_use = heap::in_use();
    reference.deallocate(first, 8);
    CHECK(heap::in_use() == in_use);
    const void* const second = reference.allocate(8);
    CHECK(is_aligned(second, 8));
    CHECK(heap::allocations() == allocations);
    CHECK(heap::in_use() == in_use);
}

TEMPLATE_TEST_CASE("the upstream gets each allocation back once, with its size and alignment",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    std::vector<request> requests;
    for (const std::size_t size : each_of{2, 128, 1024}) {
        for (const std::size_t alignment : each_of{1, 8, 64}) requests.push_back({size, alignment});
    }
    for (const request& one : requests) {
        INFO(one.size << " bytes aligned to " << one.alignment);
        CHECK(wrong_after<TestType>([&](TestType& resource) {
                  resource.deallocate(resource.allocate(one.size, one.alignment), one.size, one.alignment);
              }) == "none");
    }
    CHECK(wrong_after<TestType>([&](TestType& resource) {
              std::vector<void*> blocks;
              for (const request& one : requests) blocks.push_back(resource.allocate(one.size, one.alignment));
              for (std::size_t i = 0; i < blocks.size(); ++i) {
                  resource.deallocate(blocks[i], requests[i].size, requests[i].alignment);
              }
          }) == "none");
}

TEMPLATE_TEST_CASE("options are clamped to limits: nothing else is made of them than rounding up",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    const auto made_of = [](std::size_t blocks, std::size_t largest) {
        return TestType(std::pmr::pool_options{blocks, largest}).options();
    };
    const std::pmr::pool_options defaults = made_of(0, 0), limits = made_of(largest_size / 2, largest_size / 2);
    std::vector<std::size_t> numbers{0};
    for (std::size_t number = 1; number != 0; number *= 2) numbers.push_back(number);
    if (!is_libstdcxx<TestType>) numbers.push_back(largest_size);  // which it rounds up, to 0, and that to 64
    std::string wrong;  // the first thing that is: how many there are depends on the size of a number
    std::size_t last_blocks = 0;
    for (const std::size_t blocks : numbers) {
        std::size_t last_largest = 0;
        for (const std::size_t largest : numbers) {
            const auto expect = [&](bool holds, const char* what) {
                if (holds || !wrong.empty()) return;
                wrong = std::string(what) + " of " + std::to_string(blocks) +
                        " blocks per chunk and a largest block of " + std::to_string(largest) + " bytes";
            };
            const std::pmr::pool_options made = made_of(blocks, largest);
            expect(are_same(made_of(made.max_blocks_per_chunk, made.largest_required_pool_block), made),
                   "a second time");
            // Neither tells anything about the other.
            expect(made.max_blocks_per_chunk == made_of(blocks, 0).max_blocks_per_chunk, "blocks alone");
            expect(made.largest_required_pool_block == made_of(0, largest).largest_required_pool_block,
                   "largest alone");
            expect(made.max_blocks_per_chunk <= limits.max_blocks_per_chunk, "limit of blocks");
            expect(made.largest_required_pool_block <= limits.largest_required_pool_block, "limit of the largest");
            if (blocks == 0) expect(made.max_blocks_per_chunk == defaults.max_blocks_per_chunk, "default of blocks");
            if (largest == 0)
                expect(made.largest_required_pool_block == defaults.largest_required_pool_block,
                       "default of the largest");
            // Requests are served by pools, unless they are beyond the limit.
            if (largest <= limits.largest_required_pool_block)
                expect(made.largest_required_pool_block >= largest, "at least the largest");
            if (largest != 0) expect(made.largest_required_pool_block >= last_largest, "order of the largest");
            last_largest = largest == 0 ? 0 : made.largest_required_pool_block;
        }
        const std::size_t made_blocks = made_of(blocks, 0).max_blocks_per_chunk;
        if (wrong.empty() && (made_blocks == 0 || (blocks != 0 && made_blocks < last_blocks)))
            wrong = "order of blocks at " + std::to_string(blocks);
        last_blocks = blocks == 0 ? 0 : made_blocks;
    }
    CHECK(wrong == "");
}
