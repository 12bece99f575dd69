// SPDX-License-Identifier: BSL-1.0
// The library's version. CMake reads it from these lines.
#pragma once

/// First number of the library's version MAJOR.MINOR.PATCH.
#define FIXPOOL_VERSION_MAJOR 0
/// Second number of the version.
#define FIXPOOL_VERSION_MINOR 2
/// Third number of the version.
#define FIXPOOL_VERSION_PATCH 0
