// SPDX-License-Identifier: BSL-1.0
// contenders: memories for a program's containers. README.md describes each of them.
#pragma once

#include <fixpool/pool_allocator.hpp>
#include <fixpool/pool_resource.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <new>
#include <stdexcept>
#include <type_traits>

#include "../private_library.hpp"
#include "phases.hpp"

#if defined(FIXPOOL_BENCH_BOOST_CONTAINER)
#include <boost/container/pmr/memory_resource.hpp>
#include <boost/container/pmr/polymorphic_allocator.hpp>
#include <boost/container/pmr/unsynchronized_pool_resource.hpp>
#endif

// A memory gives allocators to containers: `allocator<T>` is their type, `get<T>()` makes one. `end_round` is called while
// nothing is live. A memory has a default constructor, and lives for all rounds of a process.

/// operator new and delete, by std::allocator.
class system_memory {
public:
    template <class T> using allocator = std::allocator<T>;
    template <class T> [[nodiscard]] allocator<T> get() { return {}; }
    void end_round() {}
};

/// mimalloc's functions; null until it is loaded.
inline private_library::functions mimalloc_calls{};

/// Throws: std::runtime_error if mimalloc is not installed.
inline void load_mimalloc() { mimalloc_calls = private_library("libmimalloc.so.2", "mi_malloc", "mi_free").calls(); }

inline void* allocate_by_mimalloc(std::size_t bytes, std::size_t alignment) {
    if (alignment > alignof(std::max_align_t)) throw std::logic_error("no workload aligns further than malloc");
    void* const block = mimalloc_calls.allocate(bytes);
    if (block == nullptr) throw std::bad_alloc();
    return block;
}

template <class T> class mimalloc_allocator {
public:
    using value_type = T;
    mimalloc_allocator() = default;
    template <class U> mimalloc_allocator(const mimalloc_allocator<U>&) noexcept {}  // rebinds
    [[nodiscard]] T* allocate(std::size_t n) {
        return static_cast<T*>(allocate_by_mimalloc(n * sizeof(T), alignof(T)));
    }
    void deallocate(T* block, std::size_t) noexcept { mimalloc_calls.deallocate(block); }
    friend bool operator==(mimalloc_allocator, mimalloc_allocator) { return true; }
};

class mimalloc_memory {
public:
    template <class T> using allocator = mimalloc_allocator<T>;
    template <class T> [[nodiscard]] allocator<T> get() { return {}; }
    void end_round() {}
};

/// mimalloc, by std::pmr.
class mimalloc_resource final : public std::pmr::memory_resource {
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        return allocate_by_mimalloc(bytes, alignment);
    }
    void do_deallocate(void* block, std::size_t, std::size_t) override { mimalloc_calls.deallocate(block); }
    [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

/// operator new and delete, by std::pmr.
class system_resource_memory {
public:
    template <class T> using allocator = std::pmr::polymorphic_allocator<T>;
    template <class T> [[nodiscard]] allocator<T> get() { return resource(); }
    [[nodiscard]] static std::pmr::memory_resource* resource() { return opaque(std::pmr::new_delete_resource()); }
    void end_round() {}
};

/// A resource of std or fixpool, by virtual calls.
template <class Resource> class resource_memory {
public:
    template <class T> using allocator = std::pmr::polymorphic_allocator<T>;
    template <class T> [[nodiscard]] allocator<T> get() { return resource(); }
    [[nodiscard]] std::pmr::memory_resource* resource() {
        return opaque(static_cast<std::pmr::memory_resource*>(&resource_));
    }
    void end_round() {
        if constexpr (std::is_same_v<Resource, std::pmr::monotonic_buffer_resource>) resource_.release();
    }

private:
    Resource resource_;
};

#if defined(FIXPOOL_BENCH_BOOST_CONTAINER)
/// Boost.Container's pool resource, by its own allocator.
class boost_memory {
public:
    template <class T> using allocator = boost::container::pmr::polymorphic_allocator<T>;
    template <class T> [[nodiscard]] allocator<T> get() { return allocator<T>(resource()); }
    [[nodiscard]] boost::container::pmr::memory_resource* resource() {
        return opaque(static_cast<boost::container::pmr::memory_resource*>(&resource_));
    }
    void end_round() {}

private:
    boost::container::pmr::unsynchronized_pool_resource resource_;
};
#endif

/// fixpool's resource, without virtual calls.
template <fixpool::checking C> class pool_memory {
public:
    template <class T> using allocator = fixpool::pool_allocator<T, C>;
    template <class T> [[nodiscard]] allocator<T> get() { return allocator<T>(opaque(&resource_)); }
    void end_round() {}

private:
    fixpool::basic_pool_resource<C> resource_;
};
