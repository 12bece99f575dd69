// SPDX-License-Identifier: BSL-1.0
#include <fixpool/violation.hpp>

#include <fixpool/memory_pool.hpp>

#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "support/catch.hpp"
#include "support/violations.hpp"

using fixpool::site;
using fixpool::violation;
using fixpool::violation_kind;

namespace {

void do_nothing(const violation&) {}
void do_nothing_else(const violation&) {}

const void* at(std::uintptr_t address) { return reinterpret_cast<const void*>(address); }

std::string said_of(violation_kind kind, std::size_t live = 2, const char* name = "connections") {
    return fixpool::detail::describe({kind, at(0xabc0), name, at(0x7f40), 17, 64, live}).c_str();
}

site here(site where = {}) { return where; }

}  // namespace

TEST_CASE("a report names the deed, the block and the pool", "[violation]") {
    using enum violation_kind;
    CHECK(said_of(double_free) == "fixpool: double free of block 0x7f40 (17 of 64) in pool \"connections\"");
    CHECK(said_of(not_allocated) == "fixpool: not allocated: block 0x7f40 (17 of 64) in pool \"connections\"");
    CHECK(said_of(foreign_pointer) ==
          "fixpool: foreign pointer 0x7f40 (none of the 64 blocks) in pool \"connections\"");
    CHECK(said_of(misaligned_pointer) ==
          "fixpool: misaligned pointer 0x7f40 (inside 17 of 64) in pool \"connections\"");
    CHECK(said_of(write_after_free) == "fixpool: write after free in block 0x7f40 (17 of 64) in pool \"connections\"");
    CHECK(said_of(buffer_overflow) == "fixpool: buffer overflow of block 0x7f40 (17 of 64) in pool \"connections\"");
    CHECK(said_of(leak) == "fixpool: leak of 2 blocks, the first 0x7f40 (17 of 64) in pool \"connections\"");
    CHECK(said_of(leak, 1) == "fixpool: leak of 1 block, 0x7f40 (17 of 64) in pool \"connections\"");
    CHECK(said_of(pool_destroyed_with_live_blocks) ==
          "fixpool: pool destroyed with 2 live blocks, the first 0x7f40 (17 of 64) in pool \"connections\"");
    CHECK(said_of(pool_destroyed_with_live_blocks, 1) ==
          "fixpool: pool destroyed with 1 live block, 0x7f40 (17 of 64) in pool \"connections\"");
    CHECK(said_of(corrupted_pool) == "fixpool: corrupted pool at 0x7f40 (17 of 64) in pool \"connections\"");
}

TEST_CASE("a pool without a name is reported by its address", "[violation]") {
    CHECK(said_of(violation_kind::double_free, 2, "") ==
          "fixpool: double free of block 0x7f40 (17 of 64) in pool 0xabc0");
    CHECK(said_of(violation_kind::double_free, 2, nullptr) ==
          "fixpool: double free of block 0x7f40 (17 of 64) in pool 0xabc0");
}

TEST_CASE("what is known of the sites ends a report", "[violation]") {
    violation v{violation_kind::double_free, at(0xabc0), "p", at(0x7f40), 1, 2, 0};
    v.allocated_at = site{"net.cpp", 88, "open"};
    CHECK(std::string(fixpool::detail::describe(v).c_str()) ==
          "fixpool: double free of block 0x7f40 (1 of 2) in pool \"p\"; allocated at net.cpp:88");
    v.released_at = site{nullptr, 0, nullptr, at(0x1234)};
    CHECK(std::string(fixpool::detail::describe(v).c_str()) ==
          "fixpool: double free of block 0x7f40 (1 of 2) in pool \"p\"; allocated at net.cpp:88, released at 0x1234");
    v.allocated_at = v.released_at;
    CHECK(std::string(fixpool::detail::describe(v).c_str()) ==
          "fixpool: double free of block 0x7f40 (1 of 2) in pool \"p\"; allocated at 0x1234, released at 0x1234");
    v.allocated_at = site::unknown();
    CHECK(std::string(fixpool::detail::describe(v).c_str()) ==
          "fixpool: double free of block 0x7f40 (1 of 2) in pool \"p\"; released at 0x1234");
}

