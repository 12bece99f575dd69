// SPDX-License-Identifier: BSL-1.0
// SQLite's contract of a page cache. Its functions are called directly: one by one, and at random beside a model.
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

#include "../support/catch.hpp"
#include "sqlite_on_pool.hpp"

namespace {

constexpr int page_bytes = 4096;
constexpr int extra_bytes = 200;

/// The functions, and one cache of 4096-byte pages.
struct one_cache {
    explicit one_cache(std::size_t pages, bool is_purgeable = true)
        : sqlite({page_bytes, pages}),
          methods(sqlite_on_pool::methods()),
          cache(methods.xCreate(page_bytes, extra_bytes, is_purgeable ? 1 : 0)) {
        methods.xCachesize(cache, 1000);
    }
    one_cache(const one_cache&) = delete;
    one_cache& operator=(const one_cache&) = delete;
    ~one_cache() { methods.xDestroy(cache); }

    sqlite3_pcache_page* fetch(unsigned key, int create) { return methods.xFetch(cache, key, create); }
    void unpin(sqlite3_pcache_page* page, bool discards = false) { methods.xUnpin(cache, page, discards ? 1 : 0); }
    int count() { return methods.xPagecount(cache); }

    sqlite_on_pool sqlite;
    sqlite3_pcache_methods2 methods;
    sqlite3_pcache* cache;
};

TEST_CASE("a page that is not there is found by nobody, and made when that is asked for") {
    one_cache c(100);
    CHECK(c.fetch(7, 0) == nullptr);
    sqlite3_pcache_page* const page = c.fetch(7, 1);
    REQUIRE(page != nullptr);
    CHECK(c.fetch(7, 0) == page);
    CHECK(c.count() == 1);
}

TEST_CASE("pages are aligned to 4096, and the extra bytes of a new one begin with eight zeros") {
    one_cache c(20);
    for (unsigned key = 1; key <= 200; ++key) {  // most take the place of other pages
        sqlite3_pcache_page* const page = c.fetch(key, 2);
        REQUIRE(page != nullptr);
        CHECK(reinterpret_cast<std::uintptr_t>(page->pBuf) % 4096 == 0);
        CHECK(reinterpret_cast<std::uintptr_t>(page->pExtra) % 8 == 0);
        std::uint64_t start = 1;
        std::memcpy(&start, page->pExtra, 8);
        CHECK(start == 0);
        std::memset(page->pBuf, 0xee, page_bytes);
        std::memset(page->pExtra, 0xee, extra_bytes);
        c.unpin(page);
    }
    CHECK(audit_page_pool());
}

TEST_CASE("a page that is discarded is gone, and its block is free") {
    one_cache c(100);
    c.unpin(c.fetch(7, 2), true);
    CHECK(c.fetch(7, 0) == nullptr);
    CHECK(c.count() == 0);
    CHECK(page_pool_stats().in_use == 0);
}

TEST_CASE("all pages of the pool can be pinned, and then there is none") {
    one_cache c(50);
    for (unsigned key = 1; key <= 50; ++key) REQUIRE(c.fetch(key, 2) != nullptr);
    CHECK(c.fetch(51, 2) == nullptr);
    CHECK(c.fetch(50, 2) != nullptr);
    c.unpin(c.fetch(50, 0));
    CHECK(c.fetch(51, 2) != nullptr);
    CHECK(c.fetch(50, 0) == nullptr);
}

TEST_CASE("a cache without a limit in sight leaves the last pages of the pool to those who insist") {
    one_cache c(50);
    unsigned key = 1;
    while (c.fetch(key, 1) != nullptr) ++key;
    CHECK(page_pool_stats().in_use == 45);  // fewer than 6 are free
    CHECK(c.fetch(key, 2) != nullptr);
}

TEST_CASE("a cache that has unpinned pages evicts them before it takes the last pages of the pool") {
    one_cache c(50);
    for (unsigned key = 1; key <= 80; ++key) c.unpin(c.fetch(key, 2));
    CHECK(page_pool_stats().in_use == 45);
}

TEST_CASE("a cache of which nine pages of ten are pinned asks for spilling") {
    one_cache c(100);
    c.methods.xCachesize(c.cache, 20);
    for (unsigned key = 1; key <= 18; ++key) REQUIRE(c.fetch(key, 1) != nullptr);
    CHECK(c.fetch(19, 1) == nullptr);
    CHECK(c.fetch(19, 2) != nullptr);
}

TEST_CASE("a cache stays below its limit when its pages are unpinned, and grows beyond it when they are not") {
    one_cache c(100);
    c.methods.xCachesize(c.cache, 10);
    for (unsigned key = 1; key <= 40; ++key) c.unpin(c.fetch(key, 2));
    CHECK(c.count() <= 10);
    std::vector<sqlite3_pcache_page*> pinned;
    for (unsigned key = 101; key <= 130; ++key) pinned.push_back(c.fetch(key, 2));
    CHECK(c.count() == 30);
    for (sqlite3_pcache_page* const page : pinned) c.unpin(page);
    CHECK(c.count() == 10);
    c.methods.xCachesize(c.cache, 4);
    CHECK(c.count() == 4);
    c.methods.xShrink(c.cache);
    CHECK(c.count() == 0);
}

TEST_CASE("the page that was not used is evicted, not the one that was") {
    one_cache c(100);
    c.methods.xCachesize(c.cache, 10);
    c.unpin(c.fetch(1000, 2));
    for (unsigned key = 1; key <= 100; ++key) {
        sqlite3_pcache_page* const used = c.fetch(1000, 0);
        REQUIRE(used != nullptr);
        c.unpin(used);
        c.unpin(c.fetch(key, 2));
    }
    CHECK(c.fetch(1, 0) == nullptr);
}

TEST_CASE("a page gets another number, and the unpinned page that had it is gone") {
    one_cache c(100);
    c.unpin(c.fetch(2, 2));
    sqlite3_pcache_page* const page = c.fetch(1, 2);
    std::memset(page->pBuf, 0x11, page_bytes);
    c.methods.xRekey(c.cache, page, 1, 2);
    CHECK(c.fetch(1, 0) == nullptr);
    CHECK(c.fetch(2, 0) == page);
    CHECK(c.count() == 1);
    CHECK(static_cast<const unsigned char*>(page->pBuf)[page_bytes - 1] == 0x11);
    c.methods.xRekey(c.cache, page, 2, 100'000);
    c.methods.xTruncate(c.cache, 50'000);
    CHECK(c.count() == 0);
    CHECK(audit_page_pool());
}

TEST_CASE("a cache that is cut off loses pages from that number on, pinned ones too") {
    one_cache c(1000);
    const unsigned first = GENERATE(0U, 1U, 3U, 150U, 299U, 300U, 301U, 4'000'000'000U);
    const bool has_far_page = GENERATE(false, true);
    for (unsigned key = 1; key <= 300; ++key) {
        sqlite3_pcache_page* const page = c.fetch(key, 2);
        if (key % 3 != 0) c.unpin(page);
    }
    if (has_far_page) c.unpin(c.fetch(4'294'967'295U, 2));
    c.methods.xTruncate(c.cache, first);
    for (unsigned key = 1; key <= 300; ++key) CHECK((c.fetch(key, 0) != nullptr) == (key < first));
    CHECK(c.fetch(4'294'967'295U, 0) == nullptr);
    CHECK(audit_page_pool());
}

TEST_CASE("a cache whose pages are needed elsewhere gives up unpinned ones, never pinned ones") {
    one_cache c(60);
    std::set<const void*> pinned;
    for (unsigned key = 1; key <= 54; ++key) {
        sqlite3_pcache_page* const page = c.fetch(key, 2);
        if (key % 2 == 0) c.unpin(page);
        else pinned.insert(page->pBuf);
    }
    sqlite3_pcache* const other = c.methods.xCreate(page_bytes, extra_bytes, 0);
    int got = 0;
    for (unsigned key = 1; c.methods.xFetch(other, key, 2) != nullptr; ++key) ++got;
    CHECK(got == 60 - 27);
    CHECK(c.count() == 27);
    for (unsigned key = 1; key <= 54; key += 2) CHECK(pinned.contains(c.fetch(key, 0)->pBuf));
    CHECK(audit_page_pool());
    c.methods.xDestroy(other);
    CHECK(page_pool_stats().in_use == 27);
}

TEST_CASE("pages that are larger than the pool's, and more extra bytes than SQLite said, are refused") {
    one_cache c(60);
    CHECK(c.methods.xCreate(8192, extra_bytes, 1) == nullptr);
    CHECK(c.methods.xCreate(4096, 5000, 1) == nullptr);
}

/// The pages that a cache should have. Each has a stamp of its key and cache, at both ends and in the extra bytes.
class model_cache {
public:
    model_cache(const sqlite3_pcache_methods2& methods, std::uint64_t number, int bytes, bool is_purgeable)
        : methods_(&methods),
          number_(number),
          bytes_(bytes),
          is_purgeable_(is_purgeable),
          cache_(methods.xCreate(bytes, extra_bytes, is_purgeable ? 1 : 0)) {
        must(cache_ != nullptr, "create");
        set_limit(100);
    }

    void fetch(unsigned key, int create, bool has_page) {
        const auto entry = pages_.find(key);
        sqlite3_pcache_page* const page = methods_->xFetch(cache_, key, create);
        const bool is_known = entry != pages_.end();
        const bool is_pinned = is_known && entry->second.is_pinned;
        if (page == nullptr) {
            must(!is_pinned, "a pinned page is there");
            must(create != 2 || !has_page, "a page is refused only when all are pinned");
            pages_.erase(key);
            return;
        }
        std::uint64_t start = 0;
        std::memcpy(&start, page->pExtra, 8);
        if (start != 0) {
            must(is_known, "an old page is one that was there");
            must(!is_pinned || entry->second.page == page, "a pinned page stays where it is");
            must(is_stamped(page, key), "a page keeps its bytes");
        } else {
            must(!is_pinned && create != 0, "a new page comes when it is not there, and asked for");
            stamp(page, key);
        }
        pages_[key] = {page, true};
    }

    void unpin(std::size_t choice, bool discards) {
        const auto entry = pinned(choice);
        if (entry == pages_.end()) return;
        methods_->xUnpin(cache_, entry->second.page, discards || !is_purgeable_ ? 1 : 0);
        if (discards || !is_purgeable_) pages_.erase(entry);
        else entry->second.is_pinned = false;
    }

    void rekey(std::size_t choice, unsigned key) {
        const auto entry = pinned(choice);
        const auto target = pages_.find(key);
        if (entry == pages_.end() || entry->first == key || (target != pages_.end() && target->second.is_pinned))
            return;
        sqlite3_pcache_page* const page = entry->second.page;
        methods_->xRekey(cache_, page, entry->first, key);
        pages_.erase(entry);
        stamp(page, key);
        pages_[key] = {page, true};
    }

    void truncate(unsigned first) {
        methods_->xTruncate(cache_, first);
        pages_.erase(pages_.lower_bound(first), pages_.end());
    }

    void set_limit(int limit) {
        methods_->xCachesize(cache_, limit);
        limit_ = is_purgeable_ ? static_cast<std::size_t>(limit) : SIZE_MAX;
        check(limit_);
    }

    void shrink() {
        methods_->xShrink(cache_);
        check(0);
    }

    /// No pinned page may be missing, no unknown page may appear, and unpinned pages must keep the limit.
    void check(std::size_t limit) {
        const auto count = static_cast<std::size_t>(methods_->xPagecount(cache_));
        must(count >= pinned_count() && count <= pages_.size(), "the count");
        must(count <= std::max(limit, pinned_count()), "the limit");
    }

    void destroy() { methods_->xDestroy(cache_); }

    [[nodiscard]] std::size_t pinned_count() const {
        std::size_t count = 0;
        for (const auto& [key, entry] : pages_) count += entry.is_pinned ? 1 : 0;
        return count;
    }

private:
    struct known_page {
        sqlite3_pcache_page* page;
        bool is_pinned;  // if not, it may have been evicted
    };

    static void must(bool holds, const char* what) {
        if (!holds) throw std::runtime_error(what);
    }

    std::map<unsigned, known_page>::iterator pinned(std::size_t choice) {
        std::vector<std::map<unsigned, known_page>::iterator> all;
        for (auto i = pages_.begin(); i != pages_.end(); ++i) {
            if (i->second.is_pinned) all.push_back(i);
        }
        return all.empty() ? pages_.end() : all[choice % all.size()];
    }

    [[nodiscard]] std::uint64_t stamp_of(unsigned key) const { return number_ << 32 | key; }

    void stamp(sqlite3_pcache_page* page, unsigned key) const {
        const std::uint64_t value = stamp_of(key);
        std::memcpy(page->pBuf, &value, 8);
        std::memcpy(static_cast<std::byte*>(page->pBuf) + bytes_ - 8, &value, 8);
        std::memcpy(page->pExtra, &value, 8);
        std::memcpy(static_cast<std::byte*>(page->pExtra) + extra_bytes - 8, &value, 8);
    }

    [[nodiscard]] bool is_stamped(const sqlite3_pcache_page* page, unsigned key) const {
        const std::uint64_t value = stamp_of(key);
        return std::memcmp(page->pBuf, &value, 8) == 0 &&
               std::memcmp(static_cast<std::byte*>(page->pBuf) + bytes_ - 8, &value, 8) == 0 &&
               std::memcmp(page->pExtra, &value, 8) == 0 &&
               std::memcmp(static_cast<std::byte*>(page->pExtra) + extra_bytes - 8, &value, 8) == 0;
    }

    const sqlite3_pcache_methods2* methods_;
    std::uint64_t number_;
    int bytes_;
    bool is_purgeable_;
    sqlite3_pcache* cache_;
    std::size_t limit_ = 0;
    std::map<unsigned, known_page> pages_;
};

TEST_CASE("a random walk on several caches that share a pool agrees with a model") {
    const std::size_t pages = GENERATE(12U, 90U, 700U);
    constexpr std::array<int, 4> sizes{512, 1024, 2048, 4096};
    const sqlite_on_pool sqlite({page_bytes, pages});
    const sqlite3_pcache_methods2 methods = sqlite_on_pool::methods();
    std::mt19937 random(static_cast<unsigned>(pages));
    const auto below = [&random](unsigned limit) { return static_cast<unsigned>(random() % limit); };
    std::vector<model_cache> caches;
    std::uint64_t created = 0;
    for (int step = 0; step < 60'000; ++step) {
        if (caches.empty() || (caches.size() < 5 && below(500) == 0)) {
            caches.emplace_back(methods, ++created, sizes[below(4)], below(4) != 0);
        }
        model_cache& cache = caches[below(static_cast<unsigned>(caches.size()))];
        const unsigned key = below(8) == 0 ? 1 + below(1'000'000) : 1 + below(300);
        const unsigned deed = below(1000);
        if (deed < 500) {
            std::size_t pinned = 0;
            for (const model_cache& one : caches) pinned += one.pinned_count();
            cache.fetch(key, static_cast<int>(below(3)), pinned < pages);
        } else if (deed < 900) {
            cache.unpin(random(), deed < 560);
        } else if (deed < 970) {
            cache.rekey(random(), key);
        } else if (deed < 980) {
            cache.truncate(key);
        } else if (deed < 990) {
            cache.set_limit(static_cast<int>(below(200)));
        } else if (deed < 996) {
            cache.shrink();
        } else if (deed == 999 && below(3) == 0) {
            cache.destroy();
            std::swap(cache, caches.back());
            caches.pop_back();
        }
        if (step % 50 == 0 && !audit_page_pool()) FAIL("what the caches keep does not agree after step " << step);
    }
    for (model_cache& cache : caches) cache.destroy();
    CHECK(page_pool_stats().in_use == 0);
    CHECK(created > 10);
}

}  // namespace
