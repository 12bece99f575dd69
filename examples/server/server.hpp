// SPDX-License-Identifier: BSL-1.0
// server: accepts clients while it has connections for them, and ends when it is told to.
#pragma once

#include <algorithm>
#include <asio/error.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "answer.hpp"
#include "connection.hpp"
#include "lender.hpp"
#include "loop.hpp"
#include "memory.hpp"
#include "metrics.hpp"

struct server_options {
    const char* memory;
    asio::ip::tcp::endpoint address;
    unsigned threads;
    std::size_t connections;
    std::size_t buffers;
    std::chrono::milliseconds grace;  // for requests in flight at the end
    patience limits;
};

template <class Memory> class server : connections_of<Memory>::borrower {
public:
    /// Throws: asio::system_error if the address is in use or cannot be used.
    explicit server(const server_options& options)
        : options_(options),
          connection_store_(options.connections, "connections"),
          buffer_store_(options.buffers, "buffers"),
          connections_(
              [this] { return connection_store_.take(*quietest_loop(), around_); },
              "all " + std::to_string(options.connections) + " connections are in use: clients are not accepted"),
          buffers_([this] { return buffer_store_.take(); },
                   "all " + std::to_string(options.buffers) + " buffers are in use: requests wait, and are not read"),
          answers_([this](text& out) { write_metrics(now(), out); }) {
        for (unsigned i = 0; i < options.threads; ++i) loops_.push_back(std::make_unique<loop>());
        acceptor_.emplace(main_loop().context, options.address);
        acceptor_->non_blocking(true);
        pause_.emplace(main_loop().context);
        signals_.emplace(main_loop().context, SIGINT, SIGTERM);
    }

    [[nodiscard]] unsigned short port() const { return acceptor_->local_endpoint().port(); }

    /// Returns after SIGINT or SIGTERM, when no connection is left. False if a pool did not get everything back.
    bool run() {
        await_client();
        await_signal();
        {
            std::vector<std::jthread> threads;
            try {
                for (std::size_t i = 1; i < loops_.size(); ++i)
                    threads.emplace_back([one = loops_[i].get()] { run(*one); });
            } catch (...) {  // otherwise the join of the started threads would never end
                for (const auto& one : loops_) one->stop({});
                throw;
            }
            run(main_loop());
        }
        spare_.reset();
        return print_final(now());
    }

private:
    using loan = typename connections_of<Memory>::loan;

    static void run(loop& one) {
        try {
            one.run();
        } catch (const std::exception& error) {  // the other threads would never end
            std::fprintf(stderr, "server: %s\n", error.what());
            std::_Exit(1);
        }
    }

    [[nodiscard]] loop& main_loop() const { return *loops_.front(); }
    [[nodiscard]] loop* quietest_loop() const {
        const auto fewer = [](const auto& a, const auto& b) { return a->clients.load() < b->clients.load(); };
        return std::min_element(loops_.begin(), loops_.end(), fewer)->get();
    }

    void await_client() {
        acceptor_->async_wait(asio::socket_base::wait_read, [this](const asio::error_code& problem) {
            if (!problem) accept();
        });
    }

    /// Takes clients from the system's queue while there are connections for them. The others wait there.
    void accept() {
        while (acceptor_->is_open()) {
            if (!spare_) spare_ = connections_.take(*this);
            if (!spare_) return;  // `lent` continues
            asio::error_code problem;
            acceptor_->accept(spare_->socket(), problem);
            if (!problem) {
                asio::io_context& home = spare_->context();
                asio::post(
                    home, [accepted = std::move(spare_)]() mutable { connection<Memory>::start(std::move(accepted)); });
            } else if (problem == asio::error::would_block) {
                spare_.reset();
                return await_client();
            } else if (problem != asio::error::connection_aborted && problem != asio::error::interrupted) {
                spare_.reset();
                return wait_after(problem);
            }
        }
        spare_.reset();
    }
    void lent(loan connection) override {
        asio::post(main_loop().context, [this, got = std::move(connection)]() mutable {
            spare_ = std::move(got);
            accept();
        });
    }

    /// Usually there are too many open files. The client stays in the system's queue.
    void wait_after(const asio::error_code& problem) {
        if (accept_errors_.fetch_add(1, std::memory_order_relaxed) % 10 == 0) {  // once per second
            std::fprintf(stderr, "server: cannot accept a client: %s; trying again\n", problem.message().c_str());
        }
        pause_->expires_after(std::chrono::milliseconds(100));
        pause_->async_wait([this](const asio::error_code& aborted) {
            if (!aborted) accept();
        });
    }

    void await_signal() {
        signals_->async_wait([this](const asio::error_code& problem, int) {
            if (problem) return;
            std::puts("server: stops");
            (void)std::fflush(stdout);
            asio::error_code ignored;
            acceptor_->close(ignored);
            pause_->cancel();
            connections_.forget(*this);
            for (const auto& one : loops_) one->stop(loop::clock::now() + options_.grace);
        });
    }

    [[nodiscard]] figures now() const {
        const auto of = [](const char* name, const auto& store, const auto& lender) {
            return pool_figures{name, store.stats(), lender.waiting(), lender.waits(), lender.longest_wait()};
        };
        figures all{
            .memory = options_.memory,
            .uptime = std::chrono::duration<double>(loop::clock::now() - started_).count(),
            .accept_errors = accept_errors_.load(std::memory_order_relaxed),
            .pools = {of("connections", connection_store_, connections_), of("buffers", buffer_store_, buffers_)}};
        for (const auto& one : loops_) all.add(one->counts);
        return all;
    }

    const server_options options_;
    const loop::clock::time_point started_ = loop::clock::now();
    std::atomic<std::uint64_t> accept_errors_ = 0;
    typename Memory::template store<connection<Memory>> connection_store_;  // outlives the loops: their handlers own
    typename Memory::template store<io_buffer> buffer_store_;               // connections, which own buffers
    connections_of<Memory> connections_;
    buffers_of<Memory> buffers_;
    responder answers_;
    const surroundings<Memory> around_{buffers_, connections_, answers_, options_.limits,
                                       static_cast<std::ptrdiff_t>(options_.buffers)};
    std::vector<std::unique_ptr<loop>> loops_;
    std::optional<asio::ip::tcp::acceptor> acceptor_;  // these belong to the main loop
    std::optional<asio::steady_timer> pause_;
    std::optional<asio::signal_set> signals_;
    loan spare_;  // for the next client
};
