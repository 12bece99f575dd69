// SPDX-License-Identifier: BSL-1.0
// phases: measures a workload's phases over several rounds, and keeps their checksums.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

/// The median; 0 if there are no values.
inline double median(std::vector<double> values) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// Hides where a pointer comes from. Calls through it then stay virtual, as in a program of several files.
template <class T> T* opaque(T* pointer) {
    asm volatile("" : "+r"(pointer));
    return pointer;
}

/// Calls `body`. A function of its own for tools: `callgrind --toggle-collect='*measured_phase*'` counts only the phases,
/// not their preparation.
template <class Body> [[gnu::noinline]] std::uint64_t measured_phase(Body& body) { return body(); }

/// The phases of a workload in one process.
class phases {
public:
    struct phase {
        std::string name;
        std::vector<double> ms;      // per round that counts
        std::uint64_t checksum = 0;  // of all rounds; equal for all contenders
    };

    /// The first round does not count: allocators take memory from the system in it.
    void begin_round() {
        ++rounds_begun_;
        at_ = 0;
        if (rounds_begun_ > 1) totals_.push_back(0);
    }

    /// Runs a phase of this round. `body` returns a checksum of what it read.
    template <class Body> void operator()(const char* name, Body body) {
        const double before = processor_ms();
        const std::uint64_t sum = measured_phase(body);
        const double took = processor_ms() - before;
        if (rounds_begun_ == 1) all_.push_back({name, {}, 0});
        phase& current = all_.at(at_++);
        current.checksum = current.checksum * 31 + sum;
        if (rounds_begun_ == 1) return;
        current.ms.push_back(took);
        totals_.back() += took;
    }

    [[nodiscard]] const std::vector<phase>& all() const { return all_; }
    [[nodiscard]] double total_ms() const { return median(totals_); }  // per round

private:
    /// Processor time of this thread so far, in the program and in the system.
    static double processor_ms() {
        std::timespec now{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
    }

    std::vector<phase> all_;  // in the order of a round
    std::size_t at_ = 0;      // index of the next phase in this round
    int rounds_begun_ = 0;
    std::vector<double> totals_;
};
