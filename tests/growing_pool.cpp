// SPDX-License-Identifier: BSL-1.0
#include <fixpool/growing_pool.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <memory_resource>
#include <new>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/counted.hpp"
#include "support/heap.hpp"
#include "support/stolen.hpp"
#include "support/unseen.hpp"
#include "support/violations.hpp"

using fixpool::checking;
using fixpool::growing_block;
using fixpool::growing_pool;
using fixpool::growing_typed_pool;
using fixpool::growth;
using fixpool::pool_exhausted;
using fixpool::release_status;
using fixpool::violation_kind;
using fixpool::detail::page_state;
using unchecked_pool = fixpool::basic_growing_pool<checking::unchecked>;
using sizes = std::initializer_list<std::size_t>;

namespace {

/// Memory from the heap. It knows what is out. It can fail at one allocation, counted from 0, and at all later ones.
class upstream final : public std::pmr::memory_resource {
public:
    enum class failing : unsigned char { never, throws_bad_alloc, throws, does_not_align };
    struct piece {
        std::size_t size, alignment, number;
    };

    upstream() = default;
    explicit upstream(failing how, std::size_t nth = 0) : how_(how), nth_(nth) {}
    upstream(const upstream&) = delete;
    upstream& operator=(const upstream&) = delete;
    ~upstream() override { CHECK(pieces_.empty()); }

    [[nodiscard]] const std::map<void*, piece>& pieces() const { return pieces_; }
    [[nodiscard]] std::size_t allocations() const { return count_; }
    [[nodiscard]] std::size_t bytes() const {
        std::size_t sum = 0;
        for (const auto& [at, taken] : pieces_) sum += taken.size;
        return sum;
    }
    /// The pages that are out: allocations that are aligned to their size.
    [[nodiscard]] std::vector<std::pair<void*, std::size_t>> pages() const {
        std::vector<std::pair<void*, std::size_t>> found;
        for (const auto& [at, taken] : pieces_)
            if (taken.size == taken.alignment) found.emplace_back(at, taken.size);
        return found;
    }
    /// The links of a page. They were allocated just before the page.
    [[nodiscard]] std::uint16_t* links_of(void* page) const {
        for (const auto& [at, taken] : pieces_)
            if (taken.number + 1 == pieces_.at(page).number)
                return reinterpret_cast<std::uint16_t*>(static_cast<std::byte*>(at) + sizeof(std::uintptr_t));
        return nullptr;
    }
    void fail(failing how, std::size_t nth) {
        how_ = how;
        nth_ = nth;
        count_ = 0;
    }

private:
    void* do_allocate(std::size_t size, std::size_t alignment) override {
        if (count_++ >= nth_) {
            if (how_ == failing::throws) throw std::runtime_error("upstream");
            if (how_ == failing::throws_bad_alloc) throw std::bad_alloc();
        }
        void* at = ::operator new (size, std::align_val_t{2 * alignment});
        if (how_ == failing::does_not_align && size >= 4096) {
            ::operator delete (at, std::align_val_t{2 * alignment});
            at = static_cast<std::byte*>(::operator new (2 * size, std::align_val_t{2 * alignment})) + 64;
        }
        auto* const halves = static_cast<std::uint16_t*>(at);  // its bytes look like links of live blocks
        if (size < 4096) std::fill(halves, halves + size / 2, page_state::live);
        pieces_[at] = {size, alignment, count_};
        return at;
    }
    void do_deallocate(void* at, std::size_t size, std::size_t alignment) override {
        const auto found = pieces_.find(at);
        const bool is_ours =
            found != pieces_.end() && found->second.size == size && found->second.alignment == alignment;
        if (!is_ours) FAIL_CHECK("what goes back is not as it came");
        if (found != pieces_.end()) pieces_.erase(found);
        std::memset(at, 0xdd, size);
        const bool is_shifted = how_ == failing::does_not_align && size >= 4096;
        ::operator delete (is_shifted ? static_cast<std::byte*>(at) - 64 : at, std::align_val_t{2 * alignment});
    }
    [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

    failing how_ = failing::never;
    std::size_t nth_ = 0, count_ = 0;
    std::map<void*, piece> pieces_;
};

void* offset(void* block, std::ptrdiff_t bytes) {
    return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(block) + static_cast<std::uintptr_t>(bytes));
}

std::vector<void*> take(auto& pool, std::size_t count) {
    std::vector<void*> blocks;
    while (blocks.size() < count) blocks.push_back(pool.allocate());
    return blocks;
}

bool is_consistent(const auto& pool) {
    const fixpool::pool_stats s = pool.stats();
    return pool.in_use() + pool.available() == pool.total_blocks() && pool.in_use() <= pool.peak_in_use() &&
           s.total_blocks == pool.total_blocks() && s.in_use == pool.in_use() && s.peak_in_use == pool.peak_in_use() &&
           s.block_size == pool.block_size() && s.stride == pool.stride();
}

template <class Pool>
concept answers_for_pointers = requires(Pool& pool, void* p) {
    pool.owns(p);
    pool.try_deallocate(p);
    pool.for_each_allocated([](void*) {});
    pool.sort_free_blocks();
    pool.audit();
};
static_assert(answers_for_pointers<growing_pool> && !answers_for_pointers<unchecked_pool>);

template <class Pool> constexpr bool keeps_contract() {
    static_assert(!std::is_copy_constructible_v<Pool> && !std::is_move_constructible_v<Pool>);
    static_assert(!std::is_copy_assignable_v<Pool> && !std::is_move_assignable_v<Pool>);
    static_assert(!std::is_convertible_v<std::size_t, Pool> && !std::is_convertible_v<growth, Pool>);
    static_assert(!noexcept(std::declval<Pool&>().allocate()));
    static_assert(noexcept(std::declval<Pool&>().shrink()));
    static_assert(noexcept(std::declval<const Pool&>().total_blocks())&& noexcept(std::declval<const Pool&>().stats()));
    static_assert(noexcept(std::declval<const Pool&>().in_use())&& noexcept(std::declval<const Pool&>().peak_in_use()));
    static_assert(noexcept(std::declval<const Pool&>().available())&& noexcept(std::declval<const Pool&>().stride()));
    static_assert(std::is_nothrow_destructible_v<Pool>);
    return true;
}
template <class Pool> constexpr bool keeps_contract_of_raw_pools() {
    static_assert(noexcept(std::declval<Pool&>().try_allocate()));
    static_assert(noexcept(std::declval<Pool&>().deallocate(nullptr)));
    static_assert(noexcept(std::declval<Pool&>().try_allocate_bulk({})));
    static_assert(noexcept(std::declval<Pool&>().deallocate_bulk({})));
    static_assert(noexcept(std::declval<Pool&>().reset()));
    return keeps_contract<Pool>();
}
static_assert(keeps_contract_of_raw_pools<growing_pool>() && keeps_contract_of_raw_pools<unchecked_pool>());
static_assert(keeps_contract<growing_typed_pool<int>>());
static_assert(keeps_contract<growing_typed_pool<int, checking::unchecked>>());
static_assert(noexcept(std::declval<growing_typed_pool<int>&>().adopt(nullptr)));
static_assert(noexcept(std::declval<const growing_pool&>().owns(nullptr)));
static_assert(sizeof(growing_block<int>) == 2 * sizeof(void*));

}  // namespace

TEMPLATE_TEST_CASE("a growing pool takes memory when it needs some, and gives all of it back", "[growing_pool]",
                   unchecked_pool, growing_pool) {
    upstream memory;
    {
        TestType pool(64, {}, &memory);
        CHECK(memory.allocations() == 0);
        CHECK(pool.total_blocks() == 0);
        CHECK(pool.stats().arena_bytes == 0);
        void* const block = pool.allocate();
        CHECK(pool.total_blocks() == 1024);
        CHECK(pool.available() == 1023);
        CHECK(pool.in_use() == 1);
        CHECK(memory.pages().size() == 1);
        std::vector<void*> more = take(pool, 1023);
        CHECK(memory.pages().size() == 1);
        CHECK(pool.available() == 0);
        more.push_back(pool.allocate());
        CHECK(memory.pages().size() == 2);
        CHECK(pool.total_blocks() == 2048);
        pool.deallocate(block);
        pool.deallocate_bulk(more);
        CHECK(pool.in_use() == 0);
        CHECK(pool.total_blocks() == 2048);
        pool.deallocate(pool.allocate());
        CHECK(pool.peak_in_use() == 1025);
        CHECK(is_consistent(pool));
    }
    CHECK(memory.pieces().empty());
}

