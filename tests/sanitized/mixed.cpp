// SPDX-License-Identifier: BSL-1.0
// Compiled twice for one program, with and without AddressSanitizer. Each part has pools of its own type.
#include <fixpool/fixpool.hpp>

#include <cstdio>
#include <cstring>
#include <typeinfo>

namespace {

/// The name of this part's pools. Their blocks are used to the last byte.
const char* used_pool() {
    fixpool::memory_pool pool({13, 3});
    void* const first = std::memset(pool.allocate(), 1, 13);
    void* const second = std::memset(pool.allocate(), 1, 13);
    pool.deallocate(first);
    pool.deallocate(second);
    return pool.in_use() == 0 && pool.audit() ? typeid(pool).name() : "";
}

}  // namespace

#if defined(FIXPOOL_TEST_WATCHED)
const char* used_watched_pool() { return used_pool(); }
#else
const char* used_watched_pool();

int main() {
    const bool are_two = std::strcmp(used_pool(), used_watched_pool()) != 0;
    std::puts(are_two && *used_pool() != 0 && *used_watched_pool() != 0 ? "two types" : "one type");
}
#endif
