// SPDX-License-Identifier: BSL-1.0
// A resource at debug level, beyond what pool_resource.cpp and standard/ test at all levels.
#include <fixpool/debug_pages.hpp>

#include <fixpool/pool_allocator.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iterator>
#include <list>
#include <map>
#include <memory>
#include <memory_resource>
#include <new>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "../support/catch.hpp"
#include "../support/resource_blocks.hpp"
#include "../support/strict_upstream.hpp"
#include "../support/unseen.hpp"
#include "../support/violations.hpp"

using fixpool::checking;
using fixpool::violation;
using fixpool::violation_kind;
using fixpool::detail::debug_frame;
using debug_resource = fixpool::basic_pool_resource<checking::debug>;

static_assert(std::is_base_of_v<std::pmr::memory_resource, debug_resource>);
static_assert(!std::is_copy_constructible_v<debug_resource> && !std::is_copy_assignable_v<debug_resource>);
static_assert(std::is_nothrow_default_constructible_v<debug_resource>);
static_assert(!std::is_convertible_v<std::pmr::memory_resource*, debug_resource>);
static_assert(!std::is_convertible_v<std::pmr::pool_options, debug_resource>);
static_assert(!std::is_constructible_v<debug_resource, std::nullptr_t>);
static_assert(!std::is_constructible_v<debug_resource, std::nullptr_t, fixpool::resource_options>);
static_assert(
    noexcept(std::declval<debug_resource&>().release()) && noexcept(std::declval<debug_resource&>().shrink()));
static_assert(noexcept(std::declval<const debug_resource&>().options()));
static_assert(noexcept(std::declval<const debug_resource&>().audit()));

namespace {

/// A violation with copies of its texts. It outlives the call of the handler.
struct told {
    violation v;
    std::string name, problem, text;
};

/// A resource on a strict upstream, which records its violations. A handler may do more.
struct watched {
    explicit watched(std::pmr::pool_options sizes = {})
        : resource(sizes, &upstream, {.name = "watched", .on_violation = &hear, .context = this}) {}
    watched(const watched&) = delete;
    watched& operator=(const watched&) = delete;

    /// The only violation since the last call. If there was none, or more, it has a kind that no resource reports.
    told only() {
        told one = all.size() == 1 ? all[0] : told{{.kind = violation_kind::leak}, {}, {}, {}};
        all.clear();
        return one;
    }
    [[nodiscard]] std::vector<violation_kind> kinds() {
        std::vector<violation_kind> found;
        for (const told& one : all) found.push_back(one.v.kind);
        all.clear();
        return found;
    }

    static void hear(const violation& v) {
        auto& self = *static_cast<watched*>(v.context);
        self.all.push_back({v, v.pool_name, v.problem, fixpool::detail::describe_debug(v).c_str()});
        if (self.then) self.then(v);
    }

    std::vector<told> all;
    std::function<void(const violation&)> then;
    strict_upstream upstream;
    debug_resource resource;
};

using kinds = std::vector<violation_kind>;
using sizes = std::initializer_list<std::size_t>;

std::ptrdiff_t signed_of(std::size_t size) { return static_cast<std::ptrdiff_t>(size); }

std::size_t in_use(const debug_resource& resource) {
    std::size_t blocks = 0;
    resource.for_each_pool([&blocks](const fixpool::pool_stats& s) { blocks += s.in_use; });
    return blocks;
}

/// The stride of frames, if there is one class.
std::size_t stride_of(const debug_resource& resource) {
    std::size_t stride = 0;
    resource.for_each_pool([&stride](const fixpool::pool_stats& s) { stride = s.stride; });
    return stride;
}

struct request {
    std::size_t bytes, alignment;
};
constexpr request requests[] = {{0, 1},   {1, 1},      {24, 8},   {100, 16},  {40, 64},
                                {8, 256}, {100, 4096}, {4096, 8}, {20000, 8}, {5000, 512}};

}  // namespace

TEST_CASE("debug resource: an overflow is found at the release, and mended, before the block and behind it",
          "[debug][pool_resource]") {
    for (const auto& [bytes, alignment] : requests) {
        const bool is_large = std::max(bytes, alignment) > 4096;
        watched w;
        void* const other = w.resource.allocate(bytes, alignment);
        const std::size_t front = debug_frame::front_of(alignment);
        const std::size_t all = is_large ? front + bytes + debug_frame::gap : stride_of(w.resource);
        for (const std::ptrdiff_t offset :
             {signed_of(bytes), signed_of(bytes + 1), signed_of(all - front - 1), std::ptrdiff_t{-1},
              signed_of(sizeof(fixpool::detail::debug_frame_record)) - signed_of(front)}) {
            void* const block = w.resource.allocate(bytes, alignment);
            CHECK(reinterpret_cast<std::uintptr_t>(block) % alignment == 0);
            const std::size_t blocks = in_use(w.resource);
            write_unseen(block, offset, 0x42);
            w.then = [&](const violation&) { CHECK(read_unseen(block, offset) == 0x42); };  // it is still to be seen
            w.resource.deallocate(block, bytes, alignment);
            const told one = w.only();
            INFO(bytes << " bytes at " << alignment << ", byte " << offset);
            CHECK(one.v.kind == violation_kind::buffer_overflow);
            CHECK(one.v.address == block);
            CHECK(one.v.offset == offset);
            CHECK(one.v.byte == 0x42);
            CHECK(one.v.pool == &w.resource);
            CHECK(one.name == "watched");
            const void* const page = w.upstream.start_of(block);
            const std::size_t index =
                is_large ? violation::npos
                         : (reinterpret_cast<std::uintptr_t>(block) - reinterpret_cast<std::uintptr_t>(page)) / all;
            CHECK(one.v.index == index);
            if (!is_large) CHECK(one.v.live_blocks + 2 > blocks);  // counts of its page, and the block is still in use
            CHECK(one.v.allocated_at.address != nullptr);
            CHECK(one.v.released_at.address != nullptr);
            CHECK(one.v.allocation + 1 == one.v.release);
            CHECK(in_use(w.resource) == blocks - (is_large ? 0 : 1));
            CHECK(w.resource.audit());
            w.then = nullptr;
        }
        w.resource.deallocate(other, bytes, alignment);
        CHECK(w.all.empty());
        w.resource.shrink();
        CHECK(w.upstream.out() <= 1);  // a table
    }
}

