// SPDX-License-Identifier: BSL-1.0
// studio: lets each contender perform the same score, under the filter and for its times. Compares the sound.
#pragma once

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

#include "../support/grouped.hpp"
#include "contender.hpp"
#include "performance.hpp"
#include "real_time.hpp"
#include "recording.hpp"
#include "wav_file.hpp"

inline std::uint64_t checksum(std::span<const std::int16_t> samples) {
    std::uint64_t sum = 14695981039346656037U;  // FNV-1a
    for (const std::int16_t sample : samples) sum = (sum ^ static_cast<std::uint16_t>(sample)) * 1099511628211U;
    return sum;
}

/// What all performances share: one score, one recording, and the sound that all must make.
class studio {
public:
    studio(performance how, std::string wav) : how_(how), recording_(how.callbacks), wav_(std::move(wav)) {}

    /// One performance under the filter. Returns its result as text.
    void prove(contender& one) {
        performance how = how_;
        how.filter = SECCOMP_RET_KILL_PROCESS;
        const int signal = one.perform(how, recording_);
        one.survived = recording_.head().callbacks;
        if (signal == SIGSYS) {  // once more, for the name of the call
            how.filter = SECCOMP_RET_TRAP;
            (void)one.perform(how, recording_);
            const std::string call = system_call_name(recording_.head().forbidden_call);
            std::printf("%-20s  killed by SIGSYS in callback %s: it called %s\n", one.title,
                        grouped(one.survived + 1).c_str(), call.c_str());
            return;
        }
        if (signal != 0) throw std::runtime_error("a performance was ended by signal " + std::to_string(signal));
        const recording_head& head = recording_.head();
        const bool is_proved = head.filter[0] == 0;
        one.is_clean =
            (!is_proved || head.counted.faults.minor + head.counted.faults.major == 0) && head.counted.left == 0;
        std::printf("%-20s  %s callbacks  %-16s  %ld minor, %ld major\n", one.title, grouped(one.survived).c_str(),
                    is_proved ? "no system call" : "not watched", head.counted.faults.minor, head.counted.faults.major);
        if (!is_proved) std::printf("%-20s  there is no filter: %s\n", "", head.filter.data());
        keep();
    }

    /// One round without the filter, for its times.
    void measure(contender& one) {
        if (const int signal = one.perform(how_, recording_); signal != 0) {
            throw std::runtime_error("a performance was ended by signal " + std::to_string(signal));
        }
        const auto ticks = recording_.ticks();
        one.best.resize(ticks.size(), std::numeric_limits<std::uint32_t>::max());
        for (std::size_t i = 0; i < ticks.size(); ++i) one.best[i] = std::min(one.best[i], ticks[i]);
        one.worst = std::max(one.worst, *std::max_element(ticks.begin(), ticks.end()));
        one.faults += recording_.head().counted.faults.minor + recording_.head().counted.faults.major;
        one.missed += recording_.head().counted.missed;
        keep();
    }

    [[nodiscard]] recording& last() { return recording_; }
    [[nodiscard]] bool has_played() const { return is_kept_; }
    [[nodiscard]] const tally& counted() const { return counted_; }  // by the first performance

private:
    /// All performances must sound alike. The first one becomes the WAV file.
    void keep() {
        const std::uint64_t sum = checksum(recording_.samples());
        if (is_kept_) {
            if (sum != sum_) throw std::runtime_error("two performances sound differently");
            return;
        }
        is_kept_ = true;
        sum_ = sum;
        counted_ = recording_.head().counted;
        if (!wav_.empty()) write_wav(wav_, recording_.samples());
    }

    performance how_;
    recording recording_;
    std::string wav_;
    bool is_kept_ = false;
    std::uint64_t sum_ = 0;
    tally counted_;
};
