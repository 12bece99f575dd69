// SPDX-License-Identifier: BSL-1.0
// What a Cortex-M needs to start a program under QEMU, and what newlib needs of a board: a write and an exit by
// semihosting. There is no heap: a program that asks for one ends with 3. A fault or a trap ends it with 4. Unused code
// is not linked, so that a firmware can be weighed with it.
#include <cstddef>
#include <cstdint>

#include <sys/stat.h>
#include <sys/types.h>

int main(int argc, char** argv);

namespace {

enum class request : std::uintptr_t { write_character = 0x03, get_command_line = 0x15, exit_extended = 0x20 };

/// Asks the debugger for a service (semihosting).
std::uintptr_t ask(request what, const void* block) {
    register auto r0 asm("r0") = static_cast<std::uintptr_t>(what);
    register auto r1 asm("r1") = block;
    asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

[[noreturn]] void end(std::uintptr_t status) {
    const std::uintptr_t block[] = {0x20026, status};  // ADP_Stopped_ApplicationExit
    while (true) ask(request::exit_extended, block);
}

void print(const char* text, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) ask(request::write_character, text + i);
}

[[noreturn]] void fault() { end(4); }

}  // namespace

extern "C" {

extern std::uintptr_t __bss_start__[];
extern std::uintptr_t __bss_end__[];
extern void (*__init_array_start[])();
extern void (*__init_array_end[])();

/// The debugger has loaded everything that is not zero.
[[noreturn]] void _start() {
    for (std::uintptr_t* word = __bss_start__; word != __bss_end__; ++word) *word = 0;
    for (auto initialiser = __init_array_start; initialiser != __init_array_end; ++initialiser) (*initialiser)();
    static char line[256];
    static char* arguments[3];  // the program, one argument and the closing nullptr
    const std::uintptr_t block[] = {reinterpret_cast<std::uintptr_t>(line), sizeof line};
    int count = 0;
    if (ask(request::get_command_line, block) == 0)
        for (char* at = line; *at != 0 && count < 2; ++count) {
            arguments[count] = at;
            while (*at != 0 && *at != ' ') ++at;
            if (*at == ' ') *at++ = 0;
        }
    end(static_cast<std::uintptr_t>(main(count, arguments)));
}

/// The first entries of the vector table: the initial stack pointer, and the handlers of reset and of faults. The
/// linker gets their place, and where the stack begins.
struct vector_table {
    void* stack;
    void (*reset)();
    void (*faults[6])();  // NMI, hard fault; memory, bus, usage and security fault, which a Cortex-M0 does not have
};
extern std::byte initial_stack[];
extern const vector_table vectors;
[[gnu::section(".vectors"), gnu::used]] const vector_table vectors = {
    initial_stack, _start, {fault, fault, fault, fault, fault, fault}};

// Functions that newlib needs.
[[noreturn]] void _exit(int status) { end(static_cast<std::uintptr_t>(status)); }
int _write(int, const void* text, std::size_t size) {
    print(static_cast<const char*>(text), size);
    return static_cast<int>(size);
}
void* _sbrk(std::ptrdiff_t) {
    static const char text[] = "the heap was asked for memory\n";
    print(text, sizeof text - 1);
    end(3);
}
int _kill(int, int) { end(5); }  // abort's signal
int _getpid() { return 1; }
int _read(int, void*, std::size_t) { return 0; }
int _close(int) { return -1; }
off_t _lseek(int, off_t, int) { return 0; }
int _isatty(int) { return 1; }
int _fstat(int, struct stat* status) {
    status->st_mode = S_IFCHR;
    return 0;
}
}
