// SPDX-License-Identifier: BSL-1.0
// pool_storage: the objects of one kind in a fixpool::typed_pool, visited in the order of addresses.
#pragma once

#include <fixpool/typed_pool.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "live_set.hpp"
#include "objects.hpp"

/// Keeps no handles of its objects: each object is given up when it is made, and adopted when it dies. `HasSet`: a
/// live_set finds the objects, which is faster than the pool's own for_each.
// Invariant: generations_[i] counts followed objects that have died in block i. live_ has the blocks of live ones.
template <class T, bool HasSet> class pool_storage {
public:
    static constexpr bool is_pool = true;

    pool_storage(std::size_t budget, const char* name)
        : pool_(budget, {.name = name}), live_(HasSet ? budget : 0), generations_(is_followed<T> ? budget : 0) {}
    pool_storage(const pool_storage&) = delete;
    pool_storage& operator=(const pool_storage&) = delete;
    ~pool_storage() {
        visit([this](T& object) { kill(object); });
    }

    /// The new object, or nullptr if the budget is used up.
    T* spawn(const T& order) {
        T* const object = pool_.try_allocate(order).release();
        if (object == nullptr) return nullptr;
        const std::size_t index = pool_.index_of(object);
        if constexpr (HasSet) live_.insert(index);
        if constexpr (is_followed<T>) object->self = {static_cast<std::uint32_t>(index), generations_[index]};
        return object;
    }

    /// Requires: the object lives. If not, the pool reports a double free.
    void kill(T& object) noexcept {
        const fixpool::block<T> last_owner = pool_.adopt(&object);
        if (!last_owner) return;
        const std::size_t index = pool_.index_of(&object);
        if constexpr (HasSet) live_.erase(index);
        if constexpr (is_followed<T>) ++generations_[index];
    }

    /// Calls keeps(T&) for each object. If it returns false, the object dies.
    template <class Fn> void sweep(Fn keeps) {
        visit([&](T& object) {
            if (!keeps(object)) kill(object);
        });
    }
    template <class Fn> void visit(Fn fn) {
        if constexpr (HasSet) live_.for_each([&](std::size_t index) { fn(*pool_.object_at(index)); });
        else pool_.for_each(fn);
    }

    /// The object of that handle, or nullptr if it is gone.
    [[nodiscard]] T* find(handle of) noexcept requires is_followed<T> {
        if (of.index >= generations_.size() || generations_[of.index] != of.generation) return nullptr;
        return pool_.object_at(of.index);
    }

    [[nodiscard]] std::size_t size() const noexcept { return pool_.in_use(); }
    [[nodiscard]] std::size_t budget() const noexcept { return pool_.total_blocks(); }
    [[nodiscard]] fixpool::pool_stats stats() const noexcept { return pool_.stats(); }

private:
    fixpool::typed_pool<T> pool_;
    live_set live_;
    std::vector<std::uint32_t> generations_;  // per block, if objects of type T are followed
};

template <class T> using for_each_storage = pool_storage<T, false>;
template <class T> using live_set_storage = pool_storage<T, true>;
