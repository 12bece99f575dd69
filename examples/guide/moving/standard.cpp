// SPDX-License-Identifier: BSL-1.0
// moving.cpp by the standard library: operator new, unique_ptr and shared_ptr.
#include "particle.hpp"

#include <cstdio>
#include <list>
#include <memory>
#include <new>
#include <vector>

namespace {

void raw_blocks() {
    void* const block = ::operator new(64);
    std::printf("raw block: %s\n", block != nullptr ? "of the pool" : "foreign");
    ::operator delete(block);
}

void objects() {
    const std::unique_ptr<particle> kept = std::make_unique<particle>(1, 2);
    const particle* const early = new particle(3, 4);
    std::printf("objects: %d alive, the sum is %d\n", particle::alive, kept->x + early->y);
    delete early;
}  // kept is destroyed here

void shared_ownership() {
    const std::vector<std::shared_ptr<particle>> owners(2, std::make_shared<particle>(5, 6));
    std::printf("shared: %d alive, %ld owners\n", particle::alive, owners.front().use_count());
}

void nodes_of_a_list() {
    std::list<int> numbers;
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
