// SPDX-License-Identifier: BSL-1.0
// page_cache: the pages of one open database, found by their numbers. The clock algorithm chooses the page to evict.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#include "page_store.hpp"

/// A lock that is nearly always free. Taking it costs two instructions, without a call.
class short_lock {
public:
    void lock() noexcept {
        while (is_held_.test_and_set(std::memory_order_acquire)) {
            std::this_thread::yield();
        }
    }
    void unlock() noexcept { is_held_.clear(std::memory_order_release); }

private:
    std::atomic_flag is_held_;
};

/// SQLite's contract of a cache (sqlite3_pcache_methods2) in C++. A page that SQLite has fetched is pinned until it is
/// unpinned once, however often it was fetched. An unpinned page stays until its place is needed.
///
/// A hash table finds a page. A bucket has the index of its first page, and the headers link the rest. All pages of the
/// cache are in a ring. To evict one, a hand goes around. It passes pinned pages, and pages that were used since its
/// last visit. So a hit writes only into the page's own header. A list of recently used pages would write to two more.
///
/// Thread safety: one thread at a time, as SQLite ensures. `evict` and `unpinned` may be called from any other thread.
// Invariant: buckets_.size() is a power of two; unpinned_ <= pages_; without `is_purgeable_` no page is ever unpinned
class page_cache {
public:
    /// Throws: std::bad_alloc.
    page_cache(page_store& store, bool is_purgeable)
        : store_(store), is_purgeable_(is_purgeable), buckets_(256, page_store::none) {}
    page_cache(const page_cache&) = delete;
    page_cache& operator=(const page_cache&) = delete;
    ~page_cache() { truncate(0); }

    /// Pins the page and returns it; nullptr if it is not here.
    [[nodiscard]] page_header* find(std::uint32_t key) noexcept {
        const std::lock_guard lock(mutex_);
        page_header* const page = lookup(key);
        if (page != nullptr && !page->is_pinned) {
            page->is_pinned = true;
            page->credit = page->credit < most_credit ? static_cast<std::uint8_t>(page->credit + 1) : most_credit;
            --unpinned_;
        }
        return page;
    }

    /// Whether SQLite should write this cache's changes to the file before the cache takes another page.
    [[nodiscard]] bool should_spill() const noexcept {
        const std::lock_guard lock(mutex_);
        const std::uint32_t pinned = pages_ - unpinned_;
        return pinned >= limit_ * std::uint64_t{9} / 10 || (unpinned_ < pinned && store_.is_scarce());
    }

    /// A page to reuse, if the cache is as large as SQLite wants it to be; otherwise nullptr.
    [[nodiscard]] page_header* recycle() noexcept {
        const std::lock_guard lock(mutex_);
        return pages_ + 1 >= limit_ ? evict_one() : nullptr;
    }

    /// Takes an unpinned page out of this cache; nullptr if there is none.
    [[nodiscard]] page_header* evict() noexcept {
        const std::lock_guard lock(mutex_);
        return evict_one();
    }

    /// Makes `page`, which is in no cache, the pinned page `key` of this one.
    /// Requires: `key` is not here.
    void insert(page_header& page, std::uint32_t key) noexcept {
        const std::lock_guard lock(mutex_);
        if (pages_ == buckets_.size()) {
            grow();
        }
        page.owner = this;
        page.key = key;
        page.is_pinned = true;
        page.credit = 0;
        std::memset(page.pExtra, 0, sizeof(void*));  // SQLite recognises an uninitialised page by this
        enter_chain(page);
        enter_ring(page);
        ++pages_;
        highest_key_ = key > highest_key_ ? key : highest_key_;
    }

    /// Requires: `page` is a pinned page of this cache.
    void unpin(page_header& page, bool discards) noexcept {
        const std::lock_guard lock(mutex_);
        require(page.owner == this && page.is_pinned, "a page was unpinned that is not pinned in this cache", page);
        if (discards || pages_ > limit_) {
            drop(page);
        } else {
            page.is_pinned = false;
            ++unpinned_;
        }
    }

    /// Gives the page another number. Drops an unpinned page that already has that number.
    void rekey(page_header& page, std::uint32_t key) noexcept {
        const std::lock_guard lock(mutex_);
        require(page.owner == this, "a page got another number that is not in this cache", page);
        if (page_header* const other = lookup(key); other != nullptr && other != &page) {
            drop(*other);
        }
        leave_chain(page);
        page.key = key;
        enter_chain(page);
        highest_key_ = key > highest_key_ ? key : highest_key_;
    }

    /// Drops all pages from number `first` on, pinned ones too.
    void truncate(std::uint32_t first) noexcept {
        const std::lock_guard lock(mutex_);
        if (pages_ == 0 || first > highest_key_) {
            return;
        }
        if (highest_key_ - first < pages_) {
            for (std::uint32_t key = highest_key_; key > first; --key) {
                drop(lookup(key));
            }
            drop(lookup(first));
        } else {
            std::uint32_t index = hand_;
            for (std::uint32_t left = pages_; left != 0; --left) {
                page_header& page = store_.at(index);
                index = page.ring_next;
                if (page.key >= first) {
                    drop(page);
                }
            }
        }
        highest_key_ = first == 0 ? 0 : first - 1;
    }

