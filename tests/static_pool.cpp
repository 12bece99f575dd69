// SPDX-License-Identifier: BSL-1.0
#include <fixpool/static_pool.hpp>

#include <fixpool/typed_pool.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <random>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/counted.hpp"
#include "support/heap.hpp"
#include "support/stolen.hpp"
#include "support/threads.hpp"
#include "support/violations.hpp"

using fixpool::block;
using fixpool::checking;
using fixpool::static_block;
using fixpool::static_pool;
using fixpool::typed_pool;
using fixpool::violation;
using fixpool::violation_kind;

template <class Pool> static constexpr bool keeps_contract() {
    static_assert(!std::is_copy_constructible_v<Pool> && !std::is_move_constructible_v<Pool>);
    static_assert(!std::is_copy_assignable_v<Pool> && !std::is_move_assignable_v<Pool>);
    static_assert(std::is_nothrow_default_constructible_v<Pool> && std::is_trivially_destructible_v<Pool>);
    static_assert(noexcept(std::declval<Pool&>().adopt(nullptr))&& noexcept(std::declval<Pool&>().set_options({})));
    static_assert(!noexcept(std::declval<Pool&>().allocate()));
    static_assert(noexcept(std::declval<const Pool&>().available())&& noexcept(std::declval<const Pool&>().in_use()));
    static_assert(noexcept(std::declval<const Pool&>().peak_in_use())&& noexcept(std::declval<const Pool&>().stats()));
    static_assert(
        noexcept(std::declval<const Pool&>().name())&& noexcept(std::declval<const Pool&>().contains(nullptr)));
    static_assert(Pool::required_bytes() == sizeof(Pool));
    return true;
}
static_assert(keeps_contract<static_pool<int, 4>>() && keeps_contract<static_pool<int, 4, checking::unchecked>>());
static_assert(keeps_contract<static_pool<std::string, 300>>());
static_assert(std::is_same_v<static_block<int, 4>, block<int, checking::checked, static_pool<int, 4>>>);
static_assert(std::is_same_v<static_block<int, 4>, decltype(std::declval<static_pool<int, 4>&>().allocate())>);
static_assert(sizeof(static_block<int, 4>) == 2 * sizeof(void*));
static_assert(static_pool<int, 4>::total_blocks() == 4 && static_pool<int, 4>::block_size() == sizeof(int));
static_assert(static_pool<std::array<char, 12>, 4>::stride() == 12 &&
              static_pool<double, 4>::alignment() == alignof(double));

template <class Pool>
concept has_for_each = requires(Pool& pool) {
    pool.for_each([](int&) {});
};
template <class Pool>
concept has_audit = requires(Pool& pool) {
    pool.audit();
};
static_assert(has_for_each<static_pool<int, 4>> && !has_for_each<static_pool<int, 4, checking::unchecked>>);
static_assert(has_audit<static_pool<int, 4>> && !has_audit<static_pool<int, 4, checking::unchecked>>);

/// Bytes of a pool of N chars beside the blocks.
template <std::size_t N, checking C = checking::checked> constexpr std::size_t overhead() {
    return static_pool<char, N, C>::required_bytes() - N;
}
/// Bytes per block beside its own, measured with `More` blocks more.
template <std::size_t N, std::size_t More, checking C = checking::checked> constexpr std::size_t per_block() {
    return (overhead<N + More, C>() - overhead<N, C>()) / More;
}
static_assert(per_block<120, 128>() == 2 && per_block<512, 512>() == 3 && per_block<70000, 1024>() == 5);
static_assert(per_block<512, 512, checking::unchecked>() == sizeof(void*));
static_assert(overhead<255>() < overhead<256>() - 255 + 8 &&
              overhead<65535>() < overhead<65536>() - std::size_t{2} * 65535 + 8);
static_assert(overhead<8>() <= sizeof(fixpool::detail::reporter) + std::size_t{2} * 8 + 3 * sizeof(void*));

template <class Pool> static void hold_42(Pool& pool) {
    const auto number = pool.allocate(42u);
    CHECK(*number == 42);
    CHECK(pool.total_blocks() == 10);
    CHECK(pool.available() == 9);
    CHECK(pool.in_use() == 1);
    CHECK(pool.peak_in_use() == 1);
    const fixpool::pool_stats stats = pool.stats();
    CHECK(stats.total_blocks == 10);
    CHECK(stats.in_use == 1);
    CHECK(stats.peak_in_use == 1);
    CHECK(stats.refused == 0);
    CHECK(stats.block_size == sizeof(std::uint64_t));
    CHECK(stats.stride == sizeof(std::uint64_t));
    CHECK(stats.arena_bytes == sizeof pool);
    CHECK(stats.metadata_bytes == sizeof pool - 10 * sizeof(std::uint64_t));
    CHECK(std::strcmp(pool.name(), "") == 0);
}

