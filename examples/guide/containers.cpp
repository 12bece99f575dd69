// SPDX-License-Identifier: BSL-1.0
// Containers whose nodes come from pools: std::pmr, std::allocate_shared, a container without a constructor for allocators,
// and a fixed number of nodes.
#include <fixpool/fixpool.hpp>
#include <fixpool/pool_allocator.hpp>
#include <fixpool/pool_resource.hpp>

#include <cstddef>
#include <cstdio>
#include <list>
#include <map>
#include <memory>
#include <memory_resource>
#include <new>

namespace {

struct order {
    int number;
    int cents;
};

std::size_t blocks_in_use(const fixpool::pool_resource& resource) {
    std::size_t sum = 0;
    resource.for_each_pool([&sum](const fixpool::pool_stats& pool) { sum += pool.in_use; });
    return sum;
}

void standard_containers() {
    fixpool::pool_resource resource;  // before the containers: it must outlive them
    std::pmr::map<int, order> orders(&resource);
    for (int number = 0; number < 1000; ++number) orders.try_emplace(number, order{number, 999});
    std::printf("std::pmr::map: %zu nodes in the resource\n", blocks_in_use(resource));

    orders.clear();
    resource.shrink();
    std::printf("after clear: %zu\n", blocks_in_use(resource));
}

void allocators() {
    fixpool::pool_resource resource;
    const fixpool::pool_allocator<order> allocator(&resource);
    const std::list<order, fixpool::pool_allocator<order>> queue({{1, 999}, {2, 250}}, allocator);
    const std::shared_ptr<order> shared = std::allocate_shared<order>(allocator, order{3, 100});
    std::printf("std::list of %zu and a shared_ptr: %zu blocks\n", queue.size(), blocks_in_use(resource));
}

fixpool::pool_resource number_memory;
template <class T> using number_allocator = fixpool::static_pool_allocator<T, number_memory>;

void container_without_an_allocator_argument() {
    const std::list<int, number_allocator<int>> numbers = {1, 2, 3};
    std::printf("static_pool_allocator: %zu nodes for %zu numbers\n", blocks_in_use(number_memory), numbers.size());
}

void fixed_number_of_nodes() {
    fixpool::memory_pool pool({.block_size = 64, .block_count = 100}, {.name = "list nodes"});
    fixpool::block_resource nodes(pool);
    std::pmr::list<order> queue(&nodes);
    try {
        for (int number = 0;; ++number) queue.push_back({number, 999});
    } catch (const std::bad_alloc&) {
        std::printf("block_resource: full with %zu nodes\n", queue.size());
    }
    std::printf("a node fits into a block: %s\n", nodes.largest_request() <= pool.block_size() ? "yes" : "no");
}

void release_with_a_wrong_size() {
    fixpool::resource_options options;
    options.name = "orders";
    options.on_violation = [](const fixpool::violation& v) {
        if (v.kind == fixpool::violation_kind::size_mismatch) std::printf("size mismatch in \"%s\"\n", v.pool_name);
    };
    fixpool::pool_resource resource(std::pmr::new_delete_resource(), options);
    void* const block = resource.allocate(100);
    resource.deallocate(block, 10);
    std::printf("still in use: %zu block\n", blocks_in_use(resource));
}

}  // namespace

int main() {
    standard_containers();
    allocators();
    container_without_an_allocator_argument();
    fixed_number_of_nodes();
    release_with_a_wrong_size();
}
