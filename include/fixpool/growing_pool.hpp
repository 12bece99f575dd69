// SPDX-License-Identifier: BSL-1.0
// growing_pool: raw blocks of one size, in pages that come when needed. growing_typed_pool: objects in them. Opt-in.
#pragma once

#include <fixpool/block.hpp>
#include <fixpool/detail/growing_blocks.hpp>
#include <fixpool/detail/object.hpp>
#include <fixpool/exhausted.hpp>
#include <fixpool/options.hpp>
#include <fixpool/release_status.hpp>
#include <fixpool/stats.hpp>

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI {

/// How a pool grows: page by page.
struct growth {
    std::size_t page_bytes = 65536;     // a power of two, at least 4096; more where four blocks need it
    std::size_t max_blocks = SIZE_MAX;  // that the pool has at a time, at least 1
};

/// A pool of raw blocks, each of `block_size()` bytes at a multiple of `alignment()`, that gets more memory when all are
/// in use. Misuse is found as in memory_pool. A page is aligned to its size, and has at most 8192 blocks. It hands out
/// what was free in it before what was released meanwhile, of that the last one first. The pool cannot be moved.
///
/// Of a violation, `index` and `total_blocks` tell of the block's page. A leak and a foreign pointer have no such page:
/// there they tell of the whole pool. Debug level needs debug_pages.hpp, which says what it does in another way.
/// Thread safety: one thread at a time.
// Invariant: in_use() + available() == total_blocks() <= max_blocks, in_use() <= peak_in_use()
template <checking C = checking::checked> class basic_growing_pool {
public:
    /// `upstream` must outlive the pool, which fetches nothing before it is needed. Each page is one allocation, and what
    /// is kept of it another one.
    /// Throws: std::invalid_argument for a size or `max_blocks` of 0, an alignment or `page_bytes` that is not a power
    /// of two, and `page_bytes` below 4096; std::length_error for pages above 2^30 bytes.
    explicit basic_growing_pool(std::size_t block_size, growth grows = {},
                                std::pmr::memory_resource* upstream = std::pmr::get_default_resource(),
                                pool_options options = {}, std::size_t alignment = 0)
        : list_(detail::checked_page_stride(block_size, alignment), grows.page_bytes, grows.max_blocks, upstream),
          reporter_(options) {}

    basic_growing_pool(const basic_growing_pool&) = delete;
    basic_growing_pool& operator=(const basic_growing_pool&) = delete;
    /// Reports blocks that are in use as one `leak`, unless unchecked. Their memory is gone all the same.
    ~basic_growing_pool() {
        if constexpr (C != checking::unchecked)
            if (in_use() != 0) report_live_blocks(violation_kind::leak);
    }

    /// Hands out one uninitialised block of `block_size()` bytes, aligned to `alignment()`. Give it back with
    /// `deallocate`.
    /// Throws: pool_exhausted when `max_blocks` are in use; what upstream throws when it has no page.
    /// Complexity: O(1), but for what upstream does; each time the number of pages has doubled, O(pages).
    [[nodiscard]] void* allocate() {
        if (!list_.has_free()) return refill_and_allocate();
        return list_.take().block;
    }

    /// As `allocate`, but returns nullptr where that throws. Without exceptions, an upstream without memory ends the
    /// program.
    [[nodiscard]] void* try_allocate() noexcept {
        if (!list_.has_free()) return refill_and_try_allocate();
        return list_.take().block;
    }

    /// Takes a block back. nullptr is a no-op. Any other pointer than the start of a block in use is a violation, and
    /// then a no-op; unchecked: undefined.
    /// Complexity: O(1), expected: it looks into a hash table of pages. To report a violation, O(pages).
    void deallocate(void* block) noexcept {
        if (!list_.release(block) && block != nullptr) report_misuse(block);
    }

    /// Fills `blocks` with as many blocks, or returns false and leaves it alone; pages that it got stay in the pool.
    /// Complexity: O(blocks.size()).
    [[nodiscard]] bool try_allocate_bulk(std::span<void*> blocks) noexcept {
        if (!list_.try_reserve(blocks.size())) return false;
        for (void*& block : blocks) block = try_allocate();
        return true;
    }
    /// `deallocate` for each of `blocks`, in their order.
    void deallocate_bulk(std::span<void* const> blocks) noexcept {
        for (void* const block : blocks) deallocate(block);
    }

    /// As `deallocate`, but returns the kind of misuse instead of reporting a violation. The pool is then unchanged.
    [[nodiscard]] release_status try_deallocate(void* block) noexcept requires knows_live_blocks<C> {
        if (list_.release(block)) return release_status::released;
        return block == nullptr ? release_status::null_pointer : detail::status_of(list_.misuse_of(block).kind);
    }

    /// Gives those pages back to upstream of which no block is in use. Complexity: O(pages).
    void shrink() noexcept { list_.shrink(); }

    /// Whether `p` is the start of a block of this pool that is in use. It is not read. O(1), expected; so is `contains`.
    [[nodiscard]] bool owns(const void* p) const noexcept requires knows_live_blocks<C> { return list_.is_live(p); }
    /// Whether `address` lies in the pool's blocks. It is not read.
    [[nodiscard]] bool contains(const void* address) const noexcept { return list_.contains(address); }

    /// Calls fn(void*) for every block in use, in order of addresses. fn may allocate and release: what is allocated
    /// meanwhile may be visited or not.
    /// Complexity: O(pages * pages + total_blocks()): no list of the pages is in order.
    template <class Fn> void for_each_allocated(Fn&& fn) const requires knows_live_blocks<C> {
        list_.for_each_live([&fn](std::byte* block) { fn(static_cast<void*>(block)); });
    }
    /// Puts the free blocks of all pages in order of addresses: the lowest is handed out next. For a quiet moment.
    /// Complexity: as for_each_allocated.
    void sort_free_blocks() noexcept requires knows_live_blocks<C> { list_.sort(); }

    /// As in memory_pool. What it trusts is this object, and where the metadata are.
    /// Complexity: O(total_blocks()), whatever was overwritten.
    bool audit() const noexcept requires knows_live_blocks<C> { return is_sound(); }

    /// Makes every block free again, whoever holds it. The peak and the count of refused allocations start anew.
    /// Complexity: O(pages).
    void reset() noexcept { list_.reset(); }

    [[nodiscard]] std::size_t total_blocks() const noexcept { return list_.total(); }  // of the pages that there are
    [[nodiscard]] std::size_t available() const noexcept { return total_blocks() - in_use(); }  // without a new page
    [[nodiscard]] std::size_t in_use() const noexcept { return list_.out(); }
    [[nodiscard]] std::size_t peak_in_use() const noexcept { return list_.peak(); }              // since the last reset
    [[nodiscard]] std::size_t block_size() const noexcept { return list_.layout().block_size; }  // bytes
    [[nodiscard]] std::size_t stride() const noexcept { return list_.layout().stride; }          // bytes, 8 or more
    [[nodiscard]] std::size_t alignment() const noexcept { return list_.layout().alignment; }    // bytes
    [[nodiscard]] const char* name() const noexcept { return reporter_.name(); }                 // "" without a name

    /// `arena_bytes` are those that came from upstream.
    [[nodiscard]] pool_stats stats() const noexcept {
        const std::size_t bytes = list_.upstream_bytes(), metadata = bytes - total_blocks() * stride();
        return {total_blocks(), in_use(), peak_in_use(), list_.refused(), block_size(), stride(), bytes, metadata};
    }

private:
    template <checking D> friend class basic_growing_pool;
    template <class T, checking D> friend class growing_typed_pool;

    [[nodiscard]] FIXPOOL_COLD void* refill_and_allocate() {
        refill();
        return list_.take().block;
    }
    [[nodiscard]] FIXPOOL_COLD void* refill_and_try_allocate() noexcept {
        return list_.try_refill() ? list_.take().block : nullptr;
    }
    FIXPOOL_COLD void refill() {
        if (!list_.refill()) detail::raise_made<pool_exhausted>(name(), total_blocks());
    }

    bool is_sound() const noexcept { return detail::is_sound(list_.find_disorder(), reporter_, this); }
    FIXPOOL_COLD void report_misuse([[maybe_unused]] const void* block) const noexcept {
        if constexpr (C != checking::unchecked) report_page(reporter_, this, block, list_.misuse_of(block));
    }
    FIXPOOL_COLD void report_live_blocks(violation_kind kind) const noexcept {
        report_page(reporter_, this, list_.lowest_live(), list_.misuse_of_all(kind));
    }

    detail::growing_blocks<C> list_;
    detail::reporter reporter_;
};
using growing_pool = basic_growing_pool<>;

template <class T, checking C> class growing_typed_pool;

/// The handle of an object in a growing_typed_pool.
template <class T, checking C = checking::checked> using growing_block = block<T, C, growing_typed_pool<T, C>>;

/// A typed_pool that grows. Its members do what those of typed_pool do, but for the numbers of blocks: it has no index.
/// T's constructor and destructor may use this very pool.
/// Thread safety: one thread at a time.
template <class T, checking C = checking::checked> class growing_typed_pool {
    static_assert(!std::is_reference_v<T>, "fixpool: T is a reference: pool the type it refers to, or a pointer");
    using state = detail::page_state;
    using handle = growing_block<T, C>;

public:
    /// As basic_growing_pool.
    explicit growing_typed_pool(growth grows = {},
                                std::pmr::memory_resource* upstream = std::pmr::get_default_resource(),
                                pool_options options = {})
        : pool_(detail::layout_for<T>(1).block_size, grows, upstream, options, alignof(T)) {}

    growing_typed_pool(const growing_typed_pool&) = delete;  // fixpool: blocks know their pool's address
    growing_typed_pool& operator=(const growing_typed_pool&) = delete;

    /// Requires: every object is gone. Otherwise a handle would dangle: this is a violation, and the program ends when
    /// the handler has returned; unchecked: undefined.
    ~growing_typed_pool() {
        if constexpr (C != checking::unchecked) {
            if (in_use() == 0) return;
            pool_.report_live_blocks(violation_kind::pool_destroyed_with_live_blocks);
            detail::stop();
        }
    }

    /// A T made of `args`. Throws: as basic_growing_pool; what T's constructor throws, and then the block is free again.
    template <class... Args> [[nodiscard]] handle allocate(Args&&... args) {
        if (!pool_.list_.has_free()) pool_.refill();
        return make(std::forward<Args>(args)...);
    }
    /// An empty block when there is none. The arguments are then unchanged.
    template <class... Args> [[nodiscard]] handle try_allocate(Args&&... args) {
        if (!pool_.list_.has_free() && !pool_.list_.try_refill()) return {};
        return make(std::forward<Args>(args)...);
    }
    template <class...> [[nodiscard]] handle allocate_for_overwrite() { return allocate(detail::for_overwrite()); }
    template <class...> [[nodiscard]] handle try_allocate_for_overwrite() {
        return try_allocate(detail::for_overwrite());
    }
    template <class... Args> [[nodiscard]] handle allocate_at(site, Args&&... args) {
        return allocate(std::forward<Args>(args)...);
    }
    template <class... Args> [[nodiscard]] handle try_allocate_at(site, Args&&... args) {
        return try_allocate(std::forward<Args>(args)...);
    }

    [[nodiscard]] handle adopt(T* object) noexcept {
        if (object == nullptr || is_changed(object, state::given_up, state::live)) return {this, object};
        return {};
    }

    /// Complexity: as basic_growing_pool::for_each_allocated.
    template <class Fn> void for_each(Fn&& fn) requires knows_live_blocks<C> {
        pool_.list_.for_each_live([&fn](std::byte* bytes) { fn(*object_in(bytes)); });
    }
    template <class Fn> void for_each(Fn&& fn) const requires knows_live_blocks<C> {
        pool_.list_.for_each_live([&fn](std::byte* bytes) { fn(std::as_const(*object_in(bytes))); });
    }

    // As in basic_growing_pool.
    void shrink() noexcept { pool_.shrink(); }
    [[nodiscard]] bool owns(const void* p) const noexcept requires knows_live_blocks<C> {
        return pool_.list_.is_live(p);
    }
    [[nodiscard]] bool contains(const void* address) const noexcept { return pool_.contains(address); }
    void sort_free_blocks() noexcept requires knows_live_blocks<C> { pool_.list_.sort(); }
    bool audit() const noexcept requires knows_live_blocks<C> { return pool_.is_sound(); }

    [[nodiscard]] std::size_t total_blocks() const noexcept { return pool_.total_blocks(); }
    [[nodiscard]] std::size_t available() const noexcept { return pool_.available(); }
    [[nodiscard]] std::size_t in_use() const noexcept { return pool_.in_use(); }
    [[nodiscard]] std::size_t peak_in_use() const noexcept { return pool_.peak_in_use(); }
    [[nodiscard]] static constexpr std::size_t block_size() noexcept { return sizeof(T); }              // bytes
    [[nodiscard]] static constexpr std::size_t stride() noexcept { return detail::page_stride_of<T>; }  // bytes
    [[nodiscard]] static constexpr std::size_t alignment() noexcept { return alignof(T); }              // bytes
    [[nodiscard]] const char* name() const noexcept { return pool_.name(); }
    [[nodiscard]] pool_stats stats() const noexcept { return pool_.stats(); }

private:
    template <class U, checking D> friend class growing_typed_pool;
    using entry = typename detail::growing_blocks<C>::entry;
    friend handle;
    friend detail::block_lease<growing_typed_pool>;

    [[nodiscard]] static T* object_in(std::byte* bytes) noexcept { return std::launder(reinterpret_cast<T*>(bytes)); }

    /// The handle of a T made of `args` in a block that is taken here.
    template <class... Args> [[nodiscard]] handle make(Args&&... args) {
        const entry taken = pool_.list_.template take<stride()>();
        detail::block_lease<growing_typed_pool> lease(this, taken);
        pool_.list_.mark(taken, state::unfinished);  // nobody visits or releases half an object
        T* const object = detail::construct<T>(taken.block, std::forward<Args>(args)...);
        lease.keep();
        pool_.list_.mark(taken, state::live);
        return {this, object};
    }

    void put_back(const entry& block) noexcept { pool_.list_.template put<stride()>(block); }

    /// Validates before it destroys, and puts the block back only when the destructor has returned.
    void give_back(T* object) noexcept {
        if constexpr (std::is_trivially_destructible_v<T>) {
            if (!pool_.list_.template release<stride()>(object)) pool_.report_misuse(object);
        } else {
            const entry claimed = pool_.list_.template change<stride()>(object, state::live, state::unfinished);
            if (claimed.block == nullptr) return pool_.report_misuse(object);
            detail::destroy(*object);
            put_back(claimed);
        }
    }

    void give_up(T* object) noexcept { static_cast<void>(is_changed(object, state::live, state::given_up)); }
    /// Whether the object's block was `from`, and is `to` now. Anything else is reported.
    [[nodiscard]] bool is_changed(T* object, std::uint16_t from, std::uint16_t to) noexcept {
        if (pool_.list_.template change<stride()>(object, from, to).block != nullptr) return true;
        pool_.report_misuse(object);
        return false;
    }

    basic_growing_pool<C> pool_;
};

}  // namespace fixpool::inline FIXPOOL_ABI
