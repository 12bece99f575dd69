// SPDX-License-Identifier: BSL-1.0
#include <fixpool/debug.hpp>
#include <fixpool/shared_pool.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/counted.hpp"
#include "support/heap.hpp"
#include "support/threads.hpp"
#include "support/unseen.hpp"
#include "support/violations.hpp"

using fixpool::checking;
using fixpool::shared_block;
using fixpool::shared_pool;
using fixpool::violation_kind;

template <class Pool, class Block> static constexpr bool keeps_contract() {
    static_assert(std::is_nothrow_copy_constructible_v<Pool> && std::is_nothrow_copy_assignable_v<Pool>);
    static_assert(std::is_nothrow_move_constructible_v<Pool> && std::is_nothrow_move_assignable_v<Pool>);
    static_assert(!std::is_default_constructible_v<Pool> && !std::is_convertible_v<std::size_t, Pool>);
    static_assert(noexcept(std::declval<const Pool&>().adopt(nullptr)));
    static_assert(
        noexcept(std::declval<const Pool&>().total_blocks())&& noexcept(std::declval<const Pool&>().available()));
    static_assert(noexcept(std::declval<const Pool&>().in_use())&& noexcept(std::declval<const Pool&>().peak_in_use()));
    static_assert(noexcept(std::declval<const Pool&>().block_size())&& noexcept(std::declval<const Pool&>().stride()));
    static_assert(noexcept(std::declval<const Pool&>().alignment())&& noexcept(std::declval<const Pool&>().stats()));

    static_assert(sizeof(Block) == 2 * sizeof(void*));
    static_assert(!std::is_copy_constructible_v<Block> && !std::is_copy_assignable_v<Block>);
    static_assert(std::is_nothrow_default_constructible_v<Block>);
    static_assert(std::is_nothrow_move_constructible_v<Block> && std::is_nothrow_move_assignable_v<Block>);
    static_assert(std::is_nothrow_swappable_v<Block> && std::is_nothrow_destructible_v<Block>);
    static_assert(noexcept(std::declval<Block&>().reset())&& noexcept(std::declval<Block&>().release()));
    static_assert(!std::is_convertible_v<Block, bool> && std::is_constructible_v<bool, Block>);
    return true;
}
static_assert(keeps_contract<shared_pool<int>, shared_block<int>>());
static_assert(keeps_contract<shared_pool<int, checking::unchecked>, shared_block<int, checking::unchecked>>());

struct parent {};
struct child : parent {};
static_assert(!std::is_constructible_v<shared_block<parent>, shared_block<child>>);

struct not_there_yet;
struct names_it {
    shared_block<not_there_yet>* block = nullptr;
};
struct chain_link {
    int value = 0;
    shared_block<chain_link> next;
};

namespace {

constexpr std::size_t threads_at_once = 10;

}  // namespace

TEMPLATE_TEST_CASE_SIG("a shared_pool of ten int has ten", "[shared_pool]", ((checking C), C), checking::unchecked,
                       checking::checked) {
    const shared_pool<int, C> pool(10);
    CHECK(pool.total_blocks() == 10);
    CHECK(pool.available() == 10);
    const auto number = pool.allocate(42);
    CHECK(*number == 42);
    CHECK(pool.available() == 9);
    CHECK(pool.in_use() == 1);
    CHECK(pool.peak_in_use() == 1);
    CHECK(pool.block_size() == sizeof(int));
    CHECK(pool.stride() == sizeof(int));
    CHECK(pool.alignment() == alignof(int));
    CHECK(pool.stats().arena_bytes == pool.required_bytes(10));
}

TEMPLATE_TEST_CASE_SIG("ten threads take ten blocks each: all hundred succeed, none is left, all come back",
                       "[shared_pool][threads]", ((checking C), C), checking::unchecked, checking::checked) {
    const shared_pool<std::uint64_t, C> pool(100);
    std::array<std::vector<shared_block<std::uint64_t, C>>, threads_at_once> held;
    on_threads(threads_at_once, [&](std::size_t me) {
        for (std::uint64_t i = 0; i < 10; ++i) held[me].push_back(pool.allocate(10 * me + i));
    });
    CHECK(pool.available() == 0);
    CHECK(pool.try_allocate() == nullptr);
    std::vector<std::uint64_t> values;
    for (const auto& blocks : held)
        for (const auto& b : blocks) values.push_back(*b);
    std::vector<std::uint64_t> expected(100);
    std::iota(expected.begin(), expected.end(), std::uint64_t{0});
    CHECK(values == expected);
    on_threads(threads_at_once, [&](std::size_t me) { held[me].clear(); });
    CHECK(pool.available() == 100);
    CHECK(pool.peak_in_use() == 100);
}

TEST_CASE("a shared block stays valid after another thread's copy of the pool has died", "[shared_pool][threads]") {
    shared_pool<std::string> pool(4);
    shared_block<std::string> text;
    std::thread thread([copy = pool, &text]() { text = copy.allocate("made elsewhere"); });
    thread.join();
    *text += ", used here";
    CHECK(*text == "made elsewhere, used here");
    CHECK(pool.in_use() == 1);
    text.reset();
    CHECK(pool.available() == 4);
}

TEMPLATE_TEST_CASE_SIG("a shared block stays valid after the last copy of the pool has died", "[shared_pool][threads]",
                       ((checking C), C), checking::unchecked, checking::checked) {
    const heap::usage before = heap::in_use();
    {
        shared_block<std::string, C> text;
        shared_block<std::string, C> other;
        {
            const shared_pool<std::string, C> pool(4);
            text = pool.allocate("a text that is too long for the small string buffer");
            other = pool.allocate("other");
        }
        other.reset();
        CHECK(heap::in_use().blocks == before.blocks + 3);  // the state, the arena and the text
        *text += "!";
        CHECK(text->back() == '!');
        std::thread thread([last = std::move(text)]() mutable { last.reset(); });  // and dies on another thread
        thread.join();
    }
    CHECK(heap::in_use() == before);
}

