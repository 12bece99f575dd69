// SPDX-License-Identifier: BSL-1.0
#include <fixpool/block.hpp>
#include <fixpool/typed_pool.hpp>

#include <compare>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/counted.hpp"
#include "support/violations.hpp"

using fixpool::block;
using fixpool::checking;
using fixpool::typed_pool;

template <class Block> static constexpr bool keeps_contract() {
    static_assert(sizeof(Block) == 2 * sizeof(void*));
    static_assert(!std::is_copy_constructible_v<Block> && !std::is_copy_assignable_v<Block>);
    static_assert(std::is_nothrow_default_constructible_v<Block>);
    static_assert(std::is_nothrow_move_constructible_v<Block> && std::is_nothrow_move_assignable_v<Block>);
    static_assert(std::is_nothrow_swappable_v<Block> && std::is_nothrow_destructible_v<Block>);
    static_assert(noexcept(std::declval<Block&>().reset())&& noexcept(std::declval<Block&>().release()));
    static_assert(noexcept(std::declval<Block&>().get())&& noexcept(*std::declval<Block&>()));
    static_assert(noexcept(std::declval<Block&>().operator->())&& noexcept(std::declval<Block&>() == nullptr));
    static_assert(!std::is_convertible_v<Block, bool> && std::is_constructible_v<bool, Block>);
    return true;
}
static_assert(keeps_contract<block<int>>() && keeps_contract<block<int, checking::unchecked>>());
static_assert(std::is_same_v<decltype(std::declval<const block<int>&>().get()), int*>);

struct base {
    virtual ~base() = default;
};
struct derived : base {};
static_assert(!std::is_convertible_v<block<derived>, block<base>>);
static_assert(!std::is_constructible_v<block<base>, block<derived>>);
static_assert(!std::is_assignable_v<block<base>&, block<derived>>);
static_assert(!std::is_convertible_v<block<int>, block<int, checking::unchecked>>);

// A block of an incomplete type may be named, stored and declared.
struct unknown;
struct holder {
    block<unknown>* somewhere = nullptr;
};
block<unknown> declared_only();
[[maybe_unused]] static bool is_empty(const block<unknown>& b) { return b == nullptr || nullptr == b; }
struct node {
    int value = 0;
    block<node> next;
};

TEST_CASE("an empty block is false, nullptr and harmless", "[block]") {
    block<int> empty;
    CHECK_FALSE(empty);
    CHECK(empty == nullptr);
    CHECK(nullptr == empty);
    CHECK(empty.get() == nullptr);
    CHECK(empty.release() == nullptr);
    empty.reset();
    empty.reset();
    block<int> other;
    swap(empty, other);
    empty = std::move(other);
    CHECK(holder{}.somewhere == nullptr);
}

TEMPLATE_TEST_CASE_SIG("a moved-from block is empty and the object moves along", "[block]", ((checking C), C),
                       checking::unchecked, checking::checked) {
    counted::start();
    typed_pool<counted, C> pool(2);
    {
        auto first = pool.allocate(7);
        counted* const object = first.get();
        auto second = std::move(first);
        CHECK(first == nullptr);
        CHECK_FALSE(first);
        CHECK(second);
        CHECK(second.get() == object);
        CHECK(second->value == 7);
        CHECK((*second).value == 7);
        first.reset();  // no-op
        CHECK(pool.in_use() == 1);
        first = std::move(second);
        CHECK(second == nullptr);
        CHECK(first.get() == object);
        CHECK(counted::destroyed == 0);
    }
    CHECK(counted::destroyed == 1);
    CHECK(pool.available() == 2);
    typed_pool<counted, C> other(1);
    auto here = pool.allocate(8);
    auto there = other.allocate(9);
    const auto moved = std::move(here);
    const auto moved_too = std::move(there);
    CHECK(here == there);  // both are empty, wherever their objects were
}

TEST_CASE("moving onto itself and swapping with itself leave a block as it was", "[block]") {
    counted::start();
    typed_pool<counted> pool(2);
    {
        auto b = pool.allocate(3);
        auto& same = b;
        b = std::move(same);
        REQUIRE(b);
        swap(b, same);
        b.swap(same);
        CHECK(b->value == 3);
        CHECK(counted::destroyed == 0);
    }
    CHECK(counted::destroyed == 1);
}

TEST_CASE("moving over a live block releases the old one once, when the new one is in place", "[block]") {
    struct watcher {
        block<watcher>* handle = nullptr;
        watcher** seen = nullptr;
        ~watcher() {
            if (seen != nullptr) *seen = handle->get();
        }
    };
    recorded_violations violations;
    typed_pool<watcher> pool(2);
    watcher* seen = nullptr;
    block<watcher> handle = pool.allocate();
    handle->handle = &handle;
    handle->seen = &seen;
    block<watcher> fresh = pool.allocate();
    watcher* const renewed = fresh.get();
    handle = std::move(fresh);
    CHECK(seen == renewed);
    CHECK(handle.get() == renewed);
    CHECK(pool.in_use() == 1);
    CHECK(violations.count() == 0);
}

TEST_CASE("swap exchanges objects and their pools", "[block]") {
    typed_pool<int> first(1);
    typed_pool<int> second(1);
    auto a = first.allocate(1);
    auto b = second.allocate(2);
    swap(a, b);
    CHECK(*a == 2);
    CHECK(*b == 1);
    a.reset();
    CHECK(first.in_use() == 1);
    CHECK(second.in_use() == 0);
    swap(a, b);
    CHECK(b == nullptr);
    a.reset();
    CHECK(first.in_use() == 0);
}

