// SPDX-License-Identifier: BSL-1.0
#include <fixpool/arenas.hpp>

#include <fixpool/debug.hpp>
#include <fixpool/memory_pool.hpp>
#include <fixpool/shared_memory_pool.hpp>
#include <fixpool/shared_pool.hpp>
#include <fixpool/typed_pool.hpp>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory_resource>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/child.hpp"
#include "support/failing.hpp"
#include "support/heap.hpp"
#include "support/pages.hpp"
#include "support/violations.hpp"

using child::end;
using fixpool::arena;
using fixpool::checking;
using fixpool::mapped_arena;
using fixpool::mapping;
using fixpool::memory_pool;
using fixpool::memory_resource_arena;
using fixpool::pool_layout;
using unchecked_pool = fixpool::basic_memory_pool<checking::unchecked>;
using debug_pool = fixpool::basic_memory_pool<checking::debug>;
using sizes = std::initializer_list<std::size_t>;

static_assert(noexcept(mapped_arena()) && noexcept(memory_resource_arena(nullptr)));
static_assert(!mapping{}.huge_pages && !mapping{}.prefault && !mapping{}.lock && !mapping{}.guard_pages);

namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;

std::size_t rounded_up(std::size_t n, std::size_t step) { return (n + step - 1) / step * step; }
bool is_multiple(const void* address, std::size_t of) { return reinterpret_cast<std::uintptr_t>(address) % of == 0; }

/// All choices of options except `lock`: the system decides what may be locked.
std::vector<mapping> mappings() {
    std::vector<mapping> all;
    for (unsigned bits = 0; bits < 8; ++bits)
        all.push_back({.huge_pages = (bits & 1) != 0, .prefault = (bits & 2) != 0, .guard_pages = (bits & 4) != 0});
    return all;
}

/// The bytes of the pages that an arena takes.
template <class Pool> std::size_t mapped_bytes(pool_layout layout, mapping options) {
    return rounded_up(Pool::required_bytes(layout), options.huge_pages ? pages::huge_size : pages::size());
}

/// The first byte of the pool's pages. At debug level, metadata and guard bytes lie there, before the blocks.
template <class Pool> const std::byte* start_of(const Pool& pool, pool_layout layout) {
    const auto blocks = pool.blocks();
    return std::is_same_v<Pool, debug_pool> ? blocks.data() + blocks.size() - Pool::required_bytes(layout)
                                            : blocks.data();
}

/// Whether all bytes may be touched. Only AddressSanitizer can tell; without it, true.
bool is_unpoisoned([[maybe_unused]] const void* bytes, [[maybe_unused]] std::size_t size) {
#if defined(__SANITIZE_ADDRESS__) || FIXPOOL_HAS_FEATURE(address_sanitizer)
    return __asan_region_is_poisoned(const_cast<void*>(bytes), size) == nullptr;
#else
    return true;
#endif
}

/// Takes all blocks, writes them, and gives them back. False if one is not aligned.
bool use_all(auto& pool) {
    bool is_right = true;
    std::vector<void*> blocks;
    while (void* const block = pool.try_allocate()) {
        is_right &= is_multiple(block, pool.alignment());
        std::memset(block, 0x5a, pool.block_size());
        blocks.push_back(block);
    }
    is_right &= blocks.size() == pool.total_blocks();
    for (void* const block : blocks) pool.deallocate(block);
    return is_right;
}

/// The text of the std::system_error that a pool's construction throws; or "bad_alloc", or "built".
std::string refusal(pool_layout layout, mapping options, std::errc expected = {}) {
    try {
        const memory_pool pool(layout, mapped_arena(options));
    } catch (const std::system_error& error) {
        return error.code() == expected ? error.what() : "another error: " + std::string(error.what());
    } catch (const std::bad_alloc&) {
        return "bad_alloc";
    }
    return "built";
}