TEST_CASE("debug resource: a write after free is found when the block is handed out, and mended",
          "[debug][pool_resource]") {
    for (const auto& [bytes, alignment] : requests) {
        if (std::max(bytes, alignment) > 4096) continue;
        watched w({.max_blocks_per_chunk = 1});
        void* const block = w.resource.allocate(bytes, alignment);
        const std::size_t front = debug_frame::front_of(alignment), all = stride_of(w.resource);
        for (const std::ptrdiff_t offset :
             {std::ptrdiff_t{0}, signed_of(bytes / 2), signed_of(all - front - 1), std::ptrdiff_t{-1},
              signed_of(sizeof(fixpool::detail::debug_frame_record)) - signed_of(front)}) {
            w.resource.deallocate(block, bytes, alignment);
            write_unseen(block, offset, 0x41);
            CHECK(w.all.empty());
            CHECK(w.resource.allocate(bytes, alignment) == block);
            const told one = w.only();
            INFO(bytes << " bytes at " << alignment << ", byte " << offset);
            CHECK(one.v.kind == violation_kind::write_after_free);
            CHECK(one.v.address == block);
            CHECK(one.v.index == 0);
            CHECK(one.v.offset == offset);
            CHECK(one.v.byte == 0x41);
            CHECK(one.v.allocated_at.address != nullptr);
            CHECK(one.v.released_at.address != nullptr);
            CHECK(one.v.allocation + 1 == one.v.release);
        }
        w.resource.deallocate(block, bytes, alignment);
        CHECK(w.all.empty());
    }
}

TEST_CASE("debug resource: what was written is told of the block that was there last", "[debug][pool_resource]") {
    watched w({.max_blocks_per_chunk = 1});
    void* const block = w.resource.allocate(30, 256);  // in a frame of 512 bytes, the only one of its page
    w.resource.deallocate(block, 30, 256);
    write_unseen(block, 7, 0x41);
    void* const other = w.resource.allocate(350, 8);
    CHECK(other == at(block, signed_of(debug_frame::front_of(8)) - 256));
    const told one = w.only();
    CHECK(one.v.kind == violation_kind::write_after_free);
    CHECK(one.v.address == block);
    CHECK(one.v.offset == 7);
    w.resource.deallocate(other, 350, 8);
    CHECK(w.all.empty());
}

TEST_CASE("debug resource: a released block is filled, and so are its guards", "[debug][pool_resource]") {
    watched w;
    auto* const block = static_cast<unsigned char*>(w.resource.allocate(40, 8));
    std::memset(block, 1, 40);
    w.resource.deallocate(block, 40, 8);
    bool is_filled = true;
    for (std::ptrdiff_t i = -16; i < 56; ++i) is_filled &= read_unseen(block, i) == 0xdd;
    CHECK(is_filled);
    CHECK(w.resource.audit());
}

namespace {

/// Hands out the same memory again, with its old bytes.
class same_again final : public std::pmr::memory_resource {
public:
    explicit same_again(std::uint16_t with) {
        for (std::size_t i = 0; i < memory_.size(); i += sizeof with)
            std::memcpy(memory_.data() + i, &with, sizeof with);
    }
    void start_anew() { used_ = 0; }
    [[nodiscard]] unsigned char* memory() { return memory_.data(); }

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        used_ = (used_ + alignment - 1) / alignment * alignment;
        void* const memory = memory_.data() + used_;
        used_ += bytes;
        return used_ <= memory_.size() ? memory : throw std::bad_alloc();
    }
    void do_deallocate(void*, std::size_t, std::size_t) override {}
    [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

    alignas(65536) std::array<unsigned char, std::size_t{4} << 16> memory_;
    std::size_t used_ = 0;
};

}  // namespace

TEST_CASE("debug resource: what upstream's memory holds is never taken for what the resource wrote",
          "[debug][pool_resource]") {
    recorded_violations violations;
    for (const unsigned with : {0x0000U, 0xddddU, 0xfdfdU, 0xffffU, 0x8000U, 0x0001U}) {
        const auto upstream = std::make_unique<same_again>(static_cast<std::uint16_t>(with));
        debug_resource resource(upstream.get());
        for (int turn = 0; turn < 3; ++turn) {
            for (int i = 0; i < 3; ++i) {
                const std::vector<void*> blocks = take(resource, 40, 100);
                put(resource, blocks, 100);
            }
            const std::vector<void*> kept = take(resource, 20, 100);
            resource.deallocate(kept[0], 100, 8);
            CHECK(violations.count() == 0);
            CHECK(resource.audit());
            void* const large = resource.allocate(2300, 8);  // of a page of six, of which four are carved
            resource.deallocate(at(large, std::ptrdiff_t{5} * 2560), 2300, 8);
            REQUIRE(violations.count() == 1);
            CHECK(violations.last().kind == violation_kind::not_allocated);
            CHECK(violations.last().allocation == 0);
            resource.release();
            upstream->start_anew();
            void* const first = resource.allocate(100, 8);  // where a block was
            void* const next = at(first, signed_of(stride_of(resource)));
            resource.deallocate(next, 100, 8);
            REQUIRE(violations.count() == 1);
            CHECK(violations.last().kind == violation_kind::not_allocated);
            CHECK(violations.last().allocation == 0);  // the old record does not count
            resource.deallocate(first, 100, 8);
            resource.shrink();
            upstream->start_anew();
        }
        CHECK(violations.count() == 0);
    }
}

TEST_CASE("debug resource: a large block's frame is aligned, whatever is asked for", "[debug][pool_resource]") {
    const auto upstream = std::make_unique<same_again>(std::uint16_t{0});
    debug_resource resource(upstream.get());
    static_cast<void>(upstream->allocate(1, 1));
    void* const block = resource.allocate(20000, 1);
    CHECK(reinterpret_cast<std::uintptr_t>(block) % 16 == 0);
    resource.deallocate(block, 20000, 1);
}

