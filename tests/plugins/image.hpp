// SPDX-License-Identifier: BSL-1.0
// What a host and its libraries all do, each with its own pools. The functions are local to the image (executable or
// shared library) that includes this file. The pools' code is not, and `part` is one type: the loader may let a library
// run the host's copy.
#pragma once

#include <fixpool/fixpool.hpp>

#include <new>
#include <string>
#include <string_view>

/// The objects in the pools of every image.
struct part {
    int number = 0;
};

namespace {

int times_told = 0;  // how often the handler of this image was called
void* last_context = nullptr;

/// The handler of this image.
void listen(const fixpool::violation& v) {
    ++times_told;
    last_context = v.context;
}

// Each of these is one violation.
inline void misuse(fixpool::memory_pool& pool) {
    void* const block = pool.allocate();
    pool.deallocate(block);
    pool.deallocate(block);
}
inline void misuse(fixpool::typed_pool<part>& pool) {
    part stranger;
    static_cast<void>(pool.adopt(&stranger));
}
inline void misuse(const fixpool::shared_pool<part>& pool) {
    part stranger;
    static_cast<void>(pool.adopt(&stranger));
}

/// Builds a raw, a typed and a shared pool with these options, and misuses each once.
inline void misuse_each(const fixpool::pool_options& options) {
    fixpool::memory_pool raw({16, 2}, options);
    fixpool::typed_pool<part> typed(2, options);
    const fixpool::shared_pool<part> shared(2, options);
    misuse(raw);
    misuse(typed);
    misuse(shared);
}

/// The same with each way to name no handler. Returns the number of violations.
inline int misuse_own() {
    fixpool::memory_pool raw({16, 2});
    fixpool::typed_pool<part> typed(2);
    const fixpool::shared_pool<part> shared(2);
    misuse(raw);
    misuse(typed);
    misuse(shared);
    misuse_each({});
    misuse_each({.name = "named"});
    fixpool::pool_options declared;
    declared.name = "declared";
    misuse_each(declared);
    return 12;
}

/// Checks the handler: the default one at first, never nullptr, and returned when it is replaced.
[[nodiscard]] inline bool keeps_handlers() {
    const fixpool::violation_handler first = fixpool::get_violation_handler();
    const bool is_given = first != nullptr && fixpool::set_violation_handler(&listen) == first;
    const bool is_kept =
        fixpool::get_violation_handler() == &listen && fixpool::set_violation_handler(nullptr) == &listen;
    const bool is_default =
        fixpool::get_violation_handler() == first && fixpool::set_violation_handler(nullptr) == first;
    return is_given && is_kept && is_default;
}

// Each of these throws pool_exhausted from a pool of one block. The pool's name is that of its kind.
inline void exhaust_raw() {
    fixpool::memory_pool pool({16, 1}, {.name = "raw"});
    void* const only = pool.allocate();
    try {
        static_cast<void>(pool.allocate());
    } catch (...) {
        pool.deallocate(only);
        throw;
    }
}
inline void exhaust_typed() {
    fixpool::typed_pool<part> pool(1, {.name = "typed"});
    const auto only = pool.allocate();
    static_cast<void>(pool.allocate());
}
inline void exhaust_shared() {
    const fixpool::shared_pool<part> pool(1, {.name = "shared"});
    const auto only = pool.allocate();
    static_cast<void>(pool.allocate());
}

/// Whether `exhaust` throws something that is caught as E, and whose text is right for the pool of this name.
template <class E> [[nodiscard]] bool catches(void (*exhaust)(), std::string_view name) {
    try {
        exhaust();
    } catch (const E& caught) {
        return caught.what() == "fixpool: 1 of 1 blocks in use in pool \"" + std::string(name) + "\"";
    } catch (...) {
    }
    return false;
}

}  // namespace
