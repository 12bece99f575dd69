// SPDX-License-Identifier: BSL-1.0
// recording: a file of what one process asked its allocator for. recorder.cpp writes it, convert.cpp reads it.
#pragma once

#include <cstddef>
#include <cstdint>

/// Starts the file. Numbers are in the byte order of the machine that recorded.
struct recording_header {
    static constexpr char expected_magic[8] = {'f', 'i', 'x', 'p', 'o', 'o', 'l', '\n'};
    static constexpr std::uint32_t expected_version = 2;

    char magic[8];
    std::uint32_t version;
    std::uint32_t unused;
    char program[112];  // the name of its file, without the folder; ends with a 0
};

/// An allocation or a release. The file is events from the header on, in an order in which they can have happened, and is
/// padded with zeros. A process that is killed may leave events between them that have no address yet.
struct recorded_event {
    std::uint64_t address;
    std::uint32_t size;                // bytes asked for, 1 where that was 0, at most 2^32 - 1; of a release 0
    std::uint32_t thread : 24;         // counts from 1
    std::uint32_t alignment_log2 : 8;  // of the alignment asked for, where that is above 16; else 0

    static constexpr std::uint32_t most_threads = (1U << 24) - 1;
    static constexpr std::uint32_t most_alignment_log2 = 31;
};

/// The file grows by so many bytes at once.
inline constexpr std::size_t recording_window = std::size_t{1} << 20;

static_assert(sizeof(recorded_event) == 16 && sizeof(recording_header) == 8 * sizeof(recorded_event));
