// SPDX-License-Identifier: BSL-1.0
// pool_game: the contender "pools".
#include <memory>

#include "game_of.hpp"
#include "pool_storage.hpp"

std::unique_ptr<game> pool_game(std::size_t objects) { return std::make_unique<game_of<live_set_storage>>(objects); }