TEMPLATE_TEST_CASE("every block of a growing pool has its size and alignment, and overlaps no other", "[growing_pool]",
                   unchecked_pool, growing_pool) {
    for (const std::size_t alignment : sizes{0, 1, 2, 4, 8, 16, 64, 4096, 65536}) {
        for (const std::size_t size : sizes{1, 2, 3, 7, 8, 9, 24, 40, 64, 1000, 5000}) {
            TestType pool(size, {.page_bytes = 4096}, std::pmr::get_default_resource(), {}, alignment);
            const std::size_t count = alignment > 4096 ? 9 : 4096 / size + 9;
            const std::vector<void*> blocks = take(pool, count);
            bool is_right = pool.stride() % pool.alignment() == 0 && pool.stride() % 8 == 0 && pool.stride() >= size &&
                            pool.block_size() == size;
            for (std::size_t i = 0; i < count; ++i) {
                std::memset(blocks[i], static_cast<int>(i % 251), size);
                is_right &= reinterpret_cast<std::uintptr_t>(blocks[i]) % pool.alignment() == 0;
            }
            for (std::size_t i = 0; i < count; ++i)
                for (std::size_t byte = 0; byte < size; ++byte)
                    is_right &= static_cast<unsigned char*>(blocks[i])[byte] == i % 251;
            INFO(size << " bytes, aligned to " << alignment);
            CHECK(is_right);
            CHECK((alignment == 0 ? pool.alignment() == std::min(size & (~size + 1), alignof(std::max_align_t))
                                  : pool.alignment() == alignment));
            pool.deallocate_bulk(blocks);
            CHECK(pool.in_use() == 0);
        }
    }
}

TEST_CASE("the smallest block of a growing pool takes 8 bytes, and is as large as it was asked for", "[growing_pool]") {
    growing_pool pool(1);
    CHECK(pool.block_size() == 1);
    CHECK(pool.stride() == 8);
    CHECK(pool.alignment() == 1);
    CHECK(growing_pool(8).stride() == 8);
    CHECK(growing_pool(9).stride() == 16);
    CHECK(growing_pool(12, {}, std::pmr::get_default_resource(), {}, 32).stride() == 32);
}

TEST_CASE("arguments of a growing pool that cannot be are refused before any memory is asked for", "[growing_pool]") {
    upstream memory;
    const auto made = [&memory](std::size_t size, growth grows = {}, std::size_t alignment = 0) {
        return growing_pool(size, grows, &memory, {}, alignment).stride();
    };
    CHECK_THROWS_AS(made(0), std::invalid_argument);
    CHECK_THROWS_AS(made(64, {}, 3), std::invalid_argument);
    CHECK_THROWS_AS(made(64, {.page_bytes = 0}), std::invalid_argument);
    CHECK_THROWS_AS(made(64, {.page_bytes = 2048}), std::invalid_argument);
    CHECK_THROWS_AS(made(64, {.page_bytes = 4097}), std::invalid_argument);
    CHECK_THROWS_AS(made(64, {.page_bytes = 12288}), std::invalid_argument);
    CHECK_THROWS_AS(made(64, {.max_blocks = 0}), std::invalid_argument);
    CHECK_THROWS_AS(made(64, {.page_bytes = std::size_t{1} << 31}), std::length_error);
    CHECK_THROWS_AS(made((std::size_t{1} << 28) + 1), std::length_error);
    CHECK_THROWS_AS(made(1, {}, std::size_t{1} << 29), std::length_error);
    CHECK_THROWS_AS(made(PTRDIFF_MAX), std::length_error);
    CHECK_THROWS_AS(made(SIZE_MAX), std::length_error);
    CHECK_THROWS_AS(made(PTRDIFF_MAX - 64, {}, SIZE_MAX / 2 + 1), std::length_error);
    CHECK(made(std::size_t{1} << 28) == std::size_t{1} << 28);
    CHECK(made(64, {.page_bytes = std::size_t{1} << 30}) == 64);
    CHECK(memory.allocations() == 0);
}

TEST_CASE("a page is as large as was asked for, but for what its blocks need or fill", "[growing_pool]") {
    struct expected {
        std::size_t block_size, page_bytes, max_blocks, bytes, blocks;
    };
    const std::size_t any = SIZE_MAX;
    for (const expected& e :
         {expected{64, 65536, any, 65536, 1024}, expected{64, 4096, any, 4096, 64}, expected{96, 4096, any, 4096, 42},
          expected{1024, 4096, any, 4096, 4}, expected{1032, 4096, any, 8192, 7}, expected{5000, 4096, any, 32768, 6},
          expected{16384, 65536, any, 65536, 4}, expected{16392, 65536, any, 131072, 7},
          expected{8, 65536, any, 65536, 8192}, expected{8, 1 << 20, any, 65536, 8192},
          expected{24, 1 << 20, any, 262144, 8192}, expected{64, 65536, 100, 8192, 100},
          expected{64, 65536, 64, 4096, 64}, expected{64, 65536, 1, 4096, 1}, expected{5000, 65536, 1, 8192, 1},
          expected{5000, 4096, 3, 16384, 3}}) {
        upstream memory;
        growing_pool pool(e.block_size, {e.page_bytes, e.max_blocks}, &memory);
        pool.deallocate(pool.allocate());
        INFO(e.block_size << " bytes, pages of " << e.page_bytes << ", at most " << e.max_blocks);
        REQUIRE(memory.pages().size() == 1);
        CHECK(memory.pages()[0].second == e.bytes);
        CHECK(pool.total_blocks() == e.blocks);
    }
}

TEMPLATE_TEST_CASE("max_blocks is exact, also when pages went back meanwhile", "[growing_pool]", unchecked_pool,
                   growing_pool) {
    for (const std::size_t most : sizes{1, 2, 3, 5, 63, 64, 65, 100, 127, 128, 129, 300}) {
        TestType pool(64, {.page_bytes = 4096, .max_blocks = most}, std::pmr::get_default_resource(), {.name = "few"});
        for (std::size_t turn = 1; turn <= 2; ++turn) {
            std::vector<void*> blocks = take(pool, most);
            INFO("at most " << most << ", turn " << turn);
            CHECK(std::set<void*>(blocks.begin(), blocks.end()).size() == most);
            CHECK(pool.total_blocks() == most);
            CHECK(pool.try_allocate() == nullptr);
            CHECK_THROWS_AS(pool.allocate(), pool_exhausted);
            CHECK(pool.in_use() == most);
            pool.deallocate(blocks[most / 2]);
            CHECK(pool.try_allocate() == blocks[most / 2]);
            for (std::size_t i = 0; i < most; i += 2) pool.deallocate(blocks[i]);
            for (std::size_t i = 1; i < most / 2; i += 2) pool.deallocate(blocks[i]);
            pool.shrink();
            CHECK(pool.total_blocks() <= most);
            const std::size_t kept = pool.in_use();
            const std::vector<void*> again = take(pool, most - kept);
            CHECK(pool.try_allocate() == nullptr);
            CHECK(pool.total_blocks() == most);
            CHECK(pool.stats().refused == 3 * turn);
            pool.deallocate_bulk(again);
            for (std::size_t i = most / 2 + (most / 2 + 1) % 2; i < most; i += 2) pool.deallocate(blocks[i]);
            CHECK(pool.in_use() == 0);
            pool.shrink();
            CHECK(pool.total_blocks() == 0);
        }
    }
}

TEST_CASE("a growing pool that may not grow says how many blocks it has, and its name", "[growing_pool]") {
    growing_pool pool(64, {.max_blocks = 2}, std::pmr::get_default_resource(), {.name = "connections"});
    const std::vector<void*> blocks = take(pool, 2);
    std::string text;
    try {
        (void)pool.allocate();
    } catch (const pool_exhausted& error) {
        text = error.what();
    }
    CHECK(text == "fixpool: 2 of 2 blocks in use in pool \"connections\"");
    CHECK(std::string(pool.name()) == "connections");
    pool.deallocate_bulk(blocks);
}

