// SPDX-License-Identifier: BSL-1.0
// memory_pool: raw blocks of one size from one arena. Stands on the free list,
// and carries the contract.
#pragma once

#include <fixpool/arena.hpp>
#include <fixpool/detail/free_list.hpp>
#include <fixpool/stats.hpp>

#include <cstddef>
#include <new>
#include <span>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI {

template <class T, checking C> class typed_pool;

namespace detail {
template <class T, checking C> class shared_state;
}  // namespace detail

/// What may be said of a pool beside its layout. Later options are added here, each with a default.
struct pool_options {
    const char* name = "";  // stands in reports; not copied, outlives the pool
};

/// What `try_deallocate` says of a pointer.
enum class release_status : unsigned char {
    released,
    null_pointer,
    foreign_pointer,
    misaligned_pointer,
    not_allocated
};

/// Thrown by `allocate` when every block is in use.
class pool_exhausted : public std::bad_alloc {
public:
    pool_exhausted(const char* pool_name, std::size_t total_blocks) noexcept {
        text_.add("fixpool: ").add(total_blocks).add(" of ").add(total_blocks).add(" blocks in use");
        if (*pool_name != 0) text_.add(" in pool \"").add(pool_name).add("\"");
    }
    [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }

private:
    detail::text_line text_;
};

