// SPDX-License-Identifier: BSL-1.0
// workload: the operations on the database, the same for every contender, and how long each part took.
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
inline constexpr std::size_t points_per_phase = 25;  // for each of insert, look up, update and delete

/// What one phase took, and what SQLite counted about its cache.
struct phase_result {
    double seconds = 0;
    std::int64_t hits = 0;
    std::int64_t misses = 0;
    std::int64_t spills = 0;  // pages that were written to make room, before the end of their transaction
};

/// The results of one run, and what must be the same for all contenders.
struct workload_result {
    std::array<phase_result, phase_count> phases;
    std::array<double, 4 * points_per_phase> nanoseconds;  // per operation
    std::array<double, 4 * points_per_phase> operations;   // from the start to that point
    std::uint64_t sum;                                     // of the looked-up values
    std::uint64_t file_hash;                               // of the file's bytes at the end
    std::int64_t file_pages;                               // before the vacuum
};

/// Does the work in a new database at `path`. First come `rows` inserts, as many look-ups, half as many updates, and a
/// quarter as many deletes. Then come a VACUUM and an integrity check. `initialise` chooses SQLite's page cache. Its
/// time is that of "start".
/// Requires: rows >= 100.
/// Throws: SQLite::Exception, also if the disk is full; std::runtime_error if the integrity check fails.
[[nodiscard]] workload_result run_workload(const std::string& path, long rows, long cache_pages,
                                           const std::function<void()>& initialise);
