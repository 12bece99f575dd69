// SPDX-License-Identifier: BSL-1.0
// A program whose allocations are all known. `run` records it. Nothing else allocates these sizes.
#include <fcntl.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string_view>
#include <thread>
#include <vector>

namespace {

/// Hides a pointer, so that no allocation is optimised away.
void* hidden(void* pointer) {
    void* volatile p = pointer;
    return p;
}

/// Three blocks, released in the order of their allocation.
template <class Allocate> void three(Allocate allocate) {
    std::array<void*, 3> blocks{};
    for (void*& block : blocks) block = hidden(allocate());
    for (void* const block : blocks) std::free(block);
}

struct alignas(128) over_aligned {
    std::array<std::byte, 3200> bytes;
};

/// The records that `run` expects in its tables.
void calls() {
    void* a = hidden(std::malloc(2001));
    void* b = hidden(std::malloc(2002));
    void* c = hidden(std::malloc(2003));
    std::free(b);
    void* d = hidden(std::malloc(2008));
    std::free(a);
    std::free(d);
    for (int i = 0; i < 2; ++i) hidden(std::malloc(2007));
    hidden(c);

    three([] { return std::calloc(3, 701); });
    void* grown = nullptr;
    for (int i = 0; i < 3; ++i) {
        grown = hidden(std::realloc(grown, 2201));
        grown = hidden(std::realloc(grown, 2301));
    }
    std::free(grown);
    three([] { return ::reallocarray(nullptr, 3, 801); });
    three([] {
        void* block = nullptr;
        return ::posix_memalign(&block, 256, 2501) == 0 ? block : nullptr;
    });
    three([] { return std::aligned_alloc(64, 2624); });
    three([] { return ::memalign(64, 2701); });
    three([] { return ::memalign(16, 2711); });
    three([] { return ::valloc(2801); });
    three([] { return ::pvalloc(2901); });
    for (int i = 0; i < 3; ++i) ::operator delete(hidden(::operator new(3001)));
    for (int i = 0; i < 3; ++i) delete static_cast<over_aligned*>(hidden(new over_aligned));
    const volatile std::size_t too_much = PTRDIFF_MAX;
    hidden(std::malloc(too_much));
    hidden(::reallocarray(nullptr, too_much, 3));
}

/// Blocks that one thread has to itself, and blocks that four threads pass to each other.
void threads() {
    std::thread([] {
        for (int i = 0; i < 1000; ++i) std::free(hidden(std::malloc(4001)));
    }).join();

    std::atomic<void*> handed_over{nullptr};
    std::vector<std::thread> four;
    for (int t = 0; t < 4; ++t) {
        four.emplace_back([&handed_over] {
            for (int i = 0; i < 200'000; ++i) std::free(handed_over.exchange(hidden(std::malloc(4101))));
        });
    }
    for (std::thread& one : four) one.join();
    std::free(handed_over);
}

void execute(const char* self, const char* what) {
    ::execl(self, self, what, nullptr);
    std::_Exit(1);
}

/// 200 blocks here, 201 in a child process, 202 in a program that a child executes, 203 in one that replaces this one.
void processes(const char* self) {
    std::vector<void*> blocks(200);
    for (std::size_t i = 0; i < 100; ++i) blocks[i] = hidden(std::malloc(5001));
    const ::pid_t child = ::fork();
    if (child == 0) {
        for (int i = 0; i < 201; ++i) hidden(std::malloc(5001));
        for (std::size_t i = 0; i < 50; ++i) std::free(blocks[i]);
        std::_Exit(0);
    }
    ::waitpid(child, nullptr, 0);
    const ::pid_t second = ::fork();
    if (second == 0) execute(self, "202");
    ::waitpid(second, nullptr, 0);
    for (std::size_t i = 100; i < 200; ++i) blocks[i] = hidden(std::malloc(5001));
    for (void* const block : blocks) std::free(block);
    execute(self, "203");
}

/// More than the recording's first window, by a program that closes all unknown files, and reuses their numbers.
void many() {
    for (int file = 3; file < 100; ++file) ::close(file);
    for (int i = 0; i < 10; ++i)
        if (::open("own", O_RDWR | O_CREAT, 0666) < 0) std::_Exit(1);
    for (int i = 0; i < 70'000; ++i) std::free(hidden(std::malloc(6001)));
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view what = argc > 1 ? argv[1] : "";
    if (what == "calls") calls();
    else if (what == "threads") threads();
    else if (what == "processes") processes(argv[0]);
    else if (what == "many" || what == "killed") many();
    else
        for (int i = std::atoi(what.data()); i > 0; --i) hidden(std::malloc(5001));
    if (what == "killed") std::raise(SIGKILL);
    std::puts("done");
}
