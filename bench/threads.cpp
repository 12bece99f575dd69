// SPDX-License-Identifier: BSL-1.0
// What an allocation and its release cost, through each pool and through operator new. README.md says how to read it.
#include <benchmark/benchmark.h>
#include <fixpool/fixpool.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>

namespace {

using fixpool::checking;

constexpr std::size_t batch_size = 64;  // blocks held at once in the batch pattern
constexpr int max_threads = 4;

template <std::size_t Size> struct payload {
    payload() noexcept {}  // not defaulted: that would clear the bytes where T() is written
    alignas(std::max_align_t) std::byte bytes[Size];
};

// A contender allocates something that std::to_address takes, and releases it. Each thread makes its own.

template <class T> struct operator_new {
    static constexpr const char* name = "operator_new";
    void* allocate() { return ::operator new(sizeof(T)); }
    void release(void* block) { ::operator delete(block); }
};

template <class T, checking C> struct raw {
    static constexpr const char* name = C == checking::checked ? "memory_pool" : "unchecked_memory_pool";
    void* allocate() { return pool.allocate(); }
    void release(void* block) { pool.deallocate(block); }

    fixpool::basic_memory_pool<C> pool{{.block_size = sizeof(T), .block_count = batch_size, .alignment = alignof(T)}};
};

template <class T> struct make_unique {
    static constexpr const char* name = "make_unique";
    std::unique_ptr<T> allocate() { return std::make_unique<T>(); }
    void release(std::unique_ptr<T>& block) { block.reset(); }
};

template <class T, checking C> struct typed {
    static constexpr const char* name = C == checking::checked ? "typed_pool" : "unchecked_typed_pool";
    fixpool::block<T, C> allocate() { return pool.allocate(); }
    void release(fixpool::block<T, C>& block) { block.reset(); }

    fixpool::typed_pool<T, C> pool{batch_size};
};

template <class T> struct shared {
    static constexpr const char* name = "shared_pool";
    fixpool::shared_block<T> allocate() { return pool.allocate(); }
    void release(fixpool::shared_block<T>& block) { block.reset(); }

    inline static const fixpool::shared_pool<T> pool_of_all{max_threads * batch_size};
    fixpool::shared_pool<T> pool = pool_of_all;
};

/// A contender on the heap, whose members are read from memory each time, as in a program, and not kept in registers.
template <class Contender> std::unique_ptr<Contender> make_hidden() {
    auto contender = std::make_unique<Contender>();
    benchmark::DoNotOptimize(contender.get());
    return contender;
}

void touch(void* block) {
    *static_cast<std::byte*>(block) = std::byte{1};
    benchmark::DoNotOptimize(block);
}

template <class Contender> void pair(benchmark::State& state) {
    const auto contender = make_hidden<Contender>();
    for (auto _ : state) {
        auto block = contender->allocate();
        touch(std::to_address(block));
        contender->release(block);
    }
    state.SetItemsProcessed(state.iterations());
}

template <class Contender> void batch(benchmark::State& state) {
    const auto contender = make_hidden<Contender>();
    std::array<decltype(contender->allocate()), batch_size> blocks{};
    for (auto _ : state) {
        for (auto& block : blocks) block = contender->allocate();
        for (auto& block : blocks) touch(std::to_address(block));
        for (auto& block : blocks) contender->release(block);
    }
    state.SetItemsProcessed(state.iterations() * std::int64_t{batch_size});
}

/// By wall time: CPU time would leave out what a thread waits for a lock.
template <class Contender>
void add(std::size_t size, const char* pattern, void (*run)(benchmark::State&), int threads) {
    const std::string name = std::string(Contender::name) + "/" + std::to_string(size) + "/" + pattern;
    benchmark::RegisterBenchmark(name.c_str(), run)->Threads(threads)->UseRealTime();
}

/// Registers contenders that are to be compared next to each other.
template <class... Contenders> void add_all(std::size_t size) {
    for (const int threads : {1, max_threads}) {
        (add<Contenders>(size, "pair", pair<Contenders>, threads), ...);
        (add<Contenders>(size, "batch", batch<Contenders>, threads), ...);
    }
}

template <std::size_t... Sizes> void add_sizes() {
    using enum checking;
    (add_all<operator_new<payload<Sizes>>, raw<payload<Sizes>, checked>, raw<payload<Sizes>, unchecked>,
             make_unique<payload<Sizes>>, typed<payload<Sizes>, checked>, typed<payload<Sizes>, unchecked>,
             shared<payload<Sizes>>>(Sizes),
     ...);
}

}  // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    add_sizes<16, 64, 256, 4096>();
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
}
