// SPDX-License-Identifier: BSL-1.0
// suite: time of recorded programs and of synthetic loads, through pools of one thread and through their peers. README.md
// says how to read it.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "../examples/trace.hpp"
#include "contender.hpp"
#include "workload.hpp"

namespace {

constexpr std::size_t fewest_records = 4096;  // per pass; shorter workloads are repeated

/// Hides where a pointer comes from. The compiler then keeps its target in memory, as in a program.
template <class T> T* opaque(T* pointer) {
    benchmark::DoNotOptimize(pointer);
    return pointer;
}

/// Plays one pass. Returns the sum of the numbers in the released blocks.
template <class Contender>
[[gnu::noinline]] std::uint64_t play(Contender* contender, std::span<const std::uint32_t> records,
                                     typename Contender::slot* slots) {
    std::uint64_t sum = 0;
    for (const std::uint32_t record : records) {
        const std::uint32_t slot = record & ~trace::release_bit;
        if (slot == record) {
            contender->put(slots[slot], slot);
        } else {
            sum += contender->take(slots[slot]);
        }
    }
    return sum;
}

/// The sum that `play` must return.
std::uint64_t sum_of_released(std::span<const std::uint32_t> records) {
    std::uint64_t sum = 0;
    for (const std::uint32_t record : records)
        if ((record & trace::release_bit) != 0) sum += record & ~trace::release_bit;
    return sum;
}

template <class Contender, class... From> void run(benchmark::State& state, const workload& w, const From&... from) {
    set_system_policy(false);  // for the memory of this program's own data, too
    const auto contender = std::make_unique<Contender>(w, from...);
    std::vector<typename Contender::slot> slots(w.slots);
    const std::uint64_t expected = sum_of_released(w.records);
    for (std::size_t pass = 0; pass < w.passes_before; ++pass)  // faults memory in, and mixes free lists
        play(opaque(contender.get()), w.records, slots.data());
    for (auto _ : state) {
        if (play(opaque(contender.get()), w.records, slots.data()) != expected) {
            state.SkipWithError("a block changed");
            break;
        }
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(w.records.size()));
}

/// A workload that is made when it is first played. Most runs play only a few.
class lazy_workload {
public:
    explicit lazy_workload(std::function<workload()> make) : make_(std::move(make)) {}
    const workload& get() {
        if (!made_) {
            made_ = make_();
            const std::vector<std::uint32_t> once = made_->records;
            while (made_->records.size() < fewest_records)
                made_->records.insert(made_->records.end(), once.begin(), once.end());
        }
        return *made_;
    }

private:
    std::function<workload()> make_;
    std::optional<workload> made_;
};

/// Registers one workload for all contenders.
class registrar {
public:
    explicit registrar(const std::vector<named_library>& libraries) : libraries_(&libraries) {}

    void add(const std::string& name, std::size_t block_size, std::function<workload()> make) {
        name_ = name;
        workload_ = std::make_shared<lazy_workload>(std::move(make));
        add_contender<floor_of_all>("floor");
        add_contender<raw<pool_memory<checking::checked>>>("checked");
        add_contender<raw<pool_memory<checking::unchecked>>>("unchecked");
        add_contender<carried>("carried");
        add_contender<raw<system_memory<false>>>("operator_new");
        add_contender<raw<system_memory<true>>>("operator_new_keeping");
        for (const auto& [library_name, library] : *libraries_)
            add_contender<raw<library_memory>>(library_name, library);
#if defined(FIXPOOL_BENCH_BOOST)
        add_contender<raw<boost_memory>>("boost");
#endif
#if defined(FIXPOOL_BENCH_FOONATHAN)
        add_contender<raw<foonathan_memory>>("foonathan");
#endif
        add_contender<raw<pmr_memory>>("pmr");
        add_typed<8, 16, 24, 32, 64, 128, 256, 272, 288, 4096>(block_size);
    }

private:
    template <class Contender, class... From> void add_contender(const std::string& contender, const From&... from) {
        const auto play_it = [lazy = workload_, &from...](benchmark::State& state) {
            run<Contender>(state, lazy->get(), from...);
        };
        benchmark::RegisterBenchmark((name_ + "/" + contender).c_str(), play_it)->UseRealTime();
    }

