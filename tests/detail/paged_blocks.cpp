// SPDX-License-Identifier: BSL-1.0
// What the tests of pool_resource do not reach.
#include <fixpool/detail/paged_blocks.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory_resource>
#include <new>
#include <random>
#include <set>
#include <vector>

#include "../support/catch.hpp"
#include "../support/strict_upstream.hpp"

using fixpool::checking;
using fixpool::violation_kind;
using fixpool::detail::block_shape;
using fixpool::detail::page_misuse;
using fixpool::detail::page_state;

namespace {

/// Places pages where it was told: at multiples of a power of two that is larger than a page. Nobody writes to them.
class far_apart final : public std::pmr::memory_resource {
public:
    explicit far_apart(int bits) : bits_(bits) {}

    /// From now on, the searches for all pages begin at the same place. It uses the tables' factor.
    void collide() { collides_ = true; }
    [[nodiscard]] std::size_t pages() const { return pages_; }

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        if (alignment < 4096) return std::pmr::new_delete_resource()->allocate(bytes, alignment);
        ++pages_;
        const auto is_apart = [this] { return (last_ << bits_) * 0xad5c'2707'2348'56d9 >> 55 != 0; };
        do ++last_;
        while (collides_ && is_apart());
        return reinterpret_cast<void*>(static_cast<std::uintptr_t>(last_) << bits_);
    }
    void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
        if (alignment < 4096) return std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
        --pages_;
    }
    [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

    int bits_;
    std::size_t last_ = 0, pages_ = 0;
    bool collides_ = false;
};

/// Places its first page second in the address space, as on a small machine. Nobody writes to it.
class low final : public std::pmr::memory_resource {
public:
    static constexpr std::uintptr_t page = 4096;

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        if (bytes == page && alignment == page) return reinterpret_cast<void*>(page);
        return std::pmr::new_delete_resource()->allocate(bytes, alignment);
    }
    void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
        if (reinterpret_cast<std::uintptr_t>(memory) == page) return;
        std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
    }
    [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

/// Places small pages in a row, and large ones in another row. It may have no large ones. Nobody writes to them.
class without_large final : public std::pmr::memory_resource {
public:
    bool has_large = true;
    std::size_t small = 0, large = 0;  // pages that are out

private:
    static constexpr std::size_t small_page = 4096, large_page = 65536;

    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        if (alignment < small_page) return std::pmr::new_delete_resource()->allocate(bytes, alignment);
        if (bytes != small_page && !has_large) throw std::bad_alloc();
        std::uintptr_t& next = bytes == small_page ? next_small_ : next_large_;
        ++(bytes == small_page ? small : large);
        next += bytes;
        return reinterpret_cast<void*>(next - bytes);
    }
    void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
        if (alignment < small_page) return std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
        --(bytes == small_page ? small : large);
    }
    [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

    std::uintptr_t next_small_ = 16 * large_page, next_large_ = 256 * large_page;
};

/// Blocks of three classes.
template <checking C> struct three_classes {
    explicit three_classes(std::pmr::memory_resource* upstream) : blocks(upstream) {}
    void* take(std::size_t number) {
        page_state& page = blocks.current(number);
        return blocks.take(page.has_head() ? page : blocks.refill(number, shapes[number], grows(number)),
                           shapes[number], shapes[number].stride);
    }
    bool put(std::size_t number, void* block) {
        return blocks.release(number, shapes[number], block) ||
               blocks.release_searched(number, shapes[number], block, grows(number));
    }
    violation_kind kind_of(const void* block) { return blocks.misuse_of(block, shapes).kind; }

    static constexpr block_shape shapes[] = {block_shape(64), block_shape(1000), block_shape(40000)};
    static constexpr std::size_t most_blocks[] = {8192, 7, 2};
    static auto grows(std::size_t number) {
        return [number] { return fixpool::detail::growth_of(shapes[number].stride, most_blocks[number]); };
    }
    fixpool::detail::paged_blocks<C, 3> blocks;
};

}  // namespace

