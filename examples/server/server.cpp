// SPDX-License-Identifier: BSL-1.0
// An HTTP server on stand-alone Asio. Its connections and buffers come from pools of a fixed size. When they run out,
// it reads and accepts nothing until some come back. / draws the pools, /metrics is for Prometheus.
#include <asio/ip/address.hpp>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>

#include "../support/arguments.hpp"
#include "../system_policy.hpp"
#include "file_limit.hpp"
#include "memory.hpp"
#include "server.hpp"

namespace {

/// Makes printed text appear at once.
void flush() {
    if (std::fflush(stdout) != 0) throw std::runtime_error("standard output cannot be written");
}

template <class Memory> bool serve(const server_options& options) {
    server<Memory> one(options);
    std::printf("server: listens on http://%s:%hu/; %u threads, %zu connections, %zu buffers, memory: %s\n",
                options.address.address().to_string().c_str(), one.port(), options.threads, options.connections,
                options.buffers, options.memory);
    flush();
    const bool all_back = one.run();
    flush();
    return all_back;
}

}  // namespace

int main(int argc, char** argv) {
    arguments words(
        argc, argv, "server",
        "[--port N] [--address A] [--threads N] [--connections N] [--buffers N]\n"
        "              [--memory pools|heap|keep] [--patience MS] [--grace MS]\n"
        "  --port      0: any that is free; it is printed (8080)\n"
        "  --memory    pools: shared_pools; heap: new and delete; keep: a buffer per connection, kept (pools)\n"
        "  --patience  how long a client may hold a buffer that others wait for; less when many wait (300)\n"
        "  --grace     how long requests in flight may take when the server is stopped (5000)");
    const long most_threads = 256;
    const auto port = static_cast<unsigned short>(words.number("--port", 8080, 0, 65535));
    const std::string host = words.text("--address", "127.0.0.1");
    const unsigned processors = std::thread::hardware_concurrency();
    const auto threads =
        static_cast<unsigned>(words.number("--threads", processors > 0 ? processors : 2, 1, most_threads));
    const auto connections = static_cast<std::size_t>(words.number("--connections", 1024, 1, 1'000'000));
    auto buffers = static_cast<std::size_t>(words.number("--buffers", 64, 1, 1'000'000));
    const std::string memory = words.choice("--memory", "pools", {"pools", "heap", "keep"});
    const std::chrono::milliseconds patience(words.number("--patience", 300, 1, 3'600'000));
    const std::chrono::milliseconds grace(words.number("--grace", 5000, 0, 3'600'000));
    words.finish();
    asio::error_code problem;
    const auto address = asio::ip::make_address(host, problem);
    if (problem) words.refuse("--address wants an IP address, not \"" + host + '"');
    if (memory == "keep") buffers = connections;  // one per connection

    if (const std::size_t files = raised_file_limit(); files < connections) {
        std::printf("server: %zu connections are allowed, but only %zu open files (ulimit -n)\n", connections, files);
    }
    std::signal(SIGPIPE, SIG_IGN);  // the reader of its messages may go away
    set_system_policy(true);        // the heap keeps its memory, as pools do
    const server_options options{memory.c_str(), {address, port},        threads, connections, buffers,
                                 grace,          {.contested = patience}};
    try {
        const bool all_back = memory == "pools"  ? serve<pools>(options)
                              : memory == "heap" ? serve<heap>(options)
                                                 : serve<keep>(options);
        return all_back ? 0 : 1;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "server: %s:%hu: %s\n", host.c_str(), port, error.what());
        return 1;
    }
}