TEST_CASE("debug resource: audit looks at what is kept of the pages, too", "[debug][pool_resource][audit]") {
    watched w;
    const auto upstream = std::make_unique<same_again>(std::uint16_t{0});
    debug_resource resource(std::pmr::pool_options(), upstream.get(), {.on_violation = &watched::hear, .context = &w});
    void* const block = resource.allocate(24, 8);
    CHECK(resource.audit());
    auto* const links = reinterpret_cast<std::uint16_t*>(upstream->memory() + sizeof(std::uintptr_t));  // come first
    const std::uint16_t before = std::exchange(links[0], std::uint16_t{0x8003});
    CHECK(!resource.audit());
    const told one = w.only();
    CHECK(one.v.kind == violation_kind::corrupted_pool);
    CHECK(one.v.address == links);
    links[0] = before;
    CHECK(resource.audit());
    resource.deallocate(block, 24, 8);
    CHECK(w.all.empty());
}

TEST_CASE("debug resource: another size is a mismatch, however near it is, and the block stays in use",
          "[debug][pool_resource]") {
    for (const std::size_t own : sizes{0, 1, 8, 100, 1000, 4096, 4097, 20000}) {
        watched w;
        void* const block = w.resource.allocate(own, 8);
        for (const std::size_t other : sizes{own + 1, own - 1, own + 300, own + 20000, 0, 20}) {
            if (other == own || other > 100000) continue;
            w.resource.deallocate(block, other, 8);
            const told one = w.only();
            INFO(own << " bytes released as " << other);
            CHECK(one.v.kind == violation_kind::size_mismatch);
            CHECK(one.v.address == block);
            CHECK(one.v.index == (own > 4096 ? violation::npos : 0));
            CHECK(one.problem ==
                  "it has " + std::to_string(own) + " bytes, and was released with " + std::to_string(other));
            CHECK(one.v.allocation == 1);
            CHECK(one.v.release == 0);
        }
        w.resource.deallocate(block, own, 8);
        CHECK(w.all.empty());
        CHECK(in_use(w.resource) == 0);
        w.resource.shrink();
        CHECK(w.upstream.out() <= 1);
    }
}

TEST_CASE("debug resource: an alignment for which the block would lie elsewhere is a mismatch, and is named",
          "[debug][pool_resource]") {
    for (const std::size_t own : sizes{8, 64, 256, 1024, 4096}) {
        for (const std::size_t other : sizes{8, 256, 1024, 2048, 4096, 8192}) {
            if (debug_frame::front_of(own) == debug_frame::front_of(other)) continue;
            for (const std::size_t bytes : sizes{0, 24, 4000, 20000}) {
                watched w;
                void* const block = w.resource.allocate(bytes, own);
                w.resource.deallocate(block, bytes, other);
                const told one = w.only();
                INFO(bytes << " bytes at " << own << " released at " << other);
                CHECK(one.v.kind == violation_kind::size_mismatch);
                std::string expected = "it has " + std::to_string(bytes);
                expected += " bytes, and was released with " + std::to_string(bytes);
                CHECK(one.problem == expected + " of another alignment");
                w.resource.deallocate(block, bytes, own);
                CHECK(w.all.empty());
            }
        }
    }
}

TEST_CASE("debug resource: each misuse is told from the others, byte by byte of a frame", "[debug][pool_resource]") {
    for (const std::size_t alignment : sizes{8, 256}) {
        watched w({.max_blocks_per_chunk = 3});
        const std::vector<void*> blocks = take(w.resource, 2, 24, alignment);
        const std::size_t stride = stride_of(w.resource), front = debug_frame::front_of(alignment);
        const void* const page = w.upstream.start_of(blocks[0]);
        w.resource.deallocate(blocks[1], 24, alignment);  // one block is in use, one is free, one was never out
        bool are_all = true;
        for (std::size_t offset = 0; offset < 3 * stride; ++offset) {
            if (offset == front) continue;
            w.resource.deallocate(at(page, signed_of(offset)), 24, alignment);
            const told one = w.only();
            const violation_kind expected = offset % stride != front ? violation_kind::misaligned_pointer
                                            : offset / stride == 1   ? violation_kind::double_free
                                                                     : violation_kind::not_allocated;
            are_all &= one.v.kind == expected && one.v.index == offset / stride;
            are_all &= one.v.total_blocks == 3 && one.v.live_blocks == 1;
            are_all &= one.v.allocation == (offset < stride ? 1U : offset < 2 * stride ? 2U : 0U);
            are_all &= one.v.release == (offset / stride == 1 ? 3U : 0U);
        }
        CHECK(are_all);
        for (const std::ptrdiff_t offset : {std::ptrdiff_t{-1}, signed_of(3 * stride), signed_of(3 * stride + front)}) {
            w.resource.deallocate(at(page, offset), 24, alignment);
            const told one = w.only();
            CHECK(one.v.kind == violation_kind::foreign_pointer);
            CHECK(one.v.index == violation::npos);
            CHECK(one.v.allocation == 0);
        }
        w.resource.deallocate(blocks[1], 3000, 8);  // whatever the size
        CHECK(w.only().v.kind == violation_kind::double_free);
        w.resource.deallocate(blocks[1], 24, 1024);
        CHECK(w.only().v.kind == violation_kind::double_free);
        w.resource.deallocate(blocks[0], 24, alignment);
        CHECK(w.all.empty());
    }
}

TEST_CASE("debug resource: where a block of another alignment would start is none", "[debug][pool_resource]") {
    const auto further = signed_of(debug_frame::front_of(256) - debug_frame::front_of(8));
    for (const bool is_further : {false, true}) {  // the frames of both alignments have one class
        watched w;
        void* const block = w.resource.allocate(900, is_further ? 8 : 256);
        w.resource.deallocate(at(block, is_further ? further : -further), 900, is_further ? 256 : 8);
        CHECK(w.only().v.kind == violation_kind::misaligned_pointer);
        w.resource.deallocate(block, 900, is_further ? 8 : 256);
        CHECK(w.all.empty());
    }
}

