// SPDX-License-Identifier: BSL-1.0
// Random walks on pools of every kind, beside a model (support/model.hpp).
#include <cstddef>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/heap.hpp"
#include "support/model.hpp"

using fixpool::checking;
using model::objects;
using model::raw_blocks;
using model::setup;

namespace {

struct random_numbers : std::mt19937 {
    using std::mt19937::mt19937;
    static bool is_empty() { return false; }
    std::size_t below(std::size_t limit) { return (*this)() % limit; }
};

/// Buffers for pools. Some bytes look like the state of a block that was given up. The walks leave other bytes in them.
std::vector<std::byte> arbitrary_bytes() {
    std::vector<std::byte> bytes(std::size_t{2} << 20);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 7 % 5);
    return bytes;
}

/// Pools of few small blocks, and pools of 256 KiB and more, which restore the order of addresses.
setup drawn(std::mt19937& random, std::size_t size) {
    const std::size_t few[] = {1, 2, 5, 19, 20, 21, 64, 100, 400, 1500};
    const unsigned magazine_sizes[] = {0, 1, 3, 60}, misuses[] = {0, 5, 100};
    const std::size_t ordered = (std::size_t{256} << 10) / size;
    setup s{};
    s.size = size;
    s.count = size < 100 ? few[random() % 10] : ordered + 1 + random() % ordered / 4;
    s.magazine_size = magazine_sizes[random() % 4];
    s.players = 1 + static_cast<unsigned>(random() % 20);
    s.misuses = misuses[random() % 3];
    s.borrows = random() % 2 == 0;
    s.audits = s.count <= 400 && random() % 2 == 0;
    return s;
}

template <class Blocks> void walk_at_random(std::size_t size, unsigned seed, std::span<std::byte> buffer) {
    std::mt19937 random(seed);
    const setup s = drawn(random, size);
    const heap::usage before = heap::in_use();
    random_numbers numbers(seed);
    // Some walks end while some blocks were never out.
    const std::size_t steps = numbers() % 3 == 0 ? 1 + numbers() % (2 * s.count) : 8 * s.count + 1000;
    const model::fault found = model::walk<Blocks, random_numbers>(s, buffer, numbers).run(steps);
    const bool is_all_back = heap::in_use() == before;
    INFO("seed " << seed << ": " << s.count << " blocks of " << s.size << " bytes, magazines of " << s.magazine_size
                 << ", " << s.players << " threads" << (s.audits ? ", audited" : "") << ", step " << found.step);
    CHECK(std::string(found.what == nullptr ? "all holds" : found.what) == "all holds");
    CHECK(is_all_back);
}

}  // namespace

TEMPLATE_TEST_CASE_SIG("a random walk of many threads on raw blocks agrees with a model",
                       "[shared_memory_pool][random]", ((checking C), C), checking::unchecked, checking::checked,
                       checking::debug) {
    std::vector<std::byte> buffer = arbitrary_bytes();
    for (unsigned seed = 0; seed < turns(100); ++seed) {
        const std::size_t large[] = {100, 4096};
        walk_at_random<raw_blocks<C>>(seed % 4 == 0 ? large[seed / 4 % 2] : 1 + seed % 20, seed, buffer);
    }
}

TEMPLATE_TEST_CASE_SIG("a random walk on raw blocks of one thread agrees with a model", "[memory_pool][random]",
                       ((checking C), C), checking::unchecked, checking::checked, checking::debug) {
    std::vector<std::byte> buffer = arbitrary_bytes();
    for (unsigned seed = 0; seed < turns(100); ++seed) {
        const std::size_t large[] = {100, 4096};
        walk_at_random<raw_blocks<C, fixpool::basic_memory_pool>>(seed % 4 == 0 ? large[seed / 4 % 2] : 1 + seed % 20,
                                                                  7000 + seed, buffer);
    }
}

TEMPLATE_TEST_CASE_SIG("a random walk on objects of one thread agrees with a model", "[typed_pool][random]",
                       ((checking C), C), checking::unchecked, checking::checked, checking::debug) {
    std::vector<std::byte> buffer = arbitrary_bytes();
    for (unsigned seed = 0; seed < turns(25); ++seed) {
        walk_at_random<objects<C, 1, false>>(1, 8000 + seed, buffer);
        walk_at_random<objects<C, 20, false>>(20, 9000 + seed, buffer);
        walk_at_random<objects<C, 4096, false>>(4096, 10000 + seed, buffer);
    }
}

TEMPLATE_TEST_CASE_SIG("a random walk of many threads on shared objects agrees with a model", "[shared_pool][random]",
                       ((checking C), C), checking::unchecked, checking::checked, checking::debug) {
    std::vector<std::byte> buffer = arbitrary_bytes();
    for (unsigned seed = 0; seed < turns(25); ++seed) {
        walk_at_random<objects<C, 1>>(1, 1000 + seed, buffer);
        walk_at_random<objects<C, 3>>(3, 2000 + seed, buffer);
        walk_at_random<objects<C, 8>>(8, 3000 + seed, buffer);
        walk_at_random<objects<C, 20>>(20, 4000 + seed, buffer);
        if (seed % 2 == 0) walk_at_random<objects<C, 100>>(100, 5000 + seed, buffer);
        walk_at_random<objects<C, 4096>>(4096, 6000 + seed, buffer);
    }
}
