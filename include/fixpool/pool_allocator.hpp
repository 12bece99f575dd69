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

/// What both allocators do: a resource's allocate and deallocate for objects of type T, with the size class of one
/// object known when the program is compiled.
template <class T, checking C> struct object_memory {
    /// Throws: std::bad_array_new_length if n objects are more than memory can hold; what the resource throws.
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

/// A standard allocator that takes its memory from a pool_resource, for containers, std::allocate_shared and
/// asio::bind_allocator. It is the resource's address: two are equal if their resource is the same. As with
/// std::pmr::polymorphic_allocator, a container keeps its resource when it is assigned, and elements that take an
/// allocator are constructed with this one. Unlike there, the copy of a container has the same resource.
/// The resource must outlive what was allocated. Thread safety: that of its resource.
template <class T, checking C = checking::checked> class pool_allocator {
public:
    using value_type = T;
    template <class U> struct rebind {  // std::allocator_traits finds none where a parameter is no type
        using other = pool_allocator<U, C>;
    };

    /// Requires: `resource` is not nullptr.
    pool_allocator(basic_pool_resource<C>* resource) noexcept : resource_(resource) {}
    template <class U> pool_allocator(const pool_allocator<U, C>& other) noexcept : resource_(other.resource()) {}

    /// Memory for n objects, aligned for them. Throws: std::bad_array_new_length; what the resource throws.
    /// Complexity: that of the resource.
    [[nodiscard]] T* allocate(std::size_t n) { return detail::object_memory<T, C>::allocate(*resource_, n); }
    /// Gives back what `allocate(n)` returned. Misuse is a violation, as in the resource.
    void deallocate(T* objects, std::size_t n) noexcept {
        detail::object_memory<T, C>::deallocate(*resource_, objects, n);
    }

    /// Makes a U of `args`, and of this allocator if U takes one.
    template <class U, class... Args> void construct(U* where, Args&&... args) {
        std::uninitialized_construct_using_allocator(where, *this, std::forward<Args>(args)...);
    }

    [[nodiscard]] basic_pool_resource<C>* resource() const noexcept { return resource_; }
    template <class U> [[nodiscard]] bool operator==(const pool_allocator<U, C>& other) const noexcept {
        return resource_ == other.resource();
    }

private:
    basic_pool_resource<C>* resource_;
};

/// The same without a state, for containers that make their allocator themselves: `Resource` is the name of a
/// pool_resource with static storage duration. It is constructed before its first use, and destroyed after the last.
/// Any two are equal. Objects are constructed as std::allocator does.
template <class T, auto& Resource> class static_pool_allocator {
    template <checking C> static std::integral_constant<checking, C> level_of(const basic_pool_resource<C>&);
    using memory = detail::object_memory<T, decltype(level_of(Resource))::value>;

public:
    using value_type = T;
    using is_always_equal = std::true_type;
    template <class U> struct rebind { using other = static_pool_allocator<U, Resource>; };

    static_pool_allocator() noexcept = default;
    template <class U> static_pool_allocator(const static_pool_allocator<U, Resource>&) noexcept {}

    /// As in pool_allocator.
    [[nodiscard]] T* allocate(std::size_t n) { return memory::allocate(Resource, n); }
    void deallocate(T* objects, std::size_t n) noexcept { memory::deallocate(Resource, objects, n); }

    template <class U> [[nodiscard]] bool operator==(const static_pool_allocator<U, Resource>&) const noexcept {
        return true;
    }
};

}  // namespace fixpool::inline FIXPOOL_ABI
