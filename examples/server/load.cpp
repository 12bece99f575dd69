// SPDX-License-Identifier: BSL-1.0
// A client of HTTP servers. It measures what wrk does not: the longest wait of a client, and whether one got no answer.
#include <http_parser.h>

#include <algorithm>
#include <array>
#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <asio/write.hpp>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../support/arguments.hpp"
#include "../support/percentile.hpp"
#include "file_limit.hpp"

namespace {

using clock_type = std::chrono::steady_clock;
using tcp = asio::ip::tcp;

double ms_between(clock_type::time_point from, clock_type::time_point to) {
    return std::chrono::duration<double, std::milli>(to - from).count();
}

/// The results of all clients.
struct tally {
    explicit tally(asio::io_context& all) : context(all) {}

    void one_ends() {
        if (--active == 0) context.stop();
    }

    asio::io_context& context;
    std::size_t active = 0;     // clients
    std::vector<double> times;  // ms, of each answer
    std::size_t wrong = 0;      // answers that are not 200
    std::size_t broken = 0;     // connections that failed, or ended before the answer
};

/// Sends a request, reads the answer, and starts again, until it is told to stop.
class client {
public:
    client(tcp::endpoint server, const std::string& asks, tally& all)
        : socket_(all.context), server_(std::move(server)), asks_(asks), all_(all) {
        http_parser_init(&parser_, HTTP_RESPONSE);
        parser_.data = this;
        settings_.on_message_complete = [](http_parser* parser) {
            static_cast<client*>(parser->data)->is_answered_ = true;
            return 0;
        };
    }

    void start() {
        ++all_.active;
        since_ = clock_type::now();
        socket_.async_connect(server_, [this](const asio::error_code& problem) {
            if (problem) return break_off("cannot connect", problem);
            asio::error_code ignored;
            socket_.set_option(tcp::no_delay(true), ignored);
            ask();
        });
    }
    void stop() { stops_ = true; }

    [[nodiscard]] bool is_waiting() const { return is_waiting_; }
    [[nodiscard]] std::size_t answers() const { return answers_; }
    [[nodiscard]] double longest() const { return longest_; }  // ms
    [[nodiscard]] double waits_for(clock_type::time_point now) const { return ms_between(since_, now); }

private:
    void ask() {
        is_waiting_ = true;
        if (answers_ > 0) since_ = clock_type::now();  // the first answer's time includes the connection
        asio::async_write(socket_, asio::buffer(asks_), [this](const asio::error_code& problem, std::size_t) {
            if (problem) return break_off("cannot send", problem);
            hear();
        });
    }
    void hear() {
        socket_.async_read_some(asio::buffer(bytes_), [this](const asio::error_code& problem, std::size_t size) {
            if (problem) return break_off("no answer", problem);
            (void)http_parser_execute(&parser_, &settings_, bytes_.data(), size);
            if (HTTP_PARSER_ERRNO(&parser_) != HPE_OK) return break_off("no HTTP", {});
            if (!std::exchange(is_answered_, false)) return hear();
            is_waiting_ = false;
            const double time = ms_between(since_, clock_type::now());
            longest_ = std::max(longest_, time);
            ++answers_;
            all_.times.push_back(time);
            if (parser_.status_code != 200) ++all_.wrong;
            if (!stops_) ask();
            else end();
        });
    }
    void break_off(const char* what, const asio::error_code& problem) {
        if (all_.broken++ == 0) std::fprintf(stderr, "load: %s: %s\n", what, problem.message().c_str());
        is_waiting_ = true;
        end();
    }
    void end() {
        socket_.close();
        all_.one_ends();
    }

    tcp::socket socket_;
    tcp::endpoint server_;
    const std::string& asks_;
    tally& all_;
    http_parser parser_{};
    http_parser_settings settings_{};
    std::array<char, 4096> bytes_{};
    clock_type::time_point since_{};
    double longest_ = 0;
    std::size_t answers_ = 0;
    bool is_waiting_ = true;  // until the first answer
    bool is_answered_ = false;
    bool stops_ = false;
};

/// Sends a part of a request and nothing more until the server closes. Then it comes again.
class slow_client {
public:
    slow_client(asio::io_context& context, tcp::endpoint server) : socket_(context), server_(std::move(server)) {}

    void start() {
        socket_.async_connect(server_, [this](const asio::error_code& problem) {
            if (problem) return;
            asio::async_write(socket_, asio::buffer(piece), [this](const asio::error_code&, std::size_t) { linger(); });
        });
    }

private:
    static constexpr std::string_view piece = "GET /hello HTTP/1.1\r\nHost: ";

