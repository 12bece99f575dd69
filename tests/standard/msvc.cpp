// SPDX-License-Identifier: BSL-1.0
// Checks of Microsoft's STL for std::pmr::unsynchronized_pool_resource and its users, in our own words and code.
#include "resources.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <forward_list>
#include <list>
#include <map>
#include <memory_resource>
#include <new>
#include <numeric>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace {

/// An object whose destructor never runs.
template <class T> class undestroyed {
public:
    template <class... Args> explicit undestroyed(Args&&... args) {
        object_ = ::new (static_cast<void*>(bytes_)) T(std::forward<Args>(args)...);
    }
    T& operator*() { return *object_; }

private:
    alignas(T) std::byte bytes_[sizeof(T)];
    T* object_;
};

/// Makes nodes, strings and an array in a resource, and never destroys them. Says what was wrong.
std::string left_to(std::pmr::memory_resource& resource) {
    undestroyed<std::pmr::list<int>> list(&resource);
    for (int i = 0; i < 42; ++i) (*list).push_back(i);
    const std::string words[] = {"a", "word", "or", "two", std::string(300, 'w')};
    undestroyed<std::pmr::vector<std::pmr::string>> strings(std::begin(words), std::end(words), &resource);
    undestroyed<std::pmr::vector<double>> numbers(std::size_t{1024}, &resource);
    std::iota((*numbers).begin(), (*numbers).end(), 3.25);
    int expected = 0;
    for (const int value : *list) {
        if (value != expected++) return "a node was changed";
    }
    for (std::size_t i = 0; i < std::size(words); ++i) {
        if ((*strings)[i] != std::string_view(words[i])) return "a string was changed";
    }
    if ((*numbers)[42] != 45.25) return "a number was changed";
    return "nothing";
}

/// Puts a hundred elements into a container on a resource. All memory must come from it, and all must go back.
template <class Resource, class Container> void fill() {
    recording_upstream upstream;
    Resource resource(&upstream);
    CHECK(Container().get_allocator().resource() == std::pmr::get_default_resource());
    const default_resource scope(std::pmr::null_memory_resource());
    {
        Container container(&resource);
        CHECK(container.get_allocator().resource() == &resource);
        for (int i = 0; i < 100; ++i) {
            if constexpr (std::is_same_v<Container, std::pmr::forward_list<int>>) {
                container.push_front(i);
            } else {
                container.insert(container.end(), typename Container::value_type());
            }
        }
        CHECK(upstream.live() > 0);
    }
    resource.release();
    CHECK(upstream.live() == 0);
    CHECK(upstream.fault() == "none");
}

}  // namespace

TEMPLATE_TEST_CASE("what containers leave behind that are never destroyed goes back with the resource",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    for (const std::size_t largest : each_of{1, 64, 0}) {
        recording_upstream upstream;
        {
            TestType resource({0, largest}, &upstream);
            CHECK(left_to(resource) == "nothing");
            CHECK(upstream.live() > 0);
        }
        CHECK(upstream.live() == 0);
        CHECK(upstream.fault() == "none");
    }
}

TEMPLATE_TEST_CASE("blocks of every power of two, aligned to their size, of which a quarter stays",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    constexpr std::size_t most = std::size_t{1} << 22;  // bytes of one size
    recording_upstream upstream;
    {
        TestType resource(&upstream);
        live_blocks blocks(resource);
        for (std::size_t size = sizeof(void*); size < most; size *= 2) {
            const std::size_t count = std::min<std::size_t>(1024, most / size), before = blocks.count();
            for (std::size_t i = 0; i < count; ++i) blocks.take(size, size);
            for (std::size_t i = 0; i < count / 4 * 3; ++i) blocks.give_back(before);
        }
        CHECK(blocks.are_sound());
        CHECK(upstream.live() > 0);
    }
    CHECK(upstream.live() == 0);
    CHECK(upstream.fault() == "none");
}

TEMPLATE_TEST_CASE("a million blocks of one size, the older half of each thousand released",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    constexpr std::size_t size = 2 * sizeof(void*), rounds = 1024, taken = 1024, given_back = 512;
    recording_upstream upstream;
    {
        TestType resource(&upstream);
        std::vector<std::size_t*> blocks;
        std::size_t oldest = 0, wrong = 0;
        for (std::size_t i = 0; i < rounds * taken; ++i) {
            if (i % taken == 0 && i != 0) {
                for (std::size_t j = 0; j < given_back; ++j, ++oldest) {
                    wrong += *blocks[oldest] != oldest;
                    resource.deallocate(blocks[oldest], size, size);
                }
            }
            blocks.push_back(::new (resource.allocate(size, size)) std::size_t(i));
        }
        for (std::size_t i = oldest; i < blocks.size(); ++i) wrong += *blocks[i] != i;
        CHECK(wrong == 0);
    }
    CHECK(upstream.live() == 0);
    CHECK(upstream.fault() == "none");
}

