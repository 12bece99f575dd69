// SPDX-License-Identifier: BSL-1.0
// The functions that SQLite calls (sqlite3_pcache_methods2), and the caches that share the pool.
#include "page_pool.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <exception>
#include <list>
#include <mutex>
#include <optional>

#include "page_cache.hpp"

/// What SQLite calls a cache. SQLite never looks inside.
struct sqlite3_pcache : page_cache {
    using page_cache::page_cache;
};

namespace {

/// The store and its caches. SQLite's functions get no context, so there is one store per process.
struct page_pool {
    explicit page_pool(const page_budget& budget, std::size_t extra_bytes)
        : store(budget.page_bytes, budget.page_count, extra_bytes) {}

    /// Gets a page for `cache` when few are left: from the cache with the most unpinned pages.
    /// Requires: the caller holds no cache's mutex.
    [[nodiscard]] page_header* reclaim(page_cache& cache) {
        const std::lock_guard lock(mutex);
        for (;;) {
            page_cache* richest = &cache;
            std::uint32_t most = cache.unpinned();
            for (sqlite3_pcache& other : caches) {
                if (const std::uint32_t count = other.unpinned(); count > most) {
                    richest = &other;
                    most = count;
                }
            }
            page_header* const page = richest->evict();
            if (page != nullptr || most == 0) {
                return page;
            }
        }  // its thread has just pinned them
    }

    page_store store;
    std::mutex mutex;  // guards the list; locked before a cache's mutex
    std::list<sqlite3_pcache> caches;
};

std::optional<page_pool> pool;
page_budget configured;
int extra_bytes_at_most = 0;

int start(void* budget) noexcept {
    try {
        pool.emplace(*static_cast<const page_budget*>(budget), static_cast<std::size_t>(extra_bytes_at_most));
        return SQLITE_OK;
    } catch (const std::exception&) {
        return SQLITE_NOMEM;
    }
}

void stop(void* /*budget*/) noexcept { pool.reset(); }

sqlite3_pcache* create(int page_bytes, int extra_bytes, int is_purgeable) noexcept {
    if (static_cast<std::size_t>(page_bytes) > pool->store.pool().block_size() ||
        static_cast<std::size_t>(extra_bytes) > pool->store.extra_bytes()) {
        return nullptr;
    }
    try {
        const std::lock_guard lock(pool->mutex);
        return &pool->caches.emplace_back(pool->store, is_purgeable != 0);
    } catch (const std::exception&) {
        return nullptr;
    }
}

void set_limit(sqlite3_pcache* cache, int pages) noexcept { cache->set_limit(static_cast<std::uint32_t>(pages)); }

int count(sqlite3_pcache* cache) noexcept { return static_cast<int>(cache->pages()); }

/// `create` 0: only find a page. 1: may refuse a new one. 2: refuses only if no page is left to take.
sqlite3_pcache_page* fetch(sqlite3_pcache* cache, unsigned key, int create) noexcept {
    page_header* page = cache->find(key);
    if (page != nullptr || create == 0 || (create == 1 && cache->should_spill())) {
        return page;
    }
    page = cache->recycle();
    if (page == nullptr && !pool->store.is_scarce()) {
        page = pool->store.take();
    }
    if (page == nullptr) {
        page = pool->reclaim(*cache);
    }
    if (page == nullptr) {
        page = pool->store.take();  // one of the last pages: all others are pinned
    }
    if (page != nullptr) {
        cache->insert(*page, key);
    }
    return page;
}

void unpin(sqlite3_pcache* cache, sqlite3_pcache_page* page, int discards) noexcept {
    cache->unpin(*static_cast<page_header*>(page), discards != 0);
}

void rekey(sqlite3_pcache* cache, sqlite3_pcache_page* page, unsigned /*old_key*/, unsigned key) noexcept {
    cache->rekey(*static_cast<page_header*>(page), key);
}

void truncate(sqlite3_pcache* cache, unsigned first) noexcept { cache->truncate(first); }

void shrink(sqlite3_pcache* cache) noexcept { cache->shrink(); }

void destroy(sqlite3_pcache* cache) noexcept {
    const std::lock_guard lock(pool->mutex);
    pool->caches.remove_if([cache](const sqlite3_pcache& one) { return &one == cache; });
}

}  // namespace

int use_page_pool(page_budget budget) {
    configured = budget;
    // SQLite's extra bytes per page, and the header of its own cache: more than it will ask for.
    if (const int code = sqlite3_config(SQLITE_CONFIG_PCACHE_HDRSZ, &extra_bytes_at_most); code != SQLITE_OK) {
        return code;
    }
    const sqlite3_pcache_methods2 methods{1,     &configured, start, stop,     create,  set_limit, count,
                                          fetch, unpin,       rekey, truncate, destroy, shrink};
    return sqlite3_config(SQLITE_CONFIG_PCACHE2, &methods);
}

fixpool::pool_stats page_pool_stats() { return pool->store.pool().stats(); }

bool audit_page_pool() {
    std::size_t pages = 0;
    const bool is_sound = std::all_of(pool->caches.begin(), pool->caches.end(), [&pages](sqlite3_pcache& cache) {
        pages += cache.pages();
        return cache.audit();
    });
    return is_sound && pages == pool->store.pool().in_use() && pool->store.pool().audit();
}
