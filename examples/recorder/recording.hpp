// SPDX-License-Identifier: BSL-1.0
// recording: the file of one process's allocations. recorder.cpp writes it, and convert.cpp reads it.
#pragma once

#include <cstddef>
#include <cstdint>

/// The start of the file. Numbers are in the byte order of the recording machine.
struct recording_header {
    static constexpr char expected_magic[8] = {'f', 'i', 'x', 'p', 'o', 'o', 'l', '\n'};
    static constexpr std::uint32_t expected_version = 2;

    char magic[8];
    std::uint32_t version;
    std::uint32_t unused;
    char program[112];  // its file name without folder; ends with a 0
};

/// An allocation or a release. Behind the header, the file is a list of events, in an order in which they can have
/// happened. It is padded with zeros. If a process is killed, some events may have no address.
struct recorded_event {
    std::uint64_t address;
    std::uint32_t size;                // requested bytes (1 if 0 was requested), at most 2^32 - 1; 0 for a release
    std::uint32_t thread : 24;         // counts from 1
    std::uint32_t alignment_log2 : 8;  // of the requested alignment, if that is above 16; else 0

    static constexpr std::uint32_t most_threads = (1U << 24) - 1;
    static constexpr std::uint32_t most_alignment_log2 = 31;
};

/// The file grows by this many bytes at once.
inline constexpr std::size_t recording_window = std::size_t{1} << 20;

static_assert(sizeof(recorded_event) == 16 && sizeof(recording_header) == 8 * sizeof(recorded_event));