TEST_CASE("a static_pool of ten std::uint64_t holds 42", "[static_pool]") {
    static constinit static_pool<std::uint64_t, 10> pool;
    static constinit static_pool<std::uint64_t, 10, checking::unchecked> unchecked;
    hold_42(pool);
    hold_42(unchecked);
    CHECK(pool.available() == 10);
    CHECK(unchecked.available() == 10);
}

namespace {

constinit static_pool<std::string, 2> texts;  // used by the dynamic initialisation of what follows, and after main
static_block<std::string, 2> early = texts.allocate("before main");

}  // namespace

TEST_CASE("a static_pool works before main", "[static_pool]") {
    CHECK(*early == "before main");
    CHECK(texts.index_of(early.get()) == 0);
    CHECK(texts.in_use() == 1);
}

TEST_CASE("a static_pool of zero bytes is an empty pool, wherever it lies", "[static_pool]") {
    using pool_type = static_pool<int, 5>;
    alignas(pool_type) static std::byte bytes[sizeof(pool_type)];
    const auto built = std::make_unique<pool_type>();
    pool_type on_stack;
    auto* const zeros = std::launder(reinterpret_cast<pool_type*>(bytes));
    for (pool_type* const pool : {zeros, built.get(), &on_stack}) {
        CHECK(pool->available() == 5);
        const auto number = pool->allocate(1);
        CHECK(*number == 1);
        CHECK(pool->owns(number.get()));
        CHECK(pool->audit());
    }
}

TEST_CASE("a pool that was on the stack leaves memory that can be used", "[static_pool]") {
    using pool_type = static_pool<std::array<char, 64>, 4>;
    alignas(pool_type) std::byte bytes[sizeof(pool_type)];
    auto* const pool = ::new (static_cast<void*>(bytes)) pool_type;
    pool->allocate().reset();
    std::fill(std::begin(bytes), std::end(bytes), std::byte{1});  // AddressSanitizer would report it
    CHECK(bytes[sizeof bytes - 1] == std::byte{1});
}

TEST_CASE("a static_pool allocates nothing", "[static_pool]") {
    static constinit static_pool<int, 3> pool;
    const std::size_t before = heap::allocations();
    {
        std::array<static_block<int, 3>, 3> all;
        for (auto& each : all) each = pool.allocate(1);
        all[0] = nullptr;
        all[0] = pool.try_allocate_at({}, 2);
        all[1] = pool.adopt(all[1].release());
    }
    CHECK(heap::allocations() == before);
    CHECK(pool.available() == 3);
}

TEST_CASE("an exhausted static_pool leaves the arguments untouched, and is named", "[static_pool]") {
    static constinit static_pool<std::unique_ptr<int>, 1> pool;
    pool.set_options({.name = "pointers"});
    const auto taken = pool.allocate(std::make_unique<int>(1));
    auto argument = std::make_unique<int>(2);
    CHECK(pool.try_allocate(std::move(argument)) == nullptr);
    REQUIRE(argument != nullptr);
    CHECK_THROWS_AS(pool.allocate(std::move(argument)), fixpool::pool_exhausted);
    REQUIRE(argument != nullptr);
    CHECK(pool.try_allocate_at({}, std::move(argument)) == nullptr);
    CHECK_THROWS_AS(pool.allocate_at({}, std::move(argument)), fixpool::pool_exhausted);
    REQUIRE(argument != nullptr);
    CHECK(*argument == 2);
    CHECK(pool.stats().refused == 4);
    CHECK(pool.in_use() == 1);
    std::string said;
    try {
        (void)pool.allocate();
    } catch (const fixpool::pool_exhausted& error) {
        said = error.what();
    }
    CHECK(said == "fixpool: 1 of 1 blocks in use in pool \"pointers\"");
}

