// SPDX-License-Identifier: BSL-1.0
// recorder: preloaded into a program, it records what the program allocates. ../traces/README.md says how to use it.
//
// Each event goes straight into the mapped file, to a place that an atomic counter assigns. So there is no lock that a
// signal or a fork could find held. Nothing has to be flushed: a program that is killed loses nothing.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "recording.hpp"

namespace {

/// The functions that the program would have without this library.
struct functions {
    void* (*malloc)(std::size_t);
    void* (*calloc)(std::size_t, std::size_t);
    void* (*realloc)(void*, std::size_t);
    void (*free)(void*);
    int (*posix_memalign)(void**, std::size_t, std::size_t);
    void* (*aligned_alloc)(std::size_t, std::size_t);
    void* (*memalign)(std::size_t, std::size_t);
    void* (*valloc)(std::size_t);
    void* (*pvalloc)(std::size_t);
    const char* (*strerrordesc_np)(int);  // not everywhere; strerror may lock and allocate
};

template <class Function> void look_up(Function& function, const char* name) {
    function = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

/// nullptr while the functions are looked up, which may itself allocate. The first call comes before there are threads.
const functions* next_functions() {
    static constinit functions next{};
    static constinit std::atomic<const functions*> known{nullptr};
    static constinit thread_local bool is_looking_up = false;
    if (const functions* const found = known.load(std::memory_order_acquire)) return found;
    if (is_looking_up) return nullptr;
    is_looking_up = true;
    look_up(next.malloc, "malloc");
    look_up(next.calloc, "calloc");
    look_up(next.realloc, "realloc");
    look_up(next.free, "free");
    look_up(next.posix_memalign, "posix_memalign");
    look_up(next.aligned_alloc, "aligned_alloc");
    look_up(next.memalign, "memalign");
    look_up(next.valloc, "valloc");
    look_up(next.pvalloc, "pvalloc");
    look_up(next.strerrordesc_np, "strerrordesc_np");
    known.store(&next, std::memory_order_release);
    is_looking_up = false;
    return &next;
}

/// Serves allocations during the lookup: zeros, never released.
alignas(std::max_align_t) constinit std::byte early_memory[16 * 1024]{};

void* early_block(std::size_t size) {
    static constinit std::size_t used = 0;
    constexpr std::size_t unit = alignof(std::max_align_t);
    if (size > sizeof early_memory - used - unit) return nullptr;
    std::byte* const block = early_memory + used;
    used += (size + unit - 1) / unit * unit;
    return block;
}

bool is_early(const void* block) { return block >= std::begin(early_memory) && block < std::end(early_memory); }

/// The running recording. A fork blanks its memory in the child, so the child starts its own recording.
struct recording {
    static constexpr std::size_t events_a_window = recording_window / sizeof(recorded_event);
    static constexpr std::size_t most_windows = std::size_t{1} << 15;

    enum : int { blank, starting, running, stopped };
    std::atomic<int> stage;
    std::atomic<std::size_t> places;  // assigned so far, with those of the header
    std::atomic<recorded_event*> windows[most_windows];
    char path[PATH_MAX];
    ::dev_t device;  // identifies the file, which another one may replace
    ::ino_t number;
};

constinit std::atomic<recording*> current{nullptr};
constinit std::atomic<bool> has_failed{false};          // for children, too: one message is enough
constinit std::atomic<std::uint32_t> threads{0};        // not blanked: a child's thread keeps its number
constinit char variable_for_children[PATH_MAX + 64]{};  // part of the environment

/// malloc and free must not change errno.
struct errno_kept {
    int value = errno;
    errno_kept() = default;
    errno_kept(const errno_kept&) = delete;
    errno_kept& operator=(const errno_kept&) = delete;
    ~errno_kept() { errno = value; }
};

/// Ends the recording; the program goes on.
void stop(recording* r, const char* what, int error) {
    if (r != nullptr) r->stage.store(recording::stopped, std::memory_order_release);
    if (has_failed.exchange(true)) return;
    const functions* const next = next_functions();
    const char* const why =
        next != nullptr && next->strerrordesc_np != nullptr ? next->strerrordesc_np(error) : nullptr;
    char line[PATH_MAX + 256];
    const int length =
        std::snprintf(line, sizeof line, "recorder: %s: %s %s (errno %d); the program goes on unrecorded\n",
                      r != nullptr ? r->path : "recording", what, why != nullptr ? why : "error", error);
    if (::write(STDERR_FILENO, line, std::min(static_cast<std::size_t>(length), sizeof line - 1)) < 0) return;
}

/// Extends the file, and maps the new part. If that fails, ends the recording and returns nullptr. The file is not kept
/// open: the program may close unknown files, and reuse their numbers.
recorded_event* map_window(recording& r, std::size_t window) {
    const errno_kept keep;
    const auto fail = [&r](const char* what, int error) {
        stop(&r, what, error);
        return nullptr;
    };
    if (window >= recording::most_windows) return fail("is as long as a recording can be:", EFBIG);
    int file = -1;
    do file = ::open(r.path, O_RDWR | O_CLOEXEC);
    while (file < 0 && errno == EINTR);
    if (file < 0) return fail("cannot be opened again:", errno);
    const auto offset = static_cast<::off_t>(window * recording_window);
    struct ::stat status {};
    int error = ::fstat(file, &status) != 0 ? errno : 0;
    if (error == 0 && (status.st_dev != r.device || status.st_ino != r.number)) error = ESTALE;
    struct ::rlimit limit {};
    if (error == 0 && ::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < (window + 1) * recording_window)
        error = EFBIG;  // else SIGXFSZ
    // Missing space would raise a signal later, when it is written to.
    const auto size = static_cast<::off_t>(recording_window);
    if (error == 0) do
            error = ::posix_fallocate(file, offset, size);
        while (error == EINTR);
    void* mapped = MAP_FAILED;
    if (error == 0) {
        mapped = ::mmap(nullptr, recording_window, PROT_READ | PROT_WRITE, MAP_SHARED, file, offset);
        if (mapped == MAP_FAILED) error = errno;
    }
    ::close(file);
    if (error != 0) return fail("cannot grow:", error);

    recorded_event* first = nullptr;
    if (r.windows[window].compare_exchange_strong(first, static_cast<recorded_event*>(mapped)))
        return static_cast<recorded_event*>(mapped);
    ::munmap(mapped, recording_window);  // another thread was faster
    return first;
}

/// Sets the path: $FIXPOOL_RECORDING, with the process's number in place of %p. Returns an errno.
int set_path(recording& r, const char* pattern) {
    std::size_t length = 0;
    if (*pattern != '/') {
        if (::getcwd(r.path, sizeof r.path) == nullptr) return errno;
        length = std::strlen(r.path);
        r.path[length++] = '/';
    }
    for (; *pattern != 0; ++pattern) {
        if (length + 16 > sizeof r.path) return ENAMETOOLONG;
        if (pattern[0] == '%' && pattern[1] == 'p') {
            length += static_cast<std::size_t>(std::snprintf(r.path + length, 16, "%d", ::getpid()));
            ++pattern;
        } else {
            r.path[length++] = *pattern;
        }
    }
    r.path[length] = 0;
    return 0;
}

/// Makes the file. Replaces an existing file and does not empty it, because another process may still write into it.
/// With `keeps`, leaves it alone: nobody chose its name. Returns an errno.
int make_file(recording& r, bool keeps) {
    struct ::stat status {};
    if (!keeps && ::lstat(r.path, &status) == 0 && S_ISREG(status.st_mode)) ::unlink(r.path);
    const auto open_new = [&r] { return ::open(r.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666); };
    int file = open_new();
    for (std::size_t end = std::strlen(r.path); keeps && file < 0 && errno == EEXIST && end + 1 < sizeof r.path;
         ++end) {
        r.path[end] = '+';
        r.path[end + 1] = 0;
        file = open_new();
    }
    if (file < 0) return errno;
    const int error = ::fstat(file, &status) != 0 ? errno : 0;
    r.device = status.st_dev;
    r.number = status.st_ino;
    ::close(file);
    return error;
}

void write_header(recording& r, recorded_event* start) {
    recording_header header{};
    std::memcpy(header.magic, recording_header::expected_magic, sizeof header.magic);
    header.version = recording_header::expected_version;
    char program[PATH_MAX] = "";
    const ::ssize_t length = ::readlink("/proc/self/exe", program, sizeof program - 1);
    program[std::max<::ssize_t>(length, 0)] = 0;
    const char* const slash = std::strrchr(program, '/');
    std::strncpy(header.program, slash != nullptr ? slash + 1 : "program", sizeof header.program - 1);
    std::memcpy(start, &header, sizeof header);
    r.places.store(sizeof header / sizeof *start, std::memory_order_relaxed);
}

/// Gives child processes and executed programs file names of their own, by the environment. setenv would lock.
void name_children(const recording& r) {
    constexpr char name[] = "FIXPOOL_RECORDING=";
    std::snprintf(variable_for_children, sizeof variable_for_children, "%s%s.%%p", name, r.path);
    for (char** entry = environ; *entry != nullptr; ++entry) {
        if (std::strncmp(*entry, name, sizeof name - 1) == 0) *entry = variable_for_children;
    }
}

/// Starts the recording at the process's first event.
recording* start() {
    if (has_failed || environ == nullptr) return nullptr;  // no environment: the C library has not started yet
    const errno_kept keep;
    recording* r = current.load(std::memory_order_acquire);
    if (r == nullptr) {
        void* const memory =
            ::mmap(nullptr, sizeof(recording), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED || ::madvise(memory, sizeof(recording), MADV_WIPEONFORK) != 0) {
            stop(nullptr, "cannot be started, which takes Linux 4.14:", errno);
            return nullptr;
        }
        r = static_cast<recording*>(memory);  // zeros are a blank recording
        current.store(r, std::memory_order_release);
    }
    int blank = recording::blank;
    if (!r->stage.compare_exchange_strong(blank, recording::starting)) return nullptr;
    const char* const pattern = std::getenv("FIXPOOL_RECORDING");
    const bool is_given = pattern != nullptr && *pattern != 0;
    int error = set_path(*r, is_given ? pattern : "recording-%p.fixpool");
    if (error == 0) error = make_file(*r, !is_given);
    if (error != 0) {
        stop(r, "cannot be made:", error);
        return nullptr;
    }
    recorded_event* const first = map_window(*r, 0);
    if (first == nullptr) return nullptr;
    write_header(*r, first);
    name_children(*r);
    r->stage.store(recording::running, std::memory_order_release);
    return r;
}

/// Writes an event. The counter orders the events of a block: each happens while no other thread can have the block.
void record(const void* block, std::uint32_t size, std::uint32_t alignment_log2) {
    recording* r = current.load(std::memory_order_acquire);
    const int stage = r != nullptr ? r->stage.load(std::memory_order_acquire) : recording::blank;
    if (stage == recording::blank) r = start();
    else if (stage != recording::running) return;
    if (r == nullptr) return;

    static constinit thread_local std::uint32_t thread = 0;
    if (thread == 0)
        thread = std::min(threads.fetch_add(1, std::memory_order_relaxed) + 1, recorded_event::most_threads);

    const std::size_t place = r->places.fetch_add(1, std::memory_order_relaxed);
    const std::size_t window = place / recording::events_a_window;
    recorded_event* events = nullptr;
    if (window < recording::most_windows) events = r->windows[window].load(std::memory_order_acquire);
    if (events == nullptr) events = map_window(*r, window);
    if (events == nullptr) return;
    recorded_event& event = events[place % recording::events_a_window];
    event.size = size;
    event.thread = thread & recorded_event::most_threads;
    event.alignment_log2 = alignment_log2 & 0xffU;
    // The address comes last: an event that has one is complete.
    __atomic_store_n(&event.address, reinterpret_cast<std::uintptr_t>(block), __ATOMIC_RELEASE);
}

void record_release(const void* block) { record(block, 0, 0); }

/// Records `block` unless it is nullptr, and returns it. `alignment` is the requested one, if it is a special one.
void* recorded(void* block, std::size_t size, std::size_t alignment = 0) {
    if (block != nullptr) {
        const std::uint32_t alignment_log2 = alignment <= alignof(std::max_align_t)
                                                 ? 0
                                                 : std::min(static_cast<std::uint32_t>(std::bit_width(alignment - 1)),
                                                            recorded_event::most_alignment_log2);
        record(block, static_cast<std::uint32_t>(std::clamp<std::size_t>(size, 1, UINT32_MAX)), alignment_log2);
    }
    return block;
}

std::size_t page_size() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

}  // namespace

extern "C" {

void* malloc(std::size_t size) noexcept {
    const functions* const next = next_functions();
    return next != nullptr ? recorded(next->malloc(size), size) : early_block(size);
}

void* calloc(std::size_t nmemb, std::size_t size) noexcept {
    const functions* const next = next_functions();
    return next != nullptr ? recorded(next->calloc(nmemb, size), nmemb * size) : early_block(nmemb * size);
}

void free(void* ptr) noexcept {
    if (ptr == nullptr || is_early(ptr)) return;
    record_release(ptr);  // before another thread can get it
    if (const functions* const next = next_functions()) next->free(ptr);
}

void* realloc(void* ptr, std::size_t size) noexcept {
    const functions* const next = next_functions();
    if (next == nullptr) return nullptr;
    if (is_early(ptr)) {
        void* const moved = malloc(size);
        const auto* const from = static_cast<const std::byte*>(ptr);
        const auto left = static_cast<std::size_t>(std::end(early_memory) - from);
        if (moved != nullptr) std::memcpy(moved, from, std::min(size, left));
        return moved;
    }
    if (ptr != nullptr) record_release(ptr);  // even if there is no memory then: a small loss
    return recorded(next->realloc(ptr, size), size);
}

void* reallocarray(void* ptr, std::size_t nmemb, std::size_t size) noexcept {
    std::size_t bytes = 0;
    if (__builtin_mul_overflow(nmemb, size, &bytes)) {
        errno = ENOMEM;
        return nullptr;
    }
    return realloc(ptr, bytes);
}

int posix_memalign(void** memptr, std::size_t alignment, std::size_t size) noexcept {
    const functions* const next = next_functions();
    const int error = next != nullptr ? next->posix_memalign(memptr, alignment, size) : ENOMEM;
    if (error == 0) recorded(*memptr, size, alignment);
    return error;
}

void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
    const functions* const next = next_functions();
    return next != nullptr ? recorded(next->aligned_alloc(alignment, size), size, alignment) : nullptr;
}

void* memalign(std::size_t alignment, std::size_t size) noexcept {
    const functions* const next = next_functions();
    return next != nullptr ? recorded(next->memalign(alignment, size), size, alignment) : nullptr;
}

void* valloc(std::size_t size) noexcept {
    const functions* const next = next_functions();
    return next != nullptr ? recorded(next->valloc(size), size, page_size()) : nullptr;
}

void* pvalloc(std::size_t size) noexcept {
    const functions* const next = next_functions();
    return next != nullptr ? recorded(next->pvalloc(size), size, page_size()) : nullptr;
}

}  // extern "C"
