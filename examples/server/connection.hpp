// SPDX-License-Identifier: BSL-1.0
// connection: one client. The handler that waits for it owns it. It holds a buffer only while a request is in flight.
#pragma once

#include <algorithm>
#include <array>
#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/write.hpp>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <utility>

#include "answer.hpp"
#include "lender.hpp"
#include "loop.hpp"
#include "memory.hpp"
#include "request.hpp"

/// Time limits.
struct patience {
    std::chrono::milliseconds contested{300};         // a request holds its buffer while others wait for one
    std::chrono::milliseconds least{25};              // the same while very many wait
    std::chrono::milliseconds uncontested{10'000};    // the same while nobody waits
    std::chrono::milliseconds idle{60'000};           // between two requests
    std::chrono::milliseconds idle_when_full{1'000};  // the same while new clients wait for a connection
    std::chrono::milliseconds goodbye{500};           // for the client to close behind the last answer
};

template <class Memory> class connection;
template <class Memory, class T> using handle_of = typename Memory::template store<T>::handle;
template <class Memory> using buffers_of = lender<handle_of<Memory, io_buffer>>;
template <class Memory> using connections_of = lender<handle_of<Memory, connection<Memory>>>;

/// What all connections share.
template <class Memory> struct surroundings {
    buffers_of<Memory>& buffers;
    connections_of<Memory>& connections;
    const responder& answers;
    patience limits;
    std::ptrdiff_t buffer_count;
};

/// A pool hands out a handle with one owner. One operation is in flight at a time, so the next handler owns the
/// connection: `self` moves from handler to handler. The connection ends if no operation follows.
template <class Memory> class connection final : loop::member, buffers_of<Memory>::borrower {
public:
    using self = typename connections_of<Memory>::loan;

    connection(loop& home, const surroundings<Memory>& around)
        : around_(around), loop_(home), socket_(home.context), request_(io_buffer::input_size) {
        loop_.clients.fetch_add(1, std::memory_order_relaxed);
    }
    ~connection() override { loop_.clients.fetch_sub(1, std::memory_order_relaxed); }

    [[nodiscard]] asio::ip::tcp::socket& socket() noexcept { return socket_; }
    [[nodiscard]] asio::io_context& context() noexcept { return loop_.context; }

    /// A client was accepted. Called on the loop's thread.
    static void start(self me) {
        connection& c = *me;
        asio::error_code ignored;
        c.socket_.non_blocking(true, ignored);
        c.socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
        c.join(c.loop_);
        c.loop_.counts.clients.fetch_add(1, std::memory_order_relaxed);
        if constexpr (Memory::keeps_buffers) borrow(std::move(me));
        else rest(std::move(me));
    }

private:
    using buffer = typename buffers_of<Memory>::loan;
    using clock = loop::clock;
    enum class stage { idle, waiting, reading, writing, leaving };

    void enter(stage now) noexcept {
        stage_ = now;
        since_ = clock::now();
    }

    /// Between two requests, the connection has no buffer.
    static void rest(self me) {
        connection& c = *me;
        if (c.loop_.stops()) return;
        c.enter(stage::idle);
        c.socket_.async_wait(asio::socket_base::wait_read,
                             [me = std::move(me)](const asio::error_code& problem) mutable {
                                 if (!problem) borrow(std::move(me));
                             });
    }

    /// Bytes have arrived. Nothing is read before there is a buffer: until then the client's system keeps the data.
    static void borrow(self me) {
        connection& c = *me;
        c.enter(stage::waiting);
        c.me_ = std::move(me);  // while it waits, the queue does not own it
        if (buffer found = c.around_.buffers.take(c)) begin(std::move(c.me_), std::move(found));
    }
    void lent(buffer found) override {
        asio::post(loop_.context, [me = std::move(me_), found = std::move(found)]() mutable {
            begin(std::move(me), std::move(found));
        });
    }

    static void begin(self me, buffer found) {
        connection& c = *me;
        if (c.loop_.is_over()) return;  // nor does anybody behind it in the queue read now
        c.buffer_ = std::move(found);
        c.filled_ = 0;
        c.request_.restart();
        c.enter(Memory::keeps_buffers ? stage::idle : stage::reading);
        read(std::move(me));
    }

    static void read(self me) {
        connection& c = *me;
        auto room = asio::buffer(c.buffer_->input) + c.filled_;
        c.socket_.async_read_some(room,
                                  [me = std::move(me)](const asio::error_code& problem, std::size_t size) mutable {
                                      if (!problem || (me->is_overdue_ && me->filled_ > 0)) heard(std::move(me), size);
                                  });
    }
    static void heard(self me, std::size_t size) {
        connection& c = *me;
        if (c.stage_ == stage::idle) c.enter(stage::reading);
        c.filled_ += size;
        parse(std::move(me));
    }

    static void parse(self me) {
        connection& c = *me;
        switch (c.request_.parse(c.buffer_->input.data(), c.filled_)) {
            case request::progress::complete:
                // An overdue client gets no further request: what else it has sent must come over its next connection.
                return write(std::move(me),
                             c.around_.answers.to(c.request_, *c.buffer_, c.loop_.stops() || c.is_overdue_));
            case request::progress::wrong: return refuse(std::move(me), c.request_.status());
            case request::progress::partial: break;
        }
        if (c.is_overdue_) return refuse(std::move(me), 408);
        if (c.request_.takes_continue()) return go_on(std::move(me));
        read(std::move(me));
    }

    static void go_on(self me) {
        static constexpr std::string_view line = "HTTP/1.1 100 Continue\r\n\r\n";
        connection& c = *me;
        asio::async_write(c.socket_, asio::buffer(line),
                          [me = std::move(me)](const asio::error_code& problem, std::size_t) mutable {
                              if (!problem) read(std::move(me));
                          });
    }

    static void refuse(self me, unsigned status) {
        connection& c = *me;
        c.enter(stage::writing);
        write(std::move(me), responder::refusal(status, *c.buffer_));
    }

    static void write(self me, const answer& reply) {
        connection& c = *me;
        c.stage_ = stage::writing;
        const std::array<asio::const_buffer, 2> parts{asio::buffer(reply.head), asio::buffer(reply.body)};
        asio::async_write(c.socket_, parts,
                          [me = std::move(me), status = reply.status, closes = reply.closes](
                              const asio::error_code& problem, std::size_t size) mutable {
                              if (problem) return;
                              loop::counters& counts = me->loop_.counts;
                              counts.requests.fetch_add(1, std::memory_order_relaxed);
                              counts.bytes.fetch_add(size, std::memory_order_relaxed);
                              if (status >= 400) counts.errors.fetch_add(1, std::memory_order_relaxed);
                              if (closes) leave(std::move(me));
                              else next(std::move(me));
                          });
    }

    /// Continues with what the client sent behind the request, or gives the buffer back.
    static void next(self me) {
        connection& c = *me;
        const std::size_t used = c.request_.used();
        std::memmove(c.buffer_->input.data(), c.buffer_->input.data() + used, c.filled_ - used);
        c.filled_ -= used;
        c.request_.restart();
        if (c.filled_ > 0) {
            c.stage_ = stage::reading;
            if (c.around_.buffers.waiting() == 0) c.since_ = clock::now();  // nobody waits for it
            return parse(std::move(me));
        }
        if constexpr (Memory::keeps_buffers) {
            if (c.loop_.stops()) return;
            c.enter(stage::idle);
            read(std::move(me));
        } else {
            c.buffer_.reset();
            rest(std::move(me));
        }
    }

    /// Closes so that the last answer arrives: closing a socket with unread bytes resets the connection.
    static void leave(self me) {
        connection& c = *me;
        c.buffer_.reset();
        asio::error_code problem;
        c.socket_.shutdown(asio::socket_base::shutdown_send, problem);
        c.enter(stage::leaving);
        if (!problem) skip(std::move(me));
    }
    static void skip(self me) {
        connection& c = *me;
        c.socket_.async_wait(asio::socket_base::wait_read, [me = std::move(me)](asio::error_code problem) mutable {
            std::array<char, 4096> unread;  // NOLINT: never read
            if (!problem) me->socket_.read_some(asio::buffer(unread), problem);
            if (!problem || problem == asio::error::would_block) skip(std::move(me));
        });
    }

    void look(clock::time_point now, bool at_once) override {
        if (stage_ == stage::waiting) return;  // it gets its turn
        if (!at_once && now - since_ < limit()) return;
        if (stage_ == stage::reading || stage_ == stage::writing) {
            loop_.counts.overdue.fetch_add(1, std::memory_order_relaxed);
            is_overdue_ = !at_once;
        }
        asio::error_code ignored;
        if (at_once) socket_.close(ignored);
        else socket_.cancel(ignored);  // the operation's handler ends the connection, or answers 408
    }

    /// How long the stage may take.
    [[nodiscard]] std::chrono::milliseconds limit() const {
        const patience& limits = around_.limits;
        if (stage_ == stage::leaving) return limits.goodbye;
        if (stage_ == stage::idle && loop_.stops()) return {};
        if (stage_ == stage::idle) return around_.connections.waiting() > 0 ? limits.idle_when_full : limits.idle;
        const auto waiting = static_cast<std::ptrdiff_t>(around_.buffers.waiting());
        if (waiting == 0) return limits.uncontested;
        // The more clients wait, the less time each may take: the last in the queue waits about a second at most.
        return std::max(limits.least, limits.contested * around_.buffer_count / (around_.buffer_count + waiting));
    }

    const surroundings<Memory>& around_;
    loop& loop_;
    asio::ip::tcp::socket socket_;
    buffer buffer_;           // empty while idle, unless Memory keeps buffers
    std::size_t filled_ = 0;  // bytes of the buffer's input
    request request_;
    self me_;  // only in stage::waiting
    stage stage_ = stage::idle;
    clock::time_point since_{};  // start of the stage; for reading and writing: since the buffer is held
    bool is_overdue_ = false;
};
