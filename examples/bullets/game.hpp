// SPDX-License-Identifier: BSL-1.0
// game: a world with any storage, as seen by the code that times it and shows it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "draw_list.hpp"
#include "world_counts.hpp"

class game {
public:
    game() = default;
    game(const game&) = delete;
    game& operator=(const game&) = delete;
    virtual ~game() = default;

    virtual void play_frame(draw_list& list) = 0;  // a step, and its picture: all that is timed
    [[nodiscard]] virtual std::uint64_t checksum() = 0;
    [[nodiscard]] virtual std::size_t live() const = 0;
    [[nodiscard]] virtual std::size_t budget() const = 0;
    [[nodiscard]] virtual const world_counts& counts() const = 0;
    virtual void print_pools() = 0;  // the pools' counters; nothing for other storages
    virtual void kill_twice() = 0;   // a script's bug; only for pools, which report it
};

// `objects` is how many live in a usual frame. Each function is in its own source file: compilers treat all alike.
std::unique_ptr<game> new_game(std::size_t objects);       // by new, visited through pointers in a vector
std::unique_ptr<game> block_game(std::size_t objects);     // in pools, visited through handles in a vector
std::unique_ptr<game> for_each_game(std::size_t objects);  // in pools, visited by the pools
std::unique_ptr<game> pool_game(std::size_t objects);      // in pools, visited through one bit per block
std::unique_ptr<game> vector_game(std::size_t objects);    // in vectors
