// SPDX-License-Identifier: BSL-1.0
// instructions: fixed workloads whose instructions callgrind counts. `bench/gate` builds, runs and reads it.
#include <cstdio>

#if !__has_include(<valgrind/callgrind.h>)

int main() {
    std::fputs("instructions: needs valgrind's headers (valgrind/callgrind.h)\n", stderr);
    return 1;
}

#else

#include <valgrind/callgrind.h>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <fixpool/fixpool.hpp>
#include <fixpool/static_pool.hpp>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <utility>
#include <vector>

using fixpool::checking;

/// The fewest releases after which a large pool that is in order looks at its order again.
std::size_t deep(std::size_t blocks) {
    std::size_t fewest = 1;
    for (std::size_t at = blocks; at != 0; at = at > blocks / 4 + 3 ? at - blocks / 4 : at / 16) fewest += 12;
    return fewest;
}

/// What is counted, once per slot. It is called through a pointer: the compiler then knows nothing about the pool, and loads its
/// members as in a program.
using operation = void (*)(void* pool, void* slot);

/// Lets callgrind count `repeats` calls of `op`, and dump the sum under `label`. The count includes this loop and the requests.
/// The same loop over `nothing` tells their part.
[[gnu::noinline]] void count(const char* label, operation op, void* pool, void* slots, std::size_t slot_size,
                             std::size_t repeats) {
    asm volatile("" : "+r"(op));
    CALLGRIND_ZERO_STATS;
    for (std::size_t i = 0; i < repeats; ++i) op(pool, static_cast<std::byte*>(slots) + i * slot_size);
    CALLGRIND_DUMP_STATS_AT(label);
}

[[gnu::noinline]] void nothing(void*, void*) { asm volatile(""); }

/// Forces the value into a register. The compiler must assume that it changed.
template <class T> void use(T& value) { asm volatile("" : "+r"(value)); }

/// An object whose constructor and destructor do nothing.
template <std::size_t Size> struct object {
    object() noexcept {}
    ~object() {}
    std::byte bytes[Size];
};

/// A pool of raw blocks.
template <class Pool> struct bytes_level {
    static constexpr bool is_bounded = true, is_asked = false;
    using slot = void*;

    bytes_level(std::size_t blocks, std::size_t size) : pool({.block_size = size, .block_count = blocks}) {}
    void allocate(slot& s) { s = pool.allocate(); }
    void try_allocate(slot& s) { s = pool.try_allocate(); }
    void release(slot& s) { pool.deallocate(s); }
    void pair() {
        void* block = pool.allocate();
        use(block);
        pool.deallocate(block);
    }

    Pool pool;
};

template <checking C, std::size_t Size> struct raw_level : bytes_level<fixpool::basic_memory_pool<C>> {
    static constexpr const char* name = C == checking::checked ? "memory_pool" : "unchecked_memory_pool";
    static constexpr bool is_asked = C == checking::checked;
    using slot = void*;

    explicit raw_level(std::size_t blocks, std::size_t size = Size) : raw_level::bytes_level(blocks, size) {}
    void try_deallocate(slot& s) {
        auto status = this->pool.try_deallocate(s);
        use(status);
    }
    void owns(slot& s) {
        bool is_owned = this->pool.owns(s);
        use(is_owned);
    }
};

/// A typed or shared pool. Handles are constructed in their slots. `pair` holds one that the compiler cannot follow.
template <class Pool, class Handle> struct object_level {
    static constexpr bool is_bounded = true, is_asked = false;
    using slot = Handle;

    template <class... Blocks> explicit object_level(Blocks... blocks) : pool(blocks...) {}
    void allocate(slot& s) { ::new (static_cast<void*>(&s)) slot(pool.allocate()); }
    void try_allocate(slot& s) { ::new (static_cast<void*>(&s)) slot(pool.try_allocate()); }
    void release(slot& s) { s.reset(); }
    void pair() {
        slot held = pool.allocate();
        auto* made = held.get();
        use(made);
    }

    Pool pool;
};

template <checking C, std::size_t Size>
struct typed_level : object_level<fixpool::typed_pool<object<Size>, C>, fixpool::block<object<Size>, C>> {
    static constexpr const char* name = C == checking::checked ? "typed_pool" : "unchecked_typed_pool";
    using typed_level::object_level::object_level;
};

