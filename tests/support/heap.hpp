// SPDX-License-Identifier: BSL-1.0
// heap: what this program's operator new has out; and a way to make it fail. heap.cpp replaces it.
#pragma once

#include <cstddef>

namespace heap {

struct usage {
    std::size_t blocks;  // allocated and not released
    std::size_t bytes;   // in them
    bool operator==(const usage&) const = default;
};
usage in_use() noexcept;

std::size_t allocations() noexcept;  // since the program began

/// While one lives, the n-th allocation from its construction on fails, and with `for_ever` all that follow.
/// Thread safety: one at a time, in a program that has one thread then.
class failure {
public:
    failure(std::size_t nth, bool for_ever) noexcept;
    failure(const failure&) = delete;
    failure& operator=(const failure&) = delete;
    ~failure();
    [[nodiscard]] bool happened() const noexcept;
};

}  // namespace heap