TEST_CASE("debug resource: a block that was released is one of its frame's, also after another had the frame",
          "[debug][pool_resource]") {
    watched w({.max_blocks_per_chunk = 1});
    void* const first = w.resource.allocate(350, 8);
    w.resource.deallocate(first, 350, 8);
    void* const second = w.resource.allocate(30, 256);
    CHECK(second == at(first, 256 - signed_of(debug_frame::front_of(8))));
    w.resource.deallocate(first, 350, 8);
    CHECK(w.only().v.kind == violation_kind::misaligned_pointer);  // it points into the guard of the second block
    w.resource.deallocate(second, 30, 256);
    CHECK(w.all.empty());
    w.resource.deallocate(first, 350, 8);
    CHECK(w.only().v.kind == violation_kind::double_free);
}

TEST_CASE("debug resource: a large block is known by its frame, and gone with its release", "[debug][pool_resource]") {
    for (const std::size_t alignment : sizes{1, 64, 8192}) {
        watched w;
        void* const block = w.resource.allocate(20000, alignment);
        CHECK(w.upstream.size_of(block) == debug_frame::bytes_for(20000, alignment));
        for (const std::ptrdiff_t offset : {1, 16, -16, 19999, 20000}) {
            w.resource.deallocate(at(block, offset), 20000, alignment);
            CHECK(w.only().v.kind == violation_kind::foreign_pointer);
        }
        w.resource.deallocate(at(block, -signed_of(debug_frame::front_of(alignment))), 20000, alignment);
        CHECK(w.only().v.kind == violation_kind::foreign_pointer);
        w.resource.deallocate(block, 20000, alignment);
        CHECK(w.all.empty());
        CHECK(w.upstream.out() == 0);
        w.resource.deallocate(block, 20000, alignment);
        CHECK(w.only().v.kind == violation_kind::foreign_pointer);
        CHECK(w.upstream.wrong() == 0);
    }
}

TEST_CASE("debug resource: a large block is released with the alignment that it was allocated with",
          "[debug][pool_resource]") {
    watched w;
    void* const block = w.resource.allocate(20000, 4);
    for (const std::size_t alignment : sizes{1, 8, 16, 32}) {
        w.resource.deallocate(block, 20000, alignment);
        const auto one = w.only();
        CHECK(one.v.kind == violation_kind::size_mismatch);
        CHECK(one.problem == "it has 20000 bytes, and was released with 20000 of another alignment");
    }
    w.resource.deallocate(block, 20000, 4);
    CHECK(w.all.empty());
}

TEST_CASE("debug resource: blocks are found in small pages side by side, of an upstream that has no large ones",
          "[debug][pool_resource]") {
    class of_small_pages final : public std::pmr::memory_resource {
        void* do_allocate(std::size_t bytes, std::size_t alignment) override {
            if (alignment > 4096) throw std::bad_alloc();
            return std::pmr::new_delete_resource()->allocate(bytes, alignment);
        }
        void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
            std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
        }
        bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
    } upstream;
    recorded_violations violations;
    fixpool::basic_pool_resource<checking::debug> resource(&upstream);
    std::vector<void*> blocks;
    for (int i = 0; i < 4000; ++i) blocks.push_back(resource.allocate(64));
    for (void* const block : blocks) resource.deallocate(block, 64);
    CHECK(violations.count() == 0);
}

TEST_CASE("debug resource: options say what fits into a page's largest frame", "[debug][pool_resource]") {
    constexpr std::size_t most = 16384 - debug_frame::bytes_for(0, 1);
    const std::pair<std::size_t, std::size_t> largest[] = {
        {0, 4096}, {1, 8}, {100, 112}, {12000, 12288}, {12289, 14336}, {16000, most}, {SIZE_MAX, most}};
    for (const auto& [asked, given] : largest) {
        watched w({.largest_required_pool_block = asked});
        CHECK(w.resource.options().largest_required_pool_block == given);
        CHECK(w.resource.options().max_blocks_per_chunk == 8192);
        void* const pooled = w.resource.allocate(given, 8);
        CHECK(in_use(w.resource) == 1);
        void* const large = w.resource.allocate(given + 1, 8);
        CHECK(in_use(w.resource) == 1);
        CHECK(w.upstream.size_of(large) == debug_frame::bytes_for(given + 1, 8));
        w.resource.deallocate(large, given + 1, 8);
        w.resource.deallocate(pooled, given, 8);
        void* const aligned = w.resource.allocate(1, 16);  // pooled, as at the other levels, whatever the options are
        CHECK(in_use(w.resource) == 1);
        w.resource.deallocate(aligned, 1, 16);
        CHECK(w.all.empty());
    }
}

TEST_CASE("debug resource: a size class counts blocks by the largest that it serves", "[debug][pool_resource]") {
    watched w;
    void* const block = w.resource.allocate(100, 8);
    fixpool::pool_stats counts;
    w.resource.for_each_pool([&counts](const fixpool::pool_stats& s) { counts = s; });
    CHECK(counts.stride >= debug_frame::bytes_for(100, 8));
    CHECK(counts.block_size == counts.stride - debug_frame::bytes_for(0, 1));
    CHECK(counts.in_use == 1);
    void* const largest = w.resource.allocate(counts.block_size, 8);
    CHECK(stride_of(w.resource) == counts.stride);
    CHECK(in_use(w.resource) == 2);
    void* const larger = w.resource.allocate(counts.block_size + 1, 8);
    CHECK(stride_of(w.resource) > counts.stride);
    w.resource.deallocate(block, 100, 8);
    w.resource.deallocate(largest, counts.block_size, 8);
    w.resource.deallocate(larger, counts.block_size + 1, 8);
    CHECK(w.all.empty());
}

namespace {

/// Its functions can be called directly, even if memory_resource::allocate is a function that is not inlined.
struct open_resource : debug_resource {
    using debug_resource::debug_resource;
    using debug_resource::do_allocate;
    using debug_resource::do_deallocate;
};

// The functions differ, so that no compiler merges them. `volatile` prevents a jump in place of the call.
FIXPOOL_APART void* first_place(open_resource& from) {
    void* volatile const block = from.do_allocate(24, 8);
    return block;
}
FIXPOOL_APART void* second_place(open_resource& from) {
    void* volatile const block = from.do_allocate(32, 8);
    return block;
}

}  // namespace

