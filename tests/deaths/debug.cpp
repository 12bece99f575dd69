// SPDX-License-Identifier: BSL-1.0
// Misuse at debug level with the default handler, one case per process. Its end and its text are checked from outside.
#include <fixpool/census.hpp>
#include <fixpool/debug_pages.hpp>
#include <fixpool/fixpool.hpp>

#include <cstdio>
#include <cstring>
#include <memory_resource>

namespace {

using fixpool::checking;
using fixpool::site;
using debug_pool = fixpool::basic_memory_pool<checking::debug>;

void leak() {
    {
        debug_pool pool({64, 8}, {.name = "parsers"});
        for (int i = 0; i < 2; ++i) (void)pool.allocate();
        (void)pool.allocate();
    }
    std::puts("still here");
}

void leak_from_many_places() {
    debug_pool pool({64, 32}, {.name = "parsers"});
    for (unsigned place = 1; place <= 12; ++place)
        for (unsigned i = place; i <= 12; i += 6) (void)pool.allocate(site{"parser.cpp", place, "parse"});
}

void leak_from_eleven_places() {
    debug_pool pool({64, 32}, {.name = "parsers"});
    for (unsigned place = 1; place <= 11; ++place) (void)pool.allocate(site{"parser.cpp", place, "parse"});
}

void double_free() {
    debug_pool pool({64, 64}, {.name = "connections"});
    void* const block = pool.allocate();
    pool.deallocate(block);
    pool.deallocate(block);
}

void write_after_free() {
    debug_pool pool({64, 1}, {.name = "connections"});
    auto* const text = static_cast<char*>(pool.allocate());
    pool.deallocate(text);
    text[12] = 'A';
    (void)pool.allocate();
}

void overflow() {
    debug_pool pool({64, 4}, {.name = "connections"});
    auto* const text = static_cast<char*>(pool.allocate());
    text[64] = 'A';
    pool.deallocate(text);
}

void underflow() {
    debug_pool pool({64, 4}, {.name = "connections"});
    auto* const text = static_cast<char*>(pool.allocate());
    text[-1] = 'A';
    pool.deallocate(text);
}

void exhausted() {
    const fixpool::basic_shared_memory_pool<checking::debug> pool({64, 3}, {.name = "connections"});
    void* blocks[3];
    blocks[2] = pool.allocate();
    for (int i = 0; i < 2; ++i) blocks[i] = pool.allocate();
    try {
        (void)pool.allocate();
    } catch (const fixpool::pool_exhausted& exhausted) {
        std::puts(exhausted.what());
        fixpool::census(pool).print(stdout);
    }
    for (void* const block : blocks) pool.deallocate(block);
}

void live_handle() {
    struct number {
        int value;
    };
    auto* const pool = new fixpool::typed_pool<number, checking::debug>(4, {.name = "numbers"});
    const auto first = pool->allocate(1);
    delete pool;
}

using growing_debug_pool = fixpool::basic_growing_pool<checking::debug>;
constexpr std::size_t four = 4;  // blocks

void growing_leak() {
    {
        growing_debug_pool pool(64, {.max_blocks = four}, std::pmr::get_default_resource(), {.name = "parsers"});
        for (int i = 0; i < 2; ++i) (void)pool.allocate();
        (void)pool.allocate();
    }
    std::puts("still here");
}

void growing_write_after_free() {
    growing_debug_pool pool(64, {.max_blocks = 1}, std::pmr::get_default_resource(), {.name = "connections"});
    auto* const text = static_cast<char*>(pool.allocate());
    pool.deallocate(text);
    text[12] = 'A';
    (void)pool.allocate();
}

void growing_overflow() {
    growing_debug_pool pool(64, {.max_blocks = four}, std::pmr::get_default_resource(), {.name = "connections"});
    auto* const text = static_cast<char*>(pool.allocate());
    text[64] = 'A';
    pool.deallocate(text);
}

/// Overwrites the whole record of the next block. The release of that block finds it.
void growing_long_overflow() {
    growing_debug_pool pool(64, {.max_blocks = four}, std::pmr::get_default_resource(), {.name = "connections"});
    auto* const text = static_cast<char*>(pool.allocate());
    void* const next = pool.allocate();
    std::memset(text, 'A', pool.stride() + 64);
    pool.deallocate(next);
}

void growing_live_handle() {
    auto* const pool = new fixpool::growing_typed_pool<int, checking::debug>(
        {.max_blocks = four}, std::pmr::get_default_resource(), {.name = "numbers"});
    const auto first = pool->allocate(1);
    delete pool;
}

using debug_resource = fixpool::basic_pool_resource<checking::debug>;

void resource_double_free() {
    debug_resource resource(std::pmr::get_default_resource(), {.name = "nodes"});
    void* const block = resource.allocate(24, 8);
    resource.deallocate(block, 24, 8);
    resource.deallocate(block, 24, 8);
}

void resource_size_mismatch() {
    debug_resource resource(std::pmr::get_default_resource(), {.name = "nodes"});
    resource.deallocate(resource.allocate(24, 8), 25, 8);
}

void resource_overflow() {
    debug_resource resource(std::pmr::get_default_resource(), {.name = "nodes"});
    auto* const text = static_cast<char*>(resource.allocate(24, 8));
    text[24] = 'A';
    resource.deallocate(text, 24, 8);
}

void resource_overflow_of_large_block() {
    debug_resource resource(std::pmr::get_default_resource(), {.name = "nodes"});
    auto* const text = static_cast<char*>(resource.allocate(5000, 8));
    text[5000] = 'A';
    resource.deallocate(text, 5000, 8);
}

void resource_write_after_free() {
    debug_resource resource({.max_blocks_per_chunk = 1}, std::pmr::get_default_resource(), {.name = "nodes"});
    auto* const text = static_cast<char*>(resource.allocate(24, 8));
    resource.deallocate(text, 24, 8);
    text[12] = 'A';
    (void)resource.allocate(24, 8);
}

struct test_case {
    const char* name;
    void (*run)();
};
constexpr test_case cases[] = {
    {"leak", leak},
    {"leak_from_many_places", leak_from_many_places},
    {"leak_from_eleven_places", leak_from_eleven_places},
    {"double_free", double_free},
    {"write_after_free", write_after_free},
    {"overflow", overflow},
    {"underflow", underflow},
    {"exhausted", exhausted},
    {"live_handle", live_handle},
    {"growing_leak", growing_leak},
    {"growing_write_after_free", growing_write_after_free},
    {"growing_overflow", growing_overflow},
    {"growing_long_overflow", growing_long_overflow},
    {"growing_live_handle", growing_live_handle},
    {"resource_double_free", resource_double_free},
    {"resource_size_mismatch", resource_size_mismatch},
    {"resource_overflow", resource_overflow},
    {"resource_overflow_of_large_block", resource_overflow_of_large_block},
    {"resource_write_after_free", resource_write_after_free},
};

}  // namespace

int main(int argc, char** argv) {
    for (const test_case& c : cases) {
        if (argc == 2 && std::strcmp(c.name, argv[1]) == 0) {
            c.run();
            return 0;
        }
    }
    std::fputs("usage: debug_deaths CASE\n", stderr);
    return 2;
}
