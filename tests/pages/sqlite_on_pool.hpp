// SPDX-License-Identifier: BSL-1.0
// sqlite_on_pool: while the object lives, SQLite keeps its pages in a pool. Afterwards it has its own page cache again.
#pragma once

#include <sqlite3.h>

#include <cstddef>
#include <stdexcept>

#include "../../examples/pages/page_pool.hpp"

class sqlite_on_pool {
public:
    explicit sqlite_on_pool(page_budget budget) {
        sqlite3_shutdown();
        sqlite3_config(SQLITE_CONFIG_GETPCACHE2, &own_);
        if (use_page_pool(budget) != SQLITE_OK || sqlite3_initialize() != SQLITE_OK) {
            throw std::runtime_error("SQLite does not start on the pool");
        }
    }
    sqlite_on_pool(const sqlite_on_pool&) = delete;
    sqlite_on_pool& operator=(const sqlite_on_pool&) = delete;
    ~sqlite_on_pool() {
        sqlite3_shutdown();
        sqlite3_config(SQLITE_CONFIG_PCACHE2, &own_);
    }

    /// The functions that SQLite calls.
    [[nodiscard]] static sqlite3_pcache_methods2 methods() {
        sqlite3_pcache_methods2 current{};
        sqlite3_shutdown();  // only now can they be asked for
        sqlite3_config(SQLITE_CONFIG_GETPCACHE2, &current);
        sqlite3_initialize();
        return current;
    }

private:
    sqlite3_pcache_methods2 own_{};
};
