// SPDX-License-Identifier: BSL-1.0
#include <fixpool/pool_allocator.hpp>

#include <fixpool/debug_pages.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <memory_resource>
#include <new>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/strict_upstream.hpp"
#include "support/violations.hpp"

using fixpool::checking;
using fixpool::pool_allocator;
using fixpool::pool_resource;
using fixpool::static_pool_allocator;
using fixpool::violation_kind;

namespace {

template <class Resource> std::size_t in_use(const Resource& resource) {
    std::size_t blocks = 0;
    resource.for_each_pool([&blocks](const fixpool::pool_stats& s) { blocks += s.in_use; });
    return blocks;
}

/// Blocks of that size that are in use.
std::size_t in_use(const pool_resource& resource, std::size_t stride) {
    std::size_t blocks = 0;
    resource.for_each_pool([&](const fixpool::pool_stats& s) { blocks += s.stride == stride ? s.in_use : 0; });
    return blocks;
}

constinit const int nobody = 0;
pool_resource static_resource;
fixpool::basic_pool_resource<checking::unchecked> unchecked_static_resource;
fixpool::basic_pool_resource<checking::debug> debug_static_resource;

template <class T> using on_static = static_pool_allocator<T, static_resource>;
template <class T> using on_debug_static = static_pool_allocator<T, debug_static_resource>;

/// Knows the allocator that it was made with.
struct uses_allocator {
    using allocator_type = pool_allocator<std::byte>;
    explicit uses_allocator(int v = 0) : value(v) {}
    uses_allocator(std::allocator_arg_t, const allocator_type& a, int v = 0) : value(v), resource(a.resource()) {}
    uses_allocator(std::allocator_arg_t, const allocator_type& a, const uses_allocator& other)
        : value(other.value), resource(a.resource()) {}
    uses_allocator(const uses_allocator& other) : value(other.value) {}
    uses_allocator& operator=(const uses_allocator&) = default;
    ~uses_allocator() = default;
    int value;
    pool_resource* resource = nullptr;
};

struct alignas(64) aligned_to_64 {
    char bytes[100];
};

}  // namespace

using traits = std::allocator_traits<pool_allocator<int>>;
static_assert(std::is_same_v<traits::value_type, int>);
static_assert(std::is_same_v<traits::rebind_alloc<char>, pool_allocator<char>>);
static_assert(!traits::propagate_on_container_copy_assignment::value);
static_assert(!traits::propagate_on_container_move_assignment::value);
static_assert(!traits::propagate_on_container_swap::value && !traits::is_always_equal::value);
static_assert(sizeof(pool_allocator<int>) == sizeof(void*));
static_assert(std::is_nothrow_copy_constructible_v<pool_allocator<int>>);
static_assert(std::is_nothrow_constructible_v<pool_allocator<int>, pool_allocator<char>>);
static_assert(std::is_convertible_v<pool_resource*, pool_allocator<int>>);
static_assert(!std::is_default_constructible_v<pool_allocator<int>>);
static_assert(!std::is_constructible_v<pool_allocator<int>, pool_allocator<int, checking::unchecked>>);
static_assert(noexcept(std::declval<pool_allocator<int>&>().deallocate(nullptr, 1)));
static_assert(!noexcept(std::declval<pool_allocator<int>&>().allocate(1)));
static_assert(noexcept(std::declval<pool_allocator<int>>() == std::declval<pool_allocator<char>>()));
using static_traits = std::allocator_traits<on_static<int>>;
static_assert(static_traits::is_always_equal::value && std::is_empty_v<on_static<int>>);
static_assert(std::is_same_v<static_traits::rebind_alloc<char>, on_static<char>>);
static_assert(std::is_nothrow_default_constructible_v<on_static<int>>);
static_assert(std::is_nothrow_constructible_v<on_static<int>, on_static<char>>);
static_assert(noexcept(std::declval<on_static<int>&>().deallocate(nullptr, 1)));

