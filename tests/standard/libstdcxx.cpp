// SPDX-License-Identifier: BSL-1.0
// What libstdc++'s tests of std::pmr::unsynchronized_pool_resource check, in our own words and code.
#include "resources.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory_resource>
#include <mutex>
#include <new>
#include <thread>
#include <type_traits>
#include <vector>

#include "../support/violations.hpp"

namespace {

constexpr std::size_t largest_size = std::numeric_limits<std::size_t>::max();

/// Refuses requests aligned to 1024 bytes or more, by an exception of type E, and serves all others.
template <class E> class refuses_aligned : public recording_upstream {
public:
    request last{};  // the refused request

private:
    void* do_allocate(std::size_t size, std::size_t alignment) override {
        if (alignment < 1024) return recording_upstream::do_allocate(size, alignment);
        last = {size, alignment};
        throw E();
    }
};

template <class Resource> struct derived : Resource { using Resource::Resource; };

/// What programs add to the standard's class: a lock, or a count, around its functions.
template <class Resource> class locked : public Resource {
public:
    using Resource::Resource;
    int calls = 0;

protected:
    void* do_allocate(std::size_t size, std::size_t alignment) override {
        const std::lock_guard lock(mutex_);
        ++calls;
        return Resource::do_allocate(size, alignment);
    }
    void do_deallocate(void* block, std::size_t size, std::size_t alignment) override {
        const std::lock_guard lock(mutex_);
        ++calls;
        Resource::do_deallocate(block, size, alignment);
    }

private:
    std::mutex mutex_;
};

template <class Resource> void construct_in_each_way() {
    recording_upstream upstream, other;
    const default_resource scope(&other);
    const std::pmr::pool_options options{1, 2};
    const Resource of_both = {options, &upstream};
    CHECK(of_both.upstream_resource() == &upstream);
    const Resource of_nothing;
    CHECK(of_nothing.upstream_resource() == &other);
    const Resource of_upstream{&upstream};
    CHECK(of_upstream.upstream_resource() == &upstream);
    const Resource of_options{options};
    CHECK(of_options.upstream_resource() == &other);
    CHECK(are_same(of_options.options(), of_both.options()));
    static_assert(!std::is_copy_constructible_v<Resource> && !std::is_copy_assignable_v<Resource>);
    static_assert(!std::is_move_constructible_v<Resource> && !std::is_move_assignable_v<Resource>);
    static_assert(std::is_destructible_v<Resource>);
}

}  // namespace

TEMPLATE_TEST_CASE("a pool resource is made of options and an upstream, of one of them, or of nothing",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    construct_in_each_way<TestType>();
    static_assert(!std::is_convertible_v<std::pmr::memory_resource*, TestType>);
    static_assert(!std::is_convertible_v<std::pmr::pool_options, TestType>);
}

TEMPLATE_TEST_CASE("a class may derive from a pool resource, and inherit its constructors", "[pool_resource][standard]",
                   checked_pool_resource, unchecked_pool_resource, debug_pool_resource, std_pool_resource) {
    construct_in_each_way<derived<TestType>>();
}

TEMPLATE_TEST_CASE("a class may derive from a pool resource, and put its own code around what it does",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    recording_upstream upstream;
    {
        locked<TestType> resource({0, 256}, &upstream);
        std::pmr::vector<std::pmr::vector<int>> numbers(10, &resource);
        for (std::size_t i = 0; i < 1000; ++i) numbers[i % 10].push_back(static_cast<int>(i));
        CHECK(numbers[7][99] == 997);
        CHECK(resource.calls > 100);
    }
    CHECK(upstream.live() == 0);
    CHECK(upstream.fault() == "none");
}

TEMPLATE_TEST_CASE("blocks come from one replenishment, and go upstream when the resource dies, not before",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    recording_upstream upstream;
    {
        TestType resource(&upstream);
        live_blocks blocks(resource);
        const void* const first = blocks.take(1, 1);
        const std::size_t taken = upstream.live();
        CHECK(taken > 0);
        const void* const second = blocks.take(1, 1);
        CHECK(first != second);
        CHECK(blocks.are_sound());
        CHECK(upstream.live() == taken);
        blocks.give_back(0);
        CHECK(upstream.live() == taken);
        blocks.give_back(0);
        CHECK(upstream.live() == taken);
    }
    CHECK(upstream.live() == 0);
    CHECK(upstream.fault() == "none");
}