/// The number of blocks is part of the type.
template <checking C, std::size_t Size, std::size_t Blocks>
struct static_level
    : object_level<fixpool::static_pool<object<Size>, Blocks, C>, fixpool::static_block<object<Size>, Blocks, C>> {
    static constexpr const char* name = C == checking::checked ? "static_pool" : "unchecked_static_pool";
    explicit static_level(std::size_t) : static_level::object_level() {}
};

template <std::size_t Size>
struct shared_level : object_level<fixpool::shared_pool<object<Size>>, fixpool::shared_block<object<Size>>> {
    static constexpr const char* name = "shared_pool";
    using shared_level::object_level::object_level;
};

template <std::size_t Size> struct shared_raw_level : bytes_level<fixpool::shared_memory_pool> {
    static constexpr const char* name = "shared_memory_pool";
    explicit shared_raw_level(std::size_t blocks) : bytes_level(blocks, Size) {}
};

template <std::size_t Size> struct new_level {
    static constexpr const char* name = "operator_new";
    static constexpr bool is_bounded = false, is_asked = false;
    using slot = void*;

    explicit new_level(std::size_t) {}
    void allocate(slot& s) { s = ::operator new(Size); }
    void release(slot& s) { ::operator delete(s); }
    void pair() {
        void* block = ::operator new(Size);
        use(block);
        ::operator delete(block);
    }
};

/// Each operation inlines one member of the level, and is never inlined itself.
template <class L> struct operations {
    using slot = typename L::slot;
    [[gnu::noinline]] static void allocate(void* l, void* s) { static_cast<L*>(l)->allocate(*static_cast<slot*>(s)); }
    [[gnu::noinline]] static void try_allocate(void* l, void* s) {
        static_cast<L*>(l)->try_allocate(*static_cast<slot*>(s));
    }
    [[gnu::noinline]] static void release(void* l, void* s) { static_cast<L*>(l)->release(*static_cast<slot*>(s)); }
    [[gnu::noinline]] static void pair(void* l, void*) { static_cast<L*>(l)->pair(); }
    [[gnu::noinline]] static void try_deallocate(void* l, void* s) {
        static_cast<L*>(l)->try_deallocate(*static_cast<slot*>(s));
    }
    [[gnu::noinline]] static void owns(void* l, void* s) { static_cast<L*>(l)->owns(*static_cast<slot*>(s)); }
};

/// Counts all operations at one level, block size and number of blocks. The first block is always live, except in `pair` and
/// `churn`. The means are of all others, so an extra cost of one of these shows.
template <class Level> void count_all(std::size_t size, std::size_t blocks) {
    using ops = operations<Level>;
    using slot = typename Level::slot;
    const auto counted = [&](const char* workload, operation op, Level& level, slot* slots, std::size_t repeats) {
        const std::string label = std::string(Level::name) + "/" + workload + "/" + std::to_string(size) + " " +
                                  std::to_string(blocks) + " " + std::to_string(repeats);
        count(label.c_str(), op, &level, slots, sizeof(slot), repeats);
    };
    {
        const auto owner = std::make_unique<Level>(blocks);  // a static pool is too large for the stack
        Level& level = *owner;
        std::vector<slot> slots(blocks);
        std::vector<slot> spare(8);
        level.allocate(slots[0]);
        counted("allocate_fresh", &ops::allocate, level, &slots[1], blocks - 2);
        counted("allocate_last", &ops::allocate, level, &slots[blocks - 1], 1);
        if constexpr (Level::is_bounded) counted("exhausted", &ops::try_allocate, level, spare.data(), spare.size());
        counted("release", &ops::release, level, &slots[1], blocks - 1);
        if constexpr (Level::is_asked) counted("double_free", &ops::try_deallocate, level, &slots[1], blocks - 1);
        counted("allocate_again", &ops::allocate, level, &slots[1], blocks - 1);
        if constexpr (Level::is_asked) counted("owns", &ops::owns, level, &slots[1], blocks - 1);
        for (slot& s : slots) level.release(s);
        level.pair();  // an empty large pool starts anew, and the counted pairs reuse this block
        counted("pair", &ops::pair, level, spare.data(), spare.size());
    }
    const auto owner = std::make_unique<Level>(blocks);
    Level& level = *owner;
    std::vector<slot> slots(10);
    std::vector<bool> is_live(slots.size());
    const auto toggle = [&](std::size_t i) {
        counted(is_live[i] ? "churn_release" : "churn_allocate", is_live[i] ? &ops::release : &ops::allocate, level,
                &slots[i], 1);
        is_live[i] = !is_live[i];
    };
    std::mt19937 random(1);
    for (int step = 0; step < 200; ++step) toggle(random() % slots.size());
    for (std::size_t i = 0; i < slots.size(); ++i)
        if (!is_live[i]) toggle(i);
    for (std::size_t i = 0; i < slots.size(); ++i) toggle(i);
}