TEST_CASE("debug resource: operations are numbered, and each one's thread is known", "[debug][pool_resource]") {
    watched w;
    void* const first = w.resource.allocate(24, 8);
    void* const second = w.resource.allocate(20000, 8);
    w.resource.deallocate(second, 20000, 8);
    std::thread([&] { w.resource.deallocate(first, 24, 8); }).join();  // not while this thread uses the resource
    w.resource.deallocate(first, 24, 8);
    const violation v = w.only().v;
    CHECK(v.kind == violation_kind::double_free);
    CHECK(v.allocation == 1);
    CHECK(v.release == 4);
    CHECK(v.allocated_by != 0);
    CHECK(v.released_by != 0);
    CHECK(v.allocated_by != v.released_by);
}

TEST_CASE("debug resource: a report has the code address of the allocation and of the release",
          "[debug][pool_resource]") {
    watched w;
    open_resource resource(&w.upstream, {.on_violation = &watched::hear, .context = &w});
    std::set<const void*> allocated, released;
    for (int turn = 0; turn < 3; ++turn) {
        void* const blocks[] = {first_place(resource), second_place(resource)};
        resource.do_deallocate(blocks[0], 24, 8);
        resource.do_deallocate(blocks[1], 32, 8);
        for (void* const block : blocks) {
            resource.deallocate(block, 24, 8);
            const told one = w.only();
            CHECK(one.v.kind == violation_kind::double_free);
            CHECK(one.v.allocated_at.file == nullptr);
            CHECK(one.v.released_at.file == nullptr);
            allocated.insert(one.v.allocated_at.address);
            released.insert(one.v.released_at.address);
            CHECK(one.text.find("; allocated at ") != std::string::npos);
            CHECK(one.text.find(", released at ") != std::string::npos);
            CHECK(one.v.print != nullptr);
        }
    }
    CHECK(allocated.size() == 2);
    CHECK(released.size() == 2);
    const auto distance = [&allocated](auto* function) {
        const auto start = reinterpret_cast<std::uintptr_t>(function);
        std::uintptr_t nearest = UINTPTR_MAX;
        for (const void* const address : allocated)
            nearest = std::min(nearest, reinterpret_cast<std::uintptr_t>(address) - start);
        return nearest;
    };
    CHECK(distance(&first_place) < 500);  // bytes of code
    CHECK(distance(&second_place) < 500);
}

TEST_CASE("debug resource: an allocator's blocks know where the allocator was called", "[debug][pool_resource]") {
    watched w;
    fixpool::pool_allocator<std::int64_t, checking::debug> allocator(&w.resource);
    for (const std::size_t count : sizes{1, 3}) {
        std::int64_t* const objects = allocator.allocate(count);
        objects[0] = 1;
        write_unseen(objects, signed_of(count * sizeof(std::int64_t)), 1);
        allocator.deallocate(objects, count);
        const violation v = w.only().v;
        CHECK(v.kind == violation_kind::buffer_overflow);
        CHECK(v.allocated_at.address != nullptr);
        CHECK(v.released_at.address != nullptr);
        allocator.deallocate(objects, count + 1);
        CHECK(w.only().v.kind == violation_kind::double_free);
        std::int64_t* const others = allocator.allocate(count);
        allocator.deallocate(others, count == 1 ? 2 : 1);
        CHECK(w.only().v.kind == violation_kind::size_mismatch);
        allocator.deallocate(others, count);
        CHECK(w.all.empty());
    }
}

TEST_CASE("debug resource: a handler may use the resource that it is told of", "[debug][pool_resource]") {
    watched w({.max_blocks_per_chunk = 4});
    std::vector<void*> blocks = take(w.resource, 12, 24);
    put(w.resource, blocks, 24);
    for (void* const block : blocks) write_unseen(block, 3, 7);
    std::size_t calls = 0;
    w.then = [&](const violation&) {
        if (++calls > 50) return;
        void* const other = w.resource.allocate(24, 8);
        w.resource.deallocate(other, 24, 8);
        w.resource.shrink();
        put(w.resource, take(w.resource, 20, 100), 100);
    };
    void* const block = w.resource.allocate(24, 8);
    CHECK(calls <= 12);
    const auto found = w.kinds();
    CHECK(std::count(found.begin(), found.end(), violation_kind::write_after_free) == signed_of(calls));
    calls = 0;
    write_unseen(block, 24, 7);
    write_unseen(block, -1, 7);
    w.resource.deallocate(block, 24, 8);
    CHECK(calls == 2);
    CHECK(w.kinds() == kinds{violation_kind::buffer_overflow, violation_kind::buffer_overflow});
    CHECK(in_use(w.resource) == 0);
    CHECK(w.resource.audit());
}

TEST_CASE("debug resource: a block that is being released or handed out cannot be released by the handler",
          "[debug][pool_resource]") {
    for (const std::size_t bytes : sizes{24, 20000}) {
        watched w({.max_blocks_per_chunk = 1});
        void* const block = w.resource.allocate(bytes, 8);
        write_unseen(block, signed_of(bytes), 7);
        bool is_first = true;
        w.then = [&](const violation&) {
            if (std::exchange(is_first, false)) w.resource.deallocate(block, bytes, 8);
        };
        w.resource.deallocate(block, bytes, 8);
        CHECK(w.kinds() == kinds{violation_kind::buffer_overflow,
                                 bytes == 24 ? violation_kind::double_free : violation_kind::foreign_pointer});
        CHECK(w.upstream.wrong() == 0);
        if (bytes != 24) continue;
        write_unseen(block, 0, 7);
        is_first = true;
        CHECK(w.resource.allocate(bytes, 8) == block);
        CHECK(w.kinds() == kinds{violation_kind::write_after_free, violation_kind::double_free});
        w.resource.deallocate(block, bytes, 8);
        CHECK(w.all.empty());
    }
}

