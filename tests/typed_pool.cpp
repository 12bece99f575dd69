// SPDX-License-Identifier: BSL-1.0
#include <fixpool/typed_pool.hpp>

#include <fixpool/shared_pool.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/counted.hpp"
#include "support/heap.hpp"
#include "support/stolen.hpp"
#include "support/violations.hpp"

using fixpool::block;
using fixpool::checking;
using fixpool::typed_pool;
using fixpool::violation_kind;

template <class Pool> static constexpr bool keeps_contract() {
    static_assert(!std::is_copy_constructible_v<Pool> && !std::is_move_constructible_v<Pool>);
    static_assert(!std::is_copy_assignable_v<Pool> && !std::is_move_assignable_v<Pool>);
    static_assert(!std::is_convertible_v<std::size_t, Pool>);
    static_assert(noexcept(std::declval<Pool&>().adopt(nullptr)));
    static_assert(!noexcept(std::declval<Pool&>().allocate()));
    static_assert(
        noexcept(std::declval<const Pool&>().total_blocks())&& noexcept(std::declval<const Pool&>().available()));
    static_assert(noexcept(std::declval<const Pool&>().in_use())&& noexcept(std::declval<const Pool&>().peak_in_use()));
    static_assert(noexcept(std::declval<const Pool&>().block_size())&& noexcept(std::declval<const Pool&>().stride()));
    static_assert(noexcept(std::declval<const Pool&>().alignment())&& noexcept(std::declval<const Pool&>().stats()));
    return true;
}
static_assert(keeps_contract<typed_pool<int>>() && keeps_contract<typed_pool<int, checking::unchecked>>());

template <class Pool>
concept has_reset = requires(Pool& pool) {
    pool.reset();
};
static_assert(!has_reset<typed_pool<int>>);
template <class Pool>
concept has_for_each = requires(Pool& pool) {
    pool.for_each([](int&) {});
};
static_assert(has_for_each<typed_pool<int>> && !has_for_each<typed_pool<int, checking::unchecked>>);

TEMPLATE_TEST_CASE_SIG("a typed_pool of ten std::uint64_t holds 42", "[typed_pool]", ((checking C), C),
                       checking::unchecked, checking::checked) {
    typed_pool<std::uint64_t, C> pool(10);
    const auto number = pool.allocate(42u);
    CHECK(*number == 42);
    CHECK(pool.total_blocks() == 10);
    CHECK(pool.available() == 9);
    CHECK(pool.in_use() == 1);
    CHECK(pool.peak_in_use() == 1);
    CHECK(pool.block_size() == sizeof(std::uint64_t));
    CHECK(pool.stride() == sizeof(std::uint64_t));
    CHECK(pool.alignment() == alignof(std::uint64_t));
    CHECK(pool.stats().in_use == 1);
    CHECK(pool.stats().arena_bytes == pool.required_bytes(10));
}

TEMPLATE_TEST_CASE_SIG("a pool of two has none available while two blocks live, and two after their scope",
                       "[typed_pool]", ((checking C), C), checking::unchecked, checking::checked) {
    typed_pool<int, C> pool(2);
    {
        const auto first = pool.allocate(1);
        const auto second = pool.allocate(2);
        CHECK(pool.available() == 0);
        CHECK(*first + *second == 3);
    }
    CHECK(pool.available() == 2);
}

TEST_CASE("a block of std::string grows by += \" world\"", "[typed_pool]") {
    typed_pool<std::string> pool(4);
    const auto text = pool.allocate("hello");
    *text += " world";
    CHECK(*text == "hello world");
    CHECK(text->size() == 11);
}

TEMPLATE_TEST_CASE_SIG("an exhausted pool leaves the arguments untouched", "[typed_pool]", ((checking C), C),
                       checking::unchecked, checking::checked) {
    typed_pool<std::unique_ptr<int>, C> pool(1);
    const auto taken = pool.allocate(std::make_unique<int>(1));
    auto argument = std::make_unique<int>(2);
    CHECK(pool.try_allocate(std::move(argument)) == nullptr);
    REQUIRE(argument != nullptr);
    CHECK_THROWS_AS(pool.allocate(std::move(argument)), fixpool::pool_exhausted);
    REQUIRE(argument != nullptr);
    CHECK(pool.try_allocate_at({}, std::move(argument)) == nullptr);
    CHECK_THROWS_AS(pool.allocate_at({}, std::move(argument)), fixpool::pool_exhausted);
    REQUIRE(argument != nullptr);
    CHECK(*argument == 2);
}

