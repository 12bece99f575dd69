// SPDX-License-Identifier: BSL-1.0
// synthesiser: plays notes with up to 64 voices. If all of them sound, it steals one. It never waits for anything.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "voice.hpp"

/// The voices that sound, in the order of their notes. `Voices` is a class of voice_memory.hpp.
template <class Voices> class synthesiser {
public:
    synthesiser(Voices& memory, const wave_table& wave) : memory_(&memory), wave_(&wave) {}

    /// Begins a note, or lets it fade out.
    void play(const note_event& event) {
        if (event.velocity != 0) {
            begin(event);
            return;
        }
        const auto voice = std::find_if(playing_.begin(), end(), [&](auto& v) { return v->note() == event.note; });
        if (voice != end()) (*voice)->release();  // otherwise it was stolen
    }

    /// Renders the next frames. Voices that are silent by then go back to their memory.
    void render(sample_block& mix) {
        for (float& frame : mix) {
            frame = residue_;
            residue_ *= .99F;
        }
        if (std::abs(residue_) < 1e-7F) residue_ = 0;
        for (auto voice = playing_.begin(); voice != end(); ++voice) (*voice)->add_to(mix);
        const auto silent = std::remove_if(playing_.begin(), end(), [](auto& v) { return v->is_over(); });
        drop(silent);
    }

    /// Ends all notes at once, and resets the counters.
    void silence() {
        drop(playing_.begin());
        residue_ = 0;
        peak_ = 0;
        started_ = stolen_ = 0;
    }

    [[nodiscard]] std::uint32_t started() const { return started_; }  // notes
    [[nodiscard]] std::uint32_t stolen() const { return stolen_; }    // voices
    [[nodiscard]] std::size_t peak() const { return peak_; }          // voices that sounded at once

private:
    using handle = typename Voices::handle;
    using place = typename std::array<handle, polyphony>::iterator;

    [[nodiscard]] place end() { return playing_.begin() + static_cast<std::ptrdiff_t>(count_); }

    void begin(const note_event& event) {
        handle made = memory_->try_make(*wave_, event);
        if (!made) {
            steal();
            made = memory_->try_make(*wave_, event);
        }
        playing_[count_++] = std::move(made);
        peak_ = std::max(peak_, count_);
        ++started_;
    }

    /// Steals the quietest ended note, or else the oldest note. A voice that stops at once would click. So its last
    /// frame stays in the mix, and fades within some milliseconds.
    void steal() {
        const auto rank = [](const handle& v) { return v->is_released() ? v->loudness() : 1.F; };
        const auto stolen = std::min_element(playing_.begin(), end(),
                                             [&](const handle& a, const handle& b) { return rank(a) < rank(b); });
        residue_ += (*stolen)->last();
        std::move(stolen + 1, end(), stolen);
        drop(end() - 1);
        ++stolen_;
    }

    /// Releases the voices from `first` on.
    void drop(place first) {
        std::for_each(first, end(), [](handle& gone) { gone = handle(); });
        count_ = static_cast<std::size_t>(first - playing_.begin());
    }

    Voices* memory_;
    const wave_table* wave_;
    std::array<handle, polyphony> playing_{};  // the first `count_`
    std::size_t count_ = 0;
    std::size_t peak_ = 0;
    float residue_ = 0;  // of stolen voices
    std::uint32_t started_ = 0;
    std::uint32_t stolen_ = 0;
};