TEST_CASE("the pool dies with its last copy when no block is out", "[shared_pool]") {
    const heap::usage before = heap::in_use();
    {
        const shared_pool<int> pool(4);
        const shared_pool<int> copy(pool);  // NOLINT(performance-unnecessary-copy-initialization)
        for (int turn = 0; turn < 3; ++turn) {
            const auto first = copy.allocate(1);
            const auto second = pool.allocate(2);
        }
        CHECK(heap::in_use().blocks == before.blocks + 3);  // the state, its counts and the arena
    }
    CHECK(heap::in_use() == before);
}

TEST_CASE("a copy is the same pool, and a moved-from pool is still a pool", "[shared_pool]") {
    shared_pool<int> pool(2);
    shared_pool<int> copy = pool;
    const auto number = pool.allocate(1);
    CHECK(copy.available() == 1);
    shared_pool<int> moved = std::move(pool);
    CHECK(pool.available() == 1);
    CHECK(moved.available() == 1);
    shared_pool<int> other(5);
    other = std::move(moved);
    CHECK(other.total_blocks() == 2);
    CHECK(moved.total_blocks() == 2);
    auto& same = other;
    other = same;
    CHECK(other.available() == 1);
}

TEMPLATE_TEST_CASE_SIG("an exhausted shared pool leaves the arguments untouched", "[shared_pool]", ((checking C), C),
                       checking::unchecked, checking::checked) {
    const shared_pool<std::unique_ptr<int>, C> pool(1);
    const auto taken = pool.allocate(std::make_unique<int>(1));
    auto argument = std::make_unique<int>(2);
    CHECK(pool.try_allocate(std::move(argument)) == nullptr);
    CHECK_THROWS_AS(pool.allocate(std::move(argument)), fixpool::pool_exhausted);
    CHECK(pool.try_allocate_at({}, std::move(argument)) == nullptr);
    CHECK_THROWS_AS(pool.allocate_at({}, std::move(argument)), fixpool::pool_exhausted);
    REQUIRE(argument != nullptr);
    CHECK(*argument == 2);
}

TEST_CASE("an exhausted shared pool says its name", "[shared_pool]") {
    const shared_pool<int> pool(1, {.name = "jobs"});
    const auto taken = pool.allocate_at({}, 1);
    CHECK(pool.try_allocate_at({}, 1) == nullptr);
    std::string text;
    try {
        (void)pool.allocate(2);
    } catch (const fixpool::pool_exhausted& error) {
        text = error.what();
    }
    CHECK(text == "fixpool: 1 of 1 blocks in use in pool \"jobs\"");
}

TEMPLATE_TEST_CASE_SIG("a constructor that throws gives the shared block back and lets the pool die", "[shared_pool]",
                       ((checking C), C), checking::unchecked, checking::checked) {
    const auto throws = [](const auto& make) {  // CHECK_THROWS leaves allocations of Catch2 behind
        try {
            make();
            return false;
        } catch (const std::runtime_error&) {
            return true;
        }
    };
    const heap::usage before = heap::in_use();
    {
        counted::start(2);
        const shared_pool<counted, C> pool(2);
        const auto first = pool.allocate(1);
        CHECK(throws([&] { (void)pool.allocate(2); }));
        CHECK(pool.available() == 1);
        const auto second = pool.allocate(3);
        CHECK(pool.available() == 0);
    }
    {
        counted::start(1);
        const shared_pool<counted, C> pool(2);
        CHECK(throws([&] { (void)pool.try_allocate(1); }));  // the first and only block
        CHECK(pool.available() == 2);
    }
    counted::start();
    CHECK(heap::in_use() == before);
}

TEST_CASE("a block whose constructor has thrown is not live", "[shared_pool]") {
    struct tells_address {
        explicit tells_address(tells_address** out) {
            *out = this;
            throw std::runtime_error("no");
        }
    };
    recorded_violations violations;
    const shared_pool<tells_address> pool(1);
    tells_address* half_built = nullptr;
    CHECK_THROWS(pool.allocate(&half_built));
    CHECK(pool.adopt(half_built) == nullptr);
    CHECK(violations.count() == 1);
}

TEST_CASE("when memory fails anywhere in the construction, nothing is left behind", "[shared_pool]") {
    const heap::usage before = heap::in_use();
    for (const bool for_ever : {false, true}) {
        bool happened = true;
        std::size_t refusals = 0;
        for (std::size_t nth = 0; happened && nth < 10; ++nth) {
            bool refused = false;
            {
                const heap::failure failure(nth, for_ever);
                try {
                    const shared_pool<int> pool(10);
                } catch (const std::bad_alloc&) {
                    refused = true;
                }
                happened = failure.happened();
            }
            CHECK(refused == happened);
            refusals += refused ? 1 : 0;
            CHECK(heap::in_use() == before);
        }
        CHECK(refusals == 3);  // the state, the arena and the counts
    }
}

TEST_CASE("a shared block moves, swaps, and is empty afterwards", "[shared_block]") {
    counted::start();
    const shared_pool<counted> pool(3);
    {
        auto first = pool.allocate(1);
        auto second = std::move(first);
        CHECK(first == nullptr);
        CHECK_FALSE(first);
        CHECK(first.get() == nullptr);
        CHECK((*second).value == 1);
        auto& same = second;
        second = std::move(same);
        REQUIRE(second);
        swap(second, same);
        auto third = pool.allocate(3);
        swap(second, third);
        CHECK(second->value == 3);
        second.swap(third);
        third = std::move(second);
        CHECK(third->value == 1);
        CHECK(counted::destroyed == 1);
        third.reset();
        third.reset();
        first.reset();
    }
    CHECK(counted::destroyed == 2);
    CHECK(counted::destroyed_twice == 0);
    CHECK(pool.available() == 3);
    CHECK(names_it{}.block == nullptr);
}

