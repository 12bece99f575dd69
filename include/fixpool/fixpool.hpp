// SPDX-License-Identifier: BSL-1.0
// The core of the library: raw, typed and shared pools. This header only has includes.
#pragma once

#include <fixpool/arena.hpp>
#include <fixpool/block.hpp>
#include <fixpool/checking.hpp>
#include <fixpool/debug.hpp>
#include <fixpool/exhausted.hpp>
#include <fixpool/layout.hpp>
#include <fixpool/memory_pool.hpp>
#include <fixpool/options.hpp>
#include <fixpool/release_status.hpp>
#include <fixpool/shared_memory_pool.hpp>
#include <fixpool/shared_pool.hpp>
#include <fixpool/stats.hpp>
#include <fixpool/typed_pool.hpp>
#include <fixpool/version.hpp>
#include <fixpool/violation.hpp>
