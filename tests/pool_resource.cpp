// SPDX-License-Identifier: BSL-1.0
#include <fixpool/pool_resource.hpp>

#include <fixpool/debug_pages.hpp>
#include <fixpool/memory_pool.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <initializer_list>
#include <list>
#include <map>
#include <memory_resource>
#include <new>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/resource_blocks.hpp"
#include "support/resource_model.hpp"
#include "support/violations.hpp"

using fixpool::checking;
using fixpool::pool_resource;
using fixpool::violation;
using fixpool::violation_kind;
using unchecked_resource = fixpool::basic_pool_resource<checking::unchecked>;

namespace {

/// A violation with copies of its texts. It outlives the call of the handler.
struct told {
    violation v;
    std::string name, problem;
};

/// Records the violations of a resource that has these options.
class listener {
public:
    [[nodiscard]] fixpool::resource_options options(const char* of = "") {
        return {.name = of, .on_violation = &hear, .context = this};
    }
    [[nodiscard]] const std::vector<told>& all() const { return all_; }
    /// The only violation since the last call. If there was none, or more, it has a kind that no resource reports.
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
    const std::vector<void*> all = take(resource, 170, 24);  // from one page and the next
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

namespace {

using sizes = std::initializer_list<std::size_t>;

/// Every size of blocks.
std::vector<std::size_t> all_classes() {
    std::vector<std::size_t> all;
    for (std::size_t size = 8; size <= 16384; size = model::block_size_for(size + 1)) all.push_back(size);
    return all;
}

fixpool::pool_stats counts_of(const auto& resource, std::size_t stride) {
    fixpool::pool_stats found;
    resource.for_each_pool([&](const fixpool::pool_stats& s) {
        if (s.stride == stride) found = s;
    });
    return found;
}

/// A resource for blocks of up to 16384 bytes on a strict upstream.
template <checking C = checking::checked> struct watched {
    explicit watched(std::size_t max_blocks = 0, std::size_t largest = 16384)
        : resource(std::pmr::pool_options{.max_blocks_per_chunk = max_blocks, .largest_required_pool_block = largest},
                   &upstream, heard.options("watched")) {}
    listener heard;
    strict_upstream upstream;
    fixpool::basic_pool_resource<C> resource;
};

}  // namespace

// Promises that are checked at compile time.
template <class Resource> static constexpr bool keeps_contract() {
    static_assert(std::is_base_of_v<std::pmr::memory_resource, Resource>);
    static_assert(!std::is_copy_constructible_v<Resource> && !std::is_copy_assignable_v<Resource>);
    static_assert(std::is_nothrow_default_constructible_v<Resource>);
    static_assert(!std::is_convertible_v<std::pmr::memory_resource*, Resource>);
    static_assert(!std::is_convertible_v<std::pmr::pool_options, Resource>);
    static_assert(noexcept(std::declval<Resource&>().release())&& noexcept(std::declval<Resource&>().shrink()));
    static_assert(noexcept(std::declval<const Resource&>().options())&& noexcept(std::declval<Resource&>().name()));
    static_assert(noexcept(std::declval<const Resource&>().upstream_resource()));
    return true;
}
static_assert(keeps_contract<pool_resource>() && keeps_contract<unchecked_resource>());
static_assert(!std::is_constructible_v<pool_resource, std::nullptr_t>);
static_assert(!std::is_constructible_v<pool_resource, std::nullptr_t, fixpool::resource_options>);

template <class Resource>
concept takes_braces_for_upstream = requires {
    Resource({}, fixpool::resource_options{});
};
static_assert(!takes_braces_for_upstream<pool_resource>);

TEST_CASE("a double free is found although others of the page, and of other pages, were freed between",
          "[pool_resource]") {
    watched w;
    const std::vector<void*> blocks = take(w.resource, 3000, 48);  // from three pages
    std::size_t out = 3000;
    for (const std::size_t i : sizes{1, 70, 100, 1500, 2999}) {
        for (const std::size_t released : {i, i - 1}) w.resource.deallocate(blocks[released], 48, 8);
        out -= 2;
        w.resource.deallocate(blocks[i], 48, 8);
        CHECK(w.heard.only().kind == violation_kind::double_free);
        CHECK(counts_of(w.resource, 48).in_use == out);
    }
    const std::vector<void*> rest = take(w.resource, 1000, 48);
    CHECK(std::set<void*>(rest.begin(), rest.end()).size() == 1000);
}

TEST_CASE("a second release of the only block of a page is a double free", "[pool_resource]") {
    watched w(1);
    void* const block = w.resource.allocate(100, 8);
    for (int turn = 0; turn < 3; ++turn) {
        w.resource.deallocate(block, 100, 8);
        CHECK(w.heard.is_silent());
        w.resource.deallocate(block, 100, 8);
        const violation v = w.heard.only();
        CHECK(v.kind == violation_kind::double_free);
        CHECK(v.index == 0);
        CHECK(v.total_blocks == 1);
        CHECK(v.live_blocks == 0);
        CHECK(w.resource.allocate(100, 8) == block);
    }
}

TEST_CASE("a stale pointer releases the new owner's block of a resource, whose release is then the double free",
          "[pool_resource]") {
    watched w(1);
    void* const block = w.resource.allocate(8, 8);
    w.resource.deallocate(block, 8, 8);
    CHECK(w.resource.allocate(8, 8) == block);
    w.resource.deallocate(block, 8, 8);  // by its first owner
    CHECK(w.heard.is_silent());
    w.resource.deallocate(block, 8, 8);
    CHECK(w.heard.only().kind == violation_kind::double_free);
}

TEST_CASE("a pointer into a resource's block is misaligned, its index that block's", "[pool_resource]") {
    for (const std::size_t size : sizes{8, 24, 112, 160, 1280, 16384}) {
        watched w;
        std::vector<void*> blocks = take(w.resource, 70, size);
        std::sort(blocks.begin(), blocks.end());
        bool are_all = true;
        for (std::size_t offset = 1; offset < size; ++offset) {
            w.resource.deallocate(at(blocks[1], static_cast<std::ptrdiff_t>(offset)), size, 8);
            const violation v = w.heard.only();
            are_all &= v.kind == violation_kind::misaligned_pointer && v.index == 1;
        }
        CHECK(are_all);
        put(w.resource, blocks, size);
        CHECK(w.heard.is_silent());
    }
}

TEST_CASE("behind a page's last block, and before its first, an address is foreign", "[pool_resource]") {
    for (const std::size_t most : sizes{1, 2, 3, 100}) {
        for (const std::size_t size : sizes{8, 24, 5120}) {
            watched w(most);
            void* const first = w.resource.allocate(size, 8);
            const std::size_t blocks = counts_of(w.resource, size).total_blocks;
            CHECK(blocks <= most);
            const auto end = static_cast<std::ptrdiff_t>(blocks * size);
            for (const std::ptrdiff_t offset : std::initializer_list<std::ptrdiff_t>{
                     end, end + 1, end + 8, end + static_cast<std::ptrdiff_t>(size), -1, -8, 65536, 4096000}) {
                w.resource.deallocate(at(first, offset), size, 8);
                const violation v = w.heard.only();
                CHECK(v.kind == violation_kind::foreign_pointer);
                CHECK(v.index == violation::npos);
                CHECK(v.total_blocks == blocks);
                CHECK(v.live_blocks == 1);
            }
            if (blocks == 1) continue;
            w.resource.deallocate(at(first, end - static_cast<std::ptrdiff_t>(size)), size, 8);
            CHECK(w.heard.only().kind == violation_kind::not_allocated);
        }
    }
}

TEST_CASE("an address that is nobody's is foreign to a resource, and never read", "[pool_resource]") {
    watched w;
    watched other;
    int local = 0;
    static int global = 0;
    const std::vector<int> heap(100);
    void* const others = other.resource.allocate(24, 8);
    const std::vector<void*> nobodys = {&local,
                                        &global,
                                        const_cast<int*>(heap.data()),
                                        others,
                                        &w,
                                        &w.resource,
                                        reinterpret_cast<void*>(&counts_of<pool_resource>),
                                        at(nullptr, 1),
                                        at(nullptr, 8),
                                        at(nullptr, 4095),
                                        at(nullptr, 4096),
                                        at(nullptr, 65535),
                                        at(nullptr, -1),
                                        at(nullptr, -8),
                                        at(nullptr, -65536),
                                        at(nullptr, -4096)};
    for (const std::size_t out : sizes{0, 1, 5000}) {  // without a page, with one, with some
        std::size_t in_use = 0, blocks = 0;
        for (std::size_t size = 8; size < 64 && out != 0; size += 16) static_cast<void>(take(w.resource, out, size));
        w.resource.for_each_pool([&](const fixpool::pool_stats& s) {
            in_use += s.in_use;
            blocks += s.total_blocks;
        });
        for (void* const pointer : nobodys) {
            for (std::size_t size : all_classes()) {
                w.resource.deallocate(pointer, size, 8);
                const violation v = w.heard.only();
                CHECK((v.kind == violation_kind::foreign_pointer && v.index == violation::npos));
                CHECK((v.total_blocks == blocks && v.live_blocks == in_use));
            }
            w.resource.deallocate(pointer, 20000, 8);  // as a large block
            CHECK(w.heard.only().kind == violation_kind::foreign_pointer);
        }
    }
    other.resource.deallocate(others, 24, 8);
    CHECK(other.heard.is_silent());
}

TEMPLATE_TEST_CASE_SIG(
    "nullptr is released to a resource without effect, in each class, before there are pages and after",
    "[pool_resource]", ((checking C), C), checking::unchecked, checking::checked, checking::debug) {
    if (!strict_upstream::may_be_wrong) return;  // libstdc++ promises none does: UndefinedBehaviorSanitizer
    void* volatile nothing = nullptr;
    watched<C> w;
    for (int turn = 0; turn < 3; ++turn) {
        for (const std::size_t size : all_classes()) w.resource.deallocate(nothing, size, 8);
        for (const std::size_t size : sizes{0, 1, 20000}) w.resource.deallocate(nothing, size, 8);
        w.resource.deallocate(nothing, 8, 65536);
        for (const std::size_t size : all_classes()) static_cast<void>(w.resource.allocate(size, 8));
        static_cast<void>(w.resource.allocate(20000, 8));
        std::size_t in_use = 0;
        w.resource.for_each_pool([&in_use](const fixpool::pool_stats& s) { in_use += s.in_use; });
        const std::size_t pooled =
            C == checking::debug ? 37 : 38;  // frames of debug level are no larger than the others
        CHECK(in_use == pooled * (static_cast<std::size_t>(turn) + 1));
    }
    CHECK(w.heard.is_silent());
}

TEST_CASE("between any two classes, and large ones, another size is a mismatch, and the block stays in use",
          "[pool_resource]") {
    watched w;
    std::vector<std::size_t> all = all_classes();
    for (const std::size_t large : sizes{16385, 20000, 100000}) all.push_back(large);
    for (const std::size_t own : all) {
        void* const block = w.resource.allocate(own, 8);
        bool are_all = true;
        for (const std::size_t other : all) {
            if (other == own) continue;
            w.resource.deallocate(block, other, 8);
            const violation v = w.heard.only();
            are_all &= v.kind == violation_kind::size_mismatch && v.address == block;
            are_all &= v.index == (own > 16384 ? violation::npos : 0);
            are_all &= w.heard.problem ==
                       "it has " + std::to_string(own) + " bytes, and was released with " + std::to_string(other);
        }
        INFO(own << " bytes");
        CHECK(are_all);
        w.resource.deallocate(block, own, 8);
        CHECK(w.heard.is_silent());
    }
    std::size_t in_use = 0;
    w.resource.for_each_pool([&in_use](const fixpool::pool_stats& s) { in_use += s.in_use; });
    CHECK(in_use == 0);
    w.resource.shrink();
    CHECK(w.upstream.out() <= 2);  // the tables
}

TEST_CASE("sizes of one class are as good as each other", "[pool_resource]") {
    watched w;
    for (std::size_t size = 1; size <= 2000; ++size)
        w.resource.deallocate(w.resource.allocate(size, 1), model::block_size_for(size), 8);
    CHECK(w.heard.is_silent());
}

TEST_CASE("another alignment is a mismatch where it takes other blocks, and the report says that it is that",
          "[pool_resource]") {
    watched w;
    void* const block = w.resource.allocate(20, 8);
    w.resource.deallocate(block, 20, 16);
    CHECK(w.heard.only().kind == violation_kind::size_mismatch);
    CHECK(w.heard.problem == "it has 24 bytes, and was released with 20 of another alignment");
    w.resource.deallocate(block, 20, 1);
    CHECK(w.heard.is_silent());
    void* const large = w.resource.allocate(20000, 64);
    w.resource.deallocate(large, 20000, 8);
    CHECK(w.heard.only().kind == violation_kind::size_mismatch);
    CHECK(w.heard.problem == "it has 20000 bytes, and was released with 20000 of another alignment");
    w.resource.deallocate(large, 20000, 64);
    CHECK(w.heard.is_silent());
    void* const empty = w.resource.allocate(0, 65536);
    w.resource.deallocate(empty, 8, 65536);
    CHECK(w.heard.only().kind == violation_kind::size_mismatch);
    w.resource.deallocate(empty, 0, 65536);
    CHECK(w.heard.is_silent());
}

TEST_CASE("a large block that was released is foreign, and so is an address in one", "[pool_resource]") {
    watched w;
    void* const block = w.resource.allocate(20000, 8);
    w.resource.deallocate(at(block, 8), 20000, 8);
    CHECK(w.heard.only().kind == violation_kind::foreign_pointer);
    w.resource.deallocate(at(block, 8), 8, 8);
    CHECK(w.heard.only().kind == violation_kind::foreign_pointer);
    w.resource.deallocate(block, 20000, 8);
    CHECK(w.heard.is_silent());
    w.resource.deallocate(block, 20000, 8);
    CHECK(w.heard.only().kind == violation_kind::foreign_pointer);
    CHECK(w.upstream.wrong() == 0);
}

TEST_CASE("the blocks of a class's small first page are found when there are large pages", "[pool_resource]") {
    for (const std::size_t size : all_classes()) {
        watched w;
        void* const first = w.resource.allocate(size, 8);
        const std::size_t few = counts_of(w.resource, size).total_blocks;
        const std::vector<void*> more = take(w.resource, 3 * few + 1, size);
        INFO(size << " bytes, " << few << " in the first page");
        CHECK(w.upstream.size_of(first) <= std::max<std::size_t>(4096, 8 * size));
        w.resource.deallocate(at(first, 1), size, 8);
        CHECK(w.heard.only().kind == violation_kind::misaligned_pointer);
        w.resource.deallocate(first, size, 8);
        CHECK(w.heard.is_silent());
        w.resource.deallocate(first, size, 8);
        CHECK(w.heard.only().kind == violation_kind::double_free);
        put(w.resource, more, size);
        CHECK(w.heard.is_silent());
        CHECK(counts_of(w.resource, size).in_use == 0);
    }
}

TEST_CASE("a violation of a resource names it, its handler's context and the block's page", "[pool_resource]") {
    watched w;
    const std::vector<void*> blocks = take(w.resource, 40, 64);
    w.resource.deallocate(blocks[7], 64, 8);
    w.resource.deallocate(blocks[7], 64, 8);
    const violation v = w.heard.only();
    CHECK(v.pool == &w.resource);
    CHECK(w.heard.name == "watched");
    CHECK(std::string(w.resource.name()) == "watched");
    CHECK(v.context == &w.heard);
    CHECK(v.address == blocks[7]);
    CHECK(v.index == 7);
    CHECK(v.total_blocks == 64);  // of a page of 4096 bytes
    CHECK(v.live_blocks == 39);
    CHECK(w.heard.problem.empty());
    CHECK(v.allocated_at.file == nullptr);
    CHECK(v.released_at.file == nullptr);
}

TEST_CASE("a resource without a handler calls that of the image, the one with a handler its own", "[pool_resource]") {
    recorded_violations of_image;
    listener heard;
    int local = 0;
    pool_resource without;
    without.deallocate(&local, 8, 8);
    CHECK(of_image.count() == 1);
    CHECK(of_image.last().pool == &without);
    CHECK(std::string(without.name()).empty());
    pool_resource with(std::pmr::get_default_resource(), heard.options());
    with.deallocate(&local, 8, 8);
    CHECK(of_image.count() == 0);
    CHECK(heard.only().pool == &with);
}

TEST_CASE("a handler may use the resource that it is told of", "[pool_resource]") {
    struct user {
        pool_resource* resource = nullptr;
        std::vector<void*> taken = {};
    } self;
    pool_resource resource(std::pmr::get_default_resource(), {.on_violation =
                                                                  [](const violation& v) {
                                                                      auto& u = *static_cast<user*>(v.context);
                                                                      u.taken = take(*u.resource, 1000, 24);
                                                                      u.resource->shrink();
                                                                  },
                                                              .context = &self});
    self.resource = &resource;
    void* const block = resource.allocate(24, 8);
    resource.deallocate(block, 24, 8);
    resource.deallocate(block, 24, 8);
    CHECK(self.taken.size() == 1000);
    put(resource, self.taken, 24);
    CHECK(counts_of(resource, 24).in_use == 0);
}

TEMPLATE_TEST_CASE_SIG("each size and alignment is served: aligned, writable as a whole, apart from all others",
                       "[pool_resource]", ((checking C), C), checking::unchecked, checking::checked, checking::debug) {
    watched<C> w;
    const std::size_t step = turns(1) == 1 ? 1 : 97;
    for (std::size_t alignment = 1; alignment <= 65536; alignment *= 2) {
        std::map<std::uintptr_t, std::size_t> out;
        bool is_aligned = true, is_intact = true;
        for (std::size_t bytes = 0; bytes <= 20000; bytes += bytes < 300 ? 1 : 61 * step) {
            auto* const block = static_cast<unsigned char*>(w.resource.allocate(bytes, alignment));
            is_aligned &= reinterpret_cast<std::uintptr_t>(block) % alignment == 0;
            std::fill(block, block + bytes, static_cast<unsigned char>(bytes));
            is_aligned &= out.emplace(reinterpret_cast<std::uintptr_t>(block), bytes).second;
        }
        for (const auto& [address, bytes] : out) {
            const auto* const block = reinterpret_cast<const unsigned char*>(address);
            is_intact &= std::all_of(block, block + bytes,
                                     [b = bytes](unsigned char c) { return c == static_cast<unsigned char>(b); });
            w.resource.deallocate(reinterpret_cast<void*>(address), bytes, alignment);
        }
        INFO("alignment " << alignment);
        CHECK(is_aligned);
        CHECK(is_intact);
    }
    for (std::size_t bytes = 0; bytes <= 20000; ++bytes) w.resource.deallocate(w.resource.allocate(bytes), bytes);
    CHECK(w.heard.is_silent());
    w.resource.release();
    CHECK(w.upstream.out() + w.upstream.wrong() == 0);
}

TEST_CASE("what is larger than the options say goes to upstream, one by one, and comes back", "[pool_resource]") {
    const std::pair<std::size_t, std::size_t> largest[] = {{0, 4096},      {1, 8},         {8, 8},
                                                           {9, 16},        {100, 112},     {1025, 1280},
                                                           {16384, 16384}, {16385, 16384}, {SIZE_MAX, 16384}};
    for (const auto& [asked, given] : largest) {
        watched w(0, asked);
        CHECK(w.resource.options().largest_required_pool_block == given);
        void* const pooled = w.resource.allocate(given, 1);
        CHECK(w.upstream.start_of(pooled) != nullptr);
        CHECK(w.upstream.size_of(pooled) >= 4096);
        const std::size_t out = w.upstream.out();
        void* const large = w.resource.allocate(given + 1, 4);
        CHECK(w.upstream.size_of(large) == given + 1);
        CHECK(w.upstream.out() == out + 1);
        w.resource.deallocate(large, given + 1, 4);
        CHECK(w.upstream.out() == out);
        const std::size_t alignment = 2 * std::bit_ceil(std::max<std::size_t>(given, 16));
        void* const aligned = w.resource.allocate(1, alignment);
        CHECK(w.upstream.size_of(aligned) == 1);
        w.resource.deallocate(aligned, 1, alignment);
        CHECK(w.upstream.out() == out);
        CHECK(w.upstream.wrong() == 0);
    }
}

TEST_CASE("a page has at most as many blocks as the options say, and takes no more memory than it has to",
          "[pool_resource]") {
    const std::pair<std::size_t, std::size_t> blocks[] = {{0, 8192},    {1, 1},       {2, 2},
                                                          {8192, 8192}, {8193, 8192}, {SIZE_MAX, 8192}};
    for (const auto& [asked, given] : blocks) CHECK(watched(asked).resource.options().max_blocks_per_chunk == given);
    for (const std::size_t most : sizes{0, 1, 2, 3, 1000}) {
        for (const std::size_t size : all_classes()) {
            watched w(most);
            static_cast<void>(w.resource.allocate(size, 8));
            const std::size_t first = counts_of(w.resource, size).total_blocks;
            static_cast<void>(take(w.resource, first, size));
            const std::size_t second = counts_of(w.resource, size).total_blocks - first;
            INFO("at most " << most << ", " << size << " bytes");
            CHECK((first >= 1 && second >= first));
            CHECK((most == 0 || second <= most));
            if (most != 0 && most * size < 65536) CHECK(second == most);
            if (most == 0) CHECK(second == 65536 / size);
            if (most == 0) CHECK(first == std::max<std::size_t>(4096, 1 << std::bit_width(4 * size - 1)) / size);
        }
    }
}

TEST_CASE("8192 blocks of a page are handed out once each and come back", "[pool_resource]") {
    watched w;
    for (int turn = 0; turn < 2; ++turn) {
        const std::vector<void*> blocks = take(w.resource, 512 + 8192, 8);
        CHECK(std::set<void*>(blocks.begin(), blocks.end()).size() == 512 + 8192);
        CHECK(counts_of(w.resource, 8).total_blocks == 512 + 8192);
        CHECK(counts_of(w.resource, 8).in_use == 512 + 8192);
        void* last = nullptr;  // from the large page
        for (void* const block : blocks)
            if (w.upstream.size_of(block) == 65536) last = std::max(last, block);
        put(w.resource, blocks, 8);
        w.resource.deallocate(last, 8, 8);
        const violation v = w.heard.only();
        CHECK(v.kind == violation_kind::double_free);
        CHECK(v.total_blocks == 8192);
        CHECK(v.index == 8191);
        CHECK(counts_of(w.resource, 8).in_use == 0);
    }
}

TEST_CASE("what a size class serves: sizes up to its own, a multiple of each alignment that its size is a multiple of",
          "[pool_resource]") {
    for (const std::size_t size : all_classes()) {
        for (std::size_t alignment = 1; alignment <= size; alignment *= 2) {
            watched w;
            void* const block = w.resource.allocate(size, alignment);
            const std::size_t served =
                size % alignment == 0 ? size : model::block_size_for((size + alignment - 1) / alignment * alignment);
            INFO(size << " bytes at " << alignment);
            if (served <= 16384) CHECK(counts_of(w.resource, served).in_use == 1);
            w.resource.deallocate(block, size, alignment);
            CHECK(w.heard.is_silent());
        }
    }
}

TEMPLATE_TEST_CASE_SIG("0 bytes are a block like another", "[pool_resource]", ((checking C), C), checking::unchecked,
                       checking::checked, checking::debug) {
    watched<C> w;
    std::set<void*> blocks;
    for (int i = 0; i < 1000; ++i) blocks.insert(w.resource.allocate(0, 1));
    CHECK(blocks.size() == 1000);
    for (void* const block : blocks) w.resource.deallocate(block, 0, 1);
    void* const aligned = w.resource.allocate(0, 4096);
    CHECK(reinterpret_cast<std::uintptr_t>(aligned) % 4096 == 0);
    w.resource.deallocate(aligned, 0, 4096);
    CHECK(w.heard.is_silent());
    std::size_t in_use = 0;
    w.resource.for_each_pool([&in_use](const fixpool::pool_stats& s) { in_use += s.in_use; });
    CHECK(in_use == 0);
}

TEST_CASE("a container that was dropped and is built anew gets its nodes in order of addresses", "[pool_resource]") {
    watched w;
    std::mt19937 random(1);
    for (int turn = 0; turn < 3; ++turn) {
        std::pmr::list<std::array<int, 4>> list(&w.resource);
        const auto descents = [&list] {
            std::size_t count = 0;
            const void* last = nullptr;
            for (const auto& element : list) {
                count += std::less<const void*>()(&element, last);
                last = &element;
            }
            return count;
        };
        for (int i = 0; i < 10000; ++i) list.emplace_back();
        std::size_t pages = 1;  // the small page
        w.resource.for_each_pool(
            [&pages](const fixpool::pool_stats& s) { pages += s.total_blocks * s.stride / 65536 + 1; });
        CHECK(descents() < pages);  // one less than the number of pages
        std::vector<std::pmr::list<std::array<int, 4>>::iterator> nodes;
        for (auto node = list.begin(); node != list.end(); ++node) nodes.push_back(node);
        std::shuffle(nodes.begin(), nodes.end(), random);  // as in a program that has run for a while
        for (const auto node : nodes) list.erase(node);
    }
}

TEST_CASE("a page of which few blocks were in use hands out what was released, and nothing new", "[pool_resource]") {
    watched w;
    std::set<void*> seen;
    for (int turn = 0; turn < 100; ++turn) {
        const std::vector<void*> blocks = take(w.resource, 10, 128);
        seen.insert(blocks.begin(), blocks.end());
        put(w.resource, blocks, 128);
    }
    CHECK(seen.size() <= 64);
}

TEST_CASE("a page hands out what was free before what was released meanwhile, the last released first",
          "[pool_resource]") {
    watched w;
    const std::vector<void*> blocks = take(w.resource, 10, 64);
    put(w.resource, blocks, 64);
    std::vector<void*> others = take(w.resource, 22, 64);  // the rest of a batch of 32
    for (const void* const block : others) CHECK(std::find(blocks.begin(), blocks.end(), block) == blocks.end());
    CHECK(take(w.resource, 10, 64) == std::vector<void*>(blocks.rbegin(), blocks.rend()));
    CHECK(w.resource.allocate(64, 8) > others.back());
}

TEST_CASE("a page of at most 64 blocks does not start anew", "[pool_resource]") {
    watched w;
    const std::vector<void*> blocks = take(w.resource, 64, 64);  // from a page of 4096 bytes
    std::vector<void*> others = take(w.resource, 1024, 64);
    CHECK(w.upstream.start_of(blocks.front()) == w.upstream.start_of(blocks.back()));
    CHECK(w.upstream.start_of(blocks.front()) != w.upstream.start_of(others.front()));
    put(w.resource, blocks, 64);
    CHECK(take(w.resource, 64, 64) == std::vector<void*>(blocks.rbegin(), blocks.rend()));
}

TEST_CASE("pages that have free blocks again are used before a new one, the one that waits longest first",
          "[pool_resource]") {
    watched w(2);
    const std::vector<void*> blocks = take(w.resource, 20, 1024);  // from ten pages
    const std::size_t pages = counts_of(w.resource, 1024).total_blocks;
    for (const std::size_t i : sizes{6, 2, 14, 10}) w.resource.deallocate(blocks[i], 1024, 8);
    CHECK(take(w.resource, 4, 1024) == std::vector<void*>{blocks[6], blocks[2], blocks[14], blocks[10]});
    CHECK(counts_of(w.resource, 1024).total_blocks == pages);
    static_cast<void>(w.resource.allocate(1024, 8));
    CHECK(counts_of(w.resource, 1024).total_blocks == pages + 2);
}

TEST_CASE("after shrink, a class without pages starts with a small one again; others get large ones",
          "[pool_resource]") {
    for (const std::size_t size : sizes{24, 1024}) {
        watched w(8192);
        const auto total = [&w, size] { return counts_of(w.resource, size).total_blocks; };
        std::vector<void*> in_small = take(w.resource, 1, size);
        const std::size_t small = total();
        for (void* const block : take(w.resource, small - 1, size)) in_small.push_back(block);
        std::vector<void*> in_large = take(w.resource, 1, size);
        const std::size_t large = total() - small;
        REQUIRE(small < large);

        put(w.resource, in_large, size);  // the small page stays
        w.resource.shrink();
        CHECK(total() == small);
        in_large = take(w.resource, large + 1, size);  // from two pages
        CHECK(total() == small + 2 * large);

        put(w.resource, in_small, size);  // large ones stay
        w.resource.shrink();
        CHECK(total() == 2 * large);
        for (void* const block : take(w.resource, large, size)) in_large.push_back(block);
        CHECK(total() == 3 * large);

        put(w.resource, in_large, size);
        w.resource.shrink();
        CHECK(total() == 0);
        put(w.resource, take(w.resource, 1, size), size);
        CHECK(total() == small);
        CHECK(w.heard.is_silent());
    }
}

TEST_CASE("shrink does not forget how many allocations were refused", "[pool_resource]") {
    watched w(100);
    w.upstream.fail(0, false);
    CHECK_THROWS_AS(w.resource.allocate(64), std::bad_alloc);
    static_cast<void>(w.resource.allocate(64));
    w.resource.shrink();
    CHECK(counts_of(w.resource, 64).refused == 1);
}

TEST_CASE("shrink gives back the pages that are empty, and no others", "[pool_resource]") {
    for (const std::size_t size : sizes{8, 24, 1024, 16384}) {
        watched w(100);
        std::vector<void*> blocks = take(w.resource, 1000, size);
        std::map<void*, std::vector<void*>> pages;
        for (void* const block : blocks) pages[w.upstream.start_of(block)].push_back(block);
        std::vector<void*> kept;
        std::size_t number = 0, given_back = 0;
        for (auto& [page, of_page] : pages) {
            const std::size_t kind = number++ % 3;  // a page stays for one block, for all of them, or not at all
            const auto first_kept = kind == 0 ? of_page.end() - 1 : kind == 1 ? of_page.begin() : of_page.end();
            kept.insert(kept.end(), first_kept, of_page.end());
            of_page.erase(first_kept, of_page.end());
            given_back += kind == 2;
            put(w.resource, of_page, size);
        }
        const std::size_t out = w.upstream.out();
        w.resource.shrink();
        CHECK(w.upstream.out() == out - 2 * given_back);
        CHECK(std::all_of(kept.begin(), kept.end(), [&w](void* block) { return w.upstream.owns(block); }));
        CHECK(counts_of(w.resource, size).in_use == kept.size());
        w.resource.shrink();
        CHECK(w.upstream.out() == out - 2 * given_back);
        // Free blocks are used before new pages, and all of them.
        const std::size_t total = counts_of(w.resource, size).total_blocks;
        for (void* const block : take(w.resource, total - kept.size(), size)) kept.push_back(block);
        CHECK(counts_of(w.resource, size).total_blocks == total);
        CHECK(std::set<void*>(kept.begin(), kept.end()).size() == total);
        put(w.resource, kept, size);
        w.resource.shrink();
        CHECK(counts_of(w.resource, size).total_blocks == 0);
        w.resource.deallocate(w.resource.allocate(size, 8), size, 8);
        CHECK(w.heard.is_silent());
        CHECK(w.upstream.wrong() == 0);
    }
}

TEMPLATE_TEST_CASE_SIG("release gives all memory back, whoever holds blocks, and then the resource is as a new one",
                       "[pool_resource]", ((checking C), C), checking::unchecked, checking::checked, checking::debug) {
    watched<C> w;
    for (int turn = 0; turn < 3; ++turn) {
        for (const std::size_t size : all_classes()) static_cast<void>(take(w.resource, 1000, size));
        for (std::size_t i = 0; i < 50; ++i) static_cast<void>(w.resource.allocate(20000 + i, 8));
        w.resource.release();
        CHECK(w.upstream.out() == 0);
        CHECK(w.upstream.bytes() == 0);
        std::size_t visited = 0;
        w.resource.for_each_pool([&visited](const fixpool::pool_stats&) { ++visited; });
        CHECK(visited == 0);
        static_cast<void>(w.resource.allocate(8, 8));
        CHECK(w.upstream.out() == 2);
        const std::size_t bytes = C == checking::debug ? fixpool::detail::debug_frame::bytes_for(8, 8) : 8;
        const std::size_t stride = model::block_size_for(bytes);
        CHECK(counts_of(w.resource, stride).total_blocks == 4096 / stride);
        CHECK(counts_of(w.resource, stride).refused == 0);
    }
    CHECK(w.heard.is_silent());
    CHECK(w.upstream.wrong() == 0);
}

TEST_CASE("a resource that dies gives all memory back, and its live blocks are no leak", "[pool_resource]") {
    listener heard;
    strict_upstream upstream;
    {
        pool_resource resource(&upstream, heard.options());
        static_cast<void>(take(resource, 1000, 24));
        static_cast<void>(take(resource, 3, 24000));
    }
    CHECK(heard.is_silent());
    CHECK(upstream.out() + upstream.wrong() == 0);
}

TEMPLATE_TEST_CASE_SIG("each allocation of upstream may fail: then nothing is lost, and the next one works",
                       "[pool_resource][failures]", ((checking C), C), checking::unchecked, checking::checked,
                       checking::debug) {
    using how = strict_upstream::failure;
    std::size_t failures = 0;
    for (const how way : {how::throws, how::returns_null}) {
        if (way == how::returns_null && !strict_upstream::may_be_wrong) continue;
        for (const bool for_ever : {false, true}) {
            bool has_failed = true;
            for (std::size_t nth = 0; has_failed; ++nth) {
                watched<C> w(8);
                w.upstream.fail(nth, for_ever, way);
                std::vector<std::pair<void*, std::size_t>> out;
                std::size_t thrown = 0;
                for (const std::size_t size : sizes{8, 24, 5000, 20000, 24, 700, 8, 40000}) {
                    for (int i = 0; i < 24; ++i) {
                        try {
                            out.emplace_back(w.resource.allocate(size, 8), size);
                        } catch (const std::bad_alloc&) {
                            ++thrown;
                        }
                        if (i % 3 != 0 || out.empty()) continue;
                        w.resource.deallocate(out[out.size() / 2].first, out[out.size() / 2].second, 8);
                        out.erase(out.begin() + static_cast<std::ptrdiff_t>(out.size() / 2));
                    }
                }
                has_failed = w.upstream.has_failed();
                failures += has_failed;
                // If a large page is refused once, a small page takes its place.
                bool is_right = for_ever ? has_failed == (thrown != 0) : thrown <= (has_failed ? 1U : 0U);
                std::size_t refused = 0, in_use = 0, small = 0;
                w.resource.for_each_pool(
                    [&](const fixpool::pool_stats& s) { refused += s.refused, in_use += s.in_use; });
                for (const auto& [block, size] : out) small += size < 16384;
                is_right &= in_use == small && refused <= thrown;
                w.upstream.succeed();
                for (const auto& [block, size] : out) w.resource.deallocate(block, size, 8);
                w.resource.deallocate(w.resource.allocate(24, 8), 24, 8);
                w.resource.shrink();
                w.resource.release();
                is_right &= w.upstream.out() + w.upstream.wrong() == 0 && w.heard.is_silent();
                if (!is_right) FAIL("the " << nth << "th");  // how many there are depends on the size of a word
            }
        }
    }
    CHECK(failures > 100);
}

TEST_CASE("a buffer that has no room for a large page is used up by small ones", "[pool_resource][failures]") {
    listener heard;
    std::vector<std::byte> buffer(std::size_t{64} << 10);
    std::pmr::monotonic_buffer_resource upstream(buffer.data(), buffer.size(), std::pmr::null_memory_resource());
    pool_resource resource(&upstream, heard.options());
    for (int turn = 0; turn < 2; ++turn) {
        std::vector<void*> blocks;
        CHECK_THROWS_AS(
            [&] {
                for (;;) blocks.push_back(resource.allocate(64));
            }(),
            std::bad_alloc);
        CHECK(blocks.size() > std::size_t{6} * 64);
        put(resource, blocks, 64, alignof(std::max_align_t));
        CHECK(counts_of(resource, 64).in_use == 0);
    }
    CHECK(heard.is_silent());
}

TEST_CASE("an upstream that returns memory which is not aligned is told so", "[pool_resource][failures]") {
    if (!strict_upstream::may_be_wrong) return;
    for (std::size_t nth = 0; nth < 3; ++nth) {  // the table for the third page, its links, and the page
        watched w;
        void* const first = w.resource.allocate(24, 8);
        void* const second = w.resource.allocate(64, 8);
        w.upstream.fail(nth, true, strict_upstream::failure::misaligns);
        CHECK_THROWS_AS(take(w.resource, 1000, 24), std::length_error);
        CHECK(w.upstream.has_failed());
        CHECK(counts_of(w.resource, 24).refused == 1);
        w.upstream.succeed();
        w.resource.deallocate(first, 24, 8);
        w.resource.deallocate(second, 64, 8);
        put(w.resource, take(w.resource, 1000, 24), 24);
        CHECK(w.heard.is_silent());
        CHECK(w.upstream.wrong() == 0);
    }
    watched w;
    w.upstream.fail(0, true, strict_upstream::failure::misaligns);
    CHECK_THROWS_AS(w.resource.allocate(10000, 64), std::length_error);
    CHECK(w.upstream.out() == 0);
}

TEST_CASE("more than PTRDIFF_MAX bytes are no memory, whatever upstream says", "[pool_resource][failures]") {
    watched w;
    for (const std::size_t bytes : sizes{SIZE_MAX, SIZE_MAX / 2 + 1, SIZE_MAX - 63}) {
        CHECK_THROWS_AS(w.resource.allocate(bytes, 64), std::bad_alloc);
        CHECK_THROWS_AS(w.resource.allocate(bytes, 1), std::bad_alloc);
    }
    CHECK(w.upstream.out() + w.upstream.wrong() == 0);
}

TEST_CASE("a resource on a resource: each keeps its own blocks", "[pool_resource]") {
    watched w;
    listener heard;
    {
        pool_resource inner(std::pmr::pool_options{.max_blocks_per_chunk = 8}, &w.resource, heard.options());
        CHECK(inner.upstream_resource() == &w.resource);
        std::vector<void*> blocks = take(inner, 1000, 24);
        void* const large = inner.allocate(10000, 8);
        inner.deallocate(&blocks, 24, 8);
        CHECK(heard.only().pool == &inner);
        w.resource.deallocate(blocks[0], 24, 8);  // a byte of a page that is one of its blocks
        CHECK(w.heard.only().pool == &w.resource);
        put(inner, blocks, 24);
        inner.shrink();
        inner.deallocate(large, 10000, 8);
        blocks = take(inner, 100, 48);
    }
    std::size_t in_use = 0;
    w.resource.for_each_pool([&in_use](const fixpool::pool_stats& s) { in_use += s.in_use; });
    CHECK(in_use == 0);
    CHECK(w.heard.is_silent());
    CHECK(heard.is_silent());
    CHECK(w.upstream.wrong() == 0);
}

TEST_CASE("what is too large for any memory is refused, although the upstream of a resource has it",
          "[pool_resource]") {
    struct : std::pmr::memory_resource {
        std::size_t out = 0;
        void* do_allocate(std::size_t bytes, std::size_t alignment) override {
            if (bytes < SIZE_MAX / 4) return std::pmr::new_delete_resource()->allocate(bytes, alignment);
            ++out;
            return reinterpret_cast<void*>(alignment);  // an address of that alignment, and of none that is larger
        }
        void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
            if (bytes < SIZE_MAX / 4) return std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
            --out;
        }
        bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
    } upstream;
    pool_resource resource(&upstream);
    const volatile std::size_t most = SIZE_MAX;  // volatile: compilers warn about such a request
    CHECK_THROWS_AS(resource.allocate(most, 8), std::bad_alloc);
    CHECK(upstream.out == 0);
}

TEST_CASE("audit of a resource says which of the numbers that are kept of a page was overwritten", "[pool_resource]") {
    using fixpool::detail::page_state;
    struct : std::pmr::memory_resource {
        void* table = nullptr;  // the table of pages, once it lies outside the resource
        void* do_allocate(std::size_t bytes, std::size_t alignment) override {
            void* const memory = std::pmr::new_delete_resource()->allocate(bytes, alignment);
            if (bytes == 32 * sizeof(page_state) && alignment == alignof(page_state)) table = memory;
            return memory;
        }
        void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
            std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
        }
        bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
    } upstream;
    listener heard;
    pool_resource resource(&upstream, heard.options("audited"));
    std::vector<void*> blocks = take(resource, 100, 24);  // from a page of 170
    const std::vector<void*> others = take(resource, 5, 512), filled = take(resource, 7, 1024);
    REQUIRE(upstream.table != nullptr);
    const auto page_of = [&upstream](std::size_t bytes, bool is_filled) {
        auto* at = static_cast<page_state*>(upstream.table);
        while (at->tag == 0 || at->size_class() != fixpool::detail::class_of(bytes) || at->is_filled != is_filled) ++at;
        return at;
    };
    page_state* const page = page_of(24, false);
    page_state* const full = page_of(1024, true);  // its first page holds four
    for (std::size_t n = 0; n < 3; ++n) put(resource, {blocks.back()}, 24), blocks.pop_back();
    REQUIRE(page->returned < page->carved);
    CHECK(resource.audit());

