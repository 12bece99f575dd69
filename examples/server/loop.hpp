// SPDX-License-Identifier: BSL-1.0
// loop: an io_context that one thread runs, its connections, and their counters.
#pragma once

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

/// One io_context per thread. All handlers of a connection run on the same thread, so a connection needs no lock and no
/// strand. The threads do not share a queue of handlers.
/// Thread safety: `context`, `counts` and `clients` from any thread. Everything else belongs to the loop's thread.
class loop {
public:
    using clock = std::chrono::steady_clock;

    /// Something that the loop checks a few times per second. It is in the loop's list from `join` to its end.
    class member {
    public:
        member() = default;
        member(const member&) = delete;
        member& operator=(const member&) = delete;
        virtual ~member() {
            if (list_ == nullptr) return;
            (previous_ == nullptr ? list_->first_ : previous_->next_) = next_;
            if (next_ != nullptr) next_->previous_ = previous_;
        }

    protected:
        void join(loop& list) noexcept {
            list_ = &list;
            next_ = list.first_;
            if (next_ != nullptr) next_->previous_ = this;
            list.first_ = this;
        }

    private:
        friend loop;
        /// Cancels an operation that takes too long, or any if `at_once`. Its handler then ends the member.
        virtual void look(clock::time_point now, bool at_once) = 0;

        loop* list_ = nullptr;
        member* previous_ = nullptr;
        member* next_ = nullptr;
    };

    struct counters {
        std::atomic<std::uint64_t> clients = 0;
        std::atomic<std::uint64_t> requests = 0;  // answered
        std::atomic<std::uint64_t> errors = 0;    // answered with 4xx or 5xx
        std::atomic<std::uint64_t> overdue = 0;   // connections closed because a request took too long
        std::atomic<std::uint64_t> bytes = 0;     // sent
    };

    loop() : timer_(context) { tick(); }
    loop(const loop&) = delete;
    loop& operator=(const loop&) = delete;

    void run() { context.run(); }

    /// From any thread: closes idle connections now, others after their request, and all at `deadline`.
    void stop(clock::time_point deadline) {
        asio::post(context, [this, deadline] {
            stops_ = true;
            deadline_ = deadline;
            timer_.cancel();  // this triggers a tick
        });
    }
    [[nodiscard]] bool stops() const noexcept { return stops_; }
    [[nodiscard]] bool is_over() const noexcept { return stops_ && clock::now() >= deadline_; }

    alignas(64) counters counts;           // shares no cache line with another thread's loop
    std::atomic<std::size_t> clients = 0;  // connections that chose this loop

private:
    void tick() {
        const auto now = clock::now();
        for (member* one = first_; one != nullptr;)
            std::exchange(one, one->next_)->look(now, stops_ && now >= deadline_);
        if (stops_ && first_ == nullptr) return;  // nothing is left to do, so run() returns
        timer_.expires_after(std::chrono::milliseconds(25));
        timer_.async_wait([this](const asio::error_code&) { tick(); });
    }

    member* first_ = nullptr;
    clock::time_point deadline_{};
    bool stops_ = false;

public:
    asio::io_context context{1};  // 1: one thread runs it. Its end ends connections, so the list must outlive it

private:
    asio::steady_timer timer_;
};
