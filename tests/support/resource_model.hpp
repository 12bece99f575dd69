// SPDX-License-Identifier: BSL-1.0
// resource_walk: a pool_resource beside a model that knows each page, and each block that was ever handed out. Numbers
// decide the next operation, as in model.hpp. Every answer must be exact.
#pragma once

#include <fixpool/pool_resource.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory_resource>
#include <new>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model.hpp"
#include "strict_upstream.hpp"

namespace model {

/// The smallest block size for so many bytes, as the contract states it. It is 8, 16, 24, 32, then multiples of 16 up
/// to 128, then four sizes per doubling.
inline std::size_t block_size_for(std::size_t bytes) {
    std::size_t size = 8;
    for (std::size_t step = 8; size < bytes; size += step) {
        if (size == 32) step = 16;
        if (size >= 128 && (size & (size - 1)) == 0) step = size / 4;
    }
    return size;
}

struct resource_setup {
    std::size_t max_blocks, largest;  // as in std::pmr::pool_options
    unsigned misuses, failures;       // per thousand operations
    std::size_t aim;                  // blocks in use, roughly
    bool checks_often;                // checks all counters after each operation
};

template <checking C, class Random> class resource_walk {
public:
    static constexpr bool is_checked = C != checking::unchecked;

    resource_walk(const resource_setup& s, Random& random)
        : setup_(s),
          random_(random),
          resource_(
              std::in_place,
              std::pmr::pool_options{.max_blocks_per_chunk = s.max_blocks, .largest_required_pool_block = s.largest},
              &upstream_,
              fixpool::resource_options{
                  .name = "walk",
                  .on_violation = [](const violation& v) { static_cast<resource_walk*>(v.context)->hear(v); },
                  .context = this}),
          largest_(resource_->options().largest_required_pool_block),
          max_blocks_(resource_->options().max_blocks_per_chunk) {
        for (std::size_t& size : sizes_) size = any_size();
    }
    resource_walk(const resource_walk&) = delete;
    resource_walk& operator=(const resource_walk&) = delete;

    /// What failed first, and at which step; or nothing.
    fault run(std::size_t steps) {
        std::size_t step = 0;
        for (; step < steps && !random_.is_empty(); ++step) {
            if (is_checked && setup_.misuses != 0 && below(1000) < setup_.misuses) misuse();
            else if (takes_next()) take();
            else if (!live_.empty()) put();
            if (below(512) == 511) do_all_at_once();
            hold(told_.empty(), "no misuse is told where there is none");
            if (setup_.checks_often || step % 64 == 0) check_counts();
            if (wrong_ != nullptr) return {wrong_, step};
        }
        check_counts();
        if (below(2) == 0)
            while (!live_.empty()) put();
        hold(told_.empty(), "what lives at the end is no misuse");
        resource_.reset();
        hold(told_.empty(), "what lives at the end is no misuse");
        hold(upstream_.out() == 0, "all memory is given back");
        hold(upstream_.wrong() == 0, "memory is given back as it was taken, once");
        return {wrong_, step};
    }

private:
    struct block {
        std::size_t bytes, alignment, stride;  // stride 0: a large block
        unsigned char stamp;
    };
    struct page {
        std::size_t stride, capacity;
        std::set<std::uintptr_t> handed_out;  // addresses of blocks
    };
    struct misuse_told {
        violation v;
        std::string name;
    };

    std::size_t below(std::size_t limit) { return random_.below(limit); }
    void hold(bool is_right, const char* what) {
        if (!is_right && wrong_ == nullptr) wrong_ = what;
    }
    void hear(const violation& v) { told_.push_back({v, v.pool_name}); }
    static std::uintptr_t number_of(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }
    static void* pointer_to(std::uintptr_t n) { return reinterpret_cast<void*>(n); }

    std::size_t any_size() {
        switch (below(8)) {
            case 0: return below(20000);
            case 1: return below(2000);
            case 2: return setup_.largest < 20000 ? setup_.largest + below(3) : 0;
            default: return below(200);
        }
    }
    std::size_t any_alignment() {
        const std::size_t bits = below(64);
        return std::size_t{1} << (bits < 17 ? bits : bits % 4);
    }
    /// The size of the blocks that serve a request; 0 if upstream serves it.
    [[nodiscard]] std::size_t stride_of(std::size_t bytes, std::size_t alignment) const {
        const std::size_t rounded = (std::max<std::size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
        const bool is_frequent = bytes <= std::min<std::size_t>(largest_, 1024) && alignment <= 16;
        if (!is_frequent && rounded > largest_) return 0;
        return bytes == 0 && is_frequent ? 16 : block_size_for(rounded);
    }

    bool takes_next() {
        if (until_next_aim_-- == 0) {
            const std::size_t aims[] = {0, setup_.aim, below(setup_.aim + 1)};
            aim_ = aims[below(3)];
            order_ = below(3);
            until_next_aim_ = below(2 * setup_.aim + 50);
            sizes_[below(std::size(sizes_))] = any_size();
        }
        return below(8) == 0 ? below(2) == 0 : live_.size() < aim_;
    }

    void take() {
        const std::size_t bytes = below(16) == 0 ? any_size() : sizes_[below(std::size(sizes_))];
        const std::size_t alignment = below(4) == 0 ? any_alignment() : 8;
        const std::size_t stride = stride_of(bytes, alignment);
        const bool may_fail = setup_.failures != 0 && below(1000) < setup_.failures;
        if (may_fail) upstream_.fail(below(3), below(2) == 0);
        void* memory = nullptr;
        try {
            memory = resource_->allocate(bytes, alignment);
        } catch (const std::bad_alloc&) {
            hold(may_fail && upstream_.has_failed(), "an allocation fails only if upstream does");
            if (stride != 0) ++refused_[stride];
        }
        upstream_.succeed();
        if (memory != nullptr) took(memory, {bytes, alignment, stride, static_cast<unsigned char>(below(256))});
    }

    void took(void* memory, const block& b) {
        const std::uintptr_t address = number_of(memory);
        hold(address % b.alignment == 0, "a block is aligned");
        hold(upstream_.owns(memory), "a block lies in memory that is out");
        const std::uintptr_t start = number_of(upstream_.start_of(memory));
        if (b.stride == 0) {
            hold(start == address && upstream_.size_of(memory) == b.bytes, "a large block is a piece of its own");
        } else {
            const std::size_t fitting = upstream_.size_of(memory) / b.stride;
            page& p = pages_.try_emplace(start, page{b.stride, std::min(fitting, max_blocks_), {}}).first->second;
            const std::size_t number = (address - start) / b.stride;
            hold(p.stride == b.stride, "a page has blocks of one size");
            hold(number * b.stride == address - start && number < p.capacity, "a block is one of its page's blocks");
            p.handed_out.insert(address);
        }
        auto* const bytes = static_cast<unsigned char*>(memory);
        std::fill(bytes, bytes + b.bytes, b.stamp);
        const auto [place, is_new] = live_.emplace(address, b);
        hold(is_new, "a block has one owner");
        order_of_.push_back(address);
    }

    std::uintptr_t next_to_put() {
        const std::size_t last = order_of_.size() - 1;
        const std::size_t nth = order_ == 0 ? last : order_ == 1 ? 0 : below(order_of_.size());
        const std::uintptr_t address = order_of_[nth];
        if (nth != 0) order_of_[nth] = order_of_[last], order_of_.pop_back();
        else order_of_.erase(order_of_.begin());
        return address;
    }
    void put() {
        const std::uintptr_t address = next_to_put();
        const block b = live_.at(address);
        const auto* const bytes = static_cast<unsigned char*>(pointer_to(address));
        hold(std::all_of(bytes, bytes + b.bytes, [&b](unsigned char byte) { return byte == b.stamp; }),
             "a block holds what was written");
        live_.erase(address);
        // Any size that the same blocks serve may be passed at the release.
        const std::size_t other = b.stride != 0 && b.stride - b.bytes > 1 && below(4) == 0 ? b.bytes + 1 : b.bytes;
        resource_->deallocate(pointer_to(address), stride_of(other, b.alignment) == b.stride ? other : b.bytes,
                              b.alignment);
    }

    void do_all_at_once() {
        if (below(8) == 0) {
            resource_->release();
            live_.clear();
            order_of_.clear();
            pages_.clear();
            refused_.clear();
            hold(upstream_.out() == 0, "release gives all memory back");
        } else {
            resource_->shrink();
            std::erase_if(pages_, [this](const auto& p) {
                const bool is_empty = live_in(p.first, p.second) == 0;
                hold(is_empty != upstream_.owns(pointer_to(p.first)), "shrink gives back the pages that are empty");
                return is_empty;
            });
        }
    }

    [[nodiscard]] std::size_t live_in(std::uintptr_t start, const page& p) const {
        const auto first = live_.lower_bound(start), last = live_.lower_bound(start + p.capacity * p.stride);
        return static_cast<std::size_t>(std::distance(first, last));
    }

    /// Makes wrong releases, of each kind.
    void misuse() {
        std::uintptr_t address = any_address();
        std::size_t bytes = below(2) == 0 ? any_size() : sizes_[below(std::size(sizes_))];
        std::size_t alignment = below(4) == 0 ? any_alignment() : 8;
        const auto here = live_.find(address);
        if (here != live_.end()) {
            const block& b = here->second;
            if (below(2) == 0) bytes = b.bytes, alignment = below(2) == 0 ? b.alignment : any_alignment();
            const bool is_right =
                b.stride != 0 ? stride_of(bytes, alignment) == b.stride
                              : stride_of(bytes, alignment) == 0 && bytes == b.bytes && alignment == b.alignment;
            if (is_right) return;
        }
        violation expected{.kind = violation_kind::foreign_pointer};
        if (here != live_.end()) expected.kind = violation_kind::size_mismatch;
        const auto next = pages_.upper_bound(address);
        const bool is_in_page = next != pages_.begin() && [&] {
            const auto& [start, p] = *std::prev(next);
            return address - start < p.capacity * p.stride;
        }();
        if (is_in_page) {
            const auto& [start, p] = *std::prev(next);
            expected.index = (address - start) / p.stride;
            expected.total_blocks = p.capacity;
            expected.live_blocks = live_in(start, p);
            if ((address - start) % p.stride != 0) expected.kind = violation_kind::misaligned_pointer;
            else if (p.handed_out.contains(address)) {
                if (here == live_.end()) expected.kind = violation_kind::double_free;
            } else expected.kind = violation_kind::not_allocated;
        } else {
            for (const auto& [start, p] : pages_) {
                expected.total_blocks += p.capacity;
                expected.live_blocks += live_in(start, p);
            }
        }
        if (address == 0 && !strict_upstream::may_be_wrong) return;
        resource_->deallocate(pointer_to(address), bytes, alignment);
        if (address == 0) return hold(told_.empty(), "nullptr is no misuse");
        if (told_.size() != 1) return hold(false, "misuse is told once");
        const violation& v = told_[0].v;
        hold(v.kind == expected.kind, "the kind of misuse");
        hold(v.index == expected.index && v.address == pointer_to(address), "the address and the index of misuse");
        hold(v.total_blocks == expected.total_blocks, "the blocks of the page");
        hold(v.live_blocks == expected.live_blocks, "the blocks of the page that are in use");
        hold(v.pool == &*resource_ && told_[0].name == "walk", "who tells of misuse");
        told_.clear();
    }

    std::uintptr_t any_address() {
        switch (below(8)) {
            case 0: {
                int local = 0;
                const std::uintptr_t nobodys[] = {0,
                                                  1,
                                                  8,
                                                  4096,
                                                  65535,
                                                  ~std::uintptr_t{0},
                                                  number_of(&local),
                                                  ~std::uintptr_t{0} << 16,
                                                  number_of(this)};
                return nobodys[below(std::size(nobodys))];
            }
            case 1:
            case 2:
            case 3:
                if (order_of_.empty()) return 8;
                return order_of_[below(order_of_.size())] + (below(4) == 0 ? below(70) : 0);
            default: {
                if (pages_.empty()) return 16;
                auto chosen = pages_.begin();
                std::advance(chosen, static_cast<std::ptrdiff_t>(below(pages_.size())));
                const auto& [start, p] = *chosen;
                if (below(4) != 0) return start + below(p.capacity) * p.stride;
                return start - 100 + below(p.capacity * p.stride + 70000);
            }
        }
    }

    void check_counts() {
        std::map<std::size_t, fixpool::pool_stats> expected;
        for (const auto& [start, p] : pages_) {
            fixpool::pool_stats& s = expected[p.stride];
            const std::size_t kept = sizeof(std::uintptr_t) + 2 * p.capacity + sizeof(fixpool::detail::page_state);
            s.total_blocks += p.capacity;
            s.in_use += live_in(start, p);
            s.peak_in_use += p.handed_out.size();
            s.arena_bytes += upstream_.size_of(pointer_to(start)) + kept;
        }
        std::size_t last = 0;
        resource_->for_each_pool([&](const fixpool::pool_stats& s) {
            hold(s.stride > last && s.stride == s.block_size, "the classes are in order");
            last = s.stride;
            if (!expected.contains(s.stride)) return hold(false, "a class without pages is not visited");
            const fixpool::pool_stats& e = expected[s.stride];
            hold(s.in_use == e.in_use, "blocks in use");
            hold(s.total_blocks == e.total_blocks, "blocks there are");
            hold(s.peak_in_use == e.peak_in_use, "blocks that were ever handed out");
            hold(s.refused == refused_[s.stride], "allocations refused");
            hold(s.arena_bytes == e.arena_bytes, "bytes that are kept");
            hold(s.metadata_bytes == s.arena_bytes - s.total_blocks * s.stride, "bytes beside the blocks");
            expected.erase(s.stride);
        });
        hold(expected.empty(), "each class that has pages is visited");
        if constexpr (requires { resource_->audit(); }) hold(resource_->audit(), "a resource is sound");
        hold(upstream_.wrong() == 0, "memory is given back as it was taken, once");
    }

    const resource_setup setup_;
    Random& random_;
    strict_upstream upstream_;
    std::optional<fixpool::basic_pool_resource<C>> resource_;
    const std::size_t largest_, max_blocks_;
    std::map<std::uintptr_t, block> live_;
    std::vector<std::uintptr_t> order_of_;  // addresses of live blocks, roughly in the order of allocation
    std::map<std::uintptr_t, page> pages_;
    std::map<std::size_t, std::size_t> refused_;  // by the size of blocks
    std::vector<misuse_told> told_;
    std::size_t sizes_[4] = {};  // most requests are for these
    std::size_t aim_ = 0, until_next_aim_ = 0, order_ = 0;
    const char* wrong_ = nullptr;
};

}  // namespace model
