// SPDX-License-Identifier: BSL-1.0
// page_store: the memory of all page caches of a process: a pool of pages, and a table with one header per page.
#pragma once

#include <sqlite3.h>
#include <fixpool/shared_memory_pool.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

class page_cache;

/// A cache's header for a page. SQLite sees the base, which has the addresses of the page and of its extra bytes. The
/// extra bytes follow the header. Links are numbers of pages: the indices of their blocks in the pool.
struct page_header : sqlite3_pcache_page {
    const page_cache* owner;    // the cache that has this page; nullptr: the page is free
    std::uint32_t key;          // the number of the page in its database
    std::uint32_t chain_next;   // the next page of the same bucket
    std::uint32_t ring_next;    // the next page of the cache's ring
    std::uint32_t ring_before;  // the previous page of the cache's ring
    bool is_pinned;             // SQLite uses the page, or has not yet written its changes
    std::uint8_t credit;        // how often the clock's hand still passes before it evicts the page
};

/// A fixed number of pages of one size, each aligned to 4096. Any cache may take any page. The headers lie in a
/// separate table: page i of the pool has header i.
/// Thread safety: any thread, at the same time. A header belongs to the cache that owns it.
class page_store {
public:
    static constexpr std::uint32_t none = UINT32_MAX;  // the index of no page

    /// `extra_bytes` is the most that SQLite may want beside each page.
    /// Throws: as the pool's constructor.
    page_store(std::size_t page_bytes, std::size_t page_count, std::size_t extra_bytes)
        : pool_({.block_size = page_bytes, .block_count = page_count, .alignment = 4096}, {.name = "database pages"}),
          reserve_(std::min<std::size_t>(10, page_count / 10 + 1)),
          extra_bytes_(extra_bytes),
          stride_((sizeof(page_header) + extra_bytes + line - 1) / line * line),
          table_(static_cast<std::byte*>(::operator new(page_count* stride_, std::align_val_t(line)))) {}

    /// A page that no cache has; nullptr if all pages are in use. The caller sets the header's fields.
    [[nodiscard]] page_header* take() noexcept {
        void* const block = pool_.try_allocate();
        if (block == nullptr) {
            return nullptr;
        }
        std::byte* const slot = table_.get() + pool_.index_of(block) * stride_;
        auto* const page = ::new (slot) page_header{};
        page->pBuf = block;
        page->pExtra = slot + sizeof(page_header);
        return page;
    }

    void give_back(page_header& page) noexcept {
        page.owner = nullptr;
        pool_.deallocate(page.pBuf);
    }

    [[nodiscard]] page_header& at(std::uint32_t index) const noexcept {
        return *std::launder(reinterpret_cast<page_header*>(table_.get() + index * stride_));
    }
    [[nodiscard]] std::uint32_t index_of(const page_header& page) const noexcept {
        return static_cast<std::uint32_t>(pool_.index_of(page.pBuf));
    }

    /// Whether only the reserve is left, for caches that cannot continue without a page. SQLite's own cache keeps back
    /// the same number of pages of a buffer.
    [[nodiscard]] bool is_scarce() const noexcept { return pool_.available() < reserve_; }

    [[nodiscard]] const fixpool::shared_memory_pool& pool() const noexcept { return pool_; }
    [[nodiscard]] std::size_t extra_bytes() const noexcept { return extra_bytes_; }

private:
    static constexpr std::size_t line = 64;  // bytes of a cache line

    struct aligned_delete {
        void operator()(std::byte* bytes) const noexcept { ::operator delete(bytes, std::align_val_t(line)); }
    };

    fixpool::shared_memory_pool pool_;
    std::size_t reserve_;      // pages
    std::size_t extra_bytes_;  // bytes beside each page
    std::size_t stride_;       // bytes from one header to the next
    std::unique_ptr<std::byte[], aligned_delete> table_;
};