TEMPLATE_TEST_CASE("chunks of one size grow geometrically, and never shrink", "[pool_resource][standard]",
                   checked_pool_resource, unchecked_pool_resource, debug_pool_resource, std_pool_resource) {
    recording_upstream upstream;
    TestType resource(&upstream);
    // How many blocks are served between two requests of chunks.
    std::vector<std::size_t> chunks;
    std::size_t served = 0;
    for (std::size_t i = 0; i < 20000; ++i) {
        const std::size_t before = upstream.live_bytes();
        static_cast<void>(resource.allocate(16, 16));
        if (upstream.live_bytes() >= before + 16 * sizeof(void*) && served != 0)
            chunks.push_back(std::exchange(served, 0));
        ++served;
    }
    REQUIRE(chunks.size() >= 3);
    INFO("blocks in the chunks: " << Catch::StringMaker<std::vector<std::size_t>>::convert(chunks));
    CHECK(std::is_sorted(chunks.begin(), chunks.end()));
    CHECK(chunks.back() > chunks.front());
}

TEMPLATE_TEST_CASE("release gives back pools of six sizes with all their blocks in use", "[pool_resource][standard]",
                   checked_pool_resource, unchecked_pool_resource, debug_pool_resource, std_pool_resource) {
    recording_upstream upstream;
    TestType resource({0, sizeof(void*) << 8}, &upstream);
    for (const std::size_t shift : each_of{0, 2, 4, 8, 10, 12}) {
        const std::size_t size = sizeof(void*) << shift;
        for (std::size_t i = 0; i < (std::size_t{1} << 20) / size; ++i) {
            static_cast<void>(resource.allocate(size, alignof(void*)));
        }
    }
    CHECK(upstream.live_bytes() >= std::size_t{6} << 20);
    resource.release();
    CHECK(upstream.live() == 0);
    CHECK(upstream.fault() == "none");
}

TEMPLATE_TEST_CASE("options within the limits are met within a factor of two", "[pool_resource][standard]",
                   checked_pool_resource, unchecked_pool_resource, debug_pool_resource, std_pool_resource) {
    constexpr std::size_t most = PTRDIFF_MAX;
    const std::pmr::pool_options limits = TestType(std::pmr::pool_options{most, most}).options();
    const std::size_t blocks = std::min<std::size_t>(1 << 12, limits.max_blocks_per_chunk);
    const std::size_t largest = std::min<std::size_t>(1 << 18, limits.largest_required_pool_block);
    const std::pmr::pool_options made = TestType(std::pmr::pool_options{blocks, largest}).options();
    CHECK(made.max_blocks_per_chunk > blocks / 2);
    CHECK(made.max_blocks_per_chunk < blocks * 2);
    CHECK(made.largest_required_pool_block > largest / 2);
    CHECK(made.largest_required_pool_block < largest * 2);
}

TEMPLATE_TEST_CASE("no chunk has more blocks than max_blocks_per_chunk says, the first one neither",
                   "[pool_resource][standard]", checked_pool_resource, unchecked_pool_resource, debug_pool_resource,
                   std_pool_resource) {
    for (const std::size_t most : each_of{1, 2, 3, 20, 100}) {
        for (const std::size_t size : each_of{8, 48, 512}) {
            recording_upstream upstream;
            TestType resource({most, 1024}, &upstream);
            const std::size_t limit = resource.options().max_blocks_per_chunk;
            INFO(size << " bytes, " << most << " blocks per chunk, which were made " << limit);
            std::size_t served = 0, longest = 0;
            for (int i = 0; i < 1000; ++i) {
                const std::size_t before = upstream.taken().size();
                static_cast<void>(resource.allocate(size, 8));
                served = upstream.taken().size() != before ? 1 : served + 1;
                longest = std::max(longest, served);
            }
            CHECK(longest <= limit);
        }
    }
}

TEMPLATE_TEST_CASE("is_equal says what == says, also of what derives from the resource", "[pool_resource][standard]",
                   checked_pool_resource, unchecked_pool_resource, debug_pool_resource, std_pool_resource) {
    struct derived : TestType {};
    const TestType one, other;
    const derived child;
    const std::pmr::memory_resource* const resources[] = {&one, &other, &child};
    for (const auto* const left : resources) {
        for (const auto* const right : resources) {
            CHECK((*left == *right) == (left == right));
            CHECK((*left != *right) == (left != right));
            CHECK(left->is_equal(*right) == (left == right));
        }
    }
    const TestType& base = child;
    CHECK(base == child);
    CHECK(child == base);
}

TEMPLATE_TEST_CASE("every container of namespace pmr lives in a pool resource", "[pool_resource][standard]",
                   checked_pool_resource, unchecked_pool_resource, debug_pool_resource, std_pool_resource) {
    fill<TestType, std::pmr::string>();
    fill<TestType, std::pmr::u8string>();
    fill<TestType, std::pmr::u16string>();
    fill<TestType, std::pmr::u32string>();
    fill<TestType, std::pmr::wstring>();
    fill<TestType, std::pmr::deque<int>>();
    fill<TestType, std::pmr::forward_list<int>>();
    fill<TestType, std::pmr::list<int>>();
    fill<TestType, std::pmr::map<int, int>>();
    fill<TestType, std::pmr::multimap<int, int>>();
    fill<TestType, std::pmr::multiset<int>>();
    fill<TestType, std::pmr::set<int>>();
    fill<TestType, std::pmr::unordered_map<int, int>>();
    fill<TestType, std::pmr::unordered_multimap<int, int>>();
    fill<TestType, std::pmr::unordered_multiset<int>>();
    fill<TestType, std::pmr::unordered_set<int>>();
    fill<TestType, std::pmr::vector<int>>();
}
