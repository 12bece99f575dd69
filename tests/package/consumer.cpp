// SPDX-License-Identifier: BSL-1.0
// A user's program, which uses every public name once. It is built by CMakeLists.txt beside it, by a bare compiler, by
// Conan and by vcpkg.
#include <array>
#include <cstddef>
#include <cstdio>
#include <string>
#include <utility>

#if defined(CONSUMER_IMPORTS)
import fixpool;
#elif defined(CONSUMER_VENDORS)
#include "fixpool.hpp"
#else
#define CONSUMER_HAS_ALL
#include <fixpool/arenas.hpp>
#include <fixpool/census.hpp>
#include <fixpool/fixpool.hpp>
#include <fixpool/growing_pool.hpp>
#include <fixpool/pool_allocator.hpp>
#include <fixpool/pool_resource.hpp>
#include <fixpool/static_pool.hpp>

#include <list>
#endif

namespace {

fixpool::violation_kind seen = fixpool::violation_kind::leak;

void remember(const fixpool::violation& v) { seen = v.kind; }

bool raw_pool_works() {
    constexpr fixpool::pool_layout layout{.block_size = 64, .block_count = 2};
    alignas(64) static std::array<std::byte, fixpool::memory_pool::required_bytes(layout)> storage;
    const fixpool::lent_bytes lent(storage);
    fixpool::memory_pool pool(layout, fixpool::arena::borrow(lent), fixpool::pool_options{.name = "raw"});
    fixpool::basic_memory_pool<fixpool::checking::unchecked> unchecked(layout);
    unchecked.deallocate(unchecked.allocate());
    void* const block = pool.allocate();
    const fixpool::violation_handler previous = fixpool::set_violation_handler(remember);
    const bool is_set = fixpool::get_violation_handler() == &remember;
    pool.deallocate(block);
    pool.deallocate(block);
    fixpool::set_violation_handler(previous);
    const fixpool::pool_stats stats = pool.stats();
    return is_set && seen == fixpool::violation_kind::double_free && stats.total_blocks == 2 &&
           pool.try_deallocate(&pool) == fixpool::release_status::foreign_pointer;
}

bool typed_pools_work() {
    fixpool::typed_pool<std::string> pool(1);
    fixpool::block<std::string> first = pool.allocate_at(fixpool::site{}, "hello");
    const fixpool::block<std::string> none = pool.try_allocate("nobody");
    fixpool::shared_block<int> survivor;
    {
        const fixpool::shared_pool<int> shared(2);
        survivor = shared.allocate(42);
    }
    return *first == "hello" && none == nullptr && *survivor == 42;
}

bool exhaustion_is_reported() {
    fixpool::typed_pool<int> pool(1);
    const fixpool::block<int> only = pool.allocate(1);
    try {
        static_cast<void>(pool.allocate(2));
    } catch (const fixpool::pool_exhausted& e) {
        return e.what() != nullptr;
    }
    return false;
}

bool census_counts() {
    const fixpool::memory_pool empty({64, 2});
    const fixpool::holder nobody{};
    return fixpool::census(empty).in_use() == nobody.blocks && fixpool::knows_live_blocks<fixpool::checking::checked> &&
           !fixpool::keeps_sites<fixpool::checking::checked>;
}

#if defined(CONSUMER_HAS_ALL)
constinit fixpool::static_pool<int, 2> in_bss;
fixpool::pool_resource shared_by_all;

bool opt_in_pools_work() {
    fixpool::pool_resource resource;
    std::list<int, fixpool::pool_allocator<int>> list(&resource);
    list.push_back(1);
    std::list<int, fixpool::static_pool_allocator<int, shared_by_all>> other;
    other.push_back(2);
    fixpool::growing_typed_pool<std::string> growing({.page_bytes = 4096});
    const fixpool::growing_block<std::string> text = growing.allocate("grown");
    fixpool::growing_pool raw(64);
    raw.deallocate(raw.allocate());
    fixpool::memory_pool on_pages({64, 2}, fixpool::mapped_arena());
    fixpool::block_resource nodes(on_pages);
    nodes.deallocate(nodes.allocate(64), 64);
    const fixpool::static_block<int, 2> number = in_bss.allocate(3);
    return list.front() + other.front() == *number && *text == "grown";
}
#else
bool opt_in_pools_work() { return true; }  // a module and a single header have the core
#endif

}  // namespace

int main() {
    const bool works =
        raw_pool_works() && typed_pools_work() && exhaustion_is_reported() && census_counts() && opt_in_pools_work();
    std::printf("fixpool in a program of %zu bits: %s\n", 8 * sizeof(void*), works ? "all pools work" : "BROKEN");
    return works ? 0 : 1;
}
