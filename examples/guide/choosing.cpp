// SPDX-License-Identifier: BSL-1.0
// One need, messages that wait to be sent, in four pools: bounded, growing, shared, and of raw bytes.
#include <fixpool/fixpool.hpp>
#include <fixpool/growing_pool.hpp>

#include <cstdio>
#include <string>
#include <thread>

namespace {

struct message {
    int to;
    std::string text;
};

/// Memory for two messages, and not one more.
void bounded() {
    fixpool::typed_pool<message> pool(2);
    const auto first = pool.allocate(7, "hello");
    const auto second = pool.allocate(8, "hello");
    const auto third = pool.try_allocate(9, "hello");  // an empty handle
    std::printf("typed_pool: %zu wait, %zu refused\n", pool.in_use(), pool.stats().refused);
}

/// As many messages as come.
void growing() {
    fixpool::growing_typed_pool<message> pool;
    const auto first = pool.allocate(7, "hello");
    const auto second = pool.allocate(8, "hello");
    const auto third = pool.allocate(9, "hello");
    std::printf("growing_typed_pool: %zu wait, %zu refused\n", pool.in_use(), pool.stats().refused);
}

/// One thread makes the message, another one destroys it.
void shared() {
    const fixpool::shared_pool<message> pool(2);
    std::thread sender([mine = pool.allocate(7, "hello")]() mutable {
        std::printf("shared_pool: %s, number %d\n", mine->text.c_str(), mine->to);
        mine.reset();
    });
    sender.join();
    std::printf("shared_pool: %zu in use\n", pool.in_use());
}

/// Bytes, as an interface in C wants them.
void raw() {
    fixpool::memory_pool pool({.block_size = 64, .block_count = 2});
    char* const text = static_cast<char*>(pool.allocate());
    std::snprintf(text, pool.block_size(), "hello, number %d", 7);
    std::printf("memory_pool: %s, in %zu bytes\n", text, pool.block_size());
    pool.deallocate(text);
}

}  // namespace

int main() {
    bounded();
    growing();
    shared();
    raw();
}
