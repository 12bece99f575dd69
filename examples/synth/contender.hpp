// SPDX-License-Identifier: BSL-1.0
// contender: one of the compared memories, and its measurements.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "../system_policy.hpp"
#include "performance.hpp"
#include "recording.hpp"
#include "voice_memory.hpp"

/// Where the voices of a performance live, and what was measured.
struct contender {
    std::string_view option;  // of --memory
    const char* title;
    int (*perform)(const performance&, recording&);

    bool is_clean = false;              // according to the filter and the counter of page faults
    std::size_t survived = 0;           // callbacks under the filter
    std::vector<std::uint32_t> best{};  // ticks of each callback, in its fastest round
    std::uint32_t worst = 0;            // ticks, in any round
    long faults = 0;                    // in all rounds
    std::uint32_t missed = 0;           // deadlines, in all rounds
};

/// Performs with one kind of voices. Before, tells the heap whether to keep memory that comes back.
template <class Voices, bool Keeps = false> int perform_with(const performance& how, recording& out) {
    return perform<Voices>(how, out, [] { set_system_policy(Keeps); });
}

/// The contenders that --memory chooses.
inline std::vector<contender> contenders_of(std::string_view choice) {
    std::vector<contender> all{{"pools", "typed_pool, checked", perform_with<pooled_voices>},
                               {"array", "array, searched", perform_with<array_voices>},
                               {"tuned", "new, tuned heap", perform_with<heap_voices, true>},
                               {"new", "new", perform_with<heap_voices>}};
    if (choice != "all") std::erase_if(all, [choice](const contender& one) { return one.option != choice; });
    return all;
}
