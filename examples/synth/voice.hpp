// SPDX-License-Identifier: BSL-1.0
// voice: one sounding note: a wavetable oscillator, an envelope, a low-pass filter and an echo, with all their memory.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>

inline constexpr float sample_rate = 48'000;     // frames per second
inline constexpr std::size_t block_frames = 64;  // frames per callback
inline constexpr std::size_t polyphony = 64;     // voices that sound at once, at most
inline constexpr float two_pi = 2 * std::numbers::pi_v<float>;

using sample_block = std::array<float, block_frames>;

/// What a player sends to the synthesiser.
struct note_event {
    std::uint32_t callback;  // the callback that plays it
    std::uint32_t note;      // a unique number per note: the end names its beginning
    std::uint8_t key;        // as in MIDI: 69 is 440 Hz
    std::uint8_t velocity;   // 1 to 127; 0: the note ends
};

/// One period of the waveform: a sine, and two overtones at a half and a quarter of its amplitude.
class wave_table {
public:
    wave_table() {
        for (std::size_t i = 0; i < samples_.size(); ++i) {
            const float angle = two_pi * static_cast<float>(i) / size;
            samples_[i] = std::sin(angle) + std::sin(2 * angle) / 2 + std::sin(3 * angle) / 4;
        }
    }
    /// Requires: 0 <= phase < 1.
    [[nodiscard]] float at(float phase) const {
        const float place = phase * size;
        const int before = static_cast<int>(place);
        const float* const pair = samples_.data() + before;
        return pair[0] + (pair[1] - pair[0]) * (place - static_cast<float>(before));
    }

private:
    static constexpr float size = 2048;
    std::array<float, 2049> samples_{};  // the last one is the first of the next period
};

/// Attack, decay, sustain, release. The attack is linear, the others approach their level.
class envelope {
public:
    [[nodiscard]] float next() {
        if (stage_ == stage::attack) {
            level_ += 1 / (attack_seconds * sample_rate);
            if (level_ >= 1) stage_ = stage::hold;
        } else {
            level_ += ((stage_ == stage::hold ? sustain : 0) - level_) / (decay_seconds * sample_rate);
        }
        return level_;
    }
    void release() { stage_ = stage::release; }
    [[nodiscard]] bool is_released() const { return stage_ == stage::release; }
    [[nodiscard]] bool is_over() const { return is_released() && level_ < 1e-4F; }
    [[nodiscard]] float level() const { return level_; }

private:
    enum class stage : std::uint8_t { attack, hold, release };
    static constexpr float attack_seconds = .005F;
    static constexpr float decay_seconds = .06F;  // to 37 % of the distance
    static constexpr float sustain = .6F;

    float level_ = 0;
    stage stage_ = stage::attack;
};

/// A state variable filter (trapezoidal), used as a low pass without resonance.
class low_pass {
public:
    explicit low_pass(float cutoff) {  // Hz
        const float g = std::tan(std::numbers::pi_v<float> * std::min(cutoff / sample_rate, .45F));
        a1_ = 1 / (1 + g * (g + std::numbers::sqrt2_v<float>));
        a2_ = g * a1_;
        a3_ = g * a2_;
    }
    [[nodiscard]] float next(float in) {
        const float v3 = in - second_;
        const float v1 = a1_ * first_ + a2_ * v3;
        const float v2 = second_ + a2_ * first_ + a3_ * v3;
        first_ = 2 * v1 - first_;
        second_ = 2 * v2 - second_;
        return v2;
    }

private:
    float a1_, a2_, a3_;
    float first_ = 0, second_ = 0;
};

/// Adds the sound of 10 ms ago, at 3/10 of its amplitude.
class echo {
public:
    [[nodiscard]] float next(float in) {
        past_[now_ % past_.size()] = in;
        const float before = past_[(now_ - delay) % past_.size()];
        ++now_;
        return in + .3F * before;
    }

private:
    static constexpr std::uint32_t delay = 480;  // frames
    std::array<float, 512> past_{};
    std::uint32_t now_ = 0;  // frames
};

/// One note, from its first frame to its last. It contains 2 KiB of delay line, so it is made in place and never moved.
class voice {
public:
    voice(const wave_table& wave, const note_event& start)
        : wave_(&wave),
          note_(start.note),
          step_(440 * std::exp2((static_cast<float>(start.key) - 69) / 12) / sample_rate),
          gain_(static_cast<float>(start.velocity) / 127 / headroom),
          filter_(8 * step_ * sample_rate) {}
    voice(const voice&) = delete;
    voice& operator=(const voice&) = delete;

    /// Adds the next frames to `mix`.
    void add_to(sample_block& mix) {
        envelope shape = envelope_;  // in registers: the compiler cannot know that `mix` is not part of this voice
        low_pass filter = filter_;
        float phase = phase_;
        float out = 0;
        for (float& frame : mix) {
            out = echo_.next(filter.next(wave_->at(phase) * shape.next() * gain_));
            frame += out;
            phase += step_;
            phase -= phase >= 1 ? 1.F : 0.F;
        }
        envelope_ = shape;
        filter_ = filter;
        phase_ = phase;
        last_ = out;
    }
    void release() { envelope_.release(); }

    [[nodiscard]] bool is_over() const { return envelope_.is_over(); }
    [[nodiscard]] bool is_released() const { return envelope_.is_released(); }
    [[nodiscard]] std::uint32_t note() const { return note_; }
    [[nodiscard]] float loudness() const { return envelope_.level() * gain_; }
    [[nodiscard]] float last() const { return last_; }  // the last frame

private:
    static constexpr float headroom = 20;  // so that all voices together do not clip

    const wave_table* wave_;
    std::uint32_t note_;
    float step_;  // periods per frame
    float gain_;
    float phase_ = 0;  // periods
    float last_ = 0;
    envelope envelope_;
    low_pass filter_;
    echo echo_;
};
