// SPDX-License-Identifier: BSL-1.0
// The protocol of shared pools, interleaving by interleaving: the same code, on modelled threads. `shared_state quick`
// leaves out slow scenarios. Stops at the first failure.
#include <fixpool/detail/shared_state.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "scheduler.hpp"

using fixpool::violation_kind;
using fixpool::detail::block_state;
using fixpool::detail::magazine_plan;
using interleavings::explore;
using interleavings::harness;
using interleavings::modelled;
using interleavings::outcome;

using state = fixpool::detail::shared_state<fixpool::checking::checked, modelled>;
using entry = state::entry;

namespace {

constexpr magazine_plan off = {};
constexpr magazine_plan two_slots = {.size = 1, .slots = 2};  // magazines of up to two blocks
constexpr magazine_plan two_runs = {.size = 2, .slots = 2};   // of up to four blocks, with runs of two

std::string how(magazine_plan plan) { return plan.slots == 0 ? ", mutex" : plan.size == 1 ? ", magazines" : ", runs"; }

std::unique_ptr<state> made(std::size_t blocks, magazine_plan plan, std::size_t block_size = 8) {
    return std::make_unique<state>(fixpool::pool_layout{block_size, blocks}, fixpool::arena::heap(),
                                   fixpool::pool_options{}, plan);
}

/// A pool shared by the copies of a handle, and a thread's operations on it. The harness knows blocks by address.
struct pool {
    harness& h;
    state* shared;
    unsigned copies = 1;
    std::atomic<unsigned> order = 0;  // of the copies' ends: a shared_ptr's count, hidden from the scheduler

    entry take() {
        const unsigned begun = h.begin(interleavings::operation::take);
        const entry taken = shared->take();
        h.end(begun, taken != state::none, taken == state::none ? nullptr : shared->numbers().address(taken));
        return taken;
    }
    void put(entry block) {
        h.put(shared->numbers().address(block), [&] {
            if (shared->put(block)) delete shared;
        });
    }
    std::size_t available() {
        return h.available([&] {
            const fixpool::pool_stats counts = shared->stats();
            h.check(counts.in_use <= counts.peak_in_use && counts.peak_in_use <= counts.total_blocks, "a wrong peak");
            return counts.total_blocks - counts.in_use;
        });
    }
    void end_copy() {
        modelled::exchange(order, 0u, std::memory_order_acq_rel);
        if (--copies == 0 && shared->abandon()) delete shared;
    }
    /// Takes all blocks that there are, and checks that none is missing.
    void check_and_end(std::size_t blocks) {
        h.check(available() == blocks, "a block is lost");
        std::vector<entry> all;
        for (entry taken = shared->take(); taken != state::none; taken = shared->take()) all.push_back(taken);
        h.check(all.size() == blocks, "not all blocks can be taken");
        for (const entry block : all) h.check(!shared->put(block), "the last one, while there is a copy");
        end_copy();
    }
};

/// The operations of a thread: `t` takes a block and keeps it. `p` puts back the block that it has had longest, first
/// those that it was given. `a` counts what is available. At its end, the thread puts back the rest.
struct program {
    const char* operations;
    unsigned number = 0;  // the thread's number, which chooses its slot; 0: the pool assigns one
    std::array<entry, 4> held = {};
    unsigned first = 0, behind = 0;

