// SPDX-License-Identifier: BSL-1.0
// programs: plays all allocations of recorded programs, of every size, through pool_resource and its peers, in turns.
#include <fixpool/pool_resource.hpp>

#include <dlfcn.h>

#include <cmath>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <memory_resource>
#include <optional>
#include <string>
#include <vector>

#include "../examples/resource_contest.hpp"
#include "../examples/system_policy.hpp"
#include "private_library.hpp"

namespace {

/// mimalloc. Nothing else in this process calls it.
class mimalloc_memory {
public:
    explicit mimalloc_memory(const private_library& library)
        : calls_(library.calls()),
          allocate_aligned_(reinterpret_cast<void* (*)(std::size_t, std::size_t)>(
              ::dlsym(::dlopen(library.file().c_str(), RTLD_NOW | RTLD_NOLOAD), "mi_malloc_aligned"))) {}

    void* allocate(std::size_t size, std::size_t alignment) {
        return alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__ ? calls_.allocate(size)
                                                             : allocate_aligned_(size, alignment);
    }
    void deallocate(void* block, std::size_t /*size*/, std::size_t /*alignment*/) { calls_.deallocate(block); }

private:
    private_library::functions calls_;
    void* (*allocate_aligned_)(std::size_t size, std::size_t alignment);
};

/// mimalloc, if it is installed. Prints to standard error which file it is, or what is missing.
std::optional<mimalloc_memory> load_mimalloc() {
    try {
        const private_library library("libmimalloc.so.2", "mi_malloc", "mi_free");
        std::fprintf(stderr, "mimalloc: %s\n", library.file().c_str());
        return mimalloc_memory(library);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "mimalloc is left out: %s\n", error.what());
        return std::nullopt;
    }
}

/// Makes new contenders, for one trace.
std::vector<resource_contender> contenders(const std::optional<mimalloc_memory>& mimalloc) {
    std::vector<resource_contender> all{
        contender_of<fixpool::pool_resource>("checked"),
        contender_of<fixpool::basic_pool_resource<fixpool::checking::unchecked>>("unchecked"),
        system_contender("new_keeping"), contender_of<std::pmr::unsynchronized_pool_resource>("std_pool")};
    if (mimalloc) {
        const auto play = [memory = *mimalloc](const program_trace& t, std::vector<void*>& slots) {
            return play_once(t, memory, slots);
        };
        all.push_back({"mimalloc", play, {}});
    }
    return all;
}

void print(const std::vector<resource_contender>& all, const std::vector<program_trace>& traces,
           const std::vector<std::vector<resource_result>>& results) {
    const auto row = [&all](const std::string& name, const char* format, auto value) {
        std::printf("%-20s", name.c_str());
        for (std::size_t i = 0; i < all.size(); ++i) std::printf(format, value(i));
        std::puts("");
    };
    const auto head = [&](const char* text) {
        std::printf("\n%s\n", text);
        row("", "%13s", [&](std::size_t i) { return all[i].name.c_str(); });
    };
    head("ns per operation, median");
    for (std::size_t t = 0; t < traces.size(); ++t)
        row(traces[t].name, "%13.2f", [&](std::size_t i) { return median(results[t][i].times); });
    head("checked to each");
    std::vector<double> logs(all.size());
    for (std::size_t t = 0; t < traces.size(); ++t) {
        row(traces[t].name, "%13.3f", [&](std::size_t i) {
            const double ratio = median_ratio(results[t][0], results[t][i]);
            logs[i] += std::log(ratio);
            return ratio;
        });
    }
    row("geometric mean", "%13.3f",
        [&](std::size_t i) { return std::exp(logs[i] / static_cast<double>(traces.size())); });
    head("bytes taken from operator new at peak, to bytes live at peak; - where that is unknown");
    for (std::size_t t = 0; t < traces.size(); ++t) {
        std::vector<std::string> ratios;
        for (const resource_result& r : results[t]) {
            char text[32] = "-";
            if (r.peak_bytes != 0)
                std::snprintf(text, sizeof text, "%.2f",
                              static_cast<double>(r.peak_bytes) / static_cast<double>(traces[t].peak_bytes));
            ratios.emplace_back(text);
        }
        row(traces[t].name, "%13s", [&](std::size_t i) { return ratios[i].c_str(); });
    }
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<std::string> files(argv + 1, argv + argc);
    const int rounds = std::erase(files, "--once") > 0 ? 1 : 15;
    if (files.empty()) {
        std::fputs("usage: programs [--once] PROGRAM.sizes ...\n", stderr);
        return 1;
    }
    try {
        expect_system_new();
        set_system_policy(true);
        std::vector<program_trace> traces;
        traces.reserve(files.size());
        for (const std::string& file : files) traces.push_back(load_program_trace(file));
        const std::optional<mimalloc_memory> mimalloc = load_mimalloc();
        std::vector<std::vector<resource_result>> results;
        results.reserve(traces.size());
        for (const program_trace& t : traces) results.push_back(replay(t, contenders(mimalloc), rounds));
        print(contenders(mimalloc), traces, results);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "programs: %s\n", error.what());
        return 1;
    }
}
