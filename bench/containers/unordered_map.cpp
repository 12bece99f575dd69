// SPDX-License-Identifier: BSL-1.0
// A hash table of random keys, which grows as it is built.
#include <optional>
#include <unordered_map>

#include "keys.hpp"
#include "workload.hpp"

namespace {

class unordered_map_play {
    template <class Memory>
    using map = std::unordered_map<std::uint32_t, std::uint64_t, std::hash<std::uint32_t>, std::equal_to<>,
                                   typename Memory::template allocator<std::pair<const std::uint32_t, std::uint64_t>>>;

public:
    template <class Memory> void operator()(Memory& memory, phases& timed) {
        std::optional<map<Memory>> made;
        timed("build", [&] {
            made.emplace(memory.template get<std::pair<const std::uint32_t, std::uint64_t>>());
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
    key_sets keys_{400'000};
};

}  // namespace

workload unordered_map_workload() { return on_every_memory<unordered_map_play>("unordered_map", 3); }
