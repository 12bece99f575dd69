// SPDX-License-Identifier: BSL-1.0
// What a library offers to its host.
#pragma once

#include <fixpool/memory_pool.hpp>

#include <cstddef>
#include <string_view>

struct library {
    int version;
    const std::size_t* no_index;                                // where its constant violation::npos is
    int (*fill_pools)();                                        // bytes of the blocks that it has got from its pools
    void (*when_unloaded)(void (*call)());                      // calls this when its static objects are destroyed
    bool (*keeps_handlers)();                                   // as in image.hpp, like others of the same name
    void (*listen)();                                           // makes its own handler the handler of its image
    int (*times_told)();                                        // how often that handler was called
    int (*misuse_own)();                                        // misuses its own pools
    void (*misuse_each)(const fixpool::pool_options& options);  // its pools, with the host's options
    void (*misuse)(fixpool::memory_pool& pool);                 // misuses the host's pool
    fixpool::memory_pool (*build)();
    void (*end)(fixpool::memory_pool&& pool);  // takes the host's pool over, and destroys it
    void (*exhaust_raw)();
    void (*exhaust_typed)();
    void (*exhaust_shared)();
    bool (*catches)(void (*exhaust)(), std::string_view name);  // the host's exception
};

/// The one name that a host looks up.
extern "C" [[gnu::visibility("default")]] const library plugin;
