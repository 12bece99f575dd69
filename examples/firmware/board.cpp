// SPDX-License-Identifier: BSL-1.0
// board: the vector table, the code that runs before main, SysTick, a timer as a clock, and semihosting.
#include "board.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>

extern "C" {
extern std::uint32_t data_begin[], data_end[], bss_begin[], bss_end[];  // of the linker script
extern const std::uint32_t data_stored[];
extern std::byte stack_top[];
[[noreturn]] void start();
}

namespace {

volatile std::uint32_t& reg(std::uintptr_t address) { return *reinterpret_cast<volatile std::uint32_t*>(address); }

volatile std::uint32_t& systick_control() { return reg(0xe000e010); }
volatile std::uint32_t& systick_reload() { return reg(0xe000e014); }
volatile std::uint32_t& systick_value() { return reg(0xe000e018); }
volatile std::uint32_t& timer_control() { return reg(0x40000000); }
volatile std::uint32_t& timer_value() { return reg(0x40000004); }
volatile std::uint32_t& timer_reload() { return reg(0x40000008); }

enum class request : std::uint32_t { write_text = 0x04, get_command_line = 0x15, exit_extended = 0x20 };

std::uint32_t ask_debugger(request what, const void* block) {
    register auto r0 asm("r0") = static_cast<std::uint32_t>(what);
    register auto r1 asm("r1") = block;
    asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

[[noreturn]] void on_fault() {
    board::print("fault: the firmware has crashed\n");
    board::end(4);
}

struct vector_table {
    std::byte* stack;
    void (*reset)();
    void (*exceptions[13])();
    void (*systick)();
};
[[gnu::section(".vectors"), gnu::used]] const vector_table vectors = {
    stack_top,
    start,
    {on_fault, on_fault, on_fault, on_fault, on_fault, nullptr, nullptr, nullptr, nullptr, on_fault, on_fault, nullptr,
     on_fault},
    on_systick};

}  // namespace

void start() {
    const std::uint32_t* from = data_stored;
    for (std::uint32_t* word = data_begin; word != data_end; ++word) *word = *from++;
    for (std::uint32_t* word = bss_begin; word != bss_end; ++word) *word = 0;
    board::start_clock();
    board::end(static_cast<std::uint32_t>(main()));
}

namespace board {

void start_clock() noexcept {
    timer_reload() = 0xffffffff;
    timer_value() = 0xffffffff;
    timer_control() = 1;
}
std::uint32_t now() noexcept { return ~timer_value(); }

void start_interrupts(std::uint32_t period) noexcept {
    systick_reload() = period - 1;
    systick_value() = 0;
    systick_control() = 7;  // the processor's clock, interrupts, on
}
void stop_interrupts() noexcept { systick_control() = 0; }
std::uint32_t ticks_since_interrupt() noexcept { return systick_reload() - systick_value(); }

void print(const char* text) noexcept { ask_debugger(request::write_text, text); }
void print(std::uint32_t number) noexcept {
    char digits[11];
    char* first = digits + sizeof digits - 1;
    *first = 0;
    do *--first = static_cast<char>('0' + number % 10);
    while ((number /= 10) != 0);
    print(first);
}

void end(std::uint32_t status) noexcept {
    const std::uint32_t block[] = {0x20026, status};  // the program has ended
    while (true) ask_debugger(request::exit_extended, block);
}

const char* argument() noexcept {
    static char line[64];
    const struct {
        char* text;
        std::uint32_t size;
    } block{line, sizeof line};
    if (ask_debugger(request::get_command_line, &block) != 0) return "";
    const char* const space = std::strchr(line, ' ');
    return space == nullptr ? "" : space + 1;
}

}  // namespace board
