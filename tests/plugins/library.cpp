// SPDX-License-Identifier: BSL-1.0
// The library: a plug-in that a host opens, or that it is linked with. LIBRARY_VERSION is 1, or 2 for a newer version.
#include "library.hpp"

#include "image.hpp"

#include <fixpool/pool_allocator.hpp>

#include <list>
#include <type_traits>
#include <vector>

/// Objects that only the library has. Those of the newer version are larger.
struct parcel {
    int numbers[LIBRARY_VERSION];
};

// All members of the pools, so that the library has all of their symbols.
template class fixpool::basic_memory_pool<fixpool::checking::checked>;
template class fixpool::basic_memory_pool<fixpool::checking::unchecked>;
template class fixpool::typed_pool<part>;
template class fixpool::typed_pool<parcel, fixpool::checking::unchecked>;
template class fixpool::shared_pool<part>;
template class fixpool::shared_pool<parcel, fixpool::checking::unchecked>;
template class fixpool::basic_pool_resource<fixpool::checking::checked>;
template class fixpool::basic_pool_resource<fixpool::checking::unchecked>;
template class fixpool::basic_block_resource<fixpool::checking::checked>;
template class fixpool::pool_allocator<parcel>;

namespace {

/// Tells when the library is unloaded.
struct farewell {
    void (*call)() = nullptr;
    ~farewell() {
        if (call != nullptr) call();
    }
};
farewell at_unload;

/// Takes all blocks of a pool, and gives them back. Returns their size in bytes.
template <class Pool> int bytes_of(Pool& pool) {
    std::vector<decltype(pool.allocate())> all;
    try {
        for (;;) all.push_back(pool.allocate());
    } catch (const fixpool::pool_exhausted&) {
    }
    if constexpr (std::is_same_v<Pool, fixpool::memory_pool>)
        for (void* const block : all) pool.deallocate(block);
    return static_cast<int>(all.size() * pool.block_size());
}

int fill_pools() {
    constexpr std::size_t blocks = 2 * LIBRARY_VERSION;
    std::vector<std::byte> lent(1000);
    fixpool::memory_pool raw({sizeof(parcel), blocks}, fixpool::arena::borrow(lent));
    fixpool::typed_pool<parcel> typed(blocks);
    fixpool::shared_pool<parcel> shared(blocks);
    fixpool::pool_resource resource;
    const std::list<parcel, fixpool::pool_allocator<parcel>> list(100, parcel(), &resource);
    std::size_t nodes = 0;
    resource.for_each_pool([&nodes](const fixpool::pool_stats& s) { nodes += s.in_use; });
    if (nodes != list.size()) return 0;
    return bytes_of(raw) + bytes_of(typed) + bytes_of(shared);
}

}  // namespace

const library plugin = {
    .version = LIBRARY_VERSION,
    .no_index = &fixpool::violation::npos,
    .fill_pools = &fill_pools,
    .when_unloaded = [](void (*call)()) { at_unload.call = call; },
    .keeps_handlers = &keeps_handlers,
    .listen = [] { fixpool::set_violation_handler(&listen); },
    .times_told = [] { return times_told; },
    .misuse_own = &misuse_own,
    .misuse_each = &misuse_each,
    .misuse = &misuse,
    .build =
        [] {
            return fixpool::memory_pool({16, 2});
        },
    .end = [](fixpool::memory_pool&& pool) { const fixpool::memory_pool ending(std::move(pool)); },
    .exhaust_raw = &exhaust_raw,
    .exhaust_typed = &exhaust_typed,
    .exhaust_shared = &exhaust_shared,
    .catches = &catches<fixpool::pool_exhausted>,
};