    void operator()(pool& p) {
        if (number != 0) modelled::number() = number;
        for (const char* each = operations; *each != 0; ++each) {
            if (*each == 'a') static_cast<void>(p.available());
            else if (*each == 't') take(p);
            else if (first != behind) p.put(held[first++]);
        }
    }
    void take(pool& p) {
        const entry taken = p.take();
        if (taken != state::none) held[behind++] = taken;
    }
    void end(pool& p) {
        while (first != behind) p.put(held[first++]);
    }
};

std::string name_of(std::size_t blocks, magazine_plan plan, std::initializer_list<const char*> programs) {
    std::string name = (plan.slots == 0 ? "mutex, " : "magazines, ") + std::to_string(blocks) + " blocks:";
    for (const char* each : programs) name.append(" ").append(each);
    return name;
}

/// Two or three threads on a new pool.
template <class... Operations>
outcome as_new(unsigned bound, std::size_t blocks, magazine_plan plan, Operations... operations) {
    return explore(name_of(blocks, plan, {operations...}).c_str(), bound, [=](harness& h) {
        pool p{h, made(blocks, plan).release()};
        h.capacity(blocks);
        std::array<program, sizeof...(operations)> threads{program{operations}...};
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            h.run([&] { threads[I](p); }...);
        }
        (std::index_sequence_for<Operations...>());
        if (p.shared->open_slots() == 2) h.saw("two slots open at the end");
        for (program& each : threads) each.end(p);
        p.check_and_end(blocks);
    });
}

/// A pool of four blocks, one of them free, in slot 1. Both slots are open. The threads get the other blocks.
template <class... Threads> outcome with_open_slots(const char* name, unsigned bound, Threads... threads) {
    return explore(name, bound, [=](harness& h) {
        pool p{h, made(4, two_slots).release()};
        h.capacity(4, 1);
        std::array<entry, 4> out;
        for (unsigned i = 0; i < 4; ++i) {  // plays two threads
            modelled::number() = 1 + i % 2;
            out[i] = p.shared->take();
        }
        modelled::number() = 1;
        h.check(!p.shared->put(out[0]), "the last one");
        h.check(p.shared->open_slots() == 2, "the scenario wants two open slots");
        h.saw("two slots open");
        std::array<program, sizeof...(threads)> programs{threads...};
        unsigned given = 1;
        for (program& each : programs)
            if (given != 4) each.held[each.behind++] = out[given++];
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            h.run([&] { programs[I](p); }...);
        }
        (std::index_sequence_for<Threads...>());
        for (program& each : programs) each.end(p);
        for (; given != 4; ++given) p.put(out[given]);
        p.check_and_end(4);
    });
}

/// Copies and blocks that end at the same time. The state must end with the last of them, and not before.
outcome ends(const char* name, unsigned bound, magazine_plan plan, std::initializer_list<const char*> threads) {
    return explore(name, bound, [=](harness& h) {
        const std::size_t blocks = 4 * std::max(plan.size, 1u);
        pool p{h, made(blocks, plan).release()};
        h.capacity(blocks, blocks - threads.size());
        p.copies = 0;
        std::array<entry, 3> held;
        for (std::size_t i = 0; i < threads.size(); ++i) {
            modelled::number() = 1 + i % 2;
            held[i] = p.shared->take();
            for (const char* each = threads.begin()[i]; *each != 0; ++each) p.copies += *each == 'c';
        }
        const auto end = [&](std::size_t i) {
            modelled::number() = 1 + i % 2;
            for (const char* each = threads.begin()[i]; *each != 0; ++each) {
                if (*each == 'c') p.end_copy();
                else if (*each == 't') {
                    const entry another = p.take();
                    if (another != state::none) p.put(another);
                } else p.put(held[i]);
            }
        };
        const auto first = [&] { end(0); };
        const auto second = [&] { end(1); };
        const auto third = [&] { end(2); };
        if (threads.size() == 2) h.run(first, second);
        else h.run(first, second, third);
    });
}