TEST_CASE("a block that resets itself in the destructor of its object does it once", "[block]") {
    struct self {
        block<self>* handle = nullptr;
        int* runs = nullptr;
        ~self() {
            ++*runs;
            if (handle->get() == nullptr) handle->reset();
        }
    };
    recorded_violations violations;
    typed_pool<self> pool(1);
    int runs = 0;
    block<self> handle = pool.allocate();
    handle->handle = &handle;
    handle->runs = &runs;
    handle.reset();
    CHECK(runs == 1);
    CHECK(pool.available() == 1);
    CHECK(violations.count() == 0);
}

TEST_CASE("a block is empty already when the destructor of its object runs", "[block]") {
    struct witness {
        block<witness>* handle = nullptr;
        bool* was_empty = nullptr;
        ~witness() { *was_empty = *handle == nullptr; }
    };
    typed_pool<witness> pool(1);
    bool was_empty = false;
    block<witness> handle = pool.allocate();
    handle->handle = &handle;
    handle->was_empty = &was_empty;
    handle.reset();
    CHECK(was_empty);
}

TEST_CASE("a released block cannot be released again", "[block]") {
    recorded_violations violations;
    typed_pool<int> pool(2);
    auto b = pool.allocate(5);
    b.reset();
    b.reset();  // empty: nothing happens
    CHECK(pool.available() == 2);

    auto c = pool.allocate(6);
    auto d = std::move(c);
    c.reset();  // moved from: nothing happens
    CHECK(pool.available() == 1);
    d.reset();
    CHECK(violations.count() == 0);

    fixpool::memory_pool raw({64, 1});
    void* const p = raw.allocate();
    raw.deallocate(p);
    raw.deallocate(p);  // raw: a violation
    CHECK(violations.count() == 1);
    CHECK(violations.last().kind == fixpool::violation_kind::double_free);
}

TEST_CASE("blocks live in containers", "[block]") {
    typed_pool<std::string> pool(100);
    std::vector<block<std::string>> blocks(50);
    for (auto& b : blocks) b = pool.allocate("text");
    for (int i = 0; i < 50; ++i) blocks.push_back(pool.allocate("more text"));
    CHECK(pool.available() == 0);
    CHECK(*blocks[99] == "more text");
    blocks.erase(blocks.begin(), blocks.begin() + 60);
    CHECK(pool.available() == 60);
    std::optional<block<std::string>> maybe(std::move(blocks.back()));
    blocks.clear();
    CHECK(pool.in_use() == 1);
    maybe.reset();
    CHECK(pool.in_use() == 0);
}

TEST_CASE("a type may hold blocks of itself", "[block]") {
    typed_pool<node> pool(3);
    {
        auto first = pool.allocate();
        first->next = pool.allocate();
        first->next->next = pool.allocate();
        first->next->next->value = 3;
        CHECK(pool.available() == 0);
    }
    CHECK(pool.available() == 3);
}

TEST_CASE("a million linked blocks are released one by one without recursion", "[block]") {
    typed_pool<node> pool(1'000'000);
    block<node> head;
    for (int i = 0; i < 1'000'000; ++i) {
        block<node> fresh = pool.allocate();
        fresh->next = std::move(head);
        head = std::move(fresh);
    }
    CHECK(pool.available() == 0);
    while (head) head = std::move(head->next);
    CHECK(pool.available() == 1'000'000);
}

TEST_CASE("blocks compare and hash by the address of their object, as unique_ptr does", "[block]") {
    typed_pool<int> pool(3);
    auto first = pool.allocate(1);
    auto second = pool.allocate(2);
    const block<int> empty;
    CHECK(first == first);
    CHECK(first != second);
    CHECK(first < second);
    CHECK(second > first);
    CHECK(first <= second);
    CHECK(empty == nullptr);
    CHECK(nullptr != first);
    CHECK(empty < first);
    CHECK((first <=> second) == std::strong_ordering::less);
    CHECK(std::hash<block<int>>()(first) == std::hash<int*>()(first.get()));
    CHECK(std::hash<block<int>>()(empty) == std::hash<int*>()(nullptr));

    int* const first_address = first.get();
    std::unordered_set<block<int>> hashed;
    hashed.insert(std::move(first));
    hashed.insert(std::move(second));
    hashed.insert(pool.allocate(3));
    CHECK(hashed.size() == 3);
    std::set<block<int>> ordered;
    while (!hashed.empty()) ordered.insert(std::move(hashed.extract(hashed.begin()).value()));
    CHECK(ordered.begin()->get() == first_address);
    CHECK(pool.in_use() == 3);
    ordered.clear();
    CHECK(pool.in_use() == 0);
}

TEST_CASE("nullptr is an empty block, and empties one", "[block]") {
    typed_pool<int> pool(1);
    block<int> none = nullptr;
    CHECK(none == nullptr);
    none = pool.allocate(1);
    none = nullptr;
    CHECK(none == nullptr);
    CHECK(pool.in_use() == 0);
    none = pool.allocate(1);
    none = {};
    CHECK(pool.in_use() == 0);
    static_assert(std::is_nothrow_constructible_v<block<int>, std::nullptr_t>);
    static_assert(std::is_nothrow_assignable_v<block<int>&, std::nullptr_t>);
    static_assert(!std::is_constructible_v<block<int>, int*>);
}
