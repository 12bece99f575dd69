// SPDX-License-Identifier: BSL-1.0
// Two bugs, a double free and a leak, and each way to find them. The program ends in abort: the last one is reported so.
#include <fixpool/census.hpp>
#include <fixpool/fixpool.hpp>

#include <cstdio>

namespace {

using debug_pool = fixpool::basic_memory_pool<fixpool::checking::debug>;

constexpr fixpool::pool_layout layout{.block_size = 64, .block_count = 8};

/// Writes to a log. When it returns, the program goes on.
void log_misuse(const fixpool::violation& v) {
    const char* const what = v.kind == fixpool::violation_kind::double_free ? "double free" : "other misuse";
    std::fprintf(stderr, "log: %s, block %zu of %zu, pool \"%s\"\n", what, v.index, v.total_blocks, v.pool_name);
}

void with_a_handler() {
    fixpool::memory_pool pool(layout, {.name = "packets", .on_violation = log_misuse});
    void* const packet = pool.allocate();
    pool.deallocate(packet);
    pool.deallocate(packet);  // calls log_misuse, and does nothing else
}

void with_a_status() {
    fixpool::memory_pool pool(layout);
    void* const packet = pool.allocate();
    pool.deallocate(packet);
    if (pool.try_deallocate(packet) == fixpool::release_status::double_free) std::fputs("double free\n", stderr);
}

void leaks() {
    fixpool::memory_pool checked(layout, {.name = "checked"});
    debug_pool debug(layout, {.name = "debug"});
    for (int i = 0; i < 2; ++i) {
        static_cast<void>(checked.allocate());
        static_cast<void>(debug.allocate());
    }
    static_cast<void>(debug.allocate());
    fixpool::census(debug).print();
}  // both pools die, and report their leaks

void double_free_at_debug_level() {
    debug_pool pool(layout, {.name = "packets"});
    void* const packet = pool.allocate();
    pool.deallocate(packet);
    pool.deallocate(packet);  // prints, and aborts
}

}  // namespace

int main() {
    with_a_handler();
    with_a_status();
    leaks();
    double_free_at_debug_level();
}