TEST_CASE("allocate_at and try_allocate_at pass their arguments on", "[typed_pool]") {
    typed_pool<std::pair<int, std::string>> pool(2);
    const auto first = pool.allocate_at({}, 1, "one");
    const auto second = pool.try_allocate_at(fixpool::site::unknown(), 2, "two");
    CHECK(*first == std::pair<int, std::string>(1, "one"));
    CHECK(*second == std::pair<int, std::string>(2, "two"));
}

TEMPLATE_TEST_CASE_SIG("destructors run exactly once each", "[typed_pool]", ((checking C), C), checking::unchecked,
                       checking::checked) {
    counted::start();
    {
        typed_pool<counted, C> pool(8);
        std::vector<block<counted, C>> blocks;
        for (int i = 0; i < 8; ++i) blocks.push_back(pool.allocate(i));
        blocks[3].reset();
        blocks[5] = std::move(blocks[6]);
        blocks[3] = pool.allocate(9);
        counted* const given_up = blocks[0].release();
        blocks[0] = pool.adopt(given_up);
        CHECK(counted::constructed == 9);
        CHECK(counted::destroyed == 2);
    }
    CHECK(counted::destroyed == 9);
    CHECK(counted::destroyed_twice == 0);
}

TEMPLATE_TEST_CASE_SIG("every byte of a typed_pool goes back to where it came from", "[typed_pool]", ((checking C), C),
                       checking::unchecked, checking::checked) {
    const heap::usage before = heap::in_use();
    {
        typed_pool<std::string, C> pool(4);
        const auto text = pool.allocate(1000u, 'x');
        CHECK(heap::in_use().blocks == before.blocks + 2);
    }
    CHECK(heap::in_use() == before);
}

TEMPLATE_TEST_CASE_SIG("a constructor that throws gives its block back, at every turn", "[typed_pool]",
                       ((checking C), C), checking::unchecked, checking::checked) {
    for (int throw_at = 1; throw_at <= 4; ++throw_at) {
        counted::start(throw_at);
        typed_pool<counted, C> pool(3);
        std::vector<block<counted, C>> blocks;
        bool has_thrown = false;
        try {
            for (int i = 0; i < 3; ++i) blocks.push_back(pool.allocate(i));
        } catch (const std::runtime_error&) {
            has_thrown = true;
        }
        CHECK(has_thrown == (throw_at <= 3));
        CHECK(pool.in_use() == blocks.size());
        while (auto b = pool.try_allocate(0)) {
            blocks.push_back(std::move(b));
            if (blocks.size() > 3) break;
        }
        CHECK(blocks.size() == 3);
        CHECK(counted::constructed == 3);
        blocks.clear();
        CHECK(counted::destroyed == 3);
        CHECK(pool.in_use() == 0);
        counted::start();
    }
}

TEST_CASE("try_allocate lets the constructor's exception pass, and the block is back", "[typed_pool]") {
    counted::start(1);
    typed_pool<counted> pool(1);
    CHECK_THROWS_AS(pool.try_allocate(1), std::runtime_error);
    CHECK(pool.available() == 1);
    CHECK(pool.allocate(2)->value == 2);
}

TEST_CASE("a block whose constructor has thrown was never live", "[typed_pool]") {
    struct tells_address {
        explicit tells_address(tells_address** out) {
            *out = this;
            throw std::runtime_error("no");
        }
    };
    recorded_violations violations;
    typed_pool<tells_address> pool(1);
    tells_address* half_built = nullptr;
    CHECK_THROWS(pool.allocate(&half_built));
    CHECK(pool.adopt(half_built) == nullptr);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::double_free);
}