TEST_CASE("a released shared object keeps the pool alive until it is adopted and gone", "[shared_block]") {
    const heap::usage before = heap::in_use();
    {
        std::optional<shared_pool<int>> pool(std::in_place, 2u);
        int* const object = pool->allocate(4).release();
        CHECK(pool->in_use() == 1);
        const auto owner = pool->adopt(object);
        CHECK(*owner == 4);
        CHECK(pool->adopt(nullptr) == nullptr);
        pool.reset();
        CHECK(*owner == 4);
        CHECK(heap::in_use().blocks > before.blocks);
    }
    CHECK(heap::in_use() == before);
}

TEST_CASE("adopting what is no live object of the shared pool is reported once", "[shared_pool]") {
    recorded_violations violations;
    const shared_pool<std::uint64_t> pool(4, {.name = "numbers"});
    auto owner = pool.allocate(1u);
    std::uint64_t* const released = owner.get();
    owner.reset();
    std::uint64_t foreign = 0;
    const auto refused_as = [&](std::uint64_t* object) {
        CHECK(pool.adopt(object) == nullptr);
        REQUIRE(violations.count() == 1);
        CHECK(violations.last_name() == "numbers");
        return violations.last().kind;
    };
    CHECK(refused_as(released) == violation_kind::double_free);
    CHECK(refused_as(released + 1) == violation_kind::not_allocated);
    CHECK(refused_as(&foreign) == violation_kind::foreign_pointer);
    CHECK(pool.available() == 4);
}

TEST_CASE("unchecked adoption by a shared pool works and checks nothing", "[shared_pool]") {
    const shared_pool<int, checking::unchecked> pool(2);
    int* const object = pool.allocate(4).release();
    CHECK(*pool.adopt(object) == 4);
    CHECK(pool.in_use() == 0);
}

TEST_CASE("of two threads that adopt one object, one gets it, and the other one is told", "[shared_pool][threads]") {
    recorded_violations violations;
    const shared_pool<counted> pool(2);
    const std::size_t rounds = turns(500);
    std::size_t wrong = 0;
    counted::start();
    for (std::size_t round = 0; round < rounds; ++round) {
        std::array<shared_block<counted>, 2> handles;
        counted* const object = pool.allocate(1).release();
        on_threads(2, [&](std::size_t me) { handles[me] = pool.adopt(object); });
        if (!handles[0] == !handles[1]) ++wrong;
    }
    CHECK(wrong == 0);
    CHECK(violations.count() == rounds);
    CHECK(violations.last().kind == violation_kind::still_owned);
    CHECK(counted::destroyed == static_cast<int>(rounds));
    CHECK(counted::destroyed_twice == 0);
    const auto first = pool.allocate(1);
    const auto second = pool.allocate(2);
    CHECK(first.get() != second.get());
}

namespace {

/// Uses its pool wherever it can: if a lock were held then, it would deadlock.
struct sociable {
    explicit sociable(shared_pool<sociable> p, int guests) : pool(p) {
        if (guests > 0) guest = p.try_allocate(p, guests - 1);
    }
    ~sociable() {
        in_use_at_death = pool.in_use();
        guest.reset();
        if (guest_wanted) {
            guest_wanted = false;
            const auto late = pool.try_allocate(pool, 0);
        }
    }
    shared_pool<sociable> pool;
    shared_block<sociable> guest;
    bool guest_wanted = false;
    inline static std::atomic<std::size_t> in_use_at_death = 0;
};

}  // namespace

TEST_CASE("constructors and destructors use the shared pool: no lock is held", "[shared_pool]") {
    const heap::usage before = heap::in_use();
    {
        const shared_pool<sociable> pool(4);
        auto host = pool.allocate(pool, 2);
        CHECK(pool.in_use() == 3);
        host->guest_wanted = true;
        host->guest->guest_wanted = true;
        host.reset();
        CHECK(pool.in_use() == 0);
        auto lone = pool.allocate(pool, 0);
        lone.reset();
        CHECK(sociable::in_use_at_death == 1);  // until its destructor has returned
    }
    CHECK(heap::in_use() == before);
}

TEST_CASE("an object that holds the last copy of its own pool dies with it", "[shared_pool]") {
    const heap::usage before = heap::in_use();
    {
        std::optional<shared_pool<sociable>> pool(std::in_place, 2u);
        auto host = pool->allocate(*pool, 1);
        pool.reset();
        host.reset();  // its destructor drops the last shared_pool while the block is still out
    }
    CHECK(heap::in_use() == before);
}

TEST_CASE("a constructor may end or replace the very shared_pool object that it was called through", "[shared_pool]") {
    struct ends_pool {
        explicit ends_pool(std::optional<shared_pool<ends_pool>>& p, bool does_throw) {
            p.reset();
            if (does_throw) throw std::runtime_error("no");
        }
        int value = 6;
    };
    struct replaces_pool {
        explicit replaces_pool(shared_pool<replaces_pool>& p) { p = shared_pool<replaces_pool>(2u); }
        int value = 7;
    };
    const heap::usage before = heap::in_use();
    for (const bool does_throw : {false, true}) {
        std::optional<shared_pool<ends_pool>> pool(std::in_place, 2u);
        try {
            const auto survivor = pool->allocate(pool, does_throw);
            CHECK(survivor->value == 6);
        } catch (const std::runtime_error&) {
            CHECK(does_throw);
        }
    }
    {
        shared_pool<replaces_pool> pool(2u);
        const auto survivor = pool.allocate(pool);
        CHECK(survivor->value == 7);
        CHECK(pool.in_use() == 0);  // it is another pool now
    }
    CHECK(heap::in_use() == before);
}

