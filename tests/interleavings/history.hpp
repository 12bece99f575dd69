// SPDX-License-Identifier: BSL-1.0
// history: what threads asked of a pool and were answered, and whether one counter behind one mutex could answer so.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace interleavings {

enum class operation : unsigned char { take, put, available };

struct history {
    static constexpr unsigned most = 16;

    struct entry {
        operation what;
        unsigned thread;
        const void* block;      // the block that is put back
        unsigned begun, ended;  // times; 0: not yet
        std::size_t result;     // of a take: 1 if there was a block
    };

    std::array<entry, most> entries;
    unsigned count;
    unsigned time;  // of the last begin or end
    std::size_t capacity, available_at_first;

    /// Whether some order of the operations explains their results, without moving an operation past a later one.
    [[nodiscard]] bool is_explained() const {
        static std::array<std::uint64_t, (1u << most) / 64> tried;  // a set of sets of operations
        std::fill_n(tried.begin(), (1u << count) / 64 + 1, 0);
        return is_explained(0, available_at_first, tried.data());
    }

private:
    /// The same for the operations that are not in `done`. `available` blocks are left after those in `done`.
    bool is_explained(unsigned done, std::size_t available, std::uint64_t* tried) const {
        if (done == (1u << count) - 1) return true;
        if ((tried[done / 64] >> done % 64 & 1) != 0) return false;
        tried[done / 64] |= std::uint64_t{1} << done % 64;
        unsigned first_end = ~0u;  // of those left: an operation that begins later must wait
        for (unsigned i = 0; i < count; ++i)
            if ((done >> i & 1) == 0) first_end = std::min(first_end, entries[i].ended);
        for (unsigned i = 0; i < count; ++i) {
            const entry& e = entries[i];
            if ((done >> i & 1) != 0 || e.begun > first_end) continue;
            const bool fits = e.what == operation::take  ? (e.result != 0) == (available != 0)
                              : e.what == operation::put ? available != capacity
                                                         : e.result == available;
            if (!fits) continue;
            const std::size_t left = e.what == operation::take  ? available - (e.result != 0 ? 1 : 0)
                                     : e.what == operation::put ? available + 1
                                                                : available;
            if (is_explained(done | 1u << i, left, tried)) return true;
        }
        return false;
    }
};

}  // namespace interleavings
