// SPDX-License-Identifier: BSL-1.0
// footprint: the memory of a map of a million numbers, after it is built and after most of it is erased.
#pragma once

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <memory_resource>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "contenders.hpp"

/// Counts the allocated bytes.
class counting_resource final : public std::pmr::memory_resource {
public:
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        void* const block = std::pmr::new_delete_resource()->allocate(bytes, alignment);
        bytes_ += bytes;
        return block;
    }
    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
        std::pmr::new_delete_resource()->deallocate(block, bytes, alignment);
        bytes_ -= bytes;
    }
    [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

    std::size_t bytes_ = 0;
};

/// A line of the table: taken and resident bytes while the map grows and shrinks.
class footprint {
public:
    /// `taken` returns the bytes taken so far; null if unknown. `shrink` gives unused memory back; null if there is no such
    /// function.
    footprint(std::function<std::size_t()> taken, std::function<void()> shrink)
        : taken_(std::move(taken)), shrink_(std::move(shrink)) {}

    /// Builds the map, erases a random 90 %, shrinks, clears, and shrinks again. Prints after each step.
    template <class Allocator> void print(const Allocator& from) {
        const std::vector<int> keys = shuffled_keys();
        taken_before_ = taken();
        resident_before_ = resident();
        std::map<int, int, std::less<>, Allocator> map(from);
        for (const int key : keys) map.emplace(key, key);
        print_growth();
        std::for_each(keys.rbegin(), keys.rend() - count / 10, [&](int key) { map.erase(key); });
        print_growth();
        print_shrunk();
        map.clear();
        print_growth();
        print_shrunk();
        std::printf("\n");
        std::fflush(stdout);
    }

    static void print_head() {
        std::printf(
            "\n| map of 10^6 pairs of int: MB taken, MB resident | built | | 90 %% erased | | then shrunk | |"
            " cleared | | then shrunk | |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n");
        std::fflush(stdout);
    }

private:
    static constexpr int count = 1'000'000;

    /// 0 to count - 1, in random order.
    static std::vector<int> shuffled_keys() {
        std::vector<int> keys(count);
        std::iota(keys.begin(), keys.end(), 0);
        std::mt19937 random(1);
        for (std::size_t i = keys.size() - 1; i > 0; --i) std::swap(keys[i], keys[random() % (i + 1)]);
        return keys;
    }

    static std::size_t resident() {
        std::size_t size = 0;
        std::size_t pages = 0;
        std::ifstream("/proc/self/statm") >> size >> pages;
        return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    }
    [[nodiscard]] std::size_t taken() const { return taken_ ? taken_() : 0; }

    void print_growth() const {
        const auto mb = [](std::size_t now, std::size_t before) {
            return 1e-6 * (static_cast<double>(now) - static_cast<double>(before));
        };
        if (taken_) std::printf(" %.2f |", mb(taken(), taken_before_));
        else std::printf(" - |");
        std::printf(" %.2f |", mb(resident(), resident_before_));
    }

    void print_shrunk() const {
        if (shrink_) {
            shrink_();
            print_growth();
        } else {
            std::printf(" - | - |");
        }
    }

    std::function<std::size_t()> taken_;
    std::function<void()> shrink_;
    std::size_t taken_before_ = 0;     // bytes
    std::size_t resident_before_ = 0;  // bytes
};

/// Bytes that glibc has from the system.
inline std::size_t taken_by_glibc() {
    const struct mallinfo2 all = ::mallinfo2();
    return all.arena + all.hblkhd;
}

/// Prints the line of one contender.
class footprint_run {
public:
    footprint_run(std::string name, std::function<void()> print) : name_(std::move(name)), print_(std::move(print)) {}

    [[nodiscard]] const std::string& name() const { return name_; }
    void run() const {
        std::printf("| %s |", name_.c_str());
        print_();
    }

private:
    std::string name_;
    std::function<void()> print_;
};

using map_pair = std::pair<const int, int>;

template <class Resource> void print_footprint_of() {
    counting_resource upstream;
    Resource resource(&upstream);
    std::function<void()> shrink;
    if constexpr (requires { resource.shrink(); }) shrink = [&resource] { resource.shrink(); };
    footprint([&upstream] { return upstream.bytes(); }, shrink)
        .print(std::pmr::polymorphic_allocator<map_pair>(&resource));
}

inline std::vector<footprint_run> footprint_runs() {
    const auto of_system = [] {
        footprint(taken_by_glibc, [] { ::malloc_trim(0); }).print(std::allocator<map_pair>());
    };
    std::vector<footprint_run> all;
    all.emplace_back("operator_new", of_system);
    all.emplace_back("mimalloc", [] { footprint({}, {}).print(mimalloc_allocator<map_pair>()); });
    all.emplace_back("std_unsynchronized", print_footprint_of<std::pmr::unsynchronized_pool_resource>);
    all.emplace_back("std_synchronized", print_footprint_of<std::pmr::synchronized_pool_resource>);
    all.emplace_back("monotonic", print_footprint_of<std::pmr::monotonic_buffer_resource>);
    all.emplace_back("checked", print_footprint_of<fixpool::basic_pool_resource<fixpool::checking::checked>>);
    all.emplace_back("unchecked", print_footprint_of<fixpool::basic_pool_resource<fixpool::checking::unchecked>>);
    return all;
}
