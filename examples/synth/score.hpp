// SPDX-License-Identifier: BSL-1.0
// score: which notes are played when. The same on every machine.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "voice.hpp"

using score = std::vector<note_event>;  // in the order of their callbacks

/// Orders by time. At one moment, an older note comes first.
inline void sort_by_time(score& events) {
    std::sort(events.begin(), events.end(), [](const note_event& a, const note_event& b) {
        return std::pair(a.callback, a.note) < std::pair(b.callback, b.note);
    });
}

/// Random notes of a pentatonic scale, in passages of two seconds: quiet, rest, so dense that all voices sound, rest,
/// and again. Notes that still sound at the end may ring.
[[nodiscard]] inline score random_score(std::uint32_t callbacks) {
    constexpr std::array<std::uint8_t, 5> scale{0, 3, 5, 7, 10};
    constexpr std::uint32_t passage = 1500;  // callbacks
    score events;
    std::minstd_rand random;  // the standard defines its numbers
    const auto pick = [&random](std::uint32_t least, std::uint32_t most) {
        return least + static_cast<std::uint32_t>(random() / 64) % (most - least + 1);
    };
    std::uint32_t note = 0;
    for (std::uint32_t now = 0; now < callbacks;) {
        const std::uint32_t part = now / passage % 4;
        if (part % 2 == 1) {  // a rest, in which the last notes fade out
            now = (now / passage + 1) * passage;
            continue;
        }
        const auto key = static_cast<std::uint8_t>(36 + 12 * pick(0, 4) + scale[pick(0, 4)]);
        events.push_back({now, note, key, static_cast<std::uint8_t>(pick(30, 100))});
        events.push_back({now + pick(40, 400), note++, key, 0});
        now += part == 0 ? pick(8, 40) : pick(0, 10);
    }
    sort_by_time(events);
    return events;
}

/// All keys at once, held for three quarters of the time.
[[nodiscard]] inline score chord(const std::vector<std::uint8_t>& keys, std::uint32_t callbacks) {
    score events;
    for (std::uint32_t note = 0; note < keys.size(); ++note) {
        events.push_back({0, note, keys[note], 100});
        events.push_back({callbacks / 4 * 3, note, keys[note], 0});
    }
    sort_by_time(events);
    return events;
}

/// More notes than there are voices, all short. So everything was used once before it is measured.
[[nodiscard]] inline score warm_up_score() {
    score events;
    for (std::uint32_t note = 0; note < 2 * polyphony; ++note) {
        const auto key = static_cast<std::uint8_t>(36 + note % 60);
        events.push_back({note, note, key, 100});
        events.push_back({note + 100, note, key, 0});
    }
    sort_by_time(events);
    return events;
}
inline constexpr std::uint32_t warm_up_callbacks = 1200;  // until all is silent
