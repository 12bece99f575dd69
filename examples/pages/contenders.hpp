// SPDX-License-Identifier: BSL-1.0
// contenders: the page caches that are compared, and one run of the workload with one of them.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "workload.hpp"

inline constexpr std::size_t contender_count = 3;
inline constexpr std::array<std::string_view, contender_count> contender_names{"malloc", "buffer", "pool"};

/// The settings that all contenders share.
struct contest {
    std::string file;
    long rows;
    long cache_pages;

    /// The pages of the buffer and of the pool. Some are for the schema, and for the other database of a VACUUM.
    [[nodiscard]] std::size_t page_count() const { return static_cast<std::size_t>(cache_pages) + 100; }
};

/// The results of a run, and the memory of its process.
struct run_result {
    workload_result work;
    double peak_megabytes;  // resident in the process at its peak
};

/// Runs the workload with one contender in a separate process. So memory that one contender leaves behind does not help
/// the next one.
/// Throws: std::runtime_error if the child fails; its reason is the message.
[[nodiscard]] run_result run(const contest& c, std::size_t contender);
