// SPDX-License-Identifier: BSL-1.0
// shared_pool: a typed pool for many threads, which lives as long as any of its copies or any of its blocks.
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

/// The owner of a shared pool's objects: what is done with a T, on blocks that know no T. Ends itself.
template <class T, checking C> class shared_objects {
    using state = shared_state<C>;

public:
    FIXPOOL_HIDDEN static constexpr std::size_t stride = stride_of<T, list_for<C>::gap>;  // bytes
    using entry = typename state::entry;
    using handle = block<T, C, shared_objects>;

    shared_objects(pool_layout layout, arena memory, const pool_options& options)
        : blocks_(layout, std::move(memory), options, magazine_plan::of(layout.block_count, options.magazine_size)) {}

    /// A T made of `args`. T's constructor may destroy the shared_pool that this was called through. When all blocks
    /// are in use, throws or returns an empty handle.
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

    /// The owner of an object that was given up. Reports any other, and returns an empty handle.
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

    /// Puts back a block whose object is gone. This may be gone then.
    void put_back(entry block) noexcept {
        if (blocks_.put(block)) delete this;
    }

    /// The last shared_pool is gone.
    static void abandon(shared_objects* objects) noexcept {
        if (objects->blocks_.abandon()) delete objects;
    }

    [[nodiscard]] state& blocks() noexcept { return blocks_; }

private:
    state blocks_;
};

}  // namespace detail

/// Owns one T in a shared_pool, as block does in a typed_pool. It also owns the pool, which lives on when its last
/// shared_pool is gone. An object that `release` gave up keeps the pool alive, too. An object that holds a shared_pool
/// or a shared_block of its own pool may keep itself alive for ever, as with shared_ptr.
/// The pool does not check what a shared_block owns when that dies: two threads that reset one handle at once are not
/// found.
/// Thread safety: one thread at a time, as a unique_ptr; it may be moved to another thread, and die there.
template <class T, checking C = checking::checked> using shared_block = block<T, C, detail::shared_objects<T, C>>;

