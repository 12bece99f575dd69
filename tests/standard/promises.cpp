// SPDX-License-Identifier: BSL-1.0
// What the standard says about pool resources, beyond the tests of its libraries: failures of upstream, sizes and
// alignments at the limits, use after release. Also resources, allocators and containers on resources.
#include "resources.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <memory_resource>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "../support/heap.hpp"

namespace {

constexpr std::size_t largest_size = std::numeric_limits<std::size_t>::max();

/// Pools of several sizes, more than one chunk in one of them, over-aligned and large blocks, and releases in between.
const std::vector<request>& program() {
    static const std::vector<request> all = [] {
        std::vector<request> requests;
        for (const std::size_t size : each_of{0, 1, 8, 24, 100, 256, 1000, 4096, 5000, 70000})
            requests.push_back({size, 1});
        for (const std::size_t alignment : each_of{16, 64, 256, 4096, 65536}) requests.push_back({40, alignment});
        requests.push_back({9000, 1024});
        for (int i = 0; i < 300; ++i) requests.push_back({256, 8});
        return requests;
    }();
    return all;
}

struct outcome {
    std::string wrong = "nothing";
    bool has_failed = false;
};

/// Runs the program on a resource whose upstream fails the n-th time. Each refused request is repeated.
template <class Resource> outcome play(std::size_t nth, bool for_ever) {
    recording_upstream upstream;
    outcome result;
    {
        Resource resource({20, 0}, &upstream);
        live_blocks blocks(resource);
        upstream.fail(nth, for_ever);
        std::size_t refused = 0;
        const auto take = [&](const request& one) {
            try {
                blocks.take(one.size, one.alignment);
            } catch (const upstream_failure&) {
                ++refused;
                return false;
            }
            return true;
        };
        for (int round = 0; round < 2; ++round) {
            for (const request& one : program()) {
                if (take(one)) continue;
                if (refused < 4 && !blocks.are_sound()) result.wrong = "a live block was changed by a failure";
                if (take(one) == for_ever) result.wrong = "a second attempt ends as the first one did, or otherwise";
            }
            if (!blocks.are_sound()) result.wrong = "a block was changed";
            const std::size_t count = blocks.count();
            for (std::size_t i = 0; i < count / 2; ++i) blocks.give_back(i);
            if (!blocks.are_sound()) result.wrong = "a block was changed by the release of others";
        }
        if (refused != 0 && !upstream.has_failed()) result.wrong = "it throws where nothing fails";
        if (upstream.has_failed() && refused == 0) result.wrong = "a failure did not pass";
        resource.release();
        if (upstream.live() != 0) result.wrong = "something is left after release";
        upstream.fail_no_more();
        blocks.forget();
        for (const request& one : program()) blocks.take(one.size, one.alignment);
        if (!blocks.are_sound()) result.wrong = "a block was changed after release";
    }
    if (upstream.live() != 0) result.wrong = "something is left at the end";
    if (upstream.fault() != "none") result.wrong = upstream.fault();
    result.has_failed = upstream.has_failed();
    return result;
}

template <class Resource> std::size_t failures_of(bool for_ever) {
    for (std::size_t nth = 0;; ++nth) {
        const outcome result = play<Resource>(nth, for_ever);
        INFO("the " << nth << "th allocation of the upstream fails" << (for_ever ? ", and all that follow" : ""));
        CHECK(result.wrong == "nothing");
        if (!result.has_failed || result.wrong != "nothing") return nth;
    }
}

}  // namespace

TEMPLATE_TEST_CASE("whichever allocation of the upstream fails, its exception passes and nothing is lost",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    // If a chunk was allocated and its record was not, libstdc++'s replenish() catches the exception, and goes on.
    if (is_libstdcxx<TestType>) return;
    CHECK(failures_of<TestType>(false) > 20);
    CHECK(failures_of<TestType>(true) > 20);
}

TEMPLATE_TEST_CASE("an upstream that has no more memory does not keep released blocks from being used again",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    recording_upstream upstream;
    TestType resource({16, 0}, &upstream);
    std::vector<void*> blocks;
    for (int i = 0; i < 1000; ++i) blocks.push_back(resource.allocate(64));
    upstream.fail(0, true);
    for (int round = 0; round < 3; ++round) {
        for (void* const block : blocks) resource.deallocate(block, 64);
        for (void*& block : blocks) block = resource.allocate(64);
    }
    std::sort(blocks.begin(), blocks.end());
    CHECK(std::adjacent_find(blocks.begin(), blocks.end()) == blocks.end());
    CHECK_THROWS_AS(resource.allocate(std::size_t{1} << 23), upstream_failure);
    resource.release();
    CHECK(upstream.live() == 0);
    CHECK(upstream.fault() == "none");
}

