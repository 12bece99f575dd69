// SPDX-License-Identifier: BSL-1.0
#include <fixpool/census.hpp>

#include <fixpool/shared_memory_pool.hpp>
#include <fixpool/shared_pool.hpp>
#include <fixpool/typed_pool.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/threads.hpp"
#include "support/violations.hpp"

using fixpool::census;
using fixpool::checking;
using fixpool::memory_pool;
using fixpool::site;
using debug_pool = fixpool::basic_memory_pool<checking::debug>;
using shared_debug_pool = fixpool::basic_shared_memory_pool<checking::debug>;

namespace {

constexpr site first_place{"first.cpp", 1, "f"}, second_place{"second.cpp", 2, "g"};

std::vector<std::string> lines_of(const std::string& text) {
    std::istringstream from(text);
    std::vector<std::string> lines;
    for (std::string line; std::getline(from, line);) lines.push_back(line);
    return lines;
}

/// Of 8 blocks, 0, 1, 2, 4 and 6 are in use, 3 and 5 are free, and 7 was never in use.
template <class Pool> void use_some(Pool& pool) {
    std::array<void*, 7> blocks{};
    for (void*& block : blocks) block = pool.allocate();
    pool.deallocate(blocks[3]);
    pool.deallocate(blocks[5]);
}

}  // namespace

TEMPLATE_TEST_CASE("a census of a checked pool says which blocks are in use, by ranges", "[census]", memory_pool,
                   fixpool::shared_memory_pool) {
    recorded_violations violations;  // the blocks stay in use
    TestType pool({64, 8}, {.name = "sessions"});
    use_some(pool);
    const census taken(pool);
    CHECK(taken.in_use() == 5);
    CHECK(taken.total_blocks() == 8);
    REQUIRE(taken.groups().size() == 3);
    CHECK(taken.groups()[0].blocks == 3);
    CHECK(taken.groups()[0].first == 0);
    CHECK(taken.groups()[0].last == 2);
    CHECK(taken.groups()[2].first == 6);
    CHECK(taken.text() ==
          "pool \"sessions\": 5 of 8 blocks in use, 2 free, 1 never handed out\n"
          "  3 blocks: 0 to 2\n"
          "  1 block: 4\n"
          "  1 block: 6\n");
    CHECK(taken.picture() ==
          "              0 ###.#.#-" + std::string(56, ' ') + "\n# in use, . free, - never handed out\n");
}

TEMPLATE_TEST_CASE("a census at debug level says who holds the blocks, by place", "[census]", debug_pool,
                   shared_debug_pool) {
    recorded_violations violations;
    TestType pool({64, 8}, {.name = "sessions"});
    static_cast<void>(pool.allocate(second_place));
    void* const back = pool.allocate(first_place);
    static_cast<void>(pool.allocate(first_place));
    pool.deallocate(back);
    static_cast<void>(pool.allocate(first_place));
    static_cast<void>(pool.allocate(site::unknown()));
    const census taken(pool);
    CHECK(taken.in_use() == 4);
    REQUIRE(taken.groups().size() == 3);
    CHECK(std::string(taken.groups()[0].where.file) == "first.cpp");
    CHECK(taken.groups()[0].first == 2);
    CHECK(taken.groups()[0].last == 3);
    CHECK(taken.text() ==
          "pool \"sessions\": 4 of 8 blocks in use, 1 free, 3 never handed out\n"
          "a 2 allocated at first.cpp:1\n"
          "b 1 allocated at second.cpp:2\n"
          "c 1 allocated at an unknown place\n");
    CHECK(taken.picture() == "              0 b.aac---" + std::string(56, ' ') +
                                 "\na to z: as above, # others, . free, - never handed out\n");
}

TEMPLATE_TEST_CASE_SIG("a census counts objects, one that is under construction, too", "[census]", ((checking C), C),
                       checking::checked, checking::debug) {
    struct object {
        explicit object(const std::function<void()>& then) { then(); }
    };
    fixpool::typed_pool<object, C> pool(3);
    const fixpool::shared_pool<object, C> shared(3);
    std::size_t in_use = 0;
    const auto one = pool.allocate([&] { in_use = census(pool).in_use(); });
    CHECK(in_use == 1);
    const auto two = shared.allocate([&] { in_use = 10 + census(shared).in_use(); });
    CHECK(in_use == 11);
    CHECK(census(pool).in_use() == 1);
    CHECK(census(shared).in_use() == 1);
}

