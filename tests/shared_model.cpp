// SPDX-License-Identifier: BSL-1.0
// Random walks on shared pools, beside a model that knows where each block is. One thread plays many: it changes its
// number before each operation, so that blocks lie in the magazines of all of them. Every answer has to be exact.
#include <fixpool/debug.hpp>
#include <fixpool/shared_memory_pool.hpp>
#include <fixpool/shared_pool.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/heap.hpp"
#include "support/threads.hpp"

using fixpool::checking;
using fixpool::release_status;
using fixpool::violation;
using fixpool::violation_kind;

namespace {

enum class place : unsigned char { never_out, owned, given_up, came_back };

struct setup {
    std::size_t size, count;  // bytes of a block, blocks
    unsigned magazine_size, players;
    unsigned misuses;  // in a thousand operations
    bool borrows;      // a buffer of arbitrary bytes
    bool audits;       // after each operation: all magazines are empty then
};

struct fault {
    const char* what;  // nullptr: none
    std::size_t step;
};

/// Blocks of a shared_memory_pool: all that are out are given up.
template <checking C> class raw_blocks {
public:
    static constexpr checking level = C;
    static constexpr bool is_checked = C != checking::unchecked;
    static constexpr place taken = place::given_up, claimed = place::came_back;

    raw_blocks(const setup& s, fixpool::arena memory, fixpool::pool_options options)
        : pool_(std::in_place, fixpool::pool_layout{s.size, s.count, 1}, std::move(memory), options) {}

    [[nodiscard]] const auto& pool() const { return *pool_; }
    void* take(bool may_throw) { return may_throw ? pool_->allocate() : pool_->try_allocate(); }
    void put(void* block) { pool_->deallocate(block); }
    void give_up(std::size_t) {}
    /// Whether the pool says `expected` of `address`, in each way. It takes the block back, or reports.
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
    std::optional<fixpool::basic_shared_memory_pool<C>> pool_;
};

/// Objects of a shared_pool, with their handles.
template <checking C, std::size_t Size> class objects {
    struct object {
        unsigned char bytes[Size];
    };

public:
    static constexpr checking level = C;
    static constexpr bool is_checked = C != checking::unchecked;
    static constexpr place taken = place::owned, claimed = place::owned;

    objects(const setup& s, fixpool::arena memory, fixpool::pool_options options)
        : pool_(std::in_place, s.count, std::move(memory), options), handles_(s.count) {}

    [[nodiscard]] const auto& pool() const { return *pool_; }
    void* take(bool may_throw) {
        return keep(may_throw ? pool_->allocate_for_overwrite() : pool_->try_allocate_for_overwrite());
    }
    void put(void* block) { handle_of(block).reset(); }
    void give_up(std::size_t index) { (void)handles_[index].release(); }
    bool says(release_status expected, void* address) {
        return (keep(pool_->adopt(static_cast<object*>(address))) == address) == (expected == release_status::released);
    }
    void end_pool() { pool_.reset(); }
    void put_last(std::size_t index) { handles_[index].reset(); }

private:
    using handle = fixpool::shared_block<object, C>;

    handle& handle_of(const void* block) { return handles_[pool_->index_of(block)]; }
    void* keep(handle made) {
        void* const block = made.get();
        if (block != nullptr) handle_of(block) = std::move(made);
        return block;
    }

    std::optional<fixpool::shared_pool<object, C>> pool_;
    std::vector<handle> handles_;  // of each block
};

template <class Blocks> class walk {
public:
    walk(const setup& s, std::span<std::byte> buffer, unsigned seed)
        : setup_(s),
          random_(seed),
          blocks_(s, s.borrows ? fixpool::arena::borrow(buffer) : fixpool::arena::heap(),
                  {.on_violation = [](const violation& v) { static_cast<told*>(v.context)->push_back(v); },
                   .context = &told_,
                   .magazine_size = s.magazine_size}),
          places_(s.count, place::never_out) {}
    walk(const walk&) = delete;
    walk& operator=(const walk&) = delete;

    /// What did not hold first, and the step at which that was; or nothing.
    fault run() {
        // Some end while blocks are left that were never out.
        const std::size_t steps = below(3) == 0 ? 1 + below(2 * setup_.count) : 8 * setup_.count + 1000;
        for (std::size_t step = 0; step < steps; ++step) {
            playing_.as(1 + static_cast<unsigned>(below(setup_.players)));
            if (base_ != 0 && below(1000) < setup_.misuses) misuse();
            else if (below(16) == 0) change_owner();
            else if (takes_next()) take();
            else if (!out_.empty()) put(next_to_put());
            check_counts();
            if constexpr (Blocks::is_checked) hold(!setup_.audits || blocks_.pool().audit(), "the pool is sound");
            if (wrong_ != nullptr) return {wrong_, step};
        }
        end();
        return {wrong_, steps};
    }

private:
    using told = std::vector<violation>;

    std::size_t below(std::size_t limit) { return random_() % limit; }
    void hold(bool is_right, const char* what) {
        if (!is_right && wrong_ == nullptr) wrong_ = what;
    }
    [[nodiscard]] std::size_t stride() const { return blocks_.pool().stride(); }
    /// An address that may be nobody's: no arithmetic of pointers.
    [[nodiscard]] void* at(std::size_t index, std::size_t offset = 0) const {
        return reinterpret_cast<void*>(base_ + index * stride() + offset);
    }
    [[nodiscard]] unsigned char stamp_of(std::size_t index) const {
        return static_cast<unsigned char>(index % 251 + setup_.players);
    }

    /// The pool fills, drains, or swings. Its aims lie further apart than a magazine is large, and beyond its capacity.
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
        const bool may_throw = below(4) == 0;
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
        places_[index] = place::came_back;
        out_[nth] = out_.back();
        out_.pop_back();
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

    /// Claims what nobody gave up: of each kind.
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
            if (Blocks::claimed == place::owned) return;
            *nth = out_.back();
            out_.pop_back();
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
        // Blocks that were ever out. An unchecked pool that restores order does not tell all of them from others. Debug
        // level: the most at a time.
        const std::size_t peak = counts.peak_in_use;
        if (Blocks::level == checking::debug) hold(peak == most_out_, "the peak");
        else if (Blocks::is_checked) hold(peak == ever_out_, "the peak");
        else hold(peak >= most_out_ && peak >= peak_ && peak <= setup_.count, "the peak");
        peak_ = peak;
        hold(told_.empty(), "no misuse is told where there is none");
    }

