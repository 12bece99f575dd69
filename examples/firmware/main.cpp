// SPDX-License-Identifier: BSL-1.0
// A vibration recorder. The sensor's interrupt fills blocks, and the main loop reads them. FIRMWARE_STORE is one of
// `firmwares`. It ends with 0 if nothing was lost, except what it counted as dropped. It ends with 7 if the pool found
// misuse, and otherwise with 1.
// Arguments: `double-release` gives a block back twice, `count` counts instructions, `trace` prints the blocks' fate.
#include "board.hpp"
#include "event_log.hpp"
#include "instruction_counter.hpp"
#include "sampler.hpp"
#include "stores.hpp"
#include "verdict.hpp"

#include <fixpool/static_pool.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

namespace {

struct no_lock {};  // the bug of `unguarded`
namespace firmwares {
using pool = pool_memory<fixpool::checking::checked>;
using checked = lending_store<pool>;
using unchecked = lending_store<pool_memory<fixpool::checking::unchecked>>;
using list = lending_store<list_memory>;
using heap = lending_store<heap_memory>;
using rings = ring_store;
using copying = copying_store;
using masked = direct_store<guarded_memory<pool, board::interrupt_lock>>;
using masked_list = direct_store<guarded_memory<list_memory, board::interrupt_lock>>;
using unguarded = direct_store<guarded_memory<pool, no_lock>>;
}  // namespace firmwares

using store_type = firmwares::FIRMWARE_STORE;

constexpr bool is_unguarded = std::is_same_v<store_type, firmwares::unguarded>;
constexpr std::uint32_t interrupts = is_unguarded ? 200'000 : 10'000;  // or until the pool finds misuse
constexpr std::uint32_t period = 10'000;                               // ticks: 0.4 ms, the time of 3,125 instructions
constexpr std::uint32_t page_time = 67'500;     // 2.7 ms: a write to flash, and a little more, after each 64 blocks
constexpr std::uint32_t sector_time = 300'000;  // 12 ms: erasing flash, after each 2,048: longer than 16 blocks last
constexpr std::uint32_t send_time = 250'000;    // 10 ms: the radio, per event

constinit store_type store;
constinit sampler<store_type> samples(store);
constinit event_log<store_type> events(store, send_time);
std::uint32_t shortest_wait = ~std::uint32_t{0};  // ticks from the timer's event to the handler's first instructions
std::uint32_t longest_wait = 0;

/// What is printed about a misuse. If errors trap, the library has no text for it.
const char* name_of(fixpool::violation_kind kind) {
    using enum fixpool::violation_kind;
    switch (kind) {
        case double_free: return "double free";
        case not_allocated: return "not allocated";
        case foreign_pointer: return "foreign pointer";
        case misaligned_pointer: return "misaligned pointer";
        case corrupted_pool: return "corrupted pool";
        case still_owned: return "still owned";
        default: return "misuse";
    }
}

[[noreturn]] void report(const fixpool::violation& misuse) {
    board::stop_interrupts();
    board::print("violation: ", name_of(misuse.kind));
    if (misuse.index != fixpool::violation::npos) board::print(", block ", static_cast<std::uint32_t>(misuse.index));
    board::print(misuse.problem[0] != 0 ? ": " : "", misuse.problem, ", after interrupt ", samples.interrupts(), "\n");
    board::end(7);
}

void wait(std::uint32_t ticks) {
    const std::uint32_t begin = board::now();
    while (board::now() - begin < ticks) {
    }
}

void print_trace(const char* what, const sample_block* block, std::uint32_t stamp) {
    const auto place = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(block));
    board::print("trace ", what, place, " ", stamp, " ", board::now(), "\n");
}

/// Verifies the pool that was misused. Prints if the pool is damaged.
template <class Store> void find_disorder() {
    if constexpr (is_unguarded) {
        const board::interrupt_lock lock;
        (void)Store::pool().audit();
    }
}

