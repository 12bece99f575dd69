// SPDX-License-Identifier: BSL-1.0
// workload: what is done to the database, the same for every contender, and what each part of it took.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

inline constexpr std::size_t phase_count = 7;
inline constexpr std::array<std::string_view, phase_count> phase_names{"start",  "insert", "look up", "update",
                                                                       "delete", "vacuum", "check"};
inline constexpr std::size_t points_per_phase = 25;  // of insert, look up, update and delete

/// What one phase took, and what SQLite counted of its cache.
struct phase_result {
    double seconds = 0;
    std::int64_t hits = 0;
    std::int64_t misses = 0;
    std::int64_t spills = 0;  // pages that were written to make room, before their transaction ended
};

/// What one run of the workload took, and what must be the same for all contenders.
struct workload_result {
    std::array<phase_result, phase_count> phases;
    std::array<double, 4 * points_per_phase> nanoseconds;  // per operation
    std::array<double, 4 * points_per_phase> operations;   // since the start, at that point
    std::uint64_t sum;                                     // of what was looked up
    std::uint64_t file_hash;                               // of the file's bytes at the end
    std::int64_t file_pages;                               // before the vacuum
};

/// Does it in a new database at `path`: `rows` inserts, as many look-ups, half as many updates, a quarter as many
/// deletes, a VACUUM, an integrity check. `initialise` chooses SQLite's page cache and is timed as "start".
/// Requires: rows >= 100.
/// Throws: SQLite::Exception, also when the disk is full; std::runtime_error when the check finds anything.
[[nodiscard]] workload_result run_workload(const std::string& path, long rows, long cache_pages,
                                           const std::function<void()>& initialise);
