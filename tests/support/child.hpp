// SPDX-License-Identifier: BSL-1.0
// child: runs a part of a test in its own process. The system may limit that process, or a signal may end it.
#pragma once

#include <cstddef>

#if defined(__linux__)
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#endif

namespace child {

enum class end : unsigned char { right, wrong, not_possible, access_violation, forbidden_call, other };

#if defined(__linux__)

/// Runs `part`, which returns an `end`, in a child process. Returns that, or how the child ended. The child does not
/// call exit, where tools, libraries and the test framework would do work of their own. An exception gives `other`.
template <class Part> end run(const Part& part) {
    auto* const answer = static_cast<volatile end*>(
        ::mmap(nullptr, sizeof(end), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    *answer = end::other;
    const ::pid_t pid = ::fork();
    if (pid == 0) {
        for (const int signal : {SIGSEGV, SIGBUS, SIGSYS}) std::signal(signal, SIG_DFL);
        [&]() noexcept { *answer = part(); }();
        ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    end found = *answer;
    const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (signal == SIGSEGV || signal == SIGBUS) found = end::access_violation;
    if (signal == SIGSYS) found = end::forbidden_call;
    ::munmap(const_cast<end*>(answer), sizeof(end));
    return found;
}

/// Makes this process an ordinary user's, for whom limits hold. Limits how many bytes it may lock. False if that is not
/// possible, or has no effect: sanitizers lock nothing.
inline bool may_lock_only(std::size_t bytes) {
    const ::rlimit limit{bytes, bytes};
    if (::setrlimit(RLIMIT_MEMLOCK, &limit) != 0) return false;
    if (::geteuid() == 0 && ::setuid(65534) != 0) return false;
    void* const trial = ::mmap(nullptr, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const bool is_refused = ::mlock(trial, 2 * bytes) != 0;
    ::munmap(trial, 2 * bytes);
    return is_refused;
}

/// Limits the address space of this process to what it has, plus `bytes`.
inline bool may_map_only(std::size_t bytes, std::size_t mapped) {
    const ::rlimit limit{mapped + bytes, mapped + bytes};
    if (::setrlimit(RLIMIT_AS, &limit) != 0) return false;
    void* const trial = ::mmap(nullptr, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (trial != MAP_FAILED) ::munmap(trial, 2 * bytes);
    return trial == MAP_FAILED;
}

#if defined(__NR_mmap2)
inline constexpr long mmap_number = __NR_mmap2;
#else
inline constexpr long mmap_number = __NR_mmap;
#endif

/// From now on, a system call fails with `error` if its masked argument is `value`. If `error` is 0, it ends the
/// process. Returns false if the system has no such filters.
inline bool refuse(long call, std::size_t argument, unsigned mask, unsigned value, int error) {
    constexpr bool is_big_endian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
    const auto offset = static_cast<unsigned>(offsetof(::seccomp_data, args) + argument * 8 + (is_big_endian ? 4 : 0));
    const unsigned refusal = error == 0 ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | static_cast<unsigned>(error);
    ::sock_filter steps[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(::seccomp_data, nr)},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 4, static_cast<unsigned>(call)},
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offset},
        {BPF_ALU | BPF_AND | BPF_K, 0, 0, mask},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, value},
        {BPF_RET | BPF_K, 0, 0, refusal},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    const ::sock_fprog program{sizeof steps / sizeof steps[0], steps};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

inline bool refuse_to_populate(int error) { return refuse(__NR_madvise, 2, 0xff, 23, error); }
inline bool refuse_to_open_pages(int error) { return refuse(__NR_mprotect, 2, PROT_WRITE, PROT_WRITE, error); }
inline bool refuse_to_lock(int error) { return refuse(__NR_mlock, 0, 0, 0, error); }
inline bool forbid_reserved_huge_pages() { return refuse(mmap_number, 3, MAP_HUGETLB, MAP_HUGETLB, 0); }

#else

template <class Part> end run(const Part&) { return end::not_possible; }
inline bool may_lock_only(std::size_t) { return false; }
inline bool may_map_only(std::size_t, std::size_t) { return false; }
inline bool refuse_to_populate(int) { return false; }
inline bool refuse_to_open_pages(int) { return false; }
inline bool refuse_to_lock(int) { return false; }
inline bool forbid_reserved_huge_pages() { return false; }

#endif

/// Whether a part ended as `expected`, or could not run here.
inline bool ended(end found, end expected) { return found == expected || found == end::not_possible; }

}  // namespace child