TEMPLATE_TEST_CASE_SIG("containers of each kind live on a pool_allocator, and give all back", "[pool_allocator]",
                       ((checking C), C), checking::unchecked, checking::checked, checking::debug) {
    recorded_violations violations;
    strict_upstream upstream;
    {
        fixpool::basic_pool_resource<C> resource(&upstream);
        {
            std::vector<int, pool_allocator<int, C>> vector(&resource);
            std::list<int, pool_allocator<int, C>> list(&resource);
            std::deque<int, pool_allocator<int, C>> deque(&resource);
            std::map<int, int, std::less<>, pool_allocator<std::pair<const int, int>, C>> map(&resource);
            std::unordered_map<int, int, std::hash<int>, std::equal_to<>, pool_allocator<std::pair<const int, int>, C>>
                unordered(&resource);
            std::basic_string<char, std::char_traits<char>, pool_allocator<char, C>> string(&resource);
            for (int i = 0; i < 10000; ++i) {
                vector.push_back(i);
                list.push_back(i);
                deque.push_back(i);
                map[i] = unordered[i] = i;
                string += static_cast<char>('a' + i % 26);
            }
            CHECK(in_use(resource) > 30000);
            for (int i = 0; i < 10000; i += 3) {
                map.erase(i);
                unordered.erase(i);
            }
            CHECK(map.size() == unordered.size());
            CHECK(map.at(1) + unordered.at(2) + vector.at(3) + deque.at(4) + list.back() == 1 + 2 + 3 + 4 + 9999);
            CHECK(string.compare(26, 3, "abc") == 0);
        }
        CHECK(in_use(resource) == 0);
    }
    CHECK(upstream.out() + upstream.wrong() == 0);
    CHECK(violations.count() == 0);
}

TEMPLATE_TEST_CASE_SIG("each number of objects of each size is aligned, writable and comes back", "[pool_allocator]",
                       ((checking C), C), checking::unchecked, checking::checked, checking::debug) {
    recorded_violations violations;
    for (const std::size_t largest : {std::size_t{8}, std::size_t{64}, std::size_t{4096}, std::size_t{16384}}) {
        strict_upstream upstream;
        fixpool::basic_pool_resource<C> resource(std::pmr::pool_options{.largest_required_pool_block = largest},
                                                 &upstream);
        const auto play = [&resource]<class T>(T*) {
            pool_allocator<T, C> allocator(&resource);
            std::vector<std::pair<T*, std::size_t>> out;
            bool is_aligned = true;
            for (std::size_t n = 0; n < 70; ++n) {
                T* const objects = allocator.allocate(n);
                is_aligned &= reinterpret_cast<std::uintptr_t>(objects) % alignof(T) == 0;
                std::fill_n(reinterpret_cast<unsigned char*>(objects), n * sizeof(T), static_cast<unsigned char>(n));
                out.emplace_back(objects, n);
            }
            for (const auto& [objects, n] : out) {
                const auto* const bytes = reinterpret_cast<const unsigned char*>(objects);
                is_aligned &= std::all_of(bytes, bytes + n * sizeof(T), [c = n](unsigned char b) { return b == c; });
                allocator.deallocate(objects, n);
            }
            return is_aligned;
        };
        CHECK(play(static_cast<char*>(nullptr)));
        CHECK(play(static_cast<short*>(nullptr)));
        CHECK(play(static_cast<double*>(nullptr)));
        CHECK(play(static_cast<std::array<char, 3>*>(nullptr)));
        CHECK(play(static_cast<std::array<std::int64_t, 3>*>(nullptr)));
        CHECK(play(static_cast<std::array<char, 1024>*>(nullptr)));
        CHECK(play(static_cast<std::array<char, 1025>*>(nullptr)));
        CHECK(play(static_cast<std::array<char, 5000>*>(nullptr)));
        CHECK(play(static_cast<std::max_align_t*>(nullptr)));
        CHECK(play(static_cast<aligned_to_64*>(nullptr)));
        CHECK(in_use(resource) == 0);
        resource.release();
        CHECK(upstream.out() + upstream.wrong() == 0);
    }
    CHECK(violations.count() == 0);
}