namespace {

struct family {
    family(typed_pool<family>& p, int generations) : pool(p) {
        if (generations > 0) child = p.allocate(p, generations - 1);
    }
    ~family() {
        in_use_at_death = pool.in_use();
        child.reset();                             // releases another block of the pool
        if (wants_heir && pool.available() > 0) {  // and allocates from it
            wants_heir = false;
            pool.allocate(pool, 0).reset();
        }
    }
    typed_pool<family>& pool;
    block<family> child;
    bool wants_heir = false;
    inline static std::size_t in_use_at_death = 0;
};

}  // namespace

TEST_CASE("a constructor may allocate from the same pool", "[typed_pool]") {
    recorded_violations violations;
    typed_pool<family> pool(4);
    {
        const auto root = pool.allocate(pool, 3);
        CHECK(pool.available() == 0);
    }
    CHECK(pool.available() == 4);
    CHECK_THROWS_AS(pool.allocate(pool, 4), fixpool::pool_exhausted);  // the fifth of five fails: all unwind
    CHECK(pool.available() == 4);
    CHECK(violations.count() == 0);
}

TEST_CASE("a destructor may allocate from the same pool and release to it", "[typed_pool]") {
    recorded_violations violations;
    typed_pool<family> pool(3);
    auto parent = pool.allocate(pool, 1);
    parent->wants_heir = true;
    parent->child->wants_heir = true;
    parent.reset();
    CHECK(pool.available() == 3);
    CHECK(violations.count() == 0);
}

TEST_CASE("a block counts as in use until its destructor has returned", "[typed_pool]") {
    typed_pool<family> pool(2);
    pool.allocate(pool, 0).reset();
    CHECK(family::in_use_at_death == 1);
    CHECK(pool.in_use() == 0);
    auto dying = pool.allocate(pool, 0);
    family* const object = dying.get();
    dying.reset();
    CHECK(pool.allocate(pool, 0).get() == object);  // and is the next one out
}

TEST_CASE("an object that is adopted while it is destroyed is not allocated", "[typed_pool]") {
    struct stubborn {
        typed_pool<stubborn>* pool = nullptr;
        ~stubborn() { (void)pool->adopt(this); }
    };
    recorded_violations violations;
    typed_pool<stubborn> pool(2);
    auto other = pool.allocate(&pool);
    pool.allocate(&pool).reset();  // also where other blocks are free
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::not_allocated);
    CHECK(violations.last().live_blocks == 2);
    other.reset();
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::not_allocated);
    CHECK(violations.last().index == 0);
    CHECK(pool.available() == 2);
}

TEST_CASE("release gives an object up, and adopt takes it back", "[typed_pool]") {
    counted::start();
    typed_pool<counted> pool(2);
    auto owner = pool.allocate(8);
    counted* const object = owner.release();
    CHECK(owner == nullptr);
    CHECK(pool.in_use() == 1);
    CHECK(object->value == 8);
    owner = pool.adopt(object);
    CHECK(owner.get() == object);
    owner.reset();
    CHECK(counted::destroyed == 1);
    CHECK(pool.adopt(nullptr) == nullptr);
}

TEST_CASE("adopting what is no live object is reported once, and the object is untouched", "[typed_pool]") {
    recorded_violations violations;
    typed_pool<std::uint64_t> pool(4, {.name = "numbers"});
    auto owner = pool.allocate(1u);
    std::uint64_t* const released = owner.get();
    owner.reset();
    const auto refused_as = [&](std::uint64_t* object) {
        CHECK(pool.adopt(object) == nullptr);
        REQUIRE(violations.count() == 1);
        CHECK(violations.last().pool == &pool);
        return violations.last().kind;
    };
    std::uint64_t foreign = 77;
    CHECK(refused_as(released) == violation_kind::double_free);
    CHECK(refused_as(released + 1) == violation_kind::not_allocated);
    CHECK(refused_as(&foreign) == violation_kind::foreign_pointer);
    CHECK(refused_as(reinterpret_cast<std::uint64_t*>(reinterpret_cast<char*>(released) + 4)) ==
          violation_kind::misaligned_pointer);
    CHECK(foreign == 77);
    CHECK(pool.available() == 4);
}

