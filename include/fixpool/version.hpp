// SPDX-License-Identifier: BSL-1.0
// The library's version. CMake reads it from these lines.
#pragma once

/// The library's version is MAJOR.MINOR.PATCH.
#define FIXPOOL_VERSION_MAJOR 0
#define FIXPOOL_VERSION_MINOR 2
#define FIXPOOL_VERSION_PATCH 0