TEST_CASE("misuse of a static_pool is told to the image's handler, or to that of its options", "[static_pool]") {
    static constinit static_pool<int, 2> pool;
    recorded_violations violations;
    int number = 0;
    CHECK(pool.adopt(&number) == nullptr);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::foreign_pointer);
    CHECK(violations.last().pool == &pool);
    CHECK(violations.last_name().empty());
    CHECK(violations.last().context == nullptr);

    violation seen;
    pool.set_options({.name = "numbers",
                      .on_violation = [](const violation& v) { *static_cast<violation*>(v.context) = v; },
                      .context = &seen});
    CHECK(pool.adopt(&number) == nullptr);
    CHECK(violations.count() == 0);
    CHECK(seen.address == &number);
    CHECK(seen.context == &seen);
    CHECK(std::strcmp(seen.pool_name, "numbers") == 0);
    CHECK(std::strcmp(pool.name(), "numbers") == 0);

    pool.set_options({.name = "no"});  // the name before was longer
    CHECK(pool.adopt(&number) == nullptr);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last_name() == "no");
}

TEMPLATE_TEST_CASE_SIG("a constructor that throws gives its block of a static_pool back, at every turn",
                       "[static_pool]", ((checking C), C), checking::unchecked, checking::checked) {
    static constinit static_pool<counted, 3, C> pool;
    for (int throw_at = 1; throw_at <= 4; ++throw_at) {
        counted::start(throw_at);
        std::vector<static_block<counted, 3, C>> blocks;
        bool has_thrown = false;
        try {
            for (int i = 0; i < 3; ++i) blocks.push_back(i == 1 ? pool.try_allocate(i) : pool.allocate(i));
        } catch (const std::runtime_error&) {
            has_thrown = true;
        }
        CHECK(has_thrown == (throw_at <= 3));
        CHECK(pool.in_use() == blocks.size());
        blocks.clear();
        CHECK(pool.in_use() == 0);
        CHECK(counted::constructed == counted::destroyed);
        CHECK(counted::destroyed_twice == 0);
    }
    counted::start();
}

// ---- misuse: the same as in a typed_pool, word for word

namespace {

struct thrower {
    explicit thrower(thrower** out) {
        *out = this;
        throw std::runtime_error("no");
    }
};

/// Adopts itself, and a place inside itself, while it is constructed and destroyed.
struct self_adopter {
    using pool_type = static_pool<self_adopter, 3>;
    explicit self_adopter(pool_type& of) : pool(&of) { adopt_all(); }
    self_adopter(const self_adopter&) = delete;
    self_adopter& operator=(const self_adopter&) = delete;
    ~self_adopter() { adopt_all(); }
    void adopt_all() {
        std::size_t seen = 0;
        pool->for_each([&seen, this](self_adopter& each) { seen += &each == this; });
        CHECK(seen == 0);
        CHECK(pool->adopt(this) == nullptr);
        CHECK(pool->adopt(reinterpret_cast<self_adopter*>(reinterpret_cast<std::uintptr_t>(this) + 8)) == nullptr);
    }
    pool_type* pool;
    int numbers[4] = {};
};

}  // namespace

TEST_CASE("an object of a static_pool that is constructed or destroyed is neither free nor live", "[static_pool]") {
    static constinit self_adopter::pool_type pool;
    recorded_violations violations;
    const auto was_told = [&violations](std::size_t live) {
        CHECK(violations.count() == 2);
        CHECK(violations.last().kind == violation_kind::misaligned_pointer);
        CHECK(violations.last().index == 0);
        CHECK(violations.last().live_blocks == live);
    };
    auto one = pool.allocate(pool);
    was_told(1);
    const auto other = pool.allocate(pool);
    violations.count();
    one.reset();
    was_told(2);
    one = pool.allocate(pool);  // a block that was used before
    was_told(2);
    one.reset();
    const violation first = violations.last();
    CHECK(first.total_blocks == 3);
}

TEST_CASE("an object of a static_pool that is adopted while it is destroyed is not allocated", "[static_pool]") {
    struct stubborn {
        static_pool<stubborn, 3>* pool = nullptr;
        ~stubborn() { (void)pool->adopt(this); }
    };
    static constinit static_pool<stubborn, 3> pool;
    recorded_violations violations;
    auto other = pool.allocate(&pool);
    auto third = pool.allocate(&pool);
    pool.allocate(&pool).reset();
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::not_allocated);
    CHECK(violations.last().live_blocks == 3);
    CHECK(violations.last().index == 2);
    third.reset();  // also where other blocks are free
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::not_allocated);
    other.reset();
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::not_allocated);
    CHECK(violations.last().index == 0);
    CHECK(pool.available() == 3);
}

