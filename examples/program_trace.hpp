// SPDX-License-Identifier: BSL-1.0
// program_trace: all recorded allocations of a program, of every size. traces/README.md has the format.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <unordered_set>
#include <vector>

#include "trace.hpp"

struct program_trace {
    struct event {
        std::uint32_t slot;       // gets a block, or gives it back if the highest bit is set
        std::uint32_t size;       // bytes, at least 1; of a release, its block's size
        std::uint32_t alignment;  // bytes; of a release, its block's alignment
    };
    std::string name;           // the file's name, without folder and ending
    std::vector<event> events;  // the program's, then releases of what it never released
    std::size_t recorded = 0;   // the program's events
    std::size_t slots = 0;      // one above the highest slot
    std::size_t allocations = 0;
    std::size_t sizes = 0;       // number of different sizes
    std::size_t peak = 0;        // blocks live at once
    std::size_t peak_bytes = 0;  // bytes of live blocks at once, as requested

    static constexpr std::uint32_t release_bit = trace::release_bit;
    static constexpr std::uint32_t aligned_bit = release_bit >> 1;  // in a file: an alignment follows the size
};

inline std::runtime_error bad_record(const std::filesystem::path& file, std::size_t record, std::uint32_t slot,
                                     const std::string& why) {
    return bad_trace(file, "is corrupt: record " + std::to_string(record) +
                               ((slot & program_trace::release_bit) != 0 ? " releases" : " allocates") + " slot " +
                               std::to_string(slot & ~program_trace::release_bit) + ", " + why);
}

/// The alignment of a block if none was asked for: the highest that an object of that size can have, at most 16.
inline std::uint32_t natural_alignment(std::uint32_t size) { return std::min(size & (~size + 1), std::uint32_t{16}); }

/// The events of a file. Releases have no size yet.
inline std::vector<program_trace::event> read_events(const std::filesystem::path& file) {
    const std::vector<std::uint32_t> numbers = read_records(file);
    std::vector<program_trace::event> events;
    for (auto number = numbers.begin(); number != numbers.end();) {
        const bool is_release = (*number & program_trace::release_bit) != 0;
        const bool is_aligned = !is_release && (*number & program_trace::aligned_bit) != 0;
        program_trace::event e{is_aligned ? *number & ~program_trace::aligned_bit : *number, 0, 0};
        if (numbers.end() - number <= (is_release ? 0 : is_aligned ? 2 : 1))
            throw bad_trace(file, "is cut off: record " + std::to_string(events.size()) + " is not whole");
        ++number;
        if (!is_release) {
            e.size = *number++;
            if (e.size == 0) throw bad_record(file, events.size(), e.slot, "but with no bytes");
            e.alignment = is_aligned ? *number++ : natural_alignment(e.size);
            if (is_aligned && (!std::has_single_bit(e.alignment) || e.alignment <= 16))
                throw bad_record(file, events.size(), e.slot,
                                 "aligned to " + std::to_string(e.alignment) + ", which is no power of two above 16");
        }
        events.push_back(e);
    }
    return events;
}

/// Reads a trace of all sizes, and checks that a program can have made it.
/// Throws: std::runtime_error, which names the file, the record and what is wrong.
inline program_trace load_program_trace(const std::filesystem::path& file) {
    if (file.extension() != ".sizes") throw bad_trace(file, "the name does not end in .sizes, as in program.sizes");
    program_trace t;
    t.name = file.stem().string();
    t.events = read_events(file);
    t.recorded = t.events.size();
    std::vector<std::size_t> allocated_by(t.recorded, t.recorded);  // by slot: an event; t.recorded if the slot is free
    std::unordered_set<std::uint32_t> sizes;
    std::size_t live = 0;
    std::size_t live_bytes = 0;
    for (std::size_t i = 0; i < t.recorded; ++i) {
        program_trace::event& e = t.events[i];
        const std::size_t slot = e.slot & ~program_trace::release_bit;
        const bool is_release = slot != e.slot;
        if (slot >= t.recorded)
            throw bad_record(file, i, e.slot, "but there are only " + std::to_string(t.recorded) + " records");
        if (is_release != (allocated_by[slot] != t.recorded))
            throw bad_record(file, i, e.slot, is_release ? "which is free" : "which is live");
        if (is_release) {
            const program_trace::event& allocation = t.events[allocated_by[slot]];
            e.size = allocation.size;
            e.alignment = allocation.alignment;
            allocated_by[slot] = t.recorded;
            --live;
            live_bytes -= e.size;
        } else {
            allocated_by[slot] = i;
            ++live;
            live_bytes += e.size;
            ++t.allocations;
            sizes.insert(e.size);
        }
        t.peak = std::max(t.peak, live);
        t.peak_bytes = std::max(t.peak_bytes, live_bytes);
        t.slots = std::max(t.slots, slot + 1);
    }
    t.sizes = sizes.size();
    for (std::size_t slot = 0; slot < t.slots; ++slot) {
        if (allocated_by[slot] == t.recorded) continue;
        program_trace::event e = t.events[allocated_by[slot]];
        e.slot |= program_trace::release_bit;
        t.events.push_back(e);
    }
    return t;
}