TEMPLATE_TEST_CASE("a resource on an upstream that has nothing throws bad_alloc, and dies quietly",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    if (is_libstdcxx<TestType>) return;  // its constructor allocates
    TestType resource(std::pmr::null_memory_resource());
    for (const std::size_t size : each_of{0, 1, 64, 4096, 1 << 20})
        CHECK_THROWS_AS(resource.allocate(size), std::bad_alloc);
    resource.release();
}

TEMPLATE_TEST_CASE("blocks of no bytes are blocks: each has an address of its own", "[pool_resource][standard]",
                   checked_pool_resource, unchecked_pool_resource, debug_pool_resource, std_pool_resource) {
    recording_upstream upstream;
    TestType resource(&upstream);
    for (const std::size_t alignment : each_of{1, 8, 64, 4096}) {
        std::vector<void*> blocks;
        for (int i = 0; i < 100; ++i) {
            void* const block = resource.allocate(0, alignment);
            CHECK(is_aligned(block, alignment));
            blocks.push_back(block);
        }
        std::sort(blocks.begin(), blocks.end());
        CHECK(std::adjacent_find(blocks.begin(), blocks.end()) == blocks.end());
        for (void* const block : blocks) resource.deallocate(block, 0, alignment);
    }
    resource.release();
    CHECK(upstream.live() == 0);
    CHECK(upstream.fault() == "none");
}

TEMPLATE_TEST_CASE("blocks of any size have any alignment up to 64 KiB", "[pool_resource][standard]",
                   checked_pool_resource, unchecked_pool_resource, debug_pool_resource, std_pool_resource) {
    if (is_libstdcxx<TestType>) return;  // GCC bug 118681
    recording_upstream upstream;
    TestType resource(&upstream);
    live_blocks blocks(resource);
    for (std::size_t alignment = 1; alignment <= 65536; alignment *= 2) {
        for (const std::size_t size : each_of{0, 1, 7, 8, 9, 31, 33, 63, 65, 127, 129, 600, 4095, 4096, 4097, 10000}) {
            blocks.take(size, alignment);
            blocks.take(size, alignment);
        }
    }
    CHECK(blocks.are_sound());
    for (std::size_t i = 0; blocks.count() > i; ++i) blocks.give_back(i);  // every second one
    CHECK(blocks.are_sound());
    blocks.give_back_all();
    resource.release();
    CHECK(upstream.live() == 0);
    CHECK(upstream.fault() == "none");
}

TEMPLATE_TEST_CASE("what is too large for any memory is refused by the upstream, and changes nothing",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    if (is_libcxx<TestType>) return;  // adds to sizes near SIZE_MAX until they are small
    recording_upstream upstream;
    TestType resource(&upstream);
    live_blocks blocks(resource);
    for (const std::size_t size : each_of{8, 100, 100000}) blocks.take(size);
    for (const std::size_t alignment : each_of{1, 8, 16, 64, 4096, 65536}) {
        for (const std::size_t size : {largest_size, largest_size - 1, largest_size - 15, largest_size - 16,
                                       largest_size - 4096, largest_size - 65536, largest_size / 2 + 1}) {
            INFO(size << " bytes aligned to " << alignment);
            CHECK_THROWS_AS(resource.allocate(size, alignment), std::bad_alloc);
        }
    }
    CHECK(blocks.are_sound());
    const std::size_t taken = upstream.live();
    blocks.take(8);
    CHECK(upstream.live() == taken);
    blocks.give_back_all();
    resource.release();
    CHECK(upstream.live() == 0);
    CHECK(upstream.fault() == "none");
    CHECK(std::all_of(upstream.refused().begin(), upstream.refused().end(),
                      [](const request& one) { return one.size > largest_size / 2; }));
}

TEMPLATE_TEST_CASE("nullptr is no block for fixpool's resource: its release changes nothing",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource) {
    // Calls the virtual function itself: libstdc++ declares that memory_resource::deallocate takes no nullptr.
    struct exposed : TestType {
        using TestType::do_deallocate;
        using TestType::TestType;
    };
    recording_upstream upstream;
    exposed resource(&upstream);
    upstream.forbid(true);
    for (const std::size_t size : each_of{0, 8, 100000}) resource.do_deallocate(nullptr, size, 8);
    upstream.forbid(false);
    const void* const block = resource.allocate(8);
    resource.do_deallocate(nullptr, 8, 8);
    CHECK(resource.allocate(8) != block);
    CHECK(upstream.fault() == "none");
}

