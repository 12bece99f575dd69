// SPDX-License-Identifier: BSL-1.0
// pointer_storage: the objects of one kind, each owned by a pointer in a vector, as many games have them.
#pragma once

#include <fixpool/typed_pool.hpp>

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "handle_table.hpp"
#include "objects.hpp"

/// Makes objects by new. The storage keeps the budget.
template <class T> struct heap_source {
    using owner = std::unique_ptr<T>;
    heap_source(std::size_t, const char*) {}
    owner make(const T& order) { return std::make_unique<T>(order); }
};

/// Makes objects in a pool. The storage is the same as with new, so only the allocator differs.
template <class T> struct pool_source {
    using owner = fixpool::block<T>;
    pool_source(std::size_t budget, const char* name) : pool(budget, {.name = name}) {}
    owner make(const T& order) { return pool.allocate(order); }
    fixpool::typed_pool<T> pool;
};

/// The objects stay where they are. When one dies, the last pointer moves to the place of its pointer.
template <class T, template <class> class Source> class pointer_storage {
public:
    static constexpr bool is_pool = false;

    pointer_storage(std::size_t budget, const char* name) : source_(budget, name), budget_(budget) {
        objects_.reserve(budget);
    }

    /// The new object, or nullptr if the budget is used up.
    T* spawn(const T& order) {
        if (objects_.size() == budget_) return nullptr;
        T* const object = objects_.emplace_back(source_.make(order)).get();
        if constexpr (is_followed<T>) object->self = table_.add(object);
        return object;
    }

    /// Calls keeps(T&) for each object. If it returns false, the object dies.
    template <class Fn> void sweep(Fn keeps) {
        for (std::size_t i = 0; i < objects_.size();) {
            if (keeps(*objects_[i])) ++i;
            else kill(i);
        }
    }
    template <class Fn> void visit(Fn fn) {
        for (auto& object : objects_) fn(*object);
    }

    /// The object of that handle, or nullptr if it is gone.
    [[nodiscard]] T* find(handle of) noexcept requires is_followed<T> {
        T* const* const place = table_.find(of);
        return place == nullptr ? nullptr : *place;
    }

    [[nodiscard]] std::size_t size() const noexcept { return objects_.size(); }
    [[nodiscard]] std::size_t budget() const noexcept { return budget_; }

private:
    void kill(std::size_t i) {
        if constexpr (is_followed<T>) table_.remove(objects_[i]->self);
        if (i + 1 != objects_.size()) objects_[i] = std::move(objects_.back());
        objects_.pop_back();
    }

    Source<T> source_;
    std::vector<typename Source<T>::owner> objects_;
    handle_table<T*> table_;  // if objects of type T are followed
    std::size_t budget_;
};

template <class T> using new_storage = pointer_storage<T, heap_source>;
template <class T> using block_storage = pointer_storage<T, pool_source>;
