// SPDX-License-Identifier: BSL-1.0
// grid: finds the ships near a place. A uniform grid that is built again in each frame, by counting.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "objects.hpp"

/// Keeps copies of the ships' places, and pointers to the ships. They are valid for one frame.
class grid {
public:
    explicit grid(vector2 world)
        : columns_(world.x / cell + 1), starts_(static_cast<std::size_t>(columns_ * (world.y / cell + 1)) + 1) {}

    /// Begins a frame. Then `add` every ship, and `build`.
    void clear() { added_.clear(); }
    void add(ship& object) { added_.push_back({object.place, object.team, cell_of(object.place), &object}); }

    void build() {
        std::fill(starts_.begin(), starts_.end(), 0U);
        for (const entry& one : added_) ++starts_[one.cell + 1];
        for (std::size_t i = 1; i < starts_.size(); ++i) starts_[i] += starts_[i - 1];
        sorted_.resize(added_.size());
        for (const entry& one : added_) sorted_[starts_[one.cell]++] = one;
        std::copy_backward(starts_.begin(), starts_.end() - 1, starts_.end());  // `add` moved each start to its end
        starts_[0] = 0;
    }

    /// The ship of the other team that touches `place`. If there are several, the one with the lowest id. nullptr if
    /// there is none.
    [[nodiscard]] ship* hit(vector2 place, std::uint8_t team, std::int32_t reach) const {
        ship* found = nullptr;
        const std::size_t right = column_of(place.x + reach);
        const std::size_t bottom = row_of(place.y + reach);
        for (std::size_t row = row_of(place.y - reach); row <= bottom; ++row) {
            const std::size_t first = row * static_cast<std::size_t>(columns_);
            const std::size_t end = starts_[first + right + 1];  // the cells of a row are neighbours
            for (std::size_t i = starts_[first + column_of(place.x - reach)]; i < end; ++i) {
                const entry& one = sorted_[i];
                if (one.team != team && touch(one.place, place, reach) &&
                    (found == nullptr || one.what->id < found->id))
                    found = one.what;
            }
        }
        return found;
    }

private:
    static constexpr std::int32_t cell = 32 * pixel;

    struct entry {
        vector2 place;
        std::uint8_t team;
        std::uint32_t cell;
        ship* what;
    };

    [[nodiscard]] std::size_t column_of(std::int32_t x) const {
        return static_cast<std::size_t>(std::clamp(x / cell, 0, columns_ - 1));
    }
    [[nodiscard]] std::size_t row_of(std::int32_t y) const {
        const auto rows = static_cast<std::int32_t>(starts_.size() - 1) / columns_;
        return static_cast<std::size_t>(std::clamp(y / cell, 0, rows - 1));
    }
    [[nodiscard]] std::uint32_t cell_of(vector2 place) const {
        return static_cast<std::uint32_t>(row_of(place.y) * static_cast<std::size_t>(columns_) + column_of(place.x));
    }

    std::int32_t columns_;
    std::vector<std::uint32_t> starts_;  // of each cell in sorted_; the last entry is the end
    std::vector<entry> added_;
    std::vector<entry> sorted_;  // by cell
};
