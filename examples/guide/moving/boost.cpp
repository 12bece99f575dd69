// SPDX-License-Identifier: BSL-1.0
// moving.cpp by Boost.Pool.
#include "particle.hpp"

#include <boost/pool/object_pool.hpp>
#include <boost/pool/pool.hpp>
#include <boost/pool/pool_alloc.hpp>

#include <cstdio>
#include <list>
#include <memory>
#include <vector>

namespace {

void raw_blocks() {
    boost::pool<> pool(64);
    void* const block = pool.malloc();
    std::printf("raw block: %s\n", pool.is_from(block) ? "of the pool" : "foreign");
    pool.free(block);
}

void objects() {
    boost::object_pool<particle> pool;
    const particle* const kept = pool.construct(1, 2);
    particle* const early = pool.construct(3, 4);
    std::printf("objects: %d alive, the sum is %d\n", particle::alive, kept->x + early->y);
    pool.destroy(early);
}  // the pool destroys kept here

void shared_ownership() {
    const boost::fast_pool_allocator<particle> allocator;
    const std::vector<std::shared_ptr<particle>> owners(2, std::allocate_shared<particle>(allocator, 5, 6));
    std::printf("shared: %d alive, %ld owners\n", particle::alive, owners.front().use_count());
}

void nodes_of_a_list() {
    std::list<int, boost::fast_pool_allocator<int>> numbers;
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
