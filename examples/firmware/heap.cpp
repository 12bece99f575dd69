// SPDX-License-Identifier: BSL-1.0
// heap: the memory that the C library's heap has on the board. Only the firmware `heap` is linked with it.
#include "sample_block.hpp"

#include <array>
#include <cerrno>
#include <cstddef>

namespace {

// For each block 8 bytes of the heap's own, which are also what aligns it.
alignas(8) std::array<std::byte, block_count*(sizeof(sample_block) + 8)> memory;
std::size_t used = 0;  // bytes

}  // namespace

/// What newlib's malloc asks for more memory.
extern "C" void* _sbrk(std::ptrdiff_t bytes) {
    if (static_cast<std::size_t>(bytes) > memory.size() - used) {
        errno = ENOMEM;
        return reinterpret_cast<void*>(-1);
    }
    void* const begin = memory.data() + used;
    used += static_cast<std::size_t>(bytes);
    return begin;
}
