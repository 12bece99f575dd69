// SPDX-License-Identifier: BSL-1.0
#include <fixpool/detail/shared_state.hpp>

#include <atomic>
#include <cstddef>
#include <utility>
#include <vector>

#include "../support/catch.hpp"
#include "../support/threads.hpp"

namespace {

using state = fixpool::detail::shared_state<fixpool::checking::checked>;
using fixpool::violation_kind;

/// A pool of `blocks` blocks with two slots, whose magazines carve runs of `run` blocks. One thread plays two, chosen
/// by `as`. Blocks that are out at the end are a leak, which its handler ignores.
template <class State> struct players {
    explicit players(std::size_t blocks, unsigned run = 2, std::size_t block_size = 8)
        : shared({block_size, blocks}, fixpool::arena::heap(), {.on_violation = [](const fixpool::violation&) {}},
                 {.size = run, .slots = 2}) {}

    State& as(unsigned thread) {
        playing.as(thread);
        return shared;
    }
    /// What the pool reports when somebody adopts a block that nobody gave up.
    violation_kind kind_of(typename State::entry block) {
        void* const address = shared.numbers().address(block);
        fixpool::detail::block_state was{};
        CHECK(shared.claim(address, was) == State::none);
        const std::size_t in_use = shared.stats().in_use;
        const fixpool::violation misuse = shared.template misuse_of<true>(address, was);
        CHECK(misuse.live_blocks == in_use);
        return misuse.kind;
    }

    played_threads playing;
    State shared;
};
using two_threads = players<state>;

/// As `threads`, but counts.
struct counted_threads : fixpool::detail::threads {
    static inline unsigned mutexes = 0;  // locked
    static inline unsigned slots = 0;    // tried

    class FIXPOOL_LOCKS(capability("mutex")) mutex {
    public:
        void lock() FIXPOOL_LOCKS(acquire_capability()) {
            ++mutexes;
            mutex_.lock();
        }
        void unlock() FIXPOOL_LOCKS(release_capability()) { mutex_.unlock(); }

    private:
        threads::mutex mutex_;
    };

    template <class V> static V exchange(std::atomic<V>& at, V value, std::memory_order order) noexcept {
        ++slots;
        return threads::exchange(at, value, order);
    }
};

}  // namespace

TEST_CASE("an operation tries the slot when one is open, and takes the mutex when it must", "[shared_state]") {
    using counted_state = fixpool::detail::shared_state<fixpool::checking::checked, counted_threads>;
    counted_state pool({8, 6}, fixpool::arena::heap(), {}, {.size = 2, .slots = 2});
    std::vector<counted_state::entry> taken{pool.take()};
    counted_threads::mutexes = counted_threads::slots = 0;
    taken.push_back(pool.take());
    CHECK_FALSE(pool.put(taken.back()));
    taken.back() = pool.take();
    CHECK(counted_threads::slots == 3);
    CHECK(counted_threads::mutexes == 0);
    while (taken.size() != 6) taken.push_back(pool.take());
    CHECK(pool.take() == counted_state::none);  // closes the slots
    counted_threads::mutexes = counted_threads::slots = 0;
    CHECK(pool.take() == counted_state::none);
    CHECK_FALSE(pool.put(taken.back()));
    taken.back() = pool.take();
    CHECK(counted_threads::slots == 0);
    CHECK(counted_threads::mutexes == 3);
    for (const counted_state::entry block : taken) CHECK_FALSE(pool.put(block));
}

TEST_CASE("a pool without slots numbers no thread", "[shared_state]") {
    played_threads playing;
    playing.as(0);  // the thread has no number yet
    state pool({8, 4}, fixpool::arena::heap(), {}, {});
    CHECK_FALSE(pool.put(pool.take()));
    CHECK(fixpool::detail::thread_number == 0);
}

TEST_CASE("the run of a closed slot is told from one of an open slot", "[shared_state]") {
    two_threads pool(9);
    CHECK(pool.as(1).take() == 0);  // from the run of blocks 0 and 1
    CHECK(pool.as(2).take() == 2);  // from the run of blocks 2 and 3
    CHECK(pool.shared.open_slots() == 2);
    CHECK(pool.kind_of(1) == violation_kind::not_allocated);  // closes the slots: 3 was carved last, and goes back
    CHECK(pool.shared.open_slots() == 0);
    CHECK(pool.as(2).take() == 3);  // its slot is open again
    CHECK(pool.shared.open_slots() == 1);
    CHECK(pool.as(1).take() == 1);
    CHECK(pool.shared.open_slots() == 2);
    CHECK(pool.kind_of(8) == violation_kind::not_allocated);
    std::size_t taken = 4;
    while (pool.as(1).take() != state::none) ++taken;
    CHECK(taken == 9);
    CHECK(pool.shared.stats().refused == 1);
    CHECK(pool.as(2).take() == state::none);
    CHECK(pool.shared.stats().refused == 2);
}

TEST_CASE("when all else is out, blocks come from the runs of closed slots, and each once", "[shared_state]") {
    two_threads pool(6);
    CHECK(pool.as(1).take() == 0);  // from the run of blocks 0 and 1
    std::vector<state::entry> taken;
    while (taken.size() != 5) taken.push_back(pool.as(2).take());
    CHECK(taken == std::vector<state::entry>{2, 3, 4, 5, 1});
    for (std::size_t refused = 1; refused != 4; ++refused) {
        CHECK(pool.as(2).take() == state::none);
        CHECK(pool.shared.stats().refused == refused);
    }
    CHECK(pool.shared.stats().in_use == 6);
}