/// Whether each construction is refused with `words`, and leaves no addresses taken.
bool is_refused_without_leak(pool_layout layout, mapping options, const std::string& words, std::errc expected = {}) {
    bool is_right = refusal(layout, options, expected).starts_with(words);  // allocates what errors need
    const std::size_t before = pages::mapped();
    for (int turn = 0; turn < 4; ++turn) is_right &= refusal(layout, options, expected).starts_with(words);
    return is_right && pages::mapped() < before + memory_pool::required_bytes(layout);
}

/// A resource that records each request. It may refuse one, or return memory of a smaller alignment.
class recording_resource final : public std::pmr::memory_resource {
public:
    struct call {
        void* bytes;
        std::size_t size, alignment;
        bool operator==(const call&) const = default;
    };
    std::vector<call> allocated, released;
    bool refuses = false;
    std::size_t shift = 0;  // bytes
    bool was_poisoned = false;

private:
    void* do_allocate(std::size_t size, std::size_t alignment) override {
        if (refuses) throw std::runtime_error("no memory today");
        auto* const bytes = static_cast<std::byte*>(::operator new (size + shift, std::align_val_t{alignment}));
        allocated.push_back({bytes + shift, size, alignment});
        return bytes + shift;
    }
    void do_deallocate(void* bytes, std::size_t size, std::size_t alignment) override {
        released.push_back({bytes, size, alignment});
        was_poisoned |= !is_unpoisoned(bytes, size);
        ::operator delete (static_cast<std::byte*>(bytes) - shift, std::align_val_t{alignment});
    }
    [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }
};

}  // namespace

// ---- from a memory_resource

TEMPLATE_TEST_CASE("an arena of a memory_resource allocates once, and gives the same size and alignment back once",
                   "[arenas]", unchecked_pool, memory_pool, debug_pool) {
    for (const std::size_t alignment : sizes{1, 8, 64, 4096}) {
        const pool_layout layout{24, 10, alignment};
        recording_resource upstream;
        {
            TestType pool(layout, memory_resource_arena(&upstream));
            TestType moved(std::move(pool));
            CHECK(use_all(moved));
            CHECK(upstream.released.empty());
        }
        REQUIRE(upstream.allocated.size() == 1);
        CHECK(upstream.allocated[0].size == TestType::required_bytes(layout));
        CHECK(upstream.allocated[0].alignment >= alignment);
        CHECK(upstream.released == upstream.allocated);
        CHECK_FALSE(upstream.was_poisoned);
    }
}

TEST_CASE("an arena of a memory_resource that no pool takes asks for nothing", "[arenas]") {
    recording_resource upstream;
    { const arena unused = memory_resource_arena(&upstream); }
    CHECK(upstream.allocated.empty());
    CHECK(upstream.released.empty());
}

TEST_CASE("what a memory_resource throws is passed on, and nothing goes back to it", "[arenas]") {
    recording_resource upstream;
    upstream.refuses = true;
    CHECK_THROWS_WITH(memory_pool({24, 10}, memory_resource_arena(&upstream)), "no memory today");
    CHECK_THROWS_WITH(fixpool::typed_pool<int>(10, memory_resource_arena(&upstream)), "no memory today");
    CHECK_THROWS_WITH(fixpool::shared_pool<int>(10, memory_resource_arena(&upstream)), "no memory today");
    CHECK_THROWS_AS(memory_pool({24, 10}, memory_resource_arena(std::pmr::null_memory_resource())), std::bad_alloc);
    CHECK(upstream.released.empty());
}

#if !FIXPOOL_HAS_FEATURE(undefined_behavior_sanitizer)  // it reports that first
TEST_CASE("a memory_resource that does not align is found, and gets its memory back", "[arenas]") {
    recording_resource upstream;
    upstream.shift = 8;
    CHECK_THROWS_AS(memory_pool({64, 10, 64}, memory_resource_arena(&upstream)), std::length_error);
    CHECK(upstream.allocated.size() == 1);
    CHECK(upstream.released == upstream.allocated);
}
#endif