TEST_CASE("a report that is too long is cut short at any length, but for the end of its line", "[violation]") {
    for (std::size_t length = 250; length < 450; ++length) {
        const std::string name(length, 'x');
        auto text =
            fixpool::detail::describe({violation_kind::double_free, nullptr, name.c_str(), at(0x7f40), 17, 64, 2});
        const std::string whole = "fixpool: double free of block 0x7f40 (17 of 64) in pool \"" + name + "\"";
        REQUIRE(std::string(text.c_str()) == whole.substr(0, 350));
        REQUIRE(std::string(text.add("\n").c_str()) == whole.substr(0, 350) + "\n");
    }
}

TEST_CASE("a number at the end of a report is cut short at any digit", "[violation]") {
    for (std::size_t length = 330; length < 360; ++length) {
        const std::string text(length, 'x');
        fixpool::detail::text_line line;
        line.add(text.c_str()).add(std::size_t{1234567890});
        REQUIRE(std::string(line.c_str()) == (text + "1234567890").substr(0, 350));
    }
}

TEST_CASE("a site is the caller's where nothing else is said", "[violation]") {
    const site named = {"a.cpp", 7, "f"};
    CHECK(std::string(named.file) == "a.cpp");
    CHECK(named.line == 7);
    CHECK(std::string(named.function) == "f");
    CHECK(named.address == nullptr);

    const unsigned line = __LINE__ + 1;
    const site caller = here({});
    CHECK(caller.line == line);
    CHECK(std::string(caller.file) == __FILE__);
    CHECK(caller.function != nullptr);

    constexpr site unknown = site::unknown();
    STATIC_REQUIRE(unknown.file == nullptr);
    STATIC_REQUIRE(unknown.line == 0);
    STATIC_REQUIRE(unknown.function == nullptr);
    STATIC_REQUIRE(unknown.address == nullptr);
}

TEST_CASE("what is not known of a violation is empty", "[violation]") {
    const violation v{};
    CHECK(v.pool == nullptr);
    CHECK(std::string(v.pool_name).empty());
    CHECK(v.index == violation::npos);
    CHECK(v.context == nullptr);
    CHECK(v.address == nullptr);
    CHECK(v.allocated_at.file == nullptr);
    CHECK(v.released_at.line == 0);
    CHECK(v.total_blocks + v.live_blocks == 0);
    CHECK(v.offset == 0);
    CHECK(v.byte == 0);
    CHECK(v.allocation + v.release == 0);
    CHECK(v.allocated_by + v.released_by == 0);
    CHECK(v.holders.empty());
    CHECK(v.print == nullptr);
    CHECK(std::string(v.problem).empty());
}

TEST_CASE("setting a handler returns the one before, never nullptr, and nullptr restores the default", "[violation]") {
    const fixpool::violation_handler original = fixpool::set_violation_handler(nullptr);
    REQUIRE(original != nullptr);
    CHECK(fixpool::set_violation_handler(&do_nothing) == original);  // the default, at first
    CHECK(fixpool::get_violation_handler() == &do_nothing);
    CHECK(fixpool::set_violation_handler(&do_nothing_else) == &do_nothing);
    CHECK(fixpool::set_violation_handler(nullptr) == &do_nothing_else);
    CHECK(fixpool::get_violation_handler() == original);
    CHECK(fixpool::set_violation_handler(nullptr) == original);
}

TEST_CASE("the default handler goes on after a leak", "[violation]") {
    const fixpool::violation_handler default_handler = fixpool::set_violation_handler(nullptr);
    default_handler({violation_kind::leak, at(0xabc0), "a leak that a test reports", at(0x7f40), 0, 1, 1});
    SUCCEED("still here");
}

TEST_CASE("handlers are set from many threads at once", "[violation]") {
    recorded_violations violations;
    std::vector<std::thread> threads;
    std::vector<char> was_null(4, 0);
    for (std::size_t i = 0; i < 4; ++i) {
        threads.emplace_back([&was_null, i] {
            for (int turn = 0; turn < 1000; ++turn)
                if (fixpool::set_violation_handler(turn % 2 == 0 ? &do_nothing : &do_nothing_else) == nullptr)
                    was_null[i] = 1;
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(was_null == std::vector<char>(4, 0));
}

static_assert(noexcept(fixpool::set_violation_handler(nullptr)));
static_assert(noexcept(fixpool::get_violation_handler()));
static_assert(violation{}.index == violation::npos);
static_assert(std::is_trivially_copyable_v<violation>);
static_assert(std::is_trivially_copyable_v<site>);
static_assert(!std::is_convertible_v<const char*, site>);  // allocate_at("text") means text as an argument