TEST_CASE("an allocator and its resource serve each other's blocks", "[pool_allocator]") {
    recorded_violations violations;
    pool_resource resource;
    const auto exchange = [&resource]<class T>(T*) {
        pool_allocator<T> allocator(&resource);
        T* const one = allocator.allocate(1);
        resource.deallocate(one, sizeof(T), alignof(T));
        allocator.deallocate(static_cast<T*>(resource.allocate(sizeof(T), alignof(T))), 1);
        T* const many = allocator.allocate(3);
        resource.deallocate(many, 3 * sizeof(T), alignof(T));
    };
    exchange(static_cast<char*>(nullptr));
    exchange(static_cast<std::array<char, 25>*>(nullptr));
    exchange(static_cast<std::array<std::int64_t, 3>*>(nullptr));
    exchange(static_cast<std::array<std::int64_t, 1000>*>(nullptr));
    exchange(static_cast<aligned_to_64*>(nullptr));
    CHECK(in_use(resource) == 0);
    CHECK(violations.count() == 0);
    (void)pool_allocator<std::array<char, 24>>(&resource).allocate(1);
    CHECK(in_use(resource, 24) == 1);
    (void)pool_allocator<std::array<std::int64_t, 3>>(&resource).allocate(2);
    CHECK(in_use(resource, 48) == 1);
    (void)pool_allocator<aligned_to_64>(&resource).allocate(1);
    CHECK(in_use(resource, 128) == 1);
}

TEMPLATE_TEST_CASE_SIG("misuse by an allocator is a violation, for one object and for many", "[pool_allocator]",
                       ((checking C), C), checking::checked, checking::debug) {
    recorded_violations violations;
    fixpool::basic_pool_resource<C> resource;
    pool_allocator<std::int64_t, C> allocator(&resource);
    std::int64_t* const one = allocator.allocate(1);
    std::int64_t* const many = allocator.allocate(3);
    allocator.deallocate(one, 3);
    CHECK(violations.last().kind == violation_kind::size_mismatch);
    allocator.deallocate(many, 1);
    CHECK(violations.last().kind == violation_kind::size_mismatch);
    CHECK(violations.count() == 2);
    allocator.deallocate(one, 1);
    allocator.deallocate(many, 3);
    CHECK(violations.count() == 0);
    allocator.deallocate(one, 1);
    CHECK(violations.last().kind == violation_kind::double_free);
    allocator.deallocate(many, 3);
    CHECK(violations.last().kind == violation_kind::double_free);
    std::int64_t local = 0;
    allocator.deallocate(&local, 1);
    CHECK(violations.last().kind == violation_kind::foreign_pointer);
    CHECK(violations.last().pool == &resource);
    on_static<int>().deallocate(const_cast<int*>(&nobody), 1);
    CHECK(violations.last().pool == &static_resource);
    on_debug_static<int>().deallocate(const_cast<int*>(&nobody), 1);
    CHECK(violations.last().pool == &debug_static_resource);
}

TEST_CASE("more objects than memory can hold are a bad_array_new_length", "[pool_allocator]") {
    strict_upstream upstream;
    pool_resource resource(&upstream);
    pool_allocator<std::int64_t> allocator(&resource);
    on_static<std::int64_t> of_static;
    for (const std::size_t n : {SIZE_MAX, SIZE_MAX / sizeof(std::int64_t), SIZE_MAX / sizeof(std::int64_t) + 2,
                                SIZE_MAX / 2 / sizeof(std::int64_t) + 1}) {
        CHECK_THROWS_AS(allocator.allocate(n), std::bad_array_new_length);
        CHECK_THROWS_AS(of_static.allocate(n), std::bad_array_new_length);
    }
    CHECK_THROWS_AS(pool_allocator<char>(&resource).allocate(SIZE_MAX), std::bad_array_new_length);
    CHECK(upstream.asked() == 0);
}