TEMPLATE_TEST_CASE("when upstream fails, at any allocation, the pool is as before and works on", "[growing_pool]",
                   unchecked_pool, growing_pool) {
    using failing = upstream::failing;
    for (const failing how : {failing::throws, failing::throws_bad_alloc}) {
        for (std::size_t nth = 0, failures = 1; failures != 0; ++nth) {
            upstream memory;
            TestType pool(512, {.page_bytes = 4096}, &memory);
            std::vector<void*> blocks;
            failures = 0;
            const auto fail = [&](std::size_t at) { memory.fail(how, at); };
            for (std::size_t page = 0; page < 12; ++page) {  // the table of pages grows, too
                const std::size_t total = pool.total_blocks(), bytes = memory.bytes();
                fail(nth);
                bool has_thrown = false;
                try {
                    blocks.push_back(pool.allocate());
                } catch (const std::bad_alloc&) {
                    has_thrown = how == failing::throws_bad_alloc;
                } catch (const std::runtime_error&) {
                    has_thrown = how == failing::throws;
                }
                if (has_thrown) {
                    ++failures;
                    CHECK(pool.total_blocks() == total);
                    CHECK(memory.bytes() >= bytes);  // only the table may have grown
                    CHECK(memory.pages().size() == page);
                    fail(0);
                    CHECK(pool.try_allocate() == nullptr);
                    std::array<void*, 3> three{};
                    CHECK_FALSE(pool.try_allocate_bulk(three));
                    CHECK(pool.in_use() == blocks.size());
                    CHECK(pool.stats().refused >= 3);
                    memory.fail(failing::never, 0);
                    blocks.push_back(pool.allocate());
                }
                memory.fail(failing::never, 0);
                for (int i = 0; i < 7; ++i) blocks.push_back(pool.allocate());
                CHECK(is_consistent(pool));
            }
            CHECK(pool.in_use() == 96);
            CHECK(std::set<void*>(blocks.begin(), blocks.end()).size() == 96);
            pool.deallocate_bulk(blocks);
            REQUIRE(nth < 4);
        }
    }
}

#if !FIXPOOL_HAS_FEATURE(undefined_behavior_sanitizer)  // clang's sanitizer reports such a resource first
TEST_CASE("a page that upstream did not align is a length error, and goes back", "[growing_pool]") {
    upstream memory(upstream::failing::does_not_align);
    growing_pool pool(64, {}, &memory);
    CHECK_THROWS_AS(pool.allocate(), std::length_error);
    CHECK(pool.try_allocate() == nullptr);
    CHECK(memory.pieces().empty());
    CHECK(pool.stats().refused == 2);
}
#endif

TEMPLATE_TEST_CASE("shrink gives back the pages without blocks in use, and no other", "[growing_pool]", unchecked_pool,
                   growing_pool) {
    upstream memory;
    TestType pool(512, {.page_bytes = 4096}, &memory);
    std::vector<void*> blocks = take(pool, 80);  // from ten pages
    CHECK(memory.pages().size() == 10);
    pool.shrink();
    CHECK(memory.pages().size() == 10);
    std::vector<void*> kept;
    for (std::size_t i = 0; i < 80; ++i) {
        if (i / 8 % 3 == 0 && i % 8 == 5) kept.push_back(blocks[i]);  // in pages 0, 3, 6, 9
        else pool.deallocate(blocks[i]);
    }
    pool.shrink();
    CHECK(memory.pages().size() == 4);
    CHECK(pool.total_blocks() == 32);
    CHECK(pool.in_use() == 4);
    CHECK(pool.stats().arena_bytes == memory.bytes());
    if constexpr (answers_for_pointers<TestType>) {
        CHECK(pool.audit());
        for (void* const block : kept) CHECK(pool.owns(block));
        recorded_violations violations;
        pool.deallocate(blocks[8]);
        CHECK(violations.count() == 1);
        CHECK(violations.last().kind == violation_kind::foreign_pointer);
        CHECK(violations.last().total_blocks == 32);
    }
    const std::vector<void*> more = take(pool, 28);
    CHECK(memory.pages().size() == 4);  // the blocks that were left were used first
    CHECK(pool.available() == 0);
    pool.deallocate_bulk(more);
    pool.deallocate_bulk(kept);
    pool.shrink();
    CHECK(pool.total_blocks() == 0);
    CHECK(memory.pages().empty());
    void* const block = pool.allocate();
    CHECK(pool.total_blocks() == 8);
    pool.deallocate(block);
}

TEST_CASE("what was released comes out when the page has nothing else, the last one first", "[growing_pool]") {
    growing_pool pool(64, {.max_blocks = 8});
    const std::vector<void*> blocks = take(pool, 8);
    for (std::size_t i = 1; i < 8; ++i) CHECK(blocks[i] == offset(blocks[i - 1], 64));
    pool.deallocate(blocks[1]);
    pool.deallocate(blocks[2]);
    pool.deallocate(blocks[0]);
    CHECK(pool.allocate() == blocks[0]);
    pool.deallocate(blocks[7]);
    CHECK(pool.allocate() == blocks[2]);
    CHECK(pool.allocate() == blocks[1]);
    CHECK(pool.allocate() == blocks[7]);
    pool.deallocate_bulk(blocks);
}

TEST_CASE("a growing pool that was empty after many blocks hands them out in order of addresses again",
          "[growing_pool]") {
    for (const std::size_t size : sizes{8, 24, 64, 200, 1000}) {
        growing_pool pool(size, {.page_bytes = 1 << 18});
        std::vector<void*> blocks = take(pool, 200);
        std::vector<void*> mixed = blocks;
        std::shuffle(mixed.begin(), mixed.end(), std::minstd_rand(7));
        pool.deallocate_bulk(mixed);
        INFO(size << " bytes");
        CHECK(take(pool, 200) == blocks);
        pool.deallocate_bulk(blocks);
    }
}

TEMPLATE_TEST_CASE("nullptr is released to a growing pool without effect", "[growing_pool]", unchecked_pool,
                   growing_pool) {
    recorded_violations violations;
    TestType pool(64);
    pool.deallocate(nullptr);  // there is no page yet
    void* const block = pool.allocate();
    pool.deallocate(nullptr);
    CHECK(pool.in_use() == 1);
    pool.deallocate_bulk(std::array<void*, 3>{nullptr, block, nullptr});
    CHECK(pool.in_use() == 0);
    CHECK(violations.count() == 0);
}

TEST_CASE("misuse of a growing pool is found, and then a no-op", "[growing_pool]") {
    recorded_violations violations;
    int context = 0;
    growing_pool pool(96, {.page_bytes = 4096}, std::pmr::get_default_resource(),
                      {.name = "connections", .context = &context});
    std::vector<void*> blocks = take(pool, 50);  // 42 from one page, 8 from the next
    void* const first_page = blocks[0];
    void* const second_page = blocks[42];
    const auto second_block = [second_page](std::ptrdiff_t i) { return offset(second_page, i * 96); };
    pool.deallocate(blocks[17]);
    const auto told_of = [&](void* address, std::size_t index, std::size_t total, std::size_t live) {
        pool.deallocate(address);
        REQUIRE(violations.count() == 1);
        const fixpool::violation& v = violations.last();
        CHECK(v.pool == &pool);
        CHECK(violations.last_name() == "connections");
        CHECK(v.context == &context);
        CHECK(v.address == address);
        CHECK(v.index == index);
        CHECK(v.total_blocks == total);
        CHECK(v.live_blocks == live);
        CHECK(pool.in_use() == 49);
        return v.kind;
    };
    CHECK(told_of(blocks[17], 17, 42, 41) == violation_kind::double_free);
    CHECK(told_of(second_block(8), 8, 42, 8) == violation_kind::not_allocated);    // carved, but never out
    CHECK(told_of(second_block(41), 41, 42, 8) == violation_kind::not_allocated);  // not carved
    CHECK(told_of(offset(first_page, 96 + 1), 1, 42, 41) == violation_kind::misaligned_pointer);
    CHECK(told_of(offset(first_page, 96 - 8), 0, 42, 41) == violation_kind::misaligned_pointer);
    CHECK(told_of(offset(second_block(42), -1), 41, 42, 8) == violation_kind::misaligned_pointer);
    const auto npos = fixpool::violation::npos;
    CHECK(told_of(offset(first_page, std::ptrdiff_t{42} * 96), npos, 84, 49) ==
          violation_kind::foreign_pointer);  // behind the page's last block
    CHECK(told_of(&pool, npos, 84, 49) == violation_kind::foreign_pointer);
    CHECK(told_of(reinterpret_cast<void*>(std::uintptr_t{8}), npos, 84, 49) == violation_kind::foreign_pointer);
    CHECK(told_of(reinterpret_cast<void*>(~std::uintptr_t{0}), npos, 84, 49) == violation_kind::foreign_pointer);
    CHECK(pool.audit());
    CHECK(pool.allocate() == second_block(8));
    pool.deallocate(second_block(8));
    blocks.erase(blocks.begin() + 17);
    pool.deallocate_bulk(blocks);
    CHECK(pool.in_use() == 0);
    CHECK(violations.count() == 0);
}