    const auto said_of = [&](page_state* of, auto change) -> std::string {
        const page_state sound = *of;
        change(*of);
        const bool is_sound = resource.audit();
        *of = sound;
        if (is_sound) return "sound";
        const violation v = heard.only();
        return v.kind == violation_kind::corrupted_pool ? heard.problem : "of another kind";
    };
    const std::string table = "its table of pages was overwritten", kept = "what it keeps of a page was overwritten",
                      counters = "a page's counters do not agree",
                      in_use = "a page's blocks do not agree with the number in use",
                      twice = "a page's free list has a block twice",
                      impossible = "a page's free list has a block that it cannot have";
    CHECK(said_of(page, [](page_state& p) { p.tag = 0; }) == table);
    CHECK(said_of(page, [](page_state& p) { p.tag += 1; }) == counters);
    CHECK(said_of(full, [](page_state& p) { p.tag -= 1; }) == kept);
    CHECK(said_of(page, [](page_state& p) { p.tag += 100; }) == kept);
    CHECK(said_of(page, [](page_state& p) { p.size_bits = 31; }) == kept);
    CHECK(said_of(page, [](page_state& p) { p.size_bits = 30; }) == kept);
    CHECK(said_of(page, [](page_state& p) { p.capacity = 0; }) == counters);
    CHECK(said_of(page, [](page_state& p) { p.capacity = 171; }) == counters);
    CHECK(said_of(page, [](page_state& p) { p.linked = 171; }) == counters);
    CHECK(said_of(page, [](page_state& p) { p.carved = static_cast<std::uint16_t>(p.linked + 1); }) == counters);
    CHECK(said_of(page, [](page_state& p) { ++p.batch; }) == counters);
    CHECK(said_of(page, [](page_state& p) { ++p.countdown; }) == in_use);
    CHECK(said_of(page, [](page_state& p) { p.countdown |= page_state::distant; }) == in_use);
    CHECK(said_of(page, [](page_state& p) { p.is_filled = true; }) == in_use);
    CHECK(said_of(full, [](page_state& p) { p.countdown = 2; }) == in_use);
    CHECK(said_of(full, [](page_state& p) { p.is_filled = false; }) == in_use);
    CHECK(said_of(page, [](page_state& p) { p.head = p.carved; }) == impossible);
    CHECK(said_of(page, [](page_state& p) { p.returned = p.carved; }) == impossible);
    CHECK(said_of(page, [](page_state& p) { p.returned = p.head & page_state::number; }) == twice);
    CHECK(said_of(page, [](page_state& p) { p.head = page_state::none; }) ==
          "a page's free list has not all of its free blocks");
    CHECK(said_of(page, [](page_state& p) { p.head = page_state::none | 1; }) ==
          "the end of a page's free list was overwritten");
    CHECK(resource.audit());
    put(resource, blocks, 24), put(resource, others, 512), put(resource, filled, 1024);
}

