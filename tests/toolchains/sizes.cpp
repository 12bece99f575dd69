// SPDX-License-Identifier: BSL-1.0
// How large a pool is: each array below is as large as a pool. `nm` tells the sizes, so that nothing has to run.
#include <fixpool/memory_pool.hpp>
#include <fixpool/typed_pool.hpp>

using fixpool::checking;

extern "C" {
char memory_pool[sizeof(fixpool::memory_pool)];
char unchecked_memory_pool[sizeof(fixpool::basic_memory_pool<checking::unchecked>)];
char typed_pool[sizeof(fixpool::typed_pool<long>)];
char unchecked_typed_pool[sizeof(fixpool::typed_pool<long, checking::unchecked>)];
}