/// A pool of `total_blocks()` raw blocks, each of `block_size()` bytes at a multiple of
/// `alignment()`. The block given back last is handed out first. Nothing is written into
/// free blocks, and construction takes O(1) whatever the size. The levels of checking
/// are described in checking.hpp.
/// Thread safety: one thread at a time.
// Invariant: in_use() + available() == total_blocks(), in_use() <= peak_in_use() <= total_blocks()
template <checking C = checking::checked> class basic_memory_pool {
    static_assert(C != checking::debug, "fixpool: checking::debug is not there yet, use checking::checked");
    using free_list = detail::free_list<C>;
    using entry = typename free_list::entry;

public:
    /// A pool on memory from `operator new`.
    /// Throws: std::invalid_argument for a size or count of 0 or an alignment that is not a power
    /// of two; std::length_error for sizes that come to more than PTRDIFF_MAX, or more than 2^32 -
    /// 2 blocks; std::bad_alloc when there is no memory.
    explicit basic_memory_pool(pool_layout layout, pool_options options = {})
        : basic_memory_pool(layout, arena::heap(), options) {}

    /// A pool on `memory`, which it takes over.
    /// Throws: as above, and std::length_error for a borrowed buffer that is too small,
    /// saying what is needed.
    basic_memory_pool(pool_layout layout, arena memory, pool_options options = {})
        : basic_memory_pool(std::move(memory), detail::checked_geometry(layout, free_list::metadata_size), options) {}

    basic_memory_pool(const basic_memory_pool&) = delete;
    basic_memory_pool& operator=(const basic_memory_pool&) = delete;

    /// Blocks that are still allocated are reported as one `leak`, unless unchecked; their memory
    /// is gone all the same.
    ~basic_memory_pool() {
        if constexpr (C != checking::unchecked)
            if (in_use() != 0) report_live_blocks(violation_kind::leak);
    }

    /// Bytes that a pool of this layout takes of its arena: the blocks and this level's metadata. A
    /// borrowed buffer needs exactly so many if it starts at a multiple of the larger of the
    /// alignment and 8; else what aligning it costs more.
    /// Throws: std::invalid_argument and std::length_error, as the constructor.
    [[nodiscard]] static constexpr std::size_t required_bytes(pool_layout layout) {
        return free_list::arena_bytes(detail::checked_geometry(layout, free_list::metadata_size));
    }

    /// Hands out one uninitialised block of `block_size()` bytes, aligned to `alignment()`. Give
    /// it back with `deallocate`.
    /// Throws: pool_exhausted when all `total_blocks()` are in use.
    /// Complexity: O(1).
    [[nodiscard]] void* allocate() {
        entry taken;
        if (!list_.take(taken)) raise_exhausted();
        return hand_out(taken);
    }

    /// As `allocate`, but nullptr when all blocks are in use.
    [[nodiscard]] void* try_allocate() noexcept {
        entry taken;
        return list_.take(taken) ? hand_out(taken) : nullptr;
    }

    /// Takes a block back. nullptr is a no-op. Any other pointer than a live block's start is a
    /// violation, and then a no-op; unchecked: undefined.
    /// Complexity: O(1).
    void deallocate(void* block) noexcept {
        const entry claimed = list_.claim(block);
        if (claimed == free_list::none) return report_misuse(block);
        list_.put(claimed);
    }

    /// Fills `blocks` with as many blocks, or returns false and leaves it and the pool alone.
    /// Complexity: O(blocks.size()).
    [[nodiscard]] bool try_allocate_bulk(std::span<void*> blocks) noexcept {
        if (blocks.size() > available()) return false;
        for (void*& block : blocks) block = try_allocate();
        return true;
    }

    /// `deallocate` for each of `blocks`, in their order.
    void deallocate_bulk(std::span<void* const> blocks) noexcept {
        for (void* const block : blocks) deallocate(block);
    }

    /// As `deallocate`, but misuse is no violation: it is returned, and the pool is untouched.
    [[nodiscard]] release_status try_deallocate(void* block) noexcept requires(C != checking::unchecked) {
        if (block == nullptr) return release_status::null_pointer;
        const entry claimed = list_.claim(block);
        if (claimed != free_list::none) {
            list_.put(claimed);
            return release_status::released;
        }
        const violation_kind misuse = list_.misuse_of(block);
        if (misuse == violation_kind::foreign_pointer) return release_status::foreign_pointer;
        if (misuse == violation_kind::misaligned_pointer) return release_status::misaligned_pointer;
        return release_status::not_allocated;
    }

    /// Whether `block` is the start of a live block of this pool. It is not read.
    [[nodiscard]] bool owns(const void* block) const noexcept requires(C != checking::unchecked) {
        return list_.is_live(block);
    }

    /// fn(void*) for every live block, in address order. Requires: fn
    /// neither allocates nor releases.
    /// Complexity: O(peak_in_use()).
    template <class Fn> void for_each_allocated(Fn&& fn) const requires(C != checking::unchecked) {
        list_.for_each_live([&fn](std::byte* block) { fn(static_cast<void*>(block)); });
    }

    /// Makes every block free again, whoever holds it; the peak starts anew.
    /// Complexity: O(1).
    void reset() noexcept { list_.reset(); }

    [[nodiscard]] std::size_t total_blocks() const noexcept { return list_.total(); }
    [[nodiscard]] std::size_t available() const noexcept { return total_blocks() - in_use(); }
    [[nodiscard]] std::size_t in_use() const noexcept { return list_.out(); }
    [[nodiscard]] std::size_t peak_in_use() const noexcept { return list_.peak_out(); }  // blocks, since the last reset
    [[nodiscard]] std::size_t block_size() const noexcept { return list_.layout().block_size; }  // bytes
    [[nodiscard]] std::size_t stride() const noexcept { return list_.layout().stride; }          // bytes
    [[nodiscard]] std::size_t alignment() const noexcept { return list_.layout().alignment; }    // bytes

    [[nodiscard]] pool_stats stats() const noexcept {
        const std::size_t bytes = free_list::arena_bytes(list_.layout());
        const std::size_t metadata = bytes - list_.layout().blocks_bytes();
        return {total_blocks(), in_use(), peak_in_use(), block_size(), stride(), bytes, metadata};
    }

private:
    template <class T, checking D> friend class typed_pool;
    template <class T, checking D> friend class detail::shared_state;

    basic_memory_pool(arena&& memory, const detail::geometry& g, pool_options options)
        : arena_(std::move(memory)),
          list_(arena_.acquire(free_list::arena_bytes(g),
                               g.alignment < free_list::arena_alignment ? free_list::arena_alignment : g.alignment),
                g),
          name_(options.name == nullptr ? "" : options.name) {}

    [[nodiscard]] void* hand_out(entry taken) noexcept {
        list_.mark(taken, detail::block_state::live);
        return list_.address(taken);
    }

    [[noreturn]] FIXPOOL_COLD void raise_exhausted() const { detail::raise(pool_exhausted(name_, total_blocks())); }

    [[nodiscard]] violation violation_at(violation_kind kind, const void* address) const noexcept {
        return {kind, this, name_, address, list_.enclosing_index(address), total_blocks(), in_use()};
    }

    /// Reports `block` unless it is nullptr, which any pool takes, and all that an
    /// unchecked one ever finds.
    FIXPOOL_COLD void report_misuse([[maybe_unused]] const void* block) const noexcept {
        if constexpr (C != checking::unchecked)
            if (block != nullptr) detail::report(violation_at(list_.misuse_of(block), block));
    }

    FIXPOOL_COLD void report_live_blocks(violation_kind kind) const noexcept {
        const void* lowest = nullptr;
        list_.for_each_live([&lowest](const std::byte* block) {
            if (lowest == nullptr) lowest = block;
        });
        detail::report(violation_at(kind, lowest));
    }

    arena arena_;
    free_list list_;
    const char* name_;  // never nullptr
};

using memory_pool = basic_memory_pool<>;

}  // namespace fixpool::inline FIXPOOL_ABI
