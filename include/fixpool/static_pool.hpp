// SPDX-License-Identifier: BSL-1.0
// static_pool: objects of one type in a pool that has its memory inside itself. Opt-in: fixpool.hpp does not include it.
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

/// Owns one T in a static_pool<T, N, C>.
template <class T, std::size_t N, checking C = checking::checked>
using static_block = block<T, C, static_pool<T, N, C>>;

/// A pool of N objects of type T in memory of its own, with the interface of typed_pool. For globals of programs without
/// a heap:
///
///     constinit fixpool::static_pool<connection, 16> connections;
///
/// Such a global lies in .bss: a pool of zero bytes is an empty pool. It takes `sizeof` bytes there and none in .data, and
/// no code runs before main. For each block a pool keeps 2 bytes (3 from 256 blocks on, 5 from 65,536 on); unchecked, a
/// pointer. Misuse is found and reported as in a typed_pool. There is no debug level.
///
/// `set_options` sets a name and a handler at run time. A global that is initialised with them would lie in .data, with
/// all its blocks. Until then, a report has the pool's address and goes to the handler of the image whose code reports.
///
/// The pool must outlive its blocks. It has no destructor, so objects that live at its end are not reported. A pool may be
/// a local variable or a member, too. Then AddressSanitizer does not watch its free blocks. Of a global it watches those
/// that were in use before.
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
    FIXPOOL_HIDDEN static constexpr std::size_t npos = violation::npos;  // the index of no block

    constexpr static_pool() noexcept = default;
    static_pool(const static_pool&) = delete;  // fixpool: blocks know their pool's address
    static_pool& operator=(const static_pool&) = delete;

    /// Name, handler and its context, as for the constructors of other pools. May be called again.
    void set_options(const pool_options& options) noexcept { reporter_ = detail::reporter(options); }

    /// Size of the pool in bytes: blocks, metadata, name and all.
    [[nodiscard]] static constexpr std::size_t required_bytes() noexcept { return sizeof(static_pool); }

    // As in typed_pool. Throws: pool_exhausted when all blocks are in use; what T's constructor throws.
    template <class... Args> [[nodiscard]] static_block<T, N, C> allocate(Args&&... args) {
        entry taken;
        if (!list_.take(taken)) raise_exhausted();
        return made_in(taken, std::forward<Args>(args)...);
    }
    template <class... Args> [[nodiscard]] static_block<T, N, C> try_allocate(Args&&... args) {
        entry taken;
        if (!list_.take(taken)) return {};
        return made_in(taken, std::forward<Args>(args)...);
    }
    template <class...> [[nodiscard]] static_block<T, N, C> allocate_for_overwrite() { return allocate(overwrite()); }
    template <class...> [[nodiscard]] static_block<T, N, C> try_allocate_for_overwrite() {
        return try_allocate(overwrite());
    }
    template <class... Args> [[nodiscard]] static_block<T, N, C> allocate_at(site, Args&&... args) {
        return allocate(std::forward<Args>(args)...);
    }
    template <class... Args> [[nodiscard]] static_block<T, N, C> try_allocate_at(site, Args&&... args) {
        return try_allocate(std::forward<Args>(args)...);
    }
    [[nodiscard]] static_block<T, N, C> adopt(T* object) noexcept {
        if (object == nullptr) return {};
        if (list_.change(object, given_up, live) == list::none) {
            report_misuse(object);
            return {};
        }
        return {this, object};
    }

    template <class Fn> void for_each(Fn&& fn) requires knows_live_blocks<C> {
        for (std::size_t i = 0; i < list_.carved(); ++i)
            if (T* const object = object_at(i); object != nullptr) fn(*object);
    }
    template <class Fn> void for_each(Fn&& fn) const requires knows_live_blocks<C> {
        for (std::size_t i = 0; i < list_.carved(); ++i)
            if (const T* const object = object_at(i); object != nullptr) fn(*object);
    }
    [[nodiscard]] T* object_at(std::size_t index) noexcept requires knows_live_blocks<C> {
        if (!list_.is_live(index)) return nullptr;
        return std::launder(reinterpret_cast<T*>(list_.base() + index * stride()));
    }
    [[nodiscard]] const T* object_at(std::size_t index) const noexcept requires knows_live_blocks<C> {
        if (!list_.is_live(index)) return nullptr;
        return std::launder(reinterpret_cast<const T*>(list_.base() + index * stride()));
    }

    [[nodiscard]] bool owns(const void* block) const noexcept requires knows_live_blocks<C> {
        return list_.is_live(index_of(block));
    }
    [[nodiscard]] bool contains(const void* address) const noexcept { return list_.contains(address); }
    [[nodiscard]] std::size_t index_of(const void* block) const noexcept { return list_.index_of(block); }
    void sort_free_blocks() noexcept requires knows_live_blocks<C> { list_.sort(); }
    /// Complexity: O(total_blocks()), whatever was overwritten.
    bool audit() const noexcept requires knows_live_blocks<C> {
        const detail::finding found = list_.find_disorder();
        if (found) report_disorder(found);
        return !found;
    }

    [[nodiscard]] static constexpr std::size_t total_blocks() noexcept { return N; }
    [[nodiscard]] std::size_t available() const noexcept { return N - in_use(); }
    [[nodiscard]] std::size_t in_use() const noexcept { return list_.out(); }
    [[nodiscard]] std::size_t peak_in_use() const noexcept { return list_.handed_out(); }
    [[nodiscard]] static constexpr std::size_t block_size() noexcept { return sizeof(T); }            // bytes
    [[nodiscard]] static constexpr std::size_t stride() noexcept { return detail::stride_of<T, 0>; }  // bytes
    [[nodiscard]] static constexpr std::size_t alignment() noexcept { return alignof(T); }            // bytes
    [[nodiscard]] const char* name() const noexcept { return reporter_.name(); }
    /// `arena_bytes` is required_bytes(), and all of that but the blocks is `metadata_bytes`.
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
        list_.mark(taken, live);  // not before: nobody visits or releases half an object
        return {this, object};
    }

    void put_back(entry block) noexcept { list_.put(block); }

    /// Validates before it destroys, and puts the block back only when the destructor has returned.
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
