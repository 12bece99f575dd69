// SPDX-License-Identifier: BSL-1.0
// threads: what an allocation and its release cost while all threads use one pool, through shared pools and their peers.
// Prints tables. README.md says how to read them.
//
// It does not use Google Benchmark, which cannot drop a round in which other programs were busy.
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <barrier>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <exception>
#include <fstream>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <regex>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "contender.hpp"
#include "shared_contender.hpp"
#include "shared_pattern.hpp"
#include "workload.hpp"

namespace {

/// Cost of a pair: an allocation and its release.
struct cost {
    double wall;       // ns
    double processor;  // ns, sum over all threads
    double refused;    // allocations that had to be tried again
};

/// Times and sums of one thread.
struct stretch {
    using clock = std::chrono::steady_clock;

    clock::time_point start;
    clock::time_point end;
    double processor;  // ns
    std::uint64_t unbalanced;
    std::uint64_t refused;

    /// Processor time of the calling thread so far, in ns.
    static double processor_time() {
        std::timespec now{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return 1e9 * static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec);
    }
};

/// Keeps the calling thread on one processor. Otherwise the system may run two threads on one processor by turns, and
/// they never compete.
void stay_on_one_processor(std::size_t thread) {
    cpu_set_t allowed;
    if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    std::size_t left = thread % static_cast<std::size_t>(CPU_COUNT(&allowed));
    std::size_t processor = 0;
    while (!CPU_ISSET(processor, &allowed) || left-- > 0) ++processor;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    ::sched_setaffinity(0, sizeof one, &one);
}

/// All that a thread does.
template <class Contender, class Play>
stretch work(Contender& contender, Play& all, const task& t, std::size_t thread, std::size_t operations,
             std::barrier<>& together) {
    stay_on_one_processor(thread);
    std::vector<typename Contender::slot> slots(t.of->held);
    worker_of<Contender> w{.contender = &contender, .thread = thread, .slots = slots};
    if (t.of->is_shuffled) shuffle_free_blocks(w, shuffled_blocks / t.threads, together);
    all.prepare(w);
    together.arrive_and_wait();
    w = all.run(w, operations / 8);  // faults memory in
    const std::uint64_t refused_before = w.refused;
    together.arrive_and_wait();

    stretch s{};
    const double processor_before = stretch::processor_time();
    s.start = stretch::clock::now();
    w = all.run(w, operations);
    s.end = stretch::clock::now();
    s.processor = stretch::processor_time() - processor_before;

    together.arrive_and_wait();
    s.refused = w.refused - refused_before;
    all.finish(w);
    s.unbalanced = w.put_sum - w.taken_sum;
    return s;
}

/// Plays a pattern once, on a new pool with new threads.
/// Throws: std::runtime_error if a number was read that was not written.
template <template <class> class Play, class Contender, class... From>
cost measure(const task& t, std::size_t operations, const From&... from) {
    Contender contender(workload{shared_block_size, 0, t.capacity(), {}}, from...);
    const auto all = std::make_unique<Play<Contender>>(t);
    std::barrier<> together(static_cast<std::ptrdiff_t>(t.threads));
    std::vector<stretch> stretches(t.threads);
    {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < t.threads; ++i)
            threads.emplace_back([&, i] { stretches[i] = work(contender, *all, t, i, operations, together); });
    }
    stretch sum = stretches[0];
    for (const stretch& s : std::span(stretches).subspan(1)) {
        sum.start = std::min(sum.start, s.start);
        sum.end = std::max(sum.end, s.end);
        sum.processor += s.processor;
        sum.unbalanced += s.unbalanced;
        sum.refused += s.refused;
    }
    if (sum.unbalanced != 0) throw std::runtime_error("a block changed");
    const std::size_t operations_of_all = operations * t.threads / t.of->group;
    const auto pairs = static_cast<double>(operations_of_all);
    return {std::chrono::duration<double, std::nano>(sum.end - sum.start).count() / pairs, sum.processor / pairs,
            static_cast<double>(sum.refused) / pairs};
}

struct contender {
    std::string name;
    std::function<cost(const task&, std::size_t operations)> measure;  // operations per thread
};

