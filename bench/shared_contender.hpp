// SPDX-License-Identifier: BSL-1.0
// shared_contender: what threads.cpp compares; all threads use one contender. `put` allocates a block with a number into
// a slot, or returns false if there is none. `take` reads the number and releases the block.
#pragma once

#include <fixpool/shared_memory_pool.hpp>
#include <fixpool/shared_pool.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "contender.hpp"
#include "workload.hpp"

#if __has_include(<boost/lockfree/detail/freelist.hpp>)
#include <boost/align/aligned_allocator.hpp>
#include <boost/lockfree/detail/freelist.hpp>
#define FIXPOOL_BENCH_LOCKFREE
#endif

constexpr std::size_t shared_block_size = 64;  // bytes
using shared_object = object<shared_block_size>;

/// A contender with raw blocks: it constructs the number in the block. `Memory::allocate` returns nullptr if there is no
/// block left.
template <class Memory> class shared_raw {
public:
    using slot = void*;

    template <class... From> explicit shared_raw(const workload& w, const From&... from) : memory_(w, from...) {}

    bool put(slot& where, std::uint64_t number) {
        void* const block = memory_.allocate();
        if (block == nullptr) return false;
        where = ::new (block) std::uint64_t(number);
        return true;
    }
    std::uint64_t take(slot& where) {
        const std::uint64_t number = *static_cast<std::uint64_t*>(where);
        memory_.deallocate(where);
        return number;
    }

private:
    Memory memory_;
};

class shared_typed {
public:
    using slot = fixpool::shared_block<shared_object>;

    explicit shared_typed(const workload& w, fixpool::pool_options options = {}) : pool_(w.peak, options) {}

    bool put(slot& where, std::uint64_t number) {
        where = pool_.try_allocate(number);
        return where != nullptr;
    }
    std::uint64_t take(slot& where) {
        const std::uint64_t number = where->number;
        where.reset();
        return number;
    }

private:
    fixpool::shared_pool<shared_object> pool_;
};

class shared_pool_memory {
public:
    explicit shared_pool_memory(const workload& w)
        : pool_(fixpool::pool_layout{.block_size = w.block_size, .block_count = w.peak}) {}
    void* allocate() { return pool_.try_allocate(); }
    void deallocate(void* block) { pool_.deallocate(block); }

private:
    fixpool::shared_memory_pool pool_;
};

/// The obvious solution: a mutex, a list of free blocks, and a shared_ptr to the pool in every handle.
class baseline {
    class state {
    public:
        explicit state(const workload& w) : blocks_(w.peak * w.block_size) {
            for (std::size_t i = w.peak; i > 0; --i) free_.push_back(blocks_.data() + (i - 1) * w.block_size);
        }
        void* allocate() {
            const std::lock_guard lock(mutex_);
            if (free_.empty()) return nullptr;
            void* const block = free_.back();
            free_.pop_back();
            return block;
        }
        void deallocate(void* block) {
            const std::lock_guard lock(mutex_);
            free_.push_back(block);
        }

    private:
        std::mutex mutex_;
        std::vector<std::byte> blocks_;
        std::vector<void*> free_;
    };

public:
    struct slot {
        std::shared_ptr<state> owner;
        shared_object* block = nullptr;
    };

    explicit baseline(const workload& w) : state_(std::make_shared<state>(w)) {}

    bool put(slot& where, std::uint64_t number) {
        void* const block = state_->allocate();
        if (block == nullptr) return false;
        where = {state_, ::new (block) shared_object(number)};
        return true;
    }
    std::uint64_t take(slot& where) {
        const std::uint64_t number = where.block->number;
        where.owner->deallocate(where.block);
        where = {};
        return number;
    }

private:
    std::shared_ptr<state> state_;
};

#if defined(FIXPOOL_BENCH_LOCKFREE)
/// The node list of boost::lockfree's stack and queue: a bounded freelist_stack, with their allocator. It is not public:
/// the public members hand over values, not blocks.
class lockfree_memory {
public:
    explicit lockfree_memory(const workload& w) : nodes_(allocator(), w.peak) {}
    void* allocate() { return nodes_.construct<true, true>(std::uint64_t{0}); }  // thread-safe, bounded
    void deallocate(void* block) { nodes_.destruct<true>(static_cast<shared_object*>(block)); }

private:
    using allocator = boost::alignment::aligned_allocator<shared_object, BOOST_LOCKFREE_CACHELINE_BYTES>;
    boost::lockfree::detail::freelist_stack<shared_object, allocator> nodes_;
};
#endif

class synchronized_memory {
public:
    explicit synchronized_memory(const workload& w) : size_(w.block_size) {}
    void* allocate() { return pool_.allocate(size_); }
    void deallocate(void* block) { pool_.deallocate(block, size_); }

private:
    std::pmr::synchronized_pool_resource pool_;
    std::size_t size_;
};
