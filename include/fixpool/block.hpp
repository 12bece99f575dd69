// SPDX-License-Identifier: BSL-1.0
// block: the handle that owns one object of a pool.
#pragma once

#include <fixpool/checking.hpp>

#include <compare>
#include <cstddef>
#include <typeindex>  // the lightest header that declares std::hash
#include <utility>

namespace fixpool::inline FIXPOOL_ABI {

template <class T, checking C> class typed_pool;

/// The handle of one object in a pool. It owns the object as a std::unique_ptr does: its destructor destroys the object
/// and gives the memory back to the pool. It can be moved, not copied. A default-constructed or moved-from handle is
/// empty. `Owner` is the pool's class; a typed_pool must outlive its handles.
///
/// While the destructor of T runs, the handle is already empty and the block is still in use. T may be incomplete where
/// a handle is only declared or stored.
/// Thread safety: as its pool.
// Invariant: object_ != nullptr: owner_ lives, and object_ is ours to give back. Otherwise owner_ means nothing.
template <class T, checking C = checking::checked, class Owner = typed_pool<T, C>> class block {
public:
    block() noexcept = default;        ///< an empty handle
    block(std::nullptr_t) noexcept {}  ///< an empty handle
    /// Takes the object of `other`, which is then empty.
    block(block&& other) noexcept : owner_(other.owner_), object_(std::exchange(other.object_, nullptr)) {}
    /// Takes the object of `other`, which is then empty. Destroys the object that this handle owned before.
    block& operator=(block&& other) noexcept {  // destroys last: that destructor may use this very handle
        if (object_ != nullptr) [[unlikely]]
            block(std::move(other)).swap(*this);
        else {  // no swap: it would load both members at once, and wait for the store that emptied object_
            owner_ = other.owner_;
            object_ = std::exchange(other.object_, nullptr);
        }
        return *this;
    }
    /// As `reset`.
    ~block() {
        if (object_ != nullptr) reset();  // tested here: an empty handle costs no call and may stay in registers
    }

    [[nodiscard]] T* get() const noexcept { return object_; }         ///< address of the object; nullptr if empty
    [[nodiscard]] T& operator*() const noexcept { return *object_; }  ///< the object. Requires: not empty.
    [[nodiscard]] T* operator->() const noexcept { return object_; }  ///< access to its members. Requires: not empty.
    /// Whether the handle owns an object.
    [[nodiscard]] explicit operator bool() const noexcept { return object_ != nullptr; }

    /// Destroys the object and gives its memory back. Then the handle is empty. Does nothing if it is empty already. If
    /// the object is not in use any more, the pool reports a violation instead, if its level of checking detects that.
    /// Complexity: O(1), plus T's destructor; expected O(1) in a pool that grows.
    void reset() noexcept {
        if (T* const object = std::exchange(object_, nullptr); object != nullptr) owner_->give_back(object);
    }

    /// Gives up the object without destroying it. Then the handle is empty, and the object lives on in its block. Pass
    /// the returned pointer to the pool's `adopt` later. Returns nullptr if the handle is empty.
    /// Complexity: O(1); expected O(1) in a pool that grows.
    [[nodiscard]] T* release() noexcept {
        T* const object = std::exchange(object_, nullptr);
        if (object != nullptr) owner_->give_up(object);
        return object;
    }

    /// Exchanges the objects of two handles.
    void swap(block& other) noexcept {
        std::swap(owner_, other.owner_);
        std::swap(object_, other.object_);
    }
    /// Exchanges the objects of two handles.
    friend void swap(block& a, block& b) noexcept { a.swap(b); }

    /// Whether the addresses of the objects are equal; the address of an empty handle is nullptr.
    [[nodiscard]] friend bool operator==(const block& a, const block& b) noexcept { return a.object_ == b.object_; }
    [[nodiscard]] friend bool operator==(const block& a, std::nullptr_t) noexcept { return a.object_ == nullptr; }
    /// Orders handles by the addresses of their objects, as std::unique_ptr does.
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

/// Holds a block during the construction of its object. Gives it back unless `keep` is called.
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

/// Hash of a handle: of the object's address.
template <class T, fixpool::checking C, class Owner> struct std::hash<fixpool::block<T, C, Owner>> {
    /// Returns the hash of the object's address.
    [[nodiscard]] std::size_t operator()(const fixpool::block<T, C, Owner>& of) const noexcept {
        return std::hash<T*>()(of.get());
    }
};
