// SPDX-License-Identifier: BSL-1.0
// The promises of the raw and the typed pool, for any toolchain: without a test framework, exceptions, RTTI, threads or
// heap, on static buffers. Runs the same checks on a desktop and on bare metal, and ends with 0 or 1. With an argument,
// it does one thing that must not end with 0: see main.
#include <fixpool/memory_pool.hpp>
#include <fixpool/typed_pool.hpp>
#include <fixpool/version.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

using fixpool::arena;
using fixpool::basic_memory_pool;
using fixpool::block;
using fixpool::checking;
using fixpool::memory_pool;
using fixpool::pool_layout;
using fixpool::release_status;
using fixpool::typed_pool;
using fixpool::violation;
using fixpool::violation_kind;
constexpr std::size_t npos = violation::npos;
using sizes = std::initializer_list<std::size_t>;

// ---- checks

static unsigned long checks = 0;
static unsigned long failed_checks = 0;
static unsigned long noted[2] = {};  // the current values of the loops around a check

static void note(std::size_t first, std::size_t second = 0) {
    noted[0] = static_cast<unsigned long>(first);
    noted[1] = static_cast<unsigned long>(second);
}

static void check(bool holds, int line, const char* expression) {
    ++checks;
    if (holds) return;
    if (++failed_checks <= 20)  // all others are only counted
        std::printf("%s:%d: failed: %s  (at %lu, %lu)\n", __FILE__, line, expression, noted[0], noted[1]);
}

#define CHECK(...) check(static_cast<bool>(__VA_ARGS__), __LINE__, #__VA_ARGS__)

// ---- no heap: every form of operator new is counted, and served from a buffer

static unsigned long heap_uses = 0;

static void* from_no_heap(std::size_t size, std::size_t alignment = alignof(std::max_align_t)) {
    static std::byte bytes[4096];
    static std::size_t used = 0;
    ++heap_uses;
    used += (0 - reinterpret_cast<std::uintptr_t>(bytes + used)) & (alignment - 1);
    if (used > sizeof bytes || size > sizeof bytes - used) std::abort();
    return bytes + std::exchange(used, used + size);
}

