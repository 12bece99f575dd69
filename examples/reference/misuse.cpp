// SPDX-License-Identifier: BSL-1.0
// The examples of the reference for misuse and the debug level. Each stands between two lines with its name.
#include <fixpool/census.hpp>
#include <fixpool/fixpool.hpp>

#include <cstdio>
#include <utility>

namespace {

using fixpool::checking;

void exhaustion() {
    // [pool_exhausted]
    fixpool::memory_pool pool({.block_size = 64, .block_count = 1},
                              {.name = "messages"});
    void* const only = pool.allocate();
    try {
        pool.deallocate(pool.allocate());
    } catch (const fixpool::pool_exhausted& error) {
        std::puts(error.what());
    }
    pool.deallocate(only);
    // [pool_exhausted]
}

void levels() {
    // [checking]
    const fixpool::pool_layout layout{.block_size = 64, .block_count = 16};
    fixpool::memory_pool checked(layout);
    fixpool::basic_memory_pool<checking::unchecked> unchecked(layout);
    fixpool::typed_pool<int, checking::debug> debug(16);
    static_assert(fixpool::knows_live_blocks<checking::debug> &&
                  !fixpool::knows_live_blocks<checking::unchecked>);
    // [checking]
    std::printf("%zu, %zu and %zu blocks\n", checked.available(),
                unchecked.available(), debug.available());
}

void statuses() {
    // [release_status]
    fixpool::memory_pool pool({.block_size = 64, .block_count = 16});
    void* const block = pool.allocate();
    pool.deallocate(block);
    if (pool.try_deallocate(block) == fixpool::release_status::double_free)
        std::puts("double free");
    // [release_status]
}

void handler() {
    // [violation]
    fixpool::set_violation_handler([](const fixpool::violation& v) {
        if (v.kind == fixpool::violation_kind::double_free)
            std::printf("double free of block %zu\n", v.index);
    });
    fixpool::memory_pool pool({.block_size = 64, .block_count = 16});
    void* const block = pool.allocate();
    pool.deallocate(block);
    pool.deallocate(block);  // calls the handler, then has no effect
    fixpool::set_violation_handler(nullptr);
    // [violation]
}

void sites() {
    // [site]
    fixpool::typed_pool<int, checking::debug> pool(16);
    // Reports name this line:
    const auto handle = pool.allocate_at({}, 1);
    // Reports name game.cpp:7:
    const auto other = pool.allocate_at({"game.cpp", 7, "spawn"}, 2);
    // [site]
    std::printf("%d and %d\n", *handle, *other);
}

void leaks() {
    // [holder]
    const auto print = [](const fixpool::violation& v) {
        for (const fixpool::holder& each : v.holders)
            std::printf("leak of %zu blocks from %s:%u\n", each.blocks,
                        each.where.file, each.where.line);
    };
    fixpool::basic_memory_pool<checking::debug> pool(
        {.block_size = 64, .block_count = 16}, {.on_violation = print});
    for (int i = 0; i < 3; ++i)
        static_cast<void>(pool.allocate({"game.cpp", 7, "spawn"}));
    // [holder]
}

void who_holds_the_blocks() {
    // [census]
    fixpool::typed_pool<int, checking::debug> pool(128, {.name = "numbers"});
    const auto one = pool.allocate_at({"game.cpp", 7, "spawn"}, 1);
    const auto two = pool.allocate_at({"game.cpp", 7, "spawn"}, 2);
    const auto three = pool.allocate_at({"sound.cpp", 9, "play"}, 3);
    fixpool::census(pool).print(stdout);
    // [census]

    // [group]
    const fixpool::census census(pool);
    for (const fixpool::census::group& each : census.groups())
        std::printf("%s has %zu blocks, from %zu to %zu\n", each.where.file,
                    each.blocks, each.first, each.last);
    // [group]
}

}  // namespace

int main() {
    exhaustion();
    levels();
    statuses();
    handler();
    sites();
    leaks();
    who_holds_the_blocks();
}
