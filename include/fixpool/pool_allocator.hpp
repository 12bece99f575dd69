// SPDX-License-Identifier: BSL-1.0
// pool_allocator: a standard allocator on a pool_resource, without the virtual call. Opt-in.
#pragma once

#include <fixpool/pool_resource.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI {

namespace detail {

/// Allocation and deallocation of objects of type T in a resource, for both allocators. The size class of a single
/// object is a compile-time constant.
template <class T, checking C> struct object_memory {
    /// Throws: std::bad_array_new_length if n objects exceed the address space; any exception of the resource.
    [[nodiscard]] static T* allocate(basic_pool_resource<C>& from, std::size_t n) {
        if (n == 1) return static_cast<T*>(from.template allocate_one<sizeof(T), alignof(T)>());
        if (n > max_bytes / sizeof(T)) raise_made<std::bad_array_new_length>();
        return static_cast<T*>(from.allocate(n * sizeof(T), alignof(T)));
    }
    static void deallocate(basic_pool_resource<C>& to, T* objects, std::size_t n) noexcept {
        if (n == 1) return to.template deallocate_one<sizeof(T), alignof(T)>(objects);
        to.deallocate(objects, n * sizeof(T), alignof(T));
    }
};

}  // namespace detail

/// A standard allocator on a pool_resource, for containers, std::allocate_shared and asio::bind_allocator. It stores
/// the resource's address. Two allocators are equal if they have the same resource.
///
/// As with std::pmr::polymorphic_allocator, assignment does not change a container's resource, and elements that take
/// an allocator get this one. Unlike there, the copy of a container uses the same resource.
///
/// The resource must outlive the memory allocated from it.
/// Thread safety: as its resource.
template <class T, checking C = checking::checked> class pool_allocator {
public:
    using value_type = T;  ///< the type of the objects
    /// The same allocator for objects of type U.
    template <class U> struct rebind {       // std::allocator_traits cannot rebind, as `C` is not a type
        using other = pool_allocator<U, C>;  ///< the allocator
    };

    /// An allocator on `resource`. Requires: `resource` is not nullptr.
    pool_allocator(basic_pool_resource<C>* resource) noexcept : resource_(resource) {}
    /// An allocator on the resource of `other`.
    template <class U> pool_allocator(const pool_allocator<U, C>& other) noexcept : resource_(other.resource()) {}

    /// Returns memory for n objects. Throws: std::bad_array_new_length if n is too large; any exception of the
    /// resource.
    /// Complexity: as the resource.
    [[nodiscard]] T* allocate(std::size_t n) { return detail::object_memory<T, C>::allocate(*resource_, n); }
    /// Gives back memory from `allocate(n)`. Misuse is a violation of the resource.
    /// Complexity: as the resource.
    void deallocate(T* objects, std::size_t n) noexcept {
        detail::object_memory<T, C>::deallocate(*resource_, objects, n);
    }

    /// Constructs a U of `args`. Passes this allocator, too, if U takes one.
    template <class U, class... Args> void construct(U* where, Args&&... args) {
        std::uninitialized_construct_using_allocator(where, *this, std::forward<Args>(args)...);
    }

    [[nodiscard]] basic_pool_resource<C>* resource() const noexcept { return resource_; }  ///< never nullptr
    /// Whether both have the same resource.
    template <class U> [[nodiscard]] bool operator==(const pool_allocator<U, C>& other) const noexcept {
        return resource_ == other.resource();
    }

private:
    basic_pool_resource<C>* resource_;
};

/// A standard allocator without state, for containers that construct their allocator themselves. `Resource` is the name
/// of a pool_resource with static storage duration. It must be constructed before its first use and destroyed after the
/// last. All allocators are equal. Objects are constructed as by std::allocator.
/// Thread safety: as its resource.
template <class T, auto& Resource> class static_pool_allocator {
    template <checking C> static std::integral_constant<checking, C> level_of(const basic_pool_resource<C>&);
    using memory = detail::object_memory<T, decltype(level_of(Resource))::value>;

public:
    using value_type = T;                    ///< the type of the objects
    using is_always_equal = std::true_type;  ///< all allocators are equal
    /// The same allocator for objects of type U.
    template <class U> struct rebind {
        using other = static_pool_allocator<U, Resource>;  ///< the allocator
    };

    /// An allocator on `Resource`.
    static_pool_allocator() noexcept = default;
    template <class U> static_pool_allocator(const static_pool_allocator<U, Resource>&) noexcept {}

    /// Returns memory for n objects.
    /// Throws: std::bad_array_new_length if n is too large; any exception of the resource.
    /// Complexity: as the resource.
    [[nodiscard]] T* allocate(std::size_t n) { return memory::allocate(Resource, n); }
    /// Gives back memory from `allocate(n)`. Misuse is a violation of the resource.
    /// Complexity: as the resource.
    void deallocate(T* objects, std::size_t n) noexcept { memory::deallocate(Resource, objects, n); }

    /// Always true.
    template <class U> [[nodiscard]] bool operator==(const static_pool_allocator<U, Resource>&) const noexcept {
        return true;
    }
};

}  // namespace fixpool::inline FIXPOOL_ABI