TEST_CASE("what a constructor of a static_pool's object left behind is a double free", "[static_pool]") {
    static constinit static_pool<thrower, 1> pool;
    recorded_violations violations;
    thrower* half_built = nullptr;
    CHECK_THROWS_AS(pool.allocate(&half_built), std::runtime_error);
    CHECK(pool.adopt(half_built) == nullptr);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::double_free);
    CHECK(pool.available() == 1);
}

TEST_CASE("a block of a static_pool counts as in use until its destructor has returned", "[static_pool]") {
    struct hopeful {
        static_pool<hopeful, 1>* pool = nullptr;
        bool* was_full = nullptr;
        ~hopeful() {
            if (was_full != nullptr) *was_full = pool->try_allocate() == nullptr;
        }
    };
    static constinit static_pool<hopeful, 1> pool;
    bool was_full = false;
    pool.allocate(&pool, &was_full).reset();
    CHECK(was_full);
    CHECK(pool.available() == 1);
}

TEST_CASE("a handle of a static_pool that is copied byte by byte destroys nothing twice", "[static_pool]") {
    static constinit static_pool<counted, 2> pool;
    recorded_violations violations;
    counted::start();
    use_stolen_handles(pool, violations);
    CHECK(counted::destroyed == 2);
    CHECK(counted::destroyed_twice == 0);
    CHECK(pool.in_use() == 0);
}

TEST_CASE("adopt takes back what was given up to a static_pool, and nothing else", "[static_pool]") {
    static constinit static_pool<counted, 2> pool;
    static constinit static_pool<counted, 2> other;
    recorded_violations violations;
    counted::start();
    auto owner = pool.allocate(8);
    CHECK(pool.adopt(owner.get()) == nullptr);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::still_owned);
    counted* const object = owner.release();
    CHECK(owner == nullptr);
    CHECK(pool.in_use() == 1);
    CHECK(pool.owns(object));
    CHECK(other.adopt(object) == nullptr);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::foreign_pointer);
    CHECK(violations.last().pool == &other);
    owner = pool.adopt(object);
    CHECK(owner.get() == object);
    CHECK(pool.adopt(object) == nullptr);
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == violation_kind::still_owned);
    CHECK(counted::destroyed == 0);
    owner.reset();
    CHECK(counted::destroyed == 1);
    CHECK(pool.adopt(nullptr) == nullptr);
    CHECK(violations.count() == 0);
}

TEST_CASE("unchecked adoption of a static_pool works and checks nothing", "[static_pool]") {
    static constinit static_pool<int, 2, checking::unchecked> pool;
    int* const object = pool.allocate(4).release();
    auto owner = pool.adopt(object);
    REQUIRE(owner.get() == object);
    CHECK(*owner == 4);
    owner.reset();
    CHECK(pool.in_use() == 0);
    CHECK(pool.adopt(nullptr) == nullptr);
}

// ---- beside a typed_pool, which is the model

