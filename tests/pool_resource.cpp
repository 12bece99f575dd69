// SPDX-License-Identifier: BSL-1.0
#include <fixpool/pool_resource.hpp>

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <set>
#include <string>
#include <vector>

#include "support/catch.hpp"

using fixpool::checking;
using fixpool::pool_resource;
using fixpool::violation;
using fixpool::violation_kind;
using unchecked_resource = fixpool::basic_pool_resource<checking::unchecked>;

namespace {

/// A violation that outlives the handler's call, with its texts.
struct told {
    violation v;
    std::string name, problem;
};

/// What a resource with these options tells.
class listener {
public:
    [[nodiscard]] fixpool::resource_options options(const char* name = "") {
        return {.name = name, .on_violation = &hear, .context = this};
    }
    [[nodiscard]] const std::vector<told>& all() const { return all_; }
    /// The only violation since the last call. Its kind is that of no misuse of a resource if there was none, or more.
    violation only() {
        const violation one = all_.size() == 1 ? all_[0].v : violation{.kind = violation_kind::leak};
        problem = all_.empty() ? "" : all_[0].problem;
        name = all_.empty() ? "" : all_[0].name;
        all_.clear();
        return one;
    }
    [[nodiscard]] bool is_silent() const { return all_.empty(); }

    std::string problem, name;  // of the only violation

private:
    static void hear(const violation& v) {
        static_cast<listener*>(v.context)->all_.push_back({v, v.pool_name, v.problem});
    }
    std::vector<told> all_;
};

/// An address that may be nobody's: no arithmetic of pointers.
void* at(const void* from, std::ptrdiff_t offset) {
    return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(from) + static_cast<std::uintptr_t>(offset));
}

std::vector<void*> take(std::pmr::memory_resource& from, std::size_t count, std::size_t bytes, std::size_t align = 8) {
    std::vector<void*> blocks(count);
    for (void*& block : blocks) block = from.allocate(bytes, align);
    return blocks;
}

void put(std::pmr::memory_resource& to, const std::vector<void*>& blocks, std::size_t bytes, std::size_t align = 8) {
    for (void* const block : blocks) to.deallocate(block, bytes, align);
}

}  // namespace

TEST_CASE("a second release of a resource's block is a double free, the first block of a page included",
          "[pool_resource]") {
    listener heard;
    pool_resource resource(std::pmr::get_default_resource(), heard.options());
    const std::vector<void*> blocks = take(resource, 3, 24);
    for (std::size_t i = 0; i < 3; ++i) {
        resource.deallocate(blocks[i], 24, 8);
        CHECK(heard.is_silent());
        for (int again = 0; again < 2; ++again) {
            resource.deallocate(blocks[i], 24, 8);
            const violation v = heard.only();
            CHECK(v.kind == violation_kind::double_free);
            CHECK(v.index == i);
            CHECK(v.live_blocks == 2 - i);
        }
    }
    const std::vector<void*> all = take(resource, 170, 24);  // of a page and the next
    CHECK(std::set<void*>(all.begin(), all.end()).size() == 170);
}

TEST_CASE("what a page has handed out is told from what it has not, also after the page started anew",
          "[pool_resource]") {
    listener heard;
    pool_resource resource(std::pmr::get_default_resource(), heard.options());
    const std::size_t used = 70;  // of 96 that are prepared by then
    void* const first = resource.allocate(24, 8);
    resource.deallocate(first, 24, 8);
    for (int turn = 0; turn < 3; ++turn) {
        for (const std::size_t out : {used, std::size_t{10}}) {
            const std::vector<void*> blocks = take(resource, out, 24);
            for (std::size_t i = out; i < 128; ++i) {
                resource.deallocate(at(first, static_cast<std::ptrdiff_t>(i * 24)), 24, 8);
                const violation v = heard.only();
                CHECK(v.kind == (i < used ? violation_kind::double_free : violation_kind::not_allocated));
                CHECK(v.index == i);
            }
            fixpool::pool_stats counts;
            resource.for_each_pool([&counts](const fixpool::pool_stats& s) { counts = s; });
            CHECK(counts.peak_in_use == used);
            put(resource, blocks, 24);
        }
    }
    CHECK(heard.is_silent());
}