TEST_CASE("exactly the first bytes of blocks in use are blocks of a growing pool", "[growing_pool]") {
    for (const std::size_t size : sizes{8, 24, 40, 64, 88, 120, 1000, 5000}) {
        upstream memory;
        growing_pool pool(size, {.page_bytes = 32768}, &memory);
        const std::vector<void*> blocks = take(pool, 6);
        const std::set<void*> all(blocks.begin(), blocks.end());
        const auto page = reinterpret_cast<std::uintptr_t>(blocks[0]);
        bool is_right = true;
        for (std::uintptr_t at = page - 100; at < page + 32768 + 100; ++at) {
            void* const address = reinterpret_cast<void*>(at);
            is_right &= pool.owns(address) == all.contains(address);
            is_right &= all.contains(address) || pool.try_deallocate(address) != release_status::released;
        }
        INFO(size << " bytes");
        CHECK(is_right);
        CHECK(pool.in_use() == 6);
        CHECK(pool.contains(blocks[5]));
        CHECK(pool.contains(blocks[0]));
        CHECK(pool.contains(offset(blocks[0], static_cast<std::ptrdiff_t>(pool.total_blocks() * pool.stride() - 1))));
        CHECK_FALSE(pool.contains(offset(blocks[0], -1)));
        if (pool.total_blocks() * pool.stride() % 32768 != 0)
            CHECK_FALSE(
                pool.contains(offset(blocks[0], static_cast<std::ptrdiff_t>(pool.total_blocks() * pool.stride()))));
        CHECK_FALSE(pool.contains(nullptr));
        CHECK_FALSE(pool.contains(&pool));
        pool.deallocate_bulk(blocks);
        CHECK(pool.contains(blocks[5]));
        CHECK_FALSE(pool.owns(blocks[5]));
    }
}

TEST_CASE("a block of another growing pool is foreign", "[growing_pool]") {
    recorded_violations violations;
    growing_pool pool(64), other(64);
    void* const block = other.allocate();
    pool.deallocate(block);  // while this pool has no page
    CHECK(violations.count() == 1);
    CHECK(violations.last().total_blocks == 0);
    pool.deallocate(pool.allocate());
    pool.deallocate(block);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::foreign_pointer);
    CHECK(violations.last().pool == &pool);
    CHECK(other.owns(block));
    other.deallocate(block);
}

TEST_CASE("try_deallocate of a growing pool returns what deallocate would report", "[growing_pool]") {
    recorded_violations violations;
    growing_pool pool(64);
    void* const block = pool.allocate();
    CHECK(pool.try_deallocate(nullptr) == release_status::null_pointer);
    CHECK(pool.try_deallocate(&pool) == release_status::foreign_pointer);
    CHECK(pool.try_deallocate(offset(block, 1)) == release_status::misaligned_pointer);
    CHECK(pool.try_deallocate(offset(block, 64)) == release_status::not_allocated);
    CHECK(pool.in_use() == 1);
    CHECK(pool.try_deallocate(block) == release_status::released);
    CHECK(pool.try_deallocate(block) == release_status::double_free);
    CHECK(pool.in_use() == 0);
    CHECK(violations.count() == 0);
}

TEST_CASE("what was handed out before a page was empty is a double free, what was not is not allocated",
          "[growing_pool]") {
    for (const std::size_t out : sizes{1, 31, 32, 33, 65, 71, 96, 97, 128}) {
        growing_pool pool(32, {.page_bytes = 4096});
        const std::vector<void*> blocks = take(pool, out);
        pool.deallocate_bulk(blocks);  // with more than 64, the page starts anew
        std::set<void*> ever(blocks.begin(), blocks.end());
        for (const std::size_t taken : sizes{0, 1, out / 2, out}) {
            const std::vector<void*> again = take(pool, taken);
            const std::set<void*> live(again.begin(), again.end());
            ever.insert(again.begin(), again.end());
            bool is_right = true;
            for (std::size_t i = 0; i < 128; ++i) {
                void* const block = offset(blocks[0], static_cast<std::ptrdiff_t>(32 * i));
                if (live.contains(block)) continue;
                is_right &= pool.try_deallocate(block) ==
                            (ever.contains(block) ? release_status::double_free : release_status::not_allocated);
            }
            INFO(out << " were out, " << taken << " again");
            CHECK(is_right);
            pool.deallocate_bulk(again);
        }
        if (out > 64) CHECK(ever.size() == out);  // carved from the first block on again
        CHECK(pool.peak_in_use() == out);
        CHECK(pool.audit());
    }
}

TEMPLATE_TEST_CASE("bulk allocation of a growing pool is all or nothing", "[growing_pool]", unchecked_pool,
                   growing_pool) {
    upstream memory;
    TestType pool(512, {.page_bytes = 4096, .max_blocks = 30}, &memory);
    std::vector<void*> many(20);
    CHECK(pool.try_allocate_bulk(many));
    CHECK(std::set<void*>(many.begin(), many.end()).size() == 20);
    CHECK(memory.pages().size() == 3);
    CHECK(pool.in_use() == 20);
    void* const marker = &pool;
    std::vector<void*> more(11, marker);
    CHECK_FALSE(pool.try_allocate_bulk(more));
    CHECK(more == std::vector<void*>(11, marker));
    CHECK(memory.pages().size() == 3);
    CHECK(pool.in_use() == 20);
    CHECK(pool.stats().refused == 1);
    CHECK(pool.try_allocate_bulk(std::span(more).first(10)));  // exactly up to the limit
    CHECK(pool.available() == 0);
    CHECK(pool.try_allocate_bulk({}));
    CHECK(pool.total_blocks() == 30);
    pool.deallocate_bulk(many);
    pool.deallocate_bulk(std::span(more).first(10));
    CHECK(pool.in_use() == 0);
    pool.shrink();
    std::fill(many.begin(), many.end(), marker);
    for (const std::size_t nth : sizes{0, 2}) {  // of the first page, and of the second
        memory.fail(upstream::failing::throws, nth);
        CHECK_FALSE(pool.try_allocate_bulk(many));
        CHECK(many == std::vector<void*>(20, marker));
        CHECK(pool.in_use() == 0);
        CHECK(memory.pages().size() == nth / 2);
    }
    CHECK(pool.stats().refused == 3);
    memory.fail(upstream::failing::never, 0);
}

TEMPLATE_TEST_CASE("reset makes every block of a growing pool free, and starts its counts anew", "[growing_pool]",
                   unchecked_pool, growing_pool) {
    upstream memory;
    TestType pool(512, {.page_bytes = 4096, .max_blocks = 24}, &memory);
    const std::vector<void*> blocks = take(pool, 24);
    CHECK(pool.try_allocate() == nullptr);
    pool.deallocate(blocks[3]);
    pool.deallocate(blocks[9]);
    pool.reset();
    CHECK(pool.total_blocks() == 24);
    CHECK(memory.pages().size() == 3);
    CHECK(pool.in_use() == 0);
    CHECK(pool.peak_in_use() == 0);
    CHECK(pool.stats().refused == 0);
    if constexpr (answers_for_pointers<TestType>) {
        CHECK(pool.audit());
        CHECK_FALSE(pool.owns(blocks[0]));
        CHECK(pool.try_deallocate(blocks[0]) == release_status::not_allocated);
        CHECK(pool.try_deallocate(blocks[20]) == release_status::not_allocated);
    }
    const std::vector<void*> again = take(pool, 24);
    CHECK(std::set<void*>(again.begin(), again.end()) == std::set<void*>(blocks.begin(), blocks.end()));
    CHECK(pool.try_allocate() == nullptr);
    CHECK(pool.peak_in_use() == 24);
    pool.reset();  // while pages are full
    if constexpr (answers_for_pointers<TestType>) CHECK(pool.audit());
    void* const one = pool.allocate();
    pool.deallocate(one);
    CHECK(pool.peak_in_use() == 1);
    CHECK(memory.pages().size() == 3);
}

TEST_CASE("for_each_allocated visits blocks of all pages in order of addresses, and may allocate and release",
          "[growing_pool]") {
    upstream memory;
    growing_pool pool(512, {.page_bytes = 4096}, &memory);
    std::vector<void*> blocks = take(pool, 100);
    std::set<void*> live(blocks.begin(), blocks.end());
    for (std::size_t i = 0; i < 100; i += 3) {
        pool.deallocate(blocks[i]);
        live.erase(blocks[i]);
    }
    std::vector<void*> seen;
    pool.for_each_allocated([&seen](void* block) { seen.push_back(block); });
    CHECK(seen == std::vector<void*>(live.begin(), live.end()));

    seen.clear();  // each visit opens a page, so the table grows meanwhile
    std::vector<void*> more;
    pool.for_each_allocated([&](void* block) {
        if (!live.contains(block)) return;  // allocated meanwhile
        seen.push_back(block);
        const std::vector<void*> eight = take(pool, 8);
        more.insert(more.end(), eight.begin(), eight.end());
    });
    CHECK(seen == std::vector<void*>(live.begin(), live.end()));
    pool.deallocate_bulk(more);

    std::size_t count = 0;  // each visit releases its block, and pages go back meanwhile
    pool.for_each_allocated([&](void* block) {
        ++count;
        pool.deallocate(block);
        pool.shrink();
    });
    CHECK(count == live.size());
    CHECK(memory.pages().empty());
}

