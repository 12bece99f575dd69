// SPDX-License-Identifier: BSL-1.0
// shared_pool: a typed pool for many threads, which lives as long as any of its copies or any of its blocks.
#pragma once

#include <fixpool/typed_pool.hpp>

#include <memory>
#include <mutex>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI {

template <class T, checking C> class shared_pool;

namespace detail {

/// What the copies of a shared_pool share. No user code runs, and no handler is called, while the mutex is held.
// Invariant, under the mutex: keep_alive_ is this state itself if pool_.in_use() > 0, otherwise empty.
template <class T, checking C> class shared_state {
    using free_list = detail::free_list<C>;
    static constexpr std::size_t stride = stride_of<T>;

public:
    using entry = typename free_list::entry;
    using handle = block<T, C, shared_state>;

    shared_state(pool_layout layout, arena memory, pool_options options) : pool_(layout, std::move(memory), options) {}

    /// A T made of `args`. `self` is this state. T's constructor may destroy the shared_pool that `self` belongs to.
    template <class... Args> [[nodiscard]] handle allocate(const std::shared_ptr<shared_state>& self, Args&&... args) {
        entry taken;
        if (!take(self, taken)) pool_.raise_exhausted();
        return made_in(taken, std::forward<Args>(args)...);
    }
    /// The same, or an empty handle when all blocks are in use.
    template <class... Args>
    [[nodiscard]] handle try_allocate(const std::shared_ptr<shared_state>& self, Args&&... args) {
        entry taken;
        if (!take(self, taken)) return {};
        return made_in(taken, std::forward<Args>(args)...);
    }

    /// The owner of an object that was given up. Reports any other, and returns an empty handle.
    [[nodiscard]] handle adopt(T* object) noexcept {
        if (object == nullptr || !change_state(object, block_state::given_up, block_state::live)) return {};
        return {this, object};
    }

    /// Puts back a block whose object is gone. The last one may end this state: nothing is touched after the unlocking.
    void put_back(entry block) noexcept {
        std::shared_ptr<shared_state> last;  // dropped after the mutex is unlocked
        const std::lock_guard lock(mutex_);
        pool_.list_.put(block);
        if (pool_.in_use() == 0) last = std::move(keep_alive_);
    }

    void give_back(T* object) noexcept {
        const entry claimed = claim(object);
        if (claimed == free_list::none) return;
        detail::destroy(*object);
        put_back(claimed);
    }

    /// Says that no handle owns `object` any more.
    void give_up(T* object) noexcept {
        static_cast<void>(change_state(object, block_state::live, block_state::given_up));
    }

    [[nodiscard]] pool_stats stats() const noexcept {
        const std::lock_guard lock(mutex_);
        return pool_.stats();
    }

    // Constant: no lock.
    [[nodiscard]] const char* name() const noexcept { return pool_.name(); }
    [[nodiscard]] bool contains(const void* address) const noexcept { return pool_.contains(address); }
    [[nodiscard]] std::size_t index_of(const void* block) const noexcept {
        return pool_.list_.template index_of<stride>(block);
    }

private:
    [[nodiscard]] bool take(const std::shared_ptr<shared_state>& self, entry& taken) noexcept {
        const std::lock_guard lock(mutex_);
        if (!pool_.list_.take(taken)) return false;
        if (pool_.in_use() == 1) keep_alive_ = self;
        return true;
    }

    template <class... Args> [[nodiscard]] handle made_in(entry taken, Args&&... args) {
        block_lease<shared_state> lease(this, taken);
        T* const object =
            detail::construct<T>(pool_.list_.template address<stride>(taken), std::forward<Args>(args)...);
        lease.keep();
        if constexpr (free_list::is_checked) {
            const std::lock_guard lock(mutex_);
            pool_.list_.mark(taken, block_state::live);  // not before: nobody adopts half an object
        }
        return {this, object};
    }

    /// The live block at `object`, live no longer; reports and returns `none` where there is none.
    [[nodiscard]] entry claim(T* object) noexcept {
        std::unique_lock lock(mutex_, std::defer_lock);
        if constexpr (free_list::is_checked) lock.lock();
        const entry claimed = pool_.list_.template claim<stride>(object);
        if constexpr (free_list::is_checked)
            if (claimed == free_list::none) report_misuse(object, lock);
        return claimed;
    }

    [[nodiscard]] bool change_state(T* object, block_state from, block_state to) noexcept {
        if constexpr (free_list::is_checked) {
            std::unique_lock lock(mutex_);
            if (pool_.list_.template change<stride>(object, from, to) == free_list::none) {
                report_misuse(object, lock);
                return false;
            }
        }
        return true;
    }

    /// What is reported is read under the lock, and told after it.
    FIXPOOL_COLD void report_misuse(const void* object, std::unique_lock<std::mutex>& lock) const noexcept {
        const violation misuse = pool_.object_misuse(object);
        lock.unlock();
        pool_.reporter_.report(misuse);
    }

    mutable std::mutex mutex_;
    basic_memory_pool<C> pool_;                 // guarded by mutex_
    std::shared_ptr<shared_state> keep_alive_;  // guarded by mutex_
};

}  // namespace detail