namespace {

template <std::size_t Size, std::size_t Alignment = 1> struct alignas(Alignment) sized { unsigned char bytes[Size]; };

/// Does the same operations on both pools. Each block must have the same index, and each violation the same text.
template <class T, std::size_t N, checking C> class twins {
    static constexpr bool is_checked = C != checking::unchecked;
    static constexpr std::size_t stride = static_pool<T, N, C>::stride();
    using pool_type = static_pool<T, N, C>;

public:
    explicit twins(pool_type& pool) : pool_(pool), model_(N, told_to(model_told_)), handles_(N), model_handles_(N) {
        pool_.set_options(told_to(told_));
        take();
        base_ = number(handles_[0].get());
        model_base_ = number(model_handles_[0].get());
        put(0);
    }

    /// Whether both pools always agreed.
    bool walk(std::size_t steps, std::uint64_t seed) {
        std::mt19937_64 random(seed);
        const auto below = [&random](std::size_t limit) { return static_cast<std::size_t>(random() % limit); };
        std::size_t aim = N;
        for (std::size_t step = 0; step < steps && is_alike_; ++step) {
            if (below(2 * N + 2) == 0) aim = below(3) == 0 ? 0 : below(N + 2);
            switch (below(12)) {
                case 0: misuse(below(N + 2) - 1, below(3) == 0 ? below(stride) : 0); break;
                case 1: change_owner(below(N)); break;
                case 2: below(16) == 0 ? sort() : swing(aim, random()); break;
                default: swing(aim, random());
            }
            compare();
        }
        while (!live_.empty()) put(0);
        return is_alike_;
    }

    /// All blocks out and back: first in order, which stays, then in disorder, after which large pools carve anew.
    bool fill_and_empty(std::uint64_t seed) {
        std::mt19937_64 random(seed);
        for (std::size_t turn = 0; turn < 3 + turns(3) && is_alike_; ++turn) {
            while (live_.size() < N && is_alike_) {
                if (pool_.peak_in_use() < N) misuse(live_.size(), 0);  // the first time: not handed out yet
                take();
            }
            if (turn % 3 == 0) std::sort(live_.begin(), live_.end());
            if (turn % 3 == 1) std::sort(live_.rbegin(), live_.rend());
            if (turn % 3 == 2) std::shuffle(live_.begin(), live_.end(), random);
            while (!live_.empty()) put(live_.size() - 1);
            misuse(N - 1, 0);  // was handed out, whatever is carved now
            for (int i = 0; i < 3 && N > 2; ++i) take();
            while (!live_.empty()) put(0);  // other blocks on top than before
            compare();
        }
        return is_alike_;
    }

private:
    static fixpool::pool_options told_to(violation& told) {
        return {.on_violation = [](const violation& v) { *static_cast<violation*>(v.context) = v; }, .context = &told};
    }
    static std::uintptr_t number(const void* address) { return reinterpret_cast<std::uintptr_t>(address); }
    static unsigned char stamp(std::size_t index) { return static_cast<unsigned char>(index % 251 + 1); }
    void alike(bool is) { is_alike_ = is_alike_ && is; }

    void swing(std::size_t aim, std::uint64_t number) {
        if (live_.size() < aim) take();
        else if (!live_.empty())
            put(number % 2 == 0 ? live_.size() - 1 : static_cast<std::size_t>(number % live_.size()));
    }

    void take() {
        auto mine = pool_.try_allocate_for_overwrite();
        auto its = model_.try_allocate_for_overwrite();
        alike((mine == nullptr) == (live_.size() == N) && (its == nullptr) == (mine == nullptr));
        if (mine == nullptr || its == nullptr) return;
        const std::size_t index = model_.index_of(its.get());
        alike(pool_.index_of(mine.get()) == index && handles_[index] == nullptr);
        alike(number(mine.get()) % alignof(T) == 0 && (base_ == 0 || number(mine.get()) == base_ + index * stride));
        std::memset(mine->bytes, stamp(index), sizeof mine->bytes);
        handles_[index] = std::move(mine);
        model_handles_[index] = std::move(its);
        live_.push_back(index);
    }

    void put(std::size_t nth) {
        const std::size_t index = live_[nth];
        const auto& bytes = handles_[index]->bytes;
        alike(std::all_of(std::begin(bytes), std::end(bytes), [&](unsigned char b) { return b == stamp(index); }));
        handles_[index].reset();
        model_handles_[index].reset();
        live_[nth] = live_.back();
        live_.pop_back();
    }

    /// Of any address, even that of a live block: the indices -1 and N lie outside.
    void misuse(std::size_t index, std::size_t offset) {
        if constexpr (is_checked) {
            auto* const mine = reinterpret_cast<T*>(base_ + index * stride + offset);
            auto* const its = reinterpret_cast<T*>(model_base_ + index * stride + offset);
            alike(pool_.contains(mine) == model_.contains(its) && pool_.owns(mine) == model_.owns(its));
            alike(pool_.index_of(mine) == model_.index_of(its));
            alike((pool_.object_at(index) == nullptr) == (model_.object_at(index) == nullptr));
            told_ = model_told_ = {};
            alike(pool_.adopt(mine) == nullptr && model_.adopt(its) == nullptr);
            alike(told_.kind == model_told_.kind && told_.index == model_told_.index);
            alike(told_.total_blocks == N && told_.live_blocks == model_told_.live_blocks);
            alike(told_.pool == &pool_ && told_.address == mine && model_told_.address == its);
            alike(told_.allocated_at.file == nullptr && told_.released_at.address == nullptr && *told_.problem == 0);
        }
    }

    void change_owner(std::size_t index) {
        if (handles_[index] == nullptr) return;
        told_ = {};
        T* const mine = handles_[index].release();
        T* const its = model_handles_[index].release();
        if constexpr (is_checked) alike(pool_.owns(mine) && pool_.object_at(index) == mine);
        handles_[index] = pool_.adopt(mine);
        model_handles_[index] = model_.adopt(its);
        alike(handles_[index].get() == mine && told_.pool == nullptr);
    }

    void sort() {
        if constexpr (is_checked) {
            pool_.sort_free_blocks();
            model_.sort_free_blocks();
        }
    }

    void compare() {
        alike(pool_.in_use() == model_.in_use() && pool_.available() == model_.available());
        alike(pool_.peak_in_use() == model_.peak_in_use() && pool_.in_use() == live_.size());
        if constexpr (is_checked && N <= 300) {
            std::vector<const T*> seen, all;
            pool_.for_each([&seen](T& each) { seen.push_back(&each); });
            for (const auto& each : handles_)
                if (each != nullptr) all.push_back(each.get());
            alike(seen == all && pool_.audit());
            seen.clear();
            std::as_const(pool_).for_each([&seen](const T& each) { seen.push_back(&each); });
            alike(seen == all);
        }
    }

    pool_type& pool_;
    violation told_{}, model_told_{};
    typed_pool<T, C> model_;
    std::vector<static_block<T, N, C>> handles_;  // one per block
    std::vector<block<T, C>> model_handles_;
    std::vector<std::size_t> live_;
    std::uintptr_t base_ = 0, model_base_ = 0;
    bool is_alike_ = true;
};

template <class T, std::size_t N> struct kind_of_pool {
    template <checking C> static bool is_alike(std::size_t steps) {
        static constinit static_pool<T, N, C> pool;
        twins<T, N, C> both(pool);
        return both.fill_and_empty(1) && both.walk(steps, 2) && both.fill_and_empty(3) && pool.in_use() == 0;
    }
};

}  // namespace

