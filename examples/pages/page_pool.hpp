// SPDX-License-Identifier: BSL-1.0
// page_pool: gives SQLite page caches that share one fixed pool of pages.
#pragma once

#include <fixpool/stats.hpp>

#include <cstddef>

/// How many pages all caches of the process have together. A database with larger pages cannot be opened.
struct page_budget {
    std::size_t page_bytes;  // a power of two from 4096 (SQLite starts with it) to 65536: that of the largest pages
    std::size_t page_count;
};

/// Makes SQLite keep all pages in a pool of that size, from its next sqlite3_initialize on. Returns SQLite's result
/// code: SQLITE_MISUSE if SQLite is initialised already.
[[nodiscard]] int use_page_pool(page_budget budget);

/// The pool's counters. Requires: SQLite is initialised, with the pool.
[[nodiscard]] fixpool::pool_stats page_pool_stats();

/// Whether all metadata of the pool and the caches agree. For tests, while no other thread uses a cache.
/// Requires: as above.
[[nodiscard]] bool audit_page_pool();