/// Counts in a large pool whose blocks are in order. First the release that empties it, then pairs, then the releases after
/// which it looks at its order again.
template <class Level> void count_large(std::size_t size, std::size_t blocks) {
    using ops = operations<Level>;
    const auto counted = [&](const char* workload, operation op, Level& level, void** slots, std::size_t repeats) {
        const std::string label = std::string(Level::name) + "/" + workload + "/" + std::to_string(size) + " " +
                                  std::to_string(blocks) + " " + std::to_string(repeats);
        count(label.c_str(), op, &level, slots, sizeof(void*), repeats);
    };
    Level level(blocks, size);
    std::vector<void*> slots(blocks);
    const auto out = slots.begin() + static_cast<std::ptrdiff_t>(deep(blocks));
    for (void*& s : slots) level.allocate(s);
    std::reverse(slots.begin(), slots.end());
    for (std::size_t i = 0; i < blocks - 1; ++i) level.release(slots[i]);
    counted("emptying", &ops::release, level, &slots[blocks - 1], 1);
    counted("pair_in_order", &ops::pair, level, slots.data(), 8);
    std::for_each(slots.begin(), out, [&level](void*& s) { level.allocate(s); });
    std::reverse(slots.begin(), out);
    counted("release_deep", &ops::release, level, slots.data(), deep(blocks));
}

template <std::size_t Size> void count_levels(std::size_t blocks) {
    count_all<raw_level<checking::checked, Size>>(Size, blocks);
    count_all<raw_level<checking::unchecked, Size>>(Size, blocks);
    count_all<typed_level<checking::checked, Size>>(Size, blocks);
    count_all<typed_level<checking::unchecked, Size>>(Size, blocks);
    count_all<shared_level<Size>>(Size, blocks);
    count_all<shared_raw_level<Size>>(Size, blocks);
    count_all<new_level<Size>>(Size, blocks);
}

template <std::size_t Size> void count_static() {
    count_all<static_level<checking::checked, Size, 100>>(Size, 100);
    count_all<static_level<checking::unchecked, Size, 100>>(Size, 100);
    count_all<static_level<checking::checked, Size, 1'000'000>>(Size, 1'000'000);
    count_all<static_level<checking::unchecked, Size, 1'000'000>>(Size, 1'000'000);
}

int main() {
    if (RUNNING_ON_VALGRIND == 0) {
        std::fputs("instructions: counts nothing by itself, run bench/gate\n", stderr);
        return 1;
    }
    try {
        for (const std::size_t blocks : {std::size_t{100}, std::size_t{1'000'000}}) {
            for (const std::size_t repeats : {std::size_t{1}, std::size_t{8}, deep(blocks), blocks - 2, blocks - 1})
                count(("nothing 0 " + std::to_string(repeats)).c_str(), &nothing, nullptr, nullptr, 0, repeats);
#if !defined(LARGE_POOLS) && !defined(STATIC_POOLS)
            count_levels<24>(blocks);
            count_levels<64>(blocks);
#endif
        }
#ifdef STATIC_POOLS  // a program of their own: other code would change what the compiler inlines
        count_static<24>();
        count_static<64>();
#endif
#ifdef LARGE_POOLS
        for (const auto& [size, blocks] : {std::pair(64, 1'000'000), std::pair(4096, 100), std::pair(300'000, 100)}) {
            count_large<raw_level<checking::checked, 64>>(size, blocks);
            count_large<raw_level<checking::unchecked, 64>>(size, blocks);
        }
#endif
    } catch (const std::exception& error) {
        std::fprintf(stderr, "instructions: %s\n", error.what());
        return 1;
    }
}

#endif