TEST_CASE("audit of a resource says what was overwritten, and of which block", "[pool_resource]") {
    struct : std::pmr::memory_resource {
        std::vector<void*> others;  // allocations that are no pages
        void* do_allocate(std::size_t bytes, std::size_t alignment) override {
            void* const memory = std::pmr::new_delete_resource()->allocate(bytes, alignment);
            if (alignment < 4096) others.push_back(memory);
            return memory;
        }
        void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
            std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
        }
        bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
    } upstream;
    listener heard;
    pool_resource resource(&upstream, heard.options("audited"));
    CHECK(resource.audit());
    const std::vector<void*> small = take(resource, 5, 24), large = take(resource, 5, 200);
    REQUIRE(upstream.others.size() == 2);
    auto* const links = reinterpret_cast<std::uint16_t*>(static_cast<std::byte*>(upstream.others[1]) +
                                                         sizeof(std::uintptr_t));  // of 200, in blocks of 224
    CHECK(resource.audit());
    const std::uint16_t before = std::exchange(links[3], std::uint16_t{0x8003});
    CHECK_FALSE(resource.audit());
    const violation v = heard.only();
    CHECK(v.kind == violation_kind::corrupted_pool);
    CHECK(heard.name == "audited");
    CHECK(heard.problem == "what is kept of the block was overwritten");
    CHECK(v.address == links + 3);
    CHECK(v.index == 3);
    CHECK(v.total_blocks == 18);
    CHECK(v.live_blocks == 5);
    links[3] = before;
    CHECK(resource.audit());
    put(resource, small, 24);
    put(resource, large, 200);
    CHECK(resource.audit());
    CHECK(heard.is_silent());
}