namespace {
const shared_pool<int>* pool_of_handler = nullptr;
std::size_t in_use_in_handler = 99;
void use_the_pool(const fixpool::violation&) {
    in_use_in_handler = pool_of_handler->in_use();
    pool_of_handler->allocate(1).reset();
}
}  // namespace

TEST_CASE("the violation handler may use the shared pool: no lock is held", "[shared_pool]") {
    const shared_pool<int> pool(3);
    pool_of_handler = &pool;
    const auto owner = pool.allocate(1);
    const fixpool::violation_handler previous = fixpool::set_violation_handler(&use_the_pool);
    CHECK(pool.adopt(owner.get()) == nullptr);
    CHECK(in_use_in_handler == 1);
    int foreign = 0;
    in_use_in_handler = 99;
    CHECK(pool.adopt(&foreign) == nullptr);
    CHECK(in_use_in_handler == 1);
    fixpool::set_violation_handler(previous);
    pool_of_handler = nullptr;
}

TEST_CASE("a shared pool on a borrowed buffer", "[shared_pool]") {
    alignas(8) std::array<std::byte, shared_pool<int>::required_bytes(4)> buffer;
    const shared_pool<int> pool(4, fixpool::arena::borrow(buffer));
    CHECK(static_cast<void*>(pool.allocate(1).get()) == buffer.data());
    CHECK_THROWS_AS((shared_pool<int>(5, fixpool::arena::borrow(buffer))), std::length_error);
    CHECK_THROWS_AS(shared_pool<int>(0), std::invalid_argument);
}

TEST_CASE("linked shared blocks", "[shared_block]") {
    const shared_pool<chain_link> pool(3);
    auto first = pool.allocate();
    first->next = pool.allocate();
    first->next->next = pool.allocate();
    first->next->next->value = 3;
    CHECK(pool.available() == 0);
    first.reset();
    CHECK(pool.available() == 3);
}

TEMPLATE_TEST_CASE_SIG("more threads than blocks: never more than all are out, and each is its holder's alone",
                       "[shared_pool][threads]", ((checking C), C), checking::unchecked, checking::checked) {
    const shared_pool<std::uint64_t, C> pool(4);
    std::atomic<int> out = 0;
    std::array<std::size_t, 8> too_many{};
    std::array<std::size_t, 8> disturbed{};
    std::array<std::size_t, 8> successes{};
    const std::size_t rounds = turns(5000);
    on_threads(8, [&](std::size_t me) {
        for (std::size_t round = 0; round < rounds; ++round) {
            auto b = pool.try_allocate(std::uint64_t{me} << 32 | round);
            if (!b) continue;
            ++successes[me];
            if (++out > 4) ++too_many[me];
            if (*b != (std::uint64_t{me} << 32 | round)) ++disturbed[me];
            --out;
        }
    });
    CHECK(std::accumulate(too_many.begin(), too_many.end(), std::size_t{0}) == 0);
    CHECK(std::accumulate(disturbed.begin(), disturbed.end(), std::size_t{0}) == 0);
    CHECK(std::accumulate(successes.begin(), successes.end(), std::size_t{0}) > 0);
    CHECK(pool.available() == 4);
    CHECK(pool.peak_in_use() <= 4);
}

TEST_CASE("one thread allocates and another releases", "[shared_pool][threads]") {
    counted::start();
    const shared_pool<counted> pool(16);
    std::mutex mutex;
    std::vector<shared_block<counted>> queue;
    const std::size_t total = turns(10000);
    std::size_t consumed = 0;
    long long sum = 0;
    std::thread consumer([&] {
        while (consumed < total) {
            std::vector<shared_block<counted>> batch;
            {
                const std::lock_guard lock(mutex);
                batch.swap(queue);
            }
            for (const auto& b : batch) sum += b->value;
            consumed += batch.size();
            if (batch.empty()) std::this_thread::yield();
        }
    });
    for (std::size_t made = 0; made < total;) {
        auto b = pool.try_allocate(1);
        if (!b) {
            std::this_thread::yield();
            continue;
        }
        ++made;
        const std::lock_guard lock(mutex);
        queue.push_back(std::move(b));
    }
    consumer.join();
    CHECK(sum == static_cast<long long>(total));
    CHECK(pool.available() == 16);
    CHECK(counted::destroyed == static_cast<int>(total));
    CHECK(counted::destroyed_twice == 0);
}

TEMPLATE_TEST_CASE_SIG("a stale pointer is judged while its block is handed out again", "[shared_pool][threads]",
                       ((checking C), C), checking::checked, checking::debug) {
    recorded_violations violations;
    const shared_pool<int, C> pool(1);
    int* const stale = pool.allocate(1).get();
    std::atomic<bool> is_out = false;
    std::atomic<bool> is_judged = false;  // both relaxed: the pool's lock is the only order between the threads
    on_threads(2, [&](std::size_t me) {
        if (me == 0) {
            const auto block = pool.allocate(2);
            is_out.store(true, std::memory_order_relaxed);
            while (!is_judged.load(std::memory_order_relaxed)) std::this_thread::yield();
        } else {
            while (!is_out.load(std::memory_order_relaxed)) std::this_thread::yield();
            (void)pool.adopt(stale).release();
            is_judged.store(true, std::memory_order_relaxed);
        }
        for (std::size_t turn = 0; turn < 10000; ++turn) {
            if (me == 0) {
                pool.allocate(2).reset();
            } else {
                (void)pool.adopt(stale).release();  // live or not at this moment, nothing is touched
            }
        }
    });
    CHECK(pool.available() == 1);
}