TEMPLATE_TEST_CASE("a static_pool hands out, counts and reports as a typed_pool does", "[static_pool][random]",
                   (kind_of_pool<sized<1>, 1>), (kind_of_pool<sized<3>, 2>), (kind_of_pool<sized<24>, 7>),
                   (kind_of_pool<sized<64, 64>, 50>), (kind_of_pool<sized<12, 4>, 255>), (kind_of_pool<sized<8>, 256>),
                   (kind_of_pool<sized<5000>, 20>), (kind_of_pool<sized<4096, 4096>, 3>)) {
    CHECK(TestType::template is_alike<checking::checked>(4000));
    CHECK(TestType::template is_alike<checking::unchecked>(4000));
}

// The number of blocks from which on order is restored, one less, and one more. Then more than 16 bits can count.
TEMPLATE_TEST_CASE("a large static_pool that is empty keeps the order of a typed_pool", "[static_pool][random]",
                   (kind_of_pool<sized<64>, 4095>), (kind_of_pool<sized<64>, 4096>), (kind_of_pool<sized<64>, 5000>),
                   (kind_of_pool<sized<5000>, 63>), (kind_of_pool<sized<5000>, 64>), (kind_of_pool<sized<8192>, 200>),
                   (kind_of_pool<sized<24>, 65535>), (kind_of_pool<sized<24>, 65536>),
                   (kind_of_pool<sized<1>, 65536>)) {
    CHECK(TestType::template is_alike<checking::checked>(6000));
    CHECK(TestType::template is_alike<checking::unchecked>(6000));
}

// ---- what is visited, what is overwritten, what may be pooled

TEST_CASE("a visit of a static_pool may release the object it is given, and others, and allocate", "[static_pool]") {
    static constinit static_pool<int, 5> pool;
    std::array<static_block<int, 5>, 5> blocks;
    for (int i = 0; i < 4; ++i) blocks[static_cast<std::size_t>(i)] = pool.allocate(i);
    std::vector<int> seen;
    pool.for_each([&](int& value) {
        const int visited = value++;
        seen.push_back(visited);
        if (visited == 0) blocks[0].reset();
        if (visited == 1) blocks[2].reset();
        if (visited == 3) blocks[4] = pool.allocate(9);  // in the block of 2, which was visited already
    });
    CHECK(seen == std::vector<int>{0, 1, 3});
    CHECK(*blocks[3] == 4);
    CHECK(pool.in_use() == 3);
    CHECK(pool.object_at(pool.npos) == nullptr);
    CHECK(pool.alignment() == alignof(int));
    CHECK(pool.object_at(5) == nullptr);
    CHECK(pool.object_at(4) == nullptr);
    CHECK(std::as_const(pool).object_at(3) == blocks[3].get());
}

