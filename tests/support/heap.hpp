// SPDX-License-Identifier: BSL-1.0
// heap: counts what is allocated by this program's operator new, and can make it fail. heap.cpp replaces operator new.
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

/// While one lives, the n-th allocation after its construction fails. With `for_ever`, all later ones fail, too.
/// Thread safety: only one may live, while the program has one thread.
class failure {
public:
    failure(std::size_t nth, bool for_ever) noexcept;
    failure(const failure&) = delete;
    failure& operator=(const failure&) = delete;
    ~failure();
    [[nodiscard]] bool happened() const noexcept;
};

}  // namespace heap
