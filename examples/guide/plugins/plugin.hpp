// SPDX-License-Identifier: BSL-1.0
// What the plug-in offers to its host.
#pragma once

#include <fixpool/options.hpp>

struct plugin_functions {
    void (*open)(const fixpool::pool_options& options);  // makes a pool with these options
    void (*release_twice)();                             // a misuse of it
    void (*take_all)();                                  // throws pool_exhausted
    void (*close)();                                     // destroys the pool
};

/// The one name that a host looks up.
extern "C" [[gnu::visibility("default")]] const plugin_functions plugin;
