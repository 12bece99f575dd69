// SPDX-License-Identifier: BSL-1.0
// block: the handle that owns one object in a pool.
#pragma once

#include <fixpool/checking.hpp>

#include <compare>
#include <cstddef>
#include <typeindex>  // the lightest header that declares std::hash
#include <utility>

namespace fixpool::inline FIXPOOL_ABI {

template <class T, checking C> class typed_pool;

/// Owns one T in a pool, as a unique_ptr would: destroys it and gives its block back. Empty by default and after a
/// move. The owner is a typed_pool, which must outlive its blocks. shared_block is the same handle for a shared_pool.
/// When the destructor of T runs, the handle is already empty. The block is in use until the destructor has returned.
/// T may be incomplete where a block is only named, stored or declared.
/// Thread safety: that of its pool.
// Invariant: object_ != nullptr: owner_ lives, and object_ is ours to give back. Otherwise owner_ means nothing.
template <class T, checking C = checking::checked, class Owner = typed_pool<T, C>> class block {
public:
    block() noexcept = default;
    block(std::nullptr_t) noexcept {}
    block(block&& other) noexcept : owner_(other.owner_), object_(std::exchange(other.object_, nullptr)) {}
    block& operator=(block&& other) noexcept {  // the old object goes last: its destructor may use this very handle
        if (object_ != nullptr) [[unlikely]]
            block(std::move(other)).swap(*this);
        else {  // its owner is not read: a load of both words waits for the store that emptied it
            owner_ = other.owner_;
            object_ = std::exchange(other.object_, nullptr);
        }
        return *this;
    }
    ~block() {
        if (object_ != nullptr) reset();  // seen inline: an empty handle costs no call, and need not be in memory
    }

    [[nodiscard]] T* get() const noexcept { return object_; }         // nullptr when empty
    [[nodiscard]] T& operator*() const noexcept { return *object_; }  // Requires: not empty
    [[nodiscard]] T* operator->() const noexcept { return object_; }  // Requires: not empty
    [[nodiscard]] explicit operator bool() const noexcept { return object_ != nullptr; }

    /// Destroys the object and gives the block back. Does nothing if the handle is empty.
    void reset() noexcept {
        if (T* const object = std::exchange(object_, nullptr); object != nullptr) owner_->give_back(object);
    }

    /// Gives up the object, which stays alive, keeps its block, and waits for the pool's `adopt`. Returns nullptr if
    /// the handle is empty.
    [[nodiscard]] T* release() noexcept {
        T* const object = std::exchange(object_, nullptr);
        if (object != nullptr) owner_->give_up(object);
        return object;
    }

    void swap(block& other) noexcept {
        std::swap(owner_, other.owner_);
        std::swap(object_, other.object_);
    }
    friend void swap(block& a, block& b) noexcept { a.swap(b); }

    // By the address of the object.
    [[nodiscard]] friend bool operator==(const block& a, const block& b) noexcept { return a.object_ == b.object_; }
    [[nodiscard]] friend bool operator==(const block& a, std::nullptr_t) noexcept { return a.object_ == nullptr; }
    [[nodiscard]] friend std::strong_ordering operator<=>(const block& a, const block& b) noexcept {
        return std::compare_three_way()(a.object_, b.object_);
    }

private:
    friend Owner;

    block(Owner* owner, T* object) noexcept : owner_(owner), object_(object) {}

    Owner* owner_ = nullptr;
    T* object_ = nullptr;
};

namespace detail {

/// Holds a block while the object in it is constructed. Gives it back to its owner unless `keep` was called.
template <class Owner> class block_lease {
public:
    block_lease(Owner* owner, typename Owner::entry block) noexcept : owner_(owner), block_(block) {}
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
}  // namespace fixpool::inline FIXPOOL_ABI

/// The hash of the object's address.
template <class T, fixpool::checking C, class Owner> struct std::hash<fixpool::block<T, C, Owner>> {
    [[nodiscard]] std::size_t operator()(const fixpool::block<T, C, Owner>& of) const noexcept {
        return std::hash<T*>()(of.get());
    }
};
