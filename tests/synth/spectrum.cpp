// SPDX-License-Identifier: BSL-1.0
// Finds what is heard in a WAV file of the synthesiser. `spectrum FILE KEY...`: a held chord of these keys at their
// levels, and no others. `spectrum FILE`: music without clicks.
#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <numbers>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr double rate = 48'000;
constexpr double two_pi = 2 * std::numbers::pi;
int failures = 0;

void check(bool holds, const std::string& what) {
    if (holds) return;
    std::printf("not so: %s\n", what.c_str());
    ++failures;
}

unsigned number(std::string_view bytes, std::size_t at, unsigned size) {
    unsigned value = 0;
    for (unsigned i = 0; i < size; ++i)
        value |= static_cast<unsigned>(static_cast<unsigned char>(bytes[at + i])) << 8 * i;
    return value;
}

/// The samples of a file of one channel with 16 bits, from -1 to 1.
std::vector<double> load(const char* path) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (bytes.size() <= 44) throw std::runtime_error("there is no sound in the file");
    check(bytes.substr(0, 4) == "RIFF" && number(bytes, 4, 4) == bytes.size() - 8, "a RIFF file of that size");
    check(bytes.substr(8, 8) == "WAVEfmt " && number(bytes, 16, 4) == 16 && number(bytes, 20, 2) == 1,
          "WAV, of integers");
    check(number(bytes, 22, 2) == 1 && number(bytes, 32, 2) == 2 && number(bytes, 34, 2) == 16,
          "one channel of 16 bits");
    check(number(bytes, 24, 4) == 48'000 && number(bytes, 28, 4) == 96'000, "48 kHz");
    check(bytes.substr(36, 4) == "data" && number(bytes, 40, 4) == bytes.size() - 44, "all of it is samples");
    std::vector<double> samples;
    for (std::size_t at = 44; at + 1 < bytes.size(); at += 2) {
        samples.push_back(static_cast<std::int16_t>(number(bytes, at, 2)) / 32767.0);
    }
    return samples;
}

/// The amplitude of a sine of that frequency, for one second from sample `first` on. Goertzel's algorithm in a Hann
/// window, which ignores what is 4 Hz away.
double amplitude(const std::vector<double>& samples, std::size_t first, double frequency) {
    const auto count = static_cast<std::size_t>(rate);
    const double turn = two_pi * frequency / rate;
    double now = 0;
    double before = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const double window = 1 - std::cos(two_pi * static_cast<double>(i) / rate);
        const double next = samples[first + i] * window + 2 * std::cos(turn) * now - before;
        before = now;
        now = next;
    }
    return 2 * std::abs(now - before * std::polar(1.0, -turn)) / rate;
}

double decibels(double ratio) { return 20 * std::log10(std::max(ratio, 1e-9)); }
double frequency_of(int key) { return 440 * std::exp2((key - 69) / 12.0); }

/// How loud overtone `n` of a held key is by design: velocity and headroom, sustain, wave, filter, echo.
double expected(int key, int n) {
    const double frequency = n * frequency_of(key);
    const double cutoff = std::min(8 * frequency_of(key), .45 * rate);
    const double filter = std::tan(two_pi / 2 * frequency / rate) / std::tan(two_pi / 2 * cutoff / rate);
    const double echo = std::abs(1.0 + .3 * std::polar(1.0, -two_pi * frequency / rate * 480));
    const double wave = n == 1 ? 1 : n == 2 ? .5 : .25;
    return 100 / 127.0 / 20 * .6 * wave / std::sqrt(1 + std::pow(filter, 4)) * echo;
}

/// The chord sounds from the beginning, and for more than two seconds.
void hear_chord(const std::vector<double>& samples, const std::vector<int>& keys) {
    constexpr std::size_t held = 48'000;
    std::vector<double> partials;
    for (const int key : keys) {
        for (int n = 1; n <= 3; ++n) {
            partials.push_back(n * frequency_of(key));
            const double level = decibels(amplitude(samples, held, partials.back()));
            const double wanted = decibels(expected(key, n));
            std::printf("key %d, partial %d: %8.2f Hz  %6.2f dB, expected %6.2f dB\n", key, n, partials.back(), level,
                        wanted);
            check(std::abs(level - wanted) < .2, "the partial is as loud as it has to be");
        }
    }
    double loudest = 0;
    for (int key = 21; key <= 108; ++key) {
        const double frequency = frequency_of(key);
        const bool is_played = std::any_of(partials.begin(), partials.end(),
                                           [&](double partial) { return std::abs(partial - frequency) < 4; });
        if (!is_played) loudest = std::max(loudest, amplitude(samples, held, frequency));
    }
    std::printf("the loudest of the other keys: %.2f dB\n", decibels(loudest));
    check(decibels(loudest) < -80, "no other key sounds");
    check(std::all_of(samples.end() - 4800, samples.end(), [](double s) { return s == 0; }), "the chord has faded out");
}

/// A click has high frequencies, which the notes do not have. Differences of the fourth order show them.
void hear_clicks(const std::vector<double>& s) {
    double loudest = 0;
    double click = 0;
    for (std::size_t i = 4; i < s.size(); ++i) {
        loudest = std::max(loudest, std::abs(s[i]));
        click = std::max(click, std::abs(s[i] - 4 * s[i - 1] + 6 * s[i - 2] - 4 * s[i - 3] + s[i - 4]));
    }
    std::printf("%.1f s; peak %.2f dB; the largest difference of the fourth order: %.5f\n",
                static_cast<double>(s.size()) / rate, decibels(loudest), click);
    check(loudest > .1, "something is heard");
    check(loudest < .999, "nothing is clipped");
    check(click < .012, "nothing clicks");
}

}  // namespace

int main(int argc, char** argv) {
    try {
        if (argc < 2) throw std::runtime_error("usage: spectrum FILE [KEY...]");
        const std::vector<double> samples = load(argv[1]);
        std::vector<int> keys;
        std::transform(argv + 2, argv + argc, std::back_inserter(keys),
                       [](const char* word) { return std::atoi(word); });
        if (!keys.empty()) hear_chord(samples, keys);
        hear_clicks(samples);
    } catch (const std::exception& error) {
        std::printf("spectrum: %s\n", error.what());
        return 1;
    }
    return failures == 0 ? 0 : 1;
}
