// SPDX-License-Identifier: BSL-1.0
// Code that programs write, with the warnings that programs turn on. No line of the library may cause one.
#include <fixpool/arenas.hpp>
#include <fixpool/debug_pages.hpp>
#include <fixpool/fixpool.hpp>
#include <fixpool/growing_pool.hpp>
#include <fixpool/static_pool.hpp>

#include <utility>

struct base {  // polymorphic, without a virtual destructor
    virtual int number() { return 1; }
    int value = 0;
};
struct narrow {
    explicit narrow(short v) : value(v) {}
    short value;
};
struct pair {
    char first;
    double second;
};

template <fixpool::checking C> static int use() {
    fixpool::typed_pool<base, C> bases(3);
    const fixpool::shared_pool<base, C> shared(3);
    auto one = bases.allocate();
    auto two = shared.allocate();
    fixpool::typed_pool<narrow, C> narrows(3);
    fixpool::typed_pool<pair, C> pairs(3);
    const int large = 3;  // an int for a short: the caller decides how arguments convert
    const auto three = narrows.allocate(large);
    const auto four = pairs.allocate('4', 4.0);
    const auto five = pairs.allocate_for_overwrite();
    static constinit fixpool::static_pool<base, 3, C> static_bases;
    static constinit fixpool::static_pool<narrow, 70000, C> static_narrows;
    auto six = static_bases.allocate();
    six = static_bases.adopt(six.release());
    const auto seven = static_narrows.allocate(large);
    one = bases.adopt(one.release());
    two = shared.adopt(two.release());
    fixpool::basic_memory_pool<C> raw({24, 3});
    fixpool::basic_memory_pool<C> moved(std::move(raw));
    static unsigned char lent[1000];
    const int size = 1000;
    const fixpool::basic_memory_pool<C> borrowed({24, 3}, fixpool::arena::borrow({lent, size}));
    const fixpool::basic_memory_pool<C> mapped({24, 3}, fixpool::mapped_arena({.guard_pages = true}));
    const fixpool::basic_memory_pool<C> from_resource({24, 3},
                                                      fixpool::memory_resource_arena(std::pmr::new_delete_resource()));
    moved.deallocate(moved.allocate());
    fixpool::basic_growing_pool<C> growing(24);
    growing.deallocate(growing.allocate());
    fixpool::growing_typed_pool<narrow, C> growing_narrows;
    auto eight = growing_narrows.try_allocate(large);
    eight = growing_narrows.adopt(eight.release());
    return one->number() + two->number() + three->value + static_cast<int>(four->second) + (five ? 1 : 0) +
           six->number() - 1 + seven->value - 3;
}

/// Static pools do not have all of these levels.
static int use_debug() {
    fixpool::basic_growing_pool<fixpool::checking::debug> raw(24);
    raw.deallocate(raw.allocate());
    fixpool::growing_typed_pool<narrow, fixpool::checking::debug> narrows;
    const int large = 3;
    auto one = narrows.allocate(large);
    one = narrows.adopt(one.release());
    auto two = narrows.try_allocate_at({}, large);
    return one->value - two->value;
}

int main() {
    return use_debug() + use<fixpool::checking::checked>() + use<fixpool::checking::unchecked>() == 20 ? 0 : 1;
}
