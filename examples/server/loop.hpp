// SPDX-License-Identifier: BSL-1.0
// loop: an io_context that one thread runs, with the connections that live on it, and what they count.
#pragma once

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

/// One io_context per thread: all handlers of a connection run on the same thread. So a connection needs no lock and no
/// strand, and the threads do not share a queue of handlers.
/// Thread safety: `context`, `counts` and `clients` from any thread. All else belongs to the loop's thread.
class loop {
public:
    using clock = std::chrono::steady_clock;

    /// What the loop looks at a few times per second. It is in the loop's list from `join` to its end.
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
        /// Cancels what has taken too long, or all, when `at_once`. The handlers that are called then end the member.
        virtual void look(clock::time_point now, bool at_once) = 0;

        loop* list_ = nullptr;
        member* previous_ = nullptr;
        member* next_ = nullptr;
    };

    struct counters {
        std::atomic<std::uint64_t> clients = 0;
        std::atomic<std::uint64_t> requests = 0;  // answered
        std::atomic<std::uint64_t> errors = 0;    // answered with 4xx or 5xx
        std::atomic<std::uint64_t> overdue = 0;   // connections that were closed because a request took too long
        std::atomic<std::uint64_t> bytes = 0;     // sent
    };

    loop() : timer_(context) { tick(); }
    loop(const loop&) = delete;
    loop& operator=(const loop&) = delete;

    void run() { context.run(); }

    /// From any thread: idle connections are closed now, the others after their request; at `deadline` all are.
    void stop(clock::time_point deadline) {
        asio::post(context, [this, deadline] {
            stops_ = true;
            deadline_ = deadline;
            timer_.cancel();  // which is a tick
        });
    }
    [[nodiscard]] bool stops() const noexcept { return stops_; }
    [[nodiscard]] bool is_over() const noexcept { return stops_ && clock::now() >= deadline_; }

    alignas(64) counters counts;           // not on a cache line that another thread's loop writes
    std::atomic<std::size_t> clients = 0;  // connections that chose this loop

private:
    void tick() {
        const auto now = clock::now();
        for (member* one = first_; one != nullptr;)
            std::exchange(one, one->next_)->look(now, stops_ && now >= deadline_);
        if (stops_ && first_ == nullptr) return;  // nothing is left to do, and run() returns
        timer_.expires_after(std::chrono::milliseconds(25));
        timer_.async_wait([this](const asio::error_code&) { tick(); });
    }

    member* first_ = nullptr;
    clock::time_point deadline_{};
    bool stops_ = false;

public:
    asio::io_context context{1};  // 1: one thread runs it. Its end ends connections, so the list outlives it

private:
    asio::steady_timer timer_;
};
