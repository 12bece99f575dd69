// SPDX-License-Identifier: BSL-1.0
#include <fixpool/detail/address_table.hpp>
#include <fixpool/detail/large_blocks.hpp>
#include <fixpool/detail/page_state.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <new>
#include <random>
#include <set>
#include <vector>

#include "../support/catch.hpp"
#include "../support/strict_upstream.hpp"

using fixpool::detail::address_table;

namespace {

struct entry {
    static constexpr std::uintptr_t number_bits = 0;
    std::uintptr_t tag = 0;
    std::size_t value = 0;
};
using table = address_table<entry>;

/// A table, the entries that it should have, and the place that it has reported for each.
class watched_table {
public:
    explicit watched_table(std::pmr::memory_resource& upstream) : upstream_(upstream) {}
    ~watched_table() { table_.give_back(upstream_); }
    watched_table(const watched_table&) = delete;
    watched_table& operator=(const watched_table&) = delete;

    [[nodiscard]] auto moved() {
        return [this](const entry* from, entry& to) {
            is_told_rightly_ &= places_.at(to.tag) == from;
            places_[to.tag] = &to;
        };
    }
    void add(std::uintptr_t tag, std::size_t value) {
        table_.reserve(upstream_, moved());
        places_[tag] = &table_.insert({tag, value});
        values_[tag] = value;
    }
    void remove(std::uintptr_t tag) {
        table_.erase(*table_.find(tag), moved());
        forget(tag);
    }
    void forget(std::uintptr_t tag) {
        places_.erase(tag);
        values_.erase(tag);
    }
    /// Whether each entry is found at its reported place, and nothing else is found.
    [[nodiscard]] bool is_right() {
        bool is_right = is_told_rightly_ && table_.size() == values_.size();
        for (const auto& [tag, value] : values_) {
            const entry* const found = table_.find(tag);
            is_right &= found != nullptr && found->tag == tag && found->value == value && found == places_.at(tag);
            const entry* const at_once = table_.find_at_once(tag, 0);
            is_right &= at_once == nullptr || at_once == found;
            is_right &= values_.contains(tag + 1) || table_.find(tag + 1) == nullptr;
        }
        std::multiset<std::uintptr_t> visited;
        table_.for_each([&visited](const entry& e) { visited.insert(e.tag); });
        is_right &= visited.size() == values_.size();
        for (const std::uintptr_t tag : visited) is_right &= values_.contains(tag);
        return is_right;
    }
    [[nodiscard]] table& operator*() { return table_; }
    [[nodiscard]] const std::map<std::uintptr_t, std::size_t>& values() const { return values_; }

private:
    std::pmr::memory_resource& upstream_;
    table table_;
    std::map<std::uintptr_t, std::size_t> values_;
    std::map<std::uintptr_t, const entry*> places_;
    bool is_told_rightly_ = true;
};

constexpr int bits = sizeof(std::uintptr_t) * 8;

/// Tags whose searches all begin at one place. It uses the inverse of the tables' factor.
std::uintptr_t colliding(std::size_t i) {
    constexpr std::uint64_t inverse = bits == 64 ? 0x5aac1e5a05c4c969 : 0x272e96b7;  // of the tables' factor
    return static_cast<std::uintptr_t>(i * inverse);
}

}  // namespace

TEST_CASE("a table's entries and its first places take no memory of upstream", "[address_table]") {
    strict_upstream upstream;
    watched_table t(upstream);
    CHECK((*t).find(17) == nullptr);
    t.add(17, 1);
    t.add(18, 2);
    CHECK(upstream.asked() == 0);
    CHECK((*t).bytes() == 0);
    t.add(19, 3);
    CHECK(upstream.out() == 1);
    CHECK((*t).bytes() == upstream.bytes());
    CHECK(t.is_right());
    (*t).give_back(upstream), (*t).clear();
    CHECK(upstream.out() == 0);
    CHECK(upstream.wrong() == 0);
    CHECK((*t).size() == 0);
    for (std::uintptr_t tag = 17; tag < 20; ++tag) CHECK((*t).find(tag) == nullptr);
}

TEST_CASE("a table that was cleared is as a new one", "[address_table]") {
    strict_upstream upstream;
    watched_table t(upstream);
    for (int turn = 0; turn < 3; ++turn) {
        for (std::size_t i = 1; i <= 100; ++i) t.add(i * 4096, i);
        CHECK(t.is_right());
        (*t).give_back(upstream), (*t).clear();
        for (std::size_t i = 1; i <= 100; ++i) t.forget(i * 4096);
        CHECK(t.is_right());
        CHECK(upstream.out() == 0);
        for (std::size_t i = 1; i <= 2; ++i) t.add(i * 4096, i);
        CHECK(upstream.out() == 0);
        (*t).give_back(upstream), (*t).clear();
        for (std::size_t i = 1; i <= 2; ++i) t.forget(i * 4096);
    }
}

