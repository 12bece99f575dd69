// SPDX-License-Identifier: BSL-1.0
// latency: how long a single release and allocation take, at mixed sizes. Prints percentiles as comma-separated values.
// README.md says how to read them.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "contender.hpp"
#include "private_library.hpp"
#include "workload.hpp"

namespace {

constexpr std::array<std::size_t, 6> sizes = {8, 16, 24, 64, 256, 4096};  // bytes
constexpr std::size_t slots = 16'384;                                     // all full
constexpr std::size_t pairs_a_turn = 262'144;

/// A clock for tens of nanoseconds: on x86-64 the processor's counter.
class stopwatch {
public:
    /// The time in ticks, once all earlier instructions are done.
    [[nodiscard]] static std::uint64_t now() {
#if defined(__x86_64__)
        __builtin_ia32_lfence();
        const std::uint64_t ticks = __builtin_ia32_rdtsc();
        __builtin_ia32_lfence();
        return ticks;
#else
        return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
    }

    /// Median number of ticks between two readings. Every measured time includes them.
    [[nodiscard]] static std::uint64_t own_ticks() {
        std::vector<std::uint64_t> ticks(10'001);
        for (std::uint64_t& t : ticks) {
            const std::uint64_t start = now();
            t = now() - start;
        }
        std::nth_element(ticks.begin(), ticks.begin() + 5'000, ticks.end());
        return ticks[5'000];
    }

    /// Many clocks advance in steps. Returns the step in ticks: shorter times are not seen.
    [[nodiscard]] static std::uint64_t step() {
        std::uint64_t divisor = 0;
        std::uint64_t last = now();
        for (int i = 0; i < 10'000; ++i) {
            const std::uint64_t next = now();
            divisor = std::gcd(divisor, next - last);
            last = next;
        }
        return divisor;
    }

    /// Nanoseconds per tick, measured over 50 ms.
    [[nodiscard]] static double tick() {
        using clock = std::chrono::steady_clock;
        const clock::time_point start = clock::now();
        const std::uint64_t first = now();
        while (clock::now() - start < std::chrono::milliseconds(50)) {
        }
        const std::uint64_t last = now();
        return std::chrono::duration<double, std::nano>(clock::now() - start).count() /
               static_cast<double>(last - first);
    }
};

/// A contender: its blocks, and the time of each pair.
struct racer {
    std::string name;
    std::function<void(racer&)> run;     // one turn
    std::vector<std::uint32_t> ticks{};  // per pair
};

/// Does nothing. What remains is the clock and the loop.
class no_memory {
public:
    explicit no_memory(const workload& w) : block_(w.block_size) {}
    void* allocate() { return block_.data(); }
    void deallocate(void*) {}

private:
    std::vector<std::byte> block_;
};

/// One `Memory` per size, and the live blocks.
template <class Memory> class mixture {
public:
    template <class... From> explicit mixture(const From&... from) {
        for (const std::size_t size : sizes)
            memories_.push_back(std::make_unique<Memory>(workload{size, slots, slots + 1, {}}, from...));
        for (block& b : blocks_) b = allocate();
    }
    mixture(const mixture&) = delete;
    mixture& operator=(const mixture&) = delete;
    ~mixture() {
        for (const block& b : blocks_) memories_[b.size]->deallocate(b.address);
    }

    /// Replaces random blocks by blocks of a random size, and records how long each pair takes.
    void run(std::vector<std::uint32_t>& ticks) {
        constexpr std::size_t warm_up = 2 * slots;  // the caches hold another contender's data
        for (std::size_t i = 0; i < warm_up + pairs_a_turn; ++i) {
            block& b = blocks_[random_() % slots];
            const std::size_t size = random_() % sizes.size();
            Memory& from = *memories_[b.size];
            Memory& to = *memories_[size];
            const std::uint64_t start = stopwatch::now();
            from.deallocate(b.address);
            b.address = to.allocate();
            const std::uint64_t taken = stopwatch::now() - start;
            *static_cast<std::uint64_t*>(b.address) = size;  // not timed: the first use is the program's
            if (i >= warm_up) ticks.push_back(static_cast<std::uint32_t>(std::min<std::uint64_t>(taken, UINT32_MAX)));
            b.size = size;
        }
    }

private:
    struct block {
        void* address;
        std::size_t size;  // its index among the sizes
    };

    block allocate() {
        const std::size_t size = random_() % sizes.size();
        return {memories_[size]->allocate(), size};
    }

    std::mt19937 random_{0};
    std::vector<std::unique_ptr<Memory>> memories_;
    std::vector<block> blocks_ = std::vector<block>(slots);
};

template <class Memory, class... From> racer make_racer(const std::string& name, const From&... from) {
    const auto blocks = std::make_shared<mixture<Memory>>(from...);
    return {name, [blocks](racer& r) { blocks->run(r.ticks); }};
}

void race(std::vector<racer>& racers, int rounds) {
    for (racer& r : racers) r.ticks.reserve(static_cast<std::size_t>(rounds + 1) * pairs_a_turn);
    for (int round = 0; round <= rounds; ++round) {
        std::fprintf(stderr, "\rlatency: round %d of %d", round, rounds);
        for (std::size_t turn = 0; turn < racers.size(); ++turn) {
            racer& r = racers[(turn + static_cast<std::size_t>(round)) % racers.size()];
            r.run(r);
            if (round == 0) r.ticks.clear();  // not counted: it faults memory in
        }
    }
    std::fputc('\n', stderr);
}

void print(std::vector<racer>& racers) {
    const double tick = stopwatch::tick();
    const auto own_ticks = static_cast<double>(stopwatch::own_ticks());
    std::puts("contender,pairs,p50,p90,p99,p99.9,p99.99");
    for (racer& r : racers) {
        std::sort(r.ticks.begin(), r.ticks.end());
        std::printf("%s,%zu", r.name.c_str(), r.ticks.size());
        for (const double part : {0.5, 0.9, 0.99, 0.999, 0.9999}) {
            const double ticks = r.ticks[static_cast<std::size_t>(part * static_cast<double>(r.ticks.size() - 1))];
            std::printf(",%.1f", tick * std::max(ticks - own_ticks, 0.0));
        }
        std::putchar('\n');
    }
    const double step = tick * static_cast<double>(stopwatch::step());
    std::printf("clock_step,0,%.2f,%.2f,%.2f,%.2f,%.2f\n", step, step, step, step, step);
}

}  // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 30;
    const bool keeps = argc > 2 && std::string_view(argv[2]) == "--keeping";
    if (rounds < 1 || argc > 2 + keeps) {
        std::fputs(
            "usage: latency [ROUNDS [--keeping]]   nanoseconds of a release and an allocation, percentiles\n"
            "  --keeping   glibc keeps its memory, instead of giving it back to the system\n",
            stderr);
        return 1;
    }
    try {
        const std::vector<named_library> libraries = load_libraries();
        std::vector<racer> racers;
        racers.push_back(make_racer<no_memory>("floor"));
        racers.push_back(make_racer<pool_memory<checking::checked>>("checked"));
        racers.push_back(make_racer<pool_memory<checking::unchecked>>("unchecked"));
        racers.push_back(keeps ? make_racer<system_memory<true>>("operator_new_keeping")
                               : make_racer<system_memory<false>>("operator_new"));
        for (const auto& [name, library] : libraries) racers.push_back(make_racer<library_memory>(name, library));
#if defined(FIXPOOL_BENCH_BOOST)
        racers.push_back(make_racer<boost_memory>("boost"));
#endif
#if defined(FIXPOOL_BENCH_FOONATHAN)
        racers.push_back(make_racer<foonathan_memory>("foonathan"));
#endif
        racers.push_back(make_racer<pmr_memory>("pmr"));
        race(racers, rounds);
        print(racers);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "latency: %s\n", error.what());
        return 1;
    }
}
