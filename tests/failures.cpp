// SPDX-License-Identifier: BSL-1.0
// Everything that can fail does fail, each time that it could, in every scenario: memory, an arena's source, a
// constructor. After each failure, all is as before. In the last run nothing fails.
#include <fixpool/census.hpp>
#include <fixpool/debug.hpp>
#include <fixpool/shared_memory_pool.hpp>
#include <fixpool/shared_pool.hpp>
#include <fixpool/typed_pool.hpp>

#include <array>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/failing.hpp"
#include "support/violations.hpp"

using fixpool::checking;

namespace {

/// Raw blocks: one by one, many at once, until none is left, and in a pool that is moved.
template <checking C> struct raw_blocks {
    static constexpr const char* name = "raw blocks";
    void operator()(failing_source& source) const {
        using pool_of_blocks = fixpool::basic_memory_pool<C>;
        pool_of_blocks pool({64, 4}, source.arena());
        std::array<void*, 3> blocks{};
        if (!pool.try_allocate_bulk(blocks)) throw std::logic_error("bulk");
        void* const fourth = pool.allocate();
        try {
            static_cast<void>(pool.allocate());
        } catch (const fixpool::pool_exhausted&) {
            pool.deallocate(fourth);
        }
        pool_of_blocks moved(std::move(pool));
        moved.deallocate_bulk(blocks);
        pool_of_blocks other({32, 2}, source.arena());
        other = std::move(moved);
        other.deallocate(other.allocate());
    }
};

template <checking C> struct shared_raw_blocks {
    static constexpr const char* name = "shared raw blocks";
    void operator()(failing_source& source) const {
        const fixpool::basic_shared_memory_pool<C> pool({64, 100}, source.arena(), {.magazine_size = 2});
        const auto copy = pool;
        std::array<void*, 100> blocks{};
        for (void*& block : blocks) block = copy.allocate();
        try {
            static_cast<void>(pool.allocate());
        } catch (const fixpool::pool_exhausted&) {
            for (void* const block : blocks) pool.deallocate(block);
        }
    }
};

template <class Pool> void use_objects(Pool& pool) {
    auto one = pool.allocate(1);
    auto two = pool.try_allocate(2);
    one.reset();
    one = pool.allocate_at({}, 3);
    auto given_back = pool.adopt(two.release());
    std::vector<decltype(one)> kept;
    kept.push_back(std::move(one));
    kept.push_back(pool.allocate_for_overwrite());
    try {
        kept.push_back(pool.allocate(4));
        kept.push_back(pool.allocate(5));
    } catch (const fixpool::pool_exhausted&) {
        kept.clear();
    }
}

template <checking C> struct objects {
    static constexpr const char* name = "objects";
    void operator()(failing_source& source) const {
        fixpool::typed_pool<counted, C> pool(4, source.arena());
        use_objects(pool);
        if (pool.in_use() != 0) throw std::logic_error("a block is left");
    }
};

template <checking C> struct shared_objects {
    static constexpr const char* name = "shared objects";
    void operator()(failing_source& source) const {
        fixpool::shared_block<counted, C> last;
        {
            const fixpool::shared_pool<counted, C> pool(4, source.arena());
            use_objects(pool);
            if (pool.in_use() != 0) throw std::logic_error("a block is left");
            last = pool.allocate(6);
        }
    }
};

/// An object that takes its parts from the pool that it lies in, and from the heap.
template <checking C> struct trees {
    static constexpr const char* name = "objects that allocate in their constructors";
    struct node {
        node(fixpool::typed_pool<node, C>& pool, int depth) : self(depth), name(40, 'n') {
            if (depth == 0) return;
            left = pool.allocate(pool, depth - 1);
            right = pool.allocate(pool, depth - 1);
        }
        counted self;
        std::string name;
        fixpool::block<node, C> left, right;
    };
    void operator()(failing_source& source) const {
        fixpool::typed_pool<node, C> pool(15, source.arena());
        const auto root = pool.allocate(pool, 3);
        if (pool.available() != 0) throw std::logic_error("a tree of 15 nodes");
    }
};

/// Pools and handles as members, with something behind them that may fail.
template <checking C> struct members {
    static constexpr const char* name = "pools that are members";
    struct server {
        explicit server(failing_source& source)
            : sessions(3, source.arena()), log({128, 4}, source.arena()), first(sessions.allocate(1)) {
            names.emplace(1, std::make_unique<counted>(2));
        }
        fixpool::typed_pool<counted, C> sessions;
        fixpool::basic_memory_pool<C> log;
        fixpool::block<counted, C> first;
        std::map<int, std::unique_ptr<counted>> names;
    };
    void operator()(failing_source& source) const { const server one(source), two(source); }
};

template <checking C> struct censuses {
    static constexpr const char* name = "a census";
    void operator()(failing_source& source) const {
        fixpool::typed_pool<counted, C> pool(20, source.arena());
        const auto one = pool.allocate(), two = pool.allocate_at({});
        if constexpr (fixpool::knows_live_blocks<C>) {
            const fixpool::census taken(pool);
            if (taken.text().empty() || taken.picture().empty()) throw std::logic_error("no text");
            const fixpool::shared_pool<counted, C> shared(20, source.arena());
            const auto third = shared.allocate();
            if (fixpool::census(shared).in_use() != 1) throw std::logic_error("one block");
            if (!pool.audit() || !shared.audit()) throw std::logic_error("an audit");
        }
    }
};

template <checking C>
using scenarios =
    std::tuple<raw_blocks<C>, shared_raw_blocks<C>, objects<C>, shared_objects<C>, trees<C>, members<C>, censuses<C>>;

/// The number of failures.
template <class Scenario> std::size_t play(const char* level) {
    recorded_violations violations;
    std::size_t failures = 0;
    for (const failure_plan& plan : failure_plans) {
        std::string wrong;
        failures += each_failure(plan, Scenario(), wrong);
        INFO(Scenario::name << ", " << level);
        CHECK(wrong.empty());
        CHECK(violations.count() == 0);
    }
    return failures;
}

template <checking C> void play_all(const char* level) {
    const std::size_t failures = []<class... S>(std::tuple<S...>*, const char* name) { return (play<S>(name) + ...); }(
                                     static_cast<scenarios<C>*>(nullptr), level);
    std::printf("failures: %s: %zu\n", level, failures);
    CHECK(failures > 100);
}

}  // namespace

TEST_CASE("after each failure in each scenario all is as before", "[failures]") {
    play_all<checking::unchecked>("unchecked");
    play_all<checking::checked>("checked");
    play_all<checking::debug>("debug");
}

TEST_CASE("what plays failures finds what is left behind", "[failures]") {
    const auto wrong_of = [](const failure_plan& plan, const auto& scenario) {
        std::string wrong;
        each_failure(plan, scenario, wrong);
        return wrong;
    };
    std::vector<std::byte> left;
    left.reserve(8);
    CHECK(wrong_of(failure_plans[0], [&](failing_source&) { left.resize(left.size() + 100); }) ==
          "operator new, once, the 1th: memory is left");
    CHECK(wrong_of(failure_plans[7], [](failing_source&) { throw std::logic_error("always"); }) ==
          "a constructor, for ever, the 0th: it throws where nothing fails");
    alignas(counted) std::array<std::byte, sizeof(counted)> place;
    CHECK(wrong_of(failure_plans[6], [&](failing_source&) { ::new (place.data()) counted; }) ==
          "a constructor, once, the 1th: an object is left, or was destroyed without being made");
}