TEST_CASE("debug resource: a handler may release all memory in the middle of an operation", "[debug][pool_resource]") {
    watched w({.max_blocks_per_chunk = 1});
    w.then = [&](const violation&) { w.resource.release(); };
    for (const std::size_t bytes : sizes{24, 20000}) {
        void* const block = w.resource.allocate(bytes, 8);
        write_unseen(block, signed_of(bytes), 7);
        write_unseen(block, -1, 7);
        w.resource.deallocate(block, bytes, 8);
        CHECK(w.kinds() == kinds{violation_kind::buffer_overflow});
        CHECK(w.upstream.out() == 0);
    }
    void* const block = w.resource.allocate(24, 8);
    w.resource.deallocate(block, 24, 8);
    write_unseen(block, 0, 7);
    void* const again = w.resource.allocate(24, 8);
    CHECK(w.kinds() == kinds{violation_kind::write_after_free});
    CHECK(w.upstream.owns(again));
    CHECK(in_use(w.resource) == 1);
    w.resource.deallocate(again, 24, 8);
    CHECK(w.all.empty());
    CHECK(w.upstream.wrong() == 0);
}

TEST_CASE("debug resource: it is sound while its handler runs, but for what it tells of",
          "[debug][pool_resource][audit]") {
    watched w({.max_blocks_per_chunk = 2});
    bool is_outer = true, was_sound = false;
    w.then = [&](const violation&) {
        if (!std::exchange(is_outer, false)) return;
        was_sound = w.resource.audit();
        is_outer = true;
    };
    void* const block = w.resource.allocate(24, 8);
    void* const other = w.resource.allocate(24, 8);
    write_unseen(block, 24, 7);
    w.resource.deallocate(block, 24, 8);
    CHECK(!was_sound);
    CHECK(w.kinds() == kinds{violation_kind::buffer_overflow, violation_kind::buffer_overflow});
    write_unseen(block, 2, 7);
    CHECK(w.resource.allocate(24, 8) == block);
    CHECK(!was_sound);
    CHECK(w.kinds() == kinds{violation_kind::write_after_free, violation_kind::write_after_free});
    w.resource.deallocate(block, 24, 8);
    w.resource.deallocate(block, 24, 8);  // nothing is damaged
    CHECK(was_sound);
    CHECK(w.kinds() == kinds{violation_kind::double_free});
    w.resource.deallocate(other, 24, 8);
}

TEST_CASE("debug resource: audit finds what was written to guards and to free blocks, and mends nothing",
          "[debug][pool_resource][audit]") {
    watched w;
    const std::vector<void*> blocks = take(w.resource, 3, 24);
    void* const large = w.resource.allocate(20000, 8);
    CHECK(w.resource.audit());
    const auto find = [&](void* block, std::ptrdiff_t offset, violation_kind kind, unsigned char was) {
        CHECK(w.resource.audit());
        write_unseen(block, offset, 0x42);
        for (int again = 0; again < 2; ++again) {
            CHECK(!w.resource.audit());
            const told one = w.only();
            CHECK(one.v.kind == kind);
            CHECK(one.v.address == block);
            CHECK(one.v.offset == offset);
            CHECK(one.v.byte == 0x42);
            CHECK(one.v.allocated_at.address != nullptr);
        }
        write_unseen(block, offset, was);
    };
    find(blocks[0], 24, violation_kind::buffer_overflow, 0xfd);
    find(blocks[2], -1, violation_kind::buffer_overflow, 0xfd);
    find(large, 20000, violation_kind::buffer_overflow, 0xfd);
    find(large, -16, violation_kind::buffer_overflow, 0xfd);
    w.resource.deallocate(blocks[1], 24, 8);
    find(blocks[1], 0, violation_kind::write_after_free, 0xdd);
    find(blocks[1], 30, violation_kind::write_after_free, 0xdd);
    write_unseen(at(blocks[2], signed_of(stride_of(w.resource))), 0, 0x42);  // a block that was never handed out
    CHECK(w.resource.audit());
    w.resource.deallocate(large, 20000, 8);
    CHECK(w.resource.audit());
    CHECK(w.all.empty());
}

TEST_CASE("debug resource: a record that was overwritten is told, and the operation goes on",
          "[debug][pool_resource][audit]") {
    const std::size_t positions[] = {1, sizeof(fixpool::detail::debug_record) + 1};  // the second lies in its size
    for (const auto& [bytes, position] : {std::pair{24U, positions[0]}, {24U, positions[1]}, {20000U, positions[0]}}) {
        watched w({.max_blocks_per_chunk = 1});
        void* block = w.resource.allocate(bytes, 8);
        const std::ptrdiff_t in_record = signed_of(position) - signed_of(debug_frame::front_of(8));
        write_unseen(block, in_record, 0x42);
        CHECK(!w.resource.audit());
        told one = w.only();
        CHECK(one.v.kind == violation_kind::corrupted_pool);
        CHECK(one.problem == "what is kept of the block was overwritten");
        CHECK(one.v.allocation == 0);  // an overwritten record tells nothing
        w.resource.deallocate(block, bytes + 400, 8);
        one = w.only();
        CHECK(one.v.kind == violation_kind::size_mismatch);
        CHECK(one.problem.empty());
        w.resource.deallocate(block, bytes, 8);
        CHECK(w.only().v.kind == violation_kind::corrupted_pool);
        CHECK(in_use(w.resource) == 0);
        CHECK(w.upstream.wrong() == 0);
        if (bytes != 24) continue;
        CHECK(w.resource.audit());
        write_unseen(block, in_record, 0x43);
        block = w.resource.allocate(bytes, 8);
        CHECK(w.only().v.kind == violation_kind::corrupted_pool);
        CHECK(w.resource.audit());
        w.resource.deallocate(block, bytes, 8);
        CHECK(w.all.empty());
        write_unseen(block, in_record, 0x44);
        w.resource.deallocate(block, bytes, 8);
        one = w.only();
        CHECK(one.v.kind == violation_kind::double_free);
        CHECK(one.v.allocation == 0);
    }
}