/// Two threads claim one pointer while others take and put. One must get it, and the other must get the right report.
template <bool Handles> outcome claims(const char* name, unsigned bound, magazine_plan plan) {
    return explore(name, bound, [=](harness& h) {
        constexpr std::size_t blocks = 3;
        pool p{h, made(blocks, plan).release()};
        h.capacity(blocks, blocks - 1);
        const entry block = p.shared->take();
        void* const address = p.shared->numbers().address(block);
        p.shared->give_up(block);
        unsigned won = 0;
        const auto claim = [&] {
            block_state was{};
            const entry claimed = p.shared->claim(address, was);
            if (claimed != state::none) {
                ++won;
                return p.put(claimed);
            }
            const violation_kind kind = p.shared->misuse_of<Handles>(address, was).kind;
            h.check(kind == violation_kind::double_free || (Handles && kind == violation_kind::still_owned),
                    "the loser is told something wrong");
            h.saw(kind == violation_kind::double_free ? "double free" : "still owned");
        };
        const auto use = [&] {
            const entry taken = p.take();
            if (taken != state::none) p.put(taken);
        };
        h.run(claim, claim, use);
        h.check(won == 1, "one pointer was claimed by two, or by nobody");
        p.check_and_end(blocks);
    });
}

/// What the pool reports when somebody adopts a block that nobody gave up.
violation_kind kind_of(pool& p, entry block) {
    void* const address = p.shared->numbers().address(block);
    block_state was{};
    p.h.check(p.shared->claim(address, was) == state::none, "a block that nobody gave up is adopted");
    return p.shared->misuse_of<true>(address, was).kind;
}

/// What a pool reports about blocks that were never handed out, while they lie in the runs of magazines.
outcome untouched(unsigned bound) {
    return explore("a block that was never handed out", bound, [](harness& h) {
        pool p{h, made(8, {.size = 3, .slots = 2}).release()};
        h.capacity(8);
        const auto ask = [&] {
            const entry mine = p.take();
            h.check(kind_of(p, 7) == violation_kind::not_allocated, "a block that was never out was released, it says");
            p.put(mine);
            h.check(kind_of(p, mine) != violation_kind::not_allocated, "a block that was out was never out, it says");
        };
        h.run(ask, ask);
        p.check_and_end(8);
    });
}

/// Both slots are closed, and the first one keeps a block that was never out. Then threads use the slots.
template <class... Threads> outcome after_a_report(const char* name, unsigned bound, Threads... threads) {
    return explore(name, bound, [=](harness& h) {
        pool p{h, made(9, two_runs).release()};
        h.capacity(9, 7);
        std::array<program, sizeof...(threads)> programs{threads...};
        for (unsigned i = 0; i < 2; ++i) {
            modelled::number() = 1 + i;
            programs[i].held[programs[i].behind++] = p.shared->take();
        }
        h.check(kind_of(p, 1) == violation_kind::not_allocated && p.shared->open_slots() == 0, "the set-up is wrong");
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            h.run([&] { programs[I](p); }...);
        }
        (std::index_sequence_for<Threads...>());
        for (program& each : programs) each.end(p);
        p.check_and_end(9);
    });
}

/// One thread takes a raw block for the first time and puts it back. Another thread releases that block, which it never
/// got. The block was never handed out, is out, or was put back. The pool must decide at one moment which is true.
outcome never_got(unsigned bound, magazine_plan plan) {
    return explore(("a block that somebody else takes for the first time" + how(plan)).c_str(), bound, [=](harness& h) {
        pool p{h, made(3, plan).release()};
        h.capacity(3);
        std::atomic<unsigned> has_put = 0;
        const auto use = [&] {
            const entry mine = p.shared->take<false>();
            p.shared->give_up(mine);
            block_state was{};
            modelled::store(has_put, 1u, std::memory_order_release);
            if (p.shared->claim(p.shared->numbers().address(mine), was) != state::none)
                h.check(!p.shared->put(mine), "the last one, while there is a copy");
        };
        const auto steal = [&] {
            void* const address = p.shared->numbers().address(0);
            block_state was{};
            if (p.shared->claim(address, was) != state::none) {
                h.check(!p.shared->put(0), "the last one, while there is a copy");
                return h.saw("taken back");
            }
            const bool may_be_back = modelled::load(has_put, std::memory_order_acquire) != 0;
            const violation_kind kind = p.shared->misuse_of<false>(address, was).kind;
            if (kind == violation_kind::double_free)
                return h.check(may_be_back, "a block that was never put back was put back, it says");
            h.check(kind == violation_kind::not_allocated, "the misuse has another name");
            h.saw("not allocated");
        };
        h.run(use, steal);
        p.check_and_end(3);
    });
}