TEMPLATE_TEST_CASE("a second block, and the release of both, need nothing of the upstream", "[pool_resource][standard]",
                   checked_pool_resource, unchecked_pool_resource, debug_pool_resource, std_pool_resource) {
    recording_upstream upstream;
    TestType resource(&upstream);
    live_blocks blocks(resource);
    blocks.take(8, 1);
    upstream.forbid(true);
    blocks.take(8, 1);
    CHECK(blocks.are_sound());
    blocks.give_back_all();
    upstream.forbid(false);
    CHECK(upstream.fault() == "none");
}

TEMPLATE_TEST_CASE("a block larger than any pool's is one allocation of the upstream, and goes back to it at once",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    recording_upstream upstream;
    {
        TestType resource({10, 16}, &upstream);
        const std::size_t largest = resource.options().largest_required_pool_block;
        live_blocks blocks(resource);
        blocks.take(2 * largest);
        const std::size_t taken = upstream.live();
        CHECK(taken >= 1);
        blocks.take(3 * largest);
        CHECK(upstream.live() == taken + 1);
        CHECK(blocks.are_sound());
        blocks.give_back(0);
        CHECK(upstream.live() == taken);
        blocks.give_back(0);
        CHECK(upstream.live() == taken - 1);
    }
    CHECK(upstream.live() == 0);
    CHECK(upstream.fault() == "none");
}

TEMPLATE_TEST_CASE("whatever is in use goes back upstream when the resource dies", "[pool_resource][standard]",
                   checked_pool_resource, unchecked_pool_resource, debug_pool_resource, std_pool_resource) {
    recording_upstream upstream;
    { const TestType unused(&upstream); }
    CHECK(upstream.live() == 0);
    {
        TestType resource(&upstream);
        static_cast<void>(resource.allocate(1));
        CHECK(upstream.live() != 0);
    }
    CHECK(upstream.live() == 0);
    {
        TestType resource({10, 16}, &upstream);
        static_cast<void>(resource.allocate(2 * resource.options().largest_required_pool_block));
        CHECK(upstream.live() != 0);
    }
    CHECK(upstream.live() == 0);
    {
        TestType resource({16, 16}, &upstream);
        for (const std::size_t size : each_of{2, 8, 16, 2, 8, 16}) static_cast<void>(resource.allocate(size));
        static_cast<void>(resource.allocate(2 * resource.options().largest_required_pool_block));
        CHECK(upstream.live() != 0);
    }
    CHECK(upstream.live() == 0);
    CHECK(upstream.fault() == "none");
}

TEMPLATE_TEST_CASE("small and large blocks are aligned as they are asked to be", "[pool_resource][standard]",
                   checked_pool_resource, unchecked_pool_resource, debug_pool_resource, std_pool_resource) {
    recording_upstream upstream;
    TestType resource({256, 256}, &upstream);
    live_blocks blocks(resource);
    for (const std::size_t alignment : each_of{64, 128, 256}) blocks.take(2, alignment);
    blocks.take(2 * resource.options().largest_required_pool_block, 1024);
    CHECK(blocks.are_sound());
    blocks.give_back_all();
    CHECK(upstream.fault() == "none");
}

TEMPLATE_TEST_CASE("blocks whose alignment no pool has are served at every size, none included",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    recording_upstream upstream;
    TestType resource({1, 1}, &upstream);
    const std::size_t largest = resource.options().largest_required_pool_block;
    live_blocks blocks(resource);
    for (const std::size_t alignment : each_of{64, 128, 256, 512}) {
        for (std::size_t size = 0; size < largest; ++size) blocks.take(size, alignment);
        CHECK(blocks.are_sound());
        blocks.give_back_all();
    }
    resource.release();
    CHECK(upstream.live() == 0);
    CHECK(upstream.fault() == "none");
}