TEST_CASE("audit of a static_pool says what was overwritten, and where", "[static_pool][audit]") {
    // For char, the blocks lie right behind the states. In front of these are the stack, a word, and the counters.
    constexpr std::size_t count = 16;
    using pool_type = static_pool<unsigned char, count>;
    static constinit pool_type pool;
    recorded_violations violations;
    std::array<static_block<unsigned char, count>, 6> held;
    for (auto& each : held) each = pool.allocate(static_cast<unsigned char>(0));
    unsigned char* const base = held[0].get();
    unsigned char* const states = base - count;
    unsigned char* const stack = states - count;
    unsigned char* const counters = stack - 2 * sizeof(std::size_t);
    held[4].reset();
    held[2].reset();  // the stack is 4, 2
    REQUIRE(counters[0] == 2);
    REQUIRE(counters[1] == 6);
    REQUIRE((stack[0] == 4 && stack[1] == 2));
    REQUIRE((states[0] == 1 && states[2] == 0));
    CHECK(pool.audit());

    const auto said_of = [&](unsigned char& byte, unsigned char value, const void* at,
                             std::size_t index) -> std::string {
        const unsigned char before = std::exchange(byte, value);
        const bool is_sound = pool.audit();
        byte = before;
        if (is_sound) return "";
        CHECK(violations.count() == 1);
        CHECK(violations.last().kind == violation_kind::corrupted_pool);
        CHECK(violations.last().pool == &pool);
        CHECK(violations.last().address == at);
        CHECK(violations.last().index == index);
        CHECK(pool.audit());  // the damage is gone
        return violations.last().problem;
    };
    const std::size_t npos = pool_type::npos;
    CHECK(said_of(counters[1], count + 1, counters, npos) == "its counters do not agree");
    CHECK(said_of(counters[1], 1, counters, npos) == "its counters do not agree");
    CHECK(said_of(counters[0], 7, counters, npos) == "its counters do not agree");
    CHECK(said_of(stack[1], 6, &stack[1], npos) == "its free list has a block that was never handed out");
    CHECK(said_of(stack[0], 255, &stack[0], npos) == "its free list has a block that was never handed out");
    CHECK(said_of(stack[1], 4, &stack[1], 4) == "the block is in its free list twice");
    CHECK(said_of(stack[0], 1, &stack[0], 1) == "the block is in its free list and in use");
    CHECK(said_of(states[2], 2, &stack[1], 2) == "the block is in its free list and in use");
    CHECK(said_of(states[1], 3, &states[1], 1) == "the block's state was overwritten");
    CHECK(said_of(states[6], 1, &states[6], 6) == "the block's state was overwritten");
    CHECK(said_of(states[15], 255, &states[15], 15) == "the block's state was overwritten");
    CHECK(said_of(states[5], 2, nullptr, npos).empty());  // given up: a valid state
    for (auto& each : held) each.reset();
    CHECK(pool.audit());
}

TEST_CASE("the address behind a static_pool's blocks is foreign, whatever lies behind the states", "[static_pool]") {
    static constinit static_pool<unsigned char, 16> pool;  // block 0 lies behind them: its value is like a state
    recorded_violations violations;
    for (unsigned char state = 0; state < 5; ++state) {
        const auto first = pool.allocate(state);
        CHECK(pool.adopt(first.get() + 16) == nullptr);
        REQUIRE(violations.count() == 1);
        CHECK(violations.last().kind == violation_kind::foreign_pointer);
        CHECK(violations.last().index == pool.npos);
        CHECK(*first == state);
        CHECK_FALSE(pool.owns(first.get() + 16));
        CHECK(pool.object_at(16) == nullptr);
    }
}

TEST_CASE("an overflow of a static_pool's last block reaches nothing that the pool keeps", "[static_pool]") {
    static struct {
        static_pool<unsigned char, 4> pool;
        unsigned char behind[64] = {};
    } both;
    std::array<static_block<unsigned char, 4>, 4> all;
    for (auto& each : all) each = both.pool.allocate(static_cast<unsigned char>(7));
    CHECK(reinterpret_cast<std::byte*>(all[3].get()) + 1 + alignof(void*) >=
          reinterpret_cast<std::byte*>(&both.pool) + sizeof both.pool);
}

namespace {

struct node {
    int value = 0;
    static_block<node, 300> next;
};
constinit static_pool<node, 300> nodes;

struct aggregate {
    int number;
    std::string text;
};
struct immovable {
    explicit immovable(int v) : value(v) {}
    immovable(const immovable&) = delete;
    immovable& operator=(const immovable&) = delete;
    int value;
};
struct shape {
    virtual ~shape() = default;
    virtual int corners() const { return 0; }
};
struct square final : shape {
    int corners() const override { return 4; }
};
struct denies_address {
    int value = 4;
    void operator&() = delete;
};
struct empty {};
#if defined(__clang__)
enum [[gnu::aligned(16)]] wide_color : int{red, green};
#else
enum alignas(16) wide_color : int { red, green };
#endif

}  // namespace