TEST_CASE("a shared pool's memory goes back to its resource with the last block", "[arenas]") {
    recording_resource upstream;
    {
        fixpool::shared_block<std::string> last;
        {
            const fixpool::shared_pool<std::string> pool(10, memory_resource_arena(&upstream));
            last = pool.allocate("last");
        }
        CHECK(upstream.released.empty());
        CHECK(*last == "last");
    }
    CHECK(upstream.released == upstream.allocated);
    CHECK_FALSE(upstream.was_poisoned);
}

TEST_CASE("pools on one monotonic resource lie side by side", "[arenas]") {
    alignas(64) std::array<std::byte, 4096> buffer{};
    std::pmr::monotonic_buffer_resource upstream(buffer.data(), buffer.size(), std::pmr::null_memory_resource());
    memory_pool first({32, 20}, memory_resource_arena(&upstream));
    fixpool::typed_pool<double> second(20, memory_resource_arena(&upstream));
    CHECK(use_all(first));
    CHECK(*second.allocate(1.5) == 1.5);
    CHECK(first.blocks().data() >= buffer.data());
    CHECK_THROWS_AS(memory_pool({32, 1000}, memory_resource_arena(&upstream)), std::bad_alloc);
}

TEST_CASE("after each failure of a resource all is as before", "[arenas]") {
    const auto scenario = [](failing_source&) {
        const auto memory = [] { return memory_resource_arena(std::pmr::new_delete_resource()); };
        memory_pool raw({64, 4}, memory());
        raw.deallocate(raw.allocate());
        debug_pool debug({64, 4}, memory());
        debug.deallocate(debug.allocate());
        fixpool::typed_pool<counted> objects(4, memory());
        const auto object = objects.allocate(1);
        const fixpool::shared_pool<counted> shared(100, memory());
        const auto other = shared.allocate(2);
        const fixpool::shared_memory_pool shared_raw({64, 100}, memory());
        shared_raw.deallocate(shared_raw.allocate());
    };
    for (const failure_plan& plan : {failure_plans[0], failure_plans[1]}) {
        std::string wrong;
        CHECK(each_failure(plan, scenario, wrong) >= 5);
        CHECK(wrong.empty());
    }
}

// ---- from the system

TEMPLATE_TEST_CASE("a mapped arena is whole pages, for as long as its pool lives", "[arenas]", unchecked_pool,
                   memory_pool, debug_pool) {
    const pool_layout layout{64, 1000};
    for (const mapping options : mappings()) {
        const std::byte *first = nullptr, *last = nullptr;
        {
            TestType pool(layout, mapped_arena(options));
            first = pool.blocks().data();
            last = first + pool.blocks().size() - 1;
            CHECK(use_all(pool));
            CHECK(pages::is_open(first));
            CHECK(pages::is_open(last));
        }
        CHECK(pages::is_unmapped(first));
        CHECK(pages::is_unmapped(last));
        CHECK(is_unpoisoned(first, layout.block_size * layout.block_count));
    }
}

TEMPLATE_TEST_CASE("the first block starts a page", "[arenas]", unchecked_pool, memory_pool) {
    for (const mapping options : mappings()) {
        const TestType pool({3, 10, 1}, mapped_arena(options));
        CHECK(is_multiple(pool.blocks().data(), options.huge_pages ? pages::huge_size : pages::size()));
    }
}

TEMPLATE_TEST_CASE("a mapped arena can have any alignment", "[arenas]", unchecked_pool, memory_pool, debug_pool) {
    for (const std::size_t alignment :
         {std::size_t{64}, std::size_t{8192}, std::size_t{65536}, 2 * mebibyte, 4 * mebibyte}) {
        for (const mapping options : mappings()) {
            if (options.prefault) continue;
            TestType pool({100, 3, alignment}, mapped_arena(options));
            bool is_aligned = true;
            std::array<void*, 3> blocks{};
            for (void*& block : blocks) {
                block = pool.allocate();
                is_aligned &= is_multiple(block, alignment);
                std::memset(block, 1, 100);
            }
            CHECK(is_aligned);
            pool.deallocate_bulk(blocks);
        }
    }
}