TEMPLATE_TEST_CASE("after release with live blocks the resource serves as before", "[pool_resource][standard]",
                   checked_pool_resource, unchecked_pool_resource, debug_pool_resource, std_pool_resource) {
    recording_upstream upstream;
    TestType resource(&upstream);
    for (int round = 0; round < 5; ++round) {
        live_blocks blocks(resource);
        for (const request& one : program()) blocks.take(one.size, one.alignment);
        for (std::size_t i = 0; i < 100; ++i) blocks.give_back(i);
        for (const request& one : program()) blocks.take(one.size, one.alignment);
        CHECK(blocks.are_sound());
        CHECK(upstream.live() > 0);
        resource.release();
        CHECK(upstream.live() == 0);
        CHECK(resource.upstream_resource() == &upstream);
    }
    CHECK(upstream.fault() == "none");
}

TEMPLATE_TEST_CASE("options and upstream stay what they are, whatever happens to the blocks",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    recording_upstream upstream;
    TestType resource({50, 512}, &upstream);
    const TestType& constant = resource;
    const std::pmr::pool_options options = constant.options();
    for (int i = 0; i < 1000; ++i) static_cast<void>(resource.allocate(100));
    CHECK(are_same(constant.options(), options));
    resource.release();
    CHECK(are_same(constant.options(), options));
    CHECK(constant.upstream_resource() == &upstream);
}

TEMPLATE_TEST_CASE("a resource takes memory of its upstream alone", "[pool_resource][standard]", checked_pool_resource,
                   unchecked_pool_resource, debug_pool_resource, std_pool_resource) {
    std::vector<std::byte> buffer(std::size_t{16} << 20);
    std::vector<void*> blocks;
    blocks.reserve(20000);
    const std::size_t before = heap::allocations();
    {
        std::pmr::monotonic_buffer_resource upstream(buffer.data(), buffer.size(), std::pmr::null_memory_resource());
        TestType resource({1000, 1024}, &upstream);
        for (std::size_t i = 0; i < 10000; ++i) blocks.push_back(resource.allocate(1 + i % 100, 8));
        for (std::size_t i = 0; i < 100; ++i) blocks.push_back(resource.allocate(5000));
        for (std::size_t i = 0; i < 10000; ++i) resource.deallocate(blocks[i], 1 + i % 100, 8);
        resource.release();
    }
    CHECK(heap::allocations() == before);
}

TEMPLATE_TEST_CASE("a resource is the upstream of another one, and that of a third", "[pool_resource][standard]",
                   checked_pool_resource, unchecked_pool_resource, debug_pool_resource, std_pool_resource) {
    recording_upstream upstream;
    {
        TestType bottom({100, 0}, &upstream);
        recording_upstream above_bottom(&bottom);
        TestType middle({50, 512}, &above_bottom);
        recording_upstream above_middle(&middle);
        {
            TestType top({10, 64}, &above_middle);
            live_blocks blocks(top);
            for (int round = 0; round < 3; ++round) {
                for (const request& one : program()) blocks.take(one.size, one.alignment);
                CHECK(blocks.are_sound());
                for (std::size_t i = 0; i < 200; ++i) blocks.give_back(i);
                CHECK(blocks.are_sound());
            }
            top.release();
            CHECK(above_middle.live() == 0);
            blocks.forget();
            for (const request& one : program()) blocks.take(one.size, one.alignment);
            CHECK(blocks.are_sound());
        }
        CHECK(above_middle.live() == 0);
        CHECK(above_middle.fault() == "none");
        middle.release();
        CHECK(above_bottom.live() == 0);
        CHECK(above_bottom.fault() == "none");
    }
    CHECK(upstream.live() == 0);
    CHECK(upstream.fault() == "none");
}

TEMPLATE_TEST_CASE("a resource is destroyed through its base, and found behind it", "[pool_resource][standard]",
                   checked_pool_resource, unchecked_pool_resource, debug_pool_resource, std_pool_resource) {
    recording_upstream upstream;
    const std::unique_ptr<std::pmr::memory_resource> base = std::make_unique<TestType>(&upstream);
    static_cast<void>(base->allocate(100));
    auto* const resource = dynamic_cast<TestType*>(base.get());
    REQUIRE(resource != nullptr);
    CHECK(resource->upstream_resource() == &upstream);
    CHECK(dynamic_cast<std::pmr::monotonic_buffer_resource*>(base.get()) == nullptr);
    static_assert(std::has_virtual_destructor_v<TestType>);
}

TEMPLATE_TEST_CASE("a resource that is destroyed through its base gives all back", "[pool_resource][standard]",
                   checked_pool_resource, unchecked_pool_resource, debug_pool_resource, std_pool_resource) {
    recording_upstream upstream;
    std::unique_ptr<std::pmr::memory_resource> base = std::make_unique<TestType>(&upstream);
    static_cast<void>(base->allocate(100));
    static_cast<void>(base->allocate(100000));
    base.reset();
    CHECK(upstream.live() == 0);
    CHECK(upstream.fault() == "none");
}

