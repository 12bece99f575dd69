// SPDX-License-Identifier: BSL-1.0
// growing_pool: a growing number of raw blocks of one size. growing_typed_pool: the same for objects. Opt-in.
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

/// How a pool grows. It gets its memory in pages, from a memory resource, when they are needed.
struct growth {
    std::size_t page_bytes = 65536;     ///< size of a page: a power of two, at least 4096; more if four blocks need it
    std::size_t max_blocks = SIZE_MAX;  ///< most blocks that the pool may have; at least 1
};

/// A pool of raw memory blocks that gets another page from `upstream` when all its blocks are in use. Each block has
/// `block_size()` usable bytes and starts at a multiple of `alignment()`. The pool can be neither copied nor moved.
/// The debug level needs debug_pages.hpp.
///
/// A page is aligned to its size and has at most 8192 blocks. A page first hands out the blocks that were free when it
/// became the current page, then those released meanwhile, the last one first. Misuse is detected as in memory_pool. In
/// a violation, `index`, `total_blocks` and `live_blocks` refer to the block's page. For a foreign pointer, a leak or
/// another violation of the whole pool, the counts are those of the pool and `index` is npos.
/// Thread safety: one thread at a time.
// Invariant: in_use() + available() == total_blocks() <= max_blocks, in_use() <= peak_in_use()
template <checking C = checking::checked> class basic_growing_pool {
public:
    /// A pool without pages. `upstream` must outlive it. Each page takes two allocations: blocks and metadata.
    /// Throws: std::invalid_argument if `block_size` or `max_blocks` is 0, if an alignment or `page_bytes` is not a
    /// power of two, or if `page_bytes` is below 4096. std::length_error for pages above 2^30 bytes.
    explicit basic_growing_pool(std::size_t block_size, growth grows = {},
                                std::pmr::memory_resource* upstream = std::pmr::get_default_resource(),
                                pool_options options = {}, std::size_t alignment = 0)
        : list_(detail::checked_page_stride(block_size, alignment), grows.page_bytes, grows.max_blocks, upstream),
          reporter_(options) {}
    basic_growing_pool(const basic_growing_pool&) = delete;
    basic_growing_pool& operator=(const basic_growing_pool&) = delete;
    /// Gives all pages back. First reports a `leak` if blocks are in use (not at unchecked level).
    ~basic_growing_pool() {
        if constexpr (C != checking::unchecked)
            if (in_use() != 0) report_live_blocks(violation_kind::leak);
    }

    /// Returns an uninitialised block. Give it back by `deallocate`. At debug level, a site is the last argument.
    /// Throws: pool_exhausted if `max_blocks` blocks are in use; any exception of upstream.
    /// Complexity: O(1), plus the time of upstream; O(pages) each time the number of pages has doubled.
    [[nodiscard]] void* allocate() {
        if (!list_.has_free()) return refill_and_allocate();
        return list_.take().block;
    }
    /// As `allocate`, but returns nullptr where that throws. In a program that is compiled without exceptions, upstream
    /// may end the program instead. Complexity: as `allocate`.
    [[nodiscard]] void* try_allocate() noexcept {
        if (!list_.has_free()) return refill_and_try_allocate();
        return list_.take().block;
    }

    /// Takes a block back. Does nothing for nullptr. If `block` is not the start of a block in use, reports a violation
    /// and changes nothing; at unchecked level, the behaviour is undefined.
    /// Complexity: expected O(1), by a hash table of pages; reporting a violation takes O(pages).
    void deallocate(void* block) noexcept {
        if (!list_.release(block) && block != nullptr) report_misuse(block);
    }
    /// Stores a new block in each element of `blocks`. If it cannot, returns false and hands out none; new pages stay.
    /// Complexity: O(blocks.size()).
    [[nodiscard]] bool try_allocate_bulk(std::span<void*> blocks) noexcept {
        if (!list_.try_reserve(blocks.size())) return false;
        for (void*& block : blocks) block = try_allocate();
        return true;
    }
    /// Calls `deallocate` for each element, in order. Complexity: expected O(blocks.size()).
    void deallocate_bulk(std::span<void* const> blocks) noexcept {
        for (void* const block : blocks) deallocate(block);
    }
    /// As `deallocate`, but returns the kind of misuse instead of reporting a violation. At debug level, it still
    /// reports damaged guard bytes. Complexity: as `deallocate`.
    [[nodiscard]] release_status try_deallocate(void* block) noexcept requires knows_live_blocks<C> {
        if (list_.release(block)) return release_status::released;
        return block == nullptr ? release_status::null_pointer : detail::status_of(list_.misuse_of(block).kind);
    }

    /// Gives pages without a block in use back to upstream. Complexity: O(pages).
    void shrink() noexcept { list_.shrink(); }
    /// Whether `p` is the start of a block in use. It may be any address. Complexity: expected O(1).
    [[nodiscard]] bool owns(const void* p) const noexcept requires knows_live_blocks<C> { return list_.is_live(p); }
    /// Whether `address` is inside the pool's blocks. It may be any address. Complexity: expected O(1).
    [[nodiscard]] bool contains(const void* address) const noexcept { return list_.contains(address); }
    /// Calls fn(void*) for every block in use, in order of addresses. fn may allocate and release blocks. Blocks that
    /// are allocated meanwhile may be visited or not.
    /// Complexity: O(pages * pages + total_blocks()).
    template <class Fn> void for_each_allocated(Fn&& fn) const requires knows_live_blocks<C> {
        list_.for_each_live([&fn](std::byte* block) { fn(static_cast<void*>(block)); });
    }
    /// Sorts the free blocks by address: the lowest is handed out next. Complexity: as `for_each_allocated`.
    void sort_free_blocks() noexcept requires knows_live_blocks<C> { list_.sort(); }
    /// As in memory_pool. It also trusts the pointers to metadata.
    /// Complexity: O(total_blocks()), whatever was overwritten. At debug level: linear in the bytes of the blocks.
    bool audit() const noexcept requires knows_live_blocks<C> { return is_sound(); }
    /// Makes all blocks free, even those in use. Sets the peak and the count of refused allocations to 0.
    /// Complexity: O(pages).
    void reset() noexcept { list_.reset(); }

    [[nodiscard]] std::size_t total_blocks() const noexcept { return list_.total(); }  ///< blocks of all pages
    /// Free blocks. So many allocations need no new page.
    [[nodiscard]] std::size_t available() const noexcept { return total_blocks() - in_use(); }
    [[nodiscard]] std::size_t in_use() const noexcept { return list_.out(); }  ///< blocks in use
    /// Most blocks in use at once since construction or the last `reset()`.
    [[nodiscard]] std::size_t peak_in_use() const noexcept { return list_.peak(); }
    /// Usable bytes per block.
    [[nodiscard]] std::size_t block_size() const noexcept { return list_.layout().block_size; }
    /// Bytes from one block to the next: a multiple of 8.
    [[nodiscard]] std::size_t stride() const noexcept { return list_.layout().stride; }
    /// Each block starts at a multiple of so many bytes.
    [[nodiscard]] std::size_t alignment() const noexcept { return list_.layout().alignment; }
    [[nodiscard]] const char* name() const noexcept { return reporter_.name(); }  ///< the name, or ""
    /// All counters at once. `arena_bytes` is the memory from upstream.
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
/// The usual growing pool of raw blocks: checked.
using growing_pool = basic_growing_pool<>;

template <class T, checking C> class growing_typed_pool;

/// The handle of one object in a growing_typed_pool.
template <class T, checking C = checking::checked> using growing_block = block<T, C, growing_typed_pool<T, C>>;

/// A typed_pool that grows as a growing_pool does. Blocks have no index. The constructor and the destructor of T may
/// use this very pool. The pool must outlive its handles, and can be neither copied nor moved.
/// Thread safety: one thread at a time.
template <class T, checking C = checking::checked> class growing_typed_pool {
    static_assert(!std::is_reference_v<T>, "fixpool: T is a reference: pool the type it refers to, or a pointer");
    using state = detail::page_state;
    using handle = growing_block<T, C>;

public:
    /// As the constructor of basic_growing_pool.
    explicit growing_typed_pool(growth grows = {},
                                std::pmr::memory_resource* upstream = std::pmr::get_default_resource(),
                                pool_options options = {})
        : pool_(detail::layout_for<T>(1).block_size, grows, upstream, options, alignof(T)) {}
    growing_typed_pool(const growing_typed_pool&) = delete;  // fixpool: blocks know their pool's address
    growing_typed_pool& operator=(const growing_typed_pool&) = delete;
    /// Gives all pages back. Requires: no object is in use. Otherwise as in typed_pool.
    ~growing_typed_pool() {
        if constexpr (C != checking::unchecked) {
            if (in_use() == 0) return;
            pool_.report_live_blocks(violation_kind::pool_destroyed_with_live_blocks);
            detail::stop();
        }
    }

    /// As in typed_pool. Throws: what basic_growing_pool::allocate throws; any exception of T's constructor.
    /// Complexity: as basic_growing_pool::allocate, plus T's constructor.
    template <class... Args> [[nodiscard]] handle allocate(Args&&... args) {
        if (!pool_.list_.has_free()) pool_.refill();
        return make(std::forward<Args>(args)...);
    }
    /// As `allocate`, but returns an empty handle if there is no block. The arguments are then unchanged.
    /// Throws: any exception of T's constructor. Complexity: as `allocate`.
    template <class... Args> [[nodiscard]] handle try_allocate(Args&&... args) {
        if (!pool_.list_.has_free() && !pool_.list_.try_refill()) return {};
        return make(std::forward<Args>(args)...);
    }
    /// As `allocate()`, but T is default-initialised. See typed_pool. Throws: as `allocate`. Complexity: as `allocate`.
    template <class...> [[nodiscard]] handle allocate_for_overwrite() { return allocate(detail::for_overwrite()); }
    /// As `try_allocate()`, but T is default-initialised. Throws: as `try_allocate`. Complexity: as `allocate`.
    template <class...> [[nodiscard]] handle try_allocate_for_overwrite() {
        return try_allocate(detail::for_overwrite());
    }
    /// As `allocate`, with a place for reports of the debug level. Throws: as `allocate`. Complexity: as `allocate`.
    template <class... Args> [[nodiscard]] handle allocate_at(site, Args&&... args) {
        return allocate(std::forward<Args>(args)...);
    }
    /// As `try_allocate`, with a place for reports. Throws: as `try_allocate`. Complexity: as `allocate`.
    template <class... Args> [[nodiscard]] handle try_allocate_at(site, Args&&... args) {
        return try_allocate(std::forward<Args>(args)...);
    }
    /// As in typed_pool. Complexity: expected O(1); reporting a violation, here or at a release, takes O(pages).
    [[nodiscard]] handle adopt(T* object) noexcept {
        if (object == nullptr || is_changed(object, state::given_up, state::live)) return {this, object};
        return {};
    }
    /// As in typed_pool. Complexity: as basic_growing_pool::for_each_allocated.
    template <class Fn> void for_each(Fn&& fn) requires knows_live_blocks<C> {
        pool_.list_.for_each_live([&fn](std::byte* bytes) { fn(*object_in(bytes)); });
    }
    template <class Fn> void for_each(Fn&& fn) const requires knows_live_blocks<C> {
        pool_.list_.for_each_live([&fn](std::byte* bytes) { fn(std::as_const(*object_in(bytes))); });
    }

    /// Gives pages without a block in use back to upstream. Complexity: O(pages).
    void shrink() noexcept { pool_.shrink(); }
    /// Whether `p` is the start of a block in use. It may be any address. Complexity: expected O(1).
    [[nodiscard]] bool owns(const void* p) const noexcept requires knows_live_blocks<C> {
        return pool_.list_.is_live(p);
    }
    /// Whether `address` is inside the pool's blocks. It may be any address. Complexity: expected O(1).
    [[nodiscard]] bool contains(const void* address) const noexcept { return pool_.contains(address); }
    /// As in basic_growing_pool. Complexity: as `for_each`.
    void sort_free_blocks() noexcept requires knows_live_blocks<C> { pool_.list_.sort(); }
    /// As in basic_growing_pool. Complexity: as basic_growing_pool::audit.
    bool audit() const noexcept requires knows_live_blocks<C> { return pool_.is_sound(); }

    [[nodiscard]] std::size_t total_blocks() const noexcept { return pool_.total_blocks(); }  ///< blocks of all pages
    [[nodiscard]] std::size_t available() const noexcept { return pool_.available(); }        ///< free blocks
    [[nodiscard]] std::size_t in_use() const noexcept { return pool_.in_use(); }              ///< blocks in use
    [[nodiscard]] std::size_t peak_in_use() const noexcept { return pool_.peak_in_use(); }    ///< peak of in_use()
    [[nodiscard]] static constexpr std::size_t block_size() noexcept { return sizeof(T); }  ///< usable bytes per block
    /// Bytes from one block to the next: a multiple of 8.
    [[nodiscard]] static constexpr std::size_t stride() noexcept { return detail::page_stride_of<T>; }
    [[nodiscard]] static constexpr std::size_t alignment() noexcept { return alignof(T); }  ///< of blocks, in bytes
    [[nodiscard]] const char* name() const noexcept { return pool_.name(); }                ///< the name, or ""
    [[nodiscard]] pool_stats stats() const noexcept { return pool_.stats(); }               ///< all counters at once

private:
    template <class U, checking D> friend class growing_typed_pool;
    using entry = typename detail::growing_blocks<C>::entry;
    friend handle;
    friend detail::block_lease<growing_typed_pool>;

    [[nodiscard]] static T* object_in(std::byte* bytes) noexcept { return std::launder(reinterpret_cast<T*>(bytes)); }

    /// Takes a block, constructs a T in it, and returns its handle.
    template <class... Args> [[nodiscard]] handle make(Args&&... args) {
        const entry taken = pool_.list_.template take<stride()>();
        detail::block_lease<growing_typed_pool> lease(this, taken);
        pool_.list_.mark(taken, state::unfinished);  // nobody may visit or release half an object
        T* const object = detail::construct<T>(taken.block, std::forward<Args>(args)...);
        lease.keep();
        pool_.list_.mark(taken, state::live);
        return {this, object};
    }

    void put_back(const entry& block) noexcept { pool_.list_.template put<stride()>(block); }

    /// Validates, then destroys the object, then puts the block back.
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
    /// Changes the state of the object's block. Reports a violation and returns false unless the state was `from`.
    [[nodiscard]] bool is_changed(T* object, std::uint16_t from, std::uint16_t to) noexcept {
        if (pool_.list_.template change<stride()>(object, from, to).block != nullptr) return true;
        pool_.report_misuse(object);
        return false;
    }

    basic_growing_pool<C> pool_;
};

}  // namespace fixpool::inline FIXPOOL_ABI
