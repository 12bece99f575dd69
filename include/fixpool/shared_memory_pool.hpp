// SPDX-License-Identifier: BSL-1.0
// shared_memory_pool: raw blocks of one size for many threads.
#pragma once

#include <fixpool/detail/shared_state.hpp>
#include <fixpool/memory_pool.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI {

/// A pool of `total_blocks()` raw blocks, as memory_pool, for all threads at once. A copy is the same pool, and so is
/// what is left after a move: it is never empty. A block may be given back by any thread, through any copy. The
/// capacity is exact: `try_allocate` returns nullptr only when every block was in use. Of two threads that give back
/// one block, one succeeds; the other one is told `double_free`. shared_pool says what magazines do.
///
/// When the last copy is gone while blocks are in use, that is a `leak`, as when a memory_pool dies. Their memory is
/// gone: nobody could give them back any more.
/// Thread safety: every member from any thread, at the same time; assigning to one pool object is not among them.
template <checking C = checking::checked> class basic_shared_memory_pool {
    using state = detail::shared_state<C>;
    using entry = typename state::entry;

public:
    FIXPOOL_HIDDEN static constexpr std::size_t npos = violation::npos;  // the index of no block

    /// A pool on memory from `operator new`. Throws: as the constructors of memory_pool.
    explicit basic_shared_memory_pool(pool_layout layout, pool_options options = {})
        : basic_shared_memory_pool(layout, arena::heap(), options) {}

    /// A pool on `memory`, which it takes over. Throws: as the constructors of memory_pool.
    // Not by std::make_shared: it has a symbol that is unique in the process, and pins a plug-in.
    basic_shared_memory_pool(pool_layout layout, arena memory, pool_options options = {})
        : state_(new state(layout, std::move(memory), options,
                           detail::magazine_plan::of(layout.block_count, options.magazine_size)),
                 &abandon) {}

    basic_shared_memory_pool(const basic_shared_memory_pool&) noexcept = default;  // and no move
    basic_shared_memory_pool& operator=(const basic_shared_memory_pool&) noexcept = default;
    ~basic_shared_memory_pool() = default;

    /// As in memory_pool.
    [[nodiscard]] static constexpr std::size_t required_bytes(pool_layout layout) {
        return basic_memory_pool<C>::required_bytes(layout);
    }
    [[nodiscard]] static constexpr std::size_t required_metadata_bytes(pool_layout layout) {
        return basic_memory_pool<C>::required_metadata_bytes(layout);
    }
    [[nodiscard]] static constexpr std::size_t blocks_in(std::size_t bytes, std::size_t block_size,
                                                         std::size_t alignment = 0) {
        return basic_memory_pool<C>::blocks_in(bytes, block_size, alignment);
    }

    /// Hands out one uninitialised block of `block_size()` bytes, aligned to `alignment()`. Give it back with
    /// `deallocate`. At debug level, what allocates or releases takes a site last, as in memory_pool.
    /// Throws: pool_exhausted when all `total_blocks()` are in use.
    /// Complexity: O(1).
    [[nodiscard]] void* allocate() const {
        void* const block = try_allocate();
        if (block == nullptr) state_->raise_exhausted();
        return block;
    }

    /// As `allocate`, but returns nullptr when all blocks are in use.
    [[nodiscard]] void* try_allocate() const noexcept { return given_up(state_->template take<false>()); }

    /// Takes a block back. nullptr is a no-op. Any other pointer than the start of a block in use is a violation, and
    /// then a no-op; unchecked: undefined.
    /// Complexity: O(1).
    void deallocate(void* block) const noexcept {
        detail::block_state was{};
        if (!is_taken_back(block, was)) report_misuse(block, was);
    }

    /// As `deallocate`, but returns the kind of misuse instead of reporting a violation.
    /// Complexity: O(1).
    [[nodiscard]] release_status try_deallocate(void* block) const noexcept requires knows_live_blocks<C> {
        if (block == nullptr) return release_status::null_pointer;
        detail::block_state was{};
        return is_taken_back(block, was) ? release_status::released
                                         : detail::status_of(state_->template misuse_of<false>(block, was).kind);
    }

    /// Whether `block` is the start of a block of this pool that is in use. It is not read.
    [[nodiscard]] bool owns(const void* block) const noexcept requires knows_live_blocks<C> {
        return state_->is_given_up(block);
    }

    /// As in memory_pool. What other threads have at hand goes to the depot first: do it seldom.
    bool audit() const noexcept requires knows_live_blocks<C> { return state_->is_sound(); }

    // As in memory_pool.
    [[nodiscard]] bool contains(const void* address) const noexcept { return constant().contains(address); }
    [[nodiscard]] std::span<std::byte> blocks() const noexcept { return constant().blocks(); }
    [[nodiscard]] std::size_t index_of(const void* block) const noexcept { return state_->numbers().index_of(block); }
    [[nodiscard]] void* block_at(std::size_t index) const noexcept { return constant().block_at(index); }
    [[nodiscard]] std::size_t total_blocks() const noexcept { return constant().total_blocks(); }
    [[nodiscard]] std::size_t block_size() const noexcept { return constant().block_size(); }  // bytes
    [[nodiscard]] std::size_t stride() const noexcept { return constant().stride(); }          // bytes
    [[nodiscard]] std::size_t alignment() const noexcept { return constant().alignment(); }    // bytes
    [[nodiscard]] const char* name() const noexcept { return constant().name(); }

    // Counts are those of one moment, which has passed when they are read while other threads use the pool. The peak
    // may be too high: it counts the blocks that were ever in use, not all of them at once, and unchecked some more.
    [[nodiscard]] std::size_t available() const noexcept { return total_blocks() - in_use(); }
    [[nodiscard]] std::size_t in_use() const noexcept { return stats().in_use; }
    [[nodiscard]] std::size_t peak_in_use() const noexcept { return stats().peak_in_use; }
    [[nodiscard]] pool_stats stats() const noexcept { return state_->stats(); }

    /// Whether both are the same pool.
    [[nodiscard]] friend bool operator==(const basic_shared_memory_pool& a,
                                         const basic_shared_memory_pool& b) noexcept {
        return a.state_.get() == b.state_.get();
    }

private:
    friend class census;
    template <checking D> friend class basic_shared_memory_pool;

    [[nodiscard]] const basic_memory_pool<C>& constant() const noexcept { return state_->pool(); }

    /// The last copy is gone: blocks that are out are a leak, which the depot's pool reports.
    static void abandon(state* last) noexcept {
        static_cast<void>(last->abandon());
        delete last;
    }

    /// The block that was taken, with its holder as its owner; nullptr for none.
    [[nodiscard]] void* given_up(entry taken) const noexcept {
        if (taken == state::none) return nullptr;
        state_->give_up(taken);
        return state_->numbers().address(taken);
    }

    /// If not, `was` says what the block was.
    [[nodiscard]] bool is_taken_back(void* block, detail::block_state& was) const noexcept {
        const entry claimed = state_->claim(block, was);
        if (claimed == state::none) return false;
        static_cast<void>(state_->put(claimed));  // this copy keeps the state
        return true;
    }

    FIXPOOL_COLD void report_misuse([[maybe_unused]] void* block,
                                    [[maybe_unused]] detail::block_state was) const noexcept {
        if constexpr (C != checking::unchecked)
            if (block != nullptr) state_->report(state_->template misuse_of<false>(block, was));
    }

    std::shared_ptr<state> state_;  // never empty
};

using shared_memory_pool = basic_shared_memory_pool<>;

}  // namespace fixpool::inline FIXPOOL_ABI