TEMPLATE_TEST_CASE("a mapped arena takes the addresses it needs, and gives all of them back", "[arenas]",
                   unchecked_pool, memory_pool, debug_pool) {
    const bool tells = pages::tells_mapped();
    for (const std::size_t alignment : {std::size_t{8}, std::size_t{65536}, 2 * mebibyte, 4 * mebibyte}) {
        for (const mapping options : mappings()) {
            const pool_layout layout{1000, 3, alignment};
            const std::size_t before = pages::mapped();
            std::size_t during = 0;
            {
                const TestType pool(layout, mapped_arena(options));
                during = pages::mapped();
            }
            const std::size_t after = pages::mapped();
            const std::size_t guards = options.guard_pages ? 2 * pages::size() : 0;
            CHECK((!tells || during - before == mapped_bytes<TestType>(layout, options) + guards));
            CHECK((!tells || after == before));
        }
    }
}

TEMPLATE_TEST_CASE("guard pages lie in front of the first page and behind the last one", "[arenas]", unchecked_pool,
                   memory_pool, debug_pool) {
    for (const bool is_huge : {false, true}) {
        for (const std::size_t alignment : {std::size_t{1}, std::size_t{65536}, 4 * mebibyte}) {
            const mapping options{.huge_pages = is_huge, .guard_pages = true};
            const pool_layout layout{1000, 3, alignment};
            const std::size_t page = pages::size();
            const std::byte *begin = nullptr, *behind = nullptr;
            {
                const TestType pool(layout, mapped_arena(options));
                begin = start_of(pool, layout);
                behind = begin + mapped_bytes<TestType>(layout, options);
                CHECK(pages::is_closed(begin - page));
                CHECK(pages::is_closed(begin - 1));
                CHECK(pages::is_open(begin));
                CHECK(pages::is_open(behind - 1));
                CHECK(pages::is_closed(behind));
                CHECK(pages::is_closed(behind + page - 1));
            }
            CHECK(pages::is_unmapped(begin - 1));
            CHECK(pages::is_unmapped(begin));
            CHECK(pages::is_unmapped(behind));
        }
    }
}

TEMPLATE_TEST_CASE("a write to a guard page ends the program", "[arenas]", memory_pool, debug_pool) {
    const pool_layout layout{64, 1000};
    const std::size_t size = mapped_bytes<TestType>(layout, {});
    const std::size_t before_blocks = [&] {  // bytes
        const TestType pool(layout, mapped_arena());
        return static_cast<std::size_t>(pool.blocks().data() - start_of(pool, layout));
    }();
    const auto write_at = [&](std::ptrdiff_t offset) {  // from the start of the first page
        return child::run([&] {
            TestType pool(layout, mapped_arena({.guard_pages = true}));
            void* const first_block = pool.allocate();
            auto* const start = const_cast<std::byte*>(start_of(pool, layout));
            *static_cast<volatile std::byte*>(start + offset) = std::byte{1};
            pool.deallocate(first_block);
            return end::right;
        });
    };
    CHECK(child::ended(write_at(-1), end::access_violation));
    CHECK(child::ended(write_at(static_cast<std::ptrdiff_t>(before_blocks)), end::right));
    CHECK(child::ended(write_at(static_cast<std::ptrdiff_t>(size)), end::access_violation));
}

TEST_CASE("pages have memory when they are used, or, if asked for, when the pool is built", "[arenas]") {
    const bool tells = pages::tells_residence();
    const pool_layout layout{1000, 1000};
    const std::size_t page_count = mapped_bytes<memory_pool>(layout, {}) / pages::size();
    {
        const memory_pool pool(layout, mapped_arena());
        CHECK((!tells || pages::resident(pool.blocks().data(), page_count * pages::size()) < 4));
    }
    for (const bool has_guards : {false, true}) {
        const memory_pool pool(layout, mapped_arena({.prefault = true, .guard_pages = has_guards}));
        CHECK((!tells || pages::resident(pool.blocks().data(), page_count * pages::size()) == page_count));
    }
    const memory_pool huge(layout, mapped_arena({.huge_pages = true, .prefault = true}));
    CHECK((!tells || pages::resident(huge.blocks().data(), pages::huge_size) == pages::huge_size / pages::size()));
}

