// SPDX-License-Identifier: BSL-1.0
// Replays allocations that real programs made, and prints their cost. Replays those of one size through operator new
// and two pools. With --resource, replays all of a program, of every size, through operator new and memory resources.
#include <fixpool/pool_resource.hpp>
#include <fixpool/stats.hpp>

#include <cmath>
#include <cstdio>
#include <exception>
#include <memory_resource>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "contest.hpp"
#include "program_trace.hpp"
#include "resource_contest.hpp"
#include "system_policy.hpp"
#include "trace.hpp"

namespace {

void print(const std::vector<trace>& traces, const std::vector<contest>& results) {
    double checked_logs = 0;
    double unchecked_logs = 0;
    std::puts("\n                                     |    ns per operation, median      | ratio to operator new");
    std::puts("trace          operations   reused   |  operator new  checked  unchecked |   checked  unchecked");
    std::puts("-------------------------------------+----------------------------------+----------------------");
    for (std::size_t i = 0; i < traces.size(); ++i) {
        const trace& t = traces[i];
        const contest& r = results[i];
        std::printf("%-14s %10s   %5.1f %%  | %13.2f  %7.2f  %9.2f | %9.2f  %9.2f\n", t.name.c_str(),
                    grouped(t.records.size()).c_str(), reused(t), r.system_ns, r.checked_ns, r.unchecked_ns,
                    r.checked_ratio, r.unchecked_ratio);
        checked_logs += std::log(r.checked_ratio);
        unchecked_logs += std::log(r.unchecked_ratio);
    }
    const auto count = static_cast<double>(traces.size());
    std::printf("%-36s | %32s | %9.2f  %9.2f\n\n", "geometric mean", "", std::exp(checked_logs / count),
                std::exp(unchecked_logs / count));

    std::puts("                 block size  peak in use: the          arena    of which     leaked");
    std::puts("trace                 bytes  blocks to ask for         bytes    metadata     blocks");
    std::puts("--------------------------------------------------------------------------------------");
    for (std::size_t i = 0; i < traces.size(); ++i) {
        const fixpool::pool_stats& s = results[i].stats;
        std::printf("%-14s %12s  %17s  %12s  %10s  %9s\n", traces[i].name.c_str(), grouped(s.block_size).c_str(),
                    grouped(traces[i].peak).c_str(), grouped(s.arena_bytes).c_str(), grouped(s.metadata_bytes).c_str(),
                    grouped(s.in_use).c_str());
    }
    std::puts("\nchecked: memory_pool, the default. unchecked: basic_memory_pool<checking::unchecked>.");
    std::puts("Every block was stamped when it was allocated, and every stamp was intact when it was released.");
}

std::vector<resource_contender> resource_contenders() {
    return {system_contender("operator new"), contender_of<std::pmr::unsynchronized_pool_resource>("std"),
            contender_of<fixpool::pool_resource>("checked"),
            contender_of<fixpool::basic_pool_resource<fixpool::checking::unchecked>>("unchecked")};
}

void print(const std::vector<program_trace>& traces, const std::vector<std::vector<resource_result>>& results) {
    double logs[4] = {};
    std::puts(
        "\n                                         |        ns per operation, median          |  ratio to operator "
        "new");
    std::puts(
        "program        operations  sizes  reused | operator new     std  checked  unchecked |  std  checked  "
        "unchecked");
    std::puts(
        "-----------------------------------------+------------------------------------------+------------------------"
        "-");
    for (std::size_t i = 0; i < traces.size(); ++i) {
        const program_trace& t = traces[i];
        const std::vector<resource_result>& r = results[i];
        double ratios[4] = {};
        for (std::size_t j = 0; j < r.size(); ++j) {
            ratios[j] = median_ratio(r[j], r[0]);
            logs[j] += std::log(ratios[j]);
        }
        std::printf("%-14s %10s %6zu %5.1f %% | %12.2f %7.2f  %7.2f  %9.2f | %4.2f  %7.2f  %9.2f\n", t.name.c_str(),
                    grouped(t.recorded).c_str(), t.sizes, reused(t), median(r[0].times), median(r[1].times),
                    median(r[2].times), median(r[3].times), ratios[1], ratios[2], ratios[3]);
    }
    const auto mean = [&](std::size_t i) { return std::exp(logs[i] / static_cast<double>(traces.size())); };
    std::printf("%-40s | %40s | %4.2f  %7.2f  %9.2f\n\n", "geometric mean", "", mean(1), mean(2), mean(3));

    std::puts("                   live at peak                 bytes taken from operator new at peak");
    std::puts("program          blocks         bytes               std       checked     unchecked");
    std::puts("-----------------------------------------------------------------------------------");
    for (std::size_t i = 0; i < traces.size(); ++i) {
        const std::vector<resource_result>& r = results[i];
        std::printf("%-14s %8s  %12s      %12s  %12s  %12s\n", traces[i].name.c_str(), grouped(traces[i].peak).c_str(),
                    grouped(traces[i].peak_bytes).c_str(), grouped(r[1].peak_bytes).c_str(),
                    grouped(r[2].peak_bytes).c_str(), grouped(r[3].peak_bytes).c_str());
    }
    std::puts("\nstd: std::pmr::unsynchronized_pool_resource. checked: pool_resource, the default. unchecked:");
    std::puts("basic_pool_resource<checking::unchecked>. All three take their memory from operator new.");
    std::puts("Every block was stamped when it was allocated, and every stamp was intact when it was released.");
}

/// All files are read before the first one is replayed.
void replay_files(const std::vector<std::string>& files, int rounds) {
    std::vector<trace> traces;
    traces.reserve(files.size());
    for (const std::string& file : files) traces.push_back(load_trace(file));
    std::vector<contest> results;
    results.reserve(traces.size());
    for (const trace& t : traces) results.push_back(replay(t, rounds));
    print(traces, results);
}

/// The same for traces of all sizes.
void replay_programs(const std::vector<std::string>& files, int rounds) {
    std::vector<program_trace> traces;
    traces.reserve(files.size());
    for (const std::string& file : files) traces.push_back(load_program_trace(file));
    std::vector<std::vector<resource_result>> results;
    results.reserve(traces.size());
    for (const program_trace& t : traces) results.push_back(replay(t, resource_contenders(), rounds));
    print(traces, results);
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<std::string> files(argv + 1, argv + argc);
    const int rounds = std::erase(files, "--once") > 0 ? 1 : 15;
    const bool keeps = std::erase(files, "--keep") > 0;
    const bool of_all_sizes = std::erase(files, "--resource") > 0;
    if (files.empty()) {
        std::fputs(
            "usage: replay [--once] [--keep] PROGRAM-BLOCKSIZE.trace ...\n"
            "       replay [--once] [--keep] --resource PROGRAM.sizes ...\n"
            "  --once      one round: a look, not a measurement\n"
            "  --keep      operator new keeps the memory that is released to it, as the pools do (glibc)\n"
            "  --resource  blocks of all sizes through memory resources, instead of one size through pools\n",
            stderr);
        return 1;
    }
    set_system_policy(keeps);
    try {
        if (of_all_sizes) replay_programs(files, rounds);
        else replay_files(files, rounds);
#if defined(__GLIBC__)
        std::puts(
            keeps
                ? "operator new kept the memory that was released to it, as the pools do."
                : "operator new is glibc's as it starts: it gives memory back to the system. --keep lets it keep it.");
#endif
        if (std::fflush(stdout) != 0) throw std::runtime_error("standard output cannot be written");
    } catch (const std::exception& error) {
        std::fprintf(stderr, "replay: %s\n", error.what());
        return 1;
    }
}