TEMPLATE_TEST_CASE("polymorphic_allocator makes bytes, arrays and objects in a pool resource",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    struct item {
        item(int n, const char* t, bool* a) : number(n), text(t), is_alive(a) { *a = true; }
        item(const item&) = delete;
        item& operator=(const item&) = delete;
        ~item() { *is_alive = false; }
        int number;
        const char* text;
        bool* is_alive;
    };
    struct alignas(128) wide {
        double values[40];
    };
    recording_upstream upstream;
    TestType resource(&upstream);
    std::pmr::polymorphic_allocator<> allocator(&resource);
    void* const bytes = allocator.allocate_bytes(100);
    void* const aligned = allocator.allocate_bytes(128, 64);
    CHECK(is_aligned(aligned, 64));
    int* const one = allocator.template allocate_object<int>();
    int* const two = allocator.template allocate_object<int>(2);
    wide* const many = allocator.template allocate_object<wide>(20);
    CHECK(is_aligned(many, alignof(wide)));
    bool is_alive = false;
    item* const object = allocator.template new_object<item>(1, "two", &is_alive);
    CHECK(is_alive);
    CHECK((object->number == 1 && object->text == std::string_view("two")));
    allocator.delete_object(object);
    CHECK_FALSE(is_alive);
    allocator.deallocate_object(many, 20);
    allocator.deallocate_object(two, 2);
    allocator.deallocate_object(one);
    allocator.deallocate_bytes(aligned, 128, 64);
    allocator.deallocate_bytes(bytes, 100);
    resource.release();
    CHECK(upstream.live() == 0);
    CHECK(upstream.fault() == "none");
}

TEMPLATE_TEST_CASE("allocators are equal if their resource is the same", "[pool_resource][standard]",
                   checked_pool_resource, unchecked_pool_resource, debug_pool_resource, std_pool_resource) {
    TestType resource, other;
    const std::pmr::polymorphic_allocator<int> one(&resource), same(&resource), unlike(&other), of_default;
    const std::pmr::polymorphic_allocator<double> rebound(one);
    CHECK(one == same);
    CHECK(one == rebound);
    CHECK(one != unlike);
    CHECK(one != of_default);
    CHECK(rebound.resource() == &resource);
    CHECK(one.select_on_container_copy_construction() == of_default);
    const default_resource scope(&resource);
    CHECK(std::pmr::polymorphic_allocator<int>() == one);
    CHECK(std::pmr::vector<int>(3, 4).get_allocator().resource() == &resource);
}

TEMPLATE_TEST_CASE("containers on one resource exchange their nodes, and on two they move their elements",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    recording_upstream upstream;
    {
        TestType resource(&upstream), other(&upstream);
        std::pmr::list<std::string> here({"a", "b", "c"}, &resource), there({"d"}, &resource), elsewhere(&other);
        const std::string* const node = &here.front();
        there.splice(there.end(), here, here.begin());
        CHECK(&there.back() == node);
        here = std::move(there);
        CHECK(&here.back() == node);
        elsewhere = std::move(here);
        CHECK(elsewhere.get_allocator().resource() == &other);
        CHECK(&elsewhere.back() != node);
        CHECK(elsewhere == std::pmr::list<std::string>{"d", "a"});
        const std::pmr::list<std::string> moved(std::move(elsewhere));
        CHECK(moved.get_allocator().resource() == &other);
        const std::pmr::list<std::string> copied(moved);
        CHECK(copied.get_allocator().resource() == std::pmr::get_default_resource());
        CHECK(copied == moved);
    }
    CHECK(upstream.live() == 0);
    CHECK(upstream.fault() == "none");
}

TEMPLATE_TEST_CASE("containers in containers, and their strings, take the resource of the outermost one",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    using names = std::pmr::vector<std::pmr::string>;
    recording_upstream upstream;
    {
        TestType resource(&upstream);
        const default_resource scope(std::pmr::null_memory_resource());  // whoever forgets the resource gets nothing
        std::pmr::map<int, names> all(&resource);
        for (int i = 0; i < 500; ++i) all[i % 50].emplace_back(static_cast<std::size_t>(i), 'n');
        for (int i = 0; i < 50; i += 2) all.erase(i);
        CHECK(all.size() == 25);
        std::size_t letters = 0;
        for (const auto& [key, list] : all) {
            CHECK(list.get_allocator().resource() == &resource);
            for (const std::pmr::string& name : list) letters += name.size();
            CHECK(list.back().get_allocator().resource() == &resource);
        }
        CHECK(letters == 62500);  // 1 + 3 + ... + 499
    }
    CHECK(upstream.live() == 0);
    CHECK(upstream.fault() == "none");
}
