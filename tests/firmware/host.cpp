// SPDX-License-Identifier: BSL-1.0
// The parts of the firmware example without hardware, on a desktop: a thread stands in for the interrupt. Runs the part
// that the argument names, prints what it saw, and ends with 0 or 1. A second argument is the number of interrupts.
#include "../../examples/firmware/event_log.hpp"
#include "../../examples/firmware/sampler.hpp"
#include "../../examples/firmware/spsc_ring.hpp"
#include "../../examples/firmware/stores.hpp"
#include "../../examples/firmware/verdict.hpp"

#include <fixpool/static_pool.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>

namespace {

/// Stands in for masking interrupts on the board.
class mutex_lock {
public:
    mutex_lock() : held_(mutex_) {}

private:
    inline static std::mutex mutex_;
    std::lock_guard<std::mutex> held_;
};

using checked = lending_store<pool_memory<fixpool::checking::checked>>;

template <class Store> constinit Store store;

fixpool::violation last;
int violations = 0;
void remember(const fixpool::violation& misuse) {
    last = misuse;
    ++violations;
}

bool told(const char* what, bool holds) {
    std::printf("%s: %s\n", what, holds ? "passed" : "FAILED");
    return holds;
}

/// A thread interrupts as often as it can, so many blocks are dropped. Nothing else may be lost.
template <class Store> bool record(const char* name, std::uint32_t interrupts) {
    sampler<Store> samples(store<Store>);
    event_log<Store> events(store<Store>, 3);
    store<Store>.prepare(remember);
    store<Store>.arm();
    std::thread interrupt([&samples, interrupts] {
        for (std::uint32_t i = 0; i < interrupts; ++i) {
            samples.on_interrupt(i);
            if (i % 32 == 0) std::this_thread::yield();
        }
    });
    std::uint32_t turns = 0;
    const auto turn = [&events, &turns] {
        (void)events.send(turns++);
        typename Store::handle block = store<Store>.next();
        const bool is_there = static_cast<bool>(block);
        if (is_there) (void)events.take(std::move(block));
        return is_there;
    };
    while (samples.interrupts() < interrupts) {
        store<Store>.arm();
        if (!turn()) std::this_thread::yield();
    }
    interrupt.join();
    while (turn()) {
    }
    events.clear();
    store<Store>.disarm();
    std::printf("%s: interrupts %u, blocks read %u, dropped %u\n", name, samples.interrupts(), events.blocks(),
                samples.dropped());
    return told(name, is_whole(samples, events) && samples.interrupts() == interrupts && events.blocks() != 0 &&
                          violations == 0);
}

/// Without free blocks, an interrupt drops its samples, and reports it. Later samples are read.
bool drop() {
    sampler<checked> samples(store<checked>);
    event_log<checked> events(store<checked>, 3);
    store<checked>.prepare(remember);
    store<checked>.arm();
    for (std::uint32_t i = 0; i < block_count + 5; ++i) samples.on_interrupt(i);
    const bool is_full = samples.dropped() == 5 && checked::in_use() == block_count;
    while (auto block = store<checked>.next()) (void)events.take(std::move(block));
    store<checked>.arm();
    samples.on_interrupt(block_count + 5);
    auto block = store<checked>.next();
    const bool is_next = block && block->sequence == block_count + 5;
    (void)events.take(std::move(block));
    events.clear();
    store<checked>.disarm();
    return told("drop", is_full && is_next && samples.dropped() == 5 && is_whole(samples, events));
}

/// The radio sends the strongest event first. Events that it has no time for are given back, and counted.
template <class Store> bool keep(const char* name) {
    event_log<Store> events(store<Store>, 10);
    store<Store>.prepare(remember);
    std::array<const sample_block*, 16> addresses{};
    const auto arrive = [&events, &addresses](std::uint32_t sequence, std::int16_t strength) {
        store<Store>.arm();
        sample_block* const block = store<Store>.begin();
        addresses[sequence] = block;
        block->sequence = sequence;
        for (sample& s : block->samples) s = {.x = 0, .y = 0, .z = 4096};
        block->samples[0].x = strength;
        store<Store>.commit(block);
        return events.take(store<Store>.next());
    };
    bool is_right = !arrive(0, 0) && Store::in_use() <= block_count;
    is_right &= arrive(1, 8000) && arrive(2, 12000);
    (void)events.send(0);  // the second one, from 0 to 10
    is_right &= arrive(3, 16000);
    const sample_block* const early = events.send(9);
    const sample_block* const second = events.send(10);  // and the third
    const sample_block* const third = events.send(20);
    const sample_block* const first = events.send(30);
    is_right &= early == nullptr && second != nullptr && third != nullptr && first != nullptr;
    if constexpr (!std::is_same_v<Store, copying_store>)  // copies have other addresses
        is_right &= second == addresses[2] && third == addresses[3] && first == addresses[1];
    is_right &= events.sent() == 3 && events.events() == 3 && events.send(40) == nullptr;
    for (std::uint32_t i = 0; i < most_kept; ++i) is_right &= arrive(4 + i, 16000);
    is_right &= !arrive(10, 16000) && events.missed() == 1;
    events.clear();
    store<Store>.disarm();
    return told(name, is_right && events.is_unchanged() && Store::in_use() == 0);
}

/// A block that is given back twice is reported, and the pool is as before.
bool double_release() {
    store<checked>.prepare(remember);
    store<checked>.arm();
    store<checked>.commit(store<checked>.begin());
    auto block = store<checked>.next();
    sample_block* const address = block.get();
    const std::size_t index = checked::pool().index_of(address);
    block.reset();
    checked::give_back_again(address);
    store<checked>.disarm();
    return told("double-release", violations == 1 && last.kind == fixpool::violation_kind::double_free &&
                                      last.index == index && last.address == address && checked::in_use() == 0 &&
                                      checked::pool().audit());
}

/// A ring of two is full after two, keeps their order, and works when its counters wrap.
bool ring() {
    spsc_ring<int, 2> values;
    int out = 7;
    bool is_right = !values.pop(out) && out == 7;
    for (int i = 0; i < 1000; ++i) {
        is_right &= values.push(i) && values.push(i + 1) && !values.push(i + 2) && values.size() == 2;
        is_right &=
            values.pop(out) && out == i && values.pop(out) && out == i + 1 && !values.pop(out) && values.size() == 0;
    }
    return told("ring", is_right);
}

}  // namespace

int main(int count, char** words) {
    const std::string_view part = count > 1 ? words[1] : "";
    const auto interrupts = static_cast<std::uint32_t>(count > 2 ? std::atoi(words[2]) : 20000);
    bool is_right = false;
    if (part == "checked") is_right = record<checked>("checked", interrupts);
    if (part == "unchecked")
        is_right = record<lending_store<pool_memory<fixpool::checking::unchecked>>>("unchecked", interrupts);
    if (part == "list") is_right = record<lending_store<list_memory>>("list", interrupts);
    if (part == "heap") is_right = record<lending_store<heap_memory>>("heap", interrupts);
    if (part == "rings") is_right = record<ring_store>("rings", interrupts);
    if (part == "copying") is_right = record<copying_store>("copying", interrupts);
    if (part == "locked")
        is_right = record<direct_store<guarded_memory<pool_memory<fixpool::checking::checked>, mutex_lock>>>(
            "locked", interrupts);
    if (part == "drop") is_right = drop();
    if (part == "keep") is_right = keep<checked>("keep: checked");
    if (part == "keep-copies") is_right = keep<copying_store>("keep: copying");
    if (part == "double-release") is_right = double_release();
    if (part == "ring") is_right = ring();
    return is_right ? 0 : 1;
}
