// SPDX-License-Identifier: BSL-1.0
// memory: where connections and buffers come from: shared_pools, or the heap with the same budget.
#pragma once

#include <fixpool/shared_pool.hpp>
#include <fixpool/stats.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

/// What a connection holds while a request is read and answered: 16 KiB. It is never cleared.
struct io_buffer {
    static constexpr std::size_t input_size = 12288;
    std::array<char, input_size> input;  // requests, as they came: head and body
    std::array<char, 4096> output;       // head of the answer, and generated text
};
static_assert(sizeof(io_buffer) == 16384);

/// At most `count` objects, in a shared_pool.
template <class T> class pool_store {
public:
    using handle = fixpool::shared_block<T>;

    pool_store(std::size_t count, const char* name) : pool_(count, {.name = name}) {}

    /// A T made from `arguments`; uninitialised if there are none. Empty if and only if `count` objects are in use.
    template <class... Arguments> [[nodiscard]] handle take(Arguments&... arguments) {
        if constexpr (sizeof...(Arguments) == 0) return pool_.try_allocate_for_overwrite();
        else return pool_.try_allocate(arguments...);
    }
    [[nodiscard]] fixpool::pool_stats stats() const { return pool_.stats(); }

private:
    fixpool::shared_pool<T> pool_;
};

/// At most `count` objects, each by `new`. The same interface.
template <class T> class heap_store {
    struct give_back {
        heap_store* store;
        void operator()(T* object) const noexcept {
            delete object;
            store->in_use_.fetch_sub(1, std::memory_order_release);
        }
    };

public:
    using handle = std::unique_ptr<T, give_back>;

    heap_store(std::size_t count, const char*) : count_(count) {}

    template <class... Arguments> [[nodiscard]] handle take(Arguments&... arguments) {
        std::size_t in_use = in_use_.load(std::memory_order_acquire);
        do {
            if (in_use == count_) {
                refused_.fetch_add(1, std::memory_order_relaxed);
                return handle(nullptr, give_back{this});
            }
        } while (!in_use_.compare_exchange_weak(in_use, in_use + 1, std::memory_order_acquire));
        for (std::size_t peak = peak_.load(std::memory_order_relaxed);
             peak <= in_use && !peak_.compare_exchange_weak(peak, in_use + 1, std::memory_order_relaxed);) {
        }
        if constexpr (sizeof...(Arguments) == 0) return handle(new T, give_back{this});
        else return handle(new T(arguments...), give_back{this});
    }
    [[nodiscard]] fixpool::pool_stats stats() const {
        const std::size_t in_use = in_use_.load(std::memory_order_relaxed);
        return {.total_blocks = count_,
                .in_use = in_use,
                .peak_in_use = peak_.load(std::memory_order_relaxed),
                .refused = refused_.load(std::memory_order_relaxed),
                .block_size = sizeof(T),
                .stride = sizeof(T),
                .arena_bytes = in_use * sizeof(T),
                .metadata_bytes = 0};
    }

private:
    const std::size_t count_;
    std::atomic<std::size_t> in_use_ = 0;
    std::atomic<std::size_t> peak_ = 0;
    std::atomic<std::size_t> refused_ = 0;
};

// The contenders of --memory.
struct pools {
    static constexpr bool keeps_buffers = false;  // a connection has a buffer only while a request is in flight
    template <class T> using store = pool_store<T>;
};
struct heap {
    static constexpr bool keeps_buffers = false;
    template <class T> using store = heap_store<T>;
};
struct keep {
    static constexpr bool keeps_buffers = true;  // each connection keeps its buffer as long as it lives
    template <class T> using store = heap_store<T>;
};
