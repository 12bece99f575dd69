// SPDX-License-Identifier: BSL-1.0
// memory_pool.hpp must include nothing that is slow to compile. libstdc++'s headers are known by their include guards.
#include <fixpool/memory_pool.hpp>

#if defined(_GLIBCXX_MUTEX) || defined(_GLIBCXX_MEMORY) || defined(_GLIBCXX_IOSTREAM) ||                \
    defined(_GLIBCXX_MEMORY_RESOURCE) || defined(_GLIBCXX_FUNCTIONAL) || defined(_GLIBCXX_ALGORITHM) || \
    defined(_GLIBCXX_THREAD)
#error "memory_pool.hpp includes what is dear to compile"
#endif

#include <algorithm>
#include <functional>
#include <iostream>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <thread>

#if defined(__GLIBCXX__) && !(defined(_GLIBCXX_MUTEX) && defined(_GLIBCXX_MEMORY) && defined(_GLIBCXX_IOSTREAM) && \
                              defined(_GLIBCXX_MEMORY_RESOURCE) && defined(_GLIBCXX_FUNCTIONAL) &&                 \
                              defined(_GLIBCXX_ALGORITHM) && defined(_GLIBCXX_THREAD))
#error "libstdc++ guards its headers by other macros now"
#endif