    void linger() {
        socket_.async_read_some(asio::buffer(bytes_), [this](const asio::error_code& problem, std::size_t) {
            if (!problem) return linger();
            socket_.close();
            start();
        });
    }

    tcp::socket socket_;
    tcp::endpoint server_;
    std::array<char, 256> bytes_{};
};

struct load_options {
    tcp::endpoint server;
    std::size_t clients;
    std::size_t slow;  // clients
    std::chrono::milliseconds time;
    double limit;  // ms
    std::string asks;
};

/// Whether every request was answered with 200 within the limit.
bool run(const load_options& options) {
    asio::io_context context{1};
    tally all(context);
    std::vector<std::unique_ptr<client>> clients;
    for (std::size_t i = 0; i < options.clients; ++i) {
        clients.push_back(std::make_unique<client>(options.server, options.asks, all));
        clients.back()->start();
    }
    std::vector<std::unique_ptr<slow_client>> slow;
    for (std::size_t i = 0; i < options.slow; ++i) {
        slow.push_back(std::make_unique<slow_client>(context, options.server));
        slow.back()->start();
    }
    const auto start = clock_type::now();
    asio::steady_timer end(context, options.time);
    end.async_wait([&clients](const asio::error_code&) {
        for (const auto& one : clients) one->stop();
    });
    // After the end, pending answers have one more second than the limit.
    context.run_for(options.time + std::chrono::milliseconds(static_cast<long>(options.limit) + 1000));
    const auto now = clock_type::now();

    std::size_t lost = 0;
    std::size_t fewest = clients.front()->answers();
    std::size_t most = 0;
    double longest = 0;
    for (const auto& one : clients) {
        if (one->is_waiting()) ++lost;
        fewest = std::min(fewest, one->answers());
        most = std::max(most, one->answers());
        longest = std::max({longest, one->longest(), one->is_waiting() ? one->waits_for(now) : 0});
    }
    const double seconds = std::chrono::duration<double>(options.time).count();
    std::printf("load: %zu clients, %zu answers in %.1f s, %.0f per second\n", clients.size(), all.times.size(),
                ms_between(start, now) / 1e3, static_cast<double>(all.times.size()) / seconds);
    if (!all.times.empty()) {
        std::printf("load: p50 %.1f ms, p99 %.1f ms, the longest wait of any client %.1f ms\n",
                    percentile(all.times, 50), percentile(all.times, 99), longest);
    }
    std::printf("load: %zu to %zu answers per client; %zu lost, %zu not 200, %zu connections broken\n", fewest, most,
                lost, all.wrong, all.broken);
    if (std::fflush(stdout) != 0) throw std::runtime_error("standard output cannot be written");
    return lost == 0 && all.wrong == 0 && all.broken == 0 && fewest > 0 && longest <= options.limit;
}

}  // namespace

int main(int argc, char** argv) {
    arguments words(argc, argv, "load",
                    "[--port N] [--clients N] [--slow N] [--ms N] [--path /P] [--body BYTES] [--limit MS]\n"
                    "  --slow   how many more clients send a piece of a request and no more (0)\n"
                    "  --ms     how long requests are sent (2000)\n"
                    "  --body   sends POST with that many bytes, instead of GET (0)\n"
                    "  --limit  fails if an answer takes longer than that (1000)");
    const auto port = static_cast<unsigned short>(words.number("--port", 8080, 1, 65535));
    const auto clients = static_cast<std::size_t>(words.number("--clients", 64, 1, 50'000));
    const auto slow = static_cast<std::size_t>(words.number("--slow", 0, 0, 50'000));
    const std::chrono::milliseconds time(words.number("--ms", 2000, 1, 3'600'000));
    const auto limit = static_cast<double>(words.number("--limit", 1000, 1, 3'600'000));
    const std::string path = words.text("--path", "/hello");
    const auto body = static_cast<std::size_t>(words.number("--body", 0, 0, 100'000));
    words.finish();
    if (!path.starts_with('/')) words.refuse("--path wants a path that starts with /, not \"" + path + '"');
    try {
        if (const std::size_t files = raised_file_limit(), wanted = clients + slow + 10; files < wanted) {
            throw std::runtime_error("this wants " + std::to_string(wanted) + " open files, and may have " +
                                     std::to_string(files) + " (ulimit -n)");
        }
        const tcp::endpoint server(asio::ip::address_v4::loopback(), port);
        std::string asks = (body == 0 ? "GET " : "POST ") + path + " HTTP/1.1\r\nHost: localhost\r\n";
        if (body > 0) asks += "Content-Length: " + std::to_string(body) + "\r\n";
        asks += "\r\n" + std::string(body, 'x');
        return run({server, clients, slow, time, limit, asks}) ? 0 : 1;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "load: %s\n", error.what());
        return 1;
    }
}