TEST_CASE("sort_free_blocks hands out the lowest free block of all pages first", "[growing_pool]") {
    for (const std::size_t size : sizes{512, 24}) {
        growing_pool pool(size, {.page_bytes = 4096});
        const std::size_t count = 5 * (4096 / size) - 5, some = count / 4;  // the last page is only partly carved
        std::vector<void*> blocks = take(pool, count);
        std::shuffle(blocks.begin(), blocks.end(), std::minstd_rand(3));
        const std::vector<void*> kept(blocks.begin(), blocks.begin() + static_cast<std::ptrdiff_t>(some));
        pool.deallocate_bulk(std::span(blocks).subspan(some));
        const std::size_t total = pool.total_blocks();
        pool.sort_free_blocks();
        CHECK(pool.audit());
        const std::vector<void*> sorted = take(pool, total - some);
        INFO(size << " bytes");
        CHECK(std::is_sorted(sorted.begin(), sorted.end()));
        CHECK(pool.total_blocks() == total);
        CHECK(pool.available() == 0);
        for (void* const block : kept) CHECK(pool.owns(block));
        pool.sort_free_blocks();
        CHECK(pool.audit());
        pool.deallocate_bulk(kept);
        pool.deallocate_bulk(sorted);
        CHECK(pool.audit());
    }
}

TEST_CASE("sorting does not make a block that was never handed out a double free", "[growing_pool]") {
    growing_pool pool(64);
    void* const first = pool.allocate();
    pool.sort_free_blocks();
    CHECK(pool.try_deallocate(offset(first, 64)) == release_status::not_allocated);
    CHECK(pool.allocate() == offset(first, 64));
    pool.deallocate(offset(first, 64));
    pool.sort_free_blocks();
    CHECK(pool.try_deallocate(offset(first, 64)) == release_status::double_free);
    CHECK(pool.try_deallocate(offset(first, 128)) == release_status::not_allocated);
    pool.deallocate(first);
    const std::vector<void*> carved = take(pool, 32);  // all that the pool may have
    pool.sort_free_blocks();
    CHECK(pool.audit());
    CHECK(pool.allocate() == offset(first, std::ptrdiff_t{64} * 32));
    CHECK(pool.total_blocks() == 1024);
    pool.deallocate(offset(first, std::ptrdiff_t{64} * 32));
    pool.deallocate_bulk(carved);
}

TEST_CASE("a growing pool that dies with blocks in use reports one leak, and its memory goes back", "[growing_pool]") {
    recorded_violations violations;
    upstream memory;
    const void* lowest = nullptr;
    const void* address = nullptr;
    {
        growing_pool pool(512, {.page_bytes = 4096}, &memory, {.name = "packets"});
        const std::vector<void*> blocks = take(pool, 20);
        pool.deallocate_bulk(std::span(blocks).first(3));
        lowest = *std::min_element(blocks.begin() + 3, blocks.end());
        address = &pool;
    }
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::leak);
    CHECK(violations.last().pool == address);
    CHECK(violations.last().address == lowest);
    CHECK(violations.last().live_blocks == 17);
    CHECK(violations.last().total_blocks == 24);
    CHECK(violations.last().index == fixpool::violation::npos);
    CHECK(violations.last_name() == "packets");
    CHECK(memory.pieces().empty());
    { (void)unchecked_pool(64).allocate(); }
    { growing_pool none(64); }
    CHECK(violations.count() == 0);
}

TEMPLATE_TEST_CASE("the bytes in the stats of a growing pool are those that upstream gave", "[growing_pool]",
                   unchecked_pool, growing_pool) {
    upstream memory;
    TestType pool(96, {.page_bytes = 4096, .max_blocks = 1000}, &memory);
    std::vector<void*> blocks;
    for (int i = 0; i < 1000; ++i) {
        blocks.push_back(pool.allocate());
        if (i % 37 != 0) continue;
        const fixpool::pool_stats s = pool.stats();
        CHECK(s.arena_bytes == memory.bytes());
        CHECK(s.metadata_bytes == s.arena_bytes - s.total_blocks * 96);
    }
    CHECK(pool.stats().arena_bytes == memory.bytes());
    pool.deallocate_bulk(blocks);
    pool.shrink();
    CHECK(pool.stats().arena_bytes == memory.bytes());
}

TEST_CASE("a write after free changes nothing that a growing pool knows", "[growing_pool]") {
    growing_pool pool(64, {.max_blocks = 100});
    const std::vector<void*> blocks = take(pool, 100);
    pool.deallocate_bulk(blocks);
    for (void* const block : blocks)
        for (int i = 0; i < 64; ++i) write_unseen(block, i, 0xff);
    CHECK(pool.audit());
    const std::vector<void*> again = take(pool, 100);
    CHECK(std::set<void*>(again.begin(), again.end()).size() == 100);
    CHECK(pool.try_allocate() == nullptr);
    pool.deallocate_bulk(again);
}

TEST_CASE("audit of a growing pool says what was overwritten, and of which block", "[growing_pool]") {
    upstream memory;
    growing_pool pool(64, {.page_bytes = 4096}, &memory, {.name = "audited"});
    const std::vector<void*> blocks = take(pool, 8);
    for (const std::size_t i : sizes{1, 3, 5}) pool.deallocate(blocks[i]);  // 5, 3, 1 wait; 8 to 31 are to come
    std::uint16_t* const links = memory.links_of(blocks[0]);
    REQUIRE(links != nullptr);
    constexpr std::size_t npos = fixpool::violation::npos;
    const auto said_of = [&](std::size_t block, unsigned value, std::size_t index) -> std::string {
        recorded_violations violations;
        const std::uint16_t before = std::exchange(links[block], static_cast<std::uint16_t>(value));
        const bool passes = pool.audit();
        links[block] = before;
        const std::size_t told = violations.count();
        if (told != (passes ? 0U : 1U)) return "told " + std::to_string(told) + " times";
        if (passes) return "";
        const fixpool::violation& v = violations.last();
        if (v.kind != violation_kind::corrupted_pool || violations.last_name() != "audited" || v.pool != &pool ||
            v.total_blocks != 64 || v.live_blocks != 5 || v.index != index)
            return "?";
        if (index != npos && v.address != links + index) return "??";
        return v.problem;
    };
    CHECK(pool.audit());
    CHECK(said_of(0, page_state::live, npos).empty());  // unchanged
    CHECK(said_of(0, page_state::given_up, npos).empty());
    CHECK(said_of(0, page_state::unfinished, npos).empty());
    CHECK(said_of(0, page_state::unfinished + 1U, 0) == "what is kept of the block was overwritten");
    CHECK(said_of(0, 3, npos) == "a page's free list has not all of its free blocks");
    CHECK(said_of(3, page_state::live, 3) == "the block is in its free list and in use");
    CHECK(said_of(5, 0, 0) == "the block is in its free list and in use");
    CHECK(said_of(5, 5, npos) == "a page's free list has a block twice");
    CHECK(said_of(1, 5, npos) == "a page's free list has a block twice");
    CHECK(said_of(5, 1, npos) == "a page's free list has not all of its free blocks");
    CHECK(said_of(5, page_state::none, npos) == "a page's free list has not all of its free blocks");
    CHECK(said_of(1, 10, npos) == "a page's free list has a block twice");  // a block of the other list
    CHECK(said_of(5, 31, npos) == "a page's free list has a block twice");
    CHECK(said_of(1, page_state::none | 1U, npos) == "the end of a page's free list was overwritten");
    CHECK(said_of(1, 32, npos) == "a page's free list has a block that it cannot have");
    CHECK(said_of(20, 10, npos) == "a page's free list has a block twice");
    CHECK(pool.audit());
    for (const std::size_t i : sizes{0, 2, 4, 6, 7}) pool.deallocate(blocks[i]);
}

TEST_CASE("audit of a growing pool ends, whatever is written over the links", "[growing_pool]") {
    recorded_violations violations;
    std::minstd_rand random(11);
    upstream memory;
    growing_pool pool(64, {.page_bytes = 4096}, &memory);
    std::vector<void*> blocks = take(pool, 64);
    pool.deallocate_bulk(std::span(blocks).first(40));
    std::uint16_t* const links = memory.links_of(blocks[0]);
    REQUIRE(links != nullptr);
    const std::vector<std::uint16_t> sound(links, links + 64);
    for (int turn = 0; turn < 3000; ++turn) {
        for (int n = 0; n < 1 + turn % 5; ++n)
            links[random() % 64] = static_cast<std::uint16_t>(random() >> (turn % 12));
        static_cast<void>(pool.audit());
        std::copy(sound.begin(), sound.end(), links);
    }
    CHECK(pool.audit());
    CHECK(violations.were_all(violation_kind::corrupted_pool));
    pool.deallocate_bulk(std::span(blocks).subspan(40));
}

