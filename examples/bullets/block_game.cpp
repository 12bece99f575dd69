// SPDX-License-Identifier: BSL-1.0
// block_game: the contender "blocks".
#include <memory>

#include "game_of.hpp"
#include "pointer_storage.hpp"

std::unique_ptr<game> block_game(std::size_t objects) { return std::make_unique<game_of<block_storage>>(objects); }
