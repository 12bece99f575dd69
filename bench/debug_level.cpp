// SPDX-License-Identifier: BSL-1.0
// debug_level: replays recorded traces through a checked pool and through one of debug level, in turns.
#include <fixpool/debug.hpp>
#include <fixpool/memory_pool.hpp>

#include <cmath>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "../examples/contest.hpp"
#include "../examples/trace.hpp"

using debug_pool = fixpool::basic_memory_pool<fixpool::checking::debug>;

int main(int argc, char** argv) {
    const std::vector<std::string> files(argv + 1, argv + argc);
    if (files.empty()) {
        std::fputs("usage: debug_level PROGRAM-BLOCKSIZE.trace ...\n", stderr);
        return 1;
    }
    try {
        std::puts("                 ns per operation, medians   debug to   bytes a block");
        std::puts("trace               checked      debug        checked   checked   debug");
        double logs = 0;
        for (const std::string& file : files) {
            const trace t = load_trace(file);
            const fixpool::pool_layout layout{.block_size = t.block_size, .block_count = t.peak};
            const auto checked = std::make_unique<fixpool::memory_pool>(layout);
            const auto debug = std::make_unique<debug_pool>(layout);
            std::vector<void*> slots(t.slots);
            std::vector<double> checked_ns, debug_ns, ratios;
            for (int round = 0; round < 8; ++round) {
                const double first = replay_once(t, opaque(checked.get()), slots);
                const double second = replay_once(t, opaque(debug.get()), slots);
                if (round == 0) continue;  // warms up
                checked_ns.push_back(first);
                debug_ns.push_back(second);
                ratios.push_back(second / first);
            }
            const auto bytes_a_block = [&t](const auto& pool) {
                return static_cast<double>(pool.stats().arena_bytes) / static_cast<double>(t.peak);
            };
            std::printf("%-15s %11.2f %10.2f %14.1f %9.0f %7.0f\n", t.name.c_str(), median(checked_ns),
                        median(debug_ns), median(ratios), bytes_a_block(*checked), bytes_a_block(*debug));
            logs += std::log(median(ratios));
        }
        std::printf("geometric mean %38.1f\n", std::exp(logs / static_cast<double>(files.size())));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "debug_level: %s\n", error.what());
        return 1;
    }
}
