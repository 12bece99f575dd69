// SPDX-License-Identifier: BSL-1.0
// percentile: of measured values, by rank, so that each is a value that was measured.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

/// The smallest of `values` that at least `percent` of them do not exceed. 100 is the largest. Changes the order of `values`.
/// Requires: values are not empty, 0 < percent <= 100.
/// Complexity: linear.
inline double percentile(std::vector<double>& values, double percent) {
    const auto rank = static_cast<std::size_t>(std::ceil(percent / 100 * static_cast<double>(values.size())));
    const auto place = values.begin() + static_cast<std::ptrdiff_t>(std::max<std::size_t>(rank, 1) - 1);
    std::nth_element(values.begin(), place, values.end());
    return *place;
}