TEMPLATE_TEST_CASE_SIG("the last copies and the last blocks die on many threads at once", "[shared_pool][threads]",
                       ((checking C), C), checking::checked, checking::debug) {
    const heap::usage before = heap::in_use();
    const std::size_t rounds = turns(300);
    for (std::size_t round = 0; round < rounds; ++round) {
        std::array<std::optional<shared_pool<std::string, C>>, 4> copies;
        std::array<shared_block<std::string, C>, 4> blocks;
        copies[0].emplace(4u);
        for (std::size_t i = 1; i < 4; ++i) copies[i] = copies[0];
        for (std::size_t i = 0; i < 4; ++i) blocks[i] = copies[i]->allocate("a string that needs memory of its own");
        on_threads(4, [&](std::size_t me) {
            if ((me + round) % 2 == 0) {
                copies[me].reset();
                blocks[me].reset();
            } else {
                blocks[me].reset();
                copies[me].reset();
            }
        });
    }
    CHECK(heap::in_use() == before);
}

TEST_CASE("a thread that exits leaves nothing behind", "[shared_pool][threads]") {
    const shared_pool<int> pool(10);
    for (int turn = 0; turn < 20; ++turn) {
        std::thread thread([&pool] {
            std::vector<shared_block<int>> blocks;
            while (auto b = pool.try_allocate(1)) blocks.push_back(std::move(b));
        });
        thread.join();
        REQUIRE(pool.available() == 10);
    }
}

namespace {
struct at_thread_exit {
    shared_block<std::string> block;
};
}  // namespace

TEST_CASE("a thread_local block is released when its thread ends", "[shared_pool][threads]") {
    const shared_pool<std::string> pool(2);
    std::thread thread([&pool] {
#if defined(__MINGW32__)
        at_thread_exit late;  // MinGW frees a thread_local object's memory before it destroys it: GCC bug 80816
#else
        thread_local at_thread_exit late;
#endif
        late.block = pool.allocate("until the end");
    });
    thread.join();
    CHECK(pool.available() == 2);
}

TEMPLATE_TEST_CASE_SIG("counters are read while other threads use the pool", "[shared_pool][threads]",
                       ((checking C), C), checking::checked, checking::debug) {
    const shared_pool<int, C> pool(8);
    std::atomic<bool> is_done = false;
    std::size_t wrong = 0;
    std::thread reader([&] {
        while (!is_done) {
            const fixpool::pool_stats s = pool.stats();
            if (s.in_use > 8 || s.peak_in_use > 8 || s.in_use > s.peak_in_use || pool.available() > 8) ++wrong;
            if (!pool.audit()) ++wrong;
            std::this_thread::yield();
        }
    });
    on_threads(2, [&](std::size_t) {
        for (std::size_t i = 0; i < turns(5000); ++i) const auto b = pool.try_allocate(1);
    });
    is_done = true;
    reader.join();
    CHECK(wrong == 0);
    CHECK(pool.in_use() == 0);
}

TEST_CASE("indices, addresses and names are asked while another thread takes fresh blocks", "[shared_pool][threads]") {
    const shared_pool<int> pool(2000, {.name = "numbers"});
    const auto first = pool.allocate(1);
    std::atomic<bool> is_done = false;
    std::size_t wrong = 0;
    std::thread asking([&] {
        do {
            if (pool.index_of(first.get()) != 0 || !pool.contains(first.get()) || *pool.name() != 'n') ++wrong;
        } while (!is_done);
    });
    std::vector<shared_block<int>> blocks;
    for (int i = 1; i < 2000; ++i) blocks.push_back(pool.allocate(i));
    is_done = true;
    asking.join();
    CHECK(wrong == 0);
    CHECK(pool.available() == 0);
}

TEST_CASE("an object that is being constructed cannot be adopted from its shared pool", "[shared_pool]") {
    struct self {
        self(const shared_pool<self>& pool, bool does_throw) {
            pool.adopt(this).reset();
            if (does_throw) throw std::runtime_error("no");
        }
    };
    recorded_violations violations;
    const shared_pool<self> pool(2);
    CHECK_THROWS(pool.allocate(pool, true));
    CHECK(violations.count() == 1);
    CHECK(pool.in_use() == 0);
    const auto object = pool.allocate(pool, false);
    CHECK(violations.count() == 1);
    CHECK(pool.in_use() == 1);
}

TEST_CASE("an object that holds its own pool lives until the cycle is broken", "[shared_pool]") {
    struct cyclic {
        shared_pool<cyclic> pool;
        shared_block<cyclic> self;
    };
    const heap::usage before = heap::in_use();
    cyclic* object = nullptr;
    {
        const shared_pool<cyclic> pool(1);
        auto owner = pool.allocate(pool, shared_block<cyclic>());
        object = owner.get();
        object->self = std::move(owner);
    }
    CHECK(object->pool.in_use() == 1);  // nobody else holds it any more
    { const auto last = std::move(object->self); }
    CHECK(heap::in_use() == before);
}

TEST_CASE("threads whose objects use the pool in constructors and destructors", "[shared_pool][threads]") {
    const heap::usage before = heap::in_use();
    {
        const shared_pool<sociable> pool(6);
        on_threads(4, [&](std::size_t me) {
            for (std::size_t turn = 0; turn < turns(1000); ++turn) {
                auto host = pool.try_allocate(pool, 2);
                if (host) host->guest_wanted = (turn + me) % 2 == 0;
            }
        });
        CHECK(pool.available() == 6);
    }
    CHECK(heap::in_use() == before);
}

TEST_CASE("damage is told, and who holds the blocks, while other threads use the pool", "[shared_pool][threads]") {
    recorded_violations violations;
    const shared_pool<std::array<char, 8>, checking::debug> pool(5);
    const auto first = pool.allocate();
    auto damaged = pool.allocate();
    const auto third = pool.allocate();  // so that no other thread inspects the guards in between
    const std::size_t rounds = turns(1000);
    std::atomic<std::size_t> refused = 0;
    on_threads(4, [&](std::size_t me) {
        for (std::size_t round = 0; round < rounds; ++round) {
            try {
                const auto block = pool.allocate();
                if (me == 0) std::this_thread::yield();
            } catch (const fixpool::pool_exhausted& e) {
                if (std::string(e.what()).find(" allocated at ") != std::string::npos) ++refused;  // the first block is
            }
            if (me != 0 || round != rounds / 2) continue;
            write_unseen(damaged.get(), 8, 'x');
            damaged.reset();
        }
    });
    CHECK(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::buffer_overflow);
    CHECK(violations.last().offset == 8);
    CHECK(pool.stats().refused == refused);
    CHECK(pool.in_use() == 2);
}

