// SPDX-License-Identifier: BSL-1.0
// Plays the same game of 50,000 objects on pools, on new and on vectors, in turns. Prints the frame times of each.
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../support/arguments.hpp"
#include "../support/line_plot.hpp"
#include "../support/output_file.hpp"
#include "../support/percentile.hpp"
#include "../system_policy.hpp"
#include "draw_list.hpp"
#include "game.hpp"
#include "window.hpp"

namespace {

constexpr double frames_a_second = 60;

struct contender {
    std::string name;
    std::string how;
    std::unique_ptr<game> played;
    std::vector<double> times{};  // ms, of each measured frame
};

struct setup {
    std::size_t objects, frames, rounds;
};

std::vector<contender> contenders(const std::string& chosen, std::size_t objects) {
    std::vector<contender> all;
    const auto add = [&](const char* name, const char* how, std::unique_ptr<game> (*make)(std::size_t)) {
        if (chosen == "all" || chosen == name) all.push_back({name, how, make(objects)});
    };
    add("new", "new, pointers in a vector", new_game);
    add("blocks", "pools, handles in a vector", block_game);
    add("for_each", "pools, visited by for_each", for_each_game);
    add("pools", "pools, and a bit per block", pool_game);
    add("vector", "vectors of the objects", vector_game);
    return all;
}

/// Throws: std::runtime_error if two contenders did not play the same game.
void compare_checksums(std::vector<contender>& all) {
    const std::uint64_t first = all.front().played->checksum();
    for (contender& other : all) {
        const std::uint64_t sum = other.played->checksum();
        if (sum == first) continue;
        std::array<char, 160> text{};
        std::snprintf(text.data(), text.size(),
                      "the games differ: the checksum of %s is %016llx, that of %s is %016llx",
                      all.front().name.c_str(), static_cast<unsigned long long>(first), other.name.c_str(),
                      static_cast<unsigned long long>(sum));
        throw std::runtime_error(text.data());
    }
}

class match {
public:
    match(setup how, std::vector<contender>& all, window* screen) : how_(how), all_(all), screen_(screen) {}

    /// Plays rounds. In each, all contenders play on, and each round begins with another one. The first round fills the
    /// world, and is not counted. Returns the number of complete rounds: fewer than asked for if the user left.
    std::size_t play() {
        for (std::size_t round = 0; round <= how_.rounds; ++round) {
            for (std::size_t turn = 0; turn < all_.size(); ++turn) {
                if (!play_turn(all_[(round + turn) % all_.size()], round > 0)) return round == 0 ? 0 : round - 1;
            }
            compare_checksums(all_);
        }
        return how_.rounds;
    }

    [[nodiscard]] const draw_list& last_frame() const { return frame_; }
    [[nodiscard]] double mean_live() const { return live_ / static_cast<double>(frames_); }

private:
    bool play_turn(contender& one, bool counts) {
        using clock = std::chrono::steady_clock;
        for (std::size_t i = 0; i < how_.frames; ++i) {
            const clock::time_point start = clock::now();
            one.played->play_frame(frame_);
            const std::chrono::duration<double, std::milli> taken = clock::now() - start;
            if (counts) {
                one.times.push_back(taken.count());
                live_ += static_cast<double>(one.played->live());
                ++frames_;
            }
            if (screen_ != nullptr && !screen_->show(frame_, title(one, taken.count()))) return false;
        }
        return true;
    }

    static std::string title(const contender& one, double milliseconds) {
        char text[120];
        std::snprintf(text, sizeof text, "bullets: %s, %zu objects, %.2f ms a frame", one.name.c_str(),
                      one.played->live(), milliseconds);
        return text;
    }