TEST_CASE("a handle that is copied byte by byte destroys nothing twice", "[typed_pool]") {
    recorded_violations violations;
    typed_pool<counted> pool(2);
    counted::start();
    use_stolen_handles(pool, violations);
    CHECK(counted::destroyed == 2);
    CHECK(counted::destroyed_twice == 0);
    CHECK(pool.in_use() == 0);
}

TEST_CASE("a second owner is found where he is made, and the object stays with the first", "[typed_pool]") {
    counted::start();
    recorded_violations violations;
    typed_pool<counted> pool(2);
    auto owner = pool.allocate(1);
    for (int turn = 0; turn < 2; ++turn) {  // before and after the object was given up once
        CHECK(pool.adopt(owner.get()) == nullptr);
        REQUIRE(violations.count() == 1);
        CHECK(violations.last().kind == violation_kind::still_owned);
        CHECK(violations.last().address == owner.get());
        CHECK(violations.last().index == 0);
        owner = pool.adopt(owner.release());
    }
    CHECK(counted::destroyed == 0);
    owner.reset();
    CHECK(violations.count() == 0);
    CHECK(counted::destroyed == 1);
    CHECK(pool.available() == 2);
}

TEST_CASE("unchecked adoption works and checks nothing", "[typed_pool]") {
    recorded_violations violations;
    typed_pool<int, checking::unchecked> pool(2);
    int* const object = pool.allocate(4).release();
    CHECK(*pool.adopt(object) == 4);
    CHECK(pool.in_use() == 0);
    CHECK(pool.adopt(nullptr) == nullptr);
    CHECK(violations.count() == 0);
}

TEST_CASE("for_each visits finished objects in address order", "[typed_pool]") {
    typed_pool<int> pool(5);
    std::array<block<int>, 5> blocks;
    for (int i = 0; i < 5; ++i) blocks[static_cast<std::size_t>(i)] = pool.allocate(i);
    blocks[1].reset();
    blocks[3].reset();
    std::vector<int> seen;
    pool.for_each([&seen](int& value) { seen.push_back(value++); });
    CHECK(seen == std::vector<int>{0, 2, 4});
    CHECK(*blocks[4] == 5);
}

namespace {

struct looks_around {
    looks_around(typed_pool<looks_around>& p, int& s) : pool(p), seen(s) { look(); }
    ~looks_around() { look(); }
    void look() {
        seen = 0;
        pool.for_each([this](looks_around&) { ++seen; });
    }
    typed_pool<looks_around>& pool;
    int& seen;
};

}  // namespace

TEST_CASE("for_each leaves out what is being constructed or destroyed", "[typed_pool]") {
    typed_pool<looks_around> pool(3);
    int seen = -1;
    auto first = pool.allocate(pool, seen);
    CHECK(seen == 0);
    auto second = pool.allocate(pool, seen);
    CHECK(seen == 1);
    first.reset();
    CHECK(seen == 1);
    second.reset();
    CHECK(seen == 0);
}

TEST_CASE("a typed_pool on a borrowed buffer allocates nothing", "[typed_pool]") {
    constexpr std::size_t size = typed_pool<std::uint64_t>::required_bytes(4);
    alignas(8) std::array<std::byte, size> buffer;
    const std::size_t allocations = heap::allocations();
    typed_pool<std::uint64_t> pool(4, fixpool::arena::borrow(buffer), {.name = "static"});
    const bool is_right = *pool.allocate(5u) == 5;
    CHECK(heap::allocations() == allocations);
    CHECK(is_right);
    CHECK_THROWS_AS((typed_pool<std::uint64_t>(5, fixpool::arena::borrow(buffer))), std::length_error);
}

TEST_CASE("a typed_pool refuses no blocks and too many", "[typed_pool]") {
    CHECK_THROWS_AS(typed_pool<int>(0), std::invalid_argument);
    CHECK_THROWS_AS(typed_pool<int>(static_cast<std::size_t>(-1)), std::length_error);
    CHECK_THROWS_AS(typed_pool<int>::required_bytes(0), std::invalid_argument);
}