TEST_CASE("an allocator passes on what upstream throws", "[pool_allocator]") {
    pool_resource resource(std::pmr::null_memory_resource());
    CHECK_THROWS_AS(pool_allocator<int>(&resource).allocate(1), std::bad_alloc);
    CHECK_THROWS_AS(pool_allocator<int>(&resource).allocate(10000), std::bad_alloc);
}

TEST_CASE("two allocators are equal if their resource is the same, of whatever types they are", "[pool_allocator]") {
    pool_resource first, second;
    const pool_allocator<int> a(&first), b(&first), c(&second);
    CHECK(a == b);
    CHECK(a != c);
    const pool_allocator<char> other(a), other_c(c);
    CHECK(other.resource() == &first);
    CHECK(a == other);
    CHECK(other == a);
    CHECK(a != other_c);
    CHECK(on_static<int>() == on_static<int>());
    CHECK(on_static<int>() == on_static<char>());
    CHECK_FALSE(on_static<int>() != on_static<char>());
}

TEST_CASE("the copy of a container has the same resource, and an assigned container keeps its own",
          "[pool_allocator]") {
    recorded_violations violations;
    pool_resource first, second;
    {
        using vector = std::vector<int, pool_allocator<int>>;
        vector a({1, 2, 3}, &first), b({4, 5}, &second);
        const vector copy(a);
        CHECK(copy.get_allocator().resource() == &first);
        CHECK(in_use(first) == 2);
        b = a;
        CHECK(b.get_allocator().resource() == &second);
        CHECK(b == a);
        const int* const where = a.data();
        b = std::move(a);
        CHECK(b.get_allocator().resource() == &second);
        CHECK(b.data() != where);
        CHECK(b == copy);
        vector moved(std::move(b));
        CHECK(moved.get_allocator().resource() == &second);
        vector of_same({7}, &second);
        const int* const kept = moved.data();
        of_same = std::move(moved);
        CHECK(of_same.data() == kept);
        vector swapped({8, 9}, &second);
        swapped.swap(of_same);
        CHECK(swapped.data() == kept);
        std::list<int, pool_allocator<int>> list({1, 2}, &first), list_of_second(&second);
        list_of_second = std::move(list);
        CHECK(list_of_second.get_allocator().resource() == &second);
        CHECK(list_of_second.size() == 2);
    }
    CHECK(in_use(first) + in_use(second) == 0);
    CHECK(violations.count() == 0);
}

TEST_CASE("elements that take an allocator get the container's, at any depth", "[pool_allocator]") {
    pool_resource resource;
    {
        std::vector<uses_allocator, pool_allocator<uses_allocator>> elements(&resource);
        elements.emplace_back(7);
        elements.emplace_back(elements[0]);
        elements.resize(40);
        for (const uses_allocator& element : elements) CHECK(element.resource == &resource);
        CHECK(elements[1].value == 7);
        using inner = std::vector<int, pool_allocator<int>>;
        std::map<int, inner, std::less<>, pool_allocator<std::pair<const int, inner>>> map(&resource);
        map[3].assign(100, 1);
        map.emplace(4, 50);
        for (const auto& [key, vector] : map) CHECK(vector.get_allocator().resource() == &resource);
        std::vector<std::pair<uses_allocator, int>, pool_allocator<std::pair<uses_allocator, int>>> pairs(&resource);
        pairs.emplace_back(std::piecewise_construct, std::tuple(5), std::tuple(6));
        CHECK(pairs[0].first.resource == &resource);
        CHECK(pairs[0].first.value + pairs[0].second == 11);
        const std::vector<int, pool_allocator<int>> plain(3, 42, &resource);
        CHECK(plain[2] == 42);
    }
    CHECK(in_use(resource) == 0);
}