    setup how_;
    std::vector<contender>& all_;
    window* screen_;  // nullptr: no window
    draw_list frame_;
    double live_ = 0;
    std::size_t frames_ = 0;
};

/// The contender's percentile relative to the other's in the same round: the median of all rounds.
double ratio(const contender& one, const contender& other, std::size_t frames, double percent) {
    std::vector<double> ratios;
    for (std::size_t at = 0; at < one.times.size(); at += frames) {
        const auto of_round = [&](const contender& c) {
            const auto begin = c.times.begin() + static_cast<std::ptrdiff_t>(at);
            std::vector<double> times(begin, begin + static_cast<std::ptrdiff_t>(frames));
            return percentile(times, percent);
        };
        ratios.push_back(of_round(one) / of_round(other));
    }
    return percentile(ratios, 50);
}

/// The sum over all kinds.
std::uint64_t total(const std::array<std::uint64_t, kinds>& counts) {
    return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

void print(const setup& how, std::vector<contender>& all, double mean_live) {
    const world_counts& counts = all.front().played->counts();
    const std::size_t frames = all.front().times.size();
    std::printf("%.0f objects live in a frame, %zu at most. %.0f are spawned in a frame, and about as many die.\n",
                mean_live, all.front().played->budget(),
                static_cast<double>(total(counts.spawned)) / static_cast<double>(counts.frames));
    std::printf("%zu frames each, %zu at a time, in turns: %.0f s of the game.\n\n", frames, how.frames,
                static_cast<double>(frames) / frames_a_second);
    const contender& first = all.front();
    std::printf("%-38s |      a frame's time, ms, percentile  | ratio to %s\n", "", first.name.c_str());
    std::puts("contender                              |     50 %     99 %   99.9 %      most |  50 %    99 %");
    std::puts("---------------------------------------+--------------------------------------+---------------");
    for (contender& one : all) {
        std::vector<double> times = one.times;
        std::printf("%-8s %-29s | %8.3f %8.3f %8.3f  %8.3f | %5.2f  %6.2f\n", one.name.c_str(), one.how.c_str(),
                    percentile(times, 50), percentile(times, 99), percentile(times, 99.9), percentile(times, 100),
                    ratio(one, first, how.frames, 50), ratio(one, first, how.frames, 99));
    }
    for (contender& one : all) {
        if (one.name == "pools") one.played->print_pools();
    }
    std::printf("\n%llu spawns were dropped: their kind's budget was spent.\n",
                static_cast<unsigned long long>(total(counts.dropped)));
    std::printf("%llu handles were looked up. The objects of %llu of them were gone.\n",
                static_cast<unsigned long long>(counts.asked), static_cast<unsigned long long>(counts.gone));
    std::printf("checksum %016llx%s\n", static_cast<unsigned long long>(first.played->checksum()),
                all.size() > 1 ? ", the same for all contenders after each round" : "");
}

/// Each point is the median of neighbouring frames, so that each line has some 400 points.
void save_plot(const std::vector<contender>& all, output_file& file) {
    std::vector<plot_series> lines;
    for (const contender& one : all) {
        plot_series line{one.name, {}};
        const std::size_t step = one.times.size() / 400 + 1;
        for (std::size_t at = 0; at + step <= one.times.size(); at += step) {
            const auto begin = one.times.begin() + static_cast<std::ptrdiff_t>(at);
            std::vector<double> times(begin, begin + static_cast<std::ptrdiff_t>(step));
            line.points.emplace_back(static_cast<double>(at) / frames_a_second, percentile(times, 50));
        }
        lines.push_back(std::move(line));
    }
    file.write(
        line_plot({.title = "What a frame of the same game takes", .x_axis = "time in the game, s", .y_axis = "ms"},
                  std::move(lines))
            .svg());
    file.close();
}

std::unique_ptr<window> open_window(bool headless) {
    if (headless) return nullptr;
    try {
        auto screen = std::make_unique<window>();
        std::puts("The window shows the game. Escape leaves it.");
        std::fflush(stdout);
        return screen;
    } catch (const no_display& reason) {
        std::printf("no display: %s, so headless\n", reason.what());
        return nullptr;
    }
}

struct request {
    setup how;
    std::string chosen, plot, picture;
    bool headless, kills_twice;
};

request parse(int argc, char** argv) {
    arguments given(
        argc, argv, "bullets",
        "[--headless] [--contender all|new|blocks|for_each|pools|vector] [--objects N] [--frames N] [--rounds N]\n"
        "               [--plot FILE.svg] [--picture FILE.bmp] [--kill-twice]");
    request asked{};
    asked.headless = given.flag("--headless");
    asked.kills_twice = given.flag("--kill-twice");
    asked.chosen = given.choice("--contender", asked.kills_twice ? "pools" : "all",
                                {"all", "new", "blocks", "for_each", "pools", "vector"});
    asked.how.objects = static_cast<std::size_t>(given.number("--objects", 50'000, 200, 1'000'000));
    asked.how.frames = static_cast<std::size_t>(given.number("--frames", 120, 1, 100'000));
    asked.how.rounds = static_cast<std::size_t>(given.number("--rounds", 20, 1, 10'000));
    asked.plot = given.text("--plot", "");
    asked.picture = given.text("--picture", "");
    given.finish();
    if (asked.kills_twice && asked.chosen != "pools")
        given.refuse("--kill-twice is for --contender pools: without their checks, it does anything at all");
    return asked;
}

/// Opened before the game begins, so that an error is reported at once.
std::unique_ptr<output_file> open_file(const std::string& path) {
    return path.empty() ? nullptr : std::make_unique<output_file>(path);
}

void run(const request& asked) {
    const std::unique_ptr<output_file> plot = open_file(asked.plot);
    const std::unique_ptr<output_file> picture = open_file(asked.picture);
    const std::unique_ptr<window> screen = open_window(asked.headless);
    std::vector<contender> all = contenders(asked.chosen, asked.how.objects);
    match played(asked.how, all, screen.get());
    const std::size_t rounds = played.play();
    if (asked.kills_twice) all.front().played->kill_twice();
    if (rounds == 0) {
        std::puts("You left before the first round was whole.");
        return;
    }
    for (contender& one : all) one.times.resize(rounds * asked.how.frames);
    print(asked.how, all, played.mean_live());
    if (std::fflush(stdout) != 0) throw std::runtime_error("standard output cannot be written");
    if (plot != nullptr) save_plot(all, *plot);
    if (picture != nullptr) save_picture(played.last_frame(), *picture);
}

}  // namespace

int main(int argc, char** argv) {
    const request asked = parse(argc, argv);
    set_system_policy(true);  // operator new keeps its memory, as pools do
    try {
        run(asked);
        if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
            throw std::runtime_error("standard output cannot be written");
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bullets: %s\n", error.what());
        return 1;
    }
}
