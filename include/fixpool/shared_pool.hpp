// SPDX-License-Identifier: BSL-1.0
// shared_pool: a typed pool for many threads, which lives as long as any of its copies or
// any of its blocks.
#pragma once

#include <fixpool/typed_pool.hpp>

#include <memory>
#include <mutex>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI {

template <class T, checking C> class shared_block;
template <class T, checking C> class shared_pool;

namespace detail {

/// What the copies of a shared_pool share. No user code runs, and no handler is called, while
/// the mutex is held.
// Invariant, under the mutex: keep_alive_ is this state itself if pool_.in_use()
// > 0, otherwise empty.
template <class T, checking C> class shared_state {
    using free_list = detail::free_list<C>;

public:
    using entry = typename free_list::entry;

    shared_state(pool_layout layout, arena memory, pool_options options) : pool_(layout, std::move(memory), options) {}

    /// A T made of `args`, or nullptr when all blocks are in use. `self` is this state, and may be
    /// gone when T's constructor has run: that may end the very shared_pool it belongs to.
    template <class... Args> [[nodiscard]] T* try_construct(const std::shared_ptr<shared_state>& self, Args&&... args) {
        entry taken;
        if (!take(self, taken)) return nullptr;
        block_lease<shared_state> lease(*this, taken);
        T* const object = construct<T>(pool_.list_.template address<sizeof(T)>(taken), std::forward<Args>(args)...);
        lease.keep();
        if constexpr (free_list::is_checked) {
            const std::lock_guard lock(mutex_);
            pool_.list_.mark(taken, block_state::live);  // not before: nobody adopts half an object
        }
        return object;
    }

    [[noreturn]] void raise_exhausted() const { pool_.raise_exhausted(); }

    /// Puts back a block whose object is gone. The last one may end this state: nothing is
    /// touched after the unlocking.
    void put_back(entry block) noexcept {
        std::shared_ptr<shared_state> last;  // dropped after the mutex is unlocked
        const std::lock_guard lock(mutex_);
        pool_.list_.put(block);
        if (pool_.in_use() == 0) last = std::move(keep_alive_);
    }

    void give_back(T* object) noexcept {
        const entry claimed = claim(object);
        if (claimed == free_list::none) return;
        object->~T();
        put_back(claimed);
    }

    /// Whether `object` is live; reports it where it is not.
    [[nodiscard]] bool admit([[maybe_unused]] const T* object) noexcept {
        if constexpr (free_list::is_checked) {
            std::unique_lock lock(mutex_);
            if (!pool_.owns(object)) {
                report_misuse(object, lock);
                return false;
            }
        }
        return true;
    }

    [[nodiscard]] pool_stats stats() const noexcept {
        const std::lock_guard lock(mutex_);
        return pool_.stats();
    }

private:
    [[nodiscard]] bool take(const std::shared_ptr<shared_state>& self, entry& taken) noexcept {
        const std::lock_guard lock(mutex_);
        if (!pool_.list_.take(taken)) return false;
        if (pool_.in_use() == 1) keep_alive_ = self;
        return true;
    }

    /// The live block at `object`, live no longer; reports and returns `none` where there is none.
    [[nodiscard]] entry claim(T* object) noexcept {
        std::unique_lock lock(mutex_, std::defer_lock);
        if constexpr (free_list::is_checked) lock.lock();
        const entry claimed = pool_.list_.template claim<sizeof(T)>(object);
        if constexpr (free_list::is_checked)
            if (claimed == free_list::none) report_misuse(object, lock);
        return claimed;
    }

    /// What is reported is read under the lock, and told after it.
    FIXPOOL_COLD void report_misuse(const void* object, std::unique_lock<std::mutex>& lock) const noexcept {
        const violation misuse = pool_.violation_at(pool_.list_.misuse_of(object), object);
        lock.unlock();
        detail::report(misuse);
    }

    mutable std::mutex mutex_;
    basic_memory_pool<C> pool_;                 // guarded by mutex_
    std::shared_ptr<shared_state> keep_alive_;  // guarded by mutex_
};

}  // namespace detail

/// Owns one T in a shared_pool, as block does in a typed_pool; and every live one owns the pool
/// too, which stays after its last shared_pool is gone. An object that holds a shared_pool or a
/// shared_block of its own pool may keep itself alive for ever, as with shared_ptr.
/// Thread safety: one thread at a time, as a unique_ptr; it may be moved to another
/// thread, and die there.
template <class T, checking C = checking::checked> class shared_block {
public:
    shared_block() noexcept = default;
    shared_block(shared_block&&) noexcept = default;
    shared_block& operator=(shared_block&&) noexcept = default;

    [[nodiscard]] T* get() const noexcept { return handle_.get(); }         // nullptr when empty
    [[nodiscard]] T& operator*() const noexcept { return *handle_.get(); }  // Requires: not empty
    [[nodiscard]] T* operator->() const noexcept { return handle_.get(); }  // Requires: not empty
    [[nodiscard]] explicit operator bool() const noexcept { return handle_.get() != nullptr; }

    /// Destroys the object and gives the block back; of an empty block nothing.
    void reset() noexcept { handle_.reset(); }

    /// Gives up the object, which stays alive, keeps the pool alive, and waits for
    /// `adopt`. nullptr when empty.
    [[nodiscard]] T* release() noexcept { return handle_.release(); }

    void swap(shared_block& other) noexcept { handle_.swap(other.handle_); }
    friend void swap(shared_block& a, shared_block& b) noexcept { a.swap(b); }
    [[nodiscard]] friend bool operator==(const shared_block& b, std::nullptr_t) noexcept { return b.get() == nullptr; }

private:
    friend class shared_pool<T, C>;

    shared_block(detail::shared_state<T, C>* state, T* object) noexcept : handle_(state, object) {}

    detail::handle<T, detail::shared_state<T, C>> handle_;
};

