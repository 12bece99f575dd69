// SPDX-License-Identifier: BSL-1.0
// walk: a pool beside a model that knows where each block is. Numbers decide the next operation: random ones, or the
// bytes of a fuzzer. One thread plays many. It changes its number before each operation, so that the blocks lie in the
// magazines of all of them. Every answer must be exact.
#pragma once

#include <fixpool/debug.hpp>
#include <fixpool/memory_pool.hpp>
#include <fixpool/shared_memory_pool.hpp>
#include <fixpool/shared_pool.hpp>
#include <fixpool/typed_pool.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "threads.hpp"

namespace model {

using fixpool::checking;
using fixpool::release_status;
using fixpool::violation;
using fixpool::violation_kind;

enum class place : unsigned char { never_out, owned, given_up, came_back };

struct setup {
    std::size_t size, count;  // bytes of a block, blocks
    unsigned magazine_size, players;
    unsigned misuses;  // per thousand operations
    bool borrows;      // uses a buffer of arbitrary bytes
    bool audits;       // after each operation, which empties all magazines
};

struct fault {
    const char* what;  // nullptr: no fault
    std::size_t step;
};

/// Blocks of a memory_pool or a shared_memory_pool. All blocks that are out count as given up.
template <checking C, template <checking> class Pool = fixpool::basic_shared_memory_pool> class raw_blocks {
public:
    static constexpr checking level = C;
    static constexpr bool is_checked = C != checking::unchecked;
    static constexpr place taken = place::given_up, claimed = place::came_back;

    raw_blocks(const setup& s, fixpool::arena memory, fixpool::pool_options options)
        : pool_(std::in_place, fixpool::pool_layout{s.size, s.count, 1}, std::move(memory), options) {}

    [[nodiscard]] auto& pool() { return *pool_; }
    void* take(bool may_throw) { return may_throw ? pool_->allocate() : pool_->try_allocate(); }
    void put(void* block) { pool_->deallocate(block); }
    void give_up(std::size_t) {}
    /// Whether every function of the pool answers `expected` for `address`. The pool takes the block back, or reports.
    bool says(release_status expected, void* address) {
        if constexpr (is_checked) {
            if (pool_->owns(address) != (expected == release_status::released)) return false;
            if (pool_->try_deallocate(address) != expected) return false;
            if (expected == release_status::released) return true;
        }
        pool_->deallocate(address);
        return true;
    }
    void end_pool() { pool_.reset(); }

private:
    std::optional<Pool<C>> pool_;
};

/// Objects of a typed_pool or a shared_pool, with their handles.
template <checking C, std::size_t Size, bool IsShared = true> class objects {
    struct object {
        unsigned char bytes[Size];
    };
    using pool_of_objects =
        std::conditional_t<IsShared, fixpool::shared_pool<object, C>, fixpool::typed_pool<object, C>>;
    using handle = std::conditional_t<IsShared, fixpool::shared_block<object, C>, fixpool::block<object, C>>;

public:
    static constexpr checking level = C;
    static constexpr bool is_checked = C != checking::unchecked;
    static constexpr place taken = place::owned, claimed = place::owned;

    objects(const setup& s, fixpool::arena memory, fixpool::pool_options options)
        : pool_(std::in_place, s.count, std::move(memory), options), handles_(s.count) {}

    [[nodiscard]] pool_of_objects& pool() { return *pool_; }
    void* take(bool may_throw) {
        return keep(may_throw ? pool_->allocate_for_overwrite() : pool_->try_allocate_for_overwrite());
    }
    void put(void* block) { handle_of(block).reset(); }
    void give_up(std::size_t index) { (void)handles_[index].release(); }
    bool says(release_status expected, void* address) {
        return (keep(pool_->adopt(static_cast<object*>(address))) == address) == (expected == release_status::released);
    }
    void end_pool() {
        if (IsShared) pool_.reset();  // otherwise the pool must outlive its objects
    }
    void put_last(std::size_t index) { handles_[index].reset(); }

private:
    handle& handle_of(const void* block) { return handles_[pool_->index_of(block)]; }
    void* keep(handle made) {
        void* const block = made.get();
        if (block != nullptr) handle_of(block) = std::move(made);
        return block;
    }

    std::optional<pool_of_objects> pool_;
    std::vector<handle> handles_;  // one per block
};

/// `Random` decides what is done: `below(limit)` returns a number. The walk ends when `Random` is empty.
template <class Blocks, class Random> class walk {
public:
    walk(const setup& s, std::span<std::byte> buffer, Random& random)
        : setup_(s),
          random_(random),
          blocks_(s, s.borrows ? fixpool::arena::borrow(buffer) : fixpool::arena::heap(),
                  {.on_violation = [](const violation& v) { static_cast<told*>(v.context)->push_back(v); },
                   .context = &told_,
                   .magazine_size = s.magazine_size}),
          places_(s.count, place::never_out) {}
    walk(const walk&) = delete;
    walk& operator=(const walk&) = delete;

    /// What failed first, and at which step; or nothing.
    fault run(std::size_t steps) {
        for (std::size_t step = 0; step < steps && !random_.is_empty(); ++step) {
            playing_.as(1 + static_cast<unsigned>(below(setup_.players)));
            if (base_ != 0 && setup_.misuses != 0 && below(1000) < setup_.misuses) misuse();
            else if (below(16) == 0) change_owner();
            else if (takes_next()) take();
            else if (!out_.empty()) put(next_to_put());
            if (below(256) == 255) do_all_at_once();
            check_counts();
            if constexpr (Blocks::is_checked) hold(!setup_.audits || blocks_.pool().audit(), "the pool is sound");
            if (wrong_ != nullptr) return {wrong_, step};
        }
        end();
        return {wrong_, steps};
    }

private:
    using told = std::vector<violation>;

    std::size_t below(std::size_t limit) { return random_.below(limit); }
    void hold(bool is_right, const char* what) {
        if (!is_right && wrong_ == nullptr) wrong_ = what;
    }
    [[nodiscard]] std::size_t stride() { return blocks_.pool().stride(); }
    /// An address that may be nobody's, so not computed by pointer arithmetic.
    [[nodiscard]] void* at(std::size_t index, std::size_t offset = 0) {
        return reinterpret_cast<void*>(base_ + index * stride() + offset);
    }
    [[nodiscard]] unsigned char stamp_of(std::size_t index) const {
        return static_cast<unsigned char>(index % 251 + setup_.players);
    }

    /// The pool fills, drains, or swings. Its aims differ by more than a magazine holds, and may exceed its capacity.
    bool takes_next() {
        if (until_next_aim_-- == 0) {
            const std::size_t aims[] = {0, setup_.count + 1, below(setup_.count + 1)};
            aim_ = aims[below(3)];
            puts_newest_ = below(3) == 0;
            until_next_aim_ = below(2 * setup_.count + 50);
        }
        return below(8) == 0 ? below(2) == 0 : out_.size() < aim_;
    }
    std::size_t next_to_put() { return puts_newest_ ? out_.size() - 1 : below(out_.size()); }

    void take() {
        const bool is_full = out_.size() == setup_.count;
        // At debug level, the exception lists the holders of all blocks. That is slow, so only some refusals throw.
        const bool is_dear = Blocks::level == checking::debug && is_full && setup_.count > 64 && refused_ % 32 != 0;
        const bool may_throw = below(4) == 0 && !is_dear;
        bool has_thrown = false;
        void* block = nullptr;
        try {
            block = blocks_.take(may_throw);
        } catch (const fixpool::pool_exhausted&) {
            has_thrown = true;
        }
        hold(has_thrown == (may_throw && is_full), "an allocation throws if it may, and only when it is refused");
        hold((block == nullptr) == is_full, "an allocation is refused only when all blocks are out");
        if (block == nullptr) {
            ++refused_;
            return;
        }
        took(block);
    }

    void took(void* block) {
        const std::size_t index = blocks_.pool().index_of(block);
        if (index >= setup_.count) return hold(false, "a block of the pool");
        if (base_ == 0) base_ = reinterpret_cast<std::uintptr_t>(block) - index * stride();
        hold(at(index) == block, "a block lies where its index says");
        hold(places_[index] == place::never_out || places_[index] == place::came_back, "a block has one owner");
        if (places_[index] == place::never_out) ++ever_out_;
        places_[index] = Blocks::taken;
        out_.push_back(index);
        most_out_ = std::max(most_out_, out_.size());
        static_cast<unsigned char*>(block)[0] = stamp_of(index);
        static_cast<unsigned char*>(block)[setup_.size - 1] = stamp_of(index);
    }

    void put(std::size_t nth) {
        const std::size_t index = out_[nth];
        const auto* const bytes = static_cast<unsigned char*>(at(index));
        hold(bytes[0] == stamp_of(index) && bytes[setup_.size - 1] == stamp_of(index),
             "a block holds what was written");
        if (Blocks::taken == place::owned && places_[index] == place::given_up) claim(index);
        blocks_.put(at(index));
        leave(nth);
    }

    void leave(std::size_t nth) {
        places_[out_[nth]] = place::came_back;
        out_[nth] = out_.back();
        out_.pop_back();
    }

    /// The functions that only a pool for one thread has.
    void do_all_at_once() {
        auto& pool = blocks_.pool();
        if constexpr (requires { pool.sort_free_blocks(); })
            if (below(2) == 0) pool.sort_free_blocks();
        if constexpr (requires { pool.reset(); }) {
            if (below(4) != 0) return move_many();
            pool.reset();
            std::fill(places_.begin(), places_.end(), place::never_out);
            out_.clear();
            refused_ = most_out_ = ever_out_ = peak_ = 0;
        }
    }

    void move_many() {
        std::vector<void*> blocks(below(8));
        const bool should_fit = blocks.size() <= setup_.count - out_.size();
        hold(blocks_.pool().try_allocate_bulk(blocks) == should_fit, "many blocks are handed out if there are as many");
        if (!should_fit) ++refused_;
        else
            for (void* const block : blocks) took(block);
        blocks.clear();
        for (std::size_t n = below(8); n != 0 && !out_.empty(); --n) {
            const std::size_t nth = next_to_put();
            blocks.push_back(at(out_[nth]));
            leave(nth);
        }
        blocks_.pool().deallocate_bulk(blocks);
    }

    void claim(std::size_t index) {
        hold(blocks_.says(release_status::released, at(index)), "what was given up is claimed");
        places_[index] = Blocks::claimed;
    }

    /// Gives up what a handle owns, or adopts what was given up.
    void change_owner() {
        if (Blocks::taken != place::owned || out_.empty()) return;
        const std::size_t index = out_[below(out_.size())];
        if (places_[index] == place::given_up) return claim(index);
        blocks_.give_up(index);
        places_[index] = place::given_up;
    }

    /// Claims blocks that nobody gave up, in every way.
    void misuse() {
        if constexpr (Blocks::is_checked) {
            const std::size_t count = setup_.count, index = below(count);
            const violation foreign{.kind = violation_kind::foreign_pointer};
            switch (below(8)) {
                case 0: return refuse(at(0, below(2) == 0 ? ~std::size_t{0} : std::size_t{0} - stride()), foreign);
                case 1: return refuse(at(count, below(2 * stride())), foreign);
                case 2: {
                    int local = 0;
                    void* const nobodys[] = {&local, reinterpret_cast<void*>(std::uintptr_t{1}),
                                             reinterpret_cast<void*>(~std::uintptr_t{0})};
                    return refuse(nobodys[below(3)], foreign);
                }
                case 3:
                    if (stride() == 1) return;
                    return refuse(at(index, 1 + below(stride() - 1)),
                                  {.kind = violation_kind::misaligned_pointer, .index = index});
                default: break;
            }
            switch (places_[index]) {
                case place::never_out:
                    return refuse(at(index), {.kind = violation_kind::not_allocated, .index = index});
                case place::came_back: return refuse(at(index), {.kind = violation_kind::double_free, .index = index});
                case place::owned: return refuse(at(index), {.kind = violation_kind::still_owned, .index = index});
                case place::given_up: break;
            }
            const auto nth = std::find(out_.begin(), out_.end(), index);
            claim(index);
            if (Blocks::claimed != place::owned) leave(static_cast<std::size_t>(nth - out_.begin()));
        }
    }

    void refuse(void* address, const violation& expected) {
        const release_status statuses[] = {release_status::double_free, release_status::not_allocated,
                                           release_status::foreign_pointer, release_status::misaligned_pointer};
        const auto kind = static_cast<std::size_t>(expected.kind);
        told_.clear();
        hold(blocks_.says(kind < 4 ? statuses[kind] : release_status::null_pointer, address), "misuse is refused");
        if (told_.size() != 1) return hold(false, "misuse is told once");
        const violation& v = told_[0];
        hold(v.kind == expected.kind, "the kind of misuse");
        hold(v.address == address && v.index == expected.index, "the address and the index of misuse");
        hold(v.live_blocks == out_.size() && v.total_blocks == setup_.count, "the counts of misuse");
        told_.clear();
    }

    void check_counts() {
        const fixpool::pool_stats counts = blocks_.pool().stats();
        hold(counts.in_use == out_.size(), "blocks in use");
        hold(counts.refused == refused_, "allocations refused");
        // The peak. Checked: the number of blocks that were ever out. Unchecked: a pool that restores order cannot tell
        // all of these from others. Debug level: the most at a time.
        const std::size_t peak = counts.peak_in_use;
        if (Blocks::level == checking::debug) hold(peak == most_out_, "the peak");
        else if (Blocks::is_checked) hold(peak == ever_out_, "the peak");
        else hold(peak >= most_out_ && peak >= peak_ && peak <= setup_.count, "the peak");
        peak_ = peak;
        hold(told_.empty(), "no misuse is told where there is none");
    }

    /// The last copy of the pool is gone. Raw blocks are then a leak; handles live on.
    void end() {
        if constexpr (Blocks::taken == place::owned) {
            for (const std::size_t index : out_)
                if (places_[index] == place::given_up) claim(index);
            blocks_.end_pool();
            while (!out_.empty()) {
                playing_.as(1 + static_cast<unsigned>(below(setup_.players)));
                const std::size_t nth = below(out_.size());
                blocks_.put_last(out_[nth]);
                leave(nth);
            }
            hold(told_.empty(), "what lives longer than its pool is no misuse");
        } else {
            blocks_.end_pool();
            if (out_.empty() || !Blocks::is_checked) return hold(told_.empty(), "there is no leak");
            const std::size_t lowest = *std::min_element(out_.begin(), out_.end());
            hold(told_.size() == 1 && told_[0].kind == violation_kind::leak, "a leak is told once");
            hold(!told_.empty() && told_[0].live_blocks == out_.size() && told_[0].index == lowest, "blocks of a leak");
        }
    }

    const played_threads playing_;
    const setup setup_;
    Random& random_;
    told told_;
    Blocks blocks_;
    std::vector<place> places_;     // one per block
    std::vector<std::size_t> out_;  // indices of blocks
    std::uintptr_t base_ = 0;       // address of block 0, once it is known
    std::size_t refused_ = 0, most_out_ = 0, ever_out_ = 0, peak_ = 0;
    std::size_t aim_ = 0, until_next_aim_ = 0;
    bool puts_newest_ = false;
    const char* wrong_ = nullptr;
};

}  // namespace model
