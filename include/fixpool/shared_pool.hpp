// SPDX-License-Identifier: BSL-1.0
// shared_pool: a fixed number of objects for many threads. The pool lives as long as any copy, any of its handles, or
// any object that a handle gave up.
#pragma once

#include <fixpool/detail/shared_state.hpp>
#include <fixpool/typed_pool.hpp>

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI {

template <class T, checking C> class shared_pool;

namespace detail {

/// The owner of the objects: what copies and handles of a shared_pool refer to. It deletes itself.
template <class T, checking C> class shared_objects {
    using state = shared_state<C>;

public:
    FIXPOOL_HIDDEN static constexpr std::size_t stride = stride_of<T, list_for<C>::gap>;  // bytes
    using entry = typename state::entry;
    using handle = block<T, C, shared_objects>;

    shared_objects(pool_layout layout, arena memory, const pool_options& options)
        : blocks_(layout, std::move(memory), options, magazine_plan::of(layout.block_count, options.magazine_size)) {}

    /// Constructs a T of `args`. T's constructor may destroy the shared_pool whose `allocate` called this. If all
    /// blocks are in use, throws or returns an empty handle.
    template <bool Throws, class... Args> [[nodiscard]] handle allocate(Args&&... args) {
        return made_in<Throws>(blocks_.take(), std::forward<Args>(args)...);
    }
    template <bool Throws, class... Args> [[nodiscard]] handle allocate_at(const site& where, Args&&... args) {
        return made_in<Throws>(blocks_.take(where), std::forward<Args>(args)...);
    }

    template <bool Throws, class... Args> [[nodiscard]] handle made_in(entry taken, Args&&... args) {
        if constexpr (!Throws) {
            if (taken == state::none) return {};
        }
        if (taken == state::none) blocks_.raise_exhausted();
        block_lease<shared_objects> lease(this, taken);
        void* const where = blocks_.numbers().template address<stride>(taken);
        T* const object = detail::construct<T>(where, std::forward<Args>(args)...);
        lease.keep();
        if constexpr (keeps_sites<C>) blocks_.mark(taken, block_state::live);
        return {this, object};
    }

    /// A handle for an object that was given up. For any other object, reports a violation and returns an empty handle.
    [[nodiscard]] handle adopt(T* object) noexcept {
        if (object == nullptr) return {};
        if constexpr (keeps_sites<C>) {
            if (blocks_.change(object, block_state::given_up, block_state::live)) return {this, object};
            blocks_.report(blocks_.template misuse_of<true>(object));
            return {};
        } else {
            block_state was{};
            if (blocks_.template claim<stride>(object, was) != state::none) return {this, object};
            if constexpr (state::is_checked) blocks_.report(blocks_.template misuse_of<true>(object, was));
            return {};
        }
    }

    void give_up(T* object) noexcept {
        if constexpr (!keeps_sites<C>) blocks_.give_up(blocks_.numbers().template entry_of<stride>(object));
        else if (!blocks_.change(object, block_state::live, block_state::given_up))
            blocks_.report(blocks_.template misuse_of<false>(object));
    }

    template <class...> void give_back(T* object) noexcept requires(!keeps_sites<C>) {
        destroy_in(blocks_.numbers().template entry_of<stride>(object), object);
    }
    /// Debug level checks that the handle owns the object.
    template <class...> FIXPOOL_APART void give_back(T* object) noexcept requires keeps_sites<C> {
        const site where = list_for<C>::type::called_before(FIXPOOL_CALLER());
        const entry block = blocks_.claim(object, block_state::live, where);
        if (block == state::none) return blocks_.report(blocks_.template misuse_of<false>(object));
        destroy_in(block, object);
    }

    void destroy_in(entry block, T* object) noexcept {
        detail::destroy(*object);
        put_back(block);
    }

    /// Puts back a block without an object. This may delete the pool.
    void put_back(entry block) noexcept {
        if (blocks_.put(block)) delete this;
    }

    /// Called by the last copy of the shared_pool.
    static void abandon(shared_objects* objects) noexcept {
        if (objects->blocks_.abandon()) delete objects;
    }

    [[nodiscard]] state& blocks() noexcept { return blocks_; }

private:
    state blocks_;
};

}  // namespace detail

/// The handle of one object in a shared_pool: a block that also keeps the pool alive. So does an object that `release`
/// gave up. As with std::shared_ptr, cycles leak: an object that owns a copy or a handle of its own pool may live for
/// ever. Below debug level, the handle's destructor checks nothing: two threads that reset one handle at once are not
/// detected.
/// Thread safety: one thread at a time, as std::unique_ptr. It may be moved to another thread and destroyed there.
template <class T, checking C = checking::checked> using shared_block = block<T, C, detail::shared_objects<T, C>>;

/// A typed_pool for all threads at once. A copy refers to the same pool; a move is a copy. The pool lives as long as
/// any copy, any of its handles, or any object given up by `release`. Capacity is exact: `try_allocate` returns an
/// empty handle only if every block was in use. The constructor and the destructor of T run while no lock is held, and
/// may use this very pool. There is no `for_each`, because another thread may destroy an object during the visit.
///
/// Each thread has a magazine: a stock of free blocks. It moves up to `pool_options::magazine_size` blocks at once
/// between its magazine and the pool, and takes the pool's lock only for that. A magazine has at most twice as many
/// blocks, and at most a tenth of the pool. An allocation empties all magazines before it fails. Every operation takes
/// the lock if `magazine_size` is 0, if the pool has fewer than 20 blocks, and while nearly all blocks are in use.
/// Thread safety: any member function from any thread, at the same time. Only assignment to one pool object needs a
/// lock.
template <class T, checking C = checking::checked> class shared_pool {
    static_assert(!std::is_reference_v<T>, "fixpool: T is a reference: pool the type it refers to, or a pointer");
    using objects = detail::shared_objects<T, C>;
    using list = typename detail::list_for<C>::type;

public:
    FIXPOOL_HIDDEN static constexpr std::size_t npos = violation::npos;  ///< index of no block

    /// A pool whose memory comes from `operator new`. Throws: as the constructors of memory_pool.
    explicit shared_pool(std::size_t block_count, pool_options options = {})
        : shared_pool(block_count, arena::heap(), options) {}

    /// A pool whose memory comes from `memory`, which it then owns. A borrowed buffer must outlive the pool: see
    /// there how long it lives.
    /// Throws: as the constructors of memory_pool.
    // Not std::make_shared: its symbol is unique in the process, so a plug-in could not be unloaded.
    shared_pool(std::size_t block_count, arena memory, pool_options options = {})
        : objects_(new objects(detail::layout_for<T>(block_count), std::move(memory), options), &objects::abandon) {}

    /// The copy refers to the same pool.
    shared_pool(const shared_pool&) noexcept = default;  // and no move: a moved-from pool is still this pool
    /// This object refers to the same pool as the other one afterwards. It gives up its own pool, as its destructor.
    shared_pool& operator=(const shared_pool&) noexcept = default;
    ~shared_pool() = default;  ///< destroys the pool if no copy, no handle and no object given up is left

    /// Size of the memory that a pool of so many objects needs, in bytes: blocks and metadata. For its alignment, see
    /// memory_pool.
    /// Throws: std::invalid_argument and std::length_error, as the constructor.
    [[nodiscard]] static constexpr std::size_t required_bytes(std::size_t block_count) {
        return typed_pool<T, C>::required_bytes(block_count);
    }
    /// Size of the metadata buffer for `arena::borrow(blocks, metadata)`, in bytes. It is enough at any alignment.
    /// Throws: as `required_bytes`.
    [[nodiscard]] static constexpr std::size_t required_metadata_bytes(std::size_t block_count) {
        return typed_pool<T, C>::required_metadata_bytes(block_count);
    }
    /// Number of objects that fit into an aligned buffer of `bytes` bytes, together with their metadata. Maybe 0.
    [[nodiscard]] static constexpr std::size_t blocks_in(std::size_t bytes) {
        return typed_pool<T, C>::blocks_in(bytes);
    }

    /// Constructs a T by T(args...) and returns its handle. If T's constructor throws, the block is free again.
    /// Throws: pool_exhausted if all blocks are in use; any exception of T's constructor.
    /// Complexity: O(1), plus T's constructor.
    template <class... Args> [[nodiscard]] shared_block<T, C> allocate(Args&&... args) const requires(!keeps_sites<C>) {
        return objects_->template allocate<true>(std::forward<Args>(args)...);
    }
    template <class... Args>
    [[nodiscard]] FIXPOOL_APART shared_block<T, C> allocate(Args&&... args) const requires keeps_sites<C> {
        return allocate_at(list::called_before(FIXPOOL_CALLER()), std::forward<Args>(args)...);
    }

    /// As `allocate`, but returns an empty handle if all blocks are in use. The arguments are then unchanged.
    /// Throws: any exception of T's constructor.
    /// Complexity: O(1), plus T's constructor.
    template <class... Args>
    [[nodiscard]] shared_block<T, C> try_allocate(Args&&... args) const requires(!keeps_sites<C>) {
        return objects_->template allocate<false>(std::forward<Args>(args)...);
    }
    template <class... Args>
    [[nodiscard]] FIXPOOL_APART shared_block<T, C> try_allocate(Args&&... args) const requires keeps_sites<C> {
        return try_allocate_at(list::called_before(FIXPOOL_CALLER()), std::forward<Args>(args)...);
    }

    /// As `allocate()`, but T is default-initialised. See typed_pool.
    /// Throws: as `allocate`. Complexity: O(1), plus T's constructor.
    template <class...> [[nodiscard]] shared_block<T, C> allocate_for_overwrite() const requires(!keeps_sites<C>) {
        return allocate(detail::for_overwrite());
    }
    /// As `allocate_for_overwrite`, but returns an empty handle if all blocks are in use.
    /// Throws: any exception of T's constructor. Complexity: O(1), plus T's constructor.
    template <class...> [[nodiscard]] shared_block<T, C> try_allocate_for_overwrite() const requires(!keeps_sites<C>) {
        return try_allocate(detail::for_overwrite());
    }
    template <class...>
    [[nodiscard]] FIXPOOL_APART shared_block<T, C> allocate_for_overwrite() const requires keeps_sites<C> {
        return allocate_at(list::called_before(FIXPOOL_CALLER()), detail::for_overwrite());
    }
    template <class...>
    [[nodiscard]] FIXPOOL_APART shared_block<T, C> try_allocate_for_overwrite() const requires keeps_sites<C> {
        return try_allocate_at(list::called_before(FIXPOOL_CALLER()), detail::for_overwrite());
    }

    /// As `allocate`, with a place for reports of the debug level. `{}` is the caller's line.
    /// Throws: as `allocate`. Complexity: O(1), plus T's constructor.
    template <class... Args>
    [[nodiscard]] shared_block<T, C> allocate_at([[maybe_unused]] site where, Args&&... args) const {
        if constexpr (keeps_sites<C>) return objects_->template allocate_at<true>(where, std::forward<Args>(args)...);
        else return allocate(std::forward<Args>(args)...);
    }
    /// As `try_allocate`, with a place for reports of the debug level.
    /// Throws: any exception of T's constructor. Complexity: O(1), plus T's constructor.
    template <class... Args>
    [[nodiscard]] shared_block<T, C> try_allocate_at([[maybe_unused]] site where, Args&&... args) const {
        if constexpr (keeps_sites<C>) return objects_->template allocate_at<false>(where, std::forward<Args>(args)...);
        else return try_allocate(std::forward<Args>(args)...);
    }

    /// Returns a handle for an object that `shared_block::release` gave up, as in typed_pool. If two threads adopt the
    /// same object, one gets it and the other causes a violation. An object under construction or destruction is
    /// `still_owned`.
    /// Complexity: O(1); reporting a violation takes O(peak_in_use()).
    [[nodiscard]] shared_block<T, C> adopt(T* object) const noexcept { return objects_->adopt(object); }

    /// As in shared_memory_pool.
    bool audit() const noexcept requires knows_live_blocks<C> { return objects_->blocks().is_sound(); }

    /// Whether `address` is inside the pool's blocks. It may be any address.
    [[nodiscard]] bool contains(const void* address) const noexcept { return constant().contains(address); }
    /// Index of the block that starts at this address, in use or not; npos if no block starts there.
    [[nodiscard]] std::size_t index_of(const void* block) const noexcept {
        return objects_->blocks().numbers().template index_of<stride()>(block);
    }

    [[nodiscard]] std::size_t total_blocks() const noexcept { return constant().total_blocks(); }  ///< number of blocks
    /// Free blocks at one moment.
    [[nodiscard]] std::size_t available() const noexcept { return total_blocks() - in_use(); }
    /// Blocks in use at one moment.
    [[nodiscard]] std::size_t in_use() const noexcept { return stats().in_use; }
    /// Upper bound of in_use() so far: it counts blocks that were ever in use, even if not at once. At unchecked level
    /// it counts some more.
    [[nodiscard]] std::size_t peak_in_use() const noexcept { return stats().peak_in_use; }
    /// Usable bytes per block: the size of T.
    [[nodiscard]] static constexpr std::size_t block_size() noexcept { return sizeof(T); }
    /// Bytes from one block to the next.
    [[nodiscard]] static constexpr std::size_t stride() noexcept { return objects::stride; }
    /// Each block starts at a multiple of so many bytes.
    [[nodiscard]] static constexpr std::size_t alignment() noexcept { return alignof(T); }
    [[nodiscard]] const char* name() const noexcept { return constant().name(); }  ///< the name, or ""
    /// All counters at one moment: while other threads use the pool, they may be outdated when they are read.
    [[nodiscard]] pool_stats stats() const noexcept { return objects_->blocks().stats(); }

    /// Whether both refer to the same pool.
    [[nodiscard]] friend bool operator==(const shared_pool& a, const shared_pool& b) noexcept {
        return a.objects_.get() == b.objects_.get();
    }

private:
    friend class census;

    [[nodiscard]] const basic_memory_pool<C>& constant() const noexcept { return objects_->blocks().pool(); }

    std::shared_ptr<objects> objects_;  // never empty
};

}  // namespace fixpool::inline FIXPOOL_ABI
