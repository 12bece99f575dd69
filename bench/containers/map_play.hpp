// SPDX-License-Identifier: BSL-1.0
// map_play: builds a map of random keys, looks all of them up in another order, erases half, refills, reads and drops it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "keys.hpp"
#include "workload.hpp"

/// `Map<Allocator>` maps std::uint32_t to std::uint64_t. It has about `Count` nodes.
template <template <class Allocator> class Map, std::size_t Count> class map_play {
    using element = std::pair<const std::uint32_t, std::uint64_t>;
    template <class Memory> using map = Map<typename Memory::template allocator<element>>;

public:
    template <class Memory> void operator()(Memory& memory, phases& timed) {
        std::optional<map<Memory>> made;
        timed("build", [&] {
            made.emplace(memory.template get<element>());
            for (const std::uint32_t key : keys_.inserted()) made->emplace(key, key);
            return made->size();
        });
        timed("look up", [&] {
            std::uint64_t sum = 0;
            for (const std::uint32_t key : keys_.looked_up())
                if (const auto found = made->find(key); found != made->end()) sum += ++found->second;
            return sum;
        });
        timed("erase", [&] {
            std::uint64_t erased = 0;
            for (const std::uint32_t key : keys_.erased()) erased += made->erase(key);
            return erased;
        });
        timed("refill", [&] {
            for (const std::uint32_t key : keys_.refilled()) made->emplace(key, key);
            return made->size();
        });
        timed("iterate", [&] {
            std::uint64_t sum = 0;
            for (int pass = 0; pass < 3; ++pass)
                for (const auto& [key, value] : *made) sum += key ^ value;
            return sum;
        });
        timed("drop", [&] {
            made.reset();
            return std::uint64_t{0};
        });
    }

private:
    key_sets keys_{Count};
};