void* operator new(std::size_t size) { return from_no_heap(size); }
void* operator new[](std::size_t size) { return from_no_heap(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return from_no_heap(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return from_no_heap(size); }
void* operator new(std::size_t size, std::align_val_t alignment) {
    return from_no_heap(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
    return from_no_heap(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return from_no_heap(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return from_no_heap(size, static_cast<std::size_t>(alignment));
}
void operator delete(void*) noexcept {}
void operator delete[](void*) noexcept {}
void operator delete(void*, std::size_t) noexcept {}
void operator delete[](void*, std::size_t) noexcept {}
void operator delete(void*, const std::nothrow_t&) noexcept {}
void operator delete[](void*, const std::nothrow_t&) noexcept {}
void operator delete(void*, std::align_val_t) noexcept {}
void operator delete[](void*, std::align_val_t) noexcept {}
void operator delete(void*, std::size_t, std::align_val_t) noexcept {}
void operator delete[](void*, std::size_t, std::align_val_t) noexcept {}
void operator delete(void*, std::align_val_t, const std::nothrow_t&) noexcept {}
void operator delete[](void*, std::align_val_t, const std::nothrow_t&) noexcept {}

// ---- buffers and helpers

alignas(256) static std::byte storage[16 * 1024];
alignas(256) static std::byte more_storage[4 * 1024];
static std::byte large_storage[1024 * 1024];

static arena on(std::byte* bytes, std::size_t size) { return arena::borrow(std::span<std::byte>(bytes, size)); }

/// A pool's arena in `storage`. Its size is exactly required_bytes.
template <class Pool> static arena exactly(pool_layout layout) { return on(storage, Pool::required_bytes(layout)); }

static std::uintptr_t number(const void* address) { return reinterpret_cast<std::uintptr_t>(address); }

/// `bytes` behind an address, or in front of it, whether inside an object or not.
static void* offset(const void* address, std::ptrdiff_t bytes) {
    return reinterpret_cast<void*>(number(address) + static_cast<std::uintptr_t>(bytes));
}
static void* offset(const void* address, std::size_t bytes) {
    return offset(address, static_cast<std::ptrdiff_t>(bytes));
}

/// xorshift32: the same numbers everywhere.
class random_numbers {
public:
    std::uint32_t below(std::uint32_t limit) {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 17;
        state_ ^= state_ << 5;
        return (state_ >> 4) % limit;
    }

private:
    std::uint32_t state_ = 0x2545f491;
};

/// Relations between the counters that hold at any moment.
template <class Pool> static bool counts(const Pool& pool, std::size_t in_use, std::size_t peak) {
    const fixpool::pool_stats s = pool.stats();
    return pool.in_use() == in_use && pool.available() == pool.total_blocks() - in_use && pool.peak_in_use() == peak &&
           s.in_use == in_use && s.peak_in_use == peak && s.total_blocks == pool.total_blocks() &&
           s.block_size == pool.block_size() && s.stride == pool.stride();
}

// ---- violations

static violation last = {};
static std::size_t violations_seen = 0;

static void record(const violation& v) {
    last = v;
    ++violations_seen;
}

/// Whether there was exactly one violation since the last call.
static bool is_one_seen() { return std::exchange(violations_seen, 0) == 1; }

/// What a pool keeps of its name: nothing if errors trap.
static const char* kept(const char* name) { return fixpool::detail::traps ? "" : name; }

/// Expects one violation that names all of this.
static void expect(violation_kind kind, const void* pool, const char* name, const void* address, std::size_t index,
                   std::size_t total, std::size_t live) {
    CHECK(is_one_seen());
    CHECK(last.kind == kind);
    CHECK(last.pool == pool);
    CHECK(std::strcmp(last.pool_name, kept(name)) == 0);
    CHECK(last.address == address);
    CHECK(last.index == index);
    CHECK(last.total_blocks == total);
    CHECK(last.live_blocks == live);
}

/// Releases `address` wrongly, and expects one violation and no change.
template <class Pool> static void refuse(Pool& pool, void* address, violation_kind kind, std::size_t index) {
    const std::size_t live = pool.in_use();
    const std::size_t peak = pool.peak_in_use();
    pool.deallocate(address);
    expect(kind, &pool, "refusing", address, index, pool.total_blocks(), live);
    CHECK(counts(pool, live, peak));
    const release_status status = pool.try_deallocate(address);
    CHECK(status == (kind == violation_kind::foreign_pointer      ? release_status::foreign_pointer
                     : kind == violation_kind::misaligned_pointer ? release_status::misaligned_pointer
                     : kind == violation_kind::double_free        ? release_status::double_free
                                                                  : release_status::not_allocated));
    CHECK(violations_seen == 0);
    CHECK(!pool.owns(address));
    CHECK(pool.contains(address) == (kind != violation_kind::foreign_pointer));
    CHECK(counts(pool, live, peak));
}

// ---- raw pools, at both levels

/// Promises that are checked at compile time.
template <checking C> static constexpr bool keeps_contract() {
    using pool = basic_memory_pool<C>;
    using objects = typed_pool<int, C>;
    static_assert(!std::is_copy_constructible_v<pool> && std::is_nothrow_move_constructible_v<pool>);
    static_assert(!std::is_copy_constructible_v<objects> && !std::is_move_constructible_v<objects>);
    static_assert(!std::is_copy_constructible_v<block<int, C>> && std::is_nothrow_move_constructible_v<block<int, C>>);
    static_assert(sizeof(block<int, C>) == 2 * sizeof(void*));
    static_assert(noexcept(std::declval<pool&>().try_allocate()));
    static_assert(noexcept(std::declval<pool&>().deallocate(nullptr)));
    static_assert(pool::required_bytes({64, 16}) >= 16 * 64 + 16 * (C == checking::checked ? 5 : sizeof(void*)));
    static_assert(pool::required_bytes({64, 16}) <= 16 * 64 + 16 * (C == checking::checked ? 5 : sizeof(void*)) + 64);
    static_assert(objects::required_bytes(7) == pool::required_bytes({sizeof(int), 7, alignof(int)}));
    return true;
}
static_assert(keeps_contract<checking::checked>() && keeps_contract<checking::unchecked>());

/// A pool of five blocks: its numbers and its blocks. Nothing outside of its arena is written.
template <checking C> static void layout(std::size_t size, std::size_t alignment) {
    using pool_type = basic_memory_pool<C>;
    constexpr std::size_t count = 5;
    const pool_layout asked{size, count, alignment};
    const std::size_t needed = pool_type::required_bytes(asked);
    std::memset(storage, 0xa5, sizeof storage);
    {
        pool_type pool(asked, on(storage, needed), {.name = "layout"});
        const std::size_t lowest_bit = size & (0 - size);
        const std::size_t most = alignof(std::max_align_t);
        CHECK(pool.alignment() == (alignment != 0 ? alignment : lowest_bit < most ? lowest_bit : most));
        CHECK(pool.block_size() == size);
        CHECK(pool.stride() >= size && pool.stride() - size < pool.alignment());
        CHECK(pool.stride() % pool.alignment() == 0);
        CHECK(pool.total_blocks() == count);
        CHECK(counts(pool, 0, 0));

        const fixpool::pool_stats stats = pool.stats();
        CHECK(stats.arena_bytes == needed);
        CHECK(stats.metadata_bytes == needed - count * pool.stride());
        CHECK(stats.metadata_bytes <= count * (C == checking::checked ? 5 : sizeof(void*)) + 64);

        void* blocks[count] = {};
        bool are_aligned = true;
        bool are_inside = true;
        bool are_in_order = true;
        bool are_counted = true;
        for (std::size_t i = 0; i < count; ++i) {
            blocks[i] = pool.try_allocate();
            are_aligned &= number(blocks[i]) % pool.alignment() == 0;
            are_inside &= number(blocks[i]) >= number(storage) && number(blocks[i]) + size <= number(storage) + needed;
            are_in_order &= blocks[i] == offset(blocks[0], i * pool.stride());
            are_counted &= counts(pool, i + 1, i + 1);
            std::memset(blocks[i], static_cast<int>(i + 1), size);
        }
        CHECK(are_aligned);
        CHECK(are_inside);
        CHECK(are_in_order);
        CHECK(are_counted);
        CHECK(pool.try_allocate() == nullptr);
        CHECK(pool.try_allocate() == nullptr);
        CHECK(counts(pool, count, count));

        bool are_kept = true;
        for (std::size_t i = 0; i < count; ++i)
            for (std::size_t byte = 0; byte < size; ++byte)
                are_kept &= static_cast<unsigned char*>(blocks[i])[byte] == i + 1;
        CHECK(are_kept);
        for (std::size_t i = 0; i < count; ++i) pool.deallocate(blocks[i]);
        CHECK(counts(pool, 0, count));
        bool are_reused = true;
        for (std::size_t i = count; i-- > 0;) are_reused &= pool.try_allocate() == blocks[i];
        CHECK(are_reused);
        CHECK(pool.try_allocate() == nullptr);
        for (std::size_t i = 0; i < count; ++i) pool.deallocate(blocks[i]);
    }
    bool is_rest_untouched = true;
    for (std::size_t byte = needed; byte < sizeof storage; ++byte)
        is_rest_untouched &= storage[byte] == std::byte{0xa5};
    CHECK(is_rest_untouched);
    CHECK(violations_seen == 0);
}

template <checking C> static void layouts() {
    for (const std::size_t size : sizes{1,  2,  3,  4,  5,  6,  7,  8,  9,  11,  12,  13,  15,  16,  17,  20, 24,
                                        31, 32, 33, 40, 48, 63, 64, 65, 96, 100, 127, 128, 129, 200, 255, 256}) {
        for (const std::size_t alignment : sizes{0, 1, 2, 4, 8, 16, 32, 64, 128, 256}) {
            note(size, alignment);
            layout<C>(size, alignment);
        }
    }
    CHECK(pool_layout::from_total_size(1000, 64).block_count == 15);
    CHECK(pool_layout::from_total_size(63, 64).block_count == 0);
    CHECK(pool_layout::from_total_size(63, 0).block_count == 0);
}

/// A buffer may begin anywhere. Aligning it costs exactly so many bytes more.
template <checking C> static void unaligned_buffers() {
    using pool_type = basic_memory_pool<C>;
    for (const std::size_t alignment : sizes{1, 8, 32, 256}) {
        for (std::size_t start = 0; start < 24; ++start) {
            note(alignment, start);
            const std::size_t step = alignment < 8 ? 8 : alignment;
            const std::size_t padding = (step - start % step) % step;
            const pool_layout asked{10, 3, alignment};
            const std::size_t needed = padding + pool_type::required_bytes(asked);
            pool_type pool(asked, on(storage + start, needed));
            void* const first = pool.try_allocate();
            CHECK(first == storage + start + padding);
            CHECK(number(first) % alignment == 0);
            pool.deallocate(first);
        }
    }
}

/// Every number of blocks is exact, beyond what 8 and 16 bits can count.
template <checking C> static void capacities() {
    using pool_type = basic_memory_pool<C>;
    for (const std::size_t count : sizes{1, 2, 3, 100, 255, 256, 257, 1000, 65535, 65536, 70000}) {
        note(count);
        const pool_layout asked{1, count};
        CHECK(pool_type::required_bytes(asked) <= sizeof large_storage);
        pool_type pool(asked, on(large_storage, sizeof large_storage));
        void* const first = pool.try_allocate();
        std::size_t handed_out = 1;
        bool are_in_order = true;
        void* latest = first;
        while (void* const next = pool.try_allocate()) {
            are_in_order &= next == offset(first, handed_out);
            latest = next;
            ++handed_out;
        }
        CHECK(handed_out == count);
        CHECK(are_in_order);
        CHECK(counts(pool, count, count));
        pool.deallocate(latest);
        CHECK(counts(pool, count - 1, count));
        CHECK(pool.try_allocate() == latest);
        CHECK(pool.try_allocate() == nullptr);
        std::size_t released = 0;
        for (std::size_t i = 0; i < count; ++i, ++released) pool.deallocate(offset(first, i));
        CHECK(counts(pool, 0, count));
        CHECK(pool.try_allocate() == latest);
        pool.deallocate(latest);
        CHECK(violations_seen == 0);
    }
}

/// Blocks come back in the opposite order of their release.
template <checking C> static void orders() {
    const pool_layout asked{24, 4};
    basic_memory_pool<C> pool(asked, exactly<basic_memory_pool<C>>(asked));
    void* blocks[4] = {};
    CHECK(pool.try_allocate_bulk(blocks));
    for (std::size_t permutation = 0; permutation < 24; ++permutation) {
        std::size_t order[4] = {0, 1, 2, 3};
        std::swap(order[0], order[permutation % 4]);
        std::swap(order[1], order[1 + permutation / 4 % 3]);
        std::swap(order[2], order[2 + permutation / 12]);
        note(permutation);
        for (std::size_t i = 0; i < 4; ++i) {
            pool.deallocate(blocks[order[i]]);
            CHECK(pool.available() == i + 1);
        }
        for (std::size_t i = 4; i-- > 0;) CHECK(pool.try_allocate() == blocks[order[i]]);
        CHECK(pool.try_allocate() == nullptr);
    }
    pool.deallocate_bulk(blocks);
    CHECK(counts(pool, 0, 4));
}

template <checking C> static void counters() {
    const pool_layout asked{32, 6};
    basic_memory_pool<C> pool(asked, exactly<basic_memory_pool<C>>(asked), {.name = nullptr});
    CHECK(counts(pool, 0, 0));
    void* const first = pool.allocate();
    void* const second = pool.allocate();
    CHECK(counts(pool, 2, 2));
    pool.deallocate(first);
    CHECK(counts(pool, 1, 2));
    CHECK(pool.allocate() == first);  // a freed block, before one that was never out
    CHECK(counts(pool, 2, 2));
    pool.deallocate(nullptr);
    CHECK(counts(pool, 2, 2));
    pool.deallocate(second);
    pool.deallocate(first);
    CHECK(counts(pool, 0, 2));
    CHECK(violations_seen == 0);
}

template <checking C> static void bulk() {
    const pool_layout asked{16, 5};
    basic_memory_pool<C> pool(asked, exactly<basic_memory_pool<C>>(asked));
    void* three[3] = {};
    CHECK(pool.try_allocate_bulk(three));
    CHECK(three[0] != three[1] && three[1] != three[2] && three[0] != three[2]);
    CHECK(counts(pool, 3, 3));
    void* const mark = &pool;
    void* more[3] = {mark, mark, mark};
    CHECK(!pool.try_allocate_bulk(more));  // all or nothing
    CHECK(more[0] == mark && more[1] == mark && more[2] == mark);
    CHECK(counts(pool, 3, 3));
    CHECK(pool.try_allocate_bulk(std::span<void*>(more, 2)));
    CHECK(more[2] == mark);
    CHECK(counts(pool, 5, 5));
    CHECK(pool.try_allocate_bulk({}));
    void* const some[] = {nullptr, three[0], nullptr, three[2]};
    pool.deallocate_bulk(some);
    CHECK(counts(pool, 3, 5));
    CHECK(pool.try_allocate() == three[2]);
    CHECK(pool.try_allocate() == three[0]);
    pool.deallocate_bulk(three);
    pool.deallocate_bulk(std::span<void*>(more, 2));
    CHECK(counts(pool, 0, 5));
    CHECK(violations_seen == 0);
}

template <checking C> static void resets() {
    const pool_layout asked{40, 4};
    basic_memory_pool<C> pool(asked, exactly<basic_memory_pool<C>>(asked));
    void* before[4] = {};
    for (std::size_t taken = 0; taken <= 4; ++taken) {
        for (std::size_t released = 0; released <= taken; ++released) {
            note(taken, released);
            for (std::size_t i = 0; i < taken; ++i) before[i] = pool.try_allocate();
            for (std::size_t i = 0; i < released; ++i) pool.deallocate(before[i]);
            CHECK(counts(pool, taken - released, taken));
            pool.reset();
            CHECK(counts(pool, 0, 0));
            bool are_as_new = true;
            for (std::size_t i = 0; i < 4; ++i) are_as_new &= pool.try_allocate() == storage + i * pool.stride();
            CHECK(are_as_new);
            CHECK(pool.try_allocate() == nullptr);
            pool.reset();
        }
    }
    CHECK(violations_seen == 0);
}

/// A pool that is moved to keeps the same blocks. The old one has no blocks.
template <checking C> static void moves() {
    using pool_type = basic_memory_pool<C>;
    const pool_layout asked{24, 4};
    pool_type old(asked, exactly<pool_type>(asked), {.name = "moved"});
    void* blocks[4] = {};
    CHECK(old.try_allocate_bulk(std::span<void*>(blocks, 2)));
    old.deallocate(blocks[1]);
    pool_type moved = std::move(old);
    CHECK(counts(old, 0, 0) && old.total_blocks() == 0 && old.try_allocate() == nullptr);
    CHECK(counts(moved, 1, 2) && std::strcmp(moved.name(), kept("moved")) == 0);
    CHECK(moved.try_allocate() == blocks[1]);
    moved.deallocate_bulk(std::span<void*>(blocks, 2));

    pool_type assigned(asked, on(more_storage, sizeof more_storage));
    assigned = std::move(moved);
    CHECK(counts(moved, 0, 0) && counts(assigned, 0, 2));
    CHECK(assigned.try_allocate_bulk(blocks) && blocks[0] == storage + 24 && blocks[1] == storage);
    CHECK(!assigned.try_allocate_bulk(std::span<void*>(blocks, 1)) && assigned.stats().refused == 1);
    assigned.reset();
    CHECK(violations_seen == 0);
}

/// Blocks in one buffer, and everything else in another, at any address.
template <checking C> static void apart() {
    using pool_type = basic_memory_pool<C>;
    const pool_layout asked{32, 7};
    const std::size_t metadata = pool_type::required_metadata_bytes(asked);
    for (std::size_t start = 0; start < 8; ++start) {
        note(start);
        std::memset(storage, 0xa5, sizeof storage);
        pool_type pool(asked, arena::borrow({storage, std::size_t{7 * 32}}, {more_storage + start, metadata}));
        void* blocks[7] = {};
        CHECK(pool.try_allocate_bulk(blocks));
        CHECK(blocks[0] == storage && blocks[6] == storage + std::size_t{6 * 32});
        CHECK(pool.try_allocate() == nullptr);
        pool.deallocate_bulk(blocks);
        bool is_untouched = true;
        for (std::size_t byte = 0; byte < 8 * 32; ++byte) is_untouched &= storage[byte] == std::byte{0xa5};
        CHECK(is_untouched);
    }
    for (std::size_t bytes = 0; bytes < 300; ++bytes) {
        note(bytes);
        const std::size_t most = pool_type::blocks_in(bytes, 12);
        CHECK(most == 0 || pool_type::required_bytes({12, most}) <= bytes);
        CHECK(pool_type::required_bytes({12, most + 1}) > bytes);
    }
}

/// Writes into a free block, and a little behind the last one, do not reach the pool's metadata.
template <checking C> static void writes_after_free() {
    for (const std::size_t size : sizes{1, 4, 8, 24}) {
        note(size);
        const pool_layout asked{size, 3};
        basic_memory_pool<C> pool(asked, exactly<basic_memory_pool<C>>(asked));
        void* blocks[3] = {};
        CHECK(pool.try_allocate_bulk(blocks));
        std::memset(offset(blocks[2], size), 0xff, 16);
        CHECK(counts(pool, 3, 3));
        pool.deallocate_bulk(blocks);
        std::memset(storage, 0xff, 3 * pool.stride());
        CHECK(counts(pool, 0, 3));
        for (std::size_t i = 3; i-- > 0;) CHECK(pool.try_allocate() == blocks[i]);
        CHECK(pool.try_allocate() == nullptr);
        pool.reset();
    }
}

/// A long walk beside a model, with a pattern in every live block. Misuse is tried at the checked level only.
template <checking C> static void random_walk() {
    constexpr std::size_t count = 13;
    constexpr std::size_t size = 20;
    const pool_layout asked{size, count, 4};
    basic_memory_pool<C> pool(asked, exactly<basic_memory_pool<C>>(asked), {.name = "walk"});
    enum state : unsigned char { never, live, released };
    std::array<state, count> states{};
    std::array<unsigned char, count> patterns{};
    std::array<std::size_t, count> free{};  // the last one is handed out next
    std::size_t free_count = 0;
    std::size_t carved = 0;
    std::size_t live_count = 0;
    random_numbers random;
    for (std::size_t step = 0; step < 20000; ++step) {
        note(step);
        const std::uint32_t wish = random.below(64);
        const std::uint32_t favoured = step / 256 % 2;  // phases that fill the pool, and phases that empty it
        if (wish < 60 && (wish < 20 || (wish < 40) == (favoured == 0))) {
            void* const got = pool.try_allocate();
            if (live_count == count) {
                CHECK(got == nullptr);
            } else {
                const std::size_t index = free_count > 0 ? free[--free_count] : carved++;
                CHECK(got == storage + index * size);
                states[index] = live;
                patterns[index] = static_cast<unsigned char>(step);
                std::memset(got, patterns[index], size);
                ++live_count;
            }
        } else if (wish < 60) {
            const std::size_t index = random.below(count);
            void* const address = storage + index * size;
            if (states[index] == live) {
                bool is_kept = true;
                for (std::size_t i = 0; i < size; ++i)
                    is_kept &= storage[index * size + i] == std::byte{patterns[index]};
                CHECK(is_kept);
                pool.deallocate(address);
                CHECK(violations_seen == 0);
                states[index] = released;
                free[free_count++] = index;
                --live_count;
            } else if constexpr (C == checking::checked) {
                pool.deallocate(address);
                CHECK(is_one_seen() && last.address == address && last.index == index);
                CHECK(last.kind ==
                      (states[index] == never ? violation_kind::not_allocated : violation_kind::double_free));
            }
        } else if (wish < 63) {
            if constexpr (C == checking::checked) {
                const std::size_t index = random.below(count);
                const std::size_t inside = 1 + random.below(size - 1);
                pool.deallocate(storage + index * size + inside);
                CHECK(is_one_seen() && last.kind == violation_kind::misaligned_pointer && last.index == index);
                pool.deallocate(storage + count * size + inside);
                CHECK(is_one_seen() && last.kind == violation_kind::foreign_pointer && last.index == npos);
            }
        } else if (random.below(16) == 0) {
            pool.reset();
            states = {};
            free_count = carved = live_count = 0;
        }
        CHECK(counts(pool, live_count, carved));
    }
    if constexpr (C == checking::checked) {
        bool are_owned = true;
        for (std::size_t i = 0; i < count; ++i) are_owned &= pool.owns(storage + i * size) == (states[i] == live);
        CHECK(are_owned);
    }
    pool.reset();
    CHECK(violations_seen == 0);
}

// ---- misuse of a raw pool, which the checked level finds

static void misuse() {
    const pool_layout asked{24, 6, 8};
    const pool_layout neighbours{24, 2, 8};
    memory_pool pool(asked, exactly<memory_pool>(asked), {.name = "refusing"});
    memory_pool neighbour(neighbours, on(more_storage, sizeof more_storage), {.name = "neighbour"});
    void* const theirs = neighbour.try_allocate();
    int local = 0;

    refuse(pool, storage, violation_kind::not_allocated, 0);
    void* blocks[4] = {};
    CHECK(pool.try_allocate_bulk(blocks));
    pool.deallocate(blocks[1]);
    CHECK(violations_seen == 0);
    refuse(pool, blocks[1], violation_kind::double_free, 1);  // at once
    pool.deallocate(blocks[3]);
    refuse(pool, blocks[1], violation_kind::double_free, 1);  // after another one
    refuse(pool, blocks[3], violation_kind::double_free, 3);
    refuse(pool, offset(blocks[0], std::size_t{4 * 24}), violation_kind::not_allocated, 4);
    refuse(pool, offset(blocks[0], std::size_t{5 * 24}), violation_kind::not_allocated, 5);
    for (std::size_t inside = 1; inside < 24; ++inside) {
        note(inside);
        refuse(pool, offset(blocks[0], inside), violation_kind::misaligned_pointer, 0);
        refuse(pool, offset(blocks[1], inside), violation_kind::misaligned_pointer, 1);
        refuse(pool, offset(blocks[0], 5 * 24 + inside), violation_kind::misaligned_pointer, 5);
    }
    refuse(pool, theirs, violation_kind::foreign_pointer, npos);
    refuse(pool, &local, violation_kind::foreign_pointer, npos);
    refuse(pool, &pool, violation_kind::foreign_pointer, npos);
    refuse(pool, offset(blocks[0], std::ptrdiff_t{-1}), violation_kind::foreign_pointer, npos);
    refuse(pool, offset(blocks[0], std::ptrdiff_t{-24}), violation_kind::foreign_pointer, npos);
    refuse(pool, offset(blocks[0], std::size_t{6 * 24}), violation_kind::foreign_pointer, npos);
    for (int bits = 8; bits < 32; ++bits) {  // far away: multiples of the stride, and others
        note(static_cast<std::size_t>(bits));
        const std::uintptr_t far = std::uintptr_t{1} << bits;
        for (const std::uintptr_t distance : {far, far * 3, far - 1, far + 24, 0 - far, 0 - far * 3, 0 - far + 24})
            if (distance >= 6 * 24) refuse(pool, offset(blocks[0], distance), violation_kind::foreign_pointer, npos);
    }
    // Afterwards the free list is unchanged: 3, 1, then blocks that were never out.
    CHECK(counts(pool, 2, 4));
    CHECK(pool.owns(blocks[0]) && pool.owns(blocks[2]) && !pool.owns(blocks[1]) && !pool.owns(nullptr));
    CHECK(pool.try_allocate() == blocks[3]);
    CHECK(pool.try_allocate() == blocks[1]);
    CHECK(pool.try_allocate() == offset(blocks[0], std::size_t{4 * 24}));
    CHECK(pool.try_allocate() == offset(blocks[0], std::size_t{5 * 24}));
    CHECK(pool.try_allocate() == nullptr);

    // A full pool, and a wrong release among right ones.
    refuse(pool, theirs, violation_kind::foreign_pointer, npos);
    void* const all[] = {blocks[2], blocks[2], nullptr, blocks[0]};
    pool.deallocate_bulk(all);
    expect(violation_kind::double_free, &pool, "refusing", blocks[2], 2, 6, 5);
    CHECK(counts(pool, 4, 6));
    CHECK(pool.try_allocate() == blocks[0]);
    CHECK(pool.try_allocate() == blocks[2]);

    // A right release is reported, too.
    CHECK(pool.try_deallocate(nullptr) == release_status::null_pointer);
    CHECK(pool.try_deallocate(blocks[2]) == release_status::released);
    CHECK(pool.try_deallocate(blocks[2]) == release_status::double_free);
    CHECK(counts(pool, 5, 6));
    CHECK(pool.try_allocate() == blocks[2]);

    // A block from before a reset counts as not handed out.
    pool.reset();
    refuse(pool, blocks[2], violation_kind::not_allocated, 2);
    CHECK(pool.try_allocate() == blocks[0]);
    refuse(pool, blocks[2], violation_kind::not_allocated, 2);
    pool.deallocate(blocks[0]);
    refuse(pool, blocks[0], violation_kind::double_free, 0);
    neighbour.deallocate(theirs);
    CHECK(violations_seen == 0);
}

/// Each address, byte by byte, from two strides before the first block to two strides behind the last one.
static void every_address() {
    for (const pool_layout asked :
         {pool_layout{1, 6}, pool_layout{2, 6}, pool_layout{3, 6}, pool_layout{7, 6}, pool_layout{8, 6},
          pool_layout{12, 6}, pool_layout{16, 6}, pool_layout{20, 6, 32}, pool_layout{24, 6}, pool_layout{40, 6},
          pool_layout{48, 6}, pool_layout{61, 6, 1}, pool_layout{64, 6}, pool_layout{100, 6}}) {
        memory_pool pool(asked, on(storage + 512, memory_pool::required_bytes(asked)), {.name = "refusing"});
        const std::size_t stride = pool.stride();
        void* blocks[4] = {};
        CHECK(pool.try_allocate_bulk(blocks));  // 0 and 2 live, 1 and 3 free, 4 and 5 never out
        pool.deallocate(blocks[1]);
        pool.deallocate(blocks[3]);
        CHECK(blocks[0] == storage + 512);
        for (std::size_t at = 0; at < 10 * stride; ++at) {
            note(stride, at);
            void* const address = storage + 512 - 2 * stride + at;
            const bool is_inside = at >= 2 * stride && at < 8 * stride;
            const std::size_t index = is_inside ? at / stride - 2 : npos;
            const bool is_block = is_inside && at % stride == 0;
            CHECK(pool.index_of(address) == (is_block ? index : npos));
            CHECK(!is_block || pool.block_at(index) == address);
            if (is_block && (index == 0 || index == 2)) {
                CHECK(pool.owns(address));
                CHECK(pool.try_deallocate(address) == release_status::released);
                CHECK(pool.try_allocate() == address);
                continue;
            }
            refuse(pool, address,
                   !is_inside                 ? violation_kind::foreign_pointer
                   : !is_block                ? violation_kind::misaligned_pointer
                   : index == 1 || index == 3 ? violation_kind::double_free
                                              : violation_kind::not_allocated,
                   index);
        }
        pool.reset();
    }
}

static void visits() {
    const pool_layout asked{16, 8};
    memory_pool pool(asked, exactly<memory_pool>(asked));
    void* blocks[6] = {};
    std::size_t visited = 0;
    pool.for_each_allocated([&](void*) { ++visited; });
    CHECK(visited == 0);
    CHECK(pool.try_allocate_bulk(blocks));
    for (std::size_t i = 1; i < 6; i += 2) pool.deallocate(blocks[i]);
    pool.for_each_allocated([&](void* live) { CHECK(live == blocks[2 * visited++]); });
    CHECK(visited == 3);
    pool.reset();
    pool.for_each_allocated([&](void*) { ++visited; });
    CHECK(visited == 3);
}

/// A pool that dies with live blocks reports them once, and names the lowest.
static void leaks() {
    const pool_layout asked{32, 5};
    for (std::size_t leaked = 0; leaked <= 4; ++leaked) {
        note(leaked);
        alignas(memory_pool) static std::byte place[sizeof(memory_pool)];
        auto* const pool = ::new (place) memory_pool(asked, exactly<memory_pool>(asked), {.name = "leaky"});
        void* blocks[4] = {};
        CHECK(pool->try_allocate_bulk(blocks));
        for (std::size_t i = 0; i < 4 - leaked; ++i) pool->deallocate(blocks[i]);
        pool->~memory_pool();
        if (leaked == 0) CHECK(violations_seen == 0);
        else expect(violation_kind::leak, place, "leaky", storage + (4 - leaked) * 32, 4 - leaked, 5, leaked);
    }
    {
        basic_memory_pool<checking::unchecked> pool(asked, on(storage, sizeof storage));
        CHECK(pool.try_allocate() != nullptr);
    }
    CHECK(violations_seen == 0);  // unchecked finds nothing
}

static std::size_t available_in_handler = 0;
static violation own_report = {};  // to a pool's own handler

/// The handler may use the pool, which is still unchanged. The handler that is set is the one that is called.
static void handlers() {
    const pool_layout asked{16, 3};
    static memory_pool* used = nullptr;
    memory_pool pool(asked, exactly<memory_pool>(asked), {.name = nullptr});
    used = &pool;
    const auto use_pool = +[](const violation& v) {
        record(v);
        available_in_handler = used->available();
        used->deallocate(used->try_allocate());
    };
    CHECK(fixpool::set_violation_handler(use_pool) == &record);
    void* const one = pool.try_allocate();
    pool.deallocate(one);
    pool.deallocate(one);
    CHECK(available_in_handler == 3);
    expect(violation_kind::double_free, &pool, "", one, 0, 3, 0);
    CHECK(last.allocated_at.file == nullptr && last.released_at.file == nullptr);
    CHECK(counts(pool, 0, 1));
    CHECK(fixpool::set_violation_handler(nullptr) == use_pool);
    const fixpool::violation_handler by_default = fixpool::set_violation_handler(&record);
    CHECK(fixpool::get_violation_handler() == &record);

    // A pool's own handler gets everything, with the context. If errors trap, it gets no name.
    memory_pool own(
        asked, on(more_storage, sizeof more_storage),
        {.name = "own", .on_violation = [](const violation& v) { own_report = v; }, .context = &available_in_handler});
    void* blocks[2] = {};
    CHECK(own.try_allocate_bulk(blocks));
    own.deallocate(blocks[1]);
    own.deallocate(blocks[1]);
    CHECK(violations_seen == 0);
    CHECK(own_report.kind == violation_kind::double_free && own_report.pool == &own &&
          own_report.context == &available_in_handler);
    CHECK(own_report.address == blocks[1] && own_report.index == 1 && own_report.total_blocks == 3 &&
          own_report.live_blocks == 1);
    CHECK(std::strcmp(own_report.pool_name, kept("own")) == 0);
    own.deallocate(blocks[0]);
    CHECK(by_default != nullptr && by_default != use_pool && by_default != &record);
}

/// The text that the default handler would print. The test must not depend on bare metal's own printf.
static void reports() {
    const auto says = [](const violation& v, const char* text) {
        return std::strcmp(fixpool::detail::describe(v).c_str(), text) == 0;
    };
    const auto* const at = reinterpret_cast<const void*>(std::uintptr_t{0x89ab40});
    const auto* const pool = reinterpret_cast<const void*>(std::uintptr_t{0xcdef});
    const auto named = [&](violation_kind kind, const char* name) {
        return violation{kind, pool, name, at, 1234567890, 4000000000, 3};
    };
    CHECK(says(named(violation_kind::double_free, "p"),
               "fixpool: double free of block 0x89ab40 (1234567890 of 4000000000) in pool \"p\""));
    CHECK(says(named(violation_kind::not_allocated, ""),
               "fixpool: not allocated: block 0x89ab40 (1234567890 of 4000000000) in pool 0xcdef"));
    CHECK(says(named(violation_kind::foreign_pointer, nullptr),
               "fixpool: foreign pointer 0x89ab40 (none of the 4000000000 blocks) in pool 0xcdef"));
    CHECK(says(named(violation_kind::misaligned_pointer, "p"),
               "fixpool: misaligned pointer 0x89ab40 (inside 1234567890 of 4000000000) in pool \"p\""));
    CHECK(says(named(violation_kind::leak, "p"),
               "fixpool: leak of 3 blocks, the first 0x89ab40 (1234567890 of 4000000000) in pool \"p\""));
    CHECK(says({violation_kind::leak, pool, "p", nullptr, 0, 9, 1}, "fixpool: leak of 1 block (0 of 9) in pool \"p\""));
    CHECK(
        says({violation_kind::leak, pool, "p", nullptr, npos, 9, 2}, "fixpool: leak of 2 blocks (of 9) in pool \"p\""));
    violation v{violation_kind::double_free, pool, "p", at, 10, 99, 0};
    v.allocated_at = fixpool::site{"net.cpp", 88, "open"};
    v.released_at = fixpool::site{nullptr, 0, nullptr, pool};
    CHECK(says(v,
               "fixpool: double free of block 0x89ab40 (10 of 99) in pool \"p\"; allocated at net.cpp:88, released at "
               "0xcdef"));
    const fixpool::site here = {};
    CHECK(here.line == __LINE__ - 1 && here.file != nullptr && here.function != nullptr && here.address == nullptr);
    const std::size_t ends[] = {0, 9, 10, 99, 100, 4294967295};
    const char* const words[] = {"0", "9", "10", "99", "100", "4294967295"};
    for (std::size_t i = 0; i < 6; ++i)
        CHECK(std::strcmp(fixpool::detail::text_line().add(ends[i]).c_str(), words[i]) == 0);
}

// ---- typed pools, at both levels

/// Counts its lives; neither copied nor moved.
struct counted {
    explicit counted(int v) : value(v) { ++constructed; }
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;
    ~counted() {
        if (std::exchange(mark, 0) != alive) ++destroyed_wrongly;
        ++destroyed;
    }

    static bool lives(int c, int d) { return constructed == c && destroyed == d && destroyed_wrongly == 0; }

    static constexpr std::uint32_t alive = 0xa11fe;
    inline static int constructed = 0;
    inline static int destroyed = 0;
    inline static int destroyed_wrongly = 0;

    int value;
    volatile std::uint32_t mark = alive;
};

template <checking C> static arena for_objects(std::size_t bytes) {
    CHECK(bytes <= sizeof storage);
    return on(storage, bytes);
}

template <checking C> static void lives() {
    using pool_type = typed_pool<counted, C>;
    counted::constructed = counted::destroyed = counted::destroyed_wrongly = 0;
    pool_type pool(3, for_objects<C>(pool_type::required_bytes(3)), {.name = "lives"});
    CHECK(pool.total_blocks() == 3 && pool.block_size() == sizeof(counted) && pool.alignment() == alignof(counted));
    CHECK(pool.stride() == sizeof(counted) && pool.stats().arena_bytes == pool_type::required_bytes(3));
    {
        block<counted, C> one = pool.allocate(1);
        block<counted, C> two = pool.try_allocate(2);
        CHECK(counted::lives(2, 0));
        CHECK(counts(pool, 2, 2));
        CHECK(one->value == 1 && (*two).value == 2 && one.get() != two.get());
        block<counted, C> three = pool.try_allocate_at({}, 3);
        const block<counted, C> none = pool.try_allocate(4);
        CHECK(none == nullptr && !none && none.get() == nullptr);
        CHECK(counted::lives(3, 0));
        CHECK(counts(pool, 3, 3));
        counted* const place = two.get();
        two.reset();
        CHECK(two == nullptr);
        CHECK(counted::lives(3, 1));
        two.reset();
        CHECK(counted::lives(3, 1));
        CHECK(counts(pool, 2, 3));
        two = pool.allocate_at({}, 5);
        CHECK(two.get() == place && two->value == 5);
        CHECK(counted::lives(4, 1));
    }
    CHECK(counted::lives(4, 4));
    CHECK(counts(pool, 0, 3));
    CHECK(violations_seen == 0);
}

template <checking C> static void handles() {
    using pool_type = typed_pool<counted, C>;
    counted::constructed = counted::destroyed = counted::destroyed_wrongly = 0;
    pool_type pool(4, for_objects<C>(pool_type::required_bytes(4)));
    pool_type other(2, on(more_storage, pool_type::required_bytes(2)));

    block<counted, C> a = pool.allocate(1);
    counted* const first = a.get();
    block<counted, C> b = std::move(a);
    CHECK(a == nullptr && b.get() == first && counted::lives(1, 0));
    a = std::move(b);
    CHECK(b == nullptr && a.get() == first && counted::lives(1, 0));
    block<counted, C>& same = a;
    a = std::move(same);
    CHECK(a.get() == first && a->value == 1 && counted::lives(1, 0));
    a.swap(same);
    CHECK(a.get() == first && counted::lives(1, 0));

    b = pool.allocate(2);
    counted* const second = b.get();
    swap(a, b);
    CHECK(a.get() == second && b.get() == first && counted::lives(2, 0));
    a.swap(b);
    CHECK(a.get() == first && b.get() == second);
    a = std::move(b);  // what was held goes
    CHECK(a.get() == second && b == nullptr && counted::lives(2, 1));
    CHECK(counts(pool, 1, 2));
    a = std::move(b);  // to nothing
    CHECK(a == nullptr && counted::lives(2, 2));
    CHECK(counts(pool, 0, 2));
    a = block<counted, C>();
    CHECK(a == nullptr && counted::lives(2, 2));

    // Handles of two pools know their pools.
    a = pool.allocate(3);
    b = other.allocate(4);
    swap(a, b);
    CHECK(a->value == 4 && b->value == 3);
    a.reset();
    CHECK(counts(other, 0, 1) && counts(pool, 1, 2));
    b.reset();
    CHECK(counts(other, 0, 1) && counts(pool, 0, 2));
    CHECK(counted::lives(4, 4));

    // Given up and taken back.
    a = pool.allocate(5);
    counted* const raw = a.release();
    CHECK(a == nullptr && raw->value == 5 && counted::lives(5, 4));
    CHECK(a.release() == nullptr);
    CHECK(counts(pool, 1, 2));
    b = pool.adopt(raw);
    CHECK(b.get() == raw && counted::lives(5, 4));
    CHECK(pool.adopt(nullptr) == nullptr);
    b.reset();
    CHECK(counted::lives(5, 5));
    CHECK(counts(pool, 0, 2));
    CHECK(violations_seen == 0);
}

/// Cannot be copied. Empty after a move.
struct move_only {
    explicit move_only(int v) : value(v) {}
    move_only(move_only&& other) noexcept : value(std::exchange(other.value, 0)) {}
    move_only& operator=(move_only&& other) noexcept {
        value = std::exchange(other.value, 0);
        return *this;
    }
    ~move_only() = default;
    int value;
};

struct alignas(64) wide {
    unsigned char bytes[65];
};
struct alignas(256) wider {
    char letter;
};
struct aggregate {
    int number;
    const char* text;
};
struct empty {};
struct shape {
    virtual int corners() const noexcept = 0;

protected:
    ~shape() = default;
};
struct triangle final : shape {
    int corners() const noexcept override { return 3; }
};
template <checking C> struct node {
    int value;
    block<node, C> next;
};

/// Makes a pool of three T from `args`, and checks each with `is_right`.
template <class T, checking C, class IsRight, class... Args> static void any_type(IsRight is_right, Args... args) {
    using pool_type = typed_pool<T, C>;
    pool_type pool(3, on(storage, pool_type::required_bytes(3)));
    CHECK(pool.alignment() == alignof(T) && pool.stride() == sizeof(T) && pool.block_size() == sizeof(T));
    std::array<block<T, C>, 3> objects;
    for (std::size_t i = 0; i < 3; ++i) {
        objects[i] = pool.try_allocate(args...);
        CHECK(objects[i] != nullptr && is_right(*objects[i]));
        CHECK(number(objects[i].get()) % alignof(T) == 0);
        CHECK(objects[i].get() == offset(storage, i * sizeof(T)));
    }
    CHECK(pool.try_allocate(args...) == nullptr);
    for (block<T, C>& object : objects) object.reset();
    CHECK(counts(pool, 0, 3));
}

template <checking C> static void types() {
    any_type<int, C>([](int n) { return n == 42; }, 42);
    any_type<int, C>([](int n) { return n == 0; });
    any_type<char, C>([](char c) { return c == 'x'; }, 'x');
    any_type<double, C>([](double d) { return d == 0.5; }, 0.5);
    any_type<std::uint64_t, C>([](std::uint64_t n) { return n >> 40 == 7; }, std::uint64_t{7} << 40);
    any_type<const char*, C>([](const char* s) { return *s == 'f'; }, "fixpool");
    any_type<wide, C>([](const wide& w) { return w.bytes[64] == 0; });
    any_type<wider, C>([](const wider& w) { return w.letter == 'w'; }, 'w');
    any_type<aggregate, C>([](const aggregate& a) { return a.number == 7 && *a.text == 't'; }, 7, "text");
    any_type<empty, C>([](const empty&) { return true; });
    any_type<triangle, C>([](const shape& s) { return s.corners() == 3; });
    any_type<std::array<short, 5>, C>([](const std::array<short, 5>& a) { return a[4] == 0; });

    // Move-only types. An argument is not touched if there is no block.
    typed_pool<move_only, C> pool(1, on(storage, typed_pool<move_only, C>::required_bytes(1)));
    move_only source(9);
    block<move_only, C> one = pool.try_allocate(std::move(source));
    CHECK(one->value == 9 && source.value == 0);
    source.value = 8;
    CHECK(pool.try_allocate(std::move(source)) == nullptr);
    CHECK(source.value == 8);
    one.reset();
}

/// Objects that own objects of the same pool.
template <checking C> static void chains() {
    using pool_type = typed_pool<node<C>, C>;
    pool_type pool(10, for_objects<C>(pool_type::required_bytes(10)));
    block<node<C>, C> head;
    for (int i = 0; i < 10; ++i) {
        block<node<C>, C> added = pool.try_allocate(i, std::move(head));
        CHECK(added->value == i);
        head = std::move(added);
    }
    CHECK(pool.try_allocate(10, std::move(head)) == nullptr);
    CHECK(head != nullptr && head->value == 9);
    int sum = 0;
    for (const node<C>* at = head.get(); at != nullptr; at = at->next.get()) sum += at->value;
    CHECK(sum == 45);
    head = std::move(head->next);
    CHECK(head->value == 8 && pool.in_use() == 9);
    while (head != nullptr && head->value > 4) head = std::move(head->next);
    CHECK(counts(pool, 5, 10));
    head.reset();
    CHECK(counts(pool, 0, 10));
    CHECK(violations_seen == 0);
}

/// Its constructor and its destructor look at the pool that it lies in, and use it.
template <checking C> struct introspective {
    static typed_pool<introspective, C>*& home() {
        static typed_pool<introspective, C>* pool = nullptr;
        return pool;
    }
    explicit introspective(int d) : depth(d), in_use_at_birth(home()->in_use()) {
        if (depth > 0) child = home()->try_allocate(depth - 1);
    }
    introspective(const introspective&) = delete;
    introspective& operator=(const introspective&) = delete;
    ~introspective() {
        in_use_at_death = home()->in_use();
        if (depth == 0) passing = home()->try_allocate(-1) != nullptr;
    }
    int depth;
    std::size_t in_use_at_birth;
    block<introspective, C> child;
    inline static std::size_t in_use_at_death = 0;
    inline static bool passing = false;
};

template <checking C> static void reentrant() {
    using object = introspective<C>;
    using pool_type = typed_pool<object, C>;
    pool_type pool(4, for_objects<C>(pool_type::required_bytes(4)));
    object::home() = &pool;
    block<object, C> outer = pool.try_allocate(2);
    CHECK(outer->in_use_at_birth == 1 && outer->child->in_use_at_birth == 2 &&
          outer->child->child->in_use_at_birth == 3);
    CHECK(counts(pool, 3, 3));
    outer.reset();  // the innermost one makes another while it dies: 3 blocks are still dying
    CHECK(object::passing);
    CHECK(object::in_use_at_death == 4);
    CHECK(counts(pool, 0, 4));
    CHECK(violations_seen == 0);
}

static void typed_misuse() {
    counted::constructed = counted::destroyed = counted::destroyed_wrongly = 0;
    using pool_type = typed_pool<counted>;
    pool_type pool(4, for_objects<checking::checked>(pool_type::required_bytes(4)), {.name = "typed"});
    pool_type other(1, on(more_storage, pool_type::required_bytes(1)), {.name = "other"});
    block<counted> one = pool.allocate(1);
    block<counted> two = pool.allocate(2);
    block<counted> theirs = other.allocate(3);
    const auto refuses = [&](counted* object, violation_kind kind, std::size_t index) {
        const std::size_t live = pool.in_use();
        CHECK(pool.adopt(object) == nullptr);
        CHECK(is_one_seen());
        CHECK(last.kind == kind);
        CHECK(last.address == object);
        CHECK(last.index == index);
        CHECK(last.live_blocks == live && last.total_blocks == 4);
        CHECK(std::strcmp(last.pool_name, kept("typed")) == 0);
        CHECK(pool.in_use() == live);
    };
    counted* const second = two.get();
    two.reset();
    refuses(second, violation_kind::double_free, 1);
    refuses(theirs.get(), violation_kind::foreign_pointer, npos);
    refuses(static_cast<counted*>(offset(one.get(), 2 * sizeof(counted))), violation_kind::not_allocated, 2);
    refuses(static_cast<counted*>(offset(one.get(), std::size_t{4})), violation_kind::misaligned_pointer, 0);

    // One owner at a time: an object can be adopted once after it was given up.
    counted* const first = one.get();
    refuses(first, violation_kind::still_owned, 0);
    CHECK(one.release() == first);
    one = pool.adopt(first);
    CHECK(one.get() == first && violations_seen == 0);
    refuses(first, violation_kind::still_owned, 0);
    one.reset();
    refuses(first, violation_kind::double_free, 0);
    CHECK(counted::lives(3, 2));
    CHECK(pool.in_use() == 0);

    // Visits see live objects only, in address order.
    std::array<block<counted>, 4> objects;
    for (int i = 0; i < 4; ++i) objects[static_cast<std::size_t>(i)] = pool.allocate(i);
    objects[1].reset();
    std::size_t visited = 0;
    std::uintptr_t previous = 0;
    pool.for_each([&](counted& object) {
        CHECK(object.mark == counted::alive && number(&object) > previous);
        previous = number(&object);
        ++visited;
    });
    CHECK(visited == 3);
}

/// Looks for itself in the pool while it is constructed, and at its handle while it is destroyed.
struct watcher {
    watcher(typed_pool<watcher>& p, block<watcher>& h) : pool(&p), handle(&h) {
        pool->for_each([this](watcher& w) { saw_itself |= &w == this; });
        handle_was_filled |= pool->adopt(this) != nullptr;
    }
    watcher(const watcher&) = delete;
    watcher& operator=(const watcher&) = delete;
    ~watcher() {
        pool->for_each([this](watcher& w) { saw_itself |= &w == this; });
        handle_was_filled |= handle->get() == this;
    }
    typed_pool<watcher>* pool;
    block<watcher>* handle;
    inline static bool saw_itself = false;
    inline static bool handle_was_filled = false;
};

static void half_objects() {
    using pool_type = typed_pool<watcher>;
    pool_type pool(2, for_objects<checking::checked>(pool_type::required_bytes(2)));
    block<watcher> first;
    block<watcher> second;
    first = pool.try_allocate(pool, first);
    CHECK(is_one_seen() && last.kind == violation_kind::not_allocated);  // it is not live before it is constructed
    second = pool.try_allocate(pool, second);
    CHECK(is_one_seen());
    first.reset();
    second = block<watcher>();
    CHECK(counts(pool, 0, 2));
    CHECK(!watcher::saw_itself);
    CHECK(!watcher::handle_was_filled);
    CHECK(violations_seen == 0);
}

/// Objects are made and destroyed in any order, each exactly once.
template <checking C> static void typed_walk() {
    using pool_type = typed_pool<counted, C>;
    constexpr std::size_t count = 9;
    counted::constructed = counted::destroyed = counted::destroyed_wrongly = 0;
    pool_type pool(count, for_objects<C>(pool_type::required_bytes(count)));
    std::array<block<counted, C>, count + 2> handles;
    std::array<int, count + 2> values{};
    int made = 0;
    int gone = 0;
    std::size_t live = 0;
    random_numbers random;
    for (int step = 1; step <= 5000; ++step) {
        note(static_cast<std::size_t>(step));
        const std::size_t i = random.below(count + 2);
        const std::size_t j = random.below(count + 2);
        const bool had_i = values[i] != 0;
        switch (random.below(4)) {
            case 0:
                if (had_i) break;
                handles[i] = pool.try_allocate(step);
                CHECK((handles[i] == nullptr) == (live == count));
                if (live == count) break;
                values[i] = step;
                ++made;
                ++live;
                break;
            case 1:
                handles[i].reset();
                gone += had_i;
                live -= had_i;
                values[i] = 0;
                break;
            case 2:
                swap(handles[i], handles[j]);
                std::swap(values[i], values[j]);
                break;
            default:
                if (i == j) break;
                handles[i] = std::move(handles[j]);
                gone += had_i;
                live -= had_i;
                values[i] = std::exchange(values[j], 0);
        }
        CHECK(counted::lives(made, gone));
        CHECK(pool.in_use() == live && pool.available() == count - live);
        bool are_right = true;
        for (std::size_t k = 0; k < count + 2; ++k)
            are_right &=
                values[k] == 0 ? handles[k] == nullptr : handles[k] != nullptr && handles[k]->value == values[k];
        CHECK(are_right);
    }
    for (block<counted, C>& handle : handles) handle.reset();
    CHECK(counted::lives(made, made));
    CHECK(pool.in_use() == 0);
    CHECK(violations_seen == 0);
}

// ---- all of it

template <checking C> static void at_level() {
    layouts<C>();
    unaligned_buffers<C>();
    capacities<C>();
    orders<C>();
    counters<C>();
    bulk<C>();
    resets<C>();
    moves<C>();
    apart<C>();
    writes_after_free<C>();
    random_walk<C>();
    lives<C>();
    handles<C>();
    types<C>();
    chains<C>();
    reentrant<C>();
    typed_walk<C>();
}

static void version() {
    char told[32];
    std::snprintf(told, sizeof told, "%d.%d.%d", FIXPOOL_VERSION_MAJOR, FIXPOOL_VERSION_MINOR, FIXPOOL_VERSION_PATCH);
    CHECK(std::strcmp(told, FIXPOOL_PACKAGE_VERSION) == 0);
}

int main(int argc, char** argv) {
    std::setvbuf(stdout, nullptr, _IONBF, 0);  // newlib would take a buffer from the heap
    const char* const wish = argc > 1 ? argv[1] : "";
    const pool_layout asked{64, 2};
    if (std::strcmp(wish, "double_free") == 0) {  // the default handler says it, and aborts
        memory_pool pool(asked, exactly<memory_pool>(asked), {.name = "connections"});
        void* const one = pool.allocate();
        pool.deallocate(one);
        pool.deallocate(one);
    }
    if (std::strcmp(wish, "exhausted") == 0) {  // an exception, or its text and an abort
        memory_pool pool(asked, exactly<memory_pool>(asked), {.name = "connections"});
        for (int i = 0; i < 3; ++i) (void)pool.allocate();
    }
    if (std::strcmp(wish, "byte_too_few") == 0)  // likewise
        memory_pool pool(asked, on(storage, memory_pool::required_bytes(asked) - 1));
    if (std::strcmp(wish, "no_blocks") == 0) memory_pool pool({64, 0}, on(storage, sizeof storage));
    if (std::strcmp(wish, "live_object") == 0) {  // its handle would dangle
        block<int> outlives;
        typed_pool<int> pool(1, on(storage, sizeof storage), {.name = "numbers"});
        outlives = pool.allocate(1);
    }

    fixpool::set_violation_handler(&record);
    at_level<checking::unchecked>();
    at_level<checking::checked>();
    misuse();
    every_address();
    visits();
    leaks();
    handlers();
    reports();
    typed_misuse();
    half_objects();
    version();
    CHECK(std::strcmp(wish, "fails") != 0);  // shows that a failure gets out of here
    CHECK(heap_uses == 0);
    std::printf("%lu checks, %lu failed\n", checks, failed_checks);
    return failed_checks == 0 ? 0 : 1;
}