// Every kind of T.
namespace {

struct empty {};
union either {
    int number;
    float fraction;
};
enum class color { red, green };
struct aggregate {
    int number;
    std::string text;
};
struct nested_aggregate {
    aggregate first;
    int second = 9;
};
struct immovable {
    explicit immovable(int v) : value(v) {}
    immovable(immovable&&) = delete;
    int value;
};
struct move_only {
    explicit move_only(std::unique_ptr<int> p) : pointer(std::move(p)) {}
    std::unique_ptr<int> pointer;
};
struct no_default {
    explicit no_default(int& r) : reference(r) {}
    int& reference;
};
struct bits {
    unsigned low : 3;
    unsigned high : 5;
};
struct shape {
    virtual ~shape() = default;
    virtual int corners() const { return 0; }
};
struct second_base {
    virtual ~second_base() = default;
    int more = 1;
};
struct square final : shape, second_base {
    int corners() const override { return 4; }
};
template <std::size_t N> struct alignas(N) aligned { char byte = 'a'; };
struct hides_address {
    int value = 3;
    hides_address* operator&() { return nullptr; }
    hides_address* operator,(int) { return nullptr; }
};
struct denies_address {
    int value = 4;
    void operator&() = delete;
};
struct own_new {
    int value = 5;
    static void* operator new(std::size_t) = delete;
    static void* operator new(std::size_t, void*) = delete;
};
struct greedy {
    template <class... Args> explicit greedy(Args&&...) : count(sizeof...(Args)) {}
    std::size_t count;
};

}  // namespace

TEMPLATE_TEST_CASE_SIG("every kind of type can be pooled", "[typed_pool]", ((checking C), C), checking::unchecked,
                       checking::checked) {
    SECTION("empty, union, enum, pointer, function pointer, lambda, bit-fields") {
        typed_pool<empty, C> empties(3);
        const auto e1 = empties.allocate();
        const auto e2 = empties.allocate();
        CHECK(e1.get() != e2.get());
        typed_pool<either, C> unions(1);
        CHECK(unions.allocate(either{.number = 3})->number == 3);
        typed_pool<color, C> enums(1);
        CHECK(*enums.allocate(color::green) == color::green);
        CHECK(*enums.allocate() == color::red);
        typed_pool<int*, C> pointers(1);
        CHECK(*pointers.allocate() == nullptr);
        typed_pool<int (*)(int), C> functions(1);
        CHECK((*functions.allocate([](int i) { return i + 1; }))(1) == 2);
        const auto lambda = [](int i) { return 2 * i; };
        typed_pool<std::remove_const_t<decltype(lambda)>, C> lambdas(1);
        CHECK((*lambdas.allocate(lambda))(4) == 8);
        typed_pool<bits, C> bit_fields(1);
        CHECK(bit_fields.allocate(bits{1, 2})->high == 2);
    }
    SECTION("no arguments make a value, not garbage") {
        typed_pool<int, C> numbers(1);
        auto b = numbers.allocate(7);
        b.reset();
        CHECK(*numbers.allocate() == 0);
    }
    SECTION("aggregates, by parentheses or braces, as the compiler can") {
        typed_pool<aggregate, C> aggregates(1);
        CHECK(aggregates.allocate(1, "one")->text == "one");
        CHECK(aggregates.allocate()->number == 0);
        CHECK(aggregates.allocate(aggregate{2, "two"})->number == 2);
        typed_pool<nested_aggregate, C> nested(1);
        CHECK(nested.allocate(aggregate{3, "three"})->second == 9);
        typed_pool<std::array<int, 3>, C> arrays(1);
        CHECK((*arrays.allocate(std::array<int, 3>{1, 2, 3}))[2] == 3);
    }
    SECTION("parentheses come first: a vector of so many, not of these") {
        typed_pool<std::vector<int>, C> vectors(1);
        CHECK(vectors.allocate(3u, 7)->size() == 3);
        CHECK(vectors.allocate(std::initializer_list<int>{3, 7})->size() == 2);
    }
    SECTION("immovable, move-only, without a default constructor") {
        typed_pool<immovable, C> immovables(1);
        CHECK(immovables.allocate(5)->value == 5);
        typed_pool<move_only, C> movables(1);
        CHECK(*movables.allocate(std::make_unique<int>(6))->pointer == 6);
        int number = 7;
        typed_pool<no_default, C> references(1);
        CHECK(&references.allocate(number)->reference == &number);
    }
    SECTION("polymorphic and final") {
        typed_pool<square, C> squares(1);
        const auto s = squares.allocate();
        const shape& as_shape = *s;
        CHECK(as_shape.corners() == 4);
        CHECK(s->more == 1);
    }
    SECTION("over-aligned, up to more than a page") {
        typed_pool<aligned<64>, C> by_64(3);
        typed_pool<aligned<4096>, C> by_page(3);
        typed_pool<aligned<65536>, C> by_64k(2);
        const auto is_aligned = [](const auto& b, std::size_t n) {
            return reinterpret_cast<std::uintptr_t>(b.get()) % n == 0 && b->byte == 'a';
        };
        const auto p1 = by_page.allocate();
        const auto p2 = by_page.allocate();
        const auto k1 = by_64k.allocate();
        const auto k2 = by_64k.allocate();
        CHECK(is_aligned(by_64.allocate(), 64));
        CHECK((is_aligned(p1, 4096) && is_aligned(p2, 4096)));
        CHECK((is_aligned(k1, 65536) && is_aligned(k2, 65536)));
    }
    SECTION("operator& and operator new of its own, or none") {
        typed_pool<hides_address, C> hiding(1);
        CHECK(hiding.allocate()->value == 3);
        typed_pool<denies_address, C> denying(1);
        const auto d = denying.allocate();
        CHECK(d->value == 4);
        typed_pool<own_new, C> own(1);
        CHECK(own.allocate()->value == 5);
    }
    SECTION("a constructor that takes anything gets just the arguments") {
        typed_pool<greedy, C> greedies(1);
        CHECK(greedies.allocate()->count == 0);
        CHECK(greedies.allocate(1, "two", 3.0)->count == 3);
    }
}

