// SPDX-License-Identifier: BSL-1.0
// stores: how blocks travel between the interrupt and the main loop. The interrupt calls `begin`, which returns an
// empty block or nullptr, and `commit` when the block is full. The main loop calls all other functions.
#pragma once

#include "memories.hpp"
#include "sample_block.hpp"
#include "spsc_ring.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

/// The main loop takes blocks in advance, and lends them to the interrupt through a ring. Full blocks come back through
/// another ring. So the interrupt never touches the memory, which may be for one thread only. No interrupt is masked.
template <class Memory> class lending_store {
public:
    using handle = typename Memory::handle;
    using kept = handle;

    sample_block* begin() noexcept {
        sample_block* block = nullptr;
        (void)empty_.pop(block);
        return block;
    }
    void commit(sample_block* block) noexcept { (void)full_.push(block); }  // has room for all blocks

    void prepare(fixpool::violation_handler handler) noexcept { Memory::prepare(handler); }
    /// Lends all free blocks to the interrupt. Call it once per turn of the main loop.
    void arm() noexcept {
        while (handle block = Memory::take()) (void)empty_.push(block.release());  // has room for all blocks
    }
    /// The oldest full block, or an empty handle. The block goes back when its handle dies.
    handle next() noexcept {
        sample_block* block = nullptr;
        return full_.pop(block) ? Memory::adopt(block) : handle();
    }
    /// Keeps a block while later ones come and go. Only `copying_store` has work to do for it.
    static kept keep(handle block) noexcept { return block; }
    /// Takes lent blocks back. Requires: no interrupt comes any more.
    void disarm() noexcept {
        sample_block* block = nullptr;
        while (empty_.pop(block)) Memory::adopt(block).reset();
    }
    /// The bug of a wrong program: gives back a block that was given back already.
    static void give_back_again(sample_block* block) noexcept { Memory::adopt(block).reset(); }
    static std::size_t in_use() noexcept { return Memory::in_use(); }
    static const auto& pool() noexcept requires requires { Memory::pool(); }
    { return Memory::pool(); }

private:
    spsc_ring<sample_block*, block_count> empty_;
    spsc_ring<sample_block*, block_count> full_;
};

/// The interrupt takes blocks from the memory itself. This is right only if the memory keeps the interrupt out while
/// the main loop uses it.
template <class Memory> class direct_store {
public:
    using handle = typename Memory::handle;
    using kept = handle;

    static sample_block* begin() noexcept { return Memory::take().release(); }
    void commit(sample_block* block) noexcept { (void)full_.push(block); }

    static void prepare(fixpool::violation_handler handler) noexcept { Memory::prepare(handler); }
    static void arm() noexcept {}
    handle next() noexcept {
        sample_block* block = nullptr;
        return full_.pop(block) ? Memory::adopt(block) : handle();
    }
    static kept keep(handle block) noexcept { return block; }
    static void disarm() noexcept {}
    static void give_back_again(sample_block* block) noexcept { Memory::adopt(block).reset(); }
    static std::size_t in_use() noexcept { return Memory::in_use(); }
    static const auto& pool() noexcept requires requires { Memory::pool(); }
    { return Memory::pool(); }

private:
    spsc_ring<sample_block*, block_count> full_;
};

/// No memory beside the rings. The ring of empty blocks is the free list, and the interrupt has all free blocks.
class ring_store {
    struct give_back {
        void operator()(sample_block* block) const noexcept { (void)empty_.push(block); }
    };

public:
    using handle = std::unique_ptr<sample_block, give_back>;
    using kept = handle;

    static sample_block* begin() noexcept {
        sample_block* block = nullptr;
        (void)empty_.pop(block);
        return block;
    }
    static void commit(sample_block* block) noexcept { (void)full_.push(block); }

    static void prepare(fixpool::violation_handler /*handler*/) noexcept {
        for (sample_block& block : blocks_) (void)empty_.push(&block);
    }
    static void arm() noexcept {}
    static handle next() noexcept {
        sample_block* block = nullptr;
        (void)full_.pop(block);
        return handle(block);
    }
    static kept keep(handle block) noexcept { return block; }
    static void disarm() noexcept {}
    static void give_back_again(sample_block* block) noexcept { (void)empty_.push(block); }
    static std::size_t in_use() noexcept { return block_count - empty_.size(); }

private:
    inline static constinit std::array<sample_block, block_count> blocks_{};
    inline static constinit spsc_ring<sample_block*, block_count> empty_;
    inline static constinit spsc_ring<sample_block*, block_count> full_;
};

/// A ring of blocks, which the interrupt fills in place. The main loop copies the blocks that it keeps, because the
/// ring needs its places back in order. There are as many blocks as in the other stores. Each belongs to the ring or to
/// the kept ones.
class copying_store {
    static constexpr std::size_t ring_count = block_count - most_kept;
    struct advance {
        void operator()(sample_block* /*oldest*/) const noexcept {
            popped_.store(popped_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
            popped_at_ = after(popped_at_);
        }
    };
    struct clear {
        void operator()(sample_block* copy) const noexcept {
            is_used_[static_cast<std::size_t>(copy - copies_.data())] = false;
        }
    };

public:
    using handle = std::unique_ptr<sample_block, advance>;
    using kept = std::unique_ptr<sample_block, clear>;

    static sample_block* begin() noexcept {
        const std::uint32_t pushed = pushed_.load(std::memory_order_relaxed);
        if (pushed - popped_.load(std::memory_order_acquire) == ring_count) return nullptr;
        return &ring_[pushed_at_];
    }
    static void commit(sample_block* /*block*/) noexcept {
        pushed_.store(pushed_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
        pushed_at_ = after(pushed_at_);
    }

    static void prepare(fixpool::violation_handler /*handler*/) noexcept {}
    static void arm() noexcept {}
    static handle next() noexcept {
        const std::uint32_t popped = popped_.load(std::memory_order_relaxed);
        return handle(pushed_.load(std::memory_order_acquire) == popped ? nullptr : &ring_[popped_at_]);
    }
    static kept keep(handle block) noexcept {
        for (std::size_t i = 0; i < most_kept; ++i) {
            if (is_used_[i]) continue;
            is_used_[i] = true;
            copies_[i] = *block;
            return kept(&copies_[i]);
        }
        return {};
    }
    static void disarm() noexcept {}
    static void give_back_again(sample_block* block) noexcept { advance()(block); }
    static std::size_t in_use() noexcept {
        std::size_t used = pushed_.load(std::memory_order_acquire) - popped_.load(std::memory_order_acquire);
        for (const bool is_used : is_used_) used += is_used ? 1U : 0U;
        return used;
    }

private:
    static std::size_t after(std::size_t place) noexcept { return place + 1 == ring_count ? 0 : place + 1; }

    inline static constinit std::array<sample_block, ring_count> ring_{};
    inline static constinit std::atomic<std::uint32_t> pushed_ = 0;  // blocks so far
    inline static constinit std::atomic<std::uint32_t> popped_ = 0;
    inline static constinit std::size_t pushed_at_ = 0;  // of the interrupt
    inline static constinit std::size_t popped_at_ = 0;  // of the main loop
    inline static constinit std::array<sample_block, most_kept> copies_{};
    inline static constinit std::array<bool, most_kept> is_used_{};
};