TEST_CASE("pages are prefaulted where the system knows no way to do it, too", "[arenas]") {
    const auto prefault = [](int error) {
        return child::run([error] {
            if (!pages::tells_residence() || !child::refuse_to_populate(error)) return end::not_possible;
            const pool_layout layout{1000, 1000};
            const memory_pool pool(layout, mapped_arena({.prefault = true}));
            const std::size_t size = mapped_bytes<memory_pool>(layout, {});
            return pages::resident(pool.blocks().data(), size) == size / pages::size() ? end::right : end::wrong;
        });
    };
    CHECK(child::ended(prefault(EINVAL), end::right));
    CHECK(child::ended(prefault(ENOSYS), end::right));
    CHECK(child::ended(prefault(EPERM), end::right));
}

TEST_CASE("a system that refuses to prefault is a system_error that says how much, and nothing stays mapped",
          "[arenas]") {
    const pool_layout layout{1000, 1000};
    const std::string words =
        "fixpool: cannot prefault " + std::to_string(mapped_bytes<memory_pool>(layout, {})) + " bytes of memory: ";
    const auto prefault = [&](int error, std::errc expected) {
        return child::run([&] {
            if (!child::refuse_to_populate(error)) return end::not_possible;
            const mapping options{.prefault = true};
            return is_refused_without_leak(layout, options, words, expected) ? end::right : end::wrong;
        });
    };
    CHECK(child::ended(prefault(ENOMEM, std::errc::not_enough_memory), end::right));
    CHECK(child::ended(prefault(EFAULT, std::errc::bad_address), end::right));
}

TEST_CASE("pages are locked for as long as the pool lives", "[arenas]") {
    const bool tells = pages::tells_locked();
    const pool_layout layout{1000, 1000};
    for (const bool is_huge : {false, true}) {
        const mapping options{.huge_pages = is_huge, .lock = tells, .guard_pages = true};
        const std::size_t before = pages::locked();
        std::size_t during = 0;
        {
            const memory_pool pool(layout, mapped_arena(options));
            during = pages::locked();
        }
        CHECK((!tells || during - before == mapped_bytes<memory_pool>(layout, options)));
        CHECK((!tells || pages::locked() == before));
        const memory_pool pool(layout, mapped_arena());
        CHECK((!tells || pages::locked() == before));
    }
}

TEST_CASE("a system that refuses to lock is a system_error that says how much, and nothing stays mapped", "[arenas]") {
    const pool_layout layout{1000, 1000};
    const auto words = [&](mapping options) {
        return "fixpool: cannot lock " + std::to_string(mapped_bytes<memory_pool>(layout, options)) +
               " bytes of memory: ";
    };
    const end found = child::run([&] {
        if (!child::may_lock_only(std::size_t{256} << 10)) return end::not_possible;
        bool is_right = refusal({1000, 10}, {.lock = true}) == "built";
        for (mapping options : mappings()) {
            options.lock = true;
            is_right &= is_refused_without_leak(layout, options, words(options), std::errc::not_enough_memory);
        }
        return is_right ? end::right : end::wrong;
    });
    CHECK(child::ended(found, end::right));
}

TEST_CASE("huge pages are asked for, and ordinary ones serve where there are none", "[arenas]") {
    const bool tells = pages::tells_huge();
    for (const bool has_guards : {false, true}) {
        memory_pool pool({1000, 5000}, mapped_arena({.huge_pages = true, .guard_pages = has_guards}));
        CHECK(is_multiple(pool.blocks().data(), pages::huge_size));
        CHECK((!tells || pages::is_huge(pool.blocks().data())));
        CHECK((!tells || pages::is_huge(pool.blocks().data() + pool.blocks().size() - 1)));
        CHECK(use_all(pool));
    }
    const memory_pool ordinary({1000, 5000}, mapped_arena());
    CHECK((!tells || !pages::is_huge(ordinary.blocks().data())));
}

