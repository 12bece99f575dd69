// SPDX-License-Identifier: BSL-1.0
// system_policy: fixes what the system's allocator does with free memory, for measurements.
#pragma once

#if defined(__GLIBC__)
#include <malloc.h>
#endif

/// What glibc's malloc does with free memory at the end of the heap depends on earlier releases. This fixes it to
/// glibc's initial thresholds: memory beyond them goes back to the system. With `keeps`, malloc keeps all memory.
inline void set_system_policy([[maybe_unused]] bool keeps) {
#if defined(__GLIBC__)
    constexpr int initial = 128 * 1024;  // bytes, both
    constexpr int most = 1 << 30;
    ::mallopt(M_TRIM_THRESHOLD, keeps ? most : initial);
    ::mallopt(M_MMAP_THRESHOLD, keeps ? 32 << 20 : initial);
#endif
}