/// The last blocks of a pool that restores the order of addresses come back while one is taken.
outcome drains(unsigned bound) {
    return explore("a large pool drains", bound, [](harness& h) {
        constexpr std::size_t blocks = 64;
        pool p{h, made(blocks, two_slots, 4096).release()};
        h.capacity(blocks, blocks - 5);
        std::array<entry, blocks> out;
        for (std::size_t i = 0; i < blocks; ++i) {
            modelled::number() = 1 + i % 2;
            out[i] = p.shared->take();
        }
        for (std::size_t i = blocks; i > 5; --i) h.check(!p.shared->put(out[i * 7 % 59 + 5]), "the last one");
        program first{"pp", 1, {out[0], out[1]}, 0, 2};
        program second{"ptp", 2, {out[2], out[3]}, 0, 2};
        program third{"p", 4, {out[4]}, 0, 1};
        h.run([&] { first(p); }, [&] { second(p); }, [&] { third(p); });
        for (program* each : {&first, &second, &third}) each->end(p);
        const entry lowest = p.shared->take();
        const entry next = p.shared->take();
        if (lowest == 0 && next == 1 && p.shared->stats().in_use == 2) h.saw("order restored");
        h.check(!p.shared->put(next) && !p.shared->put(lowest), "the last one, while there is a copy");
        p.check_and_end(blocks);
    });
}

/// The same, when both threads have runs. That of slot 1 lies in the middle of the arena when its slot closes.
outcome drains_with_runs(unsigned bound) {
    return explore("a large pool drains that two threads have filled", bound, [](harness& h) {
        constexpr std::size_t blocks = 120;
        pool p{h, made(blocks, two_runs, 4096).release()};
        h.capacity(blocks, blocks - 4);
        std::vector<entry> out;
        for (std::size_t i = 0; i < 82; ++i) {
            modelled::number() = 1 + i % 3 % 2;
            out.push_back(p.shared->take());
        }
        h.check(p.shared->open_slots() == 2, "the scenario wants two open slots");
        for (std::size_t i = 82; i > 4; --i) h.check(!p.shared->put(out[i * 7 % 78 + 4]), "the last one");
        program first{"pp", 1, {out[0], out[1]}, 0, 2};
        program second{"pp", 2, {out[2], out[3]}, 0, 2};
        h.run([&] { first(p); }, [&] { second(p); });
        std::vector<entry> again;
        for (unsigned i = 0; i < 10; ++i) again.push_back(p.shared->take());
        bool is_in_order = p.shared->stats().in_use == 10;
        for (unsigned i = 0; i < 10; ++i) is_in_order = is_in_order && again[i] == i;
        h.check(is_in_order, "a pool that is empty again does not begin with its first block");
        for (const entry block : again) h.check(!p.shared->put(block), "the last one, while there is a copy");
        h.check(kind_of(p, blocks - 1) == violation_kind::not_allocated, "a block that was never out was, it says");
        p.check_and_end(blocks);
    });
}

std::uint64_t total = 0;
bool has_missed = false;  // all passed, but the scenario never reached its purpose

/// Returns whether it passed, and saw what it must see.
bool passes(const outcome& o, const char* must_see = nullptr) {
    const bool has_failed = o.report() != 0;
    has_missed = !has_failed && must_see != nullptr && o.seen(must_see) == 0;
    if (has_missed) std::printf("%s: FAILED: never saw %s\n", o.name.c_str(), must_see);
    total += o.interleavings;
    std::fflush(stdout);
    return !has_failed && !has_missed;
}