/// Owns one T in a shared_pool, as block does in a typed_pool. It also owns the pool, which lives on when its last
/// shared_pool is gone. An object that `release` gave up keeps the pool alive, too. An object that holds a shared_pool
/// or a shared_block of its own pool may keep itself alive for ever, as with shared_ptr.
/// Thread safety: one thread at a time, as a unique_ptr; it may be moved to another thread, and die there.
template <class T, checking C = checking::checked> using shared_block = block<T, C, detail::shared_state<T, C>>;

/// A pool of `total_blocks()` objects of type T for all threads at once. A copy is the same pool, and so is what is
/// left after a move: it is never empty. Its capacity is exact: `try_allocate` is empty only when every block was in
/// use. T's constructor and destructor run outside the pool's lock, and may use this very pool.
///
/// It has no `for_each`: another thread may destroy an object while it is visited.
/// Thread safety: every member from any thread, at the same time; assigning to one shared_pool object is not among
/// them.
template <class T, checking C = checking::checked> class shared_pool {
    static_assert(!std::is_reference_v<T>, "fixpool: T is a reference: pool the type it refers to, or a pointer");
    using state = detail::shared_state<T, C>;

public:
    FIXPOOL_HIDDEN static constexpr std::size_t npos = violation::npos;  // the index of no block

    /// A pool on memory from `operator new`. Throws: as the constructors of memory_pool.
    explicit shared_pool(std::size_t block_count, pool_options options = {})
        : shared_pool(block_count, arena::heap(), options) {}

    /// A pool on `memory`, which it takes over. A borrowed buffer must outlive the last block as well.
    /// Throws: as the constructors of memory_pool.
    // Not by std::make_shared: it has a symbol that is unique in the process, and pins a plug-in.
    shared_pool(std::size_t block_count, arena memory, pool_options options = {})
        : state_(new state(detail::layout_for<T>(block_count), std::move(memory), options)) {}

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
    template <class... Args> [[nodiscard]] shared_block<T, C> allocate(Args&&... args) const {
        return state_->allocate(state_, std::forward<Args>(args)...);
    }

    /// As `allocate`, but returns an empty block when all are in use. The arguments are then unchanged.
    template <class... Args> [[nodiscard]] shared_block<T, C> try_allocate(Args&&... args) const {
        return state_->try_allocate(state_, std::forward<Args>(args)...);
    }

    /// As `allocate` and `try_allocate`, but T is default-initialised, as in typed_pool.
    template <class...> [[nodiscard]] shared_block<T, C> allocate_for_overwrite() const {
        return allocate(detail::for_overwrite());
    }
    template <class...> [[nodiscard]] shared_block<T, C> try_allocate_for_overwrite() const {
        return try_allocate(detail::for_overwrite());
    }

    /// As `allocate` and `try_allocate`, called on behalf of `where`, `{}` being the caller's line. Kept in debug
    /// level.
    template <class... Args>
    [[nodiscard]] shared_block<T, C> allocate_at([[maybe_unused]] site where, Args&&... args) const {
        return allocate(std::forward<Args>(args)...);
    }
    template <class... Args>
    [[nodiscard]] shared_block<T, C> try_allocate_at([[maybe_unused]] site where, Args&&... args) const {
        return try_allocate(std::forward<Args>(args)...);
    }

    /// Takes back what `shared_block::release` gave up, and nothing else, as in typed_pool. If two threads adopt one
    /// object, one gets it, and the other one's call is a violation.
    [[nodiscard]] shared_block<T, C> adopt(T* object) const noexcept { return state_->adopt(object); }

    // As in memory_pool.
    [[nodiscard]] bool contains(const void* address) const noexcept { return state_->contains(address); }
    [[nodiscard]] std::size_t index_of(const void* block) const noexcept { return state_->index_of(block); }

    // Counts are those of one moment, which has passed when they are read while other threads use the pool.
    [[nodiscard]] std::size_t total_blocks() const noexcept { return stats().total_blocks; }
    [[nodiscard]] std::size_t available() const noexcept { return total_blocks() - in_use(); }
    [[nodiscard]] std::size_t in_use() const noexcept { return stats().in_use; }
    [[nodiscard]] std::size_t peak_in_use() const noexcept { return stats().peak_in_use; }
    [[nodiscard]] static constexpr std::size_t block_size() noexcept { return sizeof(T); }         // bytes
    [[nodiscard]] static constexpr std::size_t stride() noexcept { return detail::stride_of<T>; }  // bytes
    [[nodiscard]] static constexpr std::size_t alignment() noexcept { return alignof(T); }         // bytes
    [[nodiscard]] const char* name() const noexcept { return state_->name(); }
    [[nodiscard]] pool_stats stats() const noexcept { return state_->stats(); }

    /// Whether both are the same pool.
    [[nodiscard]] friend bool operator==(const shared_pool& a, const shared_pool& b) noexcept {
        return a.state_.get() == b.state_.get();
    }

private:
    std::shared_ptr<state> state_;  // never empty
};

}  // namespace fixpool::inline FIXPOOL_ABI
