// SPDX-License-Identifier: BSL-1.0
// for_each_game: the contender "for_each".
#include <memory>

#include "game_of.hpp"
#include "pool_storage.hpp"

std::unique_ptr<game> for_each_game(std::size_t objects) {
    return std::make_unique<game_of<for_each_storage>>(objects);
}
