// SPDX-License-Identifier: BSL-1.0
// A guided tour: blocks and their values, counts, threads, destructors, and a double free that is caught.
#include <fixpool/fixpool.hpp>

#include <array>
#include <cstddef>
#include <cstdio>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

void headline(const char* text) { std::printf("== %s ==\n", text); }

struct point {
    int x, y;
};

void values_in_blocks() {
    headline("Values in blocks");
    fixpool::typed_pool<point> pool(2);

    const fixpool::block<point> a = pool.allocate(1, 2);
    const fixpool::block<point> b = pool.allocate(30, 40);
    std::printf("a is (%d, %d), b is (%d, %d)\n", a->x, a->y, b->x, b->y);

    a->x = 10;
    *b = {3, 4};
    std::printf("a is (%d, %d), b is (%d, %d) after a change\n\n", a->x, a->y, b->x, b->y);
}

void counts_around_a_scope() {
    headline("Counts around a scope");
    fixpool::typed_pool<point> pool(8);
    const auto print_counts = [&pool](const char* when) {
        std::printf("%-7s %zu of %zu available, %zu in use\n", when, pool.available(), pool.total_blocks(),
                    pool.in_use());
    };

    print_counts("before:");
    {
        std::vector<fixpool::block<point>> blocks;
        blocks.reserve(3);
        for (int i = 0; i < 3; ++i) blocks.push_back(pool.allocate(i, i));
        print_counts("inside:");
    }
    print_counts("after:");
    std::printf("most in use at once: %zu\n\n", pool.peak_in_use());
}

void threads_share_a_pool() {
    headline("Four threads, one shared_pool");
    constexpr std::size_t blocks_each = 5;
    std::array<std::vector<fixpool::shared_block<std::size_t>>, 4> taken;
    const fixpool::shared_pool<std::size_t> pool(blocks_each * taken.size());

    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < taken.size(); ++t) {
        threads.emplace_back([&pool, &mine = taken[t], t] {
            for (std::size_t i = 0; i < blocks_each; ++i) {
                if (auto block = pool.try_allocate(10 * t + i)) mine.push_back(std::move(block));
            }
        });
    }
    for (std::thread& thread : threads) thread.join();

    for (std::size_t t = 0; t < taken.size(); ++t) {
        std::printf("thread %zu took %zu blocks:", t, taken[t].size());
        for (const auto& block : taken[t]) std::printf(" %2zu", *block);
        std::puts("");
    }
    std::printf("available while they are held: %zu\n", pool.available());
    for (auto& blocks : taken) blocks.clear();  // by another thread than the one that took them
    std::printf("available when all are back: %zu\n\n", pool.available());
}

struct journal {
    const char* title;
    std::vector<std::string> lines;

    explicit journal(const char* its_title) : title(its_title) {}
    journal(const journal&) = delete;
    journal& operator=(const journal&) = delete;
    ~journal() { std::printf("~journal: %s, with %zu lines\n", title, lines.size()); }
};

void destructors_run() {
    headline("Destructors run");
    fixpool::typed_pool<journal> pool(2);
    {
        fixpool::block<journal> monday = pool.allocate("monday");
        const fixpool::block<journal> tuesday = pool.allocate("tuesday");
        monday->lines = {"rain", "more rain"};
        tuesday->lines.assign(1000, "sun");

        monday.reset();
        std::puts("monday was reset, tuesday goes out of scope");
    }
    std::printf("in use: %zu\n\n", pool.in_use());
}

const char* words_for(fixpool::violation_kind kind) {
    switch (kind) {
        case fixpool::violation_kind::double_free: return "double free";
        case fixpool::violation_kind::not_allocated: return "release of a block that was not allocated";
        case fixpool::violation_kind::foreign_pointer: return "release of a foreign pointer";
        case fixpool::violation_kind::misaligned_pointer: return "release of a misaligned pointer";
        case fixpool::violation_kind::still_owned: return "a second owner";
        default: return "misuse";
    }
}

/// Continues where the default handler would end the program. The wrong release then has no effect.
void print_violation(const fixpool::violation& v) {
    std::printf("caught: %s, block %zu of %zu, pool \"%s\"\n", words_for(v.kind), v.index, v.total_blocks, v.pool_name);
}

void a_double_free_is_caught() {
    headline("A double free is caught");
    const fixpool::violation_handler previous = fixpool::set_violation_handler(print_violation);
    fixpool::memory_pool pool({.block_size = 64, .block_count = 4}, {.name = "packets"});

    std::array<void*, 4> blocks{};
    for (void*& block : blocks) block = pool.allocate();
    pool.deallocate(blocks[2]);
    std::printf("in use: %zu, after one release\n", pool.in_use());
    pool.deallocate(blocks[2]);
    std::printf("in use: %zu, after the same release again\n", pool.in_use());

    blocks[2] = pool.allocate();
    std::printf("in use: %zu, after one more allocation\n", pool.in_use());
    pool.deallocate_bulk(blocks);
    std::printf("in use: %zu, after all are released\n\n", pool.in_use());
    fixpool::set_violation_handler(previous);
}

struct connection {
    int id;
};

void each_pool_has_a_level_and_a_name() {
    headline("Each pool has a level and a name");
    const fixpool::violation_handler previous = fixpool::get_violation_handler();

    fixpool::typed_pool<connection> pool(64, {.name = "connections"});         // checking::checked
    fixpool::typed_pool<connection, fixpool::checking::unchecked> fast(1024);  // for one hot place
    fixpool::set_violation_handler(print_violation);                           // void(const violation&)

    fixpool::block<connection> mine = pool.allocate(1);
    connection* const raw = mine.release();  // from here on, no handle owns it
    mine = pool.adopt(raw);
    const auto thief = pool.adopt(raw);  // it has an owner again
    std::printf("the second handle is %s\n", thief ? "not empty" : "empty");
    std::printf("in use: %zu in \"%s\", %zu in the other\n", pool.in_use(), pool.name(), fast.in_use());
    fixpool::set_violation_handler(previous);
}

}  // namespace

int main() {
    values_in_blocks();
    counts_around_a_scope();
    threads_share_a_pool();
    destructors_run();
    a_double_free_is_caught();
    each_pool_has_a_level_and_a_name();
}
