// SPDX-License-Identifier: BSL-1.0
// depot: what a shared pool keeps behind its mutex: the blocks that are in no thread's magazine.
#pragma once

#include <fixpool/detail/list_batches.hpp>
#include <fixpool/memory_pool.hpp>

#include <cstddef>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// The pool that owns all blocks, and counters. Its list counts the blocks in magazines as out.
template <checking C> struct depot {
    using free_list = typename list_for<C>::type;

    depot(pool_layout layout, arena&& memory, const pool_options& options) : pool(layout, std::move(memory), options) {}
    [[nodiscard]] free_list& list() noexcept { return pool.list_; }
    [[nodiscard]] list_batches<C> batches() noexcept { return list_batches<C>(list()); }
    [[nodiscard]] std::size_t spare() noexcept { return list().total() - list().out(); }  // blocks

    basic_memory_pool<C> pool;
    std::size_t kept = 0;       // blocks in closed slots, which were never handed out
    std::size_t open = 0;       // slots that are open
    std::size_t ever_out = 0;   // blocks that were ever handed out, and fresh ones in magazines
    bool was_half_out = false;  // whether half of the carved blocks were out since the pool last drained
    bool is_draining = false;   // no slot opens; when the last block is back, the list carves in order again
    std::size_t takes = 0;      // allocations since draining began; more than magazine_plan::size end it
    bool is_abandoned = false;  // the last copy of the pool is gone
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