TEST_CASE("allocate_shared takes one block of a pool, and gives it back", "[pool_allocator]") {
    recorded_violations violations;
    pool_resource resource;
    {
        const auto object = std::allocate_shared<std::array<std::int64_t, 4>>(pool_allocator<char>(&resource),
                                                                              std::array<std::int64_t, 4>{1, 2, 3, 4});
        CHECK(in_use(resource) == 1);
        const std::weak_ptr<std::array<std::int64_t, 4>> weak = object;
        CHECK((*object)[3] == 4);
        const auto of_static = std::allocate_shared<int>(on_static<int>(), 5);
        CHECK(*of_static == 5);
        CHECK(in_use(static_resource) == 1);
    }
    CHECK(in_use(resource) + in_use(static_resource) == 0);
    CHECK(violations.count() == 0);
}

namespace {

/// A value that owns objects and arrays of values through pointers. It makes them with an allocator that it makes
/// itself, as nlohmann::basic_json does.
template <template <class> class Allocator> class json {
public:
    using array = std::vector<json, Allocator<json>>;
    using string = std::basic_string<char, std::char_traits<char>, Allocator<char>>;
    using object = std::map<string, json, std::less<>, Allocator<std::pair<const string, json>>>;

    json() = default;
    json(const json&) = delete;
    json& operator=(const json&) = delete;
    json(json&& other) noexcept
        : array_(std::exchange(other.array_, nullptr)), object_(std::exchange(other.object_, nullptr)) {}
    json& operator=(json&& other) noexcept {
        std::swap(array_, other.array_);
        std::swap(object_, other.object_);
        return *this;
    }
    ~json() {
        destroy(array_);
        destroy(object_);
    }
    void push_back(json value) {
        if (array_ == nullptr) array_ = create<array>();
        array_->push_back(std::move(value));
    }
    json& operator[](const char* key) {
        if (object_ == nullptr) object_ = create<object>();
        return (*object_)[key];
    }

private:
    template <class T> static T* create() {
        Allocator<T> allocator;
        using of_t = std::allocator_traits<Allocator<T>>;
        T* const made = of_t::allocate(allocator, 1);
        of_t::construct(allocator, made);
        return made;
    }
    template <class T> static void destroy(T* made) {
        if (made == nullptr) return;
        Allocator<T> allocator;
        std::allocator_traits<Allocator<T>>::destroy(allocator, made);
        std::allocator_traits<Allocator<T>>::deallocate(allocator, made, 1);
    }
    array* array_ = nullptr;
    object* object_ = nullptr;
};

}  // namespace

namespace {

/// A tree of values on a static resource.
template <template <class> class Allocator> json<Allocator> tree_of() {
    json<Allocator> root;
    for (int i = 0; i < 100; ++i) {
        json<Allocator> element;
        element["a name that is too std::int64_t for the string's own bytes"].push_back({});
        root["elements"].push_back(std::move(element));
    }
    return root;
}

}  // namespace

TEST_CASE("containers that make their allocators themselves live on a static_pool_allocator", "[pool_allocator]") {
    recorded_violations violations;
    {
        const json<on_static> on_checked = tree_of<on_static>();
        const json<on_debug_static> on_debug = tree_of<on_debug_static>();
        CHECK(in_use(static_resource) > 400);
        CHECK(in_use(debug_static_resource) == in_use(static_resource));
        CHECK(debug_static_resource.audit());
    }
    CHECK(in_use(static_resource) + in_use(debug_static_resource) == 0);
    {
        std::vector<int, static_pool_allocator<int, unchecked_static_resource>> on_unchecked(1000, 7);
        on_unchecked.resize(100000);
        std::list<int, static_pool_allocator<int, unchecked_static_resource>> list(100, 7);
        CHECK(in_use(unchecked_static_resource) == 100);
        std::vector<int, on_static<int>> first{1, 2, 3}, second;
        const int* const where = first.data();
        second = std::move(first);
        CHECK(second.data() == where);
    }
    CHECK(in_use(unchecked_static_resource) + in_use(static_resource) == 0);
    CHECK(violations.count() == 0);
}