TEST_CASE("audit of a growing pool verifies which pages wait with free blocks", "[growing_pool]") {
    upstream memory;
    growing_pool pool(512, {.page_bytes = 4096, .max_blocks = 32}, &memory);
    std::vector<void*> blocks = take(pool, 32);  // from four pages
    pool.deallocate(blocks[0]);                  // the first two pages wait in the queue, which is a ring
    pool.deallocate(blocks[8]);
    std::array<std::uintptr_t, 4> tags{};
    std::array<std::uintptr_t*, 4> next{};  // in front of each page's links
    for (std::size_t i = 0; i < 4; ++i) {
        tags[i] = fixpool::detail::page_state::tag_of(reinterpret_cast<std::uintptr_t>(blocks[8 * i]), 0);
        REQUIRE(memory.links_of(blocks[8 * i]) != nullptr);
        next[i] = reinterpret_cast<std::uintptr_t*>(memory.links_of(blocks[8 * i])) - 1;
    }
    REQUIRE((*next[0] == tags[1] && *next[1] == tags[0]));
    CHECK(pool.audit());
    const auto is_found = [&](std::size_t page, std::uintptr_t value, std::string part = "its queue of pages") {
        recorded_violations violations;
        const std::uintptr_t before = std::exchange(*next[page], value);
        const bool passes = pool.audit();
        *next[page] = before;
        return !passes && violations.count() == 1 && violations.last().problem == part + " was overwritten";
    };
    CHECK(is_found(1, 0));
    CHECK(is_found(1, tags[0] + 4096 * std::uintptr_t{1024}));
    CHECK(is_found(1, tags[0] + 1));
    CHECK(is_found(1, tags[1]));  // the first page is not in the queue
    CHECK(is_found(1, tags[2]));  // a full page
    CHECK(is_found(1, tags[3]));  // the current page
    CHECK(is_found(0, tags[0]));
    CHECK(is_found(2, tags[1], "what it keeps of a page"));  // a full page and the current one do not wait
    CHECK(is_found(3, tags[1], "what it keeps of a page"));
    CHECK(pool.audit());
    blocks.erase(blocks.begin() + 8);
    pool.deallocate_bulk(std::span(blocks).subspan(1));
}

TEST_CASE("audit of a growing pool finds that a full page waits alone", "[growing_pool]") {
    recorded_violations violations;
    static growing_pool pool(512, {.page_bytes = 4096, .max_blocks = 32});  // the padding between its members is 0
    const std::vector<void*> blocks = take(pool, 32);                       // from four pages
    pool.deallocate(blocks[0]);
    const auto tag_of = [&blocks](std::size_t page) {
        return fixpool::detail::page_state::tag_of(reinterpret_cast<std::uintptr_t>(blocks[8 * page]), 0);
    };
    int found = 0;
    for (std::size_t at = 0; at + sizeof(std::uintptr_t) <= sizeof pool; at += sizeof(std::uintptr_t)) {
        unsigned char* const place = reinterpret_cast<unsigned char*>(&pool) + at;
        std::uintptr_t word = 0;
        std::memcpy(&word, place, sizeof word);
        if (word != tag_of(0)) continue;  // the last page in the queue, or an entry of the old table
        const std::uintptr_t full = tag_of(1);
        std::memcpy(place, &full, sizeof full);
        found += !pool.audit();
        std::memcpy(place, &word, sizeof word);
    }
    CHECK(found == 1);
    CHECK(violations.were_all(violation_kind::corrupted_pool));
    CHECK(pool.audit());
    pool.deallocate_bulk(std::span(blocks).subspan(1));
}

TEST_CASE("audit of a growing pool compares its pages with its counters", "[growing_pool]") {
    recorded_violations violations;
    static growing_pool pool(64);  // static: the padding between its members is 0
    const std::vector<void*> blocks = take(pool, 41);
    pool.deallocate_bulk(std::span(blocks).first(4));
    int counters = 0;
    for (std::size_t at = 0; at + sizeof(std::size_t) <= sizeof pool; at += sizeof(std::size_t)) {
        std::size_t word = 0;
        unsigned char* const place = reinterpret_cast<unsigned char*>(&pool) + at;
        std::memcpy(&word, place, sizeof word);
        if (word != 37 && word != 1024) continue;  // blocks in use, and all blocks
        const std::size_t wrong = word + 1;
        std::memcpy(place, &wrong, sizeof wrong);
        const bool passes = pool.audit();
        std::memcpy(place, &word, sizeof word);
        if (passes) continue;
        ++counters;
        CHECK(violations.count() == 1);
        CHECK(std::string(violations.last().problem) == "its counters do not agree");
    }
    CHECK(counters == 2);
    CHECK(pool.audit());
    pool.deallocate_bulk(std::span(blocks).subspan(4));
}

namespace {

/// A growing pool beside a model, with a pattern in every block.
template <class Pool> class walk {
public:
    walk(std::size_t size, growth grows, std::size_t alignment, unsigned seed)
        : pool_(size, grows, &memory_, {}, alignment), most_(grows.max_blocks), random_(seed) {}
    ~walk() { pool_.reset(); }

    bool step() {
        switch (random_() % 32) {
            case 0: return bulk();
            case 1: return misuse();
            case 2: return random_() % 16 != 0 || rarely();
            default: return is_growing() ? took(pool_.try_allocate()) : release();
        }
    }
    bool agrees() {
        bool same = pool_.in_use() == live_.size() && pool_.peak_in_use() == peak_ && is_consistent(pool_) &&
                    pool_.total_blocks() <= most_ && pool_.stats().refused == refused_ &&
                    pool_.stats().arena_bytes == memory_.bytes();
        if constexpr (answers_for_pointers<Pool>) {
            auto next = live_.begin();
            pool_.for_each_allocated([&](void* block) { same &= next != live_.end() && (next++)->first == block; });
            same &= next == live_.end() && pool_.audit();
        }
        return same && violations_.count() == 0;
    }

private:
    std::size_t below(std::size_t limit) { return static_cast<std::size_t>(random_() % limit); }
    bool is_growing() {
        if (random_() % 256 == 0) grows_ = !grows_;
        return random_() % 4 != 0 ? grows_ : !grows_;
    }
    bool took(void* block) {
        if (block == nullptr) return ++refused_, live_.size() == most_;
        const auto pattern = static_cast<unsigned char>(random_());
        std::memset(block, pattern, pool_.block_size());
        const bool is_new = live_.emplace(block, pattern).second;
        ever_.insert(block);
        peak_ = std::max(peak_, live_.size());
        return is_new && reinterpret_cast<std::uintptr_t>(block) % pool_.alignment() == 0;
    }
    bool holds_pattern(typename std::map<void*, unsigned char>::iterator at) {
        const auto* const bytes = static_cast<unsigned char*>(at->first);
        return std::all_of(bytes, bytes + pool_.block_size(), [at](unsigned char byte) { return byte == at->second; });
    }
    bool release() {
        if (live_.empty()) return true;
        auto at = live_.lower_bound(offset(live_.begin()->first, static_cast<std::ptrdiff_t>(below(1 << 20))));
        if (at == live_.end()) at = live_.begin();
        const bool is_right = holds_pattern(at);
        pool_.deallocate(at->first);
        live_.erase(at);
        return is_right;
    }
    bool bulk() {
        std::vector<void*> blocks(below(40));
        if (!pool_.try_allocate_bulk(blocks)) return ++refused_, live_.size() + blocks.size() > most_;
        bool is_right = true;
        for (void* const block : blocks) is_right &= took(block);
        for (std::size_t n = below(40); n-- != 0;) is_right &= release();
        return is_right;
    }
    bool rarely() {
        switch (random_() % 4) {
            case 0:
                pool_.shrink();
                std::erase_if(ever_, [this](void* block) { return !pool_.contains(block); });
                return true;
            case 1:
                if constexpr (answers_for_pointers<Pool>) pool_.sort_free_blocks();
                return true;
            case 2:
                while (!live_.empty())
                    if (!release()) return false;
                return true;
            default:
                pool_.reset();
                live_.clear();
                ever_.clear();
                peak_ = refused_ = 0;
                return true;
        }
    }
    bool misuse() {
        if constexpr (answers_for_pointers<Pool>) {
            const auto pages = memory_.pages();
            if (pages.empty()) return pool_.try_deallocate(&pool_) == release_status::foreign_pointer;
            const auto [page, bytes] = pages[below(pages.size())];
            const std::size_t at = below(4) == 0 ? below(bytes) : below(bytes / pool_.stride()) * pool_.stride();
            void* const address = offset(page, static_cast<std::ptrdiff_t>(at));
            if (live_.contains(address)) return pool_.owns(address);
            const release_status said = pool_.try_deallocate(address);
            if (!pool_.contains(address)) return said == release_status::foreign_pointer;
            if (at % pool_.stride() != 0) return said == release_status::misaligned_pointer;
            return said == (ever_.contains(address) ? release_status::double_free : release_status::not_allocated);
        }
        return true;
    }

    recorded_violations violations_;
    upstream memory_;
    Pool pool_;
    std::size_t most_;
    std::minstd_rand random_;
    std::map<void*, unsigned char> live_;
    std::set<void*> ever_;  // handed out since construction, the last reset, or since their page came
    std::size_t peak_ = 0, refused_ = 0;
    bool grows_ = true;
};

}  // namespace

