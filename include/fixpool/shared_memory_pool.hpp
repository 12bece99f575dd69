// SPDX-License-Identifier: BSL-1.0
// shared_memory_pool: a fixed number of raw memory blocks, for many threads at once.
#pragma once

#include <fixpool/detail/shared_state.hpp>
#include <fixpool/memory_pool.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI {

/// A memory_pool for all threads at once. A copy refers to the same pool; a move is a copy. Any thread may give back a
/// block, through any copy. Capacity is exact: `try_allocate` returns nullptr only if every block was in use. If two
/// threads give back the same block, one succeeds and the other causes a `double_free`. shared_pool describes
/// magazines.
///
/// The last copy to be destroyed frees the memory. First it reports a `leak` if blocks are in use (not at unchecked
/// level).
/// Thread safety: any member function from any thread, at the same time. Only assignment to one pool object needs a
/// lock.
template <checking C = checking::checked> class basic_shared_memory_pool {
    using state = detail::shared_state<C>;
    using entry = typename state::entry;

public:
    FIXPOOL_HIDDEN static constexpr std::size_t npos = violation::npos;  ///< index of no block

    /// A pool whose memory comes from `operator new`. Throws: as the constructors of memory_pool.
    explicit basic_shared_memory_pool(pool_layout layout, pool_options options = {})
        : basic_shared_memory_pool(layout, arena::heap(), options) {}

    /// A pool whose memory comes from `memory`, which it then owns. Throws: as the constructors of memory_pool.
    // Not std::make_shared: its symbol is unique in the process, so a plug-in could not be unloaded.
    basic_shared_memory_pool(pool_layout layout, arena memory, pool_options options = {})
        : state_(new state(layout, std::move(memory), options,
                           detail::magazine_plan::of(layout.block_count, options.magazine_size)),
                 &abandon) {}

    /// The copy refers to the same pool.
    basic_shared_memory_pool(const basic_shared_memory_pool&) noexcept = default;  // and no move
    /// This object refers to the same pool as the other one afterwards. It gives up its own pool, as its destructor.
    basic_shared_memory_pool& operator=(const basic_shared_memory_pool&) noexcept = default;
    ~basic_shared_memory_pool() = default;  ///< destroys the pool if this is its last copy

    /// Size of the memory that a pool of this layout needs, in bytes: blocks and metadata. For its
    /// alignment, see memory_pool.
    /// Throws: std::invalid_argument and std::length_error, as the constructor.
    [[nodiscard]] static constexpr std::size_t required_bytes(pool_layout layout) {
        return basic_memory_pool<C>::required_bytes(layout);
    }
    /// Size of the metadata buffer for `arena::borrow(blocks, metadata)`, in bytes. It is enough at any alignment.
    /// Throws: as `required_bytes`.
    [[nodiscard]] static constexpr std::size_t required_metadata_bytes(pool_layout layout) {
        return basic_memory_pool<C>::required_metadata_bytes(layout);
    }
    /// Number of blocks that fit into an aligned buffer of `bytes` bytes, together with their metadata. Maybe 0.
    /// Throws: std::invalid_argument if `block_size` is 0, or if `alignment` is not a power of two.
    [[nodiscard]] static constexpr std::size_t blocks_in(std::size_t bytes, std::size_t block_size,
                                                         std::size_t alignment = 0) {
        return basic_memory_pool<C>::blocks_in(bytes, block_size, alignment);
    }

    /// Returns an uninitialised block of `block_size()` bytes at a multiple of `alignment()`. Give it back by
    /// `deallocate`. At debug level, the functions that allocate or release have a last parameter `site where = {}`:
    /// the caller's line.
    /// Throws: pool_exhausted if all blocks are in use.
    /// Complexity: O(1).
    [[nodiscard]] void* allocate() const {
        void* const block = try_allocate();
        if (block == nullptr) state_->raise_exhausted();
        return block;
    }

    /// As `allocate`, but returns nullptr if all blocks are in use.
    /// Complexity: O(1).
    [[nodiscard]] void* try_allocate() const noexcept { return given_up(state_->template take<false>()); }

    /// Takes a block back. Does nothing for nullptr. If `block` is not the start of a block in use, reports a violation
    /// and changes nothing; at unchecked level, the behaviour is undefined.
    /// Complexity: O(1).
    void deallocate(void* block) const noexcept {
        detail::block_state was{};
        if (!is_taken_back(block, was)) report_misuse(block, was);
    }

    /// As `deallocate`, but returns the kind of misuse instead of reporting a violation. At debug level, it still
    /// reports damaged guard bytes.
    /// Complexity: O(1).
    [[nodiscard]] release_status try_deallocate(void* block) const noexcept requires knows_live_blocks<C> {
        if (block == nullptr) return release_status::null_pointer;
        detail::block_state was{};
        return is_taken_back(block, was) ? release_status::released
                                         : detail::status_of(state_->template misuse_of<false>(block, was).kind);
    }

    /// Whether `block` is the start of a block in use. It may be any address.
    [[nodiscard]] bool owns(const void* block) const noexcept requires knows_live_blocks<C> {
        return state_->is_given_up(block);
    }

    /// As in memory_pool. It empties the magazines of all threads, so call it rarely.
    bool audit() const noexcept requires knows_live_blocks<C> { return state_->is_sound(); }

    /// Whether `address` is inside the pool's blocks. It may be any address.
    [[nodiscard]] bool contains(const void* address) const noexcept { return constant().contains(address); }
    /// The memory of all blocks. Block i starts at byte i * stride().
    [[nodiscard]] std::span<std::byte> blocks() const noexcept { return constant().blocks(); }
    /// Index of the block that starts at this address, in use or not; npos if no block starts there.
    [[nodiscard]] std::size_t index_of(const void* block) const noexcept { return state_->numbers().index_of(block); }
    /// Address of a block. Requires: index < total_blocks().
    [[nodiscard]] void* block_at(std::size_t index) const noexcept { return constant().block_at(index); }
    [[nodiscard]] std::size_t total_blocks() const noexcept { return constant().total_blocks(); }  ///< number of blocks
    /// Usable bytes per block.
    [[nodiscard]] std::size_t block_size() const noexcept { return constant().block_size(); }
    /// Bytes from one block to the next.
    [[nodiscard]] std::size_t stride() const noexcept { return constant().stride(); }
    /// Each block starts at a multiple of so many bytes.
    [[nodiscard]] std::size_t alignment() const noexcept { return constant().alignment(); }
    [[nodiscard]] const char* name() const noexcept { return constant().name(); }  ///< the name, or ""

    /// Free blocks at one moment.
    [[nodiscard]] std::size_t available() const noexcept { return total_blocks() - in_use(); }
    /// Blocks in use at one moment.
    [[nodiscard]] std::size_t in_use() const noexcept { return stats().in_use; }
    /// Upper bound of in_use() so far: it counts blocks that were ever in use, even if not at once. At unchecked level
    /// it counts some more.
    [[nodiscard]] std::size_t peak_in_use() const noexcept { return stats().peak_in_use; }
    /// All counters at one moment: while other threads use the pool, they may be outdated when they are read.
    [[nodiscard]] pool_stats stats() const noexcept { return state_->stats(); }

    /// Whether both refer to the same pool.
    [[nodiscard]] friend bool operator==(const basic_shared_memory_pool& a,
                                         const basic_shared_memory_pool& b) noexcept {
        return a.state_.get() == b.state_.get();
    }

private:
    friend class census;
    template <checking D> friend class basic_shared_memory_pool;

    [[nodiscard]] const basic_memory_pool<C>& constant() const noexcept { return state_->pool(); }

    /// Called by the last copy. The depot's pool reports a leak if blocks are in use.
    static void abandon(state* last) noexcept {
        static_cast<void>(last->abandon());
        delete last;
    }

    /// Address of the block that was taken, which its holder then owns; nullptr for none.
    [[nodiscard]] void* given_up(entry taken) const noexcept {
        if (taken == state::none) return nullptr;
        state_->give_up(taken);
        return state_->numbers().address(taken);
    }

    /// Whether the block was in use and is free now. If not, `was` becomes its state.
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

/// The usual shared pool of raw blocks: checked.
using shared_memory_pool = basic_shared_memory_pool<>;

}  // namespace fixpool::inline FIXPOOL_ABI
