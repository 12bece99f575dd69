// SPDX-License-Identifier: BSL-1.0
// debug_pages: the level checking::debug, for growing pools and resources. Opt-in. Includes only.
#pragma once

#include <fixpool/detail/debug_frame.hpp>