TEST_CASE("debug resource: a long overflow is told of the block that it comes from, and of what it reached",
          "[debug][pool_resource]") {
    watched w;
    const std::vector<void*> blocks = take(w.resource, 2, 24);
    for (std::ptrdiff_t i = 24; i < 24 + 80; ++i) write_unseen(blocks[0], i, 0x42);  // into the next block's record
    w.resource.deallocate(blocks[1], 24, 8);
    REQUIRE(w.all.size() == 2);
    CHECK(w.all[0].v.address == blocks[0]);
    CHECK(w.all[0].v.offset == 24);
    CHECK(w.all[1].v.index == 1);
    CHECK(w.kinds() == kinds{violation_kind::buffer_overflow, violation_kind::corrupted_pool});
    w.resource.deallocate(blocks[0], 24, 8);
    CHECK(w.kinds() == kinds{violation_kind::buffer_overflow});
    CHECK(w.resource.audit());

    const std::vector<void*> others = take(w.resource, 2, 24);  // here something else overwrites a record
    const auto [lower, higher] = std::minmax(others[0], others[1]);
    write_unseen(higher, 1 - signed_of(debug_frame::front_of(8)), 0x42);
    write_unseen(lower, -1, 0x42);
    w.resource.deallocate(higher, 24, 8);
    CHECK(w.kinds() == kinds{violation_kind::corrupted_pool});
    w.resource.deallocate(lower, 24, 8);
    CHECK(w.kinds() == kinds{violation_kind::buffer_overflow});
    const std::vector<void*> more = take(w.resource, 2, 24);  // the lower one is free when it is overwritten
    const auto [freed, used] = std::minmax(more[0], more[1]);
    w.resource.deallocate(freed, 24, 8);
    write_unseen(freed, 2, 0x42);
    write_unseen(used, 1 - signed_of(debug_frame::front_of(8)), 0x42);
    w.resource.deallocate(used, 24, 8);
    CHECK(w.kinds() == kinds{violation_kind::corrupted_pool});
    w.then = [&](const violation&) { w.resource.release(); };
    const std::vector<void*> last = take(w.resource, 2, 24);
    const auto [first, second] = std::minmax(last[0], last[1]);
    for (std::ptrdiff_t i = 24; i < 24 + 80; ++i) write_unseen(first, i, 0x42);
    w.resource.deallocate(second, 24, 8);
    CHECK(w.kinds() == kinds{violation_kind::buffer_overflow});
    CHECK(w.upstream.out() == 0);
}

TEST_CASE("debug resource: it is told from others, and has a handler of its own or its image's",
          "[debug][pool_resource]") {
    recorded_violations of_image;
    debug_resource first, second(std::pmr::pool_options{.max_blocks_per_chunk = 3});
    CHECK(first == first);
    CHECK(!(first == second));
    CHECK(first.upstream_resource() == std::pmr::get_default_resource());
    CHECK(second.options().max_blocks_per_chunk == 3);
    void* const block = first.allocate(8, 8);
    second.deallocate(block, 8, 8);
    REQUIRE(of_image.count() == 1);
    CHECK(of_image.last().pool == &second);
    CHECK(of_image.last().kind == violation_kind::foreign_pointer);
    first.deallocate(block, 8, 8);
    CHECK(of_image.count() == 0);
}

TEST_CASE("debug resource: a resource on a resource, each with frames of its own", "[debug][pool_resource]") {
    watched w;
    {
        debug_resource inner(std::pmr::pool_options{.max_blocks_per_chunk = 8}, &w.resource,
                             {.on_violation = &watched::hear, .context = &w});
        const std::vector<void*> blocks = take(inner, 100, 24);
        put(inner, blocks, 24);
        inner.shrink();
        void* const large = inner.allocate(10000, 8);
        write_unseen(large, 10000, 1);
        inner.deallocate(large, 10000, 8);
        CHECK(w.only().v.pool == &inner);
        static_cast<void>(take(inner, 10, 24));
        static_cast<void>(inner.allocate(10000, 8));
    }
    CHECK(in_use(w.resource) == 0);
    CHECK(w.all.empty());
    CHECK(w.resource.audit());
}

TEST_CASE("debug resource: containers live on it, and give all back", "[debug][pool_resource]") {
    watched w;
    {
        std::pmr::vector<int> vector(&w.resource);
        std::pmr::list<int> list(&w.resource);
        std::pmr::map<int, std::pmr::vector<int>> map(&w.resource);
        std::pmr::unordered_map<int, int> unordered(&w.resource);
        std::pmr::string string(&w.resource);
        for (int i = 0; i < 2000; ++i) {
            vector.push_back(i);
            list.push_back(i);
            map[i % 100].push_back(unordered[i] = i);
            string += static_cast<char>('a' + i % 26);
        }
        CHECK(w.resource.audit());
        for (int i = 0; i < 2000; i += 3) {
            unordered.erase(i);
            map.erase(i);
            list.pop_front();
        }
        CHECK(vector[7] + unordered.at(1) + map.at(1)[1] + list.back() == 7 + 1 + 101 + 1999);
        CHECK(w.resource.audit());
    }
    CHECK(in_use(w.resource) == 0);
    CHECK(w.all.empty());
    w.resource.shrink();
    CHECK(w.upstream.out() <= 2);  // the tables
}

namespace {

/// A resource beside a model that knows each frame. Some steps damage bytes on purpose.
class walk {
public:
    explicit walk(unsigned seed)
        : random_(seed),
          w_({.max_blocks_per_chunk = below(2) == 0 ? 0 : below(70) + 1, .largest_required_pool_block = below(6000)}) {}

    /// What failed first; or "all holds".
    std::string run(int steps) {
        for (step_ = 0; step_ < steps && wrong_.empty(); ++step_) {
            switch (below(16)) {
                case 0: misuse(); break;
                case 1: damage(); break;
                case 2:
                    if (below(16) == 0) give_pages_back();
                    break;
                default:
                    if (below(2) == 0 ? live_.size() < aim_ : live_.empty()) take();
                    else put();
            }
            if (step_ % 300 == 0) aim_ = below(200);
            if (step_ % 64 != 0) continue;
            const bool is_damaged = !marks_.empty() || !free_marks_.empty();
            hold(w_.resource.audit() != is_damaged, "audit finds damage");
            hold(w_.all.size() == (is_damaged ? 1 : 0), "audit tells the first");
            w_.all.clear();
        }
        while (!live_.empty()) put();
        w_.resource.release();
        hold(w_.upstream.out() == 0 && w_.upstream.wrong() == 0, "memory goes back");
        return wrong_.empty() ? "all holds" : wrong_;
    }

private:
    using address = std::uintptr_t;
    struct block {
        std::size_t bytes, alignment;
        unsigned char stamp;
        bool is_large;
    };
    std::size_t below(std::size_t limit) { return random_() % limit; }
    void hold(bool is_right, const char* what) {
        if (!is_right && wrong_.empty()) wrong_ = what + (", step " + std::to_string(step_));
    }
    static void* pointer_to(address a) { return reinterpret_cast<void*>(a); }
    static address frame_at(address a, std::size_t alignment) { return a - debug_frame::front_of(alignment); }
    template <class Map> auto any_of(Map& map) {
        auto one = map.begin();
        std::advance(one, signed_of(below(map.size())));
        return one;
    }

