// SPDX-License-Identifier: BSL-1.0
// Built with -fno-exceptions -fno-rtti. An error that would throw is printed, and the program aborts.
#include <fixpool/arenas.hpp>
#include <fixpool/fixpool.hpp>
#include <fixpool/growing_pool.hpp>

#include <cstddef>
#include <cstdio>
#include <cstring>

#include "../support/child.hpp"

int main(int argc, char** argv) {
    const char* const wish = argc == 2 ? argv[1] : "";
    if (std::strcmp(wish, "exhausted") == 0) {
        fixpool::memory_pool pool({64, 1}, {.name = "connections"});
        void* const block = pool.allocate();
        (void)pool.allocate();
        pool.deallocate(block);
    }
    if (std::strncmp(wish, "growing", 7) == 0) {
        fixpool::growing_pool pool(64, {.max_blocks = 2}, std::pmr::get_default_resource(), {.name = "growing"});
        void* const first = pool.allocate();
        void* const second = pool.try_allocate();
        if (second != nullptr && pool.try_allocate() == nullptr) std::puts("no third block");
        std::fflush(stdout);
        if (std::strcmp(wish, "growing_exhausted") == 0) (void)pool.allocate();
        pool.deallocate(first);
        pool.deallocate(second);
    }
    if (std::strcmp(wish, "bad_layout") == 0) fixpool::memory_pool pool({0, 1});
    if (std::strcmp(wish, "small_buffer") == 0) {
        alignas(8) static std::byte buffer[100];
        fixpool::memory_pool pool({64, 2}, fixpool::arena::borrow(buffer));
    }
    if (std::strcmp(wish, "cannot_lock") == 0) {
        if (!child::refuse_to_lock(12)) std::puts("the system does not refuse");  // ENOMEM
        fixpool::memory_pool pool({1000, 1000}, fixpool::mapped_arena({.lock = true}));
    }
    fixpool::typed_pool<int> numbers(1);
    const auto number = numbers.allocate(42);
    const fixpool::shared_pool<int> shared(1);
    const auto other = shared.try_allocate(1);
    std::printf("%d, %zu left\n", *number, numbers.try_allocate(1) ? numbers.available() : 0);
}
