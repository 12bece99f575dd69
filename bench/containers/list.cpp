// SPDX-License-Identifier: BSL-1.0
// A list is read when it is new, and again after half of it was erased and refilled. The scrambled list is then relinked
// in random order, read, and dropped.
#include <list>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "keys.hpp"
#include "workload.hpp"

namespace {

template <bool Scrambles> class list_play {
    template <class Memory> using list = std::list<std::uint64_t, typename Memory::template allocator<std::uint64_t>>;

public:
    template <class Memory> void operator()(Memory& memory, phases& timed) {
        std::optional<list<Memory>> made;
        timed("build", [&] {
            made.emplace(memory.template get<std::uint64_t>());
            for (const std::uint32_t key : keys_.inserted()) made->push_back(key);
            return made->size();
        });
        timed("iterate", [&] { return passes_over(*made); });
        timed("erase", [&] { return made->remove_if([](std::uint64_t value) { return value % 2 == 0; }); });
        timed("refill", [&] {
            auto place = made->begin();
            for (const std::uint32_t key : keys_.refilled()) {
                made->insert(place, key);
                if (place != made->end()) ++place;
            }
            return made->size();
        });
        timed("iterate again", [&] { return passes_over(*made); });
        if (Scrambles) {
            scramble(*made);
            timed("iterate scrambled", [&] { return passes_over(*made); });
        }
        timed("drop", [&] {
            made.reset();
            return std::uint64_t{0};
        });
    }

private:
    template <class List> static std::uint64_t passes_over(List& of) {
        std::uint64_t sum = 0;
        for (int pass = 0; pass < 2; ++pass)
            for (std::uint64_t& value : of) sum = sum * 3 + ++value;
        return sum;
    }

    /// Links the nodes in random order. Not measured, since it allocates nothing.
    template <class List> static void scramble(List& of) {
        std::vector<typename List::iterator> places;
        for (auto place = of.begin(); place != of.end(); ++place) places.push_back(place);
        std::mt19937 random(2);
        for (std::size_t i = places.size() - 1; i > 0; --i) std::swap(places[i], places[random() % (i + 1)]);
        for (const auto place : places) of.splice(of.end(), of, place);
    }

    key_sets keys_{200'000};
};

}  // namespace

workload list_workload() { return on_every_memory<list_play<false>>("list", 8); }
workload scrambled_list_workload() { return on_every_memory<list_play<true>>("scrambled list", 5); }
