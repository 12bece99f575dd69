// SPDX-License-Identifier: BSL-1.0
// containers: measures programs that build, read and drop containers, on fixpool's resource and on its peers. Prints tables.
// README.md says how to read them.
//
// It does not use Google Benchmark, since each measurement has a process of its own.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <fstream>
#include <random>
#include <regex>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../examples/system_policy.hpp"
#include "containers/footprint.hpp"
#include "containers/process.hpp"
#include "containers/results.hpp"
#include "containers/workload.hpp"

namespace {

std::vector<workload> all_workloads() {
    return {boost_json_workload(),
            nlohmann_json_workload(),
            map_workload(),
            list_workload(),
            scrambled_list_workload(),
            unordered_map_workload(),
            shared_objects_workload(),
            handlers_workload(),
            one_block_workload(),
            window_256_workload(),
            window_4096_workload(),
            window_65536_workload(),
            small_resources_workload(),
            small_resources_together_workload()};
}

template <class Named> const Named& named(const std::vector<Named>& all, const std::string& name) {
    const auto found = std::find_if(all.begin(), all.end(), [&](const Named& n) { return n.name() == name; });
    if (found == all.end()) throw std::runtime_error("there is no " + name + " here");
    return *found;
}

bool needs_mimalloc(const std::string& contender) { return contender.starts_with("mimalloc"); }

/// Prepares this process for the contender. It measures nothing else.
void become(const std::string& contender) {
    set_system_policy(contender != "operator_new");
    if (needs_mimalloc(contender)) load_mimalloc();
}

/// Runs one workload on one contender. Prints lines of milliseconds, checksum, phase.
void measure(const std::string& workload_name, const std::string& contender_name, int rounds) {
    const std::vector<workload> all = all_workloads();
    become(contender_name);
    const phases timed = named(named(all, workload_name).contenders(), contender_name).run(rounds);
    for (const phases::phase& p : timed.all())
        std::printf("%.6f %llu %s\n", median(p.ms), static_cast<unsigned long long>(p.checksum), p.name.c_str());
    std::printf("%.6f 0 %s\n", timed.total_ms(), results::total);
}

struct options {
    bool is_quick = false;
    bool is_of_memory = false;
    int processes = 7;
    std::regex workloads{""};
    std::regex contenders{""};
    std::string csv;
};

options parse(std::span<char*> words) {
    options made;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string name = words[i];
        const auto value = [&]() -> std::string {
            if (++i == words.size()) throw std::runtime_error(name + " is not followed by a value");
            return words[i];
        };
        if (name == "--quick") {
            made.is_quick = true;
        } else if (name == "--memory") {
            made.is_of_memory = true;
        } else if (name == "--processes") {
            made.processes = std::stoi(value());
        } else if (name == "--workloads") {
            made.workloads = value();
        } else if (name == "--contenders") {
            made.contenders = value();
        } else if (name == "--csv") {
            made.csv = value();
        } else {
            throw std::runtime_error(name +
                                     " is no option: --quick, --memory, --processes N, --workloads REGEX, "
                                     "--contenders REGEX, --csv FILE, --once WORKLOAD CONTENDER [ROUNDS]");
        }
    }
    if (made.processes < 1) throw std::runtime_error("--processes is at least 1");
    if (made.is_quick) made.processes = 1;
    return made;
}

/// Prints which library serves each contender, and what is missing. Returns whether mimalloc is installed.
/// Throws: std::runtime_error if operator new is not the system's.
bool look_around(const std::vector<workload>& workloads) {
    for (const workload& w : workloads) {
        if (w.why_missing().empty()) continue;
        std::fprintf(stderr, "%s is left out: this was built without %s\n", w.name().c_str(), w.why_missing().c_str());
    }
#if !defined(FIXPOOL_BENCH_BOOST_CONTAINER)
    std::fputs("boost_unsynchronized is left out: this was built without libboost-container1.81-dev\n", stderr);
#endif
    expect_system_new();
    try {
        load_mimalloc();
        return true;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "mimalloc is left out: %s\n", error.what());
        return false;
    }
}

