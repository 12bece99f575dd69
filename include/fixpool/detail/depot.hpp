// SPDX-License-Identifier: BSL-1.0
// depot: what a shared pool keeps behind its mutex: the blocks that are in no magazine.
#pragma once

#include <fixpool/detail/list_batches.hpp>
#include <fixpool/memory_pool.hpp>

#include <cstddef>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// The pool that has all blocks, and counters. For its list, blocks in magazines are out.
template <checking C> struct depot {
    using free_list = typename list_for<C>::type;

    depot(pool_layout layout, arena&& memory, const pool_options& options) : pool(layout, std::move(memory), options) {}
    [[nodiscard]] free_list& list() noexcept { return pool.list_; }
    [[nodiscard]] list_batches<C> batches() noexcept { return list_batches<C>(list()); }
    [[nodiscard]] std::size_t spare() noexcept { return list().total() - list().out(); }  // blocks

    basic_memory_pool<C> pool;
    std::size_t kept = 0;       // blocks in closed slots: never handed out
    std::size_t open = 0;       // slots that are open
    std::size_t ever_out = 0;   // blocks that were ever handed out, or lie in a magazine and never were
    bool was_half_out = false;  // half of the carved blocks were out since the pool drained
    bool is_draining = false;   // no slot opens: the last block makes the list carve in order again
    std::size_t takes = 0;      // since then: after as many as a magazine has, the pool does not drain
    bool is_abandoned = false;  // the last copy of the pool is gone
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
