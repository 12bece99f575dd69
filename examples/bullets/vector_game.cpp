// SPDX-License-Identifier: BSL-1.0
// vector_game: the contender "vector".
#include <memory>

#include "game_of.hpp"
#include "vector_storage.hpp"

std::unique_ptr<game> vector_game(std::size_t objects) { return std::make_unique<game_of<vector_storage>>(objects); }