namespace {

struct linked {
    int value;
    block<linked> next;
};

}  // namespace

TEST_CASE("a pointer into an object that is being constructed is misaligned", "[typed_pool]") {
    struct self {
        explicit self(typed_pool<self>& pool) {
            (void)pool.adopt(reinterpret_cast<self*>(reinterpret_cast<std::uintptr_t>(this) + 4));
        }
        int numbers[4] = {};
    };
    recorded_violations violations;
    typed_pool<self> pool(2);
    const auto object = pool.allocate(pool);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::misaligned_pointer);
    CHECK(violations.last().index == 0);
}

TEST_CASE("an object that is being constructed cannot be adopted", "[typed_pool]") {
    struct self {
        self(typed_pool<self>& pool, bool does_throw) {
            pool.adopt(this).reset();
            if (does_throw) throw std::runtime_error("no");
        }
    };
    recorded_violations violations;
    typed_pool<self> pool(2);
    CHECK_THROWS(pool.allocate(pool, true));
    CHECK(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::not_allocated);
    CHECK(pool.in_use() == 0);
    const auto object = pool.allocate(pool, false);
    CHECK(violations.count() == 1);
    CHECK(pool.in_use() == 1);
}

TEST_CASE("a destructor that allocates meets a full pool: its own block is not back yet", "[typed_pool]") {
    struct hopeful {
        typed_pool<hopeful>* pool = nullptr;
        bool* was_full = nullptr;
        ~hopeful() {
            if (was_full != nullptr) *was_full = pool->try_allocate() == nullptr;
        }
    };
    typed_pool<hopeful> pool(1);
    bool was_full = false;
    pool.allocate(&pool, &was_full).reset();
    CHECK(was_full);
    CHECK(pool.available() == 1);
}

TEST_CASE("an aggregate may be given fewer values than it has members", "[typed_pool]") {
    typed_pool<linked> pool(2);
    const auto first = pool.allocate(1);
    CHECK(first->value == 1);
    CHECK(first->next == nullptr);
}

namespace {

struct takes_anything {
    takes_anything() = default;
    template <class Other> explicit takes_anything(Other&&) : was_given(true) {}
    bool was_given = false;
};

}  // namespace