    /// The last copy of the pool is gone. Raw blocks are a leak then, and handles outlive it.
    void end() {
        if constexpr (Blocks::taken == place::owned) {
            for (const std::size_t index : out_)
                if (places_[index] == place::given_up) claim(index);
            blocks_.end_pool();
            std::shuffle(out_.begin(), out_.end(), random_);
            for (const std::size_t index : out_) {
                playing_.as(1 + static_cast<unsigned>(below(setup_.players)));
                blocks_.put_last(index);
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
    std::mt19937 random_;
    told told_;
    Blocks blocks_;
    std::vector<place> places_;     // of each block
    std::vector<std::size_t> out_;  // blocks
    std::uintptr_t base_ = 0;       // address of block 0, once it is known
    std::size_t refused_ = 0, most_out_ = 0, ever_out_ = 0, peak_ = 0;
    std::size_t aim_ = 0, until_next_aim_ = 0;
    bool puts_newest_ = false;
    const char* wrong_ = nullptr;
};

/// Bytes of which some look like the state of a block that was given up. Walks leave theirs in it.
std::vector<std::byte> arbitrary_bytes() {
    std::vector<std::byte> bytes(std::size_t{2} << 20);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 7 % 5);
    return bytes;
}

/// Pools of few small blocks, and pools of 256 KiB and more, which restore the order of addresses.
setup drawn(std::mt19937& random, std::size_t size) {
    const std::size_t few[] = {1, 2, 5, 19, 20, 21, 64, 100, 400, 1500};
    const unsigned magazine_sizes[] = {0, 1, 3, 60}, misuses[] = {0, 5, 100};
    const std::size_t ordered = (std::size_t{256} << 10) / size;
    setup s{};
    s.size = size;
    s.count = size < 100 ? few[random() % 10] : ordered + 1 + random() % ordered / 4;
    s.magazine_size = magazine_sizes[random() % 4];
    s.players = 1 + static_cast<unsigned>(random() % 20);
    s.misuses = misuses[random() % 3];
    s.borrows = random() % 2 == 0;
    s.audits = s.count <= 400 && random() % 2 == 0;
    return s;
}

template <class Blocks> void walk_at_random(std::size_t size, unsigned seed, std::span<std::byte> buffer) {
    std::mt19937 random(seed);
    const setup s = drawn(random, size);
    const heap::usage before = heap::in_use();
    const fault found = walk<Blocks>(s, buffer, seed).run();
    const bool is_all_back = heap::in_use() == before;
    INFO("seed " << seed << ": " << s.count << " blocks of " << s.size << " bytes, magazines of " << s.magazine_size
                 << ", " << s.players << " threads" << (s.audits ? ", audited" : "") << ", step " << found.step);
    CHECK(std::string(found.what == nullptr ? "all holds" : found.what) == "all holds");
    CHECK(is_all_back);
}

}  // namespace

TEMPLATE_TEST_CASE_SIG("a random walk of many threads on raw blocks agrees with a model",
                       "[shared_memory_pool][random]", ((checking C), C), checking::unchecked, checking::checked,
                       checking::debug) {
    std::vector<std::byte> buffer = arbitrary_bytes();
    for (unsigned seed = 0; seed < turns(100); ++seed) {
        const std::size_t large[] = {100, 4096};
        walk_at_random<raw_blocks<C>>(seed % 4 == 0 ? large[seed / 4 % 2] : 1 + seed % 20, seed, buffer);
    }
}

TEMPLATE_TEST_CASE_SIG("a random walk of many threads on shared objects agrees with a model", "[shared_pool][random]",
                       ((checking C), C), checking::unchecked, checking::checked, checking::debug) {
    std::vector<std::byte> buffer = arbitrary_bytes();
    for (unsigned seed = 0; seed < turns(25); ++seed) {
        walk_at_random<objects<C, 1>>(1, 1000 + seed, buffer);
        walk_at_random<objects<C, 3>>(3, 2000 + seed, buffer);
        walk_at_random<objects<C, 8>>(8, 3000 + seed, buffer);
        walk_at_random<objects<C, 20>>(20, 4000 + seed, buffer);
        if (seed % 2 == 0) walk_at_random<objects<C, 100>>(100, 5000 + seed, buffer);
        walk_at_random<objects<C, 4096>>(4096, 6000 + seed, buffer);
    }
}
