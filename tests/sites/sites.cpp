// SPDX-License-Identifier: BSL-1.0
// Objects that are allocated in several places and never released. The report of their pool's end names the places, some by
// their line, some by a code address. A comment says of each place how many objects come from it; `run` compares both.
#include <fixpool/debug.hpp>
#include <fixpool/shared_pool.hpp>
#include <fixpool/typed_pool.hpp>

#include <cstdlib>
#include <vector>

namespace {

struct five {
    int a, b, c, d, e;
    five() : five(1, 2, 3, 4, 5) {}
    five(int v, int w, int x, int y, int z) : a(v), b(w), c(x), d(y), e(z) {}
};

template <class T> using pool_of = fixpool::typed_pool<T, fixpool::checking::debug>;
using handle = fixpool::block<five, fixpool::checking::debug>;

template <class T, class Handles> void allocate_in_template(pool_of<T>& pool, Handles& handles) {
    handles.push_back(pool.allocate());  // place: 7
}

/// Prints the report, and leaves: the program would end in an abort.
void die(const fixpool::violation& v) {
    v.print(v);
    std::exit(0);
}

volatile int times[] = {0, 1, 2, 3,
                        4, 5, 6, 7};  // unknown to the compiler, which would unroll loops: one line, many addresses

}  // namespace

int main() {
    fixpool::set_violation_handler(&die);
    static std::vector<handle> handles;
    auto* const pool = new pool_of<five>(64, {.name = "fives"});
    for (int turn = 0; turn < times[2]; ++turn) handles.push_back(pool->allocate());                      // place: 2
    for (int turn = 0; turn < times[3]; ++turn) handles.push_back(pool->allocate(1, 2, 3, 4, 5));         // place: 3
    for (int turn = 0; turn < times[4]; ++turn) handles.push_back(pool->try_allocate(1, 2, 3, 4, 5));     // place: 4
    for (int turn = 0; turn < times[5]; ++turn) handles.push_back(pool->allocate_for_overwrite());        // place: 5
    for (int turn = 0; turn < times[6]; ++turn) handles.push_back(pool->allocate_at({}, 1, 2, 3, 4, 5));  // place: 6
    for (int turn = 0; turn < times[7]; ++turn) allocate_in_template(*pool, handles);
    delete pool;
}