TEMPLATE_TEST_CASE_SIG("who adopts an object sees what was written before it was given up", "[shared_pool][threads]",
                       ((checking C), C), checking::checked, checking::debug) {
    const shared_pool<long, C> pool(400);
    std::atomic<long*> passed = nullptr;  // relaxed: only the pool orders the two threads
    long sum = 0;
    const auto count = static_cast<long>(turns(2000));
    on_threads(2, [&](std::size_t me) {
        for (long i = 1; i <= count; ++i) {
            if (me == 0) {
                shared_block<long, C> mine = pool.allocate(0);
                *mine = i;
                while (passed.load(std::memory_order_relaxed) != nullptr) std::this_thread::yield();
                passed.store(mine.release(), std::memory_order_relaxed);
            } else {
                while (passed.load(std::memory_order_relaxed) == nullptr) std::this_thread::yield();
                const shared_block<long, C> got = pool.adopt(passed.load(std::memory_order_relaxed));
                passed.store(nullptr, std::memory_order_relaxed);
                if (got) sum += *got;
            }
        }
    });
    CHECK(sum == count * (count + 1) / 2);
}

TEMPLATE_TEST_CASE_SIG("adoption and its misuse are exact while other threads use the pool", "[shared_pool][threads]",
                       ((checking C), C), checking::checked, checking::debug) {
    recorded_violations violations;
    const shared_pool<std::uint64_t, C> pool(8);
    const std::size_t rounds = turns(2000);
    std::array<std::size_t, 4> wrong{};
    std::array<std::size_t, 4> misused{};
    on_threads(4, [&](std::size_t me) {
        std::uint64_t foreign = 0;
        for (std::size_t round = 0; round < rounds; ++round) {
            auto b = pool.try_allocate(round);
            if (!b) continue;
            std::uint64_t* const object = b.release();
            if (pool.adopt(&foreign) != nullptr) ++wrong[me];
            ++misused[me];
            b = pool.adopt(object);
            if (b == nullptr || *b != round) ++wrong[me];
        }
    });
    CHECK(wrong == std::array<std::size_t, 4>{});
    CHECK(violations.count() == std::accumulate(misused.begin(), misused.end(), std::size_t{0}));
    CHECK(pool.available() == 8);
}

TEST_CASE("a shared pool knows its name, its addresses, and who it is", "[shared_pool]") {
    const shared_pool<std::uint64_t> pool(3, {.name = "numbers"});
    const shared_pool<std::uint64_t> copy(pool);  // NOLINT(performance-unnecessary-copy-initialization)
    const shared_pool<std::uint64_t> other(3);
    CHECK(pool == copy);
    CHECK(pool != other);
    CHECK(std::string(copy.name()) == "numbers");
    const auto first = pool.allocate(1u);
    const auto second = copy.allocate(2u);
    CHECK(pool.contains(second.get()));
    CHECK_FALSE(other.contains(second.get()));
    CHECK(pool.index_of(second.get()) == 1);
    CHECK(other.index_of(second.get()) == other.npos);
    CHECK(first < second);
    CHECK(std::hash<shared_block<std::uint64_t>>()(first) == std::hash<std::uint64_t*>()(first.get()));
    CHECK(pool.allocate_for_overwrite() != nullptr);
    const auto third = pool.allocate(3u);
    CHECK(pool.try_allocate_for_overwrite() == nullptr);
    CHECK_THROWS_AS(pool.allocate_for_overwrite(), fixpool::pool_exhausted);
    CHECK(pool.stats().refused == 2);
}

TEST_CASE("a shared pool adopts what was given up, and nothing else", "[shared_pool]") {
    recorded_violations violations;
    const shared_pool<counted> pool(2);
    counted::start();
    auto owner = pool.allocate(1);
    CHECK(pool.adopt(owner.get()) == nullptr);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::still_owned);
    counted* const given_up = owner.release();
    owner = pool.adopt(given_up);
    CHECK(owner.get() == given_up);
    CHECK(violations.count() == 0);
    CHECK(pool.adopt(given_up) == nullptr);
    CHECK(violations.count() == 1);
    owner = nullptr;
    CHECK(counted::destroyed == 1);
    CHECK(pool.adopt(given_up) == nullptr);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::double_free);
}

TEST_CASE("an object of a shared pool that is adopted while it is destroyed is still owned", "[shared_pool]") {
    struct stubborn {
        const shared_pool<stubborn>* pool = nullptr;
        ~stubborn() { (void)pool->adopt(this); }
    };
    recorded_violations violations;
    const shared_pool<stubborn> pool(3);
    auto other = pool.allocate(&pool);
    pool.allocate(&pool).reset();
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::still_owned);
    CHECK(violations.last().index == 1);
    other.reset();
    CHECK(violations.count() == 1);
    CHECK(pool.available() == 3);
}

TEST_CASE("an object that was given up keeps its shared pool", "[shared_pool]") {
    recorded_violations violations;
    std::vector<violation_kind> told;
    const auto tell = [](const fixpool::violation& v) {
        static_cast<std::vector<violation_kind>*>(v.context)->push_back(v.kind);
    };
    std::optional<shared_pool<std::string>> pool(std::in_place, 2u,
                                                 fixpool::pool_options{.on_violation = tell, .context = &told});
    std::string* const given_up = pool->allocate("given up").release();
    const shared_pool<std::string> copy = *pool;
    pool.reset();
    CHECK(*given_up == "given up");
    CHECK(copy.adopt(given_up + 1) == nullptr);
    CHECK(told == std::vector{violation_kind::not_allocated});
    copy.adopt(given_up).reset();
    CHECK(violations.count() == 0);
}

