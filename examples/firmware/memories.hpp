// SPDX-License-Identifier: BSL-1.0
// memories: where the blocks live. Each has `take`, which returns a handle, and `adopt`, which makes a handle from a
// released pointer. The first is the library's pool. The others are what firmware uses without it.
#pragma once

#include "sample_block.hpp"

#include <fixpool/static_pool.hpp>

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

/// A pool of the library, in .bss. One thread at a time may use it, and an interrupt is another thread.
template <fixpool::checking C> class pool_memory {
public:
    using handle = fixpool::static_block<sample_block, block_count, C>;

    static void prepare([[maybe_unused]] fixpool::violation_handler handler) noexcept {
        if constexpr (C != fixpool::checking::unchecked) pool_.set_options({.on_violation = handler});
    }
    static handle take() noexcept { return pool_.try_allocate_for_overwrite(); }
    static handle adopt(sample_block* block) noexcept { return pool_.adopt(block); }
    static std::size_t in_use() noexcept { return pool_.in_use(); }
    static const auto& pool() noexcept { return pool_; }

private:
    inline static constinit fixpool::static_pool<sample_block, block_count, C> pool_;
};

/// A list of free blocks with links inside the blocks, as in a k_mem_slab of Zephyr or an osMemoryPool of RTX. Those
/// also mask interrupts. Like the latter, it refuses an address outside the blocks. It finds no other misuse.
class list_memory {
    union place {
        place* next;  // while it is free
        sample_block block;
    };
    struct give_back {
        void operator()(sample_block* block) const noexcept {
            auto* const back = reinterpret_cast<place*>(block);
            if (back < places_ || back >= places_ + block_count) return;
            back->next = free_;
            free_ = back;
            --in_use_;
        }
    };

public:
    using handle = std::unique_ptr<sample_block, give_back>;

    static void prepare(fixpool::violation_handler /*handler*/) noexcept {
        for (place& one : places_) {
            one.next = free_;
            free_ = &one;
        }
    }
    static handle take() noexcept {
        place* const taken = free_;
        if (taken == nullptr) return {};
        free_ = taken->next;
        ++in_use_;
        return handle(::new (&taken->block) sample_block);
    }
    static handle adopt(sample_block* block) noexcept { return handle(block); }
    static std::size_t in_use() noexcept { return in_use_; }

private:
    inline static constinit place places_[block_count]{};
    inline static constinit place* free_ = nullptr;
    inline static constinit std::size_t in_use_ = 0;  // blocks
};

/// The C library's heap.
class heap_memory {
    struct give_back {
        void operator()(sample_block* block) const noexcept {
            std::free(block);
            --in_use_;
        }
    };

public:
    using handle = std::unique_ptr<sample_block, give_back>;

    static void prepare(fixpool::violation_handler /*handler*/) noexcept {}
    static handle take() noexcept {
        if (in_use_ == block_count) return {};
        auto* const block = static_cast<sample_block*>(std::malloc(sizeof(sample_block)));
        if (block != nullptr) ++in_use_;
        return handle(block);
    }
    static handle adopt(sample_block* block) noexcept { return handle(block); }
    static std::size_t in_use() noexcept { return in_use_; }

private:
    inline static constinit std::size_t in_use_ = 0;  // blocks
};

/// A memory for the main loop and the interrupt. While `Lock` lives, it keeps the other one out. A handle uses the
/// memory when it dies, so it locks, too.
template <class Memory, class Lock> class guarded_memory {
    struct give_back {
        void operator()(sample_block* block) const noexcept {
            [[maybe_unused]] const Lock lock;
            Memory::adopt(block).reset();
        }
    };

public:
    using handle = std::unique_ptr<sample_block, give_back>;

    static void prepare(fixpool::violation_handler handler) noexcept { Memory::prepare(handler); }
    static handle take() noexcept {
        [[maybe_unused]] const Lock lock;
        return handle(Memory::take().release());
    }
    static handle adopt(sample_block* block) noexcept { return handle(block); }
    static std::size_t in_use() noexcept { return Memory::in_use(); }
    static const auto& pool() noexcept requires requires { Memory::pool(); }
    { return Memory::pool(); }
};