TEST_CASE("a resource equals itself alone", "[pool_resource]") {
    pool_resource first, second;
    CHECK(first == first);
    CHECK_FALSE(first == second);
    CHECK(static_cast<std::pmr::memory_resource&>(first).is_equal(first));
    CHECK(first.upstream_resource() == std::pmr::get_default_resource());
}

TEST_CASE("many large blocks are told apart", "[pool_resource]") {
    watched w;
    std::vector<void*> blocks;
    for (std::size_t i = 0; i < 2000; ++i) blocks.push_back(w.resource.allocate(16385 + i, 16));
    for (std::size_t i = 0; i < 2000; i += 2) w.resource.deallocate(blocks[i], 16385 + i, 16);
    for (std::size_t i = 0; i < 2000; i += 2) {
        w.resource.deallocate(blocks[i], 16385 + i, 16);
        CHECK(w.heard.only().kind == violation_kind::foreign_pointer);
    }
    for (std::size_t i = 1; i < 2000; i += 2) w.resource.deallocate(blocks[i], 16385 + i, 16);
    CHECK(w.heard.is_silent());
    CHECK(w.upstream.out() <= 1);
}

namespace {

/// A pool of blocks of 64 bytes, and its resource.
template <checking C> struct blocks_of_pool {
    explicit blocks_of_pool(std::size_t count = 4)
        : pool({64, count, 32}, {.name = "nodes", .on_violation = heard.options().on_violation, .context = &heard}),
          resource(pool, &upstream) {}
    ~blocks_of_pool() { pool.reset(); }
    blocks_of_pool(const blocks_of_pool&) = delete;
    blocks_of_pool& operator=(const blocks_of_pool&) = delete;
    listener heard;
    strict_upstream upstream;
    fixpool::basic_memory_pool<C> pool;
    fixpool::basic_block_resource<C> resource;
};

}  // namespace