TEST_CASE("an object of a shared pool that is adopted while it is constructed is still owned", "[shared_pool]") {
    struct self {
        explicit self(const shared_pool<self>& pool) { (void)pool.adopt(this); }
    };
    recorded_violations violations;
    const shared_pool<self> pool(2);
    const auto object = pool.allocate(pool);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::still_owned);
    CHECK(violations.last().live_blocks == 1);
}

TEMPLATE_TEST_CASE_SIG("a shared pool makes objects for overwrite, and on behalf of others", "[shared_pool]",
                       ((checking C), C), checking::unchecked, checking::checked) {
    struct packet {
        unsigned char bytes[64];
    };
    const shared_pool<packet, C> pool(1);
    auto first = pool.allocate_for_overwrite();
    std::fill(std::begin(first->bytes), std::end(first->bytes), static_cast<unsigned char>(7));
    first.reset();
#if !FIXPOOL_HAS_FEATURE(memory_sanitizer)
    first = pool.allocate_for_overwrite();
    CHECK(std::count(std::begin(first->bytes), std::end(first->bytes), 7) == 64);
    first = nullptr;
    first = pool.try_allocate_for_overwrite();
    CHECK(std::count(std::begin(first->bytes), std::end(first->bytes), 7) == 64);
    first = nullptr;
#endif
    first = pool.allocate();
    CHECK(std::count(std::begin(first->bytes), std::end(first->bytes), 0) == 64);
    const shared_pool<std::string, C> texts(2);
    CHECK(*texts.allocate_at({}, 3u, 'x') == "xxx");
    CHECK(*texts.try_allocate_at({}, 2u, 'y') == "yy");
    using pool_type = shared_pool<std::string, C>;
    static std::byte blocks[3 * sizeof(std::string) + alignof(std::string)];
    static std::byte metadata[pool_type::required_metadata_bytes(3)];
    const pool_type apart(3, fixpool::arena::borrow(blocks, metadata));
    CHECK(apart.allocate("text")->size() == 4);
    CHECK(pool_type::required_metadata_bytes(3) < pool_type::required_bytes(3));
}

TEST_CASE("what is constant in a shared pool is asked while other threads use it", "[shared_pool][threads]") {
    const shared_pool<std::uint64_t> pool(8, {.name = "numbers"});
    const auto held = pool.allocate(0u);
    std::array<std::size_t, 4> wrong{};
    const std::size_t rounds = turns(2000);
    on_threads(4, [&](std::size_t me) {
        for (std::size_t round = 0; round < rounds; ++round) {
            const auto mine = pool.try_allocate(round);
            if (pool.index_of(held.get()) != 0 || !pool.contains(held.get()) || pool.name()[0] != 'n') ++wrong[me];
        }
    });
    CHECK(std::accumulate(wrong.begin(), wrong.end(), std::size_t{0}) == 0);
}

