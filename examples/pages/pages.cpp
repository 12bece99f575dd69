// SPDX-License-Identifier: BSL-1.0
// Runs one workload on an SQLite database with three page caches. They are SQLite's own with malloc, the same with a
// buffer, and a pool of aligned pages. Prints times, hit rates and memory. Draws the time per operation over the run.
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "../support/arguments.hpp"
#include "../support/line_plot.hpp"
#include "../support/output_file.hpp"
#include "../support/percentile.hpp"
#include "../system_policy.hpp"
#include "contenders.hpp"

namespace {

/// The results of all rounds: one list per contender.
using results = std::array<std::vector<run_result>, contender_count>;

/// The median of `value` over all rounds.
template <class Value> double median_of(const std::vector<run_result>& rounds, Value&& value) {
    std::vector<double> values;
    for (std::size_t i = 0; i < rounds.size(); ++i) {
        values.push_back(value(i));
    }
    return percentile(values, 50);
}

/// The seconds of one phase. One behind the last phase means the sum of all.
double seconds_of(const run_result& one, std::size_t phase) {
    if (phase < phase_count) return one.work.phases.at(phase).seconds;
    return std::accumulate(one.work.phases.begin(), one.work.phases.end(), 0.0,
                           [](double sum, const phase_result& next) { return sum + next.seconds; });
}

/// Prints the medians of a phase, and their ratios to those of the first contender.
void print_seconds(const results& all, const std::string& name, std::size_t phase) {
    std::printf("%-8s |", name.c_str());
    const auto median_seconds = [phase](const auto& rounds) {
        return median_of(rounds, [&](std::size_t i) { return seconds_of(rounds[i], phase); });
    };
    for (const auto& rounds : all) std::printf(" %7.3f", median_seconds(rounds));
    std::printf(" |");
    for (std::size_t i = 1; i < contender_count; ++i) {
        const auto ratio = [&](std::size_t k) {
            return seconds_of(all.at(i)[k], phase) / seconds_of(all[0][k], phase);
        };
        const bool is_long_enough = median_seconds(all[0]) >= 0.01;
        is_long_enough ? std::printf(" %7.2f", median_of(all[0], ratio)) : std::printf("       -");
    }
    std::printf(" |");
}

double hit_rate(const phase_result& phase) {
    const auto all = static_cast<double>(phase.hits + phase.misses);
    return all == 0 ? 100 : 100 * static_cast<double>(phase.hits) / all;
}

/// Runs all contenders `rounds` times. Each round begins with another one. All must make the same file.
/// Throws: std::runtime_error if they do not.
results run_rounds(const contest& c, long rounds) {
    results all;
    const workload_result* first = nullptr;
    for (auto& list : all) list.reserve(static_cast<std::size_t>(rounds));
    for (std::size_t i = 0; i < contender_count * static_cast<std::size_t>(rounds); ++i) {
        const std::size_t contender = (i + i / contender_count) % contender_count;
        all.at(contender).push_back(run(c, contender));
        const workload_result& last = all.at(contender).back().work;
        first = first == nullptr ? &last : first;
        if (last.file_hash != first->file_hash || last.sum != first->sum) {
            throw std::runtime_error("what " + std::string(contender_names.at(contender)) + " made differs");
        }
    }
    return all;
}

/// The median time per operation over the run, one line per contender.
line_plot picture(const contest& c, const results& all) {
    std::vector<plot_series> lines;
    for (std::size_t i = 0; i < contender_count; ++i) {
        plot_series line{std::string(contender_names.at(i)), {}};
        const std::vector<run_result>& rounds = all.at(i);
        for (std::size_t point = 0; point < rounds[0].work.operations.size(); ++point) {
            line.points.emplace_back(rounds[0].work.operations.at(point) / 1000, median_of(rounds, [&](std::size_t k) {
                                         return rounds[k].work.nanoseconds.at(point) / 1000;
                                     }));
        }
        lines.push_back(std::move(line));
    }
    return {{.title = "Insert, look up, update, delete with a cache of " + std::to_string(c.cache_pages) + " pages",
             .x_axis = "thousand operations, in this order",
             .y_axis = "us per operation"},
            std::move(lines)};
}

void print(const contest& c, const results& all) {
    const workload_result& any = all[0][0].work;
    std::printf("cache of %ld pages; %ld rows on %lld pages\n", c.cache_pages, c.rows,
                static_cast<long long>(any.file_pages));
    std::puts("         |     seconds, median     | ratio to malloc |      hit rate, %        |      pages spilled");
    std::puts(
        "phase    |  malloc  buffer    pool |  buffer    pool |  malloc  buffer    pool |  malloc  buffer    pool");
    std::puts(
        "---------+-------------------------+-----------------+-------------------------+------------------------");
    for (std::size_t phase = 0; phase < phase_count; ++phase) {
        print_seconds(all, std::string(phase_names.at(phase)), phase);
        for (const auto& rounds : all) std::printf(" %7.2f", hit_rate(rounds[0].work.phases.at(phase)));
        std::printf(" |");
        for (const auto& rounds : all) {
            std::printf(" %7lld", static_cast<long long>(rounds[0].work.phases.at(phase).spills));
        }
        std::puts("");
    }
    print_seconds(all, "all", phase_count);
    std::printf("\nMB, peak |");
    for (const auto& rounds : all) {
        std::printf(" %7.1f", median_of(rounds, [&](std::size_t i) { return rounds[i].peak_megabytes; }));
    }
    std::printf(" | the file's hash: %016llx\n\n", static_cast<unsigned long long>(any.file_hash));
}

void print_legend() {
    std::puts("malloc: SQLite's page cache. buffer: the same on memory that it was given (SQLITE_CONFIG_PAGECACHE).");
    std::puts("pool: a page cache on a shared_memory_pool (SQLITE_CONFIG_PCACHE2); checked, as always.");
    std::puts("Seconds of the processor. All runs ended with the same file, byte for byte; integrity_check said ok.");
}

std::string default_file() {
    return std::filesystem::temp_directory_path() / ("pages-" + std::to_string(getpid()) + ".db");
}

/// A file that nobody else uses, and that is deleted at the end.
class new_database {
public:
    explicit new_database(const std::string& path) : path_(path) {
        if (std::filesystem::exists(path)) {
            throw std::runtime_error(path + " exists, and would be lost");
        }
    }
    new_database(const new_database&) = delete;
    new_database& operator=(const new_database&) = delete;
    ~new_database() {
        std::error_code ignored;
        std::filesystem::remove(path_, ignored);
    }

private:
    std::string path_;
};

}  // namespace

