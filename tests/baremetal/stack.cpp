// SPDX-License-Identifier: BSL-1.0
// Measures how much stack a report takes. The stack is painted, a handler makes the text of the deepest report, and the
// paint shows how far down the stack was written. Ends with 0 if the text takes at most 640 bytes. Runs on a Cortex-M,
// too. The C library's fputs is not measured.
#include <fixpool/memory_pool.hpp>
#include <fixpool/typed_pool.hpp>

#include <cstddef>
#include <cstdio>
#include <cstring>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

using fixpool::site;
using fixpool::violation;
using fixpool::violation_kind;

namespace {

constexpr std::size_t text_limit = 640;  // bytes of stack
constexpr std::size_t painted = 8192;    // bytes of stack
constexpr unsigned char paint = 0xa5;

#if defined(__x86_64__)
#define READ_STACK_POINTER "mov %%rsp, %0"
#elif defined(__arm__) || defined(__aarch64__)
#define READ_STACK_POINTER "mov %0, sp"
#else
#error "how is the stack pointer read here?"
#endif

using deed = void (*)();

/// The bytes of stack that a call takes, with its return address. Requires: the stack below is free to be painted.
[[gnu::noinline]] std::size_t depth_of(deed done, bool is_painted) {
    volatile unsigned char* top = nullptr;
    asm volatile(READ_STACK_POINTER : "=r"(top));
    if (!is_painted)  // not by memset, which would need stack itself
        for (std::size_t i = 1; i <= painted; ++i) top[-static_cast<std::ptrdiff_t>(i)] = paint;
    done();
    std::size_t depth = painted;
    while (depth != 0 && top[-static_cast<std::ptrdiff_t>(depth)] == paint) --depth;
    return depth;
}

#if defined(__unix__) || defined(__APPLE__)
/// On a separate stack, painted before anything runs there: on the usual stack, a signal handler may write.
std::size_t stack_of(deed done) {
    alignas(1 << 14) static unsigned char stack[1 << 18];
    struct {
        deed done;
        std::size_t depth;
    } shared{done, 0};
    std::memset(stack, paint, sizeof stack);
    pthread_attr_t attributes;
    pthread_t thread;
    const auto run = +[](void* argument) -> void* {
        auto* const given = static_cast<decltype(shared)*>(argument);
        given->depth = depth_of(given->done, true);
        return nullptr;
    };
    if (pthread_attr_init(&attributes) != 0 || pthread_attr_setstack(&attributes, stack, sizeof stack) != 0 ||
        pthread_create(&thread, &attributes, run, &shared) != 0 || pthread_join(thread, nullptr) != 0)
        return painted;
    pthread_attr_destroy(&attributes);
    return shared.depth;
}
#else
/// For systems without threads and interrupts.
std::size_t stack_of(deed done) { return depth_of(done, false); }
#endif

// ---- the deepest report

char long_name[128];
char long_file[256];
std::size_t reports = 0;
std::size_t longest = 0;  // characters
violation deepest;

/// As the default handler, but without fputs.
[[gnu::noinline]] void make_text(const violation& v) {
    fixpool::detail::text_line line = fixpool::detail::describe(v);
    const char* const text = line.add("\n").c_str();
    asm volatile("" : : "r"(text) : "memory");
    std::size_t length = 0;
    while (text[length] != 0) ++length;
    if (length > longest) longest = length;
    ++reports;
}

alignas(8) std::byte storage[1024];
fixpool::memory_pool* raw = nullptr;
fixpool::typed_pool<int>* typed = nullptr;

void nothing() {}
void text() { make_text(deepest); }
void wrong_release() { raw->deallocate(storage + 1); }
void wrong_adoption() { (void)typed->adopt(reinterpret_cast<int*>(storage)); }

bool told(const char* what, std::size_t depth, std::size_t limit) {
    const bool is_good = depth <= limit;
    std::printf("%-50s %5lu bytes of stack%s\n", what, static_cast<unsigned long>(depth), is_good ? "" : ", too many");
    return is_good;
}

}  // namespace

int main() {
    std::setvbuf(stdout, nullptr, _IONBF, 0);  // newlib would take a buffer from the heap
    std::memset(long_name, 'n', sizeof long_name - 1);
    std::memset(long_file, 'f', sizeof long_file - 1);
    alignas(8) static std::byte bytes[1024];
    const fixpool::pool_options options{.name = long_name, .on_violation = &make_text};
    fixpool::memory_pool raw_pool({16, 8}, fixpool::arena::borrow(storage), options);
    fixpool::typed_pool<int> typed_pool(8, fixpool::arena::borrow(bytes), options);
    raw = &raw_pool;
    typed = &typed_pool;

    make_text(deepest);  // once before the measurement: a dynamic linker's first call of a function takes stack
    std::size_t most = 0;
    for (unsigned kind = 0; kind <= static_cast<unsigned>(violation_kind::still_owned); ++kind) {
        for (const char* file : {"net.cpp", static_cast<const char*>(long_file)}) {
            const std::size_t number = static_cast<std::size_t>(-2);  // of 20 digits, or 10
            const void* const address = reinterpret_cast<const void*>(number);
            deepest = {static_cast<violation_kind>(kind),
                       address,
                       long_name,
                       address,
                       number,
                       number,
                       number,
                       site{file, 4000000000, "open"},
                       site{file, 4000000000, "close"}};
            const std::size_t depth = stack_of(&text);
            if (depth > most) most = depth;
        }
    }
    bool is_good = told("nothing", stack_of(&nothing), 64);  // almost nothing: shows that the measurement works
    is_good &= told("the text of a report, the deepest", most, text_limit);
    told("a wrong release, with its report's text", stack_of(&wrong_release), painted);
    told("a wrong adoption, with its report's text", stack_of(&wrong_adoption), painted);
    std::printf("%lu reports, the longest has %lu characters\n", static_cast<unsigned long>(reports),
                static_cast<unsigned long>(longest));
    return is_good && most > sizeof(fixpool::detail::text_line) && reports == 25 && longest > 300 ? 0 : 1;
}