    void take() {
        const std::size_t bytes = below(8) == 0 ? below(20000) : below(200);
        const std::size_t alignment = std::size_t{1} << below(below(4) == 0 ? 14 : 5);
        const std::size_t pooled = in_use(w_.resource);
        void* const memory = w_.resource.allocate(bytes, alignment);
        const auto a = reinterpret_cast<address>(memory);
        hold(a % alignment == 0, "a block is aligned");
        hold(w_.upstream.owns(memory), "a block lies in upstream's memory");
        const auto mark = free_marks_.find(frame_at(a, alignment));
        if (mark == free_marks_.end()) {
            hold(w_.all.empty(), "a frame that was left alone is silent");
        } else {
            const violation v = w_.only().v;
            hold(v.kind == violation_kind::write_after_free && v.address == pointer_to(mark->second.first), "a write");
            hold(v.offset == mark->second.second, "where it was written");
            free_marks_.erase(mark);
        }
        free_.erase(frame_at(a, alignment));
        const block b{bytes, alignment, static_cast<unsigned char>(below(256)), in_use(w_.resource) == pooled};
        std::memset(memory, b.stamp, bytes);
        hold(live_.emplace(a, b).second, "a block has one owner");
    }
    void put() {
        if (live_.empty()) return;
        const auto [a, b] = *any_of(live_);
        const auto* const bytes = static_cast<const unsigned char*>(pointer_to(a));
        hold(std::all_of(bytes, bytes + b.bytes, [s = b.stamp](unsigned char c) { return c == s; }), "bytes are kept");
        w_.resource.deallocate(pointer_to(a), b.bytes, b.alignment);
        const auto mark = marks_.find(a);
        if (mark == marks_.end()) {
            hold(w_.all.empty(), "a right release is silent");
        } else {
            const violation v = w_.only().v;
            hold(v.kind == violation_kind::buffer_overflow && v.address == pointer_to(a), "an overflow");
            hold(v.offset == mark->second, "where it went over");
            marks_.erase(mark);
        }
        live_.erase(a);
        if (!b.is_large) free_[frame_at(a, b.alignment)] = {a, b};
    }
    void damage() {
        if (below(2) == 0 && !live_.empty()) {
            const auto [a, b] = *any_of(live_);
            if (marks_.contains(a)) return;
            const std::ptrdiff_t offset = below(2) == 0 ? signed_of(b.bytes + below(16)) : -signed_of(1 + below(16));
            write_unseen(pointer_to(a), offset, 0x17);
            marks_[a] = offset;
        } else if (!free_.empty()) {
            const auto [start, last] = *any_of(free_);
            if (free_marks_.contains(start)) return;
            const std::ptrdiff_t offset = signed_of(below(last.second.bytes + 32)) - 16;
            write_unseen(pointer_to(last.first), offset, 0x17);
            free_marks_[start] = {last.first, offset};
        }
    }
    void misuse() {
        const std::size_t other = below(300);
        if (below(2) == 0 && !live_.empty()) {
            const auto [a, b] = *any_of(live_);
            if (other != b.bytes) {
                w_.resource.deallocate(pointer_to(a), other, b.alignment);
                hold(w_.only().v.kind == violation_kind::size_mismatch, "another size");
            }
            const std::size_t into = 1 + below(b.bytes + debug_frame::gap - 1);  // within its frame
            w_.resource.deallocate(pointer_to(a + into), b.bytes, b.alignment);
            hold(
                w_.only().v.kind == (b.is_large ? violation_kind::foreign_pointer : violation_kind::misaligned_pointer),
                "a pointer into a block");
        } else if (!free_.empty()) {
            const auto [start, last] = *any_of(free_);
            w_.resource.deallocate(pointer_to(last.first), below(2) == 0 ? last.second.bytes : other,
                                   last.second.alignment);
            hold(w_.only().v.kind == violation_kind::double_free, "a double free");
        }
    }
    void give_pages_back() {
        if (below(4) == 0) {
            w_.resource.release();
            live_.clear();
            marks_.clear();
        } else {
            w_.resource.shrink();
        }
        hold(w_.all.empty(), "nothing is told where all is right");
        std::erase_if(free_, [this](const auto& one) { return !w_.upstream.owns(pointer_to(one.first)); });
        std::erase_if(free_marks_, [this](const auto& one) { return !w_.upstream.owns(pointer_to(one.first)); });
    }

    std::mt19937 random_;
    watched w_;
    std::map<address, block> live_;
    std::map<address, std::pair<address, block>> free_;                 // by the frame's address: the last block in it
    std::map<address, std::ptrdiff_t> marks_;                           // damage around live blocks
    std::map<address, std::pair<address, std::ptrdiff_t>> free_marks_;  // damage in free frames, by the frame's address
    std::size_t aim_ = 50;
    int step_ = 0;
    std::string wrong_;
};

}  // namespace

TEST_CASE("debug resource: a random walk agrees with a model that knows each frame", "[debug][pool_resource][random]") {
    const char* const wish = std::getenv("FIXPOOL_TEST_SEED");
    const auto seed =
        static_cast<unsigned>(wish != nullptr ? std::strtoull(wish, nullptr, 10) : std::random_device{}());
    std::printf("random walk on a resource of debug level: FIXPOOL_TEST_SEED=%u\n", seed);
    for (unsigned turn = 0; turn < 10; ++turn) {
        INFO("seed " << seed + turn);
        CHECK(walk(seed + turn).run(4000) == "all holds");
    }
}
