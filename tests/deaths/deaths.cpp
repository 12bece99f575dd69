// SPDX-License-Identifier: BSL-1.0
// Misuse with the default handler, one case per process. Its end and its text are checked from outside.
#include <fixpool/fixpool.hpp>
#include <fixpool/growing_pool.hpp>
#include <fixpool/pool_resource.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory_resource>
#include <new>
#include <optional>
#include <string>
#include <thread>
#if defined(__unix__)
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace {

using fixpool::memory_pool;
using fixpool::shared_block;
using fixpool::shared_memory_pool;
using fixpool::shared_pool;
using fixpool::typed_pool;
using fixpool::violation;

struct number {
    int value;
};

void* shifted(void* block, std::size_t bytes) { return static_cast<std::byte*>(block) + bytes; }

void double_free() {
    memory_pool pool({64, 64}, {.name = "connections"});
    void* blocks[18];
    for (void*& block : blocks) block = pool.allocate();
    pool.deallocate(blocks[17]);
    pool.deallocate(blocks[17]);
}

void double_free_without_name() {
    memory_pool pool({64, 4});
    void* const block = pool.allocate();
    pool.deallocate(block);
    pool.deallocate(block);
}

void not_allocated() {
    memory_pool pool({64, 4}, {.name = "connections"});
    pool.deallocate(shifted(pool.allocate(), 2 * 64));
}

void foreign_pointer() {
    memory_pool pool({64, 4}, {.name = "connections"});
    int local = 0;
    pool.deallocate(&local);
}

void misaligned_pointer() {
    memory_pool pool({64, 4}, {.name = "connections"});
    pool.deallocate(shifted(pool.allocate(), 8));
}

void leak() {
    {
        memory_pool pool({64, 8}, {.name = "connections"});
        for (int i = 0; i < 4; ++i) (void)pool.allocate();
        void* const fifth = pool.allocate();
        pool.deallocate(fifth);
    }
    std::puts("still here");
}

void typed_pool_dies_first() {
    std::optional<typed_pool<number>> pool(std::in_place, 4u, fixpool::pool_options{.name = "numbers"});
    const auto first = pool->allocate(1);
    const auto second = pool->allocate(2);
    pool.reset();
    std::puts("never here");
}

void growing_typed_pool_dies_first() {
    std::optional<fixpool::growing_typed_pool<number>> pool(std::in_place, fixpool::growth{.max_blocks = 4},
                                                            std::pmr::get_default_resource(),
                                                            fixpool::pool_options{.name = "growing numbers"});
    const auto first = pool->allocate(1);
    const auto second = pool->allocate(2);
    pool.reset();
    std::puts("never here");
}

void growing_pool_double_free() {
    fixpool::growing_pool pool(64, {}, std::pmr::get_default_resource(), {.name = "growing"});
    void* const block = pool.allocate();
    pool.deallocate(block);
    pool.deallocate(block);
}

void growing_pool_leak() {
    {
        fixpool::growing_pool pool(64, {}, std::pmr::get_default_resource(), {.name = "growing"});
        for (int i = 0; i < 1030; ++i) (void)pool.allocate();
    }
    std::puts("still here");
}

void report_and_return(const violation& v) { std::printf("told of %s\n", fixpool::detail::describe(v).c_str()); }

void typed_pool_dies_first_with_handler() {
    fixpool::set_violation_handler(&report_and_return);
    typed_pool_dies_first();
}

void throw_from_handler(const violation&) { throw 1; }

void handler_throws() {
    fixpool::set_violation_handler(&throw_from_handler);
    try {
        double_free();
    } catch (int) {
        std::puts("never here");
    }
}

void adopt_of_released() {
    typed_pool<number> pool(4, {.name = "numbers"});
    auto owner = pool.allocate(1);
    number* const object = owner.get();
    owner.reset();
    (void)pool.adopt(object);
}

void second_handle() {
    const shared_pool<std::string> pool(4, {.name = "texts"});
    const auto text = pool.allocate("text");
    (void)pool.adopt(text.get());
}

/// Ends its pool while its own block is in use: at that moment the pool has no finished object.
struct ends_pool {
    std::optional<typed_pool<ends_pool>>* pool = nullptr;
    ~ends_pool() { pool->reset(); }
};

void pool_dies_in_last_destructor() {
    static std::optional<typed_pool<ends_pool>> pool(std::in_place, 4u, fixpool::pool_options{.name = "endings"});
    pool->allocate(&pool).reset();
}

void adopts_itself() {
    struct self {
        explicit self(typed_pool<self>& pool) { (void)pool.adopt(this); }
    };
    typed_pool<self> pool(4, {.name = "selves"});
    pool.allocate(pool).reset();
}

void formatted_name() {
    char name[64] = "packets_0, of a name that is cut";
    memory_pool pool({64, 4}, {.name = name});
    std::memset(name, 'x', sizeof name - 1);
    pool.deallocate(&pool);
}

// Static lifetime: the pool is destroyed before the handle that was made before it.
std::optional<fixpool::block<number>> early_handle;
std::optional<shared_block<std::string>> early_shared_handle;

void static_typed_pool() {
    static typed_pool<number> pool(4, {.name = "static numbers"});
    early_handle = pool.allocate(1);
}

void static_typed_pool_never_destroyed() {
    static auto& pool = *new typed_pool<number>(4, {.name = "static numbers"});
    early_handle = pool.allocate(1);
    std::puts("all is well");
}

void static_shared_pool() {
    static const shared_pool<std::string> pool(4, {.name = "static texts"});
    early_shared_handle = pool.allocate("outlives its pool");
    std::puts("all is well");
}

void exit_in_thread() {
    const shared_pool<std::string> pool(4);
    std::thread([&pool] {
        const auto text = pool.allocate("not released");
        std::puts("leaving");
        std::fflush(stdout);
        std::_Exit(0);
    }).join();
}

// Shared pools at the end of a thread, of main and of the program. Their magazines hold blocks then.

/// The last static object to be destroyed. It prints that all is well if `expected` deeds were done by then. It waits a
/// little, so that other threads meet a program without static objects.
struct last_words {
    int expected = 0;  // 0: it says nothing
    std::atomic<int> done = 0;
    ~last_words() {
        if (expected == 0) return;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        std::puts(done == expected ? "all is well" : "deeds are missing");
    }
};
last_words at_the_end;

/// Takes more blocks than a magazine holds, and releases them. Returns whether there were so many.
bool use(const shared_pool<std::string>& pool, const shared_memory_pool& raw_pool) {
    std::array<shared_block<std::string>, 150> texts;
    for (auto& text : texts) text = pool.try_allocate("a text");
    std::array<void*, 150> blocks{};
    for (void*& block : blocks) block = raw_pool.try_allocate();
    for (void* const block : blocks) raw_pool.deallocate(block);
    return texts.back() != nullptr && blocks.back() != nullptr;
}

/// When destroyed, releases what it holds, and uses its pools.
struct late_user {
    shared_block<std::string> held;
    void* raw_block = nullptr;
    std::optional<shared_pool<std::string>> pool;
    std::optional<shared_memory_pool> raw_pool;
    void hold(const shared_pool<std::string>& texts, const shared_memory_pool& blocks) {
        pool = texts;
        raw_pool = blocks;
        held = pool->allocate("until the end");
        raw_block = raw_pool->allocate();
    }
    ~late_user() {
        held.reset();
        if (!pool) return;
        raw_pool->deallocate(raw_block);
        if (use(*pool, *raw_pool)) ++at_the_end.done;
    }
};

void static_shared_handle() {  // the pools die after one user, and before a handle and another user
    static late_user later;
    static late_user latest_handle;
    static const shared_pool<std::string> pool(1000, {.name = "static texts"});
    static const shared_memory_pool raw_pool({64, 1000});
    static late_user earlier;
    latest_handle.held = pool.allocate("outlives its pool");
    later.hold(pool, raw_pool);
    earlier.hold(pool, raw_pool);
    at_the_end.expected = use(pool, raw_pool) ? 2 : -1;
}

thread_local late_user at_thread_end;

void thread_local_users() {  // of a thread and of main's: main's die before static objects
    static const shared_pool<std::string> pool(1000);
    static const shared_memory_pool raw_pool({64, 1000});
    const auto live = [] {
        at_thread_end.hold(pool, raw_pool);
        return use(pool, raw_pool);
    };
    for (int i = 0; i < 20; ++i) std::thread(live).join();
    at_the_end.expected = live() && pool.in_use() == 1 && raw_pool.in_use() == 1 ? 21 : -1;
}

void detached_threads() {  // they use the pools while main returns, and when static objects are gone
    static std::atomic<int> running = 0;
    const shared_pool<std::string> pool(1000);
    const shared_memory_pool raw_pool({64, 1000});
    at_the_end.expected = at_the_end.done = 1;
    for (int i = 0; i < 3; ++i) {
        std::thread([pool, raw_pool] {  // copies of its own
            ++running;
            while (use(pool, raw_pool)) continue;
            --at_the_end.done;
        })
            .detach();
    }
    while (running != 3) std::this_thread::yield();
}

void exit_while_others_use_it() {
    static const shared_pool<int> pool(1000);  // not destroyed while it is used: each thread has a copy
    std::atomic<int> running = 0;
    for (int i = 0; i < 3; ++i) {
        std::thread([copy = pool, &running] {
            ++running;
            for (;;) {
                const auto first = copy.try_allocate(1);
                const auto second = copy.try_allocate(2);
            }
        }).detach();
    }
    while (running != 3) std::this_thread::yield();
    std::puts("all is well");
    std::exit(0);
}

void last_block_in_another_thread() {
    std::thread last;
    {
        const shared_pool<std::string> pool(1000);
        for (int i = 0; i < 500; ++i) pool.allocate("a text").reset();
        last = std::thread([held = pool.allocate("the last one")]() mutable { held.reset(); });
    }
    last.join();
    std::puts("all is well");
}

void shared_leak() {
    const shared_memory_pool pool({64, 1000}, {.name = "packets"});
    for (int i = 0; i < 3; ++i) (void)pool.allocate();
    std::puts("three are out");
    std::fflush(stdout);
}

void static_shared_leak() {  // the pool dies with the program
    static const shared_memory_pool pool({64, 1000}, {.name = "static packets"});
    void* const first = pool.allocate();
    (void)pool.allocate();
    pool.deallocate(first);
    std::puts("leaving");
    std::fflush(stdout);
}

void shared_double_free() {
    const shared_memory_pool pool({64, 1000}, {.name = "packets"});
    void* const block = pool.allocate();
    std::thread([&] { pool.deallocate(block); }).join();
    pool.deallocate(block);
}

void resource_double_free() {
    fixpool::pool_resource resource(std::pmr::get_default_resource(), {.name = "nodes"});
    void* const block = resource.allocate(64);
    resource.deallocate(block, 64);
    resource.deallocate(block, 64);
}

void resource_size_mismatch() {
    fixpool::pool_resource resource(std::pmr::get_default_resource(), {.name = "nodes"});
    (void)resource.allocate(48);
    resource.deallocate(resource.allocate(48), 100);
}

void resource_size_mismatch_of_large_block() {
    fixpool::pool_resource resource;
    resource.deallocate(resource.allocate(10000), 100);
}

void resource_with_live_blocks() {
    {
        fixpool::pool_resource resource;
        (void)resource.allocate(64);
        (void)resource.allocate(10000);
    }
    std::puts("no leak");
}

#if defined(__unix__)
/// After a fork, both processes have the pool, each its own copy.
void forked() {
    memory_pool pool({64, 2});
    void* const block = pool.allocate();
    const pid_t child = ::fork();
    if (child == 0) {
        const bool is_right =
            pool.in_use() == 1 && pool.owns(block) && pool.try_allocate() != nullptr && pool.try_allocate() == nullptr;
        std::_Exit(is_right ? 0 : 1);
    }
    int status = 1;
    ::waitpid(child, &status, 0);
    if (status == 0 && pool.in_use() == 1 && pool.try_allocate() != nullptr) std::puts("two pools");
    pool.reset();
}
#endif

void out_of_blocks() {
    memory_pool pool({64, 1}, {.name = "connections"});
    void* const block = pool.allocate();
    try {
        (void)pool.allocate();
    } catch (const std::bad_alloc& error) {
        std::puts(error.what());
    }
    pool.deallocate(block);
}

struct test_case {
    const char* name;
    void (*run)();
};
constexpr test_case cases[] = {
    {"double_free", double_free},
    {"double_free_without_name", double_free_without_name},
    {"not_allocated", not_allocated},
    {"foreign_pointer", foreign_pointer},
    {"misaligned_pointer", misaligned_pointer},
    {"leak", leak},
    {"typed_pool_dies_first", typed_pool_dies_first},
    {"growing_typed_pool_dies_first", growing_typed_pool_dies_first},
    {"growing_pool_double_free", growing_pool_double_free},
    {"growing_pool_leak", growing_pool_leak},
    {"typed_pool_dies_first_with_handler", typed_pool_dies_first_with_handler},
    {"handler_throws", handler_throws},
    {"adopt_of_released", adopt_of_released},
    {"second_handle", second_handle},
    {"pool_dies_in_last_destructor", pool_dies_in_last_destructor},
    {"adopts_itself", adopts_itself},
    {"formatted_name", formatted_name},
    {"static_typed_pool", static_typed_pool},
    {"static_typed_pool_never_destroyed", static_typed_pool_never_destroyed},
    {"static_shared_pool", static_shared_pool},
    {"exit_in_thread", exit_in_thread},
    {"static_shared_handle", static_shared_handle},
    {"thread_local_users", thread_local_users},
    {"detached_threads", detached_threads},
    {"exit_while_others_use_it", exit_while_others_use_it},
    {"last_block_in_another_thread", last_block_in_another_thread},
    {"shared_leak", shared_leak},
    {"static_shared_leak", static_shared_leak},
    {"shared_double_free", shared_double_free},
    {"out_of_blocks", out_of_blocks},
    {"resource_double_free", resource_double_free},
    {"resource_size_mismatch", resource_size_mismatch},
    {"resource_size_mismatch_of_large_block", resource_size_mismatch_of_large_block},
    {"resource_with_live_blocks", resource_with_live_blocks},
#if defined(__unix__)
    {"forked", forked},
#endif
};

}  // namespace

int main(int argc, char** argv) {
    for (const test_case& c : cases) {
        if (argc == 2 && std::strcmp(c.name, argv[1]) == 0) {
            c.run();
            return 0;
        }
    }
    std::fputs("usage: deaths CASE\n", stderr);
    return 2;
}
