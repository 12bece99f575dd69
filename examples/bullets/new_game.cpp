// SPDX-License-Identifier: BSL-1.0
// new_game: the contender "new".
#include <memory>

#include "game_of.hpp"
#include "pointer_storage.hpp"

std::unique_ptr<game> new_game(std::size_t objects) { return std::make_unique<game_of<new_storage>>(objects); }
