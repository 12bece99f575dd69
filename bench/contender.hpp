// SPDX-License-Identifier: BSL-1.0
// contender: what suite and latency compare. A contender puts a block that holds a number into a slot, and takes it out again.
#pragma once

#include <fixpool/memory_pool.hpp>
#include <fixpool/typed_pool.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <memory_resource>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../examples/system_policy.hpp"
#include "private_library.hpp"
#include "workload.hpp"

#if __has_include(<boost/pool/pool.hpp>)
#include <boost/pool/pool.hpp>
#define FIXPOOL_BENCH_BOOST
#endif
#if defined(FIXPOOL_BENCH_FOONATHAN)
#include <foonathan/memory/memory_pool.hpp>
#endif

using fixpool::checking;

/// An object of `Size` bytes that holds a number.
template <std::size_t Size> struct object {
    explicit object(std::uint64_t n) noexcept : number(n) {}
    std::uint64_t number;
    std::byte rest[Size - sizeof(number)];
};
template <> struct object<sizeof(std::uint64_t)> {
    explicit object(std::uint64_t n) noexcept : number(n) {}
    std::uint64_t number;
};

/// A contender with raw blocks: it constructs the number in the block. `Memory` is constructed from a workload, and has
/// `allocate` and `deallocate`.
template <class Memory> class raw {
public:
    using slot = void*;

    template <class... From>
    explicit raw(const workload& w, From&&... from) : memory_(w, std::forward<From>(from)...) {}

    void put(slot& where, std::uint64_t number) { where = ::new (memory_.allocate()) std::uint64_t(number); }
    std::uint64_t take(slot& where) {
        const std::uint64_t number = *static_cast<std::uint64_t*>(where);
        memory_.deallocate(where);
        return number;
    }

private:
    Memory memory_;
};

/// No allocator: the same loads and stores, in one fixed block per slot.
class floor_of_all {
public:
    using slot = void*;

    explicit floor_of_all(const workload& w) : size_(w.block_size), blocks_(w.block_size * w.slots) {}

    void put(slot& where, std::uint64_t number) {
        where = ::new (blocks_.data() + number * size_) std::uint64_t(number);
    }
    std::uint64_t take(slot& where) { return *static_cast<std::uint64_t*>(where); }

private:
    std::size_t size_;
    std::vector<std::byte> blocks_;
};

template <checking C> class pool_memory {
public:
    explicit pool_memory(const workload& w) : pool_({.block_size = w.block_size, .block_count = w.peak}) {}
    void* allocate() { return pool_.allocate(); }
    void deallocate(void* block) { pool_.deallocate(block); }

private:
    fixpool::basic_memory_pool<C> pool_;
};

template <bool Keeps> class system_memory {
public:
    explicit system_memory(const workload& w) : size_(w.block_size) { set_system_policy(Keeps); }
    void* allocate() { return ::operator new(size_); }
    void deallocate(void* block) { ::operator delete(block); }

private:
    std::size_t size_;
};

class library_memory {
public:
    library_memory(const workload& w, const private_library& library) : calls_(library.calls()), size_(w.block_size) {}
    void* allocate() { return calls_.allocate(size_); }
    void deallocate(void* block) { calls_.deallocate(block); }

private:
    private_library::functions calls_;
    std::size_t size_;
};

#if defined(FIXPOOL_BENCH_BOOST)
class boost_memory {
public:
    explicit boost_memory(const workload& w) : pool_(w.block_size, w.peak) {}
    void* allocate() { return pool_.malloc(); }
    void deallocate(void* block) { pool_.free(block); }

private:
    boost::pool<> pool_;
};
#endif

#if defined(FIXPOOL_BENCH_FOONATHAN)
class foonathan_memory {
    using pool = foonathan::memory::memory_pool<>;

public:
    explicit foonathan_memory(const workload& w) : pool_(w.block_size, pool::min_block_size(w.block_size, w.peak)) {}
    void* allocate() { return pool_.allocate_node(); }
    void deallocate(void* block) { pool_.deallocate_node(block); }

private:
    pool pool_;
};
#endif

class pmr_memory {
public:
    explicit pmr_memory(const workload& w) : size_(w.block_size) {}
    void* allocate() { return pool_.allocate(size_); }
    void deallocate(void* block) { pool_.deallocate(block, size_); }

private:
    std::pmr::unsynchronized_pool_resource pool_;
    std::size_t size_;
};

template <std::size_t Size, checking C> class typed {
public:
    using slot = fixpool::block<object<Size>, C>;

    explicit typed(const workload& w) : pool_(w.peak) {}
    void put(slot& where, std::uint64_t number) { where = pool_.allocate(number); }
    std::uint64_t take(slot& where) {
        const std::uint64_t number = where->number;
        where.reset();
        return number;
    }

private:
    fixpool::typed_pool<object<Size>, C> pool_;
};

/// The checked pool, in a program that keeps the pool's address beside each block, as handles do.
class carried {
public:
    struct slot {
        fixpool::memory_pool* owner;
        void* block;
    };

    explicit carried(const workload& w) : pool_({.block_size = w.block_size, .block_count = w.peak}) {}
    void put(slot& where, std::uint64_t number) { where = {&pool_, ::new (pool_.allocate()) std::uint64_t(number)}; }
    std::uint64_t take(slot& where) {
        const std::uint64_t number = *static_cast<std::uint64_t*>(where.block);
        where.owner->deallocate(where.block);
        return number;
    }

private:
    fixpool::memory_pool pool_;
};

template <std::size_t Size> class unique {
public:
    using slot = std::unique_ptr<object<Size>>;

    explicit unique(const workload&) {}
    void put(slot& where, std::uint64_t number) { where = std::make_unique<object<Size>>(number); }
    std::uint64_t take(slot& where) {
        const std::uint64_t number = where->number;
        where.reset();
        return number;
    }
};

using named_library = std::pair<std::string, private_library>;

/// Adds another malloc, if it is installed. Prints to standard error which file it is, or what is missing.
inline void load_library(std::vector<named_library>& loaded, const char* name, const char* file,
                         const char* malloc_name, const char* free_name) {
    try {
        loaded.emplace_back(name, private_library(file, malloc_name, free_name));
        std::fprintf(stderr, "%s: %s\n", name, loaded.back().second.file().c_str());
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s is left out: %s\n", name, error.what());
    }
}

/// The other mallocs that are installed. Prints to standard error which file each of them is, which are missing, and which
/// library serves the program's operator new.
/// Throws: std::runtime_error if operator new is not the system's.
inline std::vector<named_library> load_libraries() {
    std::vector<named_library> loaded;
    load_library(loaded, "mimalloc", "libmimalloc.so.2", "mi_malloc", "mi_free");
    load_library(loaded, "jemalloc", "libjemalloc.so.2", "malloc", "free");
    load_library(loaded, "tcmalloc", "libtcmalloc_minimal.so.4", "tc_malloc", "tc_free");
#if !defined(FIXPOOL_BENCH_BOOST)
    std::fputs("boost is left out: boost/pool/pool.hpp was not found when this was built\n", stderr);
#endif
#if !defined(FIXPOOL_BENCH_FOONATHAN)
    std::fputs("foonathan is left out: its CMake package was not found when this was built\n", stderr);
#endif
    expect_system_new();
    return loaded;
}
