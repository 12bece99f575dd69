// SPDX-License-Identifier: BSL-1.0
// What a Cortex-M3 needs to start newlib's crt0, as QEMU's board mps2-an385 does it; and a heap that there is not: a program
// that asks for one ends with 3.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

extern "C" {
[[noreturn]] void _start();  // crt0's: fetches the arguments from the debugger, sets up the rest and calls main
[[noreturn]] void _exit(int status);
std::ptrdiff_t _write(int file, const void* text, std::size_t size);

[[noreturn]] static void fault() { _exit(4); }

/// Newlib's source of memory, of which malloc and operator new live.
void* _sbrk(std::ptrdiff_t) {
    static const char text[] = "the heap was asked for memory\n";
    _write(2, text, sizeof text - 1);
    _exit(3);
}
}

/// The first entries of the vector table, at address 0: the initial stack pointer, and the handlers of reset and of faults. The
/// stack grows down from the end of the board's first memory of 4 MiB.
struct vector_table {
    std::uintptr_t stack;
    void (*reset)();
    void (*nmi)();
    void (*hard_fault)();
    void (*memory_fault)();
    void (*bus_fault)();
    void (*usage_fault)();
};
/// Named to the linker, which would drop what nobody refers to.
extern "C" {
extern const vector_table vectors;
[[gnu::section(".vectors")]] const vector_table vectors = {0x0040'0000, _start, fault, fault, fault, fault, fault};
}
