// SPDX-License-Identifier: BSL-1.0
// The library as a C++20 module. It exports every public name of the core, but no macros.
module;

#include <fixpool/census.hpp>
#include <fixpool/fixpool.hpp>

export module fixpool;

export namespace fixpool {

using fixpool::arena;
using fixpool::basic_memory_pool;
using fixpool::basic_shared_memory_pool;
using fixpool::block;
using fixpool::census;
using fixpool::checking;
using fixpool::get_violation_handler;
using fixpool::holder;
using fixpool::keeps_sites;
using fixpool::knows_live_blocks;
using fixpool::lent_bytes;
using fixpool::memory_pool;
using fixpool::pool_exhausted;
using fixpool::pool_layout;
using fixpool::pool_options;
using fixpool::pool_stats;
using fixpool::release_status;
using fixpool::set_violation_handler;
using fixpool::shared_block;
using fixpool::shared_memory_pool;
using fixpool::shared_pool;
using fixpool::site;
using fixpool::typed_pool;
using fixpool::violation;
using fixpool::violation_handler;
using fixpool::violation_kind;

}  // namespace fixpool