TEST_CASE("entries are found after any insertions and erasures, wherever their searches begin", "[address_table]") {
    for (int kind = 0; kind < 4; ++kind) {
        strict_upstream upstream;
        watched_table t(upstream);
        std::mt19937_64 source(42);
        const auto random = [&source] { return static_cast<std::size_t>(source()); };
        std::size_t fill = 3;
        bool is_right = true;
        for (std::size_t step = 0; step < 3000; ++step) {
            if (step % 500 == 0) fill = 2 + random() % 80;
            const std::size_t i = 1 + random() % 120;
            const std::uintptr_t tags[] = {colliding(i), i, i << 16, random() | 1};
            const std::uintptr_t tag = tags[kind];
            if (t.values().size() < fill) {
                if (!t.values().contains(tag)) t.add(tag, step);
            } else {
                auto chosen = t.values().begin();
                std::advance(chosen, static_cast<std::ptrdiff_t>(random() % t.values().size()));
                t.remove(chosen->first);
            }
            if (step % 16 == 0) is_right &= t.is_right();
        }
        INFO("kind " << kind);
        CHECK(is_right);
        (*t).give_back(upstream), (*t).clear();
        CHECK(upstream.out() + upstream.wrong() == 0);
    }
}

TEST_CASE("what visits a table may erase the entry that it visits: each is visited, and those that are kept stay",
          "[address_table]") {
    for (std::size_t count : {std::size_t{2}, std::size_t{8}, std::size_t{20}, std::size_t{120}}) {
        for (unsigned keep = 0; keep < 8; ++keep) {  // as many of eight
            for (const bool collide : {true, false}) {
                strict_upstream upstream;
                watched_table t(upstream);
                for (std::size_t i = 1; i <= count; ++i) t.add(collide ? colliding(i) : i * 65536 + 5, i);
                std::set<std::uintptr_t> visited;
                bool is_right = true;
                (*t).for_each([&](entry& e) {
                    const std::uintptr_t tag = e.tag;
                    is_right &= t.values().contains(tag) && e.value == t.values().at(tag);
                    visited.insert(tag);
                    if (e.value * 5 % 8 < keep) return;
                    (*t).erase(e, t.moved());
                    t.forget(tag);
                });
                CHECK(is_right);
                CHECK(visited.size() == count);
                CHECK(t.is_right());
            }
        }
    }
}

TEST_CASE("a table that gets no memory is as it was", "[address_table]") {
    for (const auto how : {strict_upstream::failure::throws, strict_upstream::failure::returns_null}) {
        if (how == strict_upstream::failure::returns_null && !strict_upstream::may_be_wrong) continue;
        strict_upstream upstream;
        watched_table t(upstream);
        for (std::size_t i = 1; i <= 200; ++i) {
            upstream.fail(0, false, how);
            try {
                t.add(i * 4096, i);
                CHECK_FALSE(upstream.has_failed());
            } catch (const std::bad_alloc&) {
                CHECK(t.is_right());
                t.add(i * 4096, i);
            }
        }
        CHECK(t.is_right());
        CHECK(upstream.asked() > upstream.out() + 3);
    }
}

TEST_CASE("searches are short: pages in a row are all found at once, and more than a third of all blocks",
          "[address_table]") {
    std::pmr::memory_resource& upstream = *std::pmr::new_delete_resource();
    const auto found_at_once = [&upstream](auto& table, std::size_t count, std::uintptr_t step, std::size_t numbers) {
        const auto nothing = [](const auto*, auto&) {};
        for (std::size_t i = 1; i <= count; ++i) {
            table.reserve(upstream, nothing);
            table.insert({i * step + i % numbers});
        }
        std::size_t at_once = 0;
        for (std::size_t i = 1; i <= count; ++i) at_once += table.find_at_once(i * step, i % numbers) != nullptr;
        table.give_back(upstream);
        return at_once;
    };
    for (const unsigned step : {1U, 2U, 16U, 32U, 48U, 64U}) {
        for (const std::size_t count : {std::size_t{3}, std::size_t{10}, std::size_t{500}, std::size_t{8000}}) {
            INFO(count << " pages at multiples of " << step << " times 4 KiB");
            address_table<fixpool::detail::page_state> pages;
            CHECK(found_at_once(pages, count, std::uintptr_t{step} << 12, 38) == count);
        }
    }
    for (const std::uintptr_t step : {16U, 48U, 4096U + 16, 16384U, 20480U}) {
        INFO("blocks at multiples of " << step);
        address_table<fixpool::detail::large_block> blocks;
        CHECK(found_at_once(blocks, 50000, step, 1) > 50000 / 3);
    }
}
