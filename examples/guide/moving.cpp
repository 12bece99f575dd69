// SPDX-License-Identifier: BSL-1.0
// What moving.md translates, written with fixpool. The programs in moving/ do the same with other libraries, and print the same.
#include <fixpool/fixpool.hpp>
#include <fixpool/pool_allocator.hpp>
#include <fixpool/pool_resource.hpp>

#include "moving/particle.hpp"

#include <cstdio>
#include <list>
#include <memory>
#include <vector>

namespace {

void raw_blocks() {
    fixpool::memory_pool pool({.block_size = 64, .block_count = 100});
    void* const block = pool.allocate();
    std::printf("raw block: %s\n", pool.contains(block) ? "of the pool" : "foreign");
    pool.deallocate(block);
}

void objects() {
    fixpool::typed_pool<particle> pool(100);
    const fixpool::block<particle> kept = pool.allocate(1, 2);
    fixpool::block<particle> early = pool.allocate(3, 4);
    std::printf("objects: %d alive, the sum is %d\n", particle::alive, kept->x + early->y);
    early.reset();
}  // kept is destroyed here

void shared_ownership() {
    fixpool::pool_resource resource;
    const fixpool::pool_allocator<particle> allocator(&resource);
    const std::vector<std::shared_ptr<particle>> owners(2, std::allocate_shared<particle>(allocator, 5, 6));
    std::printf("shared: %d alive, %ld owners\n", particle::alive, owners.front().use_count());
}

void nodes_of_a_list() {
    fixpool::pool_resource resource;
    std::list<int, fixpool::pool_allocator<int>> numbers(&resource);
    for (int i = 1; i <= 100; ++i) numbers.push_back(i);
    std::printf("list: %zu nodes, the last is %d\n", numbers.size(), numbers.back());
}

}  // namespace

int main() {
    raw_blocks();
    objects();
    shared_ownership();
    nodes_of_a_list();
    std::printf("at the end: %d alive\n", particle::alive);
}