TEST_CASE("a shared pool of any size, with magazines of any size, hands out all its blocks and no more",
          "[shared_pool][threads]") {
    for (const std::size_t blocks : {1u, 2u, 7u, 19u, 20u, 100u, 4096u}) {
        for (const unsigned magazine_size : {0u, 1u, 60u, 100'000u}) {
            INFO(blocks << " blocks, magazines of " << magazine_size);
            const shared_pool<std::uint64_t> pool(blocks, {.magazine_size = magazine_size});
            std::array<std::size_t, 5> disturbed{};
            std::atomic<std::size_t> out = 0;
            std::atomic<std::size_t> too_many = 0;
            on_threads(disturbed.size(), [&](std::size_t me) {
                std::vector<shared_block<std::uint64_t>> mine;
                for (std::size_t turn = 0; turn < turns(2000); ++turn) {
                    if (turn % 3 == 2 && !mine.empty()) {
                        if (*mine.back() >> 32 != me) ++disturbed[me];
                        --out;
                        mine.pop_back();
                    } else if (auto made = pool.try_allocate(std::uint64_t{me} << 32 | turn)) {
                        if (++out > blocks) ++too_many;
                        mine.push_back(std::move(made));
                    }
                }
                out -= mine.size();
                for (const auto& each : mine)
                    if (*each >> 32 != me) ++disturbed[me];
            });
            CHECK(disturbed == std::array<std::size_t, 5>{});
            CHECK(too_many == 0);
            CHECK(pool.available() == blocks);
            CHECK(pool.peak_in_use() <= blocks);
            std::vector<shared_block<std::uint64_t>> all;
            while (auto made = pool.try_allocate(0u)) all.push_back(std::move(made));
            CHECK(all.size() == blocks);
            CHECK(pool.available() == 0);
        }
    }
}

TEST_CASE("without magazines, what one thread releases is the next block for all", "[shared_pool][threads]") {
    const shared_pool<int> pool(1000, {.magazine_size = 0});
    auto first = pool.allocate(1);
    const int* const object = first.get();
    std::thread([&] { first.reset(); }).join();
    const auto again = pool.allocate(2);
    CHECK(again.get() == object);
}

TEST_CASE("what a thread had at hand when it ended is there for all", "[shared_pool][threads]") {
    const shared_pool<int> pool(1000);
    for (int round = 0; round < 300; ++round) std::thread([&pool] { pool.allocate(1).reset(); }).join();
    CHECK(pool.available() == 1000);
    std::vector<shared_block<int>> all;
    while (auto made = pool.try_allocate(1)) all.push_back(std::move(made));
    CHECK(all.size() == 1000);
}

TEST_CASE("a block that was never handed out is told from one that was, while both are in magazines", "[shared_pool]") {
    const played_threads playing;
    playing.as(1);
    recorded_violations violations;
    const shared_pool<std::uint64_t> pool(4096);
    auto first = pool.allocate(1u);
    std::uint64_t* const object = first.get();
    const auto kind_of = [&](std::uint64_t* stale) {
        CHECK(pool.adopt(stale) == nullptr);
        REQUIRE(violations.count() == 1);
        CHECK(violations.last().live_blocks == pool.in_use());
        return violations.last().kind;
    };
    CHECK(kind_of(object + 1) == violation_kind::not_allocated);  // carved for the magazine
    CHECK(kind_of(object + 4000) == violation_kind::not_allocated);
    CHECK(kind_of(object) == violation_kind::still_owned);
    first.reset();
    CHECK(kind_of(object) == violation_kind::double_free);
    CHECK(kind_of(object + 1) == violation_kind::not_allocated);
    shared_block<std::uint64_t> of_other;
    first = pool.allocate(1u);
    auto second = pool.allocate(2u);  // from a run
    playing.as(2);
    of_other = pool.allocate(1u);  // from another run, behind the first
    playing.as(1);
    CHECK(first.get() == object);
    CHECK(second.get() == object + 1);
    CHECK(of_other.get() > object + 2);
    CHECK(kind_of(object + 2) == violation_kind::not_allocated);
    CHECK(kind_of(of_other.get() + 1) == violation_kind::not_allocated);
    CHECK(kind_of(of_other.get()) == violation_kind::still_owned);
    first.reset();
    second.reset();
    of_other.reset();
    CHECK(kind_of(object + 4000) == violation_kind::not_allocated);
    CHECK(kind_of(object) == violation_kind::double_free);
    CHECK(pool.available() == 4096);
    CHECK(pool.peak_in_use() == 3);
}

TEST_CASE("a block that was taken anew after its pool was empty was handed out before", "[shared_pool]") {
    recorded_violations violations;
    constexpr std::size_t count = 5000;  // of 64 bytes: order is restored
    struct node {
        std::byte bytes[64];
    };
    const shared_pool<node> pool(2 * count);
    std::vector<shared_block<node>> all;
    while (all.size() < count) all.push_back(pool.allocate());
    std::vector<node*> objects;
    for (const auto& each : all) objects.push_back(each.get());
    std::reverse(all.begin() + 7, all.end());
    std::swap(all[3], all[4000]);
    all.clear();
    const auto again = pool.allocate();
    CHECK(again.get() == objects[0]);
    for (const std::size_t i : {std::size_t{1}, std::size_t{40}, std::size_t{100}, count - 1}) {
        CHECK(pool.adopt(objects[i]) == nullptr);
        REQUIRE(violations.count() == 1);
        CHECK(violations.last().kind == violation_kind::double_free);
    }
    CHECK(pool.adopt(objects[count - 1] + 1) == nullptr);
    CHECK(violations.last().kind == violation_kind::not_allocated);
    CHECK(pool.peak_in_use() == count);
}

TEST_CASE("a shared pool of 100 int takes at most 1 KiB more than a typed_pool", "[shared_pool]") {
    const heap::usage before = heap::in_use();
    const auto typed = std::make_unique<fixpool::typed_pool<int>>(100u);
    const std::size_t of_typed = heap::in_use().bytes - before.bytes;
    const auto shared = std::make_unique<shared_pool<int>>(100u);
    const std::size_t of_shared = heap::in_use().bytes - before.bytes - of_typed;
    INFO("typed_pool " << of_typed << ", shared_pool " << of_shared << " bytes");
    CHECK(of_shared <= of_typed + 1024);
    CHECK(typed->total_blocks() == shared->total_blocks());
}

TEST_CASE("when memory fails anywhere in the construction of a pool with magazines, nothing is left behind",
          "[shared_pool]") {
    const heap::usage before = heap::in_use();
    std::size_t refusals = 0;
    bool happened = true;
    for (std::size_t nth = 0; happened && nth < 10; ++nth) {
        const heap::failure failure(nth, false);
        try {
            const shared_pool<int> pool(1000);
        } catch (const std::bad_alloc&) {
            ++refusals;
        }
        happened = failure.happened();
        CHECK(heap::in_use() == before);
    }
    CHECK(refusals == 4);  // the state, the arena, the slots and the counts
}

TEST_CASE("a pool at the address of a dead one knows nothing of its blocks", "[shared_pool][threads]") {
    constexpr std::size_t blocks = 400;
    static std::byte buffer[shared_pool<std::uint64_t>::required_bytes(blocks) + 8];
    std::unique_ptr<shared_pool<std::uint64_t>> pool;
    std::atomic<int> round = 0;
    std::atomic<int> done = 0;
    std::size_t wrong = 0;
    constexpr int rounds = 50;
    std::thread old([&] {  // keeps its number through all pools
        for (int mine = 1; mine <= rounds; ++mine) {
            while (round < mine) std::this_thread::yield();
            for (int turn = 0; turn < 100; ++turn) pool->allocate(1u).reset();
            ++done;
        }
    });
    for (int next = 1; next <= rounds; ++next) {
        pool.reset();
        pool = std::make_unique<shared_pool<std::uint64_t>>(blocks, fixpool::arena::borrow(buffer));
        round = next;
        std::vector<shared_block<std::uint64_t>> mine;
        for (int i = 0; i < 100; ++i) mine.push_back(pool->allocate(2u));
        while (done < next) std::this_thread::yield();
        mine.clear();
        if (pool->available() != blocks) ++wrong;
    }
    old.join();
    CHECK(wrong == 0);
}

TEST_CASE("the blocks that were carved for one thread are there for all", "[shared_pool]") {
    const played_threads playing;
    const shared_pool<int> pool(100);
    std::vector<shared_block<int>> all;
    for (const unsigned thread : {1u, 2u}) {
        playing.as(thread);
        all.push_back(pool.allocate(0));
    }
    while (auto made = pool.try_allocate(1)) all.push_back(std::move(made));
    CHECK(all.size() == 100);
}
