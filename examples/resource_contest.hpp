// SPDX-License-Identifier: BSL-1.0
// resource_contest: replays all allocations of a program through operator new and memory resources, in turns.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>
#include <memory>
#include <memory_resource>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "contest.hpp"
#include "program_trace.hpp"

/// One pass over the trace. A block's stamp is its slot. `Memory` allocates and deallocates. Blocks that the program
/// never released are released after the measurement. Returns nanoseconds per operation of the program.
// static, so that each contender's loop is inlined in the same way, in every program.
template <class Memory> static double play_once(const program_trace& t, Memory memory, std::vector<void*>& slots) {
    std::size_t broken_stamps = 0;
    const auto play = [&](std::size_t from, std::size_t to) {
        for (std::size_t i = from; i < to; ++i) {
            const program_trace::event& e = t.events[i];
            const std::uint32_t slot = e.slot & ~program_trace::release_bit;
            std::uint32_t stamp = slot;
            if (slot == e.slot) {
                void* const block = slots[slot] = memory.allocate(e.size, e.alignment);
                if (e.size >= sizeof stamp) std::memcpy(block, &stamp, sizeof stamp);
                else std::memcpy(block, &stamp, 1);
            } else {
                void* const block = slots[slot];
                if (e.size >= sizeof stamp) std::memcpy(&stamp, block, sizeof stamp);
                else std::memcpy(&stamp, block, 1);
                broken_stamps += stamp != slot;
                memory.deallocate(block, e.size, e.alignment);
            }
        }
    };
    const std::clock_t start = std::clock();  // processor time: other programs do not count
    play(0, t.recorded);
    const double taken = static_cast<double>(std::clock() - start) * 1e9 / CLOCKS_PER_SEC;
    play(t.recorded, t.events.size());
    if (broken_stamps != 0) throw std::runtime_error(t.name + ": a block changed while it was in use");
    return taken / static_cast<double>(t.recorded);
}

/// operator new as a program calls it: with an alignment only if that is a special one.
struct heap_memory {
    void* allocate(std::size_t size, std::size_t alignment) {
        if (alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) return ::operator new(size);
        return ::operator new (size, std::align_val_t{alignment});
    }
    void deallocate(void* block, std::size_t /*size*/, std::size_t alignment) {  // clang has the sized one on demand
        if (alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) ::operator delete(block);
        else ::operator delete (block, std::align_val_t{alignment});
    }
};

/// A resource as a container has it: through a pointer that hides its type.
struct resource_memory {
    std::pmr::memory_resource* resource;
    void* allocate(std::size_t size, std::size_t alignment) { return resource->allocate(size, alignment); }
    void deallocate(void* block, std::size_t size, std::size_t alignment) {
        resource->deallocate(block, size, alignment);
    }
};

/// Takes memory from operator new, and counts it.
class counted_memory final : public std::pmr::memory_resource {
public:
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    [[nodiscard]] std::size_t peak_bytes() const { return peak_bytes_; }

private:
    void* do_allocate(std::size_t size, std::size_t alignment) override {
        void* const block = std::pmr::new_delete_resource()->allocate(size, alignment);
        bytes_ += size;
        peak_bytes_ = std::max(peak_bytes_, bytes_);
        return block;
    }
    void do_deallocate(void* block, std::size_t size, std::size_t alignment) override {
        bytes_ -= size;
        std::pmr::new_delete_resource()->deallocate(block, size, alignment);
    }
    [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

    std::size_t bytes_ = 0;
    std::size_t peak_bytes_ = 0;
};

/// A contender that can replay a program's trace.
struct resource_contender {
    std::string name;
    std::function<double(const program_trace&, std::vector<void*>& slots)> play;  // returns ns per operation
    std::function<std::size_t(const program_trace&, std::vector<void*>& slots)>
        peak_bytes;  // taken from operator new; may be none
};

/// operator new.
inline resource_contender system_contender(std::string name) {
    return {std::move(name),
            [](const program_trace& t, std::vector<void*>& slots) { return play_once(t, heap_memory{}, slots); },
            {}};
}

/// A resource on operator new. It lives as long as the contender, and keeps its memory from pass to pass, as the heap
/// does. A new resource plays the pass that counts memory.
template <class Resource> static resource_contender contender_of(std::string name) {
    return {std::move(name),
            [resource = std::make_shared<Resource>(std::pmr::new_delete_resource())](const program_trace& t,
                                                                                     std::vector<void*>& slots) {
                return play_once(t, resource_memory{opaque<std::pmr::memory_resource>(resource.get())}, slots);
            },
            [](const program_trace& t, std::vector<void*>& slots) {
                counted_memory memory;
                {
                    Resource resource(&memory);
                    play_once(t, resource_memory{&resource}, slots);
                }
                if (memory.bytes() != 0)
                    throw std::runtime_error(t.name + ": a resource has not given its memory back");
                return memory.peak_bytes();
            }};
}

/// A contender's measurements.
struct resource_result {
    std::vector<double> times;  // ns per operation, one per pass
    std::size_t peak_bytes;     // taken from operator new; 0 if unknown
};

/// The first one's time relative to the second one's: the median of the ratios within one turn.
inline double median_ratio(const resource_result& a, const resource_result& b) {
    std::vector<double> ratios(a.times.size());
    std::transform(a.times.begin(), a.times.end(), b.times.begin(), ratios.begin(), std::divides<>());
    return median(std::move(ratios));
}

/// Plays rounds in which each contender has its turn, in rotating order. A first pass to warm up is not counted.
inline std::vector<resource_result> replay(const program_trace& t, const std::vector<resource_contender>& contenders,
                                           int rounds) {
    constexpr std::size_t operations_a_turn = 400'000;
    const std::size_t passes = operations_a_turn / t.recorded + 1;
    std::vector<void*> slots(t.slots);
    std::vector<resource_result> results(contenders.size());
    std::fprintf(stderr, "replaying %-16s", t.name.c_str());
    for (std::size_t i = 0; i < contenders.size(); ++i)
        if (contenders[i].peak_bytes) results[i].peak_bytes = contenders[i].peak_bytes(t, slots);
    for (std::size_t round = 0; round <= static_cast<std::size_t>(rounds); ++round) {
        std::fputc('.', stderr);
        for (std::size_t turn = 0; turn < contenders.size(); ++turn) {
            const std::size_t i = (round + turn) % contenders.size();
            for (std::size_t pass = 0; pass < (round == 0 ? 1 : passes); ++pass) {
                const double ns = contenders[i].play(t, slots);
                if (round > 0) results[i].times.push_back(ns);
            }
        }
    }
    std::fputc('\n', stderr);
    return results;
}

/// Percentage of the allocations that reuse a block, if there were only one size.
inline double reused(const program_trace& t) {
    return 100.0 * (1 - static_cast<double>(t.peak) / static_cast<double>(t.allocations));
}
