// SPDX-License-Identifier: BSL-1.0
// system_policy: what the system's allocator does with free memory, pinned down for measurements.
#pragma once

#if defined(__GLIBC__)
#include <malloc.h>
#endif

/// What glibc's malloc does with free memory at the heap's end depends on what the process released before. This pins it
/// down: to glibc's initial thresholds, past which memory goes back to the system, or, with `keeps`, to keeping all of it.
inline void set_system_policy([[maybe_unused]] bool keeps) {
#if defined(__GLIBC__)
    constexpr int initial = 128 * 1024;  // bytes, both
    constexpr int most = 1 << 30;
    ::mallopt(M_TRIM_THRESHOLD, keeps ? most : initial);
    ::mallopt(M_MMAP_THRESHOLD, keeps ? 32 << 20 : initial);
#endif
}