    /// How many pages SQLite wants this cache to have at most. It may have more if all are pinned.
    void set_limit(std::uint32_t limit) noexcept {
        const std::lock_guard lock(mutex_);
        limit_ = is_purgeable_ ? limit : UINT32_MAX;
        keep_unpinned(limit_);
    }

    /// Drops all unpinned pages.
    void shrink() noexcept {
        const std::lock_guard lock(mutex_);
        keep_unpinned(0);
    }

    [[nodiscard]] std::uint32_t pages() const noexcept {
        const std::lock_guard lock(mutex_);
        return pages_;
    }
    [[nodiscard]] std::uint32_t unpinned() const noexcept {
        const std::lock_guard lock(mutex_);
        return unpinned_;
    }

    /// Whether the ring, the hash table and the counts agree. For tests.
    /// Complexity: linear in the pages.
    [[nodiscard]] bool audit() noexcept {
        const std::lock_guard lock(mutex_);
        std::uint32_t unpinned = 0;
        std::uint32_t index = hand_;
        for (std::uint32_t left = pages_; left != 0; --left) {
            const page_header& page = store_.at(index);
            if (page.owner != this || lookup(page.key) != &page || page.key > highest_key_ ||
                !store_.pool().owns(page.pBuf) || store_.at(page.ring_next).ring_before != index) {
                return false;
            }
            unpinned += page.is_pinned ? 0 : 1;
            index = page.ring_next;
        }
        return index == hand_ && unpinned == unpinned_ && (pages_ == 0) == (hand_ == page_store::none);
    }

private:
    static constexpr std::uint8_t most_credit = 3;

    [[nodiscard]] std::uint32_t& bucket_of(std::uint32_t key) noexcept {
        return buckets_[key & (buckets_.size() - 1)];  // neighbours in the file share no bucket
    }

    [[nodiscard]] page_header* lookup(std::uint32_t key) noexcept {
        for (std::uint32_t index = bucket_of(key); index != page_store::none;) {
            page_header& page = store_.at(index);
            if (page.key == key) {
                return &page;
            }
            index = page.chain_next;
        }
        return nullptr;
    }

    void enter_chain(page_header& page) noexcept {
        std::uint32_t& first = bucket_of(page.key);
        page.chain_next = first;
        first = store_.index_of(page);
    }

    void leave_chain(const page_header& page) noexcept {
        std::uint32_t* link = &bucket_of(page.key);
        while (&store_.at(*link) != &page) {
            link = &store_.at(*link).chain_next;
        }
        *link = page.chain_next;
    }

    /// The place that the hand visits last.
    void enter_ring(page_header& page) noexcept {
        const std::uint32_t index = store_.index_of(page);
        if (hand_ == page_store::none) {
            hand_ = page.ring_next = page.ring_before = index;
            return;
        }
        page_header& next = store_.at(hand_);
        page.ring_next = hand_;
        page.ring_before = next.ring_before;
        store_.at(next.ring_before).ring_next = index;
        next.ring_before = index;
    }

    void leave_ring(const page_header& page) noexcept {
        if (&store_.at(hand_) == &page) {
            hand_ = pages_ == 1 ? page_store::none : page.ring_next;
        }
        store_.at(page.ring_before).ring_next = page.ring_next;
        store_.at(page.ring_next).ring_before = page.ring_before;
    }

    void remove(page_header& page) noexcept {
        leave_chain(page);
        leave_ring(page);
        unpinned_ -= page.is_pinned ? 0 : 1;
        --pages_;
    }

    void drop(page_header& page) noexcept {
        remove(page);
        store_.give_back(page);
    }
    void drop(page_header* page) noexcept {
        if (page != nullptr) {
            drop(*page);
        }
    }

    [[nodiscard]] page_header* evict_one() noexcept {
        if (unpinned_ == 0) {
            return nullptr;
        }
        for (;;) {
            page_header& page = store_.at(hand_);
            hand_ = page.ring_next;
            if (!page.is_pinned && page.credit-- == 0) {
                remove(page);
                return &page;
            }
        }
    }

    void keep_unpinned(std::uint32_t limit) noexcept {
        while (pages_ > limit && unpinned_ != 0) {
            store_.give_back(*evict_one());
        }
    }

    /// Doubles the number of buckets. If there is no memory for them, chains become longer.
    void grow() noexcept {
        try {
            std::vector<std::uint32_t> twice(2 * buckets_.size(), page_store::none);
            buckets_.swap(twice);
        } catch (const std::bad_alloc&) {
            return;
        }
        std::uint32_t index = hand_;
        for (std::uint32_t left = pages_; left != 0; --left) {
            enter_chain(store_.at(index));
            index = store_.at(index).ring_next;
        }
    }

    static void require(bool holds, const char* problem, const page_header& page) noexcept {
        if (!holds) {
            std::fprintf(stderr, "page_cache: %s: page %u\n", problem, static_cast<unsigned>(page.key));
            std::abort();
        }
    }

    mutable short_lock mutex_;  // another cache's thread may evict from this one
    page_store& store_;
    bool is_purgeable_;
    std::vector<std::uint32_t> buckets_;     // the first page of each chain
    std::uint32_t hand_ = page_store::none;  // where the next eviction starts to look
    std::uint32_t pages_ = 0;                // pages in this cache
    std::uint32_t unpinned_ = 0;             // unpinned pages
    std::uint32_t limit_ = UINT32_MAX;       // pages
    std::uint32_t highest_key_ = 0;          // no page has a higher number
};