template <class Contender, class... From> contender make_contender(const std::string& name, const From&... from) {
    return {name, [=](const task& t, std::size_t operations) {
                switch (t.of->what) {
                    case play::pair: return measure<pair_play, Contender>(t, operations, from...);
                    case play::churn: return measure<churn_play, Contender>(t, operations, from...);
                    case play::burst: return measure<burst_play, Contender>(t, operations, from...);
                    case play::any: return measure<any_play, Contender>(t, operations, from...);
                    case play::hand_over: return measure<hand_over_play, Contender>(t, operations, from...);
                }
                throw std::logic_error("no such pattern");
            }};
}

std::vector<contender> all_contenders() {
    std::vector<named_library> libraries = load_libraries();
    load_library(libraries, "tbb", "libtbbmalloc.so.2", "scalable_malloc", "scalable_free");
    std::vector<contender> all;
    all.push_back(make_contender<shared_typed>("shared_pool"));
    all.push_back(make_contender<shared_typed>("shared_pool_off", fixpool::pool_options{.magazine_size = 0}));
    all.push_back(make_contender<shared_raw<shared_pool_memory>>("shared_memory_pool"));
    all.push_back(make_contender<baseline>("baseline"));
    all.push_back(make_contender<shared_raw<system_memory<false>>>("operator_new"));
    for (const auto& [name, library] : libraries)
        all.push_back(make_contender<shared_raw<library_memory>>(name, library));
#if defined(FIXPOOL_BENCH_LOCKFREE)
    all.push_back(make_contender<shared_raw<lockfree_memory>>("boost_lockfree"));
#else
    std::fputs("boost_lockfree is left out: boost/lockfree was not found when this was built\n", stderr);
#endif
    all.push_back(make_contender<shared_raw<synchronized_memory>>("pmr"));
    return all;
}

// Rounds

/// Measures how busy the processors are.
class onlooker {
public:
    onlooker() { look(); }

    /// The part of all processors' time since the last call that other programs and other machines (steal) used. The
    /// system counts in ticks: less than 20 ms gives 0.
    double part_of_others() {
        const onlooker before = *this;
        look();
        const double others = (busy_ - before.busy_) - (own_ - before.own_);
        return others < 0.02 ? 0 : others / (time_ - before.time_);
    }

private:
    void look() {
        std::string name;
        std::array<double, 8> ticks{};  // user, nice, system, idle, iowait, irq, softirq, steal
        std::ifstream file("/proc/stat");
        file >> name;
        for (double& t : ticks) file >> t;
        const auto a_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
        time_ = std::accumulate(ticks.begin(), ticks.end(), 0.0) / a_second;
        busy_ = time_ - (ticks[3] + ticks[4]) / a_second;
        own_ = static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
    }

    // Seconds of processor time so far
    double time_ = 0;
    double busy_ = 0;
    double own_ = 0;
};

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    if (values.size() % 2 == 1) return *middle;
    return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

/// A line of the tables: a task, and its cost for each contender.
class row {
public:
    row(task t, const std::vector<contender>& contenders)
        : task_(t), contenders_(&contenders), taken_(contenders.size()) {}

    [[nodiscard]] const task& of() const { return task_; }

    /// Finds how many operations per thread take `round_ns`, for each contender.
    void calibrate(double round_ns) {
        for (const contender& c : *contenders_) {
            auto operations = static_cast<double>(std::max<std::size_t>(256, task_.of->held));
            double factor = 10;
            while (factor >= 10) {
                const cost of_pair = measured(c, static_cast<std::size_t>(operations));
                const double took = of_pair.wall * operations * static_cast<double>(task_.threads);
                factor = std::min(10.0, std::max(round_ns / took, 0.1));
                operations *= factor;
            }
            operations_.push_back(static_cast<std::size_t>(operations) + 1);
        }
    }

    /// Plays all contenders once, in random order.
    void play_round(std::mt19937& random) {
        std::vector<std::size_t> order(contenders_->size());
        std::iota(order.begin(), order.end(), 0U);
        std::shuffle(order.begin(), order.end(), random);
        onlooker processors;
        for (const std::size_t i : order) taken_[i].push_back(measured((*contenders_)[i], operations_[i]));
        others_.push_back(processors.part_of_others());
    }