TEST_CASE("objects of a static_pool may own objects of the same one", "[static_pool]") {
    static_block<node, 300> list;
    for (int i = 0; i < 300; ++i) {
        auto first = nodes.allocate();
        first->value = i;
        first->next = std::move(list);
        list = std::move(first);
    }
    CHECK(nodes.available() == 0);
    CHECK(list->next->next->value == 297);
    while (list != nullptr) list = std::move(list->next);
    CHECK(nodes.available() == 300);
}

TEMPLATE_TEST_CASE_SIG("every kind of type can be in a static_pool", "[static_pool]", ((checking C), C),
                       checking::unchecked, checking::checked) {
    static_pool<aggregate, 1, C> aggregates;
    CHECK(aggregates.allocate(1, "one")->text == "one");
    CHECK(aggregates.allocate()->number == 0);
    static_pool<immovable, 1, C> immovables;
    CHECK(immovables.allocate(5)->value == 5);
    static_pool<square, 1, C> squares;
    CHECK(squares.allocate()->corners() == 4);
    static_pool<denies_address, 1, C> denying;
    CHECK(denying.allocate()->value == 4);
    static_pool<empty, 2, C> empties;
    const auto e1 = empties.allocate();
    const auto e2 = empties.allocate();
    CHECK(e1.get() != e2.get());
    static_pool<int, 1, C> numbers;
    numbers.allocate(7).reset();
    CHECK(*numbers.allocate() == 0);  // value-initialised, not garbage
    static constinit static_pool<wide_color, 3, C> colors;
    CHECK(colors.stride() == 16);
    CHECK(colors.block_size() == 4);
    const auto first = colors.allocate(red);
    const auto second = colors.allocate(green);
    CHECK(reinterpret_cast<std::uintptr_t>(second.get()) % 16 == 0);
    CHECK(colors.index_of(second.get()) == 1);
}

TEMPLATE_TEST_CASE_SIG("allocate_for_overwrite of a static_pool leaves an aggregate as it was", "[static_pool]",
                       ((checking C), C), checking::unchecked, checking::checked) {
    static constinit static_pool<sized<64>, 1, C> pool;
    auto first = pool.allocate_for_overwrite();
    std::fill(std::begin(first->bytes), std::end(first->bytes), static_cast<unsigned char>(7));
    first.reset();
#if !FIXPOOL_HAS_FEATURE(memory_sanitizer)
    first = pool.allocate_for_overwrite();
    CHECK(std::count(std::begin(first->bytes), std::end(first->bytes), 7) == 64);
    first.reset();
    first = pool.try_allocate_for_overwrite();
    CHECK(std::count(std::begin(first->bytes), std::end(first->bytes), 7) == 64);
    first.reset();
#endif
    first = pool.allocate();
    CHECK(std::count(std::begin(first->bytes), std::end(first->bytes), 0) == 64);
    CHECK(pool.try_allocate_for_overwrite() == nullptr);
    CHECK_THROWS_AS(pool.allocate_for_overwrite(), fixpool::pool_exhausted);
    CHECK(pool.stats().refused == 2);
}

#if defined(__SANITIZE_ADDRESS__) || FIXPOOL_HAS_FEATURE(address_sanitizer)
TEST_CASE("AddressSanitizer sees a static_pool's free blocks, once they were in use", "[static_pool]") {
    static constinit static_pool<sized<24, 8>, 4> pool;
    const auto is_poisoned = [](const void* address) { return __asan_address_is_poisoned(address) != 0; };
    auto one = pool.allocate();
    auto other = pool.allocate();
    const unsigned char* const bytes = one->bytes;
    CHECK_FALSE(is_poisoned(bytes + 48));  // not used yet
    one.reset();
    CHECK(is_poisoned(bytes));
    CHECK(is_poisoned(bytes + 23));
    CHECK_FALSE(is_poisoned(bytes + 24));
    CHECK_FALSE(is_poisoned(bytes - 1));
    one = pool.allocate();
    CHECK(one->bytes == bytes);
    CHECK_FALSE(is_poisoned(bytes));
    CHECK_FALSE(is_poisoned(bytes + 23));
}
#endif
