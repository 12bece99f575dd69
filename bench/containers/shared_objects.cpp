// SPDX-License-Identifier: BSL-1.0
// Objects of several types from std::allocate_shared: replaced and copied at random.
#include <array>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "workload.hpp"

namespace {

struct shape {
    explicit shape(std::uint64_t n) : number(n) {}
    std::uint64_t number;
};
template <std::size_t Words> struct shape_of : shape {
    explicit shape_of(std::uint64_t n) : shape(n) { rest.fill(n); }
    std::array<std::uint64_t, Words> rest;
};

class shared_objects_play {
public:
    shared_objects_play() : steps_(400'000) {
        std::mt19937 random(1);
        for (step& s : steps_) s = {static_cast<std::uint16_t>(random() % slots), static_cast<std::uint16_t>(random())};
    }

    template <class Memory> void operator()(Memory& memory, phases& timed) {
        const auto from = memory.template get<shape>();
        std::vector<std::shared_ptr<shape>> live(slots);
        timed("build", [&] {
            for (std::size_t i = 0; i < slots; ++i) live[i] = make(from, i, static_cast<std::uint16_t>(i));
            return live.size();
        });
        timed("replace", [&] {
            std::uint64_t sum = 0;
            std::uint64_t number = 0;
            for (const step& s : steps_) {
                sum += live[s.slot]->number;
                live[s.slot] = make(from, ++number, s.chance);
            }
            return sum;
        });
        timed("share", [&] {
            std::uint64_t sum = 0;
            for (const step& s : steps_) {
                const std::shared_ptr<shape> shared = live[s.slot];
                sum += ++shared->number;
            }
            return sum;
        });
        timed("drop", [&] {
            live.clear();
            return std::uint64_t{0};
        });
    }

private:
    struct step {
        std::uint16_t slot;
        std::uint16_t chance;
    };
    static constexpr std::size_t slots = 16384;

    template <class Allocator>
    static std::shared_ptr<shape> make(const Allocator& from, std::uint64_t number, std::uint16_t chance) {
        switch (chance % 4) {
            case 0: return std::allocate_shared<shape>(from, number);
            case 1: return std::allocate_shared<shape_of<3>>(from, number);
            case 2: return std::allocate_shared<shape_of<6>>(from, number);
            default: return std::allocate_shared<shape_of<14>>(from, number);
        }
    }

    std::vector<step> steps_;
};

}  // namespace

workload shared_objects_workload() { return on_every_memory<shared_objects_play>("allocate_shared", 4); }