/// A pool of `total_blocks()` objects of type T for all threads at once. A copy is the same pool, and so is what is
/// left after a move: it is never empty. Its capacity is exact: `try_allocate` is empty only when every block was in
/// use. T's constructor and destructor run outside the pool's locks, and may use this very pool.
///
/// Each thread has a magazine of free blocks, of up to twice `pool_options::magazine_size`, or a tenth of the pool. It
/// takes the pool's lock only when that is empty or full. An allocation empties all magazines before it fails. Where
/// `magazine_size` is 0, in a pool of fewer than 20 blocks, and while nearly all blocks are in use, every operation
/// takes the lock.
///
/// It has no `for_each`: another thread may destroy an object while it is visited.
/// Thread safety: every member from any thread, at the same time; assigning to one shared_pool object is not among
/// them.
template <class T, checking C = checking::checked> class shared_pool {
    static_assert(!std::is_reference_v<T>, "fixpool: T is a reference: pool the type it refers to, or a pointer");
    using objects = detail::shared_objects<T, C>;
    using list = typename detail::list_for<C>::type;

public:
    FIXPOOL_HIDDEN static constexpr std::size_t npos = violation::npos;  // the index of no block

    /// A pool on memory from `operator new`. Throws: as the constructors of memory_pool.
    explicit shared_pool(std::size_t block_count, pool_options options = {})
        : shared_pool(block_count, arena::heap(), options) {}

    /// A pool on `memory`, which it takes over. A borrowed buffer must outlive the last block as well.
    /// Throws: as the constructors of memory_pool.
    // Not by std::make_shared: it has a symbol that is unique in the process, and pins a plug-in.
    shared_pool(std::size_t block_count, arena memory, pool_options options = {})
        : objects_(new objects(detail::layout_for<T>(block_count), std::move(memory), options), &objects::abandon) {}

    shared_pool(const shared_pool&) noexcept = default;  // and no move: a moved-from pool is still this pool
    shared_pool& operator=(const shared_pool&) noexcept = default;
    ~shared_pool() = default;

    /// As in typed_pool.
    [[nodiscard]] static constexpr std::size_t required_bytes(std::size_t block_count) {
        return typed_pool<T, C>::required_bytes(block_count);
    }
    [[nodiscard]] static constexpr std::size_t required_metadata_bytes(std::size_t block_count) {
        return typed_pool<T, C>::required_metadata_bytes(block_count);
    }
    [[nodiscard]] static constexpr std::size_t blocks_in(std::size_t bytes) {
        return typed_pool<T, C>::blocks_in(bytes);
    }

    /// A T made of `args`, as by T(args...).
    /// Throws: pool_exhausted when all blocks are in use; what T's constructor throws, and then the block is free
    /// again.
    /// Complexity: O(1), and T's constructor.
    template <class... Args> [[nodiscard]] shared_block<T, C> allocate(Args&&... args) const requires(!keeps_sites<C>) {
        return objects_->template allocate<true>(std::forward<Args>(args)...);
    }
    template <class... Args>
    [[nodiscard]] FIXPOOL_APART shared_block<T, C> allocate(Args&&... args) const requires keeps_sites<C> {
        return allocate_at(list::called_before(FIXPOOL_CALLER()), std::forward<Args>(args)...);
    }

    /// As `allocate`, but returns an empty block when all are in use. The arguments are then unchanged.
    template <class... Args>
    [[nodiscard]] shared_block<T, C> try_allocate(Args&&... args) const requires(!keeps_sites<C>) {
        return objects_->template allocate<false>(std::forward<Args>(args)...);
    }
    template <class... Args>
    [[nodiscard]] FIXPOOL_APART shared_block<T, C> try_allocate(Args&&... args) const requires keeps_sites<C> {
        return try_allocate_at(list::called_before(FIXPOOL_CALLER()), std::forward<Args>(args)...);
    }

    /// As `allocate` and `try_allocate`, but T is default-initialised, as in typed_pool.
    template <class...> [[nodiscard]] shared_block<T, C> allocate_for_overwrite() const requires(!keeps_sites<C>) {
        return allocate(detail::for_overwrite());
    }
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

    /// As `allocate` and `try_allocate`, called on behalf of `where`, as in typed_pool.
    template <class... Args>
    [[nodiscard]] shared_block<T, C> allocate_at([[maybe_unused]] site where, Args&&... args) const {
        if constexpr (keeps_sites<C>) return objects_->template allocate_at<true>(where, std::forward<Args>(args)...);
        else return allocate(std::forward<Args>(args)...);
    }
    template <class... Args>
    [[nodiscard]] shared_block<T, C> try_allocate_at([[maybe_unused]] site where, Args&&... args) const {
        if constexpr (keeps_sites<C>) return objects_->template allocate_at<false>(where, std::forward<Args>(args)...);
        else return try_allocate(std::forward<Args>(args)...);
    }

    /// Takes back what `shared_block::release` gave up, and nothing else, as in typed_pool. If two threads adopt one
    /// object, one gets it, and the other one's call is a violation. An object that is being constructed or destroyed
    /// is `still_owned`.
    /// Complexity: O(1); to report a violation O(peak_in_use()).
    [[nodiscard]] shared_block<T, C> adopt(T* object) const noexcept { return objects_->adopt(object); }

    /// As in shared_memory_pool.
    bool audit() const noexcept requires knows_live_blocks<C> { return objects_->blocks().is_sound(); }

    // As in memory_pool.
    [[nodiscard]] bool contains(const void* address) const noexcept { return constant().contains(address); }
    [[nodiscard]] std::size_t index_of(const void* block) const noexcept {
        return objects_->blocks().numbers().template index_of<stride()>(block);
    }

    // Counts are those of one moment, which has passed when they are read while other threads use the pool. The peak
    // may be too high: it counts the blocks that were ever in use, not all of them at once, and unchecked some more.
    [[nodiscard]] std::size_t total_blocks() const noexcept { return constant().total_blocks(); }
    [[nodiscard]] std::size_t available() const noexcept { return total_blocks() - in_use(); }
    [[nodiscard]] std::size_t in_use() const noexcept { return stats().in_use; }
    [[nodiscard]] std::size_t peak_in_use() const noexcept { return stats().peak_in_use; }
    [[nodiscard]] static constexpr std::size_t block_size() noexcept { return sizeof(T); }    // bytes
    [[nodiscard]] static constexpr std::size_t stride() noexcept { return objects::stride; }  // bytes
    [[nodiscard]] static constexpr std::size_t alignment() noexcept { return alignof(T); }    // bytes
    [[nodiscard]] const char* name() const noexcept { return constant().name(); }
    [[nodiscard]] pool_stats stats() const noexcept { return objects_->blocks().stats(); }

    /// Whether both are the same pool.
    [[nodiscard]] friend bool operator==(const shared_pool& a, const shared_pool& b) noexcept {
        return a.objects_.get() == b.objects_.get();
    }

private:
    friend class census;

    [[nodiscard]] const basic_memory_pool<C>& constant() const noexcept { return objects_->blocks().pool(); }

    std::shared_ptr<objects> objects_;  // never empty
};

}  // namespace fixpool::inline FIXPOOL_ABI
