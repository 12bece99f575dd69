// SPDX-License-Identifier: BSL-1.0
// A hash table of random keys. It grows while it is built.
#include <cstdint>
#include <functional>
#include <unordered_map>

#include "map_play.hpp"

namespace {

template <class Allocator>
using map_of = std::unordered_map<std::uint32_t, std::uint64_t, std::hash<std::uint32_t>, std::equal_to<>, Allocator>;

}  // namespace

workload unordered_map_workload() { return on_every_memory<map_play<map_of, 400'000>>("unordered_map", 3); }
