// SPDX-License-Identifier: BSL-1.0
// The resources that these tests run on: ours at each level, and the standard library's own. A test that the latter
// passes checks what the standard requires. README.md says which tests leave it out, and why.
#pragma once

#include <fixpool/debug_pages.hpp>
#include <fixpool/pool_resource.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory_resource>
#include <type_traits>
#include <vector>

#include "../support/catch.hpp"
#include "../support/upstream.hpp"

using checked_pool_resource = fixpool::pool_resource;
using unchecked_pool_resource = fixpool::basic_pool_resource<fixpool::checking::unchecked>;
using debug_pool_resource = fixpool::basic_pool_resource<fixpool::checking::debug>;
using std_pool_resource = std::pmr::unsynchronized_pool_resource;
using each_of = std::initializer_list<std::size_t>;

template <class Resource> inline constexpr bool is_std = std::is_same_v<Resource, std_pool_resource>;

/// The standard library's own resource, if the program uses that library.
#if defined(_LIBCPP_VERSION)
template <class Resource> inline constexpr bool is_libcxx = is_std<Resource>;
#else
template <class Resource> inline constexpr bool is_libcxx = false;
#endif
#if defined(__GLIBCXX__)
template <class Resource> inline constexpr bool is_libstdcxx = is_std<Resource>;
#else
template <class Resource> inline constexpr bool is_libstdcxx = false;
#endif

/// The same address, hidden from the compiler: libstdc++'s attributes of `allocate` would tell it what a test checks.
inline const void* unknown(const void* block) {
    const void* const volatile one = block;
    return one;
}

/// An address that is not null, at a multiple of the alignment.
inline bool is_aligned(const void* block, std::size_t alignment) {
    const auto address = reinterpret_cast<std::uintptr_t>(unknown(block));
    return address != 0 && address % alignment == 0;
}

inline bool are_same(const std::pmr::pool_options& one, const std::pmr::pool_options& other) {
    return one.max_blocks_per_chunk == other.max_blocks_per_chunk &&
           one.largest_required_pool_block == other.largest_required_pool_block;
}

/// Makes `resource` the default one until the end of the scope.
class default_resource {
public:
    explicit default_resource(std::pmr::memory_resource* resource)
        : previous_(std::pmr::set_default_resource(resource)) {}
    default_resource(const default_resource&) = delete;
    default_resource& operator=(const default_resource&) = delete;
    ~default_resource() { std::pmr::set_default_resource(previous_); }

private:
    std::pmr::memory_resource* previous_;
};

/// Live blocks of a resource. Each is filled with its own bytes, so that an overlap is seen.
class live_blocks {
public:
    explicit live_blocks(std::pmr::memory_resource& resource) : resource_(resource) {}

    void* take(std::size_t size, std::size_t alignment = alignof(std::max_align_t)) {
        void* const block = resource_.allocate(size, alignment);
        std::memset(block, ++mark_, size);
        blocks_.push_back({block, {size, alignment}, mark_});
        return block;
    }
    void give_back(std::size_t index) {
        const entry one = blocks_[index];
        blocks_[index] = blocks_.back();
        blocks_.pop_back();
        resource_.deallocate(one.block, one.asked.size, one.asked.alignment);
    }
    void give_back_all() {
        while (!blocks_.empty()) give_back(blocks_.size() - 1);
    }
    void forget() { blocks_.clear(); }
    [[nodiscard]] std::size_t count() const { return blocks_.size(); }

    /// Whether each block is aligned, and has the bytes that were written to it.
    [[nodiscard]] bool are_sound() const {
        for (const entry& one : blocks_) {
            if (!is_aligned(one.block, one.asked.alignment)) return false;
            const auto* const bytes = static_cast<const unsigned char*>(one.block);
            for (std::size_t i = 0; i < one.asked.size; ++i) {
                if (bytes[i] != one.mark) return false;
            }
        }
        return true;
    }

private:
    struct entry {
        void* block;
        request asked;
        unsigned char mark;
    };
    std::pmr::memory_resource& resource_;
    std::vector<entry> blocks_;
    unsigned char mark_ = 0;
};