TEST_CASE("a census of a shared pool does not count what lies in magazines", "[census]") {
    const fixpool::shared_memory_pool pool({64, 100}, {.magazine_size = 4});
    const played_threads playing;
    playing.as(1);
    std::array<void*, 3> blocks{};
    for (void*& block : blocks) block = pool.allocate();
    playing.as(2);
    void* const other = pool.allocate();
    pool.deallocate(blocks[1]);
    const census taken(pool);
    CHECK(taken.in_use() == 3);
    CHECK(taken.text().find("3 of 100 blocks in use, 1 free, 96 never handed out") != std::string::npos);
    pool.deallocate(blocks[0]);
    pool.deallocate(blocks[2]);
    pool.deallocate(other);
    CHECK(census(pool).in_use() == 0);
}

TEST_CASE("a census of a shared pool tells what a closed magazine keeps", "[census]") {
    recorded_violations violations;
    const fixpool::shared_memory_pool pool({64, 100}, {.magazine_size = 4});
    const played_threads playing;
    playing.as(1);
    static_cast<void>(pool.allocate());  // from the run of blocks 0 to 3
    playing.as(2);
    static_cast<void>(pool.allocate());  // from the run of blocks 4 to 7
    const census taken(pool);
    CHECK(taken.in_use() == 2);
    CHECK(taken.picture().substr(16, 8) == "#---#---");
}

TEST_CASE("a census of a shared pool that has drained tells what was never handed out", "[census]") {
    const fixpool::shared_memory_pool pool({4096, 200}, {.magazine_size = 3});
    const played_threads playing;
    std::vector<void*> blocks;
    while (blocks.size() != 152) {
        playing.as(1 + static_cast<unsigned>(blocks.size() % 2));
        blocks.push_back(pool.allocate());
    }
    for (void* const block : blocks) pool.deallocate(block);
    CHECK(pool.peak_in_use() == 152);
    CHECK(census(pool).text() == "pool without a name: 0 of 200 blocks in use, 152 free, 48 never handed out\n");
}

TEST_CASE("a census takes blocks that are carved anew for free ones", "[census]") {
    memory_pool pool({4096, 66});
    std::vector<void*> blocks(65);
    REQUIRE(pool.try_allocate_bulk(blocks));
    for (std::size_t i = 0; i < blocks.size(); ++i) pool.deallocate(blocks[i * 37 % blocks.size()]);  // in disorder
    void* const block = pool.allocate();
    CHECK(census(pool).text().find("1 of 66 blocks in use, 64 free, 1 never handed out") != std::string::npos);
    pool.deallocate(block);
}

TEST_CASE("a census of many groups names 26", "[census]") {
    recorded_violations violations;
    memory_pool pool({64, 120});
    std::vector<void*> blocks(120);
    REQUIRE(pool.try_allocate_bulk(blocks));
    for (std::size_t i = 0; i < 120; i += 4) pool.deallocate(blocks[i]);
    const std::vector<std::string> lines = lines_of(census(pool).text());
    REQUIRE(lines.size() == 28);
    CHECK(lines[26] == "  3 blocks: 101 to 103");
    CHECK(lines[27] == "  and 4 more");
}

TEST_CASE("places beyond the letters are drawn alike", "[census]") {
    recorded_violations violations;
    debug_pool pool({64, 40});
    for (unsigned line = 1; line <= 28; ++line) static_cast<void>(pool.allocate(site("many.cpp", line, "f")));
    const census taken(pool);
    CHECK(taken.picture().substr(16, 40) == "abcdefghijklmnopqrstuvwxyz##------------");
}

