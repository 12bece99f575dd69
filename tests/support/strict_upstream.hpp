// SPDX-License-Identifier: BSL-1.0
// strict_upstream: a memory resource for tests of resources. It knows each piece that is out. It demands it back with
// the same size and alignment, and can fail on request.
#pragma once

#include <fixpool/detail/platform.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>
#include <memory_resource>
#include <new>

class strict_upstream final : public std::pmr::memory_resource {
public:
    enum class failure : unsigned char { throws, returns_null, misaligns };

    strict_upstream() = default;
    strict_upstream(const strict_upstream&) = delete;
    strict_upstream& operator=(const strict_upstream&) = delete;
    ~strict_upstream() override {
        for (const auto& [address, of] : out_) free_piece(of);
    }

    /// Whether it may return what no resource should. Not with UndefinedBehaviorSanitizer, which reports that itself,
    /// and which these tests use together with AddressSanitizer.
    static constexpr bool may_be_wrong = !fixpool::detail::fences;

    /// The n-th allocation from now on fails, counted from 0. With `for_ever`, all later ones fail, too.
    void fail(std::size_t nth, bool for_ever, failure how = failure::throws) {
        until_failure_ = nth;
        for_ever_ = for_ever;
        how_ = how;
        has_failed_ = false;
    }
    void succeed() { until_failure_ = never; }
    [[nodiscard]] bool has_failed() const { return has_failed_; }  // since the last call of `fail`

    [[nodiscard]] std::size_t out() const { return out_.size(); }  // pieces
    [[nodiscard]] std::size_t bytes() const { return bytes_; }     // in them
    [[nodiscard]] std::size_t asked() const { return asked_; }     // allocations, failed ones included
    [[nodiscard]] std::size_t wrong() const { return wrong_; }     // releases of what was not out
    /// The piece that contains an address, and its size in bytes; nullptr and 0 if none does.
    [[nodiscard]] void* start_of(const void* address) const {
        const auto next = out_.upper_bound(const_cast<void*>(address));
        if (next == out_.begin()) return nullptr;
        const auto& [start, found] = *std::prev(next);
        const auto offset = reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(start);
        return offset == 0 || offset < found.size ? start : nullptr;
    }
    [[nodiscard]] bool owns(const void* address) const { return start_of(address) != nullptr; }
    [[nodiscard]] std::size_t size_of(const void* address) const {
        void* const start = start_of(address);
        return start == nullptr ? 0 : out_.at(start).size;
    }

private:
    static constexpr std::size_t never = static_cast<std::size_t>(-1);
    struct piece {
        void* memory;
        std::size_t size, alignment;
    };

    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        ++asked_;
        bool fails = false;
        if (until_failure_ != never) {
            fails = until_failure_ == 0;
            if (!fails) --until_failure_;
            else if (!for_ever_) until_failure_ = never;
        }
        if (fails) {
            has_failed_ = true;
            if (how_ == failure::throws) throw std::bad_alloc();
            if (how_ == failure::returns_null) return nullptr;
        }
        if (bytes > PTRDIFF_MAX / 2) throw std::bad_alloc();
        // Puts other bytes between two pieces, so that a neighbour's address is nobody's. Sets all bytes: nobody may
        // rely on them.
        const bool is_crooked = fails;
        void* const memory = ::operator new (bytes + alignment, std::align_val_t{alignment});
        std::memset(memory, 0xa5, bytes + alignment);
        void* const start = is_crooked ? static_cast<std::byte*>(memory) + alignment / 2 : memory;
        out_.emplace(start, piece{memory, bytes, alignment});
        bytes_ += bytes;
        return start;
    }
    void do_deallocate(void* start, std::size_t bytes, std::size_t alignment) override {
        const auto found = out_.find(start);
        if (found == out_.end() || found->second.size != bytes || found->second.alignment != alignment) {
            ++wrong_;
            return;
        }
        std::memset(start, 0x5a, bytes);  // AddressSanitizer reports it if a byte is still poisoned
        free_piece(found->second);
        bytes_ -= bytes;
        out_.erase(found);
    }
    [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

    static void free_piece(const piece& p) { ::operator delete (p.memory, std::align_val_t{p.alignment}); }

    std::map<void*, piece> out_;
    std::size_t bytes_ = 0, asked_ = 0, wrong_ = 0, until_failure_ = never;
    bool for_ever_ = false, has_failed_ = false;
    failure how_ = failure::throws;
};
