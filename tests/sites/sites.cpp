// SPDX-License-Identifier: BSL-1.0
// Objects that are allocated at several places and never released, in a pool and in one that grows. The reports at the
// end of the pools name the places: some by line, some by code address. A comment at each place says how many objects
// come from it, in both pools. `run` compares.
#include <fixpool/debug_pages.hpp>
#include <fixpool/shared_pool.hpp>
#include <fixpool/typed_pool.hpp>

#include <cstdlib>
#include <memory_resource>
#include <utility>
#include <vector>

namespace {

struct five {
    int a, b, c, d, e;
    five() : five(1, 2, 3, 4, 5) {}
    five(int v, int w, int x, int y, int z) : a(v), b(w), c(x), d(y), e(z) {}
};

using pool_of_fives = fixpool::typed_pool<five, fixpool::checking::debug>;
using growing_pool_of_fives = fixpool::growing_typed_pool<five, fixpool::checking::debug>;

template <class Pool, class Handles> void allocate_in_template(Pool& pool, Handles& handles) {
    handles.push_back(pool.allocate());  // place: 14
}

growing_pool_of_fives* growing = nullptr;

/// Prints the reports of both pools, and leaves at once: the program would otherwise abort.
void die(const fixpool::violation& v) {
    v.print(v);
    if (growing == nullptr) std::exit(0);
    delete std::exchange(growing, nullptr);
}

volatile int times[] = {0, 1, 2, 3,
                        4, 5, 6, 7};  // unknown to the compiler, which would unroll loops: one line, many addresses

template <class Pool> void allocate_everywhere(Pool& pool) {
    static std::vector<decltype(pool.allocate())> handles;
    for (int turn = 0; turn < times[2]; ++turn) handles.push_back(pool.allocate());                      // place: 4
    for (int turn = 0; turn < times[3]; ++turn) handles.push_back(pool.allocate(1, 2, 3, 4, 5));         // place: 6
    for (int turn = 0; turn < times[4]; ++turn) handles.push_back(pool.try_allocate(1, 2, 3, 4, 5));     // place: 8
    for (int turn = 0; turn < times[5]; ++turn) handles.push_back(pool.allocate_for_overwrite());        // place: 10
    for (int turn = 0; turn < times[6]; ++turn) handles.push_back(pool.allocate_at({}, 1, 2, 3, 4, 5));  // place: 12
    for (int turn = 0; turn < times[7]; ++turn) allocate_in_template(pool, handles);
}

}  // namespace

int main() {
    fixpool::set_violation_handler(&die);
    growing = new growing_pool_of_fives({}, std::pmr::get_default_resource(), {.name = "growing fives"});
    allocate_everywhere(*growing);
    auto* const pool = new pool_of_fives(64, {.name = "fives"});
    allocate_everywhere(*pool);
    delete pool;
}
