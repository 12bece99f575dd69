// SPDX-License-Identifier: BSL-1.0
// Blocks of a memory resource, many at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <vector>

/// An address that may be nobody's, so not computed by pointer arithmetic.
inline void* at(const void* from, std::ptrdiff_t offset) {
    return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(from) + static_cast<std::uintptr_t>(offset));
}

inline std::vector<void*> take(std::pmr::memory_resource& from, std::size_t count, std::size_t bytes,
                               std::size_t align = 8) {
    std::vector<void*> blocks(count);
    for (void*& block : blocks) block = from.allocate(bytes, align);
    return blocks;
}

inline void put(std::pmr::memory_resource& to, const std::vector<void*>& blocks, std::size_t bytes,
                std::size_t align = 8) {
    for (void* const block : blocks) to.deallocate(block, bytes, align);
}
