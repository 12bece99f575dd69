// SPDX-License-Identifier: BSL-1.0
// typed_pool: a fixed number of objects of one type, each owned by a handle.
#pragma once

#include <fixpool/block.hpp>
#include <fixpool/detail/object.hpp>
#include <fixpool/memory_pool.hpp>

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI {

/// A pool with memory for a fixed number of objects of type T. `allocate` constructs an object and returns its handle,
/// a block<T>. T need not be copyable or movable. The constructor and the destructor of T may use this very pool.
///
/// The pool must outlive its handles. They contain its address, so it can be neither copied nor moved.
/// Thread safety: one thread at a time.
template <class T, checking C = checking::checked> class typed_pool {
    static_assert(!std::is_reference_v<T>, "fixpool: T is a reference: pool the type it refers to, or a pointer");
    using free_list = typename detail::list_for<C>::type;
    using enum detail::block_state;
    using overwrite = detail::for_overwrite;
    FIXPOOL_HIDDEN static constexpr bool sites = keeps_sites<C>;  // whether operations record their sites
    FIXPOOL_HIDDEN static constexpr std::size_t gap = detail::list_for<C>::gap;  // least bytes between blocks

public:
    FIXPOOL_HIDDEN static constexpr std::size_t npos = violation::npos;  ///< index of no block

    /// A pool whose memory comes from `operator new`. Throws: as the constructors of memory_pool.
    explicit typed_pool(std::size_t block_count, pool_options options = {})
        : typed_pool(block_count, arena::heap(), options) {}

    /// A pool whose memory comes from `memory`, which it then owns. Throws: as the constructors of memory_pool.
    typed_pool(std::size_t block_count, arena memory, pool_options options = {})
        : pool_(detail::layout_for<T>(block_count), std::move(memory), options) {}

    typed_pool(const typed_pool&) = delete;  // fixpool: blocks know their pool's address: put pools into a std::deque
    typed_pool& operator=(const typed_pool&) = delete;

    /// Frees the pool's memory. Requires: no object is in use. Otherwise reports `pool_destroyed_with_live_blocks`,
    /// then ends the program, because handles would dangle. At unchecked level, the behaviour is undefined.
    ~typed_pool() {
        if constexpr (C != checking::unchecked) {
            if (in_use() == 0) return;
            pool_.report_live_blocks(violation_kind::pool_destroyed_with_live_blocks);
            detail::stop();
        }
    }

    /// Size of the memory that a pool of so many objects needs, in bytes: blocks and metadata. For its
    /// alignment, see memory_pool.
    /// Throws: std::invalid_argument and std::length_error, as the constructor.
    [[nodiscard]] static constexpr std::size_t required_bytes(std::size_t block_count) {
        return basic_memory_pool<C>::required_bytes(detail::layout_for<T>(block_count));
    }
    /// Size of the metadata buffer for `arena::borrow(blocks, metadata)`, in bytes. It is enough at any alignment.
    /// Throws: as `required_bytes`.
    [[nodiscard]] static constexpr std::size_t required_metadata_bytes(std::size_t block_count) {
        return basic_memory_pool<C>::required_metadata_bytes(detail::layout_for<T>(block_count));
    }
    /// Number of objects that fit into an aligned buffer of `bytes` bytes, together with their metadata. Maybe 0.
    [[nodiscard]] static constexpr std::size_t blocks_in(std::size_t bytes) {
        return basic_memory_pool<C>::blocks_in(bytes, sizeof(T), alignof(T));
    }

    /// Constructs a T by T(args...) and returns its handle. If T's constructor throws, the block is free again.
    /// Throws: pool_exhausted if all blocks are in use; any exception of T's constructor.
    /// Complexity: O(1), plus T's constructor.
    template <class... Args> [[nodiscard]] block<T, C> allocate(Args&&... args) requires(!sites) {
        entry taken;
        if (!pool_.list_.take(taken)) pool_.raise_exhausted();
        return made_in(taken, std::forward<Args>(args)...);
    }
    template <class... Args> [[nodiscard]] FIXPOOL_APART block<T, C> allocate(Args&&... args) requires sites {
        return allocate_at(free_list::called_before(FIXPOOL_CALLER()), std::forward<Args>(args)...);
    }

    /// As `allocate`, but returns an empty handle if all blocks are in use. The arguments are then unchanged.
    /// Throws: any exception of T's constructor.
    /// Complexity: O(1), plus T's constructor.
    template <class... Args> [[nodiscard]] block<T, C> try_allocate(Args&&... args) requires(!sites) {
        entry taken;
        if (!pool_.list_.take(taken)) return {};
        return made_in(taken, std::forward<Args>(args)...);
    }
    template <class... Args> [[nodiscard]] FIXPOOL_APART block<T, C> try_allocate(Args&&... args) requires sites {
        return try_allocate_at(free_list::called_before(FIXPOOL_CALLER()), std::forward<Args>(args)...);
    }

    /// As `allocate()`, but T is default-initialised, as by std::make_unique_for_overwrite. So members without an
    /// initialiser are uninitialised. `allocate()` sets them to 0 in an aggregate.
    /// Throws: as `allocate`. Complexity: O(1), plus T's constructor.
    template <class...> [[nodiscard]] block<T, C> allocate_for_overwrite() requires(!sites) {
        return allocate(overwrite());
    }
    /// As `allocate_for_overwrite`, but returns an empty handle if all blocks are in use.
    /// Throws: any exception of T's constructor. Complexity: O(1), plus T's constructor.
    template <class...> [[nodiscard]] block<T, C> try_allocate_for_overwrite() requires(!sites) {
        return try_allocate(overwrite());
    }
    template <class...> [[nodiscard]] FIXPOOL_APART block<T, C> allocate_for_overwrite() requires sites {
        return allocate_at(free_list::called_before(FIXPOOL_CALLER()), overwrite());
    }
    template <class...> [[nodiscard]] FIXPOOL_APART block<T, C> try_allocate_for_overwrite() requires sites {
        return try_allocate_at(free_list::called_before(FIXPOOL_CALLER()), overwrite());
    }

    /// As `allocate`, with a place for reports of the debug level. `{}` is the caller's line. Without `_at`, the debug
    /// level records the caller's code address.
    /// Throws: as `allocate`. Complexity: O(1), plus T's constructor.
    template <class... Args> [[nodiscard]] block<T, C> allocate_at([[maybe_unused]] site where, Args&&... args) {
        if constexpr (sites) {
            entry taken;
            if (!pool_.take(taken, where)) pool_.raise_exhausted();
            return made_in(taken, std::forward<Args>(args)...);
        } else {
            return allocate(std::forward<Args>(args)...);
        }
    }
    /// As `try_allocate`, with a place for reports of the debug level.
    /// Throws: any exception of T's constructor. Complexity: O(1), plus T's constructor.
    template <class... Args> [[nodiscard]] block<T, C> try_allocate_at([[maybe_unused]] site where, Args&&... args) {
        if constexpr (sites) {
            entry taken;
            if (!pool_.take(taken, where)) return {};
            return made_in(taken, std::forward<Args>(args)...);
        } else {
            return try_allocate(std::forward<Args>(args)...);
        }
    }

    /// Returns a handle for an object that `block::release` gave up. For nullptr, returns an empty handle. For any
    /// other pointer, reports a violation (`still_owned` if a handle owns the object), changes nothing, and returns an
    /// empty handle. At unchecked level, the behaviour is then undefined.
    /// Complexity: O(1); reporting a violation, here or at a release, takes O(peak_in_use()).
    [[nodiscard]] block<T, C> adopt(T* object) noexcept {
        if (object == nullptr) return {};
        if (pool_.list_.template change<stride()>(object, given_up, live) == free_list::none) {
            report_misuse(object);
            return {};
        }
        return {this, object};
    }

    /// Calls fn(T&) for every object, in order of addresses. It skips objects that are being constructed or destroyed.
    /// fn may allocate, and may destroy any object. Objects that are allocated meanwhile may be visited or not.
    /// Complexity: O(peak_in_use()). At debug level: linear in the number of blocks that were ever handed out.
    template <class Fn> void for_each(Fn&& fn) requires knows_live_blocks<C> {
        pool_.list_.for_each_live([&fn](std::byte* bytes) { fn(*object_in(bytes)); });
    }
    template <class Fn> void for_each(Fn&& fn) const requires knows_live_blocks<C> {
        pool_.list_.for_each_live([&fn](std::byte* bytes) { fn(std::as_const(*object_in(bytes))); });
    }

    /// The object in the block with this index; nullptr if there is none.
    [[nodiscard]] T* object_at(std::size_t index) noexcept requires knows_live_blocks<C> { return live_object(index); }
    [[nodiscard]] const T* object_at(std::size_t index) const noexcept requires knows_live_blocks<C> {
        return live_object(index);
    }

    /// Whether `block` is the start of a block in use. It may be any address.
    [[nodiscard]] bool owns(const void* block) const noexcept requires knows_live_blocks<C> {
        return pool_.list_.is_live(index_of(block));
    }
    /// Whether `address` is inside the pool's blocks. It may be any address.
    [[nodiscard]] bool contains(const void* address) const noexcept { return pool_.contains(address); }
    /// Index of the block that starts at this address, in use or not; npos if no block starts there.
    [[nodiscard]] std::size_t index_of(const void* block) const noexcept {
        return pool_.list_.template index_of<stride()>(block);
    }
    /// As in memory_pool.
    /// Complexity: O(peak_in_use()).
    void sort_free_blocks() noexcept requires knows_live_blocks<C> { pool_.list_.sort(); }
    /// As in memory_pool.
    /// Complexity: O(peak_in_use()), whatever was overwritten. At debug level: linear in the bytes of all blocks that
    /// were ever handed out.
    bool audit() const noexcept requires knows_live_blocks<C> { return pool_.is_sound(0); }

    [[nodiscard]] std::size_t total_blocks() const noexcept { return pool_.total_blocks(); }  ///< capacity, in blocks
    [[nodiscard]] std::size_t available() const noexcept { return pool_.available(); }        ///< free blocks
    [[nodiscard]] std::size_t in_use() const noexcept { return pool_.in_use(); }              ///< blocks in use
    [[nodiscard]] std::size_t peak_in_use() const noexcept { return pool_.peak_in_use(); }    ///< peak of in_use()
    /// Usable bytes per block: the size of T.
    [[nodiscard]] static constexpr std::size_t block_size() noexcept { return sizeof(T); }
    /// Bytes from one block to the next.
    [[nodiscard]] static constexpr std::size_t stride() noexcept { return detail::stride_of<T, gap>; }
    /// Each block starts at a multiple of so many bytes.
    [[nodiscard]] static constexpr std::size_t alignment() noexcept { return alignof(T); }
    [[nodiscard]] const char* name() const noexcept { return pool_.name(); }   ///< the name, or ""
    [[nodiscard]] pool_stats stats() const noexcept { return pool_.stats(); }  ///< all counters at once

private:
    using entry = typename free_list::entry;
    friend class census;
    friend block<T, C>;
    friend detail::block_lease<typed_pool>;

    [[nodiscard]] static T* object_in(std::byte* bytes) noexcept { return std::launder(reinterpret_cast<T*>(bytes)); }
    [[nodiscard]] T* live_object(std::size_t index) const noexcept {
        return pool_.list_.is_live(index) ? object_in(pool_.list_.base() + index * stride()) : nullptr;
    }

    /// Constructs a T in the block `taken` and returns its handle.
    template <class... Args> [[nodiscard]] block<T, C> made_in(entry taken, Args&&... args) {
        detail::block_lease<typed_pool> lease(this, taken);
        void* const where = pool_.list_.template address<stride()>(taken);
        T* const object = detail::construct<T>(where, std::forward<Args>(args)...);
        lease.keep();
        pool_.list_.mark(taken, live);  // only now: nobody may visit or release half an object
        return {this, object};
    }

    void put_back(entry block) noexcept { pool_.list_.put(block); }

    void give_back(T* object) noexcept requires(!sites) {
        destroy_in(pool_.list_.template claim<stride()>(object), object);
    }
    template <class...> FIXPOOL_APART void give_back(T* object) noexcept requires sites {
        destroy_in(pool_.list_.template claim<stride()>(object, free_list::called_before(FIXPOOL_CALLER())), object);
    }

    /// Validates, then destroys the object, then puts the block back.
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
