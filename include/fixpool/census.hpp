// SPDX-License-Identifier: BSL-1.0
// census: a report on the blocks in use of a pool, as text and as a picture. Opt-in; it allocates memory.
#pragma once

#include <fixpool/debug.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace fixpool::inline FIXPOOL_ABI {

template <class T, checking C> class typed_pool;
template <class T, checking C> class shared_pool;

/// A report on the blocks of a pool at one moment: `fixpool::census(pool).print()`. At debug level, it groups the
/// blocks in use by the place that allocated them. At checked level, it groups them by ranges of indices. It accepts a
/// memory_pool, typed_pool, shared_memory_pool or shared_pool of these two levels. It is independent of the pool
/// afterwards, but the file names in its sites must stay valid.
/// Thread safety: construction as the pool; then one thread at a time.
// Invariant: each element of blocks_ is `free`, `never_out`, or the number of the block's group.
class census {
public:
    /// A group of blocks in use. At debug level: all blocks that were allocated at one place. At checked level: blocks
    /// with consecutive indices.
    struct group {
        site where = site::unknown();  ///< the place; unknown at checked level
        std::size_t blocks = 0;        ///< number of blocks
        std::size_t first = 0;         ///< lowest index of a block
        std::size_t last = 0;          ///< highest index of a block
    };

    /// Reads the state of `pool`. A shared pool is locked meanwhile, and its magazines become empty.
    /// Throws: std::bad_alloc.
    /// Complexity: O(n log n) for n blocks; O(n) of it while a shared pool is locked.
    template <checking C>
    requires knows_live_blocks<C>
    explicit census(const basic_memory_pool<C>& pool)
        : census(keeps_sites<C>, pool, [&pool](census& of) { of.look(pool.list_); }) {}
    template <class T, checking C>
    requires knows_live_blocks<C>
    explicit census(const typed_pool<T, C>& pool) : census(pool.pool_) {}
    template <checking C>
    requires knows_live_blocks<C>
    explicit census(const basic_shared_memory_pool<C>& pool)
        : census(keeps_sites<C>, pool, [&pool](census& of) { of.look_at_rest(*pool.state_); }) {}
    template <class T, checking C>
    requires knows_live_blocks<C>
    explicit census(const shared_pool<T, C>& pool)
        : census(keeps_sites<C>, pool, [&pool](census& of) { of.look_at_rest(pool.objects_->blocks()); }) {}

    /// The groups: by place, the largest first; by ranges, the lowest first. Valid as long as the census.
    [[nodiscard]] std::span<const group> groups() const& noexcept { return groups_; }
    std::span<const group> groups() const&& = delete;  // fixpool: they live as long as the census: give it a name
    /// Capacity of the pool, in blocks.
    [[nodiscard]] std::size_t total_blocks() const noexcept { return blocks_.size(); }
    /// Number of blocks in use.
    [[nodiscard]] std::size_t in_use() const noexcept { return blocks_.size() - count(free) - count(never_out); }

    /// One line of counts, then one line per group, for at most 26 groups.
    [[nodiscard]] std::string text() const {
        std::string text = name_.empty() ? "pool without a name: " : "pool \"" + name_ + "\": ";
        text += std::to_string(in_use()) + " of " + std::to_string(blocks_.size()) + " blocks in use, " +
                std::to_string(count(free)) + " free, " + std::to_string(count(never_out)) + " never handed out\n";
        const std::size_t shown = std::min<std::size_t>(groups_.size(), 26);
        for (std::size_t i = 0; i < shown; ++i) text += line_of(i) + "\n";
        if (shown != groups_.size()) text += "  and " + std::to_string(groups_.size() - shown) + " more\n";
        return text;
    }

    /// A map of the pool with one character per block, in lines of 80 characters. In a large pool, a character stands
    /// for several blocks. Each line begins with the index of its first block. A legend follows.
    [[nodiscard]] std::string picture() const {
        constexpr std::size_t columns = 64, lines = 16;
        const std::size_t run = (blocks_.size() + columns * lines - 1) / (columns * lines);  // blocks
        std::string picture;
        for (std::size_t first = 0; first < blocks_.size(); first += columns * run) {
            const std::string index = std::to_string(first);
            picture += std::string(80 - columns - 1 - index.size(), ' ') + index + " ";
            for (std::size_t i = 0; i < columns; ++i)
                picture += first + i * run < blocks_.size() ? character_of(first + i * run, run) : ' ';
            picture += "\n";
        }
        picture += are_places_ ? "a to z: as above, # others, " : "# in use, ";
        if (run > 1) picture += "+ some in use, ";
        picture += ". free, - never handed out";
        return picture + (run > 1 ? "\na character for " + std::to_string(run) + " blocks\n" : "\n");
    }

    /// Prints `text()` and `picture()`.
    void print(std::FILE* to = stderr) const { std::fputs((text() + picture()).c_str(), to); }
    /// Writes `text()` and `picture()` to a stream, as `print` does.
    template <class Stream> friend auto operator<<(Stream& to, const census& of) -> decltype(to << std::string()) {
        return to << of.text() + of.picture();
    }

private:
    static constexpr std::uint32_t free = ~std::uint32_t{0}, never_out = free - 1;

