// SPDX-License-Identifier: BSL-1.0
// The contenders' configurations of SQLite, and the process that runs one of them.
#include "contenders.hpp"

#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <system_error>
#include <type_traits>

#include "page_pool.hpp"

namespace {

/// What the child sends: its result, or why there is none.
struct report {
    bool has_failed;
    char problem[500];
    run_result result;
};
static_assert(std::is_trivially_copyable_v<report>);

void must_be_ok(int code) {
    if (code != SQLITE_OK) {
        throw std::runtime_error(std::string("SQLite cannot start: ") + sqlite3_errstr(code));
    }
}

/// SQLite's own cache, in memory from the program. SQLite's documentation says how large a slot must be.
void use_buffer(std::size_t pages, std::unique_ptr<std::byte[]>& memory) {
    int header_bytes = 0;
    must_be_ok(sqlite3_config(SQLITE_CONFIG_PCACHE_HDRSZ, &header_bytes));
    const int slot = 4096 + header_bytes;
    memory = std::make_unique_for_overwrite<std::byte[]>(pages * static_cast<std::size_t>(slot));
    must_be_ok(sqlite3_config(SQLITE_CONFIG_PAGECACHE, memory.get(), slot, static_cast<int>(pages)));
}

report run_here(const contest& c, std::size_t contender) {
    report told{};
    std::unique_ptr<std::byte[]> memory;  // must outlive the database
    try {
        told.result.work = run_workload(c.file, c.rows, c.cache_pages, [&c, contender, &memory] {
            if (contender == 1) {
                use_buffer(c.page_count(), memory);
            } else if (contender == 2) {
                must_be_ok(use_page_pool({.page_bytes = 4096, .page_count = c.page_count()}));
            }
            must_be_ok(sqlite3_initialize());
        });
        rusage usage{};
        getrusage(RUSAGE_SELF, &usage);
        told.result.peak_megabytes = static_cast<double>(usage.ru_maxrss) / 1024;
    } catch (const std::bad_alloc&) {
        told.has_failed = true;
        std::snprintf(told.problem, sizeof told.problem, "there is no memory for a cache of %ld pages", c.cache_pages);
    } catch (const std::exception& error) {
        told.has_failed = true;
        std::snprintf(told.problem, sizeof told.problem, "%s: %s", c.file.c_str(), error.what());
    }
    sqlite3_shutdown();
    return told;
}

}  // namespace

run_result run(const contest& c, std::size_t contender) {
    int ends[2];
    if (pipe(ends) != 0) {
        throw std::system_error(errno, std::generic_category(), "pipe");
    }
    (void)std::fflush(stdout);
    const pid_t child = fork();
    if (child < 0) {
        throw std::system_error(errno, std::generic_category(), "fork");
    }
    if (child == 0) {
        const report told = run_here(c, contender);
        const bool is_told = write(ends[1], &told, sizeof told) == sizeof told;  // less than a pipe holds
        _exit(is_told ? 0 : 1);
    }
    close(ends[1]);
    report told{};
    const ssize_t size = read(ends[0], &told, sizeof told);
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    if (size != sizeof told || status != 0) {
        throw std::runtime_error("the run with " + std::string(contender_names.at(contender)) +
                                 " ended without a result");
    }
    if (told.has_failed) {
        throw std::runtime_error(told.problem);
    }
    return told.result;
}