TEST_CASE("the first page of the first class may lie where a larger one would be the first of all memory",
          "[paged_blocks]") {
    const bool is_possible = !fixpool::detail::fences;
    low upstream;
    three_classes<checking::checked> all(&upstream);
    std::vector<void*> out;
    bool are_right = true;
    for (std::size_t i = 0; i < 100 && is_possible; ++i) out.push_back(all.take(0));  // 64 are in the first page
    if (is_possible) are_right &= reinterpret_cast<std::uintptr_t>(out[63]) == low::page + std::uintptr_t{63} * 64;
    for (void* const block : out) are_right &= all.put(0, block) && !all.put(0, block);
    are_right &= !all.put(0, reinterpret_cast<void*>(std::uintptr_t{64}));
    CHECK(are_right);
}

TEMPLATE_TEST_CASE_SIG("where upstream has no large page, small ones take their place until none is left",
                       "[paged_blocks]", ((checking C), C), checking::unchecked, checking::checked) {
    const bool is_possible = !fixpool::detail::fences;
    bool are_right = true;
    without_large upstream;
    three_classes<C> all(&upstream);
    for (int turn = 0; turn < 2 && is_possible; ++turn) {
        std::vector<void*> out;
        const auto take = [&](std::size_t count) {
            while (count-- != 0) out.push_back(all.take(0));
        };
        upstream.has_large = true;
        take(64 + 1024);
        are_right &= upstream.small == 1 && upstream.large == 1;
        upstream.has_large = false;
        take(std::size_t{10} * 64);
        are_right &= upstream.small == 11 && upstream.large == 1;
        upstream.has_large = true;
        take(64);
        are_right &= upstream.small == 12 && upstream.large == 1;
        CHECK(std::set<void*>(out.begin(), out.end()).size() == out.size());

        // Empties one page of each size, and then some of the small ones.
        for (int given_back = 0; given_back < 3; ++given_back) {
            std::vector<void*> kept;
            for (std::size_t i = 0; i < out.size(); ++i) {
                if (given_back == 2 || i / 64 % 3 == 1) {
                    are_right &= all.put(0, out[i]);
                    if (C == checking::checked) are_right &= !all.put(0, out[i]) && !all.put(1, out[i]);
                } else {
                    kept.push_back(out[i]);
                }
            }
            out.swap(kept);
            fixpool::pool_stats counts[3];
            all.blocks.count(counts, decltype(all)::shapes);
            are_right &= counts[0].in_use == out.size();
            all.blocks.shrink();
        }
        are_right &= upstream.small + upstream.large == 0 && all.blocks.pages().size() == 0;
    }
    CHECK(are_right);
}

// These addresses have no memory. Any access to a page would end the program, and so would a sanitizer's note of it.
TEST_CASE("no byte of a page is read or written, and pages that are far apart are told apart", "[paged_blocks]") {
    const bool is_possible = !fixpool::detail::fences && sizeof(void*) >= 8;
    bool are_right = true;
    for (const int bits : {18, 30, 37, 40, 50}) {
        if (!is_possible) break;
        far_apart upstream(bits);
        {
            three_classes<checking::checked> all(&upstream);
            std::map<void*, std::size_t> out;
            for (std::size_t i = 0; i < 600; ++i) are_right &= out.emplace(all.take(i % 3), i % 3).second;
            for (const auto& [block, number] : out) {
                for (std::size_t other = 0; other < 3; ++other) are_right &= other == number || !all.put(other, block);
                are_right &= all.kind_of(block) == violation_kind::size_mismatch;
            }
            std::size_t nth = 0;
            for (const auto& [block, number] : out) {
                if (nth++ % 3 == 0) continue;
                are_right &= all.put(number, block) && !all.put(number, block);
                are_right &= all.kind_of(block) == violation_kind::double_free;
            }
            const std::size_t pages = upstream.pages();
            all.blocks.shrink();
            are_right &= upstream.pages() < pages;
            nth = 0;
            std::erase_if(out, [&nth](const auto&) { return nth++ % 3 != 0; });
            for (std::size_t i = 0; i < 60; ++i) are_right &= out.emplace(all.take(i % 3), i % 3).second;
            for (const auto& [block, number] : out) are_right &= all.put(number, block);
            all.blocks.shrink();
            are_right &= upstream.pages() == 0 && all.blocks.pages().size() == 0;
        }
        are_right &= upstream.pages() == 0;
    }
    CHECK(are_right);
}