TEMPLATE_TEST_CASE_SIG("allocate_for_overwrite leaves an aggregate as it was, allocate sets it to 0", "[typed_pool]",
                       ((checking C), C), checking::unchecked, checking::checked) {
    struct packet {
        unsigned char bytes[64];
    };
    typed_pool<packet, C> pool(1);
    auto first = pool.allocate_for_overwrite();
    std::fill(std::begin(first->bytes), std::end(first->bytes), static_cast<unsigned char>(7));
    first.reset();
#if !FIXPOOL_HAS_FEATURE(memory_sanitizer)
    first = pool.allocate_for_overwrite();
    CHECK(std::count(std::begin(first->bytes), std::end(first->bytes), 7) == 64);
    first.reset();
    first = pool.try_allocate_for_overwrite();
    CHECK(std::count(std::begin(first->bytes), std::end(first->bytes), 7) == 64);
    first.reset();
#endif
    first = pool.allocate();
    CHECK(std::count(std::begin(first->bytes), std::end(first->bytes), 0) == 64);
    CHECK(pool.try_allocate_for_overwrite() == nullptr);
    CHECK_THROWS_AS(pool.allocate_for_overwrite(), fixpool::pool_exhausted);
    CHECK(pool.stats().refused == 2);
    typed_pool<std::string, C> texts(1);
    CHECK(texts.allocate_for_overwrite()->empty());  // a default constructor runs
    CHECK(texts.try_allocate_for_overwrite()->empty());
    typed_pool<takes_anything, C> eager(1);
    CHECK_FALSE(eager.allocate_for_overwrite()->was_given);
    CHECK(eager.allocate(5)->was_given);
}

namespace {
#if defined(__clang__)
enum [[gnu::aligned(16)]] wide_color : int{red, green};
#else
enum alignas(16) wide_color : int { red, green };
#endif
}  // namespace

TEMPLATE_TEST_CASE_SIG("a type whose size is no multiple of its alignment has every object aligned", "[typed_pool]",
                       ((checking C), C), checking::unchecked, checking::checked) {
    static_assert(sizeof(wide_color) == 4 && alignof(wide_color) == 16);
    typed_pool<wide_color, C> pool(3);
    const fixpool::shared_pool<wide_color, C> shared(3);
    CHECK(pool.stride() == 16);
    CHECK(shared.stride() == 16);
    CHECK(pool.block_size() == 4);
    constexpr std::size_t fitting = typed_pool<wide_color, C>::blocks_in(1000);
    STATIC_REQUIRE(typed_pool<wide_color, C>::required_bytes(fitting) <= 1000);
    STATIC_REQUIRE(typed_pool<wide_color, C>::required_bytes(fitting + 1) > 1000);
    std::array<block<wide_color, C>, 3> colors;
    std::array<fixpool::shared_block<wide_color, C>, 3> shared_colors;
    for (auto& color : colors) color = pool.allocate(green);
    for (auto& color : shared_colors) color = shared.allocate(red);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(reinterpret_cast<std::uintptr_t>(colors[i].get()) % 16 == 0);
        CHECK(reinterpret_cast<std::uintptr_t>(shared_colors[i].get()) % 16 == 0);
        CHECK(pool.index_of(colors[i].get()) == i);
        CHECK(shared.index_of(shared_colors[i].get()) == i);
        colors[i] = pool.adopt(colors[i].release());
        CHECK(*colors[i] == green);
        shared_colors[i] = shared.adopt(shared_colors[i].release());
        CHECK(*shared_colors[i] == red);
    }
    const wide_color* const second = shared_colors[1].get();
    shared_colors[1] = nullptr;
    shared_colors[1] = shared.allocate(green);
    CHECK(shared_colors[1].get() == second);  // it was the block of that object that went back
    CHECK(*shared_colors[0] == red);
    if constexpr (C == checking::checked) {
        int greens = 0;
        pool.for_each([&greens](wide_color& color) { greens += color == green ? 1 : 0; });
        CHECK(greens == 3);
        CHECK(pool.object_at(2) == colors[2].get());
    }
}

