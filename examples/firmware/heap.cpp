// SPDX-License-Identifier: BSL-1.0
// heap: the memory of the C library's heap on the board. Only the firmware `heap` is linked with it.
#include "sample_block.hpp"

#include <array>
#include <cerrno>
#include <cstddef>

namespace {

// Per block, 8 bytes of the heap's own, which also align it.
alignas(8) std::array<std::byte, block_count*(sizeof(sample_block) + 8)> memory;
std::size_t used = 0;  // bytes

}  // namespace

/// newlib's malloc calls this for more memory.
extern "C" void* _sbrk(std::ptrdiff_t bytes) {
    if (static_cast<std::size_t>(bytes) > memory.size() - used) {
        errno = ENOMEM;
        return reinterpret_cast<void*>(-1);
    }
    void* const begin = memory.data() + used;
    used += static_cast<std::size_t>(bytes);
    return begin;
}