int main(int argc, char** argv) {
    arguments words(argc, argv, "pages",
                    "[--rows N] [--cache N] [--rounds N] [--file PATH] [--plot FILE.svg] [--trim]");
    const long rows = words.number("--rows", 1'000'000, 1'000, 100'000'000);
    const long only_cache = words.number("--cache", 0, 0, 10'000'000);  // 0: all, one after another
    const long rounds = words.number("--rounds", 3, 1, 100);
    const std::string file = words.text("--file", default_file());
    const std::string plot = words.text("--plot", "");
    const bool trims = words.flag("--trim");
    words.finish();
    if (only_cache > 0 && only_cache < 50) {
        words.refuse("--cache wants 50 pages at least: with less, SQLite may find none for a VACUUM");
    }
    set_system_policy(!trims);  // else glibc returns the journal's memory after each transaction, and gets it again
    try {
        const new_database database(file);
        std::optional<output_file> plotted;  // opened before anything is measured
        if (!plot.empty()) {
            plotted.emplace(plot);
        }
        const std::vector<long> caches = only_cache != 0 ? std::vector{only_cache} : std::vector{2'000L, 40'000L};
        for (const long cache : caches) {
            const contest c{file, rows, cache};
            const results all = run_rounds(c, rounds);
            print(c, all);
            (void)std::fflush(stdout);
            if (plotted && cache == caches.front()) {
                plotted->write(picture(c, all).svg());
                plotted->close();
            }
        }
        print_legend();
        if (std::fflush(stdout) != 0) {
            throw std::runtime_error("standard output cannot be written");
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "pages: %s\n", error.what());
        return 1;
    }
}
