// SPDX-License-Identifier: BSL-1.0
// The plug-in: a shared library with a pool of its own.
#include "plugin.hpp"

#include <fixpool/fixpool.hpp>

#include <array>
#include <cstdio>
#include <memory>

namespace {

std::unique_ptr<fixpool::memory_pool> pool;

void print(const fixpool::violation& v) {
    std::printf("plug-in is told: block %zu of pool \"%s\"\n", v.index, v.pool_name);
}

void open_pool(const fixpool::pool_options& host) {
    fixpool::set_violation_handler(&print);  // of this plug-in's pools
    fixpool::pool_options options{};         // with the braces, they are the plug-in's own
    options.name = host.name;
    options.on_violation = host.on_violation;
    pool = std::make_unique<fixpool::memory_pool>(fixpool::pool_layout{.block_size = 64, .block_count = 4}, options);
}

void release_twice() {
    void* const block = pool->allocate();
    pool->deallocate(block);
    pool->deallocate(block);
}

void take_all() {
    std::array<void*, 4> blocks{};
    for (void*& block : blocks) block = pool->allocate();
    try {
        static_cast<void>(pool->allocate());
    } catch (const fixpool::pool_exhausted&) {
        pool->deallocate_bulk(blocks);
        throw;
    }
}

void close_pool() { pool.reset(); }

}  // namespace

const plugin_functions plugin = {&open_pool, &release_twice, &take_all, &close_pool};
