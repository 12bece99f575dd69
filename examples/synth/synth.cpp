// SPDX-License-Identifier: BSL-1.0
// A synthesiser of 64 voices. It proves that its audio callbacks neither call the system nor cause page faults. It
// compares a pool with other memories for voices, and writes the music to a WAV file.
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "../support/arguments.hpp"
#include "../support/line_plot.hpp"
#include "../support/output_file.hpp"
#include "../support/percentile.hpp"
#include "contender.hpp"
#include "performance.hpp"
#include "score.hpp"
#include "studio.hpp"
#include "voice.hpp"

namespace {

/// Parses "57,61,64" as keys.
std::vector<std::uint8_t> keys_in(const std::string& list, const arguments& given) {
    std::vector<std::uint8_t> keys;
    const char* const end = list.data() + list.size();
    for (const char* at = list.data(); at < end;) {
        std::uint8_t key = 0;
        const auto [behind, error] = std::from_chars(at, end, key);
        if (error != std::errc() || key < 21 || key > 108 || (behind != end && (*behind != ',' || behind + 1 == end))) {
            given.refuse("--notes wants keys from 21 to 108, as in 57,61,64, not \"" + list + '"');
        }
        keys.push_back(key);
        at = behind + 1;
    }
    if (keys.size() > 16) given.refuse("--notes wants at most 16 keys");
    return keys;
}

double microseconds(std::uint32_t ticks, const performance& how) { return ticks * how.nanoseconds_per_tick / 1000; }

std::vector<double> times_of(const contender& one, const performance& how) {
    std::vector<double> times;
    times.reserve(one.best.size());
    for (const std::uint32_t ticks : one.best) times.push_back(microseconds(ticks, how));
    return times;
}

void print_times(const std::vector<contender>& all, const performance& how, long rounds) {
    constexpr double deadline = 1e6 * block_frames / sample_rate;  // us
    std::printf(
        "\n                      us per callback, in its fastest of %ld rounds     share of     slowest in any\n",
        rounds);
    std::printf("voices in              median      99 %%    99.9 %%   slowest  %5.0f us  round, us   faults%s\n",
                deadline, how.is_paced ? "    late" : "");
    for (const contender& one : all) {
        std::vector<double> times = times_of(one, how);
        const double slowest = percentile(times, 100);
        std::printf("%-20s %8.2f  %8.2f  %8.2f  %8.2f  %6.1f %%  %9.1f  %7ld", one.title, percentile(times, 50),
                    percentile(times, 99), percentile(times, 99.9), slowest, 100 * slowest / deadline,
                    microseconds(one.worst, how), one.faults);
        if (how.is_paced) std::printf("  %6u", one.missed);
        std::puts("");
    }
}

/// Draws the first twelve seconds. If the filter killed some voices, their line ends there.
void draw(const std::string& path, const std::vector<contender>& all, const performance& how) {
    constexpr std::size_t shown = 9000;  // callbacks
    constexpr std::size_t group = 10;    // callbacks per point: their slowest
    std::vector<plot_series> lines;
    for (const contender& one : all) {
        const std::size_t end = std::min({shown, one.best.size(), one.survived});
        plot_series line{one.title, {}};
        for (std::size_t i = 0; i < end; i += group) {
            const auto first = one.best.begin() + static_cast<std::ptrdiff_t>(i);
            const auto last = first + static_cast<std::ptrdiff_t>(std::min(group, end - i));
            line.points.emplace_back(static_cast<double>(i * block_frames) / sample_rate,
                                     microseconds(*std::max_element(first, last), how));
        }
        lines.push_back(std::move(line));
    }
    if (lines.size() == 4)
        std::rotate(lines.begin(), lines.begin() + 1, lines.end() - 1);  // the pool's line lies over the others
    const auto killed =
        std::find_if(all.begin(), all.end(), [](const auto& one) { return one.survived < one.best.size(); });
    const std::string title =
        "Audio callbacks have 1,333 µs" +
        (killed == all.end() ? "" : "; " + std::string(killed->title) + " is killed at its first system call");
    output_file file(path);
    file.write(line_plot({title, "seconds of music", "µs per callback"}, std::move(lines)).svg());
    file.close();
}

int run(arguments& given) {
    performance how;
    how.callbacks = static_cast<std::uint32_t>(given.number("--callbacks", 100'000, 100, 1'000'000));
    const long rounds = given.number("--rounds", 5, 0, 100);
    const std::string memory = given.choice("--memory", "all", {"pools", "array", "tuned", "new", "all"});
    const std::string deed = given.choice("--break", "nothing", {"nothing", "write", "new", "fault"});
    const std::string notes = given.text("--notes", "");
    const std::string wav = given.text("--wav", "");
    const std::string plot = given.text("--plot", "");
    how.is_paced = given.flag("--paced");
    given.finish();
    for (const std::string& path : {wav, plot}) {  // errors in writing are reported at once
        if (!path.empty()) output_file(path).close();
    }
    const score events = notes.empty() ? random_score(how.callbacks) : chord(keys_in(notes, given), how.callbacks);
    how.notes = &events;
    how.deed = deed == "write"   ? misdeed::write
               : deed == "new"   ? misdeed::allocate
               : deed == "fault" ? misdeed::fault
                                 : misdeed::none;
    how.nanoseconds_per_tick = counter_clock::nanoseconds_per_tick();

    std::printf("%s callbacks of %zu frames, %.1f s at 48 kHz%s; %zu voices of %zu bytes\n",
                grouped(how.callbacks).c_str(), block_frames,
                static_cast<double>(how.callbacks) * block_frames / sample_rate, how.is_paced ? ", paced" : "",
                polyphony, sizeof(voice));
    std::vector<contender> all = contenders_of(memory);
    studio here(how, wav);
    std::printf("\nvoices in             under a filter that kills on %s   page faults\n",
                how.is_paced ? "all but clock_nanosleep" : "any system call");
    for (contender& one : all) here.prove(one);
    const recording_head& said = here.last().head();
    std::printf("\nmemory %s; scheduled %s\n", said.memory.data(), said.priority.data());
    bool failed = false;
    for (const contender& one : all) {
        if (one.is_clean || (one.option != "pools" && one.option != "array")) continue;
        std::fprintf(stderr,
                     "synth: %s: the callbacks are not real-time: they called the system, faulted, or kept voices\n",
                     one.title);
        failed = true;
    }
    if (how.deed != misdeed::none) return failed ? 1 : 0;

    for (long round = 0; round < rounds; ++round) {
        for (std::size_t turn = 0; turn < all.size(); ++turn) {
            here.measure(all[(static_cast<std::size_t>(round) + turn) % all.size()]);
        }
    }
    if (rounds > 0) print_times(all, how, rounds);
    if (rounds > 0 && !plot.empty()) draw(plot, all, how);

    if (!here.has_played()) throw std::runtime_error("no performance came to its end, so nothing is recorded");
    const tally& counted = here.counted();
    std::printf("\n%s notes, %zu voices at once at most, %s stolen", grouped(counted.started).c_str(), counted.peak,
                grouped(counted.stolen).c_str());
    std::printf(counted.stolen == counted.refused ? ", as many as the memory refused" : "; the memory refused %zu",
                counted.refused);
    std::printf(". Voices left: %zu\n", counted.left);
    std::printf("All performances sound alike, to the last bit. Samples clipped: %u\n", counted.clipped);
    if (!wav.empty()) {
        std::printf("%s: %.1f s\n", wav.c_str(), static_cast<double>(how.callbacks) * block_frames / sample_rate);
    }
    return failed || counted.clipped != 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
    arguments given(argc, argv, "synth",
                    "[--callbacks N] [--rounds N] [--memory pools|array|tuned|new|all] [--notes KEY,KEY...] [--paced] "
                    "[--wav FILE] [--plot FILE] [--break write|new|fault]");
    try {
        const int status = run(given);
        if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
            throw std::runtime_error("standard output cannot be written");
        return status;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "synth: %s\n", error.what());
        return 1;
    }
}
