// SPDX-License-Identifier: BSL-1.0
// The examples of the reference for opt-in headers. Each stands between two lines with its name.
#include <fixpool/arenas.hpp>
#include <fixpool/growing_pool.hpp>
#include <fixpool/memory_pool.hpp>
#include <fixpool/pool_allocator.hpp>
#include <fixpool/pool_resource.hpp>

#include <cstddef>
#include <cstdio>
#include <list>
#include <map>
#include <memory>
#include <memory_resource>
#include <string>
#include <vector>

namespace {

void growing_raw_blocks() {
    // [growing_pool]
    fixpool::growing_pool pool(64);
    std::vector<void*> blocks(10'000);
    for (void*& block : blocks) block = pool.allocate();  // gets pages
    pool.deallocate_bulk(blocks);
    pool.shrink();  // gives pages back
    std::printf("%zu blocks were in use\n", pool.peak_in_use());
    // [growing_pool]
}

void growing_objects() {
    // [growing_typed_pool]
    fixpool::growing_typed_pool<std::string> pool;
    const fixpool::growing_block<std::string> name = pool.allocate("alice");
    std::printf("%s is in one of %zu blocks\n", name->c_str(), pool.in_use());
    // [growing_typed_pool]

    // [growth]
    fixpool::growing_typed_pool<std::string> few({.max_blocks = 1});
    const auto first = few.allocate("bob");
    if (!few.try_allocate("carol")) std::puts("no more than max_blocks");
    // [growth]
}

void resources() {
    // [pool_resource]
    fixpool::pool_resource resource({}, std::pmr::new_delete_resource(),
                                    {.name = "parser"});
    std::pmr::map<int, std::pmr::string> names(&resource);
    names.emplace(1, "a name that is too long for the string itself");
    std::size_t blocks = 0;
    resource.for_each_pool([&blocks](const fixpool::pool_stats& stats) {
        blocks += stats.in_use;
    });
    if (blocks != 0) std::puts("the map is in blocks of the resource");
    // [pool_resource]

    // [resource_options]
    const fixpool::resource_options options{.name = "requests"};
    auto* const upstream = std::pmr::get_default_resource();
    const fixpool::pool_resource named(upstream, options);
    std::puts(named.name());
    // [resource_options]

    // [block_resource]
    fixpool::memory_pool nodes({.block_size = 64, .block_count = 1000});
    fixpool::block_resource on_nodes(nodes);
    std::pmr::list<int> numbers({1, 2, 3}, &on_nodes);
    std::printf("%zu nodes\n", nodes.in_use());
    // [block_resource]
}

void allocators() {
    // [pool_allocator]
    fixpool::pool_resource resource;
    std::list<int, fixpool::pool_allocator<int>> numbers({1, 2, 3}, &resource);
    const fixpool::pool_allocator<int> allocator(&resource);
    const auto shared = std::allocate_shared<int>(allocator, 4);
    std::printf("%zu numbers and %d\n", numbers.size(), *shared);
    // [pool_allocator]
}

// [static_pool_allocator]
fixpool::pool_resource for_numbers;

using allocator = fixpool::static_pool_allocator<int, for_numbers>;

std::list<int, allocator> numbers() { return {1, 2, 3}; }
// [static_pool_allocator]

void arenas() {
    // [mapping]
    const fixpool::pool_layout layout{.block_size = 4096, .block_count = 8};
    const fixpool::mapping options{.prefault = true, .guard_pages = true};
    fixpool::memory_pool mapped(layout, fixpool::mapped_arena(options));
    auto* const upstream = std::pmr::new_delete_resource();
    fixpool::memory_pool other(layout,
                               fixpool::memory_resource_arena(upstream));
    // [mapping]
    std::printf("%zu and %zu blocks\n", mapped.available(), other.available());
}

}  // namespace

int main() {
    growing_raw_blocks();
    growing_objects();
    resources();
    allocators();
    std::printf("%zu numbers\n", numbers().size());
    arenas();
}