/// Runs for so many interrupts. The main loop never waits for the interrupt, nor does the interrupt wait for it.
void record(bool is_wrong, bool is_traced) {
    store.arm();
    board::start_interrupts(period);
    while (samples.interrupts() < interrupts) {
        store.arm();
        if (const sample_block* const sent = events.send(board::now()); sent != nullptr && is_traced)
            print_trace("sent ", sent, 0);
        typename store_type::handle block = store.next();
        if (!block) continue;  // on hardware it sleeps here (WFI), but QEMU's clock is not exact then
        sample_block* const address = block.get();
        const std::uint32_t stamp = address->stamp;
        const bool is_kept = events.take(std::move(block));
        if (is_traced) print_trace(is_kept ? "kept " : "read ", address, stamp);
        if (is_wrong && events.blocks() == 1000) store_type::give_back_again(address);
        if (events.blocks() % 2048 == 0) wait(sector_time);
        else if (events.blocks() % 64 == 0) wait(page_time + events.sum() % period);
        if (events.blocks() % 32 == 0) find_disorder<store_type>();
    }
    board::stop_interrupts();
}

template <class Store> void print_pool() {
    if constexpr (requires { Store::pool(); }) {
        const auto& pool = Store::pool();
        board::print("pool: ", pool.total_blocks(), " blocks, peak in use ", pool.peak_in_use(), ", in use at the end ",
                     pool.in_use(), "\n");
    }
}

/// Takes the blocks that are on their way, and reports what became of all blocks. Returns the program's status.
int verdict() {
    for (std::size_t i = 0; i < block_count; ++i)
        if (typename store_type::handle block = store.next()) (void)events.take(std::move(block));
    events.clear();
    store.disarm();
    board::print("interrupts ", samples.interrupts(), ", blocks read ", events.blocks(), ", dropped ",
                 samples.dropped());
    board::print(", events ", events.events(), ", sent ", events.sent(), ", missed ", events.missed(), "\n");
    print_pool<store_type>();
    const bool is_right = samples.interrupts() == interrupts && is_whole(samples, events);
    board::print(is_right ? "passed: all samples are there, " : "FAILED: samples were lost or changed, ");
    board::print("an interrupt waited for at most ", board::instructions(longest_wait - shortest_wait),
                 " instructions\n");
    return is_right ? 0 : 1;
}

/// Counts the instructions per block, without its samples. Three of four blocks go back at once. The others go back
/// when the store can keep no more.
int count() {
    instruction_counter nothing, interrupt, main_loop, keep, work;
    std::array<typename store_type::kept, most_kept> kept;
    for (std::uint32_t turn = 0; turn < 1000; ++turn) {
        nothing.of([] {});
        store.arm();
        interrupt.of([] { store.commit(store.begin()); });
        if (turn % 4 == 0) {
            auto& place = kept[turn / 4 % most_kept];
            place.reset();
            typename store_type::handle block = store.next();
            work.of([&] { (void)events.energy_of(*block); });
            keep.of([&] { place = store_type::keep(std::move(block)); });
        } else {
            main_loop.of([] {
                typename store_type::handle next = store.next();
                next.reset();
                store.arm();
            });
        }
    }
    interrupt.print("count interrupt ", nothing);
    main_loop.print("count main ", nothing);
    keep.print("count keep ", nothing);
    work.print("count work ", nothing);
    return 0;
}

}  // namespace

void on_systick() {
    const std::uint32_t late = board::ticks_since_interrupt();
    if (late > longest_wait) longest_wait = late;
    if (late < shortest_wait) shortest_wait = late;
    if (samples.interrupts() < interrupts) samples.on_interrupt(board::now());
}

int main() {
    const std::string_view argument = board::argument();
    const bool is_wrong = argument == "double-release";
    const bool is_traced = argument == "trace";
    store.prepare(report);
    if (argument == "count") return count();
    if (!argument.empty() && !is_wrong && !is_traced) {
        board::print("firmware: there is no argument \"", argument.data(),
                     "\"; there are double-release, count and trace\n");
        return 2;
    }
    record(is_wrong, is_traced);
    return verdict();
}
