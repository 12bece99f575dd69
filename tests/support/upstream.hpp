// SPDX-License-Identifier: BSL-1.0
// recording_upstream: a memory resource that knows what is out, checks what comes back, and can refuse.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory_resource>
#include <new>
#include <string>
#include <vector>

/// Thrown by a recording_upstream that was told to fail. Nobody can catch it by accident.
struct upstream_failure {};

/// Size and alignment of an allocation.
struct request {
    std::size_t size;
    std::size_t alignment;
    bool operator==(const request&) const = default;
    bool operator<(const request& other) const noexcept {
        return size != other.size ? size < other.size : alignment < other.alignment;
    }
};

/// Hands out memory of `source`. Each allocation must come back once, with its size and alignment, and with the guard
/// bytes behind it unchanged. `fault()` tells what was wrong first; or "none".
class recording_upstream : public std::pmr::memory_resource {
public:
    explicit recording_upstream(std::pmr::memory_resource* source = std::pmr::new_delete_resource())
        : source_(source) {}
    recording_upstream(const recording_upstream&) = delete;
    recording_upstream& operator=(const recording_upstream&) = delete;
    ~recording_upstream() override {
        for (const auto& [block, asked] : live_) free(block, asked);
    }

    [[nodiscard]] std::size_t live() const noexcept { return live_.size(); }  // allocations
    [[nodiscard]] std::size_t live_bytes() const noexcept { return live_bytes_; }
    [[nodiscard]] bool has(const request& one) const noexcept {  // a live allocation like this
        return std::any_of(live_.begin(), live_.end(), [&](const auto& entry) { return entry.second == one; });
    }
    [[nodiscard]] const std::vector<request>& taken() const noexcept { return taken_; }        // all, in their order
    [[nodiscard]] const std::vector<request>& returned() const noexcept { return returned_; }  // all, in their order
    [[nodiscard]] const std::vector<request>& refused() const noexcept { return refused_; }    // all, in their order
    [[nodiscard]] const std::string& fault() const noexcept { return fault_; }                 // "none": all was right

    /// The n-th allocation from now on, counted from 0, throws `upstream_failure`. With `for_ever`, all later ones do.
    void fail(std::size_t nth, bool for_ever) noexcept {
        fail_at_ = asked_ + nth;
        fails_for_ever_ = for_ever;
        has_failed_ = false;
    }
    void fail_no_more() noexcept { fail_at_ = never; }
    [[nodiscard]] bool has_failed() const noexcept { return has_failed_; }

    /// While calls are forbidden, every call is a fault.
    void forbid(bool is_forbidden) noexcept { is_forbidden_ = is_forbidden; }

protected:
    void* do_allocate(std::size_t size, std::size_t alignment) override {
        if (is_forbidden_) wrong("it was asked for memory where nothing is needed");
        const std::size_t number = asked_++;
        if (number == fail_at_ || (fails_for_ever_ && fail_at_ != never && number > fail_at_)) {
            has_failed_ = true;
            refused_.push_back({size, alignment});
            throw upstream_failure();
        }
        if (size > PTRDIFF_MAX - guard) {
            refused_.push_back({size, alignment});
            throw std::bad_alloc();
        }
        void* const block = source_->allocate(size + guard, alignment);
        std::memset(static_cast<std::byte*>(block) + size, guard_byte, guard);
        live_.emplace(block, request{size, alignment});
        taken_.push_back({size, alignment});
        live_bytes_ += size;
        return block;
    }

    void do_deallocate(void* block, std::size_t size, std::size_t alignment) override {
        if (is_forbidden_) wrong("it was given memory back where none is to be");
        const auto found = live_.find(block);
        if (found == live_.end()) {
            wrong("it was given back what it has not handed out, or had back already");
            return;
        }
        const request asked = found->second;
        if (asked != request{size, alignment})
            wrong("it was given back another size or alignment than it was asked for");
        const auto* const behind = static_cast<const unsigned char*>(block) + asked.size;
        if (std::any_of(behind, behind + guard, [](unsigned char byte) { return byte != guard_byte; })) {
            wrong("bytes behind its memory were written");
        }
        std::memset(block, 0xdd, asked.size);  // AddressSanitizer reports it if a byte is still poisoned
        live_.erase(found);
        live_bytes_ -= asked.size;
        returned_.push_back({size, alignment});
        free(block, asked);
    }

    [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

private:
    static constexpr std::size_t never = static_cast<std::size_t>(-1);
    static constexpr std::size_t guard = 16;  // bytes behind each allocation
    static constexpr unsigned char guard_byte = 0xfd;

    void free(void* block, const request& asked) { source_->deallocate(block, asked.size + guard, asked.alignment); }
    void wrong(const char* what) {
        if (fault_ == "none") fault_ = what;
    }

    std::pmr::memory_resource* source_;
    std::map<void*, request> live_;
    std::size_t live_bytes_ = 0;
    std::vector<request> taken_, returned_, refused_;
    std::string fault_ = "none";
    std::size_t asked_ = 0;  // allocations, refused ones included
    std::size_t fail_at_ = never;
    bool fails_for_ever_ = false;
    bool has_failed_ = false;
    bool is_forbidden_ = false;
};
