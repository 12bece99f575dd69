// SPDX-License-Identifier: BSL-1.0
// voice_memory: where voices live: a pool, an array with a search by hand, and the heap, behind one interface. `handle`
// owns a voice. `try_make` returns an empty handle if all voices are out.
#pragma once

#include <fixpool/arenas.hpp>
#include <fixpool/typed_pool.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <optional>

#include "voice.hpp"

/// A checked pool. Its arena gets all its pages before the first note. Nothing else has to be touched.
class pooled_voices {
public:
    using handle = fixpool::block<voice>;

    [[nodiscard]] handle try_make(const wave_table& wave, const note_event& start) {
        return pool_.try_allocate(wave, start);
    }
    [[nodiscard]] std::size_t in_use() const { return pool_.in_use(); }
    [[nodiscard]] std::size_t refused() const { return pool_.stats().refused; }

private:
    fixpool::typed_pool<voice> pool_{polyphony, fixpool::mapped_arena({.prefault = true}), {.name = "voices"}};
};

/// What synthesisers do without a pool: a fixed array, and a search for the first silent voice.
class array_voices {
    using slot = std::optional<voice>;
    struct vacate {
        slot* from = nullptr;
        void operator()(voice*) const { from->reset(); }
    };

public:
    using handle = std::unique_ptr<voice, vacate>;

    [[nodiscard]] handle try_make(const wave_table& wave, const note_event& start) {
        const auto free = std::find(slots_.begin(), slots_.end(), std::nullopt);
        if (free == slots_.end()) {
            ++refused_;
            return {};
        }
        return handle(&free->emplace(wave, start), vacate{&*free});
    }
    [[nodiscard]] std::size_t in_use() const {
        return static_cast<std::size_t>(
            std::count_if(slots_.begin(), slots_.end(), [](const slot& s) { return s.has_value(); }));
    }
    [[nodiscard]] std::size_t refused() const { return refused_; }

private:
    std::array<slot, polyphony> slots_;
    std::size_t refused_ = 0;
};

/// The heap and a counter, because the heap has no limit of its own.
class heap_voices {
    struct remove {
        std::size_t* in_use = nullptr;
        void operator()(voice* gone) const {
            delete gone;
            --*in_use;
        }
    };

public:
    using handle = std::unique_ptr<voice, remove>;

    [[nodiscard]] handle try_make(const wave_table& wave, const note_event& start) {
        if (in_use_ == polyphony) {
            ++refused_;
            return {};
        }
        handle made(std::make_unique<voice>(wave, start).release(), remove{&in_use_});
        ++in_use_;
        return made;
    }
    [[nodiscard]] std::size_t in_use() const { return in_use_; }
    [[nodiscard]] std::size_t refused() const { return refused_; }

private:
    std::size_t in_use_ = 0;
    std::size_t refused_ = 0;
};
