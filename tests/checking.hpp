// SPDX-License-Identifier: BSL-1.0
// Pools that two translation units of one program make, each at its own level. Defined in checking_elsewhere.cpp.
#pragma once

#include <fixpool/fixpool.hpp>

std::size_t use_unchecked_elsewhere(fixpool::basic_memory_pool<fixpool::checking::unchecked>& pool);
fixpool::block<int, fixpool::checking::unchecked> make_unchecked_elsewhere(
    fixpool::typed_pool<int, fixpool::checking::unchecked>& pool, int value);
fixpool::violation_handler set_handler_elsewhere(fixpool::violation_handler handler);