TEMPLATE_TEST_CASE_SIG("a block_resource serves what fits from its pool, and the rest from upstream",
                       "[block_resource]", ((checking C), C), checking::unchecked, checking::checked, checking::debug) {
    blocks_of_pool<C> b;
    void* volatile nothing = nullptr;
    void* const fits = b.resource.allocate(64, 32);
    void* const small = b.resource.allocate(0, 1);
    CHECK(b.pool.contains(fits));
    CHECK(b.pool.contains(small));
    CHECK(b.pool.in_use() == 2);
    CHECK(b.upstream.out() == 0);
    void* const large = b.resource.allocate(65, 8);
    void* const aligned = b.resource.allocate(8, 64);
    CHECK(b.upstream.size_of(large) == 65);
    CHECK(b.upstream.size_of(aligned) == 8);
    void* const third = b.resource.allocate(1, 1);
    void* const fourth = b.resource.allocate(1, 1);
    void* const none_left = b.resource.allocate(16, 16);
    CHECK(b.upstream.size_of(none_left) == 16);
    CHECK(b.pool.in_use() == 4);
    if (strict_upstream::may_be_wrong) b.resource.deallocate(nothing, 8, 8);
    CHECK(b.upstream.wrong() == 0);
    b.resource.deallocate(large, 65, 8);
    b.resource.deallocate(fits, 64, 32);
    b.resource.deallocate(none_left, 16, 16);
    CHECK(b.upstream.out() == 1);
    b.resource.deallocate(aligned, 8, 64);
    CHECK(b.upstream.out() == 0);
    for (void* const block : {small, third, fourth}) b.resource.deallocate(block, 1, 1);
    if (strict_upstream::may_be_wrong) b.resource.deallocate(nothing, 8, 8);
    CHECK(b.pool.in_use() == 0);
    CHECK(b.upstream.wrong() == 0);
    CHECK(b.heard.is_silent());
}

