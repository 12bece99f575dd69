// SPDX-License-Identifier: BSL-1.0
// block: the handle that owns one object in a typed_pool.
#pragma once

#include <fixpool/checking.hpp>

#include <cstddef>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI {

template <class T, checking C> class typed_pool;

namespace detail {

/// An object and the owner it goes back to; what block and shared_block are made of.
// Invariant: object_ != nullptr: owner_ lives, and object_ is ours to give back.
// Otherwise owner_ means nothing.
template <class T, class Owner> class handle {
public:
    handle() noexcept = default;
    handle(Owner* owner, T* object) noexcept : owner_(owner), object_(object) {}
    handle(handle&& other) noexcept : owner_(other.owner_), object_(other.release()) {}
    handle& operator=(handle&& other) noexcept {  // what was held goes last: it may use this very handle
        if (object_ != nullptr) [[unlikely]]
            handle(std::move(other)).swap(*this);
        else swap(other);  // the owner of nothing is not even read
        return *this;
    }
    ~handle() { reset(); }

    [[nodiscard]] T* get() const noexcept { return object_; }
    [[nodiscard]] T* release() noexcept { return std::exchange(object_, nullptr); }
    void reset() noexcept {
        if (T* const object = release(); object != nullptr) owner_->give_back(object);
    }
    void swap(handle& other) noexcept {
        std::swap(owner_, other.owner_);
        std::swap(object_, other.object_);
    }

private:
    Owner* owner_ = nullptr;
    T* object_ = nullptr;
};

/// A block that is out while the object in it is constructed: goes back to its owner unless kept.
template <class Owner> class block_lease {
public:
    block_lease(Owner& owner, typename Owner::entry block) noexcept : owner_(&owner), block_(block) {}
    block_lease(const block_lease&) = delete;
    block_lease& operator=(const block_lease&) = delete;
    ~block_lease() {
        if (owner_ != nullptr) owner_->put_back(block_);
    }
    void keep() noexcept { owner_ = nullptr; }

private:
    Owner* owner_;
    typename Owner::entry block_;
};

}  // namespace detail

/// Owns one T in a typed_pool, as a unique_ptr would: destroys it and gives its block back. Empty
/// by default and after a move. The pool outlives its blocks. The handle is empty already when the
/// destructor of T runs, and the block counts as in use until that has returned. T may be
/// incomplete where a block is only named, stored or declared.
/// Thread safety: that of its pool.
template <class T, checking C = checking::checked> class block {
public:
    block() noexcept = default;
    block(block&&) noexcept = default;
    block& operator=(block&&) noexcept = default;

    [[nodiscard]] T* get() const noexcept { return handle_.get(); }         // nullptr when empty
    [[nodiscard]] T& operator*() const noexcept { return *handle_.get(); }  // Requires: not empty
    [[nodiscard]] T* operator->() const noexcept { return handle_.get(); }  // Requires: not empty
    [[nodiscard]] explicit operator bool() const noexcept { return handle_.get() != nullptr; }

    /// Destroys the object and gives the block back; of an empty block nothing.
    void reset() noexcept { handle_.reset(); }

    /// Gives up the object, which stays alive and in its block until the pool's `adopt` takes it
    /// back. nullptr when empty.
    [[nodiscard]] T* release() noexcept { return handle_.release(); }

    void swap(block& other) noexcept { handle_.swap(other.handle_); }
    friend void swap(block& a, block& b) noexcept { a.swap(b); }
    [[nodiscard]] friend bool operator==(const block& b, std::nullptr_t) noexcept { return b.get() == nullptr; }

private:
    friend class typed_pool<T, C>;

    block(typed_pool<T, C>& pool, T* object) noexcept : handle_(&pool, object) {}

    detail::handle<T, typed_pool<T, C>> handle_;
};

}  // namespace fixpool::inline FIXPOOL_ABI
