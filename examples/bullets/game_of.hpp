// SPDX-License-Identifier: BSL-1.0
// game_of: a game in a world of one storage.
#pragma once

#include <fixpool/stats.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>

#include "game.hpp"
#include "world.hpp"

template <template <class> class Storage> class game_of final : public game {
public:
    explicit game_of(std::size_t objects) : world_(objects) {}

    void play_frame(draw_list& list) override {
        world_.step();
        world_.draw(list);
    }
    [[nodiscard]] std::uint64_t checksum() override { return world_.checksum(); }
    [[nodiscard]] std::size_t live() const override { return world_.live(); }
    [[nodiscard]] std::size_t budget() const override { return world_.budget(); }
    [[nodiscard]] const world_counts& counts() const override { return world_.counts(); }

    void print_pools() override {
        if constexpr (Storage<ship>::is_pool) {
            std::puts("\npool      bytes    blocks   live now   most live     spawned   refused   bytes taken");
            world_.for_each_kind([this](kind k, auto& storage) {
                const fixpool::pool_stats stats = storage.stats();
                std::printf("%-8s %6zu %9zu  %9zu   %9zu  %10llu %9zu  %12zu\n", kind_names[k], stats.block_size,
                            stats.total_blocks, stats.in_use, stats.peak_in_use,
                            static_cast<unsigned long long>(world_.counts().spawned[k]), stats.refused,
                            stats.arena_bytes);
            });
        }
    }

    void kill_twice() override {
        if constexpr (Storage<ship>::is_pool) world_.kill_ship_twice();
    }

private:
    world<Storage> world_;
};
