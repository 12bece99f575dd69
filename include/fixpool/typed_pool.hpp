// SPDX-License-Identifier: BSL-1.0
// typed_pool: objects of one type, each in a block of a memory_pool, each owned by a block<T>.
#pragma once

#include <fixpool/block.hpp>
#include <fixpool/memory_pool.hpp>

#include <cstddef>
#include <type_traits>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI {

namespace detail {

template <class T>
concept complete = requires {
    sizeof(T);
};

/// The layout of `block_count` blocks of T. Refuses, in words, a T that cannot be pooled.
template <class T> [[nodiscard]] constexpr pool_layout layout_for(std::size_t block_count) noexcept {
    static_assert(!std::is_function_v<T>, "fixpool: T is a function: pool a function pointer or a function object");
    static_assert(!std::is_void_v<T>, "fixpool: T is void: use memory_pool for raw blocks");
    static_assert(!std::is_array_v<T>, "fixpool: T is an array: pool a std::array or a struct that holds it");
    static_assert(!std::is_const_v<T> && !std::is_volatile_v<T>,
                  "fixpool: T is const or volatile: pool the plain type");
    static_assert(!std::is_object_v<T> || complete<T>,
                  "fixpool: T is incomplete: define it before a pool of it is built");
    if constexpr (std::is_object_v<T> && !std::is_array_v<T> && complete<T>) {
        static_assert(!std::is_abstract_v<T>, "fixpool: T is abstract: pool the classes that derive from it");
        static_assert(std::is_nothrow_destructible_v<T>, "fixpool: T's destructor may throw, or cannot be called");
        return {sizeof(T), block_count, alignof(T)};
    } else {
        return {};  // never: something was asserted
    }
}

FIXPOOL_CALLERS_BEGIN
/// An object made of `args` at `where`: by parentheses where they construct, else by braces
/// (aggregates, before clang 16).
template <class T, class... Args> [[nodiscard]] T* construct(void* where, Args&&... args) {
    if constexpr (std::is_constructible_v<T, Args...>) {
        return ::new (where) T(std::forward<Args>(args)...);
    } else {
        return ::new (where) T{std::forward<Args>(args)...};
    }
}
FIXPOOL_CALLERS_END

}  // namespace detail

