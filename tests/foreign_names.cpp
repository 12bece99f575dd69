// SPDX-License-Identifier: BSL-1.0
// A namespace with a greedy function of every name that the library might call. The library must never find one. They
// are deleted, so that a call that finds one does not compile.
#include <fixpool/fixpool.hpp>
#include <fixpool/static_pool.hpp>

#include <cstddef>
#include <unordered_set>
#include <utility>

#include "support/catch.hpp"

namespace greedy {

struct thing;

#define GREEDY(name)                                                 \
    void name(thing&) = delete;                                      \
    void name(thing*) = delete;                                      \
    template <class... Args> void name(Args&&...) = delete;          \
    template <class T, class... Args> void name(Args&&...) = delete; \
    template <std::size_t N, class... Args> void name(Args&&...) = delete
GREEDY(construct);
GREEDY(construct_at);
GREEDY(destroy);
GREEDY(destroy_at);
GREEDY(swap);
GREEDY(exchange);
GREEDY(move);
GREEDY(forward);
GREEDY(as_const);
GREEDY(launder);
GREEDY(addressof);
GREEDY(to_address);
GREEDY(address);
GREEDY(claim);
GREEDY(take);
GREEDY(put);
GREEDY(mark);
GREEDY(poison);
GREEDY(unpoison);
GREEDY(fence);
GREEDY(unfence);
GREEDY(raise);
GREEDY(raise_made);
GREEDY(stop);
GREEDY(report);
GREEDY(round_up);
GREEDY(rotated);
GREEDY(layout_for);
GREEDY(made_in);
GREEDY(object_in);
GREEDY(adopt);
GREEDY(allocate);
GREEDY(try_allocate);
GREEDY(data);
GREEDY(size);
GREEDY(begin);
GREEDY(end);
GREEDY(get);
GREEDY(hash_value);
#undef GREEDY

struct thing {
    explicit thing(int v = 0) : value(v) {}
    ~thing() {}
    int value;
    void operator&() const = delete;
    template <class Other> void operator,(Other&&) const = delete;
};
template <class A, class B> void operator==(A&&, B&&) = delete;
template <class A, class B> void operator!=(A&&, B&&) = delete;
template <class A, class B> void operator<(A&&, B&&) = delete;
template <class A, class B> void operator,(A&&, B&&) = delete;
template <class A> void operator!(A&&) = delete;
template <class A> void operator&(A&&) = delete;
template <class A> void operator*(A&&) = delete;

}  // namespace greedy

// Hashing a handle finds no function of T's namespace. Other libraries' functions are not tested here.
template struct std::hash<fixpool::block<greedy::thing>>;

TEMPLATE_TEST_CASE_SIG("no function of T's namespace is ever found", "[foreign_names]", ((fixpool::checking C), C),
                       fixpool::checking::unchecked, fixpool::checking::checked) {
    fixpool::typed_pool<greedy::thing, C> pool(3);
    const fixpool::shared_pool<greedy::thing, C> shared(3);
    auto a = pool.allocate(1);
    auto b = pool.try_allocate(2);
    auto c = pool.allocate_at({}, 3);
    const auto d = pool.try_allocate_for_overwrite();
    CHECK(static_cast<bool>(d) == false);
    a.swap(b);
    b = std::move(a);
    a = pool.adopt(b.release());
    c.reset();
    CHECK(a.get()->value + static_cast<int>(pool.in_use()) == 3);
    if constexpr (C != fixpool::checking::unchecked) {
        int visits = 0;
        pool.for_each([&visits](greedy::thing&) { ++visits; });
        std::as_const(pool).for_each([&visits](const greedy::thing&) { ++visits; });
        CHECK(visits == 2);  // one object, twice
        CHECK(pool.object_at(pool.index_of(a.get()))->value == 2);
        CHECK(pool.owns(a.get()));
        pool.sort_free_blocks();
    }
    CHECK(pool.contains(a.get()));
    auto e = shared.allocate(4);
    auto f = shared.try_allocate(5);
    auto g = shared.allocate_for_overwrite();
    e.swap(f);
    f = std::move(e);
    e = shared.adopt(f.release());
    CHECK(e->value == 5);
    CHECK(shared.contains(g.get()));
    const auto copy = shared;
    const auto& one = e;  // constant: otherwise greedy's == would match better than ours
    const auto& other = g;
    const bool are_equal = copy == shared && one == one && !(one == other);
    const bool are_ordered = (one <=> other) != 0;
    CHECK(are_equal);
    CHECK(are_ordered);
}

TEMPLATE_TEST_CASE_SIG("no function of T's namespace is found by a static_pool", "[foreign_names]",
                       ((fixpool::checking C), C), fixpool::checking::unchecked, fixpool::checking::checked) {
    static constinit fixpool::static_pool<greedy::thing, 3, C> pool;
    static constinit fixpool::static_pool<greedy::thing, 100000, C> large;
    auto a = pool.allocate(1);
    auto b = pool.try_allocate_at({}, 2);
    const auto c = pool.try_allocate_for_overwrite();
    a.swap(b);
    b = std::move(a);
    a = pool.adopt(b.release());
    CHECK(a.get()->value + static_cast<int>(pool.in_use()) == 4);
    CHECK(large.allocate(6).get()->value == 6);
    if constexpr (C != fixpool::checking::unchecked) {
        int visits = 0;
        pool.for_each([&visits](greedy::thing&) { ++visits; });
        std::as_const(pool).for_each([&visits](const greedy::thing&) { ++visits; });
        CHECK(visits == 4);  // two objects, twice
        CHECK(pool.object_at(pool.index_of(a.get()))->value == 2);
        CHECK(pool.owns(a.get()));
        pool.sort_free_blocks();
        CHECK(pool.audit());
    }
    CHECK(pool.contains(a.get()));
}