TEST_CASE("of a run, the blocks that were out before are told from the others", "[shared_state]") {
    two_threads pool(200, 3, 4096);  // large enough to carve anew
    std::vector<state::entry> all;
    while (all.size() != 65) all.push_back(pool.as(1).take());
    std::swap(all[0], all[40]);  // not in order
    for (const state::entry block : all) CHECK_FALSE(pool.as(1).put(block));
    CHECK(pool.shared.stats().in_use == 0);
    for (state::entry next = 0; next != 64; ++next) REQUIRE(pool.as(1).take() == next);
    CHECK(pool.as(2).take() == 65);  // behind the run of blocks 63 and 64, of which 63 is out
    CHECK(pool.shared.stats().peak_in_use == 66);
    CHECK(pool.kind_of(64) == violation_kind::double_free);
    CHECK(pool.kind_of(65) == violation_kind::still_owned);
    CHECK(pool.kind_of(66) == violation_kind::not_allocated);
    CHECK(pool.shared.stats().peak_in_use == 66);
}

TEST_CASE("a large pool that two threads filled begins again with its first block", "[shared_state]") {
    two_threads pool(200, 3, 4096);
    std::vector<state::entry> all;
    while (all.size() != 101) all.push_back(pool.as(1 + all.size() % 5 % 2).take());
    for (std::size_t i = 0; i != all.size(); ++i) CHECK_FALSE(pool.as(1 + i % 2).put(all[i * 37 % all.size()]));
    CHECK(pool.shared.stats().in_use == 0);
    for (state::entry next = 0; next != 102; ++next) REQUIRE(pool.as(1).take() == next);
    CHECK(pool.kind_of(104) == violation_kind::not_allocated);
    CHECK(pool.shared.stats().in_use == 102);
    for (std::size_t i = 102; i != 200; ++i) CHECK(pool.as(2).take() != state::none);
    CHECK(pool.as(2).take() == state::none);
    CHECK(pool.shared.stats().refused == 1);
}

TEST_CASE("a slot opens again at once when a pool has drained", "[shared_state]") {
    two_threads pool(200, 3, 4096);
    std::vector<state::entry> all;
    while (all.size() != 152) all.push_back(pool.as(1 + all.size() % 2).take());
    for (const state::entry block : all) CHECK_FALSE(pool.as(1).put(block));
    CHECK(pool.shared.open_slots() == 0);
    CHECK(pool.shared.stats().peak_in_use == 152);  // without the two that were never taken out of a magazine
    CHECK_FALSE(pool.as(1).put(pool.as(1).take()));
    CHECK(pool.shared.open_slots() == 1);
}

TEST_CASE("the peak of an unchecked pool that has drained is never less than what is in use", "[shared_state]") {
    using unchecked_state = fixpool::detail::shared_state<fixpool::checking::unchecked>;
    players<unchecked_state> pool(200, 3, 4096);
    std::vector<unchecked_state::entry> all;
    while (all.size() != 152) all.push_back(pool.as(1 + all.size() % 2).take());
    for (const auto block : all) CHECK_FALSE(pool.as(1).put(block));
    CHECK(pool.shared.stats().peak_in_use >= 152);
    std::size_t taken = 0;
    while (pool.as(1).take() != unchecked_state::none) ++taken;
    CHECK(taken == 200);
    CHECK(pool.shared.stats().in_use == 200);
    CHECK(pool.shared.stats().peak_in_use == 200);
}

TEST_CASE("a pool that drains opens slots again after as many allocations as a magazine has", "[shared_state]") {
    two_threads pool(200, 3, 4096);
    std::vector<state::entry> all;
    while (all.size() != 150) all.push_back(pool.as(1).take());
    while (pool.shared.open_slots() != 0) {
        CHECK_FALSE(pool.shared.put(all.back()));
        all.pop_back();
    }
    for (int i = 0; i < 3; ++i) {
        all.push_back(pool.shared.take());
        CHECK(pool.shared.open_slots() == 0);
    }
    all.push_back(pool.shared.take());
    CHECK(pool.shared.open_slots() == 1);
    for (const state::entry block : all) CHECK_FALSE(pool.shared.put(block));
}

TEST_CASE("a pool drains once for each time that half of it was out", "[shared_state]") {
    two_threads pool(200, 3, 4096);
    std::vector<state::entry> all;
    while (all.size() != 150) all.push_back(pool.as(1).take());
    for (; !all.empty(); all.pop_back()) CHECK_FALSE(pool.shared.put(all.back()));  // in order: not carved anew
    CHECK(pool.shared.open_slots() == 0);
    while (all.size() != 20) all.push_back(pool.shared.take());
    CHECK(pool.shared.open_slots() == 1);
    for (; !all.empty(); all.pop_back()) CHECK_FALSE(pool.shared.put(all.back()));
    CHECK(pool.shared.open_slots() == 1);
}

TEST_CASE("the last copy of a large pool leaves it to the last block to end it", "[shared_state]") {
    two_threads pool(200, 3, 4096);
    std::vector<state::entry> all;
    while (all.size() != 101) all.push_back(pool.as(1 + all.size() % 5 % 2).take());
    CHECK_FALSE(pool.shared.abandon());
    for (std::size_t i = 0; i != all.size(); ++i) CHECK(pool.shared.put(all[i]) == (i + 1 == all.size()));
}

TEST_CASE("a small pool that two threads filled begins again with the block that was put back last", "[shared_state]") {
    two_threads pool(5);
    CHECK(pool.as(1).take() == 0);  // from the run of blocks 0 and 1
    for (state::entry next = 2; next != 5; ++next) CHECK(pool.as(2).take() == next);
    CHECK(pool.kind_of(1) == violation_kind::not_allocated);  // closes the slots
    for (const state::entry block : {0u, 2u, 4u, 3u}) CHECK_FALSE(pool.as(2).put(block));
    CHECK(pool.shared.open_slots() == 0);
    CHECK(pool.as(2).take() == 3);
}
