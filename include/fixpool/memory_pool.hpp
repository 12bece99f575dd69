// SPDX-License-Identifier: BSL-1.0
// memory_pool: raw blocks of one size from one arena. The contract of the free list below it.
#pragma once

#include <fixpool/arena.hpp>
#include <fixpool/detail/list_audit.hpp>
#include <fixpool/exhausted.hpp>
#include <fixpool/options.hpp>
#include <fixpool/release_status.hpp>
#include <fixpool/stats.hpp>

#include <cstddef>
#include <span>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI {

namespace detail {
template <checking C> struct depot;
template <checking C, class Sync> class shared_state;
}  // namespace detail

/// A pool of `total_blocks()` raw blocks, each of `block_size()` bytes at a multiple of `alignment()`. The block that
/// was released last is handed out first. When all blocks are free again, and at least 64 blocks and 256 KiB were in
/// use at a time, blocks are handed out in order of addresses again, up or down, unless samples show them in order
/// already. Nothing is written into free blocks. Construction is O(1), whatever the size. checking.hpp describes the
/// levels of checking; debug.hpp says what that level does in another way.
///
/// A pool can be moved: the target then has its blocks, and it is a pool of no blocks.
/// Thread safety: one thread at a time.
// Invariant: in_use() + available() == total_blocks(), in_use() <= peak_in_use() <= total_blocks()
template <checking C = checking::checked> class basic_memory_pool {
    using free_list = typename detail::list_for<C>::type;
    using entry = typename free_list::entry;
    FIXPOOL_HIDDEN static constexpr std::size_t gap = detail::list_for<C>::gap;  // bytes between two blocks, at least

public:
    FIXPOOL_HIDDEN static constexpr std::size_t npos = violation::npos;  // the index of no block

    /// A pool on memory from `operator new`.
    /// Throws: std::invalid_argument for a size or count of 0 or an alignment that is not a power of two;
    /// std::length_error for sizes that come to more than PTRDIFF_MAX, or more than 2^32 - 2 blocks; std::bad_alloc
    /// when there is no memory.
    explicit basic_memory_pool(pool_layout layout, pool_options options = {})
        : basic_memory_pool(layout, arena::heap(), options) {}

    /// A pool on `memory`, which it takes over.
    /// Throws: as above; std::length_error for a borrowed buffer that is too small, saying what is needed, and for
    /// memory that a function of the arena's did not align; what such a function throws.
    basic_memory_pool(pool_layout layout, arena memory, pool_options options = {})
        : basic_memory_pool(std::move(memory), geometry_of(layout), options) {}

    basic_memory_pool(basic_memory_pool&&) noexcept = default;
    /// Blocks of this pool that are in use are a leak, as in the destructor.
    basic_memory_pool& operator=(basic_memory_pool&& other) noexcept {
        if (this == &other) return *this;
        report_leak();
        list_ = std::move(other.list_);
        arena_ = std::move(other.arena_);  // not before: the list gives up its bytes first
        reporter_ = other.reporter_;
        return *this;
    }

    /// Reports blocks that are in use as one `leak`, unless unchecked. Their memory is gone all the same.
    ~basic_memory_pool() { report_leak(); }

    /// Size of the arena that a pool of this layout needs, in bytes: blocks and metadata. A borrowed buffer needs
    /// exactly that if it starts at a multiple of the larger of the alignment and 8. Any other buffer needs more, to be
    /// aligned.
    /// Throws: std::invalid_argument and std::length_error, as the constructor.
    [[nodiscard]] static constexpr std::size_t required_bytes(pool_layout layout) {
        return free_list::plan(geometry_of(layout)).total_bytes();
    }

    /// Size of the buffer for metadata that a pool of this layout needs, in bytes, where it is apart from the blocks.
    /// Enough at any alignment.
    /// Throws: as `required_bytes`.
    [[nodiscard]] static constexpr std::size_t required_metadata_bytes(pool_layout layout) {
        const auto plan = free_list::plan(geometry_of(layout));
        return plan.metadata_bytes + plan.metadata_alignment - 1;
    }

    /// The largest number of blocks whose `required_bytes` is at most `bytes`; 0 if not even one block fits.
    /// Throws: std::invalid_argument for a size of 0 or an alignment that is not a power of two.
    [[nodiscard]] static constexpr std::size_t blocks_in(std::size_t bytes, std::size_t block_size,
                                                         std::size_t alignment = 0) {
        if (block_size > detail::max_bytes) return 0;
        detail::geometry fitting = detail::checked_stride({block_size, 0, alignment}, gap);
        const std::size_t fixed = free_list::plan(fitting).total_bytes();
        const std::size_t per_block = fitting.stride + free_list::metadata_size;
        const std::size_t most = detail::most_blocks(fitting.stride, free_list::metadata_size, gap);
        fitting.block_count = bytes <= fixed ? 0 : (bytes - fixed) / per_block;
        if (fitting.block_count > most) fitting.block_count = most;
        // Padding in front of the metadata is less than per_block, so that it costs one block at most.
        const bool is_one_too_many = fitting.block_count != 0 && free_list::plan(fitting).total_bytes() > bytes;
        return fitting.block_count - is_one_too_many;
    }

    /// Hands out one uninitialised block of `block_size()` bytes, aligned to `alignment()`. Give it back with
    /// `deallocate`. At debug level, what allocates or releases takes a site last: the caller's place, unless given.
    /// Throws: pool_exhausted when all `total_blocks()` are in use.
    /// Complexity: O(1).
    [[nodiscard]] void* allocate() {
        entry taken;
        if (!list_.take(taken)) raise_exhausted();
        return hand_out(taken);
    }

    /// As `allocate`, but returns nullptr when all blocks are in use.
    [[nodiscard]] void* try_allocate() noexcept {
        entry taken;
        return list_.take(taken) ? hand_out(taken) : nullptr;
    }

    /// Takes a block back. nullptr is a no-op. Any other pointer than the start of a block in use is a violation, and
    /// then a no-op; unchecked: undefined.
    /// Complexity: O(1).
    void deallocate(void* block) noexcept {
        const entry claimed = list_.claim(block);
        if (claimed == free_list::none) return report_misuse(block);
        list_.put(claimed);
    }

    /// Fills `blocks` with as many blocks, or returns false and leaves it and the pool alone.
    /// Complexity: O(blocks.size()).
    [[nodiscard]] bool try_allocate_bulk(std::span<void*> blocks) noexcept {
        if (blocks.size() > available()) return list_.refuse();
        for (void*& block : blocks) block = try_allocate();
        return true;
    }

    /// `deallocate` for each of `blocks`, in their order.
    void deallocate_bulk(std::span<void* const> blocks) noexcept {
        for (void* const block : blocks) deallocate(block);
    }

    /// As `deallocate`, but returns the kind of misuse instead of reporting a violation. The pool is then unchanged.
    /// Complexity: O(1).
    [[nodiscard]] release_status try_deallocate(void* block) noexcept requires knows_live_blocks<C> {
        if (block == nullptr) return release_status::null_pointer;
        const entry claimed = list_.claim(block);
        if (claimed == free_list::none) return detail::status_of(list_.misuse_of(block));
        list_.put(claimed);
        return release_status::released;
    }

    /// Whether `block` is the start of a block of this pool that is in use. It is not read. To find the pool of a
    /// block, use `contains`: a pool does not own a block that is released twice.
    [[nodiscard]] bool owns(const void* block) const noexcept requires knows_live_blocks<C> {
        return list_.is_live(list_.index_of(block));
    }

    /// Whether `address` lies in the pool's blocks. It is not read.
    [[nodiscard]] bool contains(const void* address) const noexcept { return list_.contains(address); }

    /// The bytes of all blocks. Block i starts at i * stride().
    [[nodiscard]] std::span<std::byte> blocks() const noexcept { return {list_.base(), list_.layout().blocks_bytes()}; }

    /// The index of the block that starts at `block`, in use or not; npos for any other address. It is not read.
    [[nodiscard]] std::size_t index_of(const void* block) const noexcept { return list_.index_of(block); }

    /// Requires: index < total_blocks().
    [[nodiscard]] void* block_at(std::size_t index) const noexcept { return list_.base() + index * stride(); }

    /// Calls fn(void*) for every block in use, in order of addresses. fn may allocate and release: what is allocated
    /// meanwhile may be visited or not.
    /// Complexity: O(peak_in_use()); debug level: linear in the blocks that were ever handed out, here and below.
    template <class Fn> void for_each_allocated(Fn&& fn) const requires knows_live_blocks<C> {
        list_.for_each_live([&fn](std::byte* block) { fn(static_cast<void*>(block)); });
    }

    /// Puts the free blocks in order of addresses: the lowest is handed out next. For a quiet moment of a pool that is
    /// never empty.
    /// Complexity: O(peak_in_use()).
    void sort_free_blocks() noexcept requires knows_live_blocks<C> { list_.sort(); }

    /// Verifies that what the pool keeps of its blocks agrees: for tests, and where a bug may have written over it. Reports
    /// the first thing that is wrong, as `corrupted_pool`, and returns false. Debug level also verifies all free blocks
    /// and guard bytes, reports `write_after_free` and `buffer_overflow`, and leaves what it finds as it is: a handler
    /// that calls it is called again. This object itself is trusted, but for its counts.
    /// Complexity: O(peak_in_use()), whatever was overwritten; debug level: linear in the bytes of the blocks that were
    /// ever handed out.
    bool audit() const noexcept requires knows_live_blocks<C> { return is_sound(in_use()); }

    /// Makes every block free again, whoever holds it. The peak and the count of refused allocations start anew.
    /// Complexity: O(1).
    void reset() noexcept { list_.reset(); }

    [[nodiscard]] std::size_t total_blocks() const noexcept { return list_.total(); }
    [[nodiscard]] std::size_t available() const noexcept { return total_blocks() - in_use(); }
    [[nodiscard]] std::size_t in_use() const noexcept { return list_.out(); }
    [[nodiscard]] std::size_t peak_in_use() const noexcept { return list_.handed_out(); }        // since the last reset
    [[nodiscard]] std::size_t block_size() const noexcept { return list_.layout().block_size; }  // bytes
    [[nodiscard]] std::size_t stride() const noexcept { return list_.layout().stride; }          // bytes
    [[nodiscard]] std::size_t alignment() const noexcept { return list_.layout().alignment; }    // bytes
    [[nodiscard]] const char* name() const noexcept { return reporter_.name(); }                 // "" without a name

    [[nodiscard]] pool_stats stats() const noexcept {
        const std::size_t arena_bytes = total_blocks() == 0 ? 0 : free_list::plan(list_.layout()).total_bytes();
        return {total_blocks(), in_use(), peak_in_use(), list_.refused(),
                block_size(),   stride(), arena_bytes,   arena_bytes - list_.layout().blocks_bytes()};
    }

private:
    friend class census;
    template <checking D> friend class basic_memory_pool;
    template <class T, checking D> friend class typed_pool;
    template <checking D> friend struct detail::depot;
    template <checking D, class Sync> friend class detail::shared_state;

    basic_memory_pool(arena&& memory, const detail::geometry& g, const pool_options& options)
        : arena_(std::move(memory)), list_(arena_.acquire(free_list::plan(g)), g), reporter_(options) {}

    [[nodiscard]] static constexpr detail::geometry geometry_of(pool_layout layout) {
        return detail::checked_geometry(layout, free_list::metadata_size, gap);
    }

    [[nodiscard]] void* hand_out(entry taken) noexcept {
        list_.mark(taken, detail::block_state::live);
        return list_.address(taken);
    }

    [[noreturn]] FIXPOOL_COLD void raise_exhausted() const {
        detail::raise_made<pool_exhausted>(name(), total_blocks());
    }

    [[nodiscard]] violation violation_at(violation_kind kind, const void* address) const noexcept {
        violation v{kind,           this,     name(),          address,         list_.enclosing_index(address),
                    total_blocks(), in_use(), site::unknown(), site::unknown(), reporter_.context()};
        if constexpr (keeps_sites<C>) list_.describe(v);
        return v;
    }

    /// Reports the release of `block`, unless it is nullptr, which any pool takes. Unchecked it is never another one.
    FIXPOOL_COLD void report_misuse([[maybe_unused]] const void* block) const noexcept {
        if constexpr (C != checking::unchecked)
            if (block != nullptr) reporter_.report(violation_at(list_.misuse_of(block), block));
    }

    /// What is wrong with releasing or adopting `object`, which may be under construction or destruction.
    [[nodiscard]] violation object_misuse(const void* object) const noexcept {
        const std::size_t index = list_.index_of(object);
        const bool is_unfinished = !list_.is_live(index) && !list_.is_free(index);
        return violation_at(is_unfinished ? violation_kind::not_allocated : list_.misuse_of(object), object);
    }

    /// Reports what is wrong in what the pool keeps. `least` is as list_audit says.
    [[nodiscard]] bool is_sound(std::size_t least) const noexcept {
        const detail::finding found = find_disorder(list_, least);
        if (found) reporter_.report(violation_of(found));
        return !found;
    }

    [[nodiscard]] FIXPOOL_COLD violation violation_of(const detail::finding& found) const noexcept {
        violation v = violation_at(found.kind, found.at);
        v.index = found.block;
        v.problem = found.problem;
        v.offset = found.offset;
        v.byte = found.byte;
        return v;
    }

    void report_leak() const noexcept {
        if constexpr (C != checking::unchecked)
            if (in_use() != 0) report_live_blocks(violation_kind::leak);
    }

    FIXPOOL_COLD void report_live_blocks(violation_kind kind) const noexcept {
        const void* lowest = nullptr;  // stays so if the only objects are being constructed or destroyed
        list_.for_each_live([&lowest](const std::byte* block) { lowest = lowest == nullptr ? block : lowest; });
        violation v = violation_at(kind, lowest);
        if constexpr (keeps_sites<C>) v.holders = list_.holders();
        reporter_.report(v);
    }

    arena arena_;
    free_list list_;
    detail::reporter reporter_;
};

using memory_pool = basic_memory_pool<>;

}  // namespace fixpool::inline FIXPOOL_ABI
