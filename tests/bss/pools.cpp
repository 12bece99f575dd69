// SPDX-License-Identifier: BSL-1.0
// Static pools of both levels, small and large, for `run` to look for in the object file. PLANTED is a pool that breaks
// the promise: `run` must notice.
#include <fixpool/static_pool.hpp>

using fixpool::checking;
using fixpool::static_pool;

struct connection {
    int numbers[6];
};

extern "C" {
constinit static_pool<connection, 16> pool_checked;
constinit static_pool<connection, 16, checking::unchecked> pool_unchecked;
constinit static_pool<connection, 300> pool_of_300;
constinit static_pool<connection, 100000> pool_of_100000;
constinit static_pool<connection, 100000, checking::unchecked> pool_of_100000_unchecked;
static_pool<connection, 4> pool_not_said_to_be_constinit;

#if PLANTED == 1  // a pointer moves all of the object to .data
struct named_pool {
    const char* name = "connections";
    static_pool<connection, 16> pool;
};
constinit named_pool pool_planted;
#elif PLANTED == 2  // a destructor is registered at run time
struct pool_with_destructor {
    static_pool<connection, 16> pool;
    ~pool_with_destructor() { pool.sort_free_blocks(); }
};
constinit pool_with_destructor pool_planted;
#endif
}

int main() {
    pool_checked.set_options({.name = "connections"});
    const auto one = pool_checked.try_allocate();
    const auto other = pool_unchecked.try_allocate();
    auto third = pool_of_300.try_allocate();
    third = pool_of_300.adopt(third.release());
    const auto fourth = pool_of_100000.try_allocate();
    const auto fifth = pool_of_100000_unchecked.try_allocate();
    const auto sixth = pool_not_said_to_be_constinit.try_allocate();
    return one && other && third && fourth && fifth && sixth && pool_checked.audit() ? 0 : 1;
}
