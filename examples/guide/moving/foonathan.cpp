// SPDX-License-Identifier: BSL-1.0
// moving.cpp by foonathan/memory.
#include "particle.hpp"

#include <foonathan/memory/memory_pool.hpp>
#include <foonathan/memory/smart_ptr.hpp>
#include <foonathan/memory/std_allocator.hpp>

#include <cstdio>
#include <list>
#include <memory>
#include <vector>

namespace memory = foonathan::memory;

namespace {

void raw_blocks() {
    memory::memory_pool<> pool(64, 8192);  // bytes of a node, and of the first block of nodes
    void* const block = pool.allocate_node();
    const bool was_ours = pool.try_deallocate_node(block);
    std::printf("raw block: %s\n", was_ours ? "of the pool" : "foreign");
}

void objects() {
    memory::memory_pool<> pool(sizeof(particle), 8192);
    const auto kept = memory::allocate_unique<particle>(pool, 1, 2);
    auto early = memory::allocate_unique<particle>(pool, 3, 4);
    std::printf("objects: %d alive, the sum is %d\n", particle::alive, kept->x + early->y);
    early.reset();
}  // kept is destroyed here

void shared_ownership() {
    memory::memory_pool<> pool(128, 8192);  // enough for the object and its counts
    const std::vector<std::shared_ptr<particle>> owners(2, memory::allocate_shared<particle>(pool, 5, 6));
    std::printf("shared: %d alive, %ld owners\n", particle::alive, owners.front().use_count());
}

void nodes_of_a_list() {
    memory::memory_pool<> pool(64, 8192);
    std::list<int, memory::std_allocator<int, memory::memory_pool<>>> numbers(pool);
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