TEST_CASE("pages whose searches begin at one place are told apart, also when some of them are given back",
          "[paged_blocks]") {
    const bool is_possible = !fixpool::detail::fences && sizeof(void*) >= 8;
    bool are_right = true;
    for (unsigned seed = 0; seed < 20 && is_possible; ++seed) {
        far_apart upstream(18);
        three_classes<checking::checked> all(&upstream);
        std::mt19937 random(seed);
        std::map<void*, std::size_t> out;
        for (int turn = 0; turn < 20; ++turn) {
            for (std::size_t i = random() % 40; i != 0; --i) {
                const std::size_t number = random() % 3;
                upstream.collide();
                are_right &= out.emplace(all.take(number), number).second;
            }
            std::erase_if(out, [&](const auto& block) {
                const bool goes = random() % 4 != 0;
                if (goes) are_right &= all.put(block.second, block.first) && !all.put(block.second, block.first);
                return goes;
            });
            all.blocks.shrink();
            fixpool::pool_stats counts[3];
            all.blocks.count(counts, decltype(all)::shapes);
            are_right &= counts[0].in_use + counts[1].in_use + counts[2].in_use == out.size();
        }
    }
    CHECK(are_right);
}

TEST_CASE("blocks whose size is no class of a resource's, and of which two fill a page, are served", "[paged_blocks]") {
    strict_upstream upstream;
    {
        three_classes<checking::checked> all(&upstream);
        for (int turn = 0; turn < 3; ++turn) {
            std::vector<void*> out;
            for (int i = 0; i < 50; ++i) out.push_back(all.take(2));
            CHECK(std::set<void*>(out.begin(), out.end()).size() == 50);
            CHECK(all.blocks.pages().size() == 25);
            for (void* const block : out) {
                CHECK(upstream.owns(static_cast<std::byte*>(block) + 39999));
                CHECK(all.put(2, block));
            }
            fixpool::pool_stats counts[3];
            all.blocks.count(counts, decltype(all)::shapes);
            CHECK(counts[2].total_blocks == 50);
            CHECK(counts[2].in_use == 0);
            CHECK(counts[2].peak_in_use == 50);
            CHECK(counts[0].total_blocks == 0);
        }
    }
    CHECK(upstream.out() + upstream.wrong() == 0);
}

TEST_CASE("what is wrong with an address tells of its page, and of all pages if it is in none", "[paged_blocks]") {
    strict_upstream upstream;
    three_classes<checking::checked> all(&upstream);
    for (int i = 0; i < 70; ++i) static_cast<void>(all.take(0));
    auto* const block = static_cast<std::byte*>(all.take(1));
    const page_misuse inside = all.blocks.misuse_of(block + 1, decltype(all)::shapes);
    CHECK(inside.kind == violation_kind::misaligned_pointer);
    CHECK(inside.index == 0);
    CHECK(inside.page_blocks == 4);
    CHECK(inside.page_out == 1);
    CHECK(inside.stride == 1000);
    const page_misuse next = all.blocks.misuse_of(block + 3000, decltype(all)::shapes);
    CHECK(next.kind == violation_kind::not_allocated);
    CHECK(next.index == 3);
    const page_misuse behind = all.blocks.misuse_of(block + 4000, decltype(all)::shapes);
    CHECK(behind.kind == violation_kind::foreign_pointer);
    CHECK(behind.index == fixpool::violation::npos);
    CHECK(behind.page_blocks == 64 + 1024 + 4);
    CHECK(behind.page_out == 71);
    CHECK(behind.stride == 0);
}

TEST_CASE("links lie outside the pages: a write over whole blocks changes nothing that is known of them",
          "[paged_blocks]") {
    if (fixpool::detail::fences) return;  // AddressSanitizer reports it
    strict_upstream upstream;
    three_classes<checking::checked> all(&upstream);
    std::vector<void*> out;
    for (int i = 0; i < 200; ++i) out.push_back(all.take(0));
    for (void* const block : out) CHECK(all.put(0, block));
    for (void* const block : out) std::memset(block, 0x77, 64);
    std::set<void*> again;
    for (int i = 0; i < 64 + 1024; ++i) again.insert(all.take(0));
    CHECK(again.size() == 64 + 1024);
    for (void* const block : out) CHECK(again.contains(block));
}
