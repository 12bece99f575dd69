// SPDX-License-Identifier: BSL-1.0
// world_counts: counts what happened in a game.
#pragma once

#include <array>
#include <cstdint>

#include "objects.hpp"

/// Events since the game began.
struct world_counts {
    std::uint64_t frames = 0;
    std::array<std::uint64_t, kinds> spawned{};
    std::array<std::uint64_t, kinds> dropped{};  // spawns beyond the budget
    std::uint64_t asked = 0;                     // handles that were looked up
    std::uint64_t gone = 0;                      // of these, the object was gone
};