    /// Chooses the rounds that count: those in which others had at most a twentieth of the processors. If these are few,
    /// the quietest third counts. Prints which to standard error.
    void choose_rounds() {
        std::vector<std::size_t> quietest(others_.size());
        std::iota(quietest.begin(), quietest.end(), 0U);
        std::sort(quietest.begin(), quietest.end(), [this](auto a, auto b) { return others_[a] < others_[b]; });
        const auto quiet = static_cast<std::size_t>(
            std::count_if(others_.begin(), others_.end(), [](double part) { return part <= 0.05; }));
        quietest.resize(std::max(quiet, (others_.size() + 2) / 3));
        chosen_ = quietest;
        std::fprintf(
            stderr,
            "%s: others had %.1f %% of the processors, in the worst round %.1f %%; %zu of %zu rounds dropped%s\n",
            task_.name().c_str(), 100 * median(others_), 100 * *std::max_element(others_.begin(), others_.end()),
            others_.size() - chosen_.size(), others_.size(), quiet < chosen_.size() ? ", disturbed all the same" : "");
    }

    /// The median over the chosen rounds.
    [[nodiscard]] double median_of(std::size_t contender, double cost::*what) const {
        std::vector<double> values;
        for (const std::size_t round : chosen_) values.push_back(taken_[contender][round].*what);
        return median(values);
    }
    [[nodiscard]] std::size_t rounds() const { return chosen_.size(); }

private:
    [[nodiscard]] cost measured(const contender& c, std::size_t operations) const {
        try {
            return c.measure(task_, operations);
        } catch (const std::exception& error) {
            throw std::runtime_error(task_.name() + ", " + c.name + ": " + error.what());
        }
    }

    task task_;
    const std::vector<contender>* contenders_;
    std::vector<std::size_t> operations_;   // per round and thread, for each contender
    std::vector<std::vector<cost>> taken_;  // for each contender, in each round
    std::vector<double> others_;            // their part of the processors, in each round
    std::vector<std::size_t> chosen_;       // rounds
};

// The command line, and what is printed

struct options {
    std::regex patterns{""};
    std::regex contenders{""};
    std::vector<std::size_t> threads{1, 2, 4, 16};
    int rounds = 20;
    double milliseconds = 50;  // a contender's turn in a round
    std::string csv;
};

options parse(std::span<char*> words) {
    options made;
    for (std::size_t i = 0; i < words.size(); i += 2) {
        const std::string name = words[i];
        if (i + 1 == words.size()) throw std::runtime_error(name + " is not followed by a value");
        const std::string value = words[i + 1];
        if (name == "--patterns") {
            made.patterns = value;
        } else if (name == "--contenders") {
            made.contenders = value;
        } else if (name == "--threads") {
            made.threads.clear();
            std::istringstream list(value);
            for (std::string number; std::getline(list, number, ',');) made.threads.push_back(std::stoul(number));
        } else if (name == "--rounds") {
            made.rounds = std::stoi(value);
        } else if (name == "--milliseconds") {
            made.milliseconds = std::stod(value);
        } else if (name == "--csv") {
            made.csv = value;
        } else {
            throw std::runtime_error(name +
                                     " is no option: --patterns REGEX, --contenders REGEX, --threads 1,2, --rounds N, "
                                     "--milliseconds N, --csv FILE");
        }
    }
    if (made.rounds < 1 || !(made.milliseconds > 0) || std::count(made.threads.begin(), made.threads.end(), 0U) != 0)
        throw std::runtime_error("rounds, milliseconds and threads are at least 1");
    return made;
}

std::vector<row> all_rows(const options& chosen, const std::vector<contender>& contenders) {
    std::vector<row> rows;
    for (const pattern& p : patterns) {
        if (!std::regex_search(p.name, chosen.patterns)) continue;
        for (const std::size_t threads : chosen.threads)
            if (threads % p.group == 0) rows.emplace_back(task{&p, threads}, contenders);
    }
    return rows;
}

/// Prints to standard error, if that is a terminal.
void say_progress(const std::string& what) {
    if (::isatty(STDERR_FILENO) != 0) std::fprintf(stderr, "\r%-60s", what.c_str());
}

void play_all(std::vector<row>& rows, const options& chosen) {
    std::mt19937 random(0);
    for (row& r : rows) {
        say_progress("calibrating " + r.of().name());
        r.calibrate(1e6 * chosen.milliseconds);
    }
    for (int round = 1; round <= chosen.rounds; ++round) {
        for (row& r : rows) {
            say_progress("round " + std::to_string(round) + " of " + std::to_string(chosen.rounds) + ", " +
                         r.of().name());
            r.play_round(random);
        }
    }
    say_progress("");
    for (row& r : rows) r.choose_rounds();
}

