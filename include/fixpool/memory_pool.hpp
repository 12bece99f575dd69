// SPDX-License-Identifier: BSL-1.0
// memory_pool: a fixed number of raw memory blocks of one size.
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

/// A pool with a fixed number of raw memory blocks. Each block has `block_size()` usable bytes and starts at a multiple
/// of `alignment()`. The pool can be moved, not copied; a moved-from pool has 0 blocks. checking.hpp describes the
/// levels of checking, debug.hpp the differences of the debug level.
///
/// The block that was released last is handed out first. A large pool that becomes empty hands out its blocks in order
/// of addresses again, ascending or descending. Large means that at least 64 blocks and 256 KiB were in use at once.
/// It does not if samples show that they are in order of addresses already. Free blocks keep their bytes, except at
/// debug level.
/// Complexity: construction is O(1).
/// Thread safety: one thread at a time.
// Invariant: in_use() + available() == total_blocks(), in_use() <= peak_in_use() <= total_blocks()
template <checking C = checking::checked> class basic_memory_pool {
    using free_list = typename detail::list_for<C>::type;
    using entry = typename free_list::entry;
    FIXPOOL_HIDDEN static constexpr std::size_t gap = detail::list_for<C>::gap;  // least bytes between blocks

public:
    FIXPOOL_HIDDEN static constexpr std::size_t npos = violation::npos;  ///< index of no block

    /// A pool whose memory comes from `operator new`.
    /// Throws: std::invalid_argument if a size or count is 0, or if the alignment is not a power of two.
    /// std::length_error for more than 2^32 - 2 blocks or PTRDIFF_MAX bytes. std::bad_alloc if there is no memory.
    explicit basic_memory_pool(pool_layout layout, pool_options options = {})
        : basic_memory_pool(layout, arena::heap(), options) {}

    /// A pool whose memory comes from `memory`, which it then owns.
    /// Throws: as the other constructor. std::length_error if a borrowed buffer is too small; the text says how many
    /// bytes are needed. std::length_error if the arena's function returned misaligned memory. Any exception of that
    /// function.
    basic_memory_pool(pool_layout layout, arena memory, pool_options options = {})
        : basic_memory_pool(std::move(memory), geometry_of(layout), options) {}

    /// Takes over the blocks of the other pool, which then has 0 blocks.
    basic_memory_pool(basic_memory_pool&&) noexcept = default;
    /// Takes over the blocks of `other`. First reports a `leak` if blocks of this pool are in use (not at unchecked
    /// level), and frees its memory.
    basic_memory_pool& operator=(basic_memory_pool&& other) noexcept {
        if (this == &other) return *this;
        report_leak();
        list_ = std::move(other.list_);
        arena_ = std::move(other.arena_);  // second: the list must give up the bytes first
        reporter_ = other.reporter_;
        return *this;
    }

    /// Frees the pool's memory. First reports a `leak` if blocks are in use (not at unchecked level).
    ~basic_memory_pool() { report_leak(); }

    /// Size of the memory that a pool of this layout needs, in bytes: blocks and metadata. A buffer of this size is
    /// enough if it is aligned to 8 and to the blocks' alignment. Any other buffer needs some bytes more.
    /// Throws: std::invalid_argument and std::length_error, as the constructor.
    [[nodiscard]] static constexpr std::size_t required_bytes(pool_layout layout) {
        return free_list::plan(geometry_of(layout)).total_bytes();
    }

    /// Size of the metadata buffer for `arena::borrow(blocks, metadata)`, in bytes. It is enough at any alignment.
    /// Throws: as `required_bytes`.
    [[nodiscard]] static constexpr std::size_t required_metadata_bytes(pool_layout layout) {
        const auto plan = free_list::plan(geometry_of(layout));
        return plan.metadata_bytes + plan.metadata_alignment - 1;
    }

    /// Number of blocks that fit into an aligned buffer of `bytes` bytes, together with their metadata. Maybe 0.
    /// Throws: std::invalid_argument if `block_size` is 0, or if `alignment` is not a power of two.
    [[nodiscard]] static constexpr std::size_t blocks_in(std::size_t bytes, std::size_t block_size,
                                                         std::size_t alignment = 0) {
        if (block_size > detail::max_bytes) return 0;
        detail::geometry fitting = detail::checked_stride({block_size, 0, alignment}, gap);
        const std::size_t fixed = free_list::plan(fitting).total_bytes();
        const std::size_t per_block = fitting.stride + free_list::metadata_size;
        const std::size_t most = detail::most_blocks(fitting.stride, free_list::metadata_size, gap);
        fitting.block_count = bytes <= fixed ? 0 : (bytes - fixed) / per_block;
        if (fitting.block_count > most) fitting.block_count = most;
        // Padding before the metadata is less than per_block, so it costs at most one block.
        const bool is_one_too_many = fitting.block_count != 0 && free_list::plan(fitting).total_bytes() > bytes;
        return fitting.block_count - is_one_too_many;
    }

    /// Returns an uninitialised block of `block_size()` bytes at a multiple of `alignment()`. Give it back by
    /// `deallocate`. At debug level, the functions that allocate or release have a last parameter `site where = {}`:
    /// the caller's line.
    /// Throws: pool_exhausted if all blocks are in use.
    /// Complexity: O(1).
    [[nodiscard]] void* allocate() {
        entry taken;
        if (!list_.take(taken)) raise_exhausted();
        return hand_out(taken);
    }

    /// As `allocate`, but returns nullptr if all blocks are in use.
    /// Complexity: O(1).
    [[nodiscard]] void* try_allocate() noexcept {
        entry taken;
        return list_.take(taken) ? hand_out(taken) : nullptr;
    }

    /// Takes a block back. Does nothing for nullptr. If `block` is not the start of a block in use, reports a violation
    /// and changes nothing; at unchecked level, the behaviour is undefined.
    /// Complexity: O(1).
    void deallocate(void* block) noexcept {
        const entry claimed = list_.claim(block);
        if (claimed == free_list::none) return report_misuse(block);
        list_.put(claimed);
    }

    /// Stores a new block in each element of `blocks`. If too few are free, returns false, hands out none, and leaves
    /// the elements unchanged.
    /// Complexity: O(blocks.size()).
    [[nodiscard]] bool try_allocate_bulk(std::span<void*> blocks) noexcept {
        if (blocks.size() > available()) return list_.refuse();
        for (void*& block : blocks) block = try_allocate();
        return true;
    }

    /// Calls `deallocate` for each element, in order.
    /// Complexity: O(blocks.size()).
    void deallocate_bulk(std::span<void* const> blocks) noexcept {
        for (void* const block : blocks) deallocate(block);
    }

    /// As `deallocate`, but returns the kind of misuse instead of reporting a violation. At debug level, it still
    /// reports damaged guard bytes.
    /// Complexity: O(1).
    [[nodiscard]] release_status try_deallocate(void* block) noexcept requires knows_live_blocks<C> {
        if (block == nullptr) return release_status::null_pointer;
        const entry claimed = list_.claim(block);
        if (claimed == free_list::none) return detail::status_of(list_.misuse_of(block));
        list_.put(claimed);
        return release_status::released;
    }

    /// Whether `block` is the start of a block in use. It may be any address. To find the pool of a pointer, use
    /// `contains`: a block that was released already is not owned by any pool.
    [[nodiscard]] bool owns(const void* block) const noexcept requires knows_live_blocks<C> {
        return list_.is_live(list_.index_of(block));
    }

    /// Whether `address` is inside the pool's blocks. It may be any address.
    [[nodiscard]] bool contains(const void* address) const noexcept { return list_.contains(address); }

    /// The memory of all blocks. Block i starts at byte i * stride().
    [[nodiscard]] std::span<std::byte> blocks() const noexcept { return {list_.base(), list_.layout().blocks_bytes()}; }

    /// Index of the block that starts at this address, in use or not; npos if no block starts there.
    [[nodiscard]] std::size_t index_of(const void* block) const noexcept { return list_.index_of(block); }

    /// Address of a block. Requires: index < total_blocks().
    [[nodiscard]] void* block_at(std::size_t index) const noexcept { return list_.base() + index * stride(); }

    /// Calls fn(void*) for every block in use, in order of addresses. fn may allocate and release blocks. Blocks that
    /// are allocated meanwhile may be visited or not.
    /// Complexity: O(peak_in_use()). At debug level: linear in the number of blocks that were ever handed out.
    template <class Fn> void for_each_allocated(Fn&& fn) const requires knows_live_blocks<C> {
        list_.for_each_live([&fn](std::byte* block) { fn(static_cast<void*>(block)); });
    }

    /// Sorts the free blocks by address, so that the lowest is handed out next. Useful for a pool that never becomes
    /// empty. At debug level it does nothing.
    /// Complexity: O(peak_in_use()).
    void sort_free_blocks() noexcept requires knows_live_blocks<C> { list_.sort(); }

    /// Verifies the pool's metadata, for tests or after a wrong write. Reports the first contradiction as
    /// `corrupted_pool` and returns false. Of this object itself it verifies only the counts. At debug level, it also
    /// verifies the bytes of free blocks and of guards. It reports `write_after_free` and `buffer_overflow`, and
    /// repairs nothing: a handler that calls `audit` is called again.
    /// Complexity: O(peak_in_use()), whatever was overwritten. At debug level: linear in the bytes of all blocks that
    /// were ever handed out.
    bool audit() const noexcept requires knows_live_blocks<C> { return is_sound(in_use()); }

    /// Makes all blocks free, even those in use. Sets the peak and the count of refused allocations to 0.
    /// Complexity: O(1).
    void reset() noexcept { list_.reset(); }

    [[nodiscard]] std::size_t total_blocks() const noexcept { return list_.total(); }           ///< capacity, in blocks
    [[nodiscard]] std::size_t available() const noexcept { return total_blocks() - in_use(); }  ///< free blocks
    [[nodiscard]] std::size_t in_use() const noexcept { return list_.out(); }                   ///< blocks in use
    /// Most blocks in use at once since construction or the last `reset()`.
    [[nodiscard]] std::size_t peak_in_use() const noexcept { return list_.handed_out(); }
    /// Usable bytes per block.
    [[nodiscard]] std::size_t block_size() const noexcept { return list_.layout().block_size; }
    /// Bytes from one block to the next.
    [[nodiscard]] std::size_t stride() const noexcept { return list_.layout().stride; }
    /// Each block starts at a multiple of so many bytes.
    [[nodiscard]] std::size_t alignment() const noexcept { return list_.layout().alignment; }
    [[nodiscard]] const char* name() const noexcept { return reporter_.name(); }  ///< the name, or ""

    /// All counters at once.
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

    /// Reports the release of `block`, unless it is nullptr. At unchecked level, only nullptr comes here.
    FIXPOOL_COLD void report_misuse([[maybe_unused]] const void* block) const noexcept {
        if constexpr (C != checking::unchecked)
            if (block != nullptr) reporter_.report(violation_at(list_.misuse_of(block), block));
    }

    /// The violation of releasing or adopting `object`, which may be under construction or destruction.
    [[nodiscard]] violation object_misuse(const void* object) const noexcept {
        const std::size_t index = list_.index_of(object);
        const bool is_unfinished = !list_.is_live(index) && !list_.is_free(index);
        return violation_at(is_unfinished ? violation_kind::not_allocated : list_.misuse_of(object), object);
    }

    /// Verifies the metadata and reports the first contradiction. list_audit describes `least`.
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
        const void* lowest = nullptr;  // remains nullptr if all objects are being constructed or destroyed
        list_.for_each_live([&lowest](const std::byte* block) { lowest = lowest == nullptr ? block : lowest; });
        violation v = violation_at(kind, lowest);
        if constexpr (keeps_sites<C>) v.holders = list_.holders();
        reporter_.report(v);
    }

    arena arena_;
    free_list list_;
    detail::reporter reporter_;
};

/// The usual pool of raw blocks: checked.
using memory_pool = basic_memory_pool<>;

}  // namespace fixpool::inline FIXPOOL_ABI
