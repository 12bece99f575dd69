// SPDX-License-Identifier: BSL-1.0
// recording: the results of a performance. It lies in shared memory, so it survives the process that performed.
#pragma once

#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <new>
#include <span>
#include <string>
#include <system_error>

#include "real_time.hpp"
#include "voice.hpp"

/// Counters of a performance.
struct tally {
    std::uint32_t started = 0;  // notes
    std::uint32_t stolen = 0;   // voices
    std::uint32_t clipped = 0;  // samples that were too large, or not a number
    std::uint32_t missed = 0;   // if paced: blocks that were late
    std::size_t peak = 0;       // voices at once
    std::size_t refused = 0;    // as the memory counted: try_make returned nothing
    std::size_t left = 0;       // voices in use after the end
    page_faults faults;         // of the audio thread during its callbacks
};

/// Counters and texts. Times and sound lie behind it.
struct recording_head {
    using line = std::array<char, 160>;

    std::atomic<std::uint32_t> callbacks = 0;  // callbacks that have returned
    std::atomic<int> forbidden_call = -1;      // number of the trapped system call
    tally counted;
    line memory{}, priority{}, filter{}, failure{};  // texts; filter: why there is none

    static void say(line& where, const std::string& words) {
        std::snprintf(where.data(), where.size(), "%s", words.c_str());
    }
};

/// Owns the shared memory.
class recording {
public:
    /// Throws: std::system_error if the system has not enough memory.
    explicit recording(std::uint32_t callbacks)
        : callbacks_(callbacks),
          bytes_(::mmap(nullptr, size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
        if (bytes_ == MAP_FAILED)
            throw std::system_error(errno, std::generic_category(), "no memory for the recording");
        clear();
    }
    recording(const recording&) = delete;
    recording& operator=(const recording&) = delete;
    ~recording() { ::munmap(bytes_, size()); }

    void clear() { ::new (bytes_) recording_head; }
    void touch() { touch_pages(bytes_, size()); }

    [[nodiscard]] recording_head& head() { return *std::launder(static_cast<recording_head*>(bytes_)); }
    [[nodiscard]] std::span<std::uint32_t> ticks() {  // of each callback
        return {reinterpret_cast<std::uint32_t*>(static_cast<std::byte*>(bytes_) + head_size), callbacks_};
    }
    [[nodiscard]] std::span<std::int16_t> samples() {
        return {reinterpret_cast<std::int16_t*>(ticks().data() + callbacks_), callbacks_ * block_frames};
    }

private:
    static constexpr std::size_t head_size = 4096;
    static_assert(sizeof(recording_head) <= head_size);

    [[nodiscard]] std::size_t size() const {
        return head_size + callbacks_ * (sizeof(std::uint32_t) + block_frames * sizeof(std::int16_t));
    }

    std::size_t callbacks_;
    void* bytes_;
};