/// A pool of `total_blocks()` objects of type T, which are constructed in place and owned
/// by a block<T>. T need be neither copyable nor movable; its constructor and destructor
/// may use this very pool. The pool outlives its blocks: they know its address, so it is
/// neither copied nor moved.
/// Thread safety: one thread at a time.
template <class T, checking C = checking::checked> class typed_pool {
    static_assert(!std::is_reference_v<T>, "fixpool: T is a reference: pool the type it refers to, or a pointer");
    using free_list = detail::free_list<C>;

public:
    /// A pool on memory from `operator new`. Throws: as the constructors of memory_pool.
    explicit typed_pool(std::size_t block_count, pool_options options = {})
        : typed_pool(block_count, arena::heap(), options) {}

    /// A pool on `memory`, which it takes over. Throws: as the constructors of memory_pool.
    typed_pool(std::size_t block_count, arena memory, pool_options options = {})
        : pool_(detail::layout_for<T>(block_count), std::move(memory), options) {}

    typed_pool(const typed_pool&) = delete;
    typed_pool& operator=(const typed_pool&) = delete;

    /// Requires: every object is gone. Where one is not, its handle dangles: a violation after
    /// which the program ends, whatever the handler does; unchecked: undefined.
    ~typed_pool() {
        if constexpr (C != checking::unchecked) {
            if (in_use() == 0) return;
            pool_.report_live_blocks(violation_kind::pool_destroyed_with_live_blocks);
            std::abort();
        }
    }

    /// Bytes that a pool of so many T takes of its arena, as basic_memory_pool::required_bytes.
    [[nodiscard]] static constexpr std::size_t required_bytes(std::size_t block_count) {
        return basic_memory_pool<C>::required_bytes(detail::layout_for<T>(block_count));
    }

    /// A T made of `args`.
    /// Throws: pool_exhausted when all blocks are in use; what T's constructor throws, and then
    /// the block is back.
    /// Complexity: O(1), and T's constructor.
    template <class... Args> [[nodiscard]] block<T, C> allocate(Args&&... args) {
        block<T, C> made = try_allocate(std::forward<Args>(args)...);
        if (made == nullptr) pool_.raise_exhausted();
        return made;
    }

    /// As `allocate`, but an empty block when all are in use: then no argument was touched.
    template <class... Args> [[nodiscard]] block<T, C> try_allocate(Args&&... args) {
        entry taken;
        if (!pool_.list_.take(taken)) return {};
        detail::block_lease<typed_pool> lease(*this, taken);
        T* const object =
            detail::construct<T>(pool_.list_.template address<sizeof(T)>(taken), std::forward<Args>(args)...);
        lease.keep();
        pool_.list_.mark(taken, detail::block_state::live);  // not before: nobody visits or releases half an object
        return {*this, object};
    }

    /// As `allocate` and `try_allocate`, called on behalf of `where`, `{}` being the caller's line:
    /// kept in debug level.
    template <class... Args> [[nodiscard]] block<T, C> allocate_at([[maybe_unused]] site where, Args&&... args) {
        return allocate(std::forward<Args>(args)...);
    }
    template <class... Args> [[nodiscard]] block<T, C> try_allocate_at([[maybe_unused]] site where, Args&&... args) {
        return try_allocate(std::forward<Args>(args)...);
    }

    /// Takes back what `block::release` gave up, which no other handle owns; nullptr gives an empty
    /// block. Any other pointer than to a live object of this pool is a violation, it is not
    /// touched, and the block is empty.
    [[nodiscard]] block<T, C> adopt(T* object) noexcept {
        if (object == nullptr) return {};
        if constexpr (C != checking::unchecked)
            if (!pool_.owns(object)) pool_.report_misuse(std::exchange(object, nullptr));
        return {*this, object};
    }

    /// fn(T&) for every object whose constructor has finished and whose destructor has not
    /// begun, in address order.
    /// Requires: fn neither allocates nor releases. Complexity: O(peak_in_use()).
    template <class Fn> void for_each(Fn&& fn) requires(C != checking::unchecked) {
        pool_.list_.for_each_live([&fn](std::byte* object) { fn(*std::launder(reinterpret_cast<T*>(object))); });
    }

    [[nodiscard]] std::size_t total_blocks() const noexcept { return pool_.total_blocks(); }
    [[nodiscard]] std::size_t available() const noexcept { return pool_.available(); }
    [[nodiscard]] std::size_t in_use() const noexcept { return pool_.in_use(); }
    [[nodiscard]] std::size_t peak_in_use() const noexcept { return pool_.peak_in_use(); }
    [[nodiscard]] std::size_t block_size() const noexcept { return pool_.block_size(); }  // bytes
    [[nodiscard]] std::size_t stride() const noexcept { return pool_.stride(); }          // bytes
    [[nodiscard]] std::size_t alignment() const noexcept { return pool_.alignment(); }    // bytes
    [[nodiscard]] pool_stats stats() const noexcept { return pool_.stats(); }

private:
    using entry = typename free_list::entry;
    friend class detail::handle<T, typed_pool>;
    friend class detail::block_lease<typed_pool>;

    void put_back(entry block) noexcept { pool_.list_.put(block); }

    /// Validates before it destroys, and puts the block back only when the destructor has returned.
    void give_back(T* object) noexcept {
        const entry claimed = pool_.list_.template claim<sizeof(T)>(object);
        if (claimed == free_list::none) return pool_.report_misuse(object);
        object->~T();
        put_back(claimed);
    }

    basic_memory_pool<C> pool_;
};

}  // namespace fixpool::inline FIXPOOL_ABI
