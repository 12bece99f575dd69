// SPDX-License-Identifier: BSL-1.0
// debug_bytes: the bytes that debug level fills and verifies. Sanitizers and Valgrind report any other access to them.
#pragma once

#include <fixpool/detail/debug_platform.hpp>

#include <cstddef>
#include <cstring>

namespace fixpool::inline FIXPOOL_ABI::detail {

// The values of Microsoft's debug heap, which many people recognise.
inline constexpr unsigned char filled_with = 0xdd;   // a freed block
inline constexpr unsigned char guarded_with = 0xfd;  // guard bytes

/// Fills bytes that only the pool may touch.
inline void paint(std::byte* at, std::size_t size, unsigned char with) noexcept {
    reveal(at, size);
    std::memset(at, with, size);
    hide(at, size);
}

/// The bytes that differ from the pattern.
struct other_bytes {
    std::size_t first = 0;  // offset in bytes
    std::size_t last = 0;
    unsigned char value = 0;  // of the first one
    bool any = false;
};

/// Finds the bytes that differ from the pattern `with`.
/// Requires: size is at least 1.
[[nodiscard]] inline other_bytes other_than(unsigned char with, const std::byte* at, std::size_t size) noexcept {
    other_bytes found;
    reveal(at, size);
    const auto is_other = [=](std::size_t i) { return at[i] != std::byte{with}; };
    found.any = is_other(0) || std::memcmp(at, at + 1, size - 1) != 0;
    if (found.any) {
        while (!is_other(found.first)) ++found.first;
        for (found.last = size - 1; !is_other(found.last);) --found.last;
        found.value = std::to_integer<unsigned char>(at[found.first]);
    }
    hide(at, size);
    return found;
}

}  // namespace fixpool::inline FIXPOOL_ABI::detail
