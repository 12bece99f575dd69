// SPDX-License-Identifier: BSL-1.0
// static_pool: a fixed number of objects, in memory inside the pool object itself. Opt-in.
#pragma once

#include <fixpool/block.hpp>
#include <fixpool/detail/object.hpp>
#include <fixpool/detail/static_list.hpp>
#include <fixpool/exhausted.hpp>
#include <fixpool/options.hpp>
#include <fixpool/stats.hpp>

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI {

template <class T, std::size_t N, checking C = checking::checked> class static_pool;

/// The handle of one object in a static_pool.
template <class T, std::size_t N, checking C = checking::checked>
using static_block = block<T, C, static_pool<T, N, C>>;

/// A pool for N objects of type T with the interface of typed_pool. The pool object contains all its memory, so it
/// needs no heap. It is made for global variables:
///
///     constinit fixpool::static_pool<connection, 16> connections;
///
/// Such a pool lies in .bss, because an empty pool consists of zero bytes. It takes no space in .data, and no code runs
/// before main. Metadata takes 2 bytes per block: 3 from 256 blocks on, 5 from 65,536 blocks on, a pointer at unchecked
/// level. Misuse is detected and reported as in typed_pool. There is no debug level.
///
/// `set_options` sets a name and a handler at run time. Options in the initialiser would move the pool to .data.
/// Without options, a report names the pool by its address and goes to the handler of the image whose code detects the
/// misuse.
///
/// The pool must outlive its handles, and can be neither copied nor moved. It has no destructor: leaks are not
/// reported. A pool may also be a local variable or a member. AddressSanitizer watches free blocks of global pools
/// only, once they were in use.
/// Thread safety: one thread at a time. An interrupt handler is another thread.
// Invariant: in_use() + available() == N, in_use() <= peak_in_use() <= N
template <class T, std::size_t N, checking C> class static_pool {
    static_assert(!std::is_reference_v<T>, "fixpool: T is a reference: pool the type it refers to, or a pointer");
    static_assert(N != 0, "fixpool: N is 0, a pool has at least 1 block");
    static_assert(!keeps_sites<C>, "fixpool: static_pool has no debug level: use a typed_pool on a borrowed arena");
    static_assert(detail::layout_for<T>(N).block_count == N, "fixpool: T cannot be pooled");
    static_assert(N <= detail::most_blocks(detail::stride_of<T, 0>, 16), "fixpool: N blocks exceed PTRDIFF_MAX bytes");
    using overwrite = detail::for_overwrite;
    using enum detail::block_state;

public:
    FIXPOOL_HIDDEN static constexpr std::size_t npos = violation::npos;  ///< index of no block

    /// A pool in which all blocks are free.
    constexpr static_pool() noexcept = default;
    static_pool(const static_pool&) = delete;  // fixpool: blocks know their pool's address
    static_pool& operator=(const static_pool&) = delete;

    /// Sets name, handler and context, as the constructors of other pools do. May be called several times.
    void set_options(const pool_options& options) noexcept { reporter_ = detail::reporter(options); }

    /// Size of the pool object in bytes: blocks, metadata and options.
    [[nodiscard]] static constexpr std::size_t required_bytes() noexcept { return sizeof(static_pool); }

    /// As in typed_pool.
    /// Throws: pool_exhausted if all blocks are in use; any exception of T's constructor.
    /// Complexity: O(1), plus T's constructor.
    template <class... Args> [[nodiscard]] static_block<T, N, C> allocate(Args&&... args) {
        entry taken;
        if (!list_.take(taken)) raise_exhausted();
        return made_in(taken, std::forward<Args>(args)...);
    }
    /// As `allocate`, but returns an empty handle if all blocks are in use. The arguments are then unchanged.
    /// Throws: any exception of T's constructor. Complexity: O(1), plus T's constructor.
    template <class... Args> [[nodiscard]] static_block<T, N, C> try_allocate(Args&&... args) {
        entry taken;
        if (!list_.take(taken)) return {};
        return made_in(taken, std::forward<Args>(args)...);
    }
    /// As `allocate()`, but T is default-initialised. See typed_pool.
    /// Throws: as `allocate`. Complexity: O(1), plus T's constructor.
    template <class...> [[nodiscard]] static_block<T, N, C> allocate_for_overwrite() { return allocate(overwrite()); }
    /// As `allocate_for_overwrite`, but returns an empty handle if all blocks are in use.
    /// Throws: any exception of T's constructor. Complexity: O(1), plus T's constructor.
    template <class...> [[nodiscard]] static_block<T, N, C> try_allocate_for_overwrite() {
        return try_allocate(overwrite());
    }
    /// As `allocate`. The place is ignored: it is for pools that have a debug level.
    /// Throws: as `allocate`. Complexity: O(1), plus T's constructor.
    template <class... Args> [[nodiscard]] static_block<T, N, C> allocate_at(site, Args&&... args) {
        return allocate(std::forward<Args>(args)...);
    }
    /// As `try_allocate`. The place is ignored.
    /// Throws: any exception of T's constructor. Complexity: O(1), plus T's constructor.
    template <class... Args> [[nodiscard]] static_block<T, N, C> try_allocate_at(site, Args&&... args) {
        return try_allocate(std::forward<Args>(args)...);
    }
    /// As in typed_pool.
    /// Complexity: O(1); reporting a violation, here or at a release, takes O(peak_in_use()).
    [[nodiscard]] static_block<T, N, C> adopt(T* object) noexcept {
        if (object == nullptr) return {};
        if (list_.change(object, given_up, live) == list::none) {
            report_misuse(object);
            return {};
        }
        return {this, object};
    }

    /// As in typed_pool.
    /// Complexity: O(peak_in_use()).
    template <class Fn> void for_each(Fn&& fn) requires knows_live_blocks<C> {
        for (std::size_t i = 0; i < list_.carved(); ++i)
            if (T* const object = object_at(i); object != nullptr) fn(*object);
    }
    template <class Fn> void for_each(Fn&& fn) const requires knows_live_blocks<C> {
        for (std::size_t i = 0; i < list_.carved(); ++i)
            if (const T* const object = object_at(i); object != nullptr) fn(*object);
    }
    /// The object in the block with this index; nullptr if there is none.
    [[nodiscard]] T* object_at(std::size_t index) noexcept requires knows_live_blocks<C> {
        if (!list_.is_live(index)) return nullptr;
        return std::launder(reinterpret_cast<T*>(list_.base() + index * stride()));
    }
    [[nodiscard]] const T* object_at(std::size_t index) const noexcept requires knows_live_blocks<C> {
        if (!list_.is_live(index)) return nullptr;
        return std::launder(reinterpret_cast<const T*>(list_.base() + index * stride()));
    }

    /// Whether `block` is the start of a block in use. It may be any address.
    [[nodiscard]] bool owns(const void* block) const noexcept requires knows_live_blocks<C> {
        return list_.is_live(index_of(block));
    }
    /// Whether `address` is inside the pool's blocks. It may be any address.
    [[nodiscard]] bool contains(const void* address) const noexcept { return list_.contains(address); }
    /// Index of the block that starts at this address, in use or not; npos if no block starts there.
    [[nodiscard]] std::size_t index_of(const void* block) const noexcept { return list_.index_of(block); }
    /// Sorts the free blocks by address, so that the lowest is handed out next.
    /// Complexity: O(peak_in_use()).
    void sort_free_blocks() noexcept requires knows_live_blocks<C> { list_.sort(); }
    /// Verifies the pool's metadata, for tests or after a wrong write. Reports the first contradiction as
    /// `corrupted_pool` and returns false.
    /// Complexity: O(total_blocks()), whatever was overwritten.
    bool audit() const noexcept requires knows_live_blocks<C> {
        const detail::finding found = list_.find_disorder();
        if (found) report_disorder(found);
        return !found;
    }

    [[nodiscard]] static constexpr std::size_t total_blocks() noexcept { return N; }       ///< capacity, in blocks
    [[nodiscard]] std::size_t available() const noexcept { return N - in_use(); }          ///< free blocks
    [[nodiscard]] std::size_t in_use() const noexcept { return list_.out(); }              ///< blocks in use
    [[nodiscard]] std::size_t peak_in_use() const noexcept { return list_.handed_out(); }  ///< peak of in_use()
    /// Usable bytes per block: the size of T.
    [[nodiscard]] static constexpr std::size_t block_size() noexcept { return sizeof(T); }
    /// Bytes from one block to the next.
    [[nodiscard]] static constexpr std::size_t stride() noexcept { return detail::stride_of<T, 0>; }
    /// Each block starts at a multiple of so many bytes.
    [[nodiscard]] static constexpr std::size_t alignment() noexcept { return alignof(T); }
    [[nodiscard]] const char* name() const noexcept { return reporter_.name(); }  ///< the name, or ""
    /// All counters at once. `arena_bytes` is required_bytes(). `metadata_bytes` is all of it but the blocks.
    [[nodiscard]] pool_stats stats() const noexcept {
        return {N,         in_use(), peak_in_use(),    list_.refused(),
                sizeof(T), stride(), required_bytes(), required_bytes() - N * stride()};
    }

private:
    using list = detail::static_list<T, N, C>;
    using entry = typename list::entry;
    friend static_block<T, N, C>;
    friend detail::block_lease<static_pool>;

    template <class... Args> [[nodiscard]] static_block<T, N, C> made_in(entry taken, Args&&... args) {
        detail::block_lease<static_pool> lease(this, taken);
        T* const object = detail::construct<T>(list_.address(taken), std::forward<Args>(args)...);
        lease.keep();
        list_.mark(taken, live);  // only now: nobody may visit or release half an object
        return {this, object};
    }

    void put_back(entry block) noexcept { list_.put(block); }

    /// Validates, then destroys the object, then puts the block back.
    void give_back(T* object) noexcept {
        const entry claimed = list_.change(object, live, out_of_use);
        if (claimed == list::none) return report_misuse(object);
        detail::destroy(*object);
        put_back(claimed);
    }

    void give_up(T* object) noexcept {
        if (list_.change(object, live, given_up) == list::none) report_misuse(object);
    }

    [[noreturn]] FIXPOOL_COLD void raise_exhausted() const { detail::raise_made<pool_exhausted>(name(), N); }

    [[nodiscard]] violation violation_at(violation_kind kind, const void* address) const noexcept {
        return {kind, this,     name(),          address,         list_.enclosing_index(address),
                N,    in_use(), site::unknown(), site::unknown(), reporter_.context()};
    }

    /// Reports the release or adoption of `object`, which may be under construction or destruction.
    FIXPOOL_COLD void report_misuse([[maybe_unused]] const void* object) const noexcept {
        if constexpr (C != checking::unchecked) {
            const std::size_t index = index_of(object);
            const bool is_unfinished = !list_.is_live(index) && !list_.is_free(index);
            reporter_.report(
                violation_at(is_unfinished ? violation_kind::not_allocated : list_.misuse_of(object), object));
        }
    }

    FIXPOOL_COLD void report_disorder(const detail::finding& found) const noexcept {
        violation v = violation_at(found.kind, found.at);
        v.index = found.block;
        v.problem = found.problem;
        reporter_.report(v);
    }

    detail::reporter reporter_{pool_options{.image = nullptr}};  // in front: an overflow of the last block misses it
    list list_;
};

}  // namespace fixpool::inline FIXPOOL_ABI
