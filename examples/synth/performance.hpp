// SPDX-License-Identifier: BSL-1.0
// performance: plays a score in a separate process, on an audio thread that a filter may watch.
#pragma once

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <exception>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include "note_ring.hpp"
#include "real_time.hpp"
#include "recording.hpp"
#include "score.hpp"
#include "synthesiser.hpp"
#include "voice.hpp"

/// A fault of the audio thread in the middle of the performance, to see that it is found.
enum class misdeed { none, write, allocate, fault };

/// How a score is played.
struct performance {
    const score* notes = nullptr;
    std::uint32_t callbacks = 0;
    bool is_paced = false;                // each callback waits for its time, as behind a sound card
    unsigned filter = SECCOMP_RET_ALLOW;  // what a system call during the callbacks causes
    misdeed deed = misdeed::none;
    double nanoseconds_per_tick = 1;  // of counter_clock
};

/// The threads of a performance, and what they share. It lives until its process ends: the audio thread never returns.
template <class Voices> class concert {
public:
    concert(const performance& how, recording& out) : how_(how), out_(&out), callback_ticks_(ticks_of(callback_ns)) {}

    /// Plays all of it.
    void play() {
        recording_head& head = out_->head();
        (void)page_faults_of(::getpid());  // throws now, and not later, if /proc has no figures
        std::thread([this] { write_notes(); }).detach();
        std::thread([this] { render_all(); }).detach();
        await([this] { return audio_thread_.load() != 0; });
        const page_faults before = page_faults_of(audio_thread_.load());
        may_start_.store(true);
        await([this] { return is_done_.load(); });
        const page_faults after = page_faults_of(audio_thread_.load());
        head.counted.faults = {after.minor - before.minor, after.major - before.major};
    }

private:
    static constexpr long callback_ns = 1'000'000'000L * block_frames / static_cast<long>(sample_rate);

    template <class Condition> static void await(Condition&& holds) {
        while (!holds()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }

    /// The other thread. It plays ahead, as far as the ring reaches.
    void write_notes() {
        for (const note_event& event : *how_.notes) {
            written_.store(event.callback, std::memory_order_release);
            while (!ring_.push(event)) std::this_thread::sleep_for(std::chrono::microseconds(50));
        }
        written_.store(std::numeric_limits<std::uint32_t>::max(), std::memory_order_release);
    }

    /// The audio thread. Before the filter it may take its time. Afterwards it may only compute.
    void render_all() {
        recording_head& head = out_->head();
        warm_up();
        touch_stack();
        out_->touch();
        recording_head::say(head.memory, lock_memory());
        // Without pacing, the thread never sleeps. With the highest priority, it would starve all others.
        recording_head::say(head.priority, how_.is_paced ? raise_priority() : "as every thread");
        fresh_page_ = make_fresh_page();
        const std::size_t warm_refusals = voices_.refused();
        ::clock_gettime(CLOCK_MONOTONIC, &due_);
        const auto thread = static_cast<pid_t>(::syscall(SYS_gettid));
        if (how_.filter != SECCOMP_RET_ALLOW) {
            recording_head::say(head.filter, is_sanitized ? "sanitizers make system calls of their own"
                                                          : forbid_system_calls(how_.filter, how_.is_paced));
        }
        audio_thread_.store(thread);
        while (!may_start_.load()) pause();

        first_tick_ = counter_clock::now();
        for (std::uint32_t now = 0; now < how_.callbacks; ++now) {
            pause();
            while (written_.load(std::memory_order_acquire) <= now) {  // so that each run plays the same notes
            }
            const std::uint64_t start = counter_clock::now();
            callback(now);
            const std::uint64_t end = counter_clock::now();
            out_->ticks()[now] = static_cast<std::uint32_t>(std::min<std::uint64_t>(end - start, UINT32_MAX));
            head.counted.missed += how_.is_paced && end - first_tick_ > (now + 2) * callback_ticks_ ? 1 : 0;
            head.callbacks.store(now + 1, std::memory_order_relaxed);
        }
        head.counted.started = synth_.started();
        head.counted.stolen = synth_.stolen();
        head.counted.refused = voices_.refused() - warm_refusals;
        head.counted.peak = synth_.peak();
        synth_.silence();
        head.counted.left = voices_.in_use();
        is_done_.store(true);
        for (;;) pause();  // the main thread ends the process
    }

    /// What a sound card calls. Plays the notes that are due, and renders a block of 16-bit samples.
    void callback(std::uint32_t now) {
        for (const note_event* event = ring_.front(); event != nullptr && event->callback <= now;
             event = ring_.front()) {
            synth_.play(*event);
            ring_.pop();
        }
        sample_block mix;
        synth_.render(mix);
        std::int16_t* out = out_->samples().data() + now * block_frames;
        for (const float frame : mix) {
            const bool fits = frame > -1 && frame < 1;  // false if it is not a number
            out_->head().counted.clipped += fits ? 0 : 1;
            *out++ = static_cast<std::int16_t>(fits ? frame * 32767 : 0);
        }
        if (how_.deed != misdeed::none && now == how_.callbacks / 2) do_wrong();
    }

    /// Runs all code once before anything is counted. A heap has then had all its voices.
    void warm_up() {
        const score notes = warm_up_score();
        auto event = notes.begin();
        sample_block mix;
        for (std::uint32_t now = 0; now < warm_up_callbacks; ++now) {
            for (; event != notes.end() && event->callback == now; ++event) synth_.play(*event);
            synth_.render(mix);
            (void)counter_clock::now();
        }
        synth_.silence();
    }

    /// Sleeps until the next callback is due. Without pacing, it returns at once.
    void pause() {
        due_.tv_nsec += callback_ns;
        if (due_.tv_nsec >= 1'000'000'000) {
            due_.tv_nsec -= 1'000'000'000;
            ++due_.tv_sec;
        }
        if (how_.is_paced) ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due_, nullptr);
    }

    /// A page that has no memory yet, even if memory is locked.
    [[nodiscard]] static volatile char* make_fresh_page() {
        constexpr std::size_t size = 4096;
        void* const page = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED) return nullptr;
        ::munlock(page, size);
        ::madvise(page, size, MADV_DONTNEED);
        return static_cast<volatile char*>(page);
    }

    void do_wrong() {
        if (how_.deed == misdeed::write) (void)!::write(STDOUT_FILENO, "", 0);
        if (how_.deed == misdeed::allocate) {
            const auto large = std::make_unique<char[]>(1 << 20);
            *const_cast<volatile char*>(large.get()) = 1;
        }
        if (how_.deed == misdeed::fault) *fresh_page_ = 1;
    }

    [[nodiscard]] std::uint64_t ticks_of(long nanoseconds) const {
        return static_cast<std::uint64_t>(static_cast<double>(nanoseconds) / how_.nanoseconds_per_tick);
    }

    performance how_;
    recording* out_;
    wave_table wave_;
    Voices voices_;
    synthesiser<Voices> synth_{voices_, wave_};
    note_ring ring_;
    std::atomic<std::uint32_t> written_ = 0;  // all notes of the callbacks before this one are in the ring
    std::atomic<pid_t> audio_thread_ = 0;     // when others may use it
    std::atomic<bool> may_start_ = false;
    std::atomic<bool> is_done_ = false;
    volatile char* fresh_page_ = nullptr;
    timespec due_{};
    std::uint64_t first_tick_ = 0;
    std::uint64_t callback_ticks_;
};