bool all_pass(bool is_quick) {
    const char* const kinds[] = {"tpt", "ttp", "tap"};
    const unsigned bound = 3;
    for (const magazine_plan plan : {off, two_slots})
        for (std::size_t blocks = 1; blocks <= 3; ++blocks)
            for (const char* first : kinds)
                for (const char* second : kinds)
                    if (std::strcmp(first, second) <= 0 && !passes(as_new(bound, blocks, plan, first, second)))
                        return false;
    if (!passes(as_new(bound, 5, two_slots, "ttp", "tpt"), "two slots open at the end") ||
        !passes(as_new(bound, 6, two_runs, "ttt", "ttp"), "two slots open at the end") ||
        !passes(as_new(bound, 6, two_runs, "t", "t", "tttt"), "two slots open at the end"))
        return false;

    const auto open = [](unsigned most, const char* name, auto... threads) {
        return passes(with_open_slots(name, most, threads...), "two slots open");
    };
    if (!open(bound, "a sweep, a release and an allocation", program{"p", 2}, program{"t", 1}, program{"t", 4}) ||
        !open(bound, "a sweep between two releases", program{"pt", 2}, program{"pt", 1}) ||
        !open(bound, "two sweeps and a release", program{"tt", 1}, program{"tt", 2}, program{"p", 2}) ||
        !open(bound, "counting between", program{"pt", 2}, program{"a", 1}, program{"tp", 1}))
        return false;

    for (const magazine_plan plan : {off, two_slots, two_runs}) {
        if (!passes(ends(("copies and blocks end" + how(plan)).c_str(), bound, plan, {"cp", "pc"})) ||
            !passes(ends(("blocks outlive copies" + how(plan)).c_str(), bound, plan, {"cp", "cp"})) ||
            !passes(ends(("an allocation between" + how(plan)).c_str(), bound, plan, {"tcp", "cp"})) ||
            !passes(ends(("three threads end" + how(plan)).c_str(), is_quick ? 2 : bound, plan, {"cp", "cp", "pc"})) ||
            !passes(claims<true>(("two adopt one object" + how(plan)).c_str(), is_quick ? 2 : bound, plan),
                    "still owned") ||
            !passes(claims<false>(("two release one block" + how(plan)).c_str(), is_quick ? 2 : bound, plan),
                    "double free") ||
            !passes(never_got(bound, plan), "not allocated"))
            return false;
    }
    if (!passes(after_a_report("a release behind a report", bound, program{"p", 1}, program{"tpt", 2})) ||
        !passes(after_a_report("two releases behind a report", bound, program{"ptp", 1}, program{"tp", 2})) ||
        !passes(after_a_report("counting behind a report", bound, program{"p", 1}, program{"tt", 2}, program{"a", 4})))
        return false;
    if (!passes(untouched(bound)) || !passes(drains(is_quick ? 1 : 3), "order restored") ||
        !passes(drains_with_runs(is_quick ? 1 : bound)))
        return false;
    if (is_quick) return true;
    for (const magazine_plan plan : {off, two_slots})
        for (std::size_t blocks = 1; blocks <= 3; ++blocks)
            for (const char* first : kinds)
                for (const char* second : kinds)
                    for (const char* third : kinds)
                        if (std::strcmp(first, second) <= 0 && std::strcmp(second, third) <= 0 &&
                            !passes(as_new(bound, blocks, plan, first, second, third)))
                            return false;
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    const bool is_quick = argc == 2 && std::strcmp(argv[1], "quick") == 0;
    if (argc > 1 && !is_quick) return std::fputs("shared_state: expected nothing, or the word quick\n", stderr), 2;
    const bool is_right = all_pass(is_quick);
    std::printf("%s after %ju interleavings\n", is_right ? "all passed" : "FAILED", std::uintmax_t{total});
    return is_right ? 0 : has_missed ? 3 : 1;
}
