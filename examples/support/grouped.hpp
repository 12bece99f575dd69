// SPDX-License-Identifier: BSL-1.0
// grouped: numbers as people write them.
#pragma once

#include <cstddef>
#include <string>

/// 1234567 as 1,234,567.
inline std::string grouped(std::size_t number) {
    std::string text = std::to_string(number);
    for (std::size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, 1, ',');
    return text;
}
