// SPDX-License-Identifier: BSL-1.0
// vector_storage: the objects of one kind side by side in a vector. If they are followed, it is a slot map.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "handle_table.hpp"
#include "objects.hpp"

/// When an object dies, the last one moves to its place. So an object's address is valid until the next death.
template <class T> class vector_storage {
public:
    static constexpr bool is_pool = false;

    vector_storage(std::size_t budget, const char*) : budget_(budget) { objects_.reserve(budget); }

    /// The new object, or nullptr if the budget is used up.
    T* spawn(const T& order) {
        if (objects_.size() == budget_) return nullptr;
        objects_.push_back(order);
        T& object = objects_.back();
        if constexpr (is_followed<T>) object.self = table_.add(static_cast<std::uint32_t>(objects_.size() - 1));
        return &object;
    }

    /// Calls keeps(T&) for each object. If it returns false, the object dies.
    template <class Fn> void sweep(Fn keeps) {
        for (std::size_t i = 0; i < objects_.size();) {
            if (keeps(objects_[i])) ++i;
            else kill(i);
        }
    }
    template <class Fn> void visit(Fn fn) {
        for (T& object : objects_) fn(object);
    }

    /// The object of that handle, or nullptr if it is gone.
    [[nodiscard]] T* find(handle of) noexcept requires is_followed<T> {
        const std::uint32_t* const place = table_.find(of);
        return place == nullptr ? nullptr : &objects_[*place];
    }

    [[nodiscard]] std::size_t size() const noexcept { return objects_.size(); }
    [[nodiscard]] std::size_t budget() const noexcept { return budget_; }

private:
    void kill(std::size_t i) {
        if constexpr (is_followed<T>) {
            table_.remove(objects_[i].self);
            if (i + 1 != objects_.size()) table_.move(objects_.back().self, static_cast<std::uint32_t>(i));
        }
        objects_[i] = objects_.back();
        objects_.pop_back();
    }

    std::vector<T> objects_;
    handle_table<std::uint32_t> table_;  // if objects of type T are followed
    std::size_t budget_;
};
