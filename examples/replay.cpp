// SPDX-License-Identifier: BSL-1.0
// Replays allocations that real programs made through operator new and two pools, side by side, and prints what each costs.
#include <fixpool/stats.hpp>

#include <cmath>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "contest.hpp"
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

}  // namespace

int main(int argc, char** argv) {
    std::vector<std::string> files(argv + 1, argv + argc);
    const int rounds = std::erase(files, "--once") > 0 ? 1 : 15;
    const bool keeps = std::erase(files, "--keep") > 0;
    if (files.empty()) {
        std::fputs(
            "usage: replay [--once] [--keep] PROGRAM-BLOCKSIZE.trace ...\n"
            "  --once   one round: a look, not a measurement\n"
            "  --keep   operator new keeps the memory that is released to it, as the pools do (glibc)\n",
            stderr);
        return 1;
    }
    set_system_policy(keeps);
    try {
        std::vector<trace> traces;
        traces.reserve(files.size());
        for (const std::string& file : files) traces.push_back(load_trace(file));
        std::vector<contest> results;
        results.reserve(traces.size());
        for (const trace& t : traces) results.push_back(replay(t, rounds));
        print(traces, results);
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
