// SPDX-License-Identifier: BSL-1.0
// real_time: what a real-time thread asks of Linux before it starts, and the proofs that it asks for nothing later.
#pragma once

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <pthread.h>
#include <sched.h>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool is_sanitized = true;
#elif defined(__has_feature)
inline constexpr bool is_sanitized =
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer);
#else
inline constexpr bool is_sanitized = false;
#endif

/// The system's reason for the last failure, as text.
[[nodiscard]] inline std::string last_error() { return std::generic_category().message(errno); }

/// Keeps all pages of the process in memory, present and future ones. Returns the result as text.
[[nodiscard]] inline std::string lock_memory() {
    if (::mlockall(MCL_CURRENT | MCL_FUTURE) == 0) return "locked by mlockall";
    return "not locked: mlockall says \"" + last_error() + "\" (RLIMIT_MEMLOCK, or CAP_IPC_LOCK)";
}

/// Gives the calling thread priority over all ordinary ones. Returns the result as text.
[[nodiscard]] inline std::string raise_priority() {
    const sched_param wanted{.sched_priority = 50};
    errno = ::pthread_setschedparam(::pthread_self(), SCHED_FIFO, &wanted);
    if (errno == 0) return "by SCHED_FIFO, priority 50";
    return "as every thread: SCHED_FIFO is refused, \"" + last_error() + "\" (RLIMIT_RTPRIO, or CAP_SYS_NICE)";
}

/// Writes to each page without changing it, so that the system gives each its memory now.
inline void touch_pages(void* bytes, std::size_t size) {
    constexpr std::size_t page = 4096;  // or more
    auto* const first = static_cast<volatile char*>(bytes);
    for (std::size_t i = 0; i < size; i += page) first[i] = first[i];
}

/// Touches the part of the stack that the calling thread will use.
[[gnu::noinline]] inline void touch_stack() {
    std::array<char, 128 * 1024> below;  // NOLINT: only its pages matter
    touch_pages(below.data(), below.size());
}

/// From now on, a system call of the calling thread ends in `action`: SECCOMP_RET_KILL_PROCESS or SECCOMP_RET_TRAP. No
/// call is allowed, not even the end of the thread. With `may_sleep`, clock_nanosleep is allowed. Other threads are not
/// affected. Returns what was refused, as text, or nothing.
[[nodiscard]] inline std::string forbid_system_calls(unsigned action, bool may_sleep) {
#if defined(__x86_64__)
    constexpr unsigned architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
    constexpr unsigned architecture = AUDIT_ARCH_AARCH64;
#else
    constexpr unsigned architecture = 0;  // an unknown processor
#endif
    std::array<sock_filter, 1> nothing{{BPF_STMT(BPF_RET | BPF_K, action)}};
    std::array<sock_filter, 6> sleep{{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, architecture, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clock_nanosleep, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, action),
    }};
    if (may_sleep && architecture == 0) return "this processor's number of clock_nanosleep is not known";
    sock_fprog program{};
    program.len = static_cast<unsigned short>(may_sleep ? sleep.size() : nothing.size());
    program.filter = may_sleep ? sleep.data() : nothing.data();
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return "prctl says \"" + last_error() + '"';
    if (::syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) != 0) {
        return "seccomp says \"" + last_error() + '"';
    }
    return {};
}

/// The name of a system call that an allocator makes, or its number.
[[nodiscard]] inline std::string system_call_name(int number) {
    switch (number) {
        case __NR_brk: return "brk";
        case __NR_futex: return "futex";
        case __NR_madvise: return "madvise";
#ifdef __NR_mmap
        case __NR_mmap: return "mmap";
#endif
        case __NR_mprotect: return "mprotect";
        case __NR_munmap: return "munmap";
        case __NR_write: return "write";
        default: return "system call " + std::to_string(number);
    }
}

/// Page faults of a thread since it started.
struct page_faults {
    long minor = 0;
    long major = 0;  // those that waited for a disk
};

/// Reads the faults of another thread of this process, so that the thread itself makes no system call.
/// Throws: std::runtime_error if /proc has no figures.
[[nodiscard]] inline page_faults page_faults_of(pid_t thread) {
    std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
    std::string line;
    std::getline(file, line);
    std::istringstream fields(line.substr(line.rfind(')') + 1));  // the name in front of it may have blanks
    std::string skipped;
    for (int field = 3; field < 10; ++field) fields >> skipped;
    page_faults faults;
    if (!(fields >> faults.minor >> skipped >> faults.major)) {
        throw std::runtime_error("/proc does not tell the page faults of a thread");
    }
    return faults;
}

/// A clock that makes no system call: the processor's counter. On other processors it is the system's clock, which
/// makes no call if its vDSO supports that.
class counter_clock {
public:
    [[nodiscard]] static std::uint64_t now() {
#if defined(__x86_64__) || defined(__i386__)
        return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
        std::uint64_t ticks;
        asm volatile("isb; mrs %0, cntvct_el0" : "=r"(ticks));
        return ticks;
#else
        return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
    }
    /// Compares the counter with the system's clock for some milliseconds.
    [[nodiscard]] static double nanoseconds_per_tick() {
        using clock = std::chrono::steady_clock;
        const clock::time_point start = clock::now();
        const std::uint64_t first = now();
        while (clock::now() - start < std::chrono::milliseconds(20)) {
        }
        const std::chrono::duration<double, std::nano> taken = clock::now() - start;
        return taken.count() / static_cast<double>(now() - first);
    }
};
