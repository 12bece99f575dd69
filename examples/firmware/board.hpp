// SPDX-License-Identifier: BSL-1.0
// board: what the firmware needs of an Arm MPS2 board with a Cortex-M3 (AN385), as QEMU emulates it.
#pragma once

#include <cstdint>

namespace board {

/// QEMU is started with `-icount shift=7`: an instruction takes 128 ns, or 3.2 ticks of the 25 MHz timers. Each run is
/// the same, to the instruction. On hardware one would read DWT->CYCCNT, which counts cycles.
constexpr std::uint32_t ticks_per_5_instructions = 16;
[[nodiscard]] constexpr std::uint32_t instructions(std::uint32_t ticks) noexcept {
    return (ticks * 5 + ticks_per_5_instructions / 2) / ticks_per_5_instructions;
}

void start_clock() noexcept;
[[nodiscard]] std::uint32_t now() noexcept;  // ticks since the start

/// Starts SysTick, which calls `on_systick` once per so many ticks.
void start_interrupts(std::uint32_t period) noexcept;
void stop_interrupts() noexcept;
[[nodiscard]] std::uint32_t ticks_since_interrupt() noexcept;

/// While one lives, no interrupt comes.
class interrupt_lock {
public:
    interrupt_lock() noexcept { asm volatile("mrs %0, primask\n\tcpsid i" : "=r"(before_)::"memory"); }
    interrupt_lock(const interrupt_lock&) = delete;
    interrupt_lock& operator=(const interrupt_lock&) = delete;
    ~interrupt_lock() { asm volatile("msr primask, %0" ::"r"(before_) : "memory"); }

private:
    std::uint32_t before_;
};

/// Uses semihosting: the debugger, or QEMU, prints the text and ends the program.
void print(const char* text) noexcept;
void print(std::uint32_t number) noexcept;
/// Prints its arguments one after the other.
template <class... Words> void print(const char* first, Words... more) noexcept {
    print(first);
    (print(more), ...);
}
[[noreturn]] void end(std::uint32_t status) noexcept;
/// The program's argument; empty if there is none.
[[nodiscard]] const char* argument() noexcept;

}  // namespace board

/// The handler of the timer's interrupt, which the firmware defines.
extern "C" void on_systick();
int main();
