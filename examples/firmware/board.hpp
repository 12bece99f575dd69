// SPDX-License-Identifier: BSL-1.0
// board: what the firmware asks of an Arm MPS2 with a Cortex-M3 (AN385), as QEMU emulates it.
#pragma once

#include <cstdint>

namespace board {

/// QEMU is started with `-icount shift=7`. Then an instruction takes 128 ns, which are 3.2 ticks of the 25 MHz timers, and
/// each run is the same to the instruction. On hardware one reads DWT->CYCCNT, which counts cycles.
constexpr std::uint32_t ticks_per_5_instructions = 16;
[[nodiscard]] constexpr std::uint32_t instructions(std::uint32_t ticks) noexcept {
    return (ticks * 5 + ticks_per_5_instructions / 2) / ticks_per_5_instructions;
}

void start_clock() noexcept;
[[nodiscard]] std::uint32_t now() noexcept;  // ticks since the start

/// SysTick: `on_systick` is called each so many ticks.
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

/// By semihosting: the debugger, or QEMU, prints and ends the program.
void print(const char* text) noexcept;
void print(std::uint32_t number) noexcept;
/// Prints its arguments one after the other.
template <class... Words> void print(const char* first, Words... more) noexcept {
    print(first);
    (print(more), ...);
}
[[noreturn]] void end(std::uint32_t status) noexcept;
/// What the firmware was started with, behind its name; empty if nothing.
[[nodiscard]] const char* argument() noexcept;

}  // namespace board

/// The handler of the timer's interrupt, which the firmware defines.
extern "C" void on_systick();
int main();