TEMPLATE_TEST_CASE("the upstream is asked for no less than the size of a large block, and for its alignment",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    if (is_libcxx<TestType>) return;  // adds to sizes near SIZE_MAX until they are small
    refuses_aligned<std::bad_alloc> upstream;
    TestType resource({1, 1}, &upstream);
    const std::size_t larger = resource.options().largest_required_pool_block + 1;
    REQUIRE(larger <= 1024);
    resource.deallocate(resource.allocate(larger, 1), larger, 1);  // from here on there is room for what it notes
    std::string wrong;  // the first size that is: how many there are depends on the size of a number
    for (int bit = 0; bit < std::numeric_limits<std::size_t>::digits; ++bit) {
        for (const int more : {-63, -5, -1, 0, 1, 3, std::numeric_limits<int>::max()}) {
            const std::size_t size = (std::size_t{1} << bit) + static_cast<std::size_t>(more);
            upstream.last = {};
            bool is_refused = false;
            try {
                static_cast<void>(resource.allocate(size, 1024));
            } catch (const std::bad_alloc&) {
                is_refused = true;
            }
            // If libstdc++ cannot record a size, it requests more than there is.
            const bool is_impossible = upstream.last.size == largest_size && upstream.last.alignment >= 1024;
            const bool is_right =
                is_refused && upstream.last.size >= size && (upstream.last.alignment == 1024 || is_impossible);
            if (!is_right && wrong.empty())
                wrong = "2^" + std::to_string(bit) + " + " + std::to_string(more) + " bytes";
        }
    }
    CHECK(upstream.fault() == "none");
    CHECK(wrong == "");
}

TEMPLATE_TEST_CASE("a request that nobody can serve ends in the upstream's exception, not in one of the resource",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    if (is_libcxx<TestType>) return;  // adds to sizes near SIZE_MAX until they are small
    struct very_bad_alloc : std::bad_alloc {};
    refuses_aligned<very_bad_alloc> upstream;
    TestType resource(&upstream);
    for (const std::size_t less : each_of{0, 1, 15, 16, 4095, 65536}) {
        INFO("SIZE_MAX - " << less);
        CHECK_THROWS_AS(resource.allocate(largest_size - less, 1024), very_bad_alloc);
        CHECK(upstream.last.size >= largest_size - less);
    }
    CHECK(upstream.fault() == "none");
}

TEMPLATE_TEST_CASE("the largest chunk is used to its last block, and another of its size follows",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    recording_upstream upstream;
    // libc++'s largest chunks have a million blocks, which takes long: it gets smaller ones.
    TestType resource({is_libcxx<TestType> ? std::size_t{1} << 14 : largest_size, 8}, &upstream);
    const std::size_t limit = resource.options().max_blocks_per_chunk;
    REQUIRE(limit <= std::size_t{1} << 20);  // or this takes long
    std::vector<std::size_t*> blocks;
    for (std::size_t i = 0; i < 3 * limit; ++i) {  // chunks that double: the largest one is whole after 2 * limit
        blocks.push_back(::new (resource.allocate(8, 1)) std::size_t(i));
    }
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < blocks.size(); ++i) wrong += *blocks[i] != i;
    CHECK(wrong == 0);
    std::size_t most = 0, chunks = 0;
    for (const request& one : upstream.taken()) {
        chunks = one.size == most ? chunks + 1 : one.size > most ? 1 : chunks;
        most = one.size > most ? one.size : most;
    }
    INFO("the largest chunks have " << most << " bytes");
    CHECK(chunks >= 2);
    resource.release();
    CHECK(upstream.live() == 0);
    CHECK(upstream.fault() == "none");
}

TEMPLATE_TEST_CASE("a pool resource equals itself only", "[pool_resource][standard]", checked_pool_resource,
                   unchecked_pool_resource, debug_pool_resource, std_pool_resource) {
    const TestType one, other;
    CHECK(one == one);
    CHECK(one != other);
    CHECK(other != one);
}

TEMPLATE_TEST_CASE("options that were read are options to be given, and zeros are the defaults",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    const std::pmr::pool_options defaults = TestType().options();
    CHECK(defaults.max_blocks_per_chunk != 0);
    CHECK(defaults.largest_required_pool_block != 0);
    CHECK(are_same(TestType(defaults).options(), defaults));
    CHECK(are_same(TestType(std::pmr::pool_options{0, 0}).options(), defaults));
}