using cell_text = std::function<std::string(const row&, std::size_t column)>;

/// Prints Markdown.
void print_table(const std::vector<row>& rows, const std::string& corner, const std::vector<std::string>& columns,
                 const cell_text& text) {
    std::printf("| %s | threads |", corner.c_str());
    for (const std::string& column : columns) std::printf(" %s |", column.c_str());
    std::printf("\n|---|---:|");
    for (std::size_t i = 0; i < columns.size(); ++i) std::printf("---:|");
    for (const row& r : rows) {
        std::printf("\n| %s | %zu |", r.of().of->name, r.of().threads);
        for (std::size_t i = 0; i < columns.size(); ++i) std::printf(" %s |", text(r, i).c_str());
    }
    std::printf("\n\n");
}

std::string fixed(double value, int digits) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.*f", digits, value);
    return text.data();
}

/// Wall time, and processor time in brackets.
std::string both(const std::function<double(double cost::*)>& value, int digits) {
    return fixed(value(&cost::wall), digits) + " (" + fixed(value(&cost::processor), digits) + ")";
}

void print_costs(const std::vector<row>& rows, const std::vector<std::string>& names) {
    print_table(rows, "ns per pair: wall (processors)", names, [](const row& r, std::size_t contender) {
        return both([&](double cost::*what) { return r.median_of(contender, what); }, 1);
    });
}

void print_ratios(const std::vector<row>& rows, const std::vector<std::string>& names) {
    const auto place_of = [&](const char* name) {
        return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
    };
    const std::size_t ours = place_of("shared_pool");
    std::vector<std::size_t> peers;
    std::vector<std::string> columns;
    for (const char* const peer : {"operator_new", "mimalloc", "baseline"}) {
        if (ours == names.size() || place_of(peer) == names.size()) continue;
        peers.push_back(place_of(peer));
        columns.push_back("shared_pool / " + std::string(peer));
    }
    if (peers.empty()) return;
    print_table(rows, "ratio: wall (processors)", columns, [&](const row& r, std::size_t column) {
        return both([&](double cost::*what) { return r.median_of(ours, what) / r.median_of(peers[column], what); }, 2);
    });
}

/// Prints nothing if there were none.
void print_refusals(const std::vector<row>& rows, const std::vector<std::string>& names) {
    for (const row& r : rows) {
        for (std::size_t i = 0; i < names.size(); ++i) {
            const double refused = r.median_of(i, &cost::refused);
            if (refused == 0) continue;
            std::printf("%s, %s: %.3g allocations per pair were refused and tried again\n", r.of().name().c_str(),
                        names[i].c_str(), refused);
        }
    }
}

void write_csv(const std::string& name, const std::vector<row>& rows, const std::vector<std::string>& names) {
    std::ofstream file(name);
    file.precision(10);  // more than the tables have: whoever rounds these figures again gets the tables' figures
    file << "pattern,threads,contender,wall_ns,processor_ns,refused,rounds\n";
    for (const row& r : rows) {
        for (std::size_t i = 0; i < names.size(); ++i) {
            file << r.of().of->name << ',' << r.of().threads << ',' << names[i];
            for (double cost::*const what : {&cost::wall, &cost::processor, &cost::refused})
                file << ',' << r.median_of(i, what);
            file << ',' << r.rounds() << '\n';
        }
    }
    if (!file.flush()) throw std::runtime_error(name + " cannot be written");
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const options chosen = parse(std::span(argv, static_cast<std::size_t>(argc)).subspan(1));
        std::vector<contender> contenders = all_contenders();
        std::erase_if(contenders, [&](const contender& c) { return !std::regex_search(c.name, chosen.contenders); });
        std::vector<row> rows = all_rows(chosen, contenders);
        if (rows.empty() || contenders.empty()) throw std::runtime_error("no pattern or no contender has such a name");
        play_all(rows, chosen);

        std::vector<std::string> names(contenders.size());
        std::transform(contenders.begin(), contenders.end(), names.begin(), [](const contender& c) { return c.name; });
        print_costs(rows, names);
        print_ratios(rows, names);
        print_refusals(rows, names);
        if (!chosen.csv.empty()) write_csv(chosen.csv, rows, names);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "threads: %s\n", error.what());
        return 1;
    }
}
