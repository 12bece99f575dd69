// SPDX-License-Identifier: BSL-1.0
// typed_pool: objects of one type, each in a block of a memory_pool, each owned by a block<T>.
#pragma once

#include <fixpool/block.hpp>
#include <fixpool/detail/object.hpp>
#include <fixpool/memory_pool.hpp>

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI {

/// A pool of `total_blocks()` objects of type T, which are constructed in place and owned by a block<T>. T need be
/// neither copyable nor movable. Its constructor and destructor may use this very pool. The pool must outlive its
/// blocks. They know its address, so it is neither copied nor moved.
/// Thread safety: one thread at a time.
template <class T, checking C = checking::checked> class typed_pool {
    static_assert(!std::is_reference_v<T>, "fixpool: T is a reference: pool the type it refers to, or a pointer");
    using free_list = typename detail::list_for<C>::type;
    using enum detail::block_state;
    using overwrite = detail::for_overwrite;
    FIXPOOL_HIDDEN static constexpr bool sites = keeps_sites<C>;                 // of each operation are kept
    FIXPOOL_HIDDEN static constexpr std::size_t gap = detail::list_for<C>::gap;  // bytes between two blocks, at least

public:
    FIXPOOL_HIDDEN static constexpr std::size_t npos = violation::npos;  // the index of no block

    /// A pool on memory from `operator new`. Throws: as the constructors of memory_pool.
    explicit typed_pool(std::size_t block_count, pool_options options = {})
        : typed_pool(block_count, arena::heap(), options) {}

    /// A pool on `memory`, which it takes over. Throws: as the constructors of memory_pool.
    typed_pool(std::size_t block_count, arena memory, pool_options options = {})
        : pool_(detail::layout_for<T>(block_count), std::move(memory), options) {}

    typed_pool(const typed_pool&) = delete;  // fixpool: blocks know their pool's address: put pools into a std::deque
    typed_pool& operator=(const typed_pool&) = delete;

    /// Requires: every object is gone. Otherwise a handle would dangle: this is a violation, and the program ends when
    /// the handler has returned; unchecked: undefined.
    ~typed_pool() {
        if constexpr (C != checking::unchecked) {
            if (in_use() == 0) return;
            pool_.report_live_blocks(violation_kind::pool_destroyed_with_live_blocks);
            detail::stop();
        }
    }

    /// As in memory_pool, for blocks of T.
    [[nodiscard]] static constexpr std::size_t required_bytes(std::size_t block_count) {
        return basic_memory_pool<C>::required_bytes(detail::layout_for<T>(block_count));
    }
    [[nodiscard]] static constexpr std::size_t required_metadata_bytes(std::size_t block_count) {
        return basic_memory_pool<C>::required_metadata_bytes(detail::layout_for<T>(block_count));
    }
    [[nodiscard]] static constexpr std::size_t blocks_in(std::size_t bytes) {
        return basic_memory_pool<C>::blocks_in(bytes, sizeof(T), alignof(T));
    }

    /// A T made of `args`, as by T(args...).
    /// Throws: pool_exhausted when all blocks are in use; what T's constructor throws, and then the block is free
    /// again.
    /// Complexity: O(1), and T's constructor.
    template <class... Args> [[nodiscard]] block<T, C> allocate(Args&&... args) requires(!sites) {
        entry taken;
        if (!pool_.list_.take(taken)) pool_.raise_exhausted();
        return made_in(taken, std::forward<Args>(args)...);
    }
    template <class... Args> [[nodiscard]] FIXPOOL_APART block<T, C> allocate(Args&&... args) requires sites {
        return allocate_at(free_list::called_before(FIXPOOL_CALLER()), std::forward<Args>(args)...);
    }

    /// As `allocate`, but returns an empty block when all are in use. The arguments are then unchanged.
    template <class... Args> [[nodiscard]] block<T, C> try_allocate(Args&&... args) requires(!sites) {
        entry taken;
        if (!pool_.list_.take(taken)) return {};
        return made_in(taken, std::forward<Args>(args)...);
    }
    template <class... Args> [[nodiscard]] FIXPOOL_APART block<T, C> try_allocate(Args&&... args) requires sites {
        return try_allocate_at(free_list::called_before(FIXPOOL_CALLER()), std::forward<Args>(args)...);
    }

    /// As `allocate` and `try_allocate`, but T is default-initialised: what T's default constructor leaves alone is
    /// uninitialised, as by std::make_unique_for_overwrite. `allocate()` sets all of an aggregate to 0.
    template <class...> [[nodiscard]] block<T, C> allocate_for_overwrite() requires(!sites) {
        return allocate(overwrite());
    }
    template <class...> [[nodiscard]] block<T, C> try_allocate_for_overwrite() requires(!sites) {
        return try_allocate(overwrite());
    }
    template <class...> [[nodiscard]] FIXPOOL_APART block<T, C> allocate_for_overwrite() requires sites {
        return allocate_at(free_list::called_before(FIXPOOL_CALLER()), overwrite());
    }
    template <class...> [[nodiscard]] FIXPOOL_APART block<T, C> try_allocate_for_overwrite() requires sites {
        return try_allocate_at(free_list::called_before(FIXPOOL_CALLER()), overwrite());
    }

    /// As `allocate` and `try_allocate`, called on behalf of `where`, `{}` being the caller's line. Debug level keeps
    /// it; of the functions above it keeps the code address that they were called at.
    template <class... Args> [[nodiscard]] block<T, C> allocate_at([[maybe_unused]] site where, Args&&... args) {
        if constexpr (sites) {
            entry taken;
            if (!pool_.take(taken, where)) pool_.raise_exhausted();
            return made_in(taken, std::forward<Args>(args)...);
        } else {
            return allocate(std::forward<Args>(args)...);
        }
    }
    template <class... Args> [[nodiscard]] block<T, C> try_allocate_at([[maybe_unused]] site where, Args&&... args) {
        if constexpr (sites) {
            entry taken;
            if (!pool_.take(taken, where)) return {};
            return made_in(taken, std::forward<Args>(args)...);
        } else {
            return try_allocate(std::forward<Args>(args)...);
        }
    }

    /// Takes back what `block::release` gave up, and nothing else. nullptr gives an empty block. Any other pointer is a
    /// violation, `still_owned` if a handle owns the object. The object is then untouched, and the block is empty.
    /// Complexity: O(1); to report a violation O(peak_in_use()), as in a release.
    [[nodiscard]] block<T, C> adopt(T* object) noexcept {
        if (object == nullptr) return {};
        if (pool_.list_.template change<stride()>(object, given_up, live) == free_list::none) {
            report_misuse(object);
            return {};
        }
        return {this, object};
    }

    /// Calls fn(T&) for every object whose constructor has finished and whose destructor has not begun, in order of
    /// addresses. fn may allocate, and may release any object: what is allocated meanwhile may be visited or not.
    /// Complexity: O(peak_in_use()).
    template <class Fn> void for_each(Fn&& fn) requires knows_live_blocks<C> {
        pool_.list_.for_each_live([&fn](std::byte* bytes) { fn(*object_in(bytes)); });
    }
    template <class Fn> void for_each(Fn&& fn) const requires knows_live_blocks<C> {
        pool_.list_.for_each_live([&fn](std::byte* bytes) { fn(std::as_const(*object_in(bytes))); });
    }

    /// The object in the block of that index, or nullptr if there is none.
    [[nodiscard]] T* object_at(std::size_t index) noexcept requires knows_live_blocks<C> { return live_object(index); }
    [[nodiscard]] const T* object_at(std::size_t index) const noexcept requires knows_live_blocks<C> {
        return live_object(index);
    }

    // As in memory_pool.
    [[nodiscard]] bool owns(const void* block) const noexcept requires knows_live_blocks<C> {
        return pool_.list_.is_live(index_of(block));
    }
    [[nodiscard]] bool contains(const void* address) const noexcept { return pool_.contains(address); }
    [[nodiscard]] std::size_t index_of(const void* block) const noexcept {
        return pool_.list_.template index_of<stride()>(block);
    }
    void sort_free_blocks() noexcept requires knows_live_blocks<C> { pool_.list_.sort(); }
    bool audit() const noexcept requires knows_live_blocks<C> { return pool_.is_sound(0); }

    [[nodiscard]] std::size_t total_blocks() const noexcept { return pool_.total_blocks(); }
    [[nodiscard]] std::size_t available() const noexcept { return pool_.available(); }
    [[nodiscard]] std::size_t in_use() const noexcept { return pool_.in_use(); }
    [[nodiscard]] std::size_t peak_in_use() const noexcept { return pool_.peak_in_use(); }
    [[nodiscard]] static constexpr std::size_t block_size() noexcept { return sizeof(T); }              // bytes
    [[nodiscard]] static constexpr std::size_t stride() noexcept { return detail::stride_of<T, gap>; }  // bytes
    [[nodiscard]] static constexpr std::size_t alignment() noexcept { return alignof(T); }              // bytes
    [[nodiscard]] const char* name() const noexcept { return pool_.name(); }
    [[nodiscard]] pool_stats stats() const noexcept { return pool_.stats(); }

private:
    using entry = typename free_list::entry;
    friend class census;
    friend block<T, C>;
    friend detail::block_lease<typed_pool>;

    [[nodiscard]] static T* object_in(std::byte* bytes) noexcept { return std::launder(reinterpret_cast<T*>(bytes)); }
    [[nodiscard]] T* live_object(std::size_t index) const noexcept {
        return pool_.list_.is_live(index) ? object_in(pool_.list_.base() + index * stride()) : nullptr;
    }

    /// The handle of a T made of `args` in a block that was taken.
    template <class... Args> [[nodiscard]] block<T, C> made_in(entry taken, Args&&... args) {
        detail::block_lease<typed_pool> lease(this, taken);
        void* const where = pool_.list_.template address<stride()>(taken);
        T* const object = detail::construct<T>(where, std::forward<Args>(args)...);
        lease.keep();
        pool_.list_.mark(taken, live);  // not before: nobody visits or releases half an object
        return {this, object};
    }

    void put_back(entry block) noexcept { pool_.list_.put(block); }

    void give_back(T* object) noexcept requires(!sites) {
        destroy_in(pool_.list_.template claim<stride()>(object), object);
    }
    template <class...> FIXPOOL_APART void give_back(T* object) noexcept requires sites {
        destroy_in(pool_.list_.template claim<stride()>(object, free_list::called_before(FIXPOOL_CALLER())), object);
    }

    /// Validates before it destroys, and puts the block back only when the destructor has returned.
    void destroy_in(entry claimed, T* object) noexcept {
        if (claimed == free_list::none) return report_misuse(object);
        if constexpr (sites) static_cast<void>(pool_.mend(claimed));  // no handler resets or moves a typed pool
        detail::destroy(*object);
        put_back(claimed);
    }

    void give_up(T* object) noexcept {
        if (pool_.list_.template change<stride()>(object, live, given_up) == free_list::none) report_misuse(object);
    }

    FIXPOOL_COLD void report_misuse([[maybe_unused]] const void* object) const noexcept {
        if constexpr (C != checking::unchecked) pool_.reporter_.report(pool_.object_misuse(object));
    }

    basic_memory_pool<C> pool_;
};

}  // namespace fixpool::inline FIXPOOL_ABI