/// A pool of `total_blocks()` objects of type T for all threads at once. A copy is the same pool,
/// and so is what is left after a move: it is never empty. Its capacity is exact: `try_allocate` is
/// empty only when every block was out. T's constructor and destructor run outside the pool's lock,
/// and may use this very pool.
/// Thread safety: every member from any thread, at the same time; assigning to one shared_pool
/// object is not among them.
template <class T, checking C = checking::checked> class shared_pool {
    static_assert(!std::is_reference_v<T>, "fixpool: T is a reference: pool the type it refers to, or a pointer");
    using state = detail::shared_state<T, C>;

public:
    /// A pool on memory from `operator new`. Throws: as the constructors of memory_pool.
    explicit shared_pool(std::size_t block_count, pool_options options = {})
        : shared_pool(block_count, arena::heap(), options) {}

    /// A pool on `memory`, which it takes over; a borrowed buffer must outlive the
    /// last block as well.
    /// Throws: as the constructors of memory_pool.
    shared_pool(std::size_t block_count, arena memory, pool_options options = {})
        : state_(std::make_shared<state>(detail::layout_for<T>(block_count), std::move(memory), options)) {}

    shared_pool(const shared_pool&) noexcept = default;  // and no move: a moved-from pool is still this pool
    shared_pool& operator=(const shared_pool&) noexcept = default;
    ~shared_pool() = default;

    /// Bytes that a pool of so many T takes of its arena, as basic_memory_pool::required_bytes.
    [[nodiscard]] static constexpr std::size_t required_bytes(std::size_t block_count) {
        return basic_memory_pool<C>::required_bytes(detail::layout_for<T>(block_count));
    }

    /// A T made of `args`.
    /// Throws: pool_exhausted when all blocks are in use; what T's constructor throws, and then
    /// the block is back.
    /// Complexity: O(1), and T's constructor.
    template <class... Args> [[nodiscard]] shared_block<T, C> allocate(Args&&... args) const {
        shared_block<T, C> made = try_allocate(std::forward<Args>(args)...);
        if (made == nullptr) state_->raise_exhausted();
        return made;
    }

    /// As `allocate`, but an empty block when all are in use: then no argument was touched.
    template <class... Args> [[nodiscard]] shared_block<T, C> try_allocate(Args&&... args) const {
        // In this order: T's constructor may end this very object.
        return {state_.get(), state_->try_construct(state_, std::forward<Args>(args)...)};
    }

    /// As `allocate` and `try_allocate`, called on behalf of `where`, `{}` being the caller's line:
    /// kept in debug level.
    template <class... Args>
    [[nodiscard]] shared_block<T, C> allocate_at([[maybe_unused]] site where, Args&&... args) const {
        return allocate(std::forward<Args>(args)...);
    }
    template <class... Args>
    [[nodiscard]] shared_block<T, C> try_allocate_at([[maybe_unused]] site where, Args&&... args) const {
        return try_allocate(std::forward<Args>(args)...);
    }

    /// Takes back what `shared_block::release` gave up, which no other handle owns (a second one
    /// keeps nothing alive); nullptr gives an empty block. Any other pointer than to a live object
    /// of this pool is a violation, it is not touched, and the block is empty.
    [[nodiscard]] shared_block<T, C> adopt(T* object) const noexcept {
        if (object == nullptr || !state_->admit(object)) return {};
        return {state_.get(), object};
    }

    // Counts are those of one moment, which has passed when they are read while other
    // threads use the pool.
    [[nodiscard]] std::size_t total_blocks() const noexcept { return stats().total_blocks; }
    [[nodiscard]] std::size_t available() const noexcept { return total_blocks() - in_use(); }
    [[nodiscard]] std::size_t in_use() const noexcept { return stats().in_use; }
    [[nodiscard]] std::size_t peak_in_use() const noexcept { return stats().peak_in_use; }
    [[nodiscard]] std::size_t block_size() const noexcept { return stats().block_size; }  // bytes
    [[nodiscard]] std::size_t stride() const noexcept { return stats().stride; }          // bytes
    [[nodiscard]] std::size_t alignment() const noexcept { return alignof(T); }           // bytes
    [[nodiscard]] pool_stats stats() const noexcept { return state_->stats(); }

private:
    std::shared_ptr<state> state_;  // never empty
};

}  // namespace fixpool::inline FIXPOOL_ABI