TEMPLATE_TEST_CASE("what is larger than options() says goes to the upstream, block by block",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    recording_upstream upstream;
    for (const std::size_t asked : each_of{0, 64, 71}) {  // 71: no size of a pool
        TestType resource({0, asked}, &upstream);
        const std::size_t size = resource.options().largest_required_pool_block + 1;
        CHECK(size > asked);
        static_cast<void>(resource.allocate(size));
        const std::size_t taken = upstream.live();
        static_cast<void>(resource.allocate(size));
        CHECK(upstream.live() > taken);
        resource.release();
        CHECK(upstream.live() == 0);
    }
    CHECK(upstream.fault() == "none");
}

TEMPLATE_TEST_CASE("release gives everything back, as often as it is called", "[pool_resource][standard]",
                   checked_pool_resource, unchecked_pool_resource, debug_pool_resource, std_pool_resource) {
    recording_upstream upstream;
    TestType resource(&upstream);
    for (int round = 0; round < 3; ++round) {
        resource.release();
        CHECK(upstream.live() == 0);
        resource.release();
        CHECK(upstream.live() == 0);
        static_cast<void>(resource.allocate(1));
        CHECK(upstream.live() != 0);
    }
    resource.release();
    CHECK(upstream.live() == 0);
    CHECK(upstream.fault() == "none");
}

TEMPLATE_TEST_CASE("release of a resource that holds nothing calls nobody", "[pool_resource][standard]",
                   checked_pool_resource, unchecked_pool_resource, debug_pool_resource, std_pool_resource) {
    recording_upstream upstream;
    {
        TestType resource(&upstream);
        resource.release();
        upstream.forbid(true);
        resource.release();
    }
    CHECK(upstream.fault() == "none");
}

TEMPLATE_TEST_CASE("every size at every alignment is aligned, also where the size is no multiple of it",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    if (is_libstdcxx<TestType>) return;  // GCC bug 118681: the size of its pool is no multiple of it, either
    const auto serve = [](TestType& resource, bool gives_back) {
        live_blocks blocks(resource);
        std::size_t misaligned = 0;
        for (const std::size_t alignment : each_of{8, 16, 32, 64}) {
            for (const std::size_t size : each_of{9, 12, 24, 40, 48, 56, 72}) {
                for (int i = 0; i < 2; ++i) misaligned += !is_aligned(blocks.take(size, alignment), alignment);
                if (gives_back) blocks.give_back_all();
            }
        }
        return misaligned;
    };
    TestType resource;
    std::size_t misaligned = serve(resource, true);
    resource.release();
    misaligned += serve(resource, false);
    resource.release();
    CHECK(misaligned == 0);
}

TEST_CASE("the double release in the first version of libstdc++'s test of bug 118681 is named",
          "[pool_resource][standard]") {
    recorded_violations violations;
    fixpool::pool_resource resource;
    void* const first = resource.allocate(9, 8);
    void* const second = resource.allocate(9, 8);
    resource.deallocate(second, 9, 8);
    resource.deallocate(second, 9, 8);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == fixpool::violation_kind::double_free);
    CHECK(violations.last().address == second);
    resource.deallocate(first, 9, 8);
    CHECK(violations.count() == 0);
}

TEMPLATE_TEST_CASE("a block may come back on another thread than it was taken on, one thread at a time",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    recording_upstream upstream;
    TestType resource(&upstream);
    const std::size_t larger = 2 * resource.options().largest_required_pool_block;
    const std::size_t each[] = {8, 64, larger};
    void* blocks[3] = {};
    for (int i = 0; i < 3; ++i) {
        std::thread([&, i] {
            resource.deallocate(resource.allocate(each[i]), each[i]);
            void* const other = resource.allocate(each[i]);
            blocks[i] = resource.allocate(each[i]);
            resource.deallocate(other, each[i]);
        }).join();
        CHECK(is_aligned(blocks[i], 8));
    }
    const std::size_t taken = upstream.live();
    CHECK(taken >= 3);  // two pools and a large block
    for (int i = 0; i < 2; ++i) std::thread([&, i] { resource.deallocate(blocks[i], each[i]); }).join();
    CHECK(upstream.live() == taken);
    std::thread([&] { resource.deallocate(blocks[2], larger); }).join();
    CHECK(upstream.live() == taken - 1);
    resource.release();
    CHECK(upstream.live() == 0);
    CHECK(upstream.fault() == "none");
}
