// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>

/// Uses a raw and a typed pool, and returns how many of their four blocks are available while one is held.
std::size_t use_pools_without_exceptions();
