// SPDX-License-Identifier: BSL-1.0
// Blocks without a container: one block, again and again; and windows of blocks that are replaced at random.
#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "workload.hpp"

namespace {

using word = std::uint64_t;  // blocks are arrays of these

class one_block_play {
public:
    template <class Memory> void operator()(Memory& memory, phases& timed) {
        auto from = memory.template get<word>();
        timed("pairs", [&] {
            word sum = 0;
            for (word i = 0; i < 1'000'000; ++i) {
                word* const block = opaque(from.allocate(words));
                *block = i;
                sum += *opaque(block);
                from.deallocate(block, words);
            }
            return sum;
        });
    }

private:
    static constexpr std::size_t words = 6;
};

/// Sizes as in real programs, in words: 8 to 512 bytes, mostly nodes and short strings. Each entry is equally likely.
constexpr std::array<std::uint8_t, 64> sizes = {
    1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  5,  5,  5,  5,
    5, 5, 6, 6, 6, 6, 6, 6, 7, 7, 7, 8, 8, 8, 8, 9, 9, 10, 10, 11, 12, 12, 13, 14, 16, 18, 20, 24, 32, 40, 52, 64};

constexpr std::size_t words_in_line = 8;  // of the cache, in words

template <std::size_t Slots> class window_play {
public:
    window_play() : replaced_(replacements) {
        std::mt19937 random(Slots);
        for (replacement& r : replaced_)
            r = {static_cast<std::uint16_t>(random() % Slots), sizes[random() % sizes.size()]};
    }

    template <class Memory> void operator()(Memory& memory, phases& timed) {
        auto from = memory.template get<word>();
        timed("replace", [&] {
            word sum = 0;
            for (const replacement& r : replaced_) {
                slot& where = slots_[r.slot];
                if (where.block != nullptr) sum += drop(from, where);
                where = {from.allocate(r.words), r.words};
                for (std::size_t i = 0; i < r.words; i += words_in_line) where.block[i] = i + r.slot;
            }
            return sum;
        });
        timed("drop", [&] {
            word sum = 0;
            for (slot& where : slots_)
                if (where.block != nullptr) sum += drop(from, where);
            return sum;
        });
    }

private:
    struct replacement {
        std::uint16_t slot;
        std::uint8_t words;
    };
    struct slot {
        word* block = nullptr;
        std::size_t words = 0;
    };
    static constexpr std::size_t replacements = 1'000'000;

    template <class Allocator> static word drop(Allocator& from, slot& where) {
        word sum = 0;
        for (std::size_t i = 0; i < where.words; i += words_in_line) sum += where.block[i];
        from.deallocate(where.block, where.words);
        where = {};
        return sum;
    }

    std::vector<replacement> replaced_;
    std::vector<slot> slots_ = std::vector<slot>(Slots);
};

}  // namespace

workload one_block_workload() { return on_every_memory<one_block_play>("one block", 6); }
workload window_256_workload() { return on_every_memory<window_play<256>>("window of 256", 5); }
workload window_4096_workload() { return on_every_memory<window_play<4096>>("window of 4096", 5); }
workload window_65536_workload() { return on_every_memory<window_play<65536>>("window of 65536", 4); }
