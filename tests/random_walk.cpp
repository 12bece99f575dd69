// SPDX-License-Identifier: BSL-1.0
// A long random walk on a pool beside a model. Each live block has a unique pattern, so overlap shows at once.
#include <fixpool/debug.hpp>
#include <fixpool/memory_pool.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <vector>

#include "support/catch.hpp"
#include "support/violations.hpp"

using fixpool::checking;
using fixpool::memory_pool;
using unchecked_pool = fixpool::basic_memory_pool<checking::unchecked>;
using debug_pool = fixpool::basic_memory_pool<checking::debug>;

namespace {

std::uint64_t seed_of_this_run() {
    const char* const wish = std::getenv("FIXPOOL_TEST_SEED");
    const std::uint64_t seed = wish != nullptr ? std::strtoull(wish, nullptr, 10) : std::random_device{}();
    std::printf("random walk: FIXPOOL_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
    return seed;
}

template <class Pool> class walk {
public:
    walk(fixpool::pool_layout layout, std::uint64_t seed) : pool_(layout), random_(seed) {}
    ~walk() { pool_.reset(); }

    /// Does one operation. Returns whether pool and model agree afterwards.
    bool step() {
        switch (random_() % 16) {
            case 0: return bulk_allocate();
            case 1: return bulk_release();
            case 2: return misuse();
            case 3: return random_() % 64 != 0 || reset();
            default: return is_growing() ? allocate() : release();
        }
    }

    [[nodiscard]] bool agrees() {
        bool same = pool_.in_use() == live_.size() && pool_.available() == pool_.total_blocks() - live_.size() &&
                    pool_.peak_in_use() == peak_;
        if constexpr (!std::is_same_v<Pool, unchecked_pool>) {
            auto next = live_.begin();
            pool_.for_each_allocated([&](void* block) { same &= next != live_.end() && (next++)->first == block; });
            same &= next == live_.end() && pool_.audit();
        }
        return same;
    }

    [[nodiscard]] std::size_t violations() { return violations_.count(); }

private:
    std::size_t below(std::size_t limit) { return static_cast<std::size_t>(random_() % limit); }

    /// Drifts between empty and full, to reach both ends.
    bool is_growing() {
        if (random_() % 256 == 0) grows_ = !grows_;
        return random_() % 4 != 0 ? grows_ : !grows_;
    }

    bool took(void* block) {
        if (block == nullptr) return live_.size() == pool_.total_blocks();
        const auto pattern = static_cast<unsigned char>(random_());
        std::memset(block, pattern, pool_.block_size());
        const bool is_new = live_.emplace(block, pattern).second;
        peak_ = std::max(peak_, live_.size());
        return is_new && reinterpret_cast<std::uintptr_t>(block) % pool_.alignment() == 0;
    }

    bool allocate() { return took(pool_.try_allocate()); }

    /// Removes a random live block, which must be intact, from the model. Requires: there is one.
    void* leave(bool& is_intact) {
        auto chosen = live_.begin();
        std::advance(chosen, static_cast<std::ptrdiff_t>(below(live_.size())));
        const auto [block, pattern] = *chosen;
        const auto* const bytes = static_cast<const unsigned char*>(block);
        is_intact &= std::all_of(bytes, bytes + pool_.block_size(), [p = pattern](unsigned char b) { return b == p; });
        live_.erase(chosen);
        released_.push_back(block);
        return block;
    }

    bool release() {
        bool is_intact = true;
        if (!live_.empty()) pool_.deallocate(leave(is_intact));
        return is_intact;
    }

    bool bulk_allocate() {
        std::vector<void*> blocks(below(8));
        const bool should_fit = blocks.size() <= pool_.total_blocks() - live_.size();
        if (pool_.try_allocate_bulk(blocks) != should_fit) return false;
        return !should_fit || std::all_of(blocks.begin(), blocks.end(), [this](void* block) { return took(block); });
    }

    bool bulk_release() {
        std::vector<void*> blocks;
        bool is_intact = true;
        for (std::size_t n = below(8); n > 0 && !live_.empty(); --n) blocks.push_back(leave(is_intact));
        pool_.deallocate_bulk(blocks);
        return is_intact;
    }

    /// Releases a free block, a byte inside a block, or a foreign pointer. It must be reported, and change nothing.
    bool misuse() {
        if constexpr (!std::is_same_v<Pool, unchecked_pool>) {
            void* const known = released_.empty() ? nullptr : released_[below(released_.size())];
            if (known == nullptr || live_.contains(known)) return true;
            std::byte* const inside = static_cast<std::byte*>(known) + 1 + below(pool_.stride());
            if (live_.contains(inside)) return true;
            pool_.deallocate(random_() % 2 == 0 ? known : inside);
            pool_.deallocate(&pool_);
            return violations() == 2;
        } else {
            return true;
        }
    }

    bool reset() {
        pool_.reset();
        live_.clear();
        peak_ = 0;
        return true;
    }

    recorded_violations violations_;
    Pool pool_;
    std::mt19937_64 random_;
    std::map<void*, unsigned char> live_;
    std::vector<void*> released_;
    std::size_t peak_ = 0;
    bool grows_ = true;
};

}  // namespace

TEMPLATE_TEST_CASE("a random walk agrees with the model at every step", "[memory_pool][random]", unchecked_pool,
                   memory_pool, debug_pool) {
    const std::uint64_t seed = seed_of_this_run();
    const std::size_t length = std::getenv("FIXPOOL_TEST_LENGTH") != nullptr ? 300 : 5000;  // shorter under Valgrind
    for (const fixpool::pool_layout layout :
         {fixpool::pool_layout{1, 1}, {3, 50}, {8, 7}, {24, 33}, {64, 100, 64}, {40, 20, 4096}}) {
        walk<TestType> w(layout, seed);
        std::size_t steps = 0;
        while (steps < length && w.step() && w.agrees()) ++steps;
        INFO("seed " << seed << ", " << layout.block_size << " bytes, " << layout.block_count << " blocks, step "
                     << steps);
        CHECK(steps == length);
        CHECK(w.violations() == 0);
    }
}