TEST_CASE("reserved huge pages are tried first, but not with guard pages or a larger alignment", "[arenas]") {
    const auto build = [](std::size_t alignment, mapping options) {
        return child::run([&] {
            if (!child::forbid_reserved_huge_pages()) return end::not_possible;
            memory_pool pool({1000, 2, alignment}, mapped_arena(options));
            return use_all(pool) ? end::right : end::wrong;
        });
    };
    CHECK(child::ended(build(8, {.huge_pages = true}), end::forbidden_call));
    CHECK(child::ended(build(2 * mebibyte, {.huge_pages = true}), end::forbidden_call));
    CHECK(child::ended(build(4 * mebibyte, {.huge_pages = true}), end::right));
    CHECK(child::ended(build(8, {.huge_pages = true, .guard_pages = true}), end::right));
    CHECK(child::ended(build(8, {}), end::right));
}

TEST_CASE("a system without memory is a bad_alloc, and nothing stays mapped", "[arenas]") {
    constexpr std::size_t more_than_there_is = sizeof(void*) == 8 ? std::size_t(-1) / 4 : 0;  // bytes
    for (const mapping options : mappings())
        CHECK((more_than_there_is == 0 || refusal({more_than_there_is, 1}, options) == "bad_alloc"));

    const pool_layout layout{mebibyte, 64};
    const end limited = child::run([&] {
        if (!pages::tells_mapped() || !child::may_map_only(32 * mebibyte, pages::mapped())) return end::not_possible;
        bool is_right = refusal({mebibyte, 8}, {}) == "built";
        for (const mapping options : mappings()) is_right &= is_refused_without_leak(layout, options, "bad_alloc");
        return is_right ? end::right : end::wrong;
    });
    CHECK(child::ended(limited, end::right));

    const end unopened = child::run([&] {
        if (!child::refuse_to_open_pages(ENOMEM)) return end::not_possible;
        bool is_right = true;
        for (const bool has_guards : {false, true})
            is_right &= is_refused_without_leak(layout, {.guard_pages = has_guards}, "bad_alloc");
        return is_right ? end::right : end::wrong;
    });
    CHECK(child::ended(unopened, end::right));
}

TEMPLATE_TEST_CASE_SIG("pools of every kind live on mapped arenas, and find misuse there", "[arenas]",
                       ((checking C), C), checking::checked, checking::debug) {
    for (const mapping options : mappings()) {
        recorded_violations violations;
        fixpool::basic_memory_pool<C> raw({24, 100}, mapped_arena(options));
        void* const block = raw.allocate();
        raw.deallocate(block);
        raw.deallocate(block);
        CHECK(violations.count() == 1);

        fixpool::typed_pool<std::string, C> objects(100, mapped_arena(options));
        auto text = objects.allocate("a text that is too long for a string's own buffer");
        CHECK(objects.adopt(text.get()) == nullptr);
        CHECK(violations.count() == 1);

        const fixpool::shared_pool<std::string, C> shared(1000, mapped_arena(options));
        std::vector<fixpool::shared_block<std::string, C>> kept;
        while (auto next = shared.try_allocate("next")) kept.push_back(std::move(next));
        CHECK(kept.size() == 1000);

        const fixpool::basic_shared_memory_pool<C> shared_raw({24, 1000}, mapped_arena(options));
        void* const other = shared_raw.allocate();
        shared_raw.deallocate(other);
        shared_raw.deallocate(other);
        CHECK(violations.count() == 1);
        CHECK(raw.audit());
        CHECK(objects.audit());
    }
}

TEST_CASE("a mapped arena takes nothing from the heap", "[arenas]") {
    const std::size_t allocations = heap::allocations();
    for (unsigned turn = 0; turn < 3; ++turn) {
        memory_pool pool({64, 100}, mapped_arena({.prefault = turn == 1, .guard_pages = turn == 2}));
        pool.deallocate(pool.allocate());
    }
    CHECK(heap::allocations() == allocations);
}
