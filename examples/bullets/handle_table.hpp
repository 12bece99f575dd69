// SPDX-License-Identifier: BSL-1.0
// handle_table: tells where the object of a handle is, or that it is gone. For storages whose objects have no fixed
// place: objects in a vector move, and objects made by new have no number.
#pragma once

#include <cstdint>
#include <vector>

#include "objects.hpp"

/// `Place` is a pointer or a number. All operations are O(1) amortised.
template <class Place> class handle_table {
public:
    handle add(Place place) {
        if (free_.empty()) {
            slots_.push_back({place, 0});
            return {static_cast<std::uint32_t>(slots_.size() - 1), 0};
        }
        const std::uint32_t index = free_.back();
        free_.pop_back();
        slots_[index].place = place;
        return {index, slots_[index].generation};
    }
    void remove(handle of) {
        ++slots_[of.index].generation;
        free_.push_back(of.index);
    }
    void move(handle of, Place to) { slots_[of.index].place = to; }

    /// nullptr if the object is gone.
    [[nodiscard]] const Place* find(handle of) const {
        if (of.index >= slots_.size() || slots_[of.index].generation != of.generation) return nullptr;
        return &slots_[of.index].place;
    }

private:
    struct slot {
        Place place;
        std::uint32_t generation;  // objects of this slot that have died
    };
    std::vector<slot> slots_;
    std::vector<std::uint32_t> free_;
};
