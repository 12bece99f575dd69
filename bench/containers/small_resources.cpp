// SPDX-License-Identifier: BSL-1.0
// Many memories with few nodes each, as for documents or requests: the cost of a memory itself.
#include <array>
#include <list>
#include <map>
#include <memory>
#include <optional>

#include "workload.hpp"

namespace {

constexpr int resources = 300;
constexpr std::uint32_t nodes = 30;  // per memory
constexpr int repetitions = 40;      // per round; one takes a fraction of a millisecond

/// A container, a map or a list, on a memory of its own.
template <class Memory> class small_program {
    using pair = std::pair<const std::uint32_t, std::uint64_t>;

public:
    explicit small_program(int number) {
        if (number % 2 == 0) map_.emplace(memory_.template get<pair>());
        else list_.emplace(memory_.template get<std::uint64_t>());
    }

    std::uint64_t run() {
        std::uint64_t sum = 0;
        if (map_) {
            for (std::uint32_t i = 0; i < nodes; ++i) map_->emplace(i * 19 % nodes, i);
            for (const auto& [key, value] : *map_) sum = sum * 3 + key + value;
        } else {
            for (std::uint32_t i = 0; i < nodes; ++i) list_->push_back(i);
            for (const std::uint64_t value : *list_) sum = sum * 3 + value;
        }
        return sum;
    }

private:
    Memory memory_;
    std::optional<std::map<std::uint32_t, std::uint64_t, std::less<>, typename Memory::template allocator<pair>>> map_;
    std::optional<std::list<std::uint64_t, typename Memory::template allocator<std::uint64_t>>> list_;
};

class in_turn_play {
public:
    template <class Memory> void operator()(Memory&, phases& timed) {
        timed("all", [] {
            std::uint64_t sum = 0;
            for (int i = 0; i < repetitions * resources; ++i) sum = sum * 3 + small_program<Memory>(i).run();
            return sum;
        });
    }
};

class together_play {
public:
    template <class Memory> void operator()(Memory&, phases& timed) {
        timed("all", [] {
            std::uint64_t sum = 0;
            for (int repetition = 0; repetition < repetitions; ++repetition) {
                std::array<std::optional<small_program<Memory>>, resources> live;
                for (int i = 0; i < resources; ++i) {
                    live[static_cast<std::size_t>(i)].emplace(i);
                    sum = sum * 3 + live[static_cast<std::size_t>(i)]->run();
                }
            }
            return sum;
        });
    }
};

}  // namespace

workload small_resources_workload() { return on_every_memory<in_turn_play>("300 small resources", 5); }
workload small_resources_together_workload() {
    return on_every_memory<together_play>("300 small resources at once", 5);
}