TEST_CASE("a wrong pointer that is released to a block_resource is a violation of its pool", "[block_resource]") {
    blocks_of_pool<checking::checked> b;
    int local = 0;
    void* const block = b.resource.allocate(64, 8);
    b.resource.deallocate(&local, 64, 8);
    CHECK(b.heard.only().kind == violation_kind::foreign_pointer);
    void* const large = b.resource.allocate(100, 8);
    b.resource.deallocate(at(block, 1), 64, 8);
    const violation v = b.heard.only();
    CHECK(v.kind == violation_kind::misaligned_pointer);
    CHECK(v.pool == &b.pool);
    b.resource.deallocate(block, 64, 8);
    b.resource.deallocate(block, 64, 8);
    CHECK(b.heard.only().kind == violation_kind::double_free);
    b.resource.deallocate(large, 100, 8);
    b.resource.deallocate(large, 100, 8);
    CHECK(b.heard.only().kind == violation_kind::foreign_pointer);
    CHECK(b.upstream.wrong() == 0);
}

TEST_CASE("at debug level a block_resource's sites are where it was called from", "[block_resource][debug]") {
    recorded_violations violations;
    fixpool::basic_memory_pool<checking::debug> pool({64, 2});
    fixpool::basic_block_resource<checking::debug> resource(pool);
    std::pmr::memory_resource* const called = &resource;
    void* const block = called->allocate(64);
    called->deallocate(block, 64);
    called->deallocate(block, 64);
    REQUIRE(violations.were_all(violation_kind::double_free));
    for (const fixpool::site& where : {violations.last().allocated_at, violations.last().released_at}) {
        CHECK(where.file == nullptr);
        CHECK(where.address != nullptr);
    }
}