    template <class Pool, class Look>
    census(bool are_places, const Pool& pool, const Look& look)
        : name_(pool.name()),
          are_places_(are_places),
          blocks_(pool.total_blocks(), never_out),
          sites_(are_places ? blocks_.size() : 0, site::unknown()) {
        look(*this);
        are_places_ ? group_by_place() : group_by_range();
        sites_ = {};
    }

    // The shared pool is locked during these functions, so they allocate nothing.
    template <class State> void look_at_rest(State& state) noexcept {
        state.at_rest([&](auto& depot) { look_at_magazines(state, look(depot.list()), depot.list().handed_out()); });
    }
    /// Marks the blocks that were never handed out to the program. Some of them were handed out to a magazine. Others
    /// lie behind `carved`, before `end`.
    template <class State> void look_at_magazines(State& state, std::size_t carved, std::size_t end) noexcept {
        const auto mark = [this](std::size_t i) { blocks_[i] = never_out; };
        if constexpr (requires { state.for_each_kept(mark); }) {
            state.for_each_kept(mark);
            for (std::size_t i = carved; i < end; ++i)
                if (state.is_fresh(i)) mark(i);
        }
    }
    /// Reads the states of all blocks. Returns the number of carved blocks (see free_list).
    std::size_t look(const detail::free_list<checking::checked>& list) noexcept {
        std::size_t carved = list.out();
        const detail::list_audit stack(list);
        stack.for_each_free([&](std::size_t) { ++carved; });
        for (std::size_t i = 0; i < list.handed_out(); ++i) blocks_[i] = i < carved ? 0 : free;
        stack.for_each_free([&](std::size_t i) { blocks_[i] = free; });
        return carved;
    }
    std::size_t look(const detail::debug_list& list) noexcept {
        list.for_each_carved([this](std::size_t i, bool is_free, const site& where) {
            blocks_[i] = is_free ? free : 0;
            sites_[i] = where;
        });
        return list.handed_out();
    }

    void group_by_range() {
        for (std::size_t i = 0; i < blocks_.size(); ++i) {
            if (blocks_[i] >= never_out) continue;
            if (groups_.empty() || groups_.back().last + 1 != i) groups_.push_back({.first = i});
            ++groups_.back().blocks;
            groups_.back().last = i;
        }
    }

    void group_by_place() {
        const auto is_before = [](const site& a, const site& b) { return detail::order_of_places(a, b) < 0; };
        std::map<site, group, decltype(is_before)> places(is_before);
        for (std::size_t i = 0; i < blocks_.size(); ++i) {
            if (blocks_[i] >= never_out) continue;
            group& found = places.try_emplace(sites_[i], group{sites_[i], 0, i, i}).first->second;
            ++found.blocks;
            found.last = i;
        }
        for (const auto& [where, found] : places) groups_.push_back(found);
        std::sort(groups_.begin(), groups_.end(), [&](const group& a, const group& b) {
            return a.blocks != b.blocks ? a.blocks > b.blocks : is_before(a.where, b.where);
        });
        for (std::size_t i = 0; i < groups_.size(); ++i) places[groups_[i].where].first = i;  // the group's number
        for (std::size_t i = 0; i < blocks_.size(); ++i)
            if (blocks_[i] < never_out) blocks_[i] = static_cast<std::uint32_t>(places[sites_[i]].first);
    }

    [[nodiscard]] std::size_t count(std::uint32_t what) const noexcept {
        return static_cast<std::size_t>(std::count(blocks_.begin(), blocks_.end(), what));
    }

    [[nodiscard]] std::string line_of(std::size_t number) const {
        const group& g = groups_[number];
        if (!are_places_) {
            if (g.blocks == 1) return "  1 block: " + std::to_string(g.first);
            return "  " + std::to_string(g.blocks) + " blocks: " + std::to_string(g.first) + " to " +
                   std::to_string(g.last);
        }
        detail::text_line line;
        return std::string(1, letter(number)) + " " +
               detail::add_holder(line, {.where = g.where, .blocks = g.blocks}).c_str();
    }

    [[nodiscard]] static char letter(std::size_t number) noexcept { return "abcdefghijklmnopqrstuvwxyz"[number]; }

    /// The character for `run` blocks: all in one group, all in use, some in use, free, or never handed out.
    [[nodiscard]] char character_of(std::size_t first, std::size_t run) const noexcept {
        const auto begin = blocks_.begin() + static_cast<std::ptrdiff_t>(first);
        const auto end = begin + static_cast<std::ptrdiff_t>(std::min(run, blocks_.size() - first));
        const auto held = std::count_if(begin, end, [](std::uint32_t block) { return block < never_out; });
        if (held == 0) return std::count(begin, end, never_out) == end - begin ? '-' : '.';
        if (held != end - begin) return '+';
        const bool is_one = are_places_ && *begin < 26 && std::count(begin, end, *begin) == end - begin;
        return is_one ? letter(*begin) : '#';
    }

    std::string name_;
    bool are_places_;                    // the groups are places, not ranges
    std::vector<std::uint32_t> blocks_;  // per block: number of its group, `free` or `never_out`
    std::vector<site> sites_;            // per block: its place, during construction
    std::vector<group> groups_;
};

}  // namespace fixpool::inline FIXPOOL_ABI