    /// Adds the contenders whose block size is a template argument.
    template <std::size_t... Sizes> void add_typed(std::size_t block_size) {
        const auto add_size = [&]<std::size_t Size>(std::integral_constant<std::size_t, Size>) {
            if (Size != block_size) return;
            add_contender<typed<Size, checking::checked>>("typed_pool");
            add_contender<typed<Size, checking::unchecked>>("unchecked_typed_pool");
            add_contender<unique<Size>>("make_unique");
        };
        (add_size(std::integral_constant<std::size_t, Sizes>()), ...);
    }

    const std::vector<named_library>* libraries_;
    std::string name_;
    std::shared_ptr<lazy_workload> workload_;
};

/// Names of caches, and how many bytes of blocks and of their pointers are live: half of the cache. For `none`, one and
/// a half of the largest cache.
std::vector<std::pair<std::string, std::size_t>> live_sets() {
    std::size_t size[4] = {0, 32 << 10, 512 << 10, 16 << 20};  // bytes, if the system does not tell
    for (const auto& cache : benchmark::CPUInfo::Get().caches)
        if (cache.type != "Instruction" && cache.level < 4) size[cache.level] = static_cast<std::size_t>(cache.size);
    return {{"L1", size[1] / 2}, {"L2", size[2] / 2}, {"L3", size[3] / 2}, {"none", size[3] / 2 * 3}};
}

void add_made(registrar& all) {
    for (const std::size_t block_size : {8U, 16U, 24U, 64U, 256U, 4096U}) {
        all.add("pair/" + std::to_string(block_size), block_size, [=] { return workload_maker::pair(block_size); });
        for (const auto& [live_set, bytes] : live_sets()) {
            const workload_maker maker(block_size, bytes / (block_size + sizeof(void*)));
            const std::string tail = std::to_string(block_size) + "/" + live_set;
            all.add("lifo/" + tail, block_size, [=] { return maker.lifo(); });
            all.add("fifo/" + tail, block_size, [=] { return maker.fifo(); });
            all.add("shuffled/" + tail, block_size, [=] { return maker.shuffled(); });
            all.add("churn/" + tail, block_size, [=] { return maker.churn(); });
        }
    }
}

/// A recorded workload. What the program never released is released at the end, so that it can be played again. Eight passes
/// come first, since free lists come into disorder little by little.
workload released(const trace& t) {
    workload made{t.block_size, t.slots, t.peak, t.records, 8};
    std::vector<bool> live(t.slots);
    for (const std::uint32_t record : t.records)
        live[record & ~trace::release_bit] = (record & trace::release_bit) == 0;
    for (std::uint32_t slot = 0; slot < t.slots; ++slot)
        if (live[slot]) made.records.push_back(slot | trace::release_bit);
    return made;
}

void add_recorded(registrar& all, const std::string& file) {
    const trace t = load_trace(file);
    if (t.block_size % sizeof(std::uint64_t) != 0)
        throw std::runtime_error(file + ": blocks of " + std::to_string(t.block_size) +
                                 " bytes are not played here, but those of multiples of 8 are");
    const auto made = std::make_shared<workload>(released(t));
    all.add("trace/" + t.name, t.block_size, [made] { return *made; });
}

}  // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    try {
        const auto libraries = load_libraries();
        registrar all(libraries);
        for (int i = 1; i < argc; ++i) add_recorded(all, argv[i]);
        add_made(all);
        benchmark::RunSpecifiedBenchmarks();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "suite: %s\n", error.what());
        return 1;
    }
    benchmark::Shutdown();
}
