// SPDX-License-Identifier: BSL-1.0
// object: the layout, construction and destruction of a T. Its calls never find a function in T's namespace.
#pragma once

#include <fixpool/layout.hpp>

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI::detail {

template <class T>
concept complete = sizeof(T) != 0;

/// The layout of `block_count` blocks of T. A T that cannot be pooled does not compile, and the error says why.
template <class T> [[nodiscard]] constexpr pool_layout layout_for(std::size_t block_count) noexcept {
    static_assert(!std::is_function_v<T>, "fixpool: T is a function: pool a function pointer or a function object");
    static_assert(!std::is_void_v<T>, "fixpool: T is void: use memory_pool for raw blocks");
    static_assert(!std::is_array_v<T>, "fixpool: T is an array: pool a std::array or a struct that holds it");
    static_assert(std::is_same_v<T, std::remove_cv_t<T>>, "fixpool: T is const or volatile: pool the plain type");
    static_assert(!std::is_object_v<T> || complete<T>,
                  "fixpool: T is incomplete: define it before a pool of it is built");
    if constexpr (std::is_object_v<T> && !std::is_array_v<T> && complete<T>) {
        static_assert(!std::is_abstract_v<T>, "fixpool: T is abstract: pool the classes that derive from it");
        static_assert(std::is_nothrow_destructible_v<T>, "fixpool: T's destructor may throw, or cannot be called");
        return pool_layout::of<T>(block_count);
    } else {
        return {};  // one of the assertions failed
    }
}

/// Bytes from one T to the next, with at least `Gap` between them. This may exceed sizeof(T) even without a gap: the
/// size of an over-aligned enumeration, and of no other type, is no multiple of its alignment.
template <class T, std::size_t Gap>
inline constexpr std::size_t stride_of = checked_stride(pool_layout::of<T>(1), Gap).stride;

/// Passed in the place of arguments: default-initialise the T.
struct for_overwrite {};

FIXPOOL_CALLERS_BEGIN
/// Constructs an object at `where`, as T(args...). With for_overwrite it default-initialises the object. Clang before
/// 16 cannot initialise aggregates with parentheses. Braces do it there, and refuse narrowing arguments.
template <class T, class... Args> [[nodiscard]] T* construct(void* where, Args&&... args) {
    constexpr bool overwrites = std::is_same_v<void(Args...), void(for_overwrite)>;
    if constexpr (overwrites && std::is_default_constructible_v<T>) {
        return ::new (where) T;
    } else if constexpr (!overwrites && std::is_constructible_v<T, Args...>) {
        return ::new (where) T(std::forward<Args>(args)...);
    } else if constexpr (!overwrites && std::is_aggregate_v<T> && requires { T{std::forward<Args>(args)...}; }) {
        return ::new (where) T{std::forward<Args>(args)...};
    } else {
        static_assert(!complete<T>, "fixpool: T cannot be constructed from these arguments");
    }
}

/// Destroys an object whose exact type is T. T may be polymorphic without a virtual destructor.
template <class T> void destroy(T& object) noexcept { object.T::~T(); }
FIXPOOL_CALLERS_END

}  // namespace fixpool::inline FIXPOOL_ABI::detail