TEST_CASE("the picture of a large pool has a character for a run of blocks", "[census]") {
    recorded_violations violations;
    for (const std::size_t count : {64U, 65U, 1023U, 1024U, 1025U, 5000U, 100000U}) {
        memory_pool pool({8, count});
        std::vector<void*> blocks(count);
        REQUIRE(pool.try_allocate_bulk(blocks));
        const std::size_t run = (count + 1023) / 1024;
        const std::vector<std::string> full = lines_of(census(pool).picture());
        INFO(count << " blocks");
        const std::size_t rows = ((count + run - 1) / run + 63) / 64;
        REQUIRE(rows <= 16);
        REQUIRE(full.size() == rows + (run > 1 ? 2 : 1));
        for (const std::string& line : full) CHECK(line.size() <= 80);
        std::size_t drawn = 0;
        for (std::size_t i = 0; i < rows; ++i) {
            CHECK(full[i].size() == 80);
            CHECK(std::strtoul(full[i].c_str(), nullptr, 10) == i * 64 * run);
            drawn += static_cast<std::size_t>(std::count(full[i].begin() + 16, full[i].end(), '#'));
        }
        CHECK(drawn == (count + run - 1) / run);
        CHECK((full[rows].find(" + some in use") != std::string::npos) == (run > 1));
        if (run > 1) CHECK(full.back() == "a character for " + std::to_string(run) + " blocks");
        pool.deallocate(blocks[0]);
        CHECK(lines_of(census(pool).picture())[0][16] == (run > 1 ? '+' : '.'));
        for (std::size_t i = 1; i < run; ++i) pool.deallocate(blocks[i]);
        CHECK(lines_of(census(pool).picture())[0][16] == '.');
    }
}

TEST_CASE("a run of blocks of two places is drawn as others", "[census]") {
    recorded_violations violations;
    debug_pool pool({8, 2000});
    for (unsigned i = 0; i < 4; ++i) static_cast<void>(pool.allocate(i == 3 ? second_place : first_place));
    const std::string picture = census(pool).picture();
    CHECK(picture.substr(16, 3) == "a#-");
    for (const std::string& line : lines_of(picture)) CHECK(line.size() <= 80);
}

TEST_CASE("a census prints itself", "[census]") {
    memory_pool pool({64, 2}, {.name = "small"});
    const census taken(pool);
    std::ostringstream stream;
    stream << taken;
    CHECK(stream.str() == taken.text() + taken.picture());
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), &std::fclose);
    REQUIRE(file != nullptr);
    taken.print(file.get());
    std::rewind(file.get());
    std::string read(1000, '\0');
    read.resize(std::fread(read.data(), 1, read.size(), file.get()));
    CHECK(read == stream.str());
}

TEST_CASE("a census stays within its bounds, whatever was written over the free list", "[census]") {
    recorded_violations violations;
    alignas(64) std::array<std::byte, 1024> blocks{}, metadata{};
    memory_pool pool({64, 8}, fixpool::arena::borrow(blocks, metadata), {.name = "overwritten"});
    std::array<void*, 6> taken{};
    REQUIRE(pool.try_allocate_bulk(taken));
    for (std::size_t i = 0; i < 4; ++i) pool.deallocate(taken[i]);
    const auto before = metadata;
    for (const unsigned value : {0x41U, 0xFFU, 0x08U}) {
        std::memset(metadata.data(), static_cast<int>(value), metadata.size());
        CHECK_FALSE(pool.audit());
        const census seen(pool);
        CHECK(seen.total_blocks() == 8);
        CHECK(seen.in_use() <= 8);
        CHECK(lines_of(seen.picture()).size() == 2);
    }
    metadata = before;
    CHECK(census(pool).in_use() == 2);
    pool.reset();
}

TEST_CASE("a census of no blocks is one line and a legend", "[census]") {
    memory_pool pool({64, 2});
    const memory_pool target(std::move(pool));
    const census taken(pool);
    CHECK(taken.in_use() == 0);
    CHECK(taken.groups().empty());
    CHECK(lines_of(taken.picture()).size() == 1);
}

namespace {
template <class Pool>
concept has_census = std::is_constructible_v<census, const Pool&>;
}  // namespace

TEST_CASE("there is no census of an unchecked pool", "[census]") {
    STATIC_REQUIRE(has_census<memory_pool>);
    STATIC_REQUIRE(!has_census<fixpool::basic_memory_pool<checking::unchecked>>);
    STATIC_REQUIRE(!has_census<fixpool::typed_pool<int, checking::unchecked>>);
    STATIC_REQUIRE(!has_census<fixpool::basic_shared_memory_pool<checking::unchecked>>);
    STATIC_REQUIRE(!has_census<fixpool::shared_pool<int, checking::unchecked>>);
}
