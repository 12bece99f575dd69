// SPDX-License-Identifier: BSL-1.0
// The size of each pool. Each array below is as large as a pool, without the blocks of a static pool. `nm` tells the
// sizes, so nothing must run.
#include <fixpool/memory_pool.hpp>
#include <fixpool/static_pool.hpp>
#include <fixpool/typed_pool.hpp>

using fixpool::checking;

extern "C" {
char memory_pool[sizeof(fixpool::memory_pool)];
char unchecked_memory_pool[sizeof(fixpool::basic_memory_pool<checking::unchecked>)];
char typed_pool[sizeof(fixpool::typed_pool<long>)];
char static_pool_of_16[sizeof(fixpool::static_pool<long, 16>) - 16 * sizeof(long)];
char unchecked_typed_pool[sizeof(fixpool::typed_pool<long, checking::unchecked>)];
}