/// Prints to standard error, if that is a terminal.
void say_progress(const std::string& what) {
    if (::isatty(STDERR_FILENO) != 0) std::fprintf(stderr, "\r%-79s", what.c_str());
}

/// A chosen workload, and its chosen contenders.
struct task {
    const workload* of;
    std::vector<std::string> contenders;
    results measured;
};

std::vector<task> chosen_tasks(const std::vector<workload>& all, const options& chosen, bool has_mimalloc) {
    std::vector<task> tasks;
    for (const workload& w : all) {
        task made{&w, {}, results(w.name())};
        for (const contender& c : w.contenders())
            if (std::regex_search(c.name(), chosen.contenders) && (has_mimalloc || !needs_mimalloc(c.name())))
                made.contenders.push_back(c.name());
        if (std::regex_search(w.name(), chosen.workloads) && !made.contenders.empty()) tasks.push_back(made);
    }
    return tasks;
}

/// Measures all tasks on all contenders, by turns: a disturbance then meets all of them.
void measure_all(std::vector<task>& tasks, const options& chosen) {
    std::mt19937 random(0);
    for (int process = 1; process <= chosen.processes; ++process) {
        for (task& t : tasks) {
            std::vector<std::string> order = t.contenders;
            if (process > 1) std::shuffle(order.begin(), order.end(), random);
            for (const std::string& contender : order) {
                say_progress("process " + std::to_string(process) + " of " + std::to_string(chosen.processes) + ": " +
                             t.of->name() + ", " + contender);
                const int rounds = chosen.is_quick ? 1 : t.of->rounds();
                t.measured.add(contender, output_of_self({"--once", t.of->name(), contender, std::to_string(rounds)}));
            }
        }
    }
    say_progress("");
}

void print_times(const options& chosen, bool has_mimalloc, const std::vector<workload>& all) {
    std::vector<task> tasks = chosen_tasks(all, chosen, has_mimalloc);
    measure_all(tasks, chosen);
    std::vector<results> measured;
    measured.reserve(tasks.size());
    for (const task& t : tasks) measured.push_back(t.measured);
    for (const results& r : measured) r.print();
    goals(measured).print();
    if (chosen.csv.empty()) return;
    std::ofstream csv(chosen.csv);
    csv << "workload,contender,phase,ms\n";
    for (const results& r : measured) r.write_to(csv);
    if (!csv.flush()) throw std::runtime_error("cannot write " + chosen.csv);
}

void print_memory(const options& chosen, bool has_mimalloc) {
    footprint::print_head();
    for (const footprint_run& run : footprint_runs())
        if (std::regex_search(run.name(), chosen.contenders) && (has_mimalloc || !needs_mimalloc(run.name())))
            std::fputs(output_of_self({"--memory-of", run.name()}).c_str(), stdout);
}

void run(std::span<char*> words) {
    const std::string mode = words.empty() ? "" : words[0];
    if (mode == "--once" && (words.size() == 3 || words.size() == 4)) {
        measure(words[1], words[2], words.size() == 4 ? std::stoi(words[3]) : 1);
    } else if (mode == "--memory-of" && words.size() == 2) {
        become(words[1]);
        named(footprint_runs(), words[1]).run();
    } else {
        const options chosen = parse(words);
        const std::vector<workload> all = all_workloads();
        const bool has_mimalloc = look_around(all);
        if (chosen.is_of_memory) print_memory(chosen, has_mimalloc);
        else print_times(chosen, has_mimalloc, all);
    }
}

}  // namespace

int main(int argc, char** argv) {
    try {
        run(std::span(argv, static_cast<std::size_t>(argc)).subspan(1));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "containers: %s\n", error.what());
        return 1;
    }
}
