// SPDX-License-Identifier: BSL-1.0
// metrics: the server's counters, in Prometheus's text format, and as the last lines that it prints.
#pragma once

#include <fixpool/stats.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>

#include <unistd.h>

#include "lender.hpp"
#include "loop.hpp"
#include "text.hpp"

/// A pool's figures at one moment.
struct pool_figures {
    const char* name;
    fixpool::pool_stats stats;
    std::size_t waiting;  // borrowers in the queue
    std::size_t waits;    // borrowers that ever waited in the queue
    double longest_wait;  // seconds
};

/// The server's figures at one moment.
struct figures {
    const char* memory;
    double uptime;  // seconds
    std::uint64_t clients = 0;
    std::uint64_t requests = 0;
    std::uint64_t errors = 0;
    std::uint64_t overdue = 0;
    std::uint64_t bytes = 0;
    std::uint64_t accept_errors = 0;
    std::array<pool_figures, 2> pools;

    void add(const loop::counters& counts) {
        clients += counts.clients.load(std::memory_order_relaxed);
        requests += counts.requests.load(std::memory_order_relaxed);
        errors += counts.errors.load(std::memory_order_relaxed);
        overdue += counts.overdue.load(std::memory_order_relaxed);
        bytes += counts.bytes.load(std::memory_order_relaxed);
    }
};

/// Bytes of memory that the process has, or 0 if unknown.
inline std::size_t resident_bytes() {
    std::size_t pages = 0;
    if (std::FILE* const file = std::fopen("/proc/self/statm", "r"); file != nullptr) {
        if (std::fscanf(file, "%*u %zu", &pages) != 1) pages = 0;  // NOLINT(cert-err34-c): the kernel wrote it
        (void)std::fclose(file);
    }
    return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

inline void write_metrics(const figures& now, text& out) {
    const auto one = [&out](const char* name, const char* type, const char* help, double value) {
        out.add("# HELP server_%s %s\n# TYPE server_%s %s\nserver_%s %.15g\n", name, help, name, type, name, value);
    };
    const auto each = [&](const char* name, const char* type, const char* help, auto value) {
        out.add("# HELP server_pool_%s %s\n# TYPE server_pool_%s %s\n", name, help, name, type);
        for (const pool_figures& pool : now.pools) {
            out.add("server_pool_%s{pool=\"%s\"} %.15g\n", name, pool.name, static_cast<double>(value(pool)));
        }
    };
    const auto whole = [](std::uint64_t count) { return static_cast<double>(count); };
    out.add("# HELP server_info Where memory comes from.\n# TYPE server_info gauge\nserver_info{memory=\"%s\"} 1\n",
            now.memory);
    one("uptime_seconds", "gauge", "Time since the start.", now.uptime);
    one("resident_bytes", "gauge", "Memory of the process.", whole(resident_bytes()));
    one("clients_total", "counter", "Connections accepted.", whole(now.clients));
    one("requests_total", "counter", "Requests answered.", whole(now.requests));
    one("errors_total", "counter", "Requests answered with 4xx or 5xx.", whole(now.errors));
    one("overdue_total", "counter", "Connections closed because a request took too long.", whole(now.overdue));
    one("sent_bytes_total", "counter", "Bytes sent.", whole(now.bytes));
    one("accept_errors_total", "counter", "Failures of accept.", whole(now.accept_errors));
    each("blocks", "gauge", "Capacity of the pool, in blocks.",
         [](const pool_figures& p) { return p.stats.total_blocks; });
    each("in_use", "gauge", "Blocks in use.", [](const pool_figures& p) { return p.stats.in_use; });
    each("peak", "gauge", "Most blocks in use, or more.", [](const pool_figures& p) { return p.stats.peak_in_use; });
    each("block_bytes", "gauge", "Size of a block.", [](const pool_figures& p) { return p.stats.block_size; });
    each("refused_total", "counter", "Attempts to allocate that found no block.",
         [](const pool_figures& p) { return p.stats.refused; });
    each("waiting", "gauge", "Connections that wait for a block now.", [](const pool_figures& p) { return p.waiting; });
    each("waits_total", "counter", "Connections that have waited for a block.",
         [](const pool_figures& p) { return p.waits; });
    each("longest_wait_seconds", "gauge", "Longest wait.", [](const pool_figures& p) { return p.longest_wait; });
}

/// Whether everything came back.
inline bool print_final(const figures& end) {
    std::printf("server: ended; %llu requests of %llu clients, %llu errors, %llu overdue, memory: %s\n",
                static_cast<unsigned long long>(end.requests), static_cast<unsigned long long>(end.clients),
                static_cast<unsigned long long>(end.errors), static_cast<unsigned long long>(end.overdue), end.memory);
    bool all_back = true;
    for (const pool_figures& pool : end.pools) {
        std::printf(
            "server: %-11s %6zu blocks of %5zu bytes, %6zu at most in use, %zu refused, %zu waits, the longest %.0f "
            "ms, %zu leaked\n",
            pool.name, pool.stats.total_blocks, pool.stats.block_size, pool.stats.peak_in_use, pool.stats.refused,
            pool.waits, pool.longest_wait * 1e3, pool.stats.in_use);
        all_back = all_back && pool.stats.in_use == 0;
    }
    return all_back;
}