TEMPLATE_TEST_CASE("a random walk on a growing pool agrees with a model", "[growing_pool]", unchecked_pool,
                   growing_pool) {
    const auto seed = static_cast<unsigned>(std::random_device{}());
    std::minstd_rand random(seed);
    const int rounds = std::getenv("FIXPOOL_TEST_LENGTH") != nullptr ? 30 : 100;
    for (int round = 0; round < rounds; ++round) {
        const std::size_t size = random() % 3 == 0 ? 1 + random() % 5000 : 1 + random() % 200;
        const std::size_t alignment = random() % 2 == 0 ? 0 : std::size_t{1} << random() % 13;
        const growth grows{std::size_t{4096} << random() % 5, random() % 2 == 0 ? SIZE_MAX : 1 + random() % 300};
        walk<TestType> one(size, grows, alignment, static_cast<unsigned>(random()));
        INFO("seed " << seed << ", round " << round << ": " << size << " bytes, aligned to " << alignment
                     << ", pages of " << grows.page_bytes << ", at most " << grows.max_blocks);
        bool is_right = true;
        for (int step = 0; step < 1500 && is_right; ++step) is_right = one.step() && (step % 16 != 0 || one.agrees());
        REQUIRE(is_right);
        REQUIRE(one.agrees());
    }
}

// Objects.

TEMPLATE_TEST_CASE_SIG("a growing pool of objects has as many as are needed", "[growing_pool]", ((checking C), C),
                       checking::unchecked, checking::checked) {
    const heap::usage before = heap::in_use();
    counted::start();
    {
        growing_typed_pool<counted, C> pool({.page_bytes = 4096});
        CHECK(pool.total_blocks() == 0);
        std::vector<growing_block<counted, C>> blocks;
        for (int i = 0; i < 3000; ++i) blocks.push_back(pool.allocate(i));
        CHECK(pool.in_use() == 3000);
        CHECK(pool.available() == pool.total_blocks() - 3000);
        CHECK(pool.block_size() == sizeof(counted));
        CHECK(pool.stride() % alignof(counted) == 0);
        CHECK(pool.alignment() == alignof(counted));
        CHECK(pool.stats().in_use == 3000);
        CHECK(pool.contains(blocks[2999].get()));
        int wrong = 0;
        for (int i = 0; i < 3000; ++i) wrong += blocks[static_cast<std::size_t>(i)]->value != i;
        CHECK(wrong == 0);
        blocks[3].reset();
        blocks[5] = std::move(blocks[6]);
        counted* const given_up = blocks[0].release();
        blocks[0] = pool.adopt(given_up);
        CHECK(counted::destroyed == 2);
        CHECK(pool.in_use() == 2998);
        CHECK(pool.peak_in_use() == 3000);
        blocks.resize(0);
        CHECK(pool.in_use() == 0);
        pool.shrink();
        CHECK(pool.total_blocks() == 0);
    }
    CHECK(counted::destroyed == 3000);
    CHECK(counted::destroyed_twice == 0);
    CHECK(heap::in_use() == before);
}

TEMPLATE_TEST_CASE_SIG("a growing pool of objects that may not grow leaves the arguments untouched", "[growing_pool]",
                       ((checking C), C), checking::unchecked, checking::checked) {
    upstream memory;
    growing_typed_pool<std::unique_ptr<int>, C> pool({.max_blocks = 1}, &memory, {.name = "few"});
    CHECK(std::string(pool.name()) == "few");
    auto taken = pool.allocate(std::make_unique<int>(1));
    auto argument = std::make_unique<int>(2);
    CHECK(pool.try_allocate(std::move(argument)) == nullptr);
    CHECK_THROWS_AS(pool.allocate(std::move(argument)), pool_exhausted);
    CHECK(pool.try_allocate_at({}, std::move(argument)) == nullptr);
    CHECK_THROWS_AS(pool.allocate_at({}, std::move(argument)), pool_exhausted);
    CHECK(pool.try_allocate_for_overwrite() == nullptr);
    CHECK_THROWS_AS(pool.allocate_for_overwrite(), pool_exhausted);
    REQUIRE(argument != nullptr);
    CHECK(*argument == 2);
    CHECK(pool.stats().refused == 6);
    taken.reset();
    pool.shrink();
    memory.fail(upstream::failing::throws, 0);
    CHECK(pool.try_allocate(std::move(argument)) == nullptr);
    CHECK_THROWS_AS(pool.allocate(std::move(argument)), std::runtime_error);
    REQUIRE(argument != nullptr);
    CHECK(pool.stats().refused == 8);
    memory.fail(upstream::failing::never, 0);
    CHECK(**pool.allocate_at({}, std::move(argument)) == 2);
    CHECK(**pool.try_allocate_at({}, std::make_unique<int>(3)) == 3);
}

TEMPLATE_TEST_CASE_SIG("a constructor that throws gives its block back to a growing pool", "[growing_pool]",
                       ((checking C), C), checking::unchecked, checking::checked) {
    for (int throw_at = 1; throw_at <= 4; ++throw_at) {
        counted::start(throw_at);
        growing_typed_pool<counted, C> pool({.max_blocks = 3});
        std::vector<growing_block<counted, C>> blocks;
        bool has_thrown = false;
        try {
            for (int i = 0; i < 3; ++i) blocks.push_back(i % 2 == 0 ? pool.allocate(i) : pool.try_allocate(i));
        } catch (const std::runtime_error&) {
            has_thrown = true;
        }
        CHECK(has_thrown == (throw_at <= 3));
        CHECK(pool.in_use() == blocks.size());
        CHECK(pool.stats().refused == 0);
        while (auto b = pool.try_allocate(0)) blocks.push_back(std::move(b));
        CHECK(blocks.size() == 3);
        blocks.clear();
        CHECK(counted::destroyed == 3);
        CHECK(pool.in_use() == 0);
        counted::start();
    }
}

namespace {

/// A tree whose constructors and destructors use the pool, which grows and shrinks meanwhile.
struct branch {
    branch(growing_typed_pool<branch>& p, int generations) : pool(p) {
        if (generations == 0) return;
        left = p.allocate(p, generations - 1);
        right = p.allocate(p, generations - 1);
        is_sound = is_sound && p.audit();
    }
    ~branch() {
        left.reset();
        if (has_heir && pool.in_use() > 1) pool.allocate(pool, 0)->has_heir = false;
        if (pool.in_use() % 64 == 0) pool.shrink();
        is_sound = is_sound && pool.audit();
    }
    growing_typed_pool<branch>& pool;
    growing_block<branch> left, right;
    bool has_heir = true;
    std::byte filling[400] = {};
    inline static bool is_sound = true;
};

}  // namespace

TEST_CASE("constructors and destructors may use their growing pool, while its pages move", "[growing_pool]") {
    recorded_violations violations;
    upstream memory;
    growing_typed_pool<branch> pool({.page_bytes = 4096}, &memory);
    for (int turn = 0; turn < 2; ++turn) {
        auto root = pool.allocate(pool, 8);
        CHECK(pool.in_use() == 511);
        CHECK(memory.pages().size() > 50);
        root.reset();
        CHECK(pool.in_use() == 0);
        CHECK(branch::is_sound);
        pool.shrink();
    }
    CHECK(violations.count() == 0);
    CHECK(memory.pages().empty());
    growing_typed_pool<branch> small({.page_bytes = 4096, .max_blocks = 100});
    CHECK_THROWS_AS(small.allocate(small, 8), pool_exhausted);  // all constructors unwind
    CHECK(small.in_use() == 0);
    CHECK(branch::is_sound);
}