TEST_CASE("an object is found by its index, while it lives", "[typed_pool]") {
    typed_pool<std::string> pool(3, {.name = "texts"});
    const typed_pool<std::string>& view = pool;
    CHECK(std::string(pool.name()) == "texts");
    CHECK(pool.object_at(0) == nullptr);
    auto first = pool.allocate("first");
    auto second = pool.allocate("second");
    CHECK(pool.object_at(0) == first.get());
    CHECK(*view.object_at(1) == "second");
    CHECK(pool.object_at(2) == nullptr);
    CHECK(pool.object_at(3) == nullptr);
    CHECK(pool.object_at(pool.npos) == nullptr);
    CHECK(pool.index_of(second.get()) == 1);
    CHECK(pool.contains(second->data()) == pool.contains(second.get()));  // in the small string's own bytes
    CHECK_FALSE(pool.contains(&pool));
    CHECK(pool.owns(second.get()));
    CHECK_FALSE(pool.owns(reinterpret_cast<const char*>(second.get()) + 1));
    std::string* const given_up = second.release();
    CHECK(pool.object_at(1) == given_up);  // it lives, though nobody owns it
    CHECK(pool.owns(given_up));
    second = pool.adopt(given_up);
    std::string* const gone = first.get();
    first.reset();
    CHECK(pool.object_at(0) == nullptr);
    CHECK_FALSE(pool.owns(gone));
    CHECK(pool.index_of(gone) == 0);
    std::vector<const std::string*> seen;
    view.for_each([&seen](const std::string& text) { seen.push_back(&text); });
    CHECK(seen == std::vector<const std::string*>{second.get()});
    view.for_each([](auto& text) { STATIC_REQUIRE(std::is_const_v<std::remove_reference_t<decltype(text)>>); });
    first = pool.allocate("third");
    auto last = pool.allocate("last");
    first.reset();
    last.reset();
    pool.sort_free_blocks();
    CHECK(pool.index_of(pool.allocate("in the lowest").get()) == 0);
    CHECK(pool.stats().refused == 0);
    CHECK(pool.in_use() == 1);
    CHECK(pool.peak_in_use() == 3);
}

TEST_CASE("a given-up object is visited, and reported when its pool dies", "[typed_pool]") {
    typed_pool<int> pool(2);
    int* const given_up = pool.allocate(5).release();
    int sum = 0;
    pool.for_each([&sum](int& value) { sum += value; });
    CHECK(sum == 5);
    pool.adopt(given_up).reset();
}

TEST_CASE("how many objects fit into a buffer", "[typed_pool]") {
    alignas(std::string) static std::byte storage[1000];
    constexpr std::size_t count = typed_pool<std::string>::blocks_in(sizeof storage);
    STATIC_REQUIRE(typed_pool<std::string>::required_bytes(count) <= sizeof storage);
    STATIC_REQUIRE(typed_pool<std::string>::required_bytes(count + 1) > sizeof storage);
    STATIC_REQUIRE(fixpool::shared_pool<std::string>::blocks_in(sizeof storage) == count);
    const volatile std::size_t bytes = sizeof storage;  // and at run time
    const volatile std::size_t three = 3;
    using shared = fixpool::shared_pool<std::string>;
    CHECK(typed_pool<std::string>::blocks_in(bytes) == count);
    CHECK(shared::blocks_in(bytes) == count);
    CHECK(typed_pool<std::string>::required_metadata_bytes(three) == shared::required_metadata_bytes(three));
    typed_pool<std::string> pool(count, fixpool::arena::borrow(storage));
    alignas(std::string) static std::byte blocks[3 * sizeof(std::string)];
    static std::byte metadata[typed_pool<std::string>::required_metadata_bytes(3)];
    typed_pool<std::string> apart(3, fixpool::arena::borrow(blocks, metadata));
    CHECK(static_cast<void*>(apart.allocate("text").get()) == blocks);
}

namespace {
struct base_without_virtual_destructor {
    virtual int number() const { return 1; }
    int value = 0;
};
struct has_its_own_names {  // names that the library's templates use, too
    using T = int;
    using Object = char;
    using Owner = long;
    T value = 6;
};
}  // namespace

TEST_CASE("a polymorphic type without a virtual destructor, and one with names of its own", "[typed_pool]") {
    typed_pool<base_without_virtual_destructor> pool(1);
    CHECK(pool.allocate()->number() == 1);
    typed_pool<has_its_own_names> names(1);
    CHECK(names.allocate()->value == 6);
}
