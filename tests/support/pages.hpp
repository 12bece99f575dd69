// SPDX-License-Identifier: BSL-1.0
// pages: what the system says about memory: how a page is mapped, whether it has memory, how much is locked. The
// functions `tells_...` try whether the answers are right: emulators and sanitizers do not know everything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string_view>

#if defined(__linux__)
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#elif defined(_WIN32)
#if !defined(NOMINMAX)
#define NOMINMAX
#endif
#include <windows.h>
#endif

namespace pages {

enum class access : unsigned char { unmapped, closed, open };  // closed: mapped, but nobody can read or write it

inline constexpr std::size_t huge_size = std::size_t{2} << 20;  // bytes

#if defined(__linux__)

inline std::size_t size() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

/// The contents of a file, valid until the next call. Takes no memory, because the file may describe the memory.
inline std::string_view content(const char* path) {
    static char text[std::size_t{1} << 20];
    std::size_t length = 0;
    const int file = ::open(path, O_RDONLY | O_CLOEXEC);
    for (::ssize_t n = 1; file >= 0 && n > 0 && length < sizeof text - 1; length += static_cast<std::size_t>(n)) {
        n = ::read(file, text + length, sizeof text - 1 - length);
        if (n < 0) n = 0;
    }
    if (file >= 0) ::close(file);
    text[length] = 0;
    return {text, length};
}

/// Calls fn(line, begin, end) for each line of a list of mappings. The line is about the mapping from begin to end.
template <class Fn> void for_each_line(const char* path, const Fn& fn) {
    std::string_view rest = content(path);
    unsigned long long begin = 0, end = 0;
    while (!rest.empty()) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(line.size() < rest.size() ? line.size() + 1 : line.size());
        unsigned long long first = 0, last = 0;
        if (std::sscanf(line.data(), "%llx-%llx ", &first, &last) == 2) {
            begin = first;
            end = last;
        }
        fn(line, begin, end);
    }
}

inline bool tells_access() { return true; }
inline access access_of(const void* address) {
    access found = access::unmapped;
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    for_each_line("/proc/self/maps", [&](std::string_view line, auto begin, auto end) {
        if (begin <= at && at < end)
            found = line.find(" rw-p ") != std::string_view::npos ? access::open : access::closed;
    });
    return found;
}

/// Whether the mapping of `address` has huge pages, or has asked for them.
inline bool is_huge(const void* address) {
    bool found = false;
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    for_each_line("/proc/self/smaps", [&](std::string_view line, auto begin, auto end) {
        if (begin <= at && at < end && line.starts_with("VmFlags:"))
            found = line.find(" hg") != std::string_view::npos || line.find(" ht") != std::string_view::npos;
    });
    return found;
}

/// Mapped bytes. Not the kernel's own sum: under an emulator that is the emulator's.
inline std::size_t mapped() {
    unsigned long long sum = 0;
    for_each_line("/proc/self/maps", [&](std::string_view, auto begin, auto end) { sum += end - begin; });
    return static_cast<std::size_t>(sum);
}

/// Bytes that are locked.
inline std::size_t locked() {
    constexpr std::string_view key = "VmLck:";
    const std::string_view all = content("/proc/self/status");
    const std::size_t at = all.find(key);
    unsigned long kilobytes = 0;
    if (at != std::string_view::npos) std::sscanf(all.data() + at + key.size(), "%lu", &kilobytes);
    return kilobytes * std::size_t{1024};
}

/// How many of the pages have memory.
inline std::size_t resident(const std::byte* bytes, std::size_t length) {
    std::size_t count = 0;
    for (std::size_t at = 0; at < length; at += size()) {
        unsigned char page = 0;
        count += ::mincore(const_cast<std::byte*>(bytes) + at, 1, &page) == 0 && (page & 1) != 0;
    }
    return count;
}

/// Memory for a trial.
class sample {
public:
    sample() : bytes_(::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {}
    sample(const sample&) = delete;
    sample& operator=(const sample&) = delete;
    ~sample() { ::munmap(bytes_, length); }
    [[nodiscard]] std::byte* get() const { return static_cast<std::byte*>(bytes_); }
    static constexpr std::size_t length = 2 * huge_size;

private:
    void* bytes_;
};

inline bool tells_closed() {
    const sample trial;
    ::mprotect(trial.get() + size(), size(), PROT_NONE);
    return access_of(trial.get()) == access::open && access_of(trial.get() + size()) == access::closed;
}
inline bool tells_huge() {
    const sample trial;
    return ::madvise(trial.get(), sample::length, MADV_HUGEPAGE) == 0 && is_huge(trial.get());
}
/// Valgrind maps memory for the program and for itself in the same process, at times that a trial may miss.
inline bool tells_mapped() {
    if (content("/proc/self/maps").find("/valgrind/") != std::string_view::npos) return false;
    const std::size_t before = mapped();
    const sample trial;
    return tells_closed() && mapped() == before + sample::length;
}
inline bool tells_locked() {
    const sample trial;
    const std::size_t before = locked();
    return ::mlock(trial.get(), sample::length) == 0 && locked() == before + sample::length;
}
/// Also checks that memory is there when the system says that it has populated pages.
inline bool tells_residence() {
    const sample trial, populated;
    const bool is_empty = resident(trial.get(), sample::length) == 0;
    *static_cast<volatile std::byte*>(trial.get()) = std::byte{1};
    return is_empty && resident(trial.get(), size()) == 1 &&
           (::madvise(populated.get(), sample::length, 23) != 0 ||
            resident(populated.get(), sample::length) == sample::length / size());
}

#else

#if defined(_WIN32)
inline bool tells_access() { return true; }
inline bool tells_closed() { return true; }
inline access access_of(const void* address) {
    MEMORY_BASIC_INFORMATION of{};
    ::VirtualQuery(address, &of, sizeof of);
    if (of.State == MEM_FREE) return access::unmapped;
    return of.State == MEM_COMMIT && of.Protect == PAGE_READWRITE ? access::open : access::closed;
}
#else
inline bool tells_access() { return false; }
inline bool tells_closed() { return false; }
inline access access_of(const void*) { return access::unmapped; }
#endif

inline std::size_t size() { return 4096; }
inline bool is_huge(const void*) { return false; }
inline std::size_t locked() { return 0; }
inline std::size_t mapped() { return 0; }
inline std::size_t resident(const std::byte*, std::size_t) { return 0; }
inline bool tells_huge() { return false; }
inline bool tells_mapped() { return false; }
inline bool tells_locked() { return false; }
inline bool tells_residence() { return false; }

#endif

// If the system cannot tell, they are right.
inline bool is_open(const void* address) { return !tells_access() || access_of(address) == access::open; }
inline bool is_unmapped(const void* address) { return !tells_access() || access_of(address) == access::unmapped; }
inline bool is_closed(const void* address) {
    return !tells_access() || access_of(address) == (tells_closed() ? access::closed : access::unmapped);
}

}  // namespace pages