TEST_CASE("an object of a growing pool counts as in use until its destructor has returned", "[growing_pool]") {
    struct hopeful {
        growing_typed_pool<hopeful>* pool = nullptr;
        std::size_t* seen = nullptr;
        ~hopeful() {
            *seen = pool->in_use();
            if (pool->try_allocate() != nullptr) *seen = 0;
            (void)pool->adopt(this);
        }
    };
    recorded_violations violations;
    growing_typed_pool<hopeful> pool({.max_blocks = 1});
    std::size_t seen = 0;
    auto dying = pool.allocate(&pool, &seen);
    hopeful* const object = dying.get();
    dying.reset();
    CHECK(seen == 1);
    CHECK(pool.in_use() == 0);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::not_allocated);
    CHECK(violations.last().live_blocks == 1);
    CHECK(pool.adopt(object) == nullptr);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::double_free);
}

TEST_CASE("an object of a growing pool that is being constructed cannot be adopted", "[growing_pool]") {
    struct self {
        self(growing_typed_pool<self>& pool, self** out, bool does_throw) {
            pool.adopt(this).reset();
            *out = this;
            if (does_throw) throw std::runtime_error("no");
        }
    };
    recorded_violations violations;
    growing_typed_pool<self> pool;
    self* half_built = nullptr;
    CHECK_THROWS(pool.allocate(pool, &half_built, true));
    CHECK(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::not_allocated);
    CHECK(pool.in_use() == 0);
    CHECK(pool.adopt(half_built) == nullptr);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::double_free);
    const auto object = pool.allocate(pool, &half_built, false);
    CHECK(violations.count() == 1);
    CHECK(pool.in_use() == 1);
}

TEST_CASE("adopting what a growing pool cannot give is reported once, and the object is untouched", "[growing_pool]") {
    recorded_violations violations;
    growing_typed_pool<std::uint64_t> pool({}, std::pmr::get_default_resource(), {.name = "numbers"});
    auto owner = pool.allocate(1u), other = pool.allocate(2u);
    std::uint64_t* const released = owner.get();
    owner.reset();
    const auto refused_as = [&](std::uint64_t* object) {
        CHECK(pool.adopt(object) == nullptr);
        REQUIRE(violations.count() == 1);
        CHECK(violations.last().pool == &pool);
        CHECK(violations.last().address == object);
        return violations.last().kind;
    };
    std::uint64_t foreign = 77;
    CHECK(refused_as(released) == violation_kind::double_free);
    CHECK(refused_as(released + 2) == violation_kind::not_allocated);
    CHECK(refused_as(&foreign) == violation_kind::foreign_pointer);
    CHECK(refused_as(reinterpret_cast<std::uint64_t*>(reinterpret_cast<char*>(released) + 4)) ==
          violation_kind::misaligned_pointer);
    for (int turn = 0; turn < 2; ++turn) {  // before and after the object was given up once
        CHECK(refused_as(other.get()) == violation_kind::still_owned);
        CHECK(violations.last().index == 1);
        std::uint64_t* const given_up = other.release();
        CHECK(pool.in_use() == 1);
        CHECK(pool.owns(given_up));
        other = pool.adopt(given_up);
        CHECK(*other == 2);
    }
    CHECK(pool.adopt(nullptr) == nullptr);
    CHECK(violations.count() == 0);
    CHECK(foreign == 77);
}

TEMPLATE_TEST_CASE("a handle of a growing pool that is copied byte by byte destroys nothing twice", "[growing_pool]",
                   counted, int) {
    recorded_violations violations;
    counted::start();
    growing_typed_pool<TestType> pool;
    use_stolen_handles(pool, violations);
    auto third = pool.allocate(3);
    stolen last(third);
    auto* const given_up = third.release();
    last.handle().reset();  // nobody owns it now
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::still_owned);
    CHECK(pool.in_use() == 1);
    pool.adopt(given_up).reset();
    CHECK(counted::destroyed_twice == 0);
    CHECK(counted::destroyed == counted::constructed);
    CHECK(pool.in_use() == 0);
}

TEST_CASE("for_each of a growing pool visits finished objects of all pages in order of addresses", "[growing_pool]") {
    growing_typed_pool<std::string> pool({.page_bytes = 4096});
    std::vector<growing_block<std::string>> blocks;
    for (int i = 0; i < 400; ++i) blocks.push_back(pool.allocate(std::to_string(i)));
    for (std::size_t i = 0; i < 400; i += 7) blocks[i].reset();
    std::string* const given_up = blocks[1].release();
    std::set<const std::string*> expected{given_up};
    for (const auto& b : blocks)
        if (b != nullptr) expected.insert(b.get());
    std::vector<const std::string*> seen;
    std::as_const(pool).for_each([&seen](const std::string& text) { seen.push_back(&text); });
    CHECK(seen == std::vector<const std::string*>(expected.begin(), expected.end()));
    std::as_const(pool).for_each(
        [](auto& text) { STATIC_REQUIRE(std::is_const_v<std::remove_reference_t<decltype(text)>>); });
    pool.for_each([](std::string& text) { text = "seen"; });
    CHECK(*blocks[398] == "seen");
    std::size_t count = 0;
    pool.for_each([&](std::string& text) {  // a visit may release any object
        ++count;
        for (auto& b : blocks)
            if (b.get() == &text) b.reset();
    });
    CHECK(count == expected.size());
    CHECK(pool.in_use() == 1);
    pool.adopt(given_up).reset();
    CHECK(pool.audit());
}

namespace {

struct looks_around {
    looks_around(growing_typed_pool<looks_around>& p, int& s) : pool(p), seen(s) { look(); }
    ~looks_around() { look(); }
    void look() {
        seen = 0;
        pool.for_each([this](looks_around&) { ++seen; });
    }
    growing_typed_pool<looks_around>& pool;
    int& seen;
};

struct linked {
    int value;
    growing_block<linked> next;
};

struct alignas(64) aligned_to_64 {
    char byte = 'a';
};
struct alignas(4096) aligned_to_4096 {
    char byte = 'a';
};
struct alignas(65536) aligned_to_64k {
    char byte = 'a';
};
struct immovable {
    explicit immovable(int v) : value(v) {}
    immovable(const immovable&) = delete;
    immovable& operator=(const immovable&) = delete;
    int value;
};

template <class T> bool all_are_aligned() {
    growing_typed_pool<T> pool({.page_bytes = 4096});
    std::vector<growing_block<T>> blocks;
    bool is_right = pool.stride() == sizeof(T) && pool.alignment() == alignof(T);
    for (int i = 0; i < 9; ++i) {
        blocks.push_back(pool.allocate());
        is_right &= reinterpret_cast<std::uintptr_t>(blocks.back().get()) % alignof(T) == 0;
        is_right &= blocks.back()->byte == 'a';
    }
    return is_right && pool.audit();
}

}  // namespace

TEST_CASE("for_each of a growing pool leaves out what is being constructed or destroyed", "[growing_pool]") {
    growing_typed_pool<looks_around> pool;
    int seen = -1;
    auto first = pool.allocate(pool, seen);
    CHECK(seen == 0);
    auto second = pool.allocate(pool, seen);
    CHECK(seen == 1);
    second.reset();
    CHECK(seen == 1);
    first.reset();
    CHECK(seen == 0);
}

TEST_CASE("a growing pool takes many kinds of objects", "[growing_pool]") {
    CHECK(all_are_aligned<aligned_to_64>());
    CHECK(all_are_aligned<aligned_to_4096>());
    CHECK(all_are_aligned<aligned_to_64k>());
    growing_typed_pool<linked> chain;
    auto first = chain.allocate(1);
    first->next = chain.allocate(2);
    CHECK(first->next->value == 2);
    growing_typed_pool<immovable> immovables;
    CHECK(immovables.allocate(5)->value == 5);
    growing_typed_pool<char> characters;
    CHECK(*characters.allocate('x') == 'x');
    CHECK(characters.stride() == 8);
    CHECK(characters.block_size() == 1);
    growing_typed_pool<int> numbers;
    numbers.allocate(7).reset();
    CHECK(*numbers.allocate() == 0);
    growing_typed_pool<std::string> texts;
    CHECK(texts.allocate_for_overwrite()->empty());
    CHECK(texts.try_allocate_for_overwrite()->empty());
}

TEST_CASE("a growing pool of objects sorts its free blocks and is sound", "[growing_pool]") {
    growing_typed_pool<int> pool({.max_blocks = 4});
    std::vector<growing_block<int>> blocks;
    for (int i = 0; i < 4; ++i) blocks.push_back(pool.allocate(i));
    const int* const lowest = blocks[0].get();
    blocks[0].reset();
    blocks[3].reset();
    pool.sort_free_blocks();
    blocks[0] = pool.allocate(5);
    CHECK(blocks[0].get() == lowest);
    CHECK(pool.owns(lowest));
    CHECK_FALSE(pool.owns(lowest + 1));
    CHECK(pool.audit());
}
