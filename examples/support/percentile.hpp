// SPDX-License-Identifier: BSL-1.0
// percentile: a percentile of measured values, by rank, so that the result is one of the values.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

/// The smallest of `values` such that at least `percent` % are not larger. 100 is the largest. Changes their order.
/// Requires: values are not empty, 0 < percent <= 100.
/// Complexity: linear.
inline double percentile(std::vector<double>& values, double percent) {
    const auto rank = static_cast<std::size_t>(std::ceil(percent / 100 * static_cast<double>(values.size())));
    const auto place = values.begin() + static_cast<std::ptrdiff_t>(std::max<std::size_t>(rank, 1) - 1);
    std::nth_element(values.begin(), place, values.end());
    return *place;
}