TEST_CASE("a block_resource knows the largest request, served or not", "[block_resource]") {
    fixpool::memory_pool pool({64, 1});
    fixpool::block_resource resource(pool);
    CHECK(resource.largest_request() == 0);
    CHECK(resource.upstream_resource() == std::pmr::null_memory_resource());
    void* const block = resource.allocate(40);
    CHECK(resource.largest_request() == 40);
    CHECK_THROWS_AS(resource.allocate(39), std::bad_alloc);
    CHECK(resource.largest_request() == 40);
    CHECK_THROWS_AS(resource.allocate(1000), std::bad_alloc);
    CHECK(resource.largest_request() == 1000);
    resource.deallocate(block, 40);
    CHECK(pool.in_use() == 0);
    CHECK(resource == resource);
    fixpool::block_resource other(pool);
    CHECK_FALSE(resource == other);
}

namespace {

struct random_numbers : std::mt19937 {
    using std::mt19937::mt19937;
    static bool is_empty() { return false; }
    std::size_t below(std::size_t limit) { return (*this)() % limit; }
};

template <checking C> void walk_at_random(unsigned seed, std::size_t steps) {
    random_numbers numbers(seed);
    const std::size_t most_blocks[] = {0, 1, 2, 3, 64, 65, 100, SIZE_MAX};
    const std::size_t largest[] = {0, 8, 24, 100, 1024, 5000, 16384, SIZE_MAX};
    const unsigned failures[] = {0, 20, 300}, misuses[] = {0, 20, 300};
    model::resource_setup s{};
    s.max_blocks = most_blocks[numbers.below(8)];
    s.largest = largest[numbers.below(8)];
    s.misuses = misuses[numbers.below(3)];
    s.failures = failures[numbers.below(3)];
    s.aim = std::size_t{1} << numbers.below(12);
    s.checks_often = numbers.below(4) == 0 && s.aim <= 256;
    const model::fault found = model::resource_walk<C, random_numbers>(s, numbers).run(steps);
    INFO("seed " << seed << ": at most " << s.max_blocks << " blocks a page, of " << s.largest << " bytes, about "
                 << s.aim << " in use, step " << found.step);
    CHECK(std::string(found.what == nullptr ? "all holds" : found.what) == "all holds");
}

}  // namespace

TEMPLATE_TEST_CASE_SIG("a random walk on a resource agrees with a model that knows each page and block",
                       "[pool_resource][random]", ((checking C), C), checking::unchecked, checking::checked) {
    const char* const wish = std::getenv("FIXPOOL_TEST_SEED");
    const auto seed =
        static_cast<unsigned>(wish != nullptr ? std::strtoull(wish, nullptr, 10) : std::random_device{}());
    std::printf("random walk on a resource: FIXPOOL_TEST_SEED=%u\n", seed);
    for (unsigned turn = 0; turn < 1 + turns(29); ++turn) walk_at_random<C>(seed + turn, 6000);
}