/// For SECCOMP_RET_TRAP: records the number of the system call. The return from here needs another call, which kills.
inline recording_head* trapped_into = nullptr;
inline void on_forbidden_call(int, siginfo_t* call, void*) { trapped_into->forbidden_call.store(call->si_syscall); }

/// Plays in a child process, which calls `prepare` first. Returns the signal that ended it; 0 if it played to the end.
/// Throws: std::runtime_error if the performance could not begin; std::system_error if there is no process.
template <class Voices> [[nodiscard]] int perform(const performance& how, recording& out, void (*prepare)()) {
    out.clear();
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child < 0) throw std::system_error(errno, std::generic_category(), "cannot fork");
    if (child == 0) {
        const rlimit no_core{};
        ::setrlimit(RLIMIT_CORE, &no_core);
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);       // with a real-time priority, nothing else would stop it
        ::prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);  // otherwise the system may later merge pages, which causes faults
        trapped_into = &out.head();
        struct sigaction noting {};
        noting.sa_sigaction = on_forbidden_call;
        noting.sa_flags = SA_SIGINFO;
        if (how.filter == SECCOMP_RET_TRAP) ::sigaction(SIGSYS, &noting, nullptr);
        try {
            prepare();
            std::make_unique<concert<Voices>>(how, out).release()->play();
        } catch (const std::exception& error) {
            recording_head::say(out.head().failure, error.what());
        }
        ::_exit(0);
    }
    int status = 0;
    if (::waitpid(child, &status, 0) != child) throw std::system_error(errno, std::generic_category(), "waitpid");
    if (out.head().failure[0] != 0) throw std::runtime_error(out.head().failure.data());
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0) throw std::runtime_error("a performance failed");
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}
