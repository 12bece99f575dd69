// SPDX-License-Identifier: BSL-1.0
// A map of random keys; map_play.hpp says what is done with it.
#include <cstdint>
#include <functional>
#include <map>

#include "map_play.hpp"

namespace {

template <class Allocator> using map_of = std::map<std::uint32_t, std::uint64_t, std::less<>, Allocator>;

}  // namespace

workload map_workload() { return on_every_memory<map_play<map_of, 200'000>>("map", 3); }
