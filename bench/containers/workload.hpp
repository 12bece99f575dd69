// SPDX-License-Identifier: BSL-1.0
// workload: a program in phases, and the contenders that run it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "contenders.hpp"
#include "phases.hpp"

/// One workload on one memory.
class contender {
public:
    contender(std::string name, std::function<phases(int rounds)> run) : name_(std::move(name)), run_(std::move(run)) {}

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] phases run(int rounds) const { return run_(rounds); }

private:
    std::string name_;
    std::function<phases(int rounds)> run_;
};

class workload {
public:
    /// A process plays `rounds`, after one that does not count.
    workload(std::string name, int rounds) : name_(std::move(name)), rounds_(rounds) {}

    /// A workload that cannot be built here.
    static workload missing(std::string name, std::string why) {
        workload made(std::move(name), 0);
        made.why_missing_ = std::move(why);
        return made;
    }

    /// Adds a contender. The constructor of `Play` is not measured. `play(memory, timed)` is a round.
    template <class Play, class Memory> void add(const char* name) {
        contenders_.emplace_back(name, play_rounds<Play, Memory>);
    }

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] int rounds() const { return rounds_; }
    [[nodiscard]] const std::string& why_missing() const { return why_missing_; }  // empty if nothing is missing
    [[nodiscard]] const std::vector<contender>& contenders() const { return contenders_; }

private:
    template <class Play, class Memory> static phases play_rounds(int rounds) {
        const auto memory = std::make_unique<Memory>();
        Play play;
        phases timed;
        for (int round = 0; round <= rounds; ++round) {
            timed.begin_round();
            play(*memory, timed);
            memory->end_round();
        }
        return timed;
    }

    std::string name_;
    int rounds_;
    std::string why_missing_;
    std::vector<contender> contenders_;
};

/// A workload that runs on every memory.
template <class Play> workload on_every_memory(std::string name, int rounds) {
    workload made(std::move(name), rounds);
    made.add<Play, system_memory>("operator_new");
    made.add<Play, system_memory>("operator_new_keeping");
    made.add<Play, system_resource_memory>("new_delete_resource");
    made.add<Play, mimalloc_memory>("mimalloc");
    made.add<Play, resource_memory<mimalloc_resource>>("mimalloc_resource");
    made.add<Play, resource_memory<std::pmr::unsynchronized_pool_resource>>("std_unsynchronized");
    made.add<Play, resource_memory<std::pmr::synchronized_pool_resource>>("std_synchronized");
#if defined(FIXPOOL_BENCH_BOOST_CONTAINER)
    made.add<Play, boost_memory>("boost_unsynchronized");
#endif
    made.add<Play, resource_memory<std::pmr::monotonic_buffer_resource>>("monotonic");
    made.add<Play, resource_memory<fixpool::basic_pool_resource<fixpool::checking::checked>>>("checked");
    made.add<Play, resource_memory<fixpool::basic_pool_resource<fixpool::checking::unchecked>>>("unchecked");
    made.add<Play, pool_memory<fixpool::checking::checked>>("checked_allocator");
    made.add<Play, pool_memory<fixpool::checking::unchecked>>("unchecked_allocator");
    return made;
}

// Each is in the file of its name, or of the first word of its name.
workload boost_json_workload();
workload nlohmann_json_workload();
workload map_workload();
workload list_workload();
workload scrambled_list_workload();
workload unordered_map_workload();
workload shared_objects_workload();
workload handlers_workload();
workload one_block_workload();
workload window_256_workload();
workload window_4096_workload();
workload window_65536_workload();
workload small_resources_workload();
workload small_resources_together_workload();
