// SPDX-License-Identifier: BSL-1.0
// The workload: a table whose keys come in random order, so that its pages do, too.
#include "workload.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <stdexcept>
#include <utility>

namespace {

/// Processor seconds of the process, in the system's functions too. Waits for the disk do not count.
double processor_seconds() {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// Pseudo-random numbers (splitmix64), the same on every machine.
class random_numbers {
public:
    explicit random_numbers(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
    std::int64_t key() { return static_cast<std::int64_t>(next() >> 1); }

    /// Four of five are in one sixteenth of all keys, which lie side by side in the file.
    std::int64_t mostly_hot_key() {
        const std::uint64_t any = next();
        return static_cast<std::int64_t>(any % 5 == 0 ? any >> 1 : (any >> 5) + (std::uint64_t{1} << 61));
    }

private:
    std::uint64_t state_;
};

/// Like FNV-1a, but on 8 bytes at a time: the size of an SQLite file is a multiple of 8.
std::uint64_t hash_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::array<std::uint64_t, 8192> words{};
    std::uint64_t hash = 0xcbf29ce484222325;
    while (file.read(reinterpret_cast<char*>(words.data()), sizeof words) || file.gcount() > 0) {
        std::for_each_n(words.begin(), file.gcount() / 8, [&hash](std::uint64_t w) {
            hash = (hash ^ w) * 0x100000001b3;
            hash ^= hash >> 32;
        });
    }
    return hash;
}

class workload {
public:
    workload(const std::string& path, long rows, long cache_pages, const std::function<void()>& initialise)
        : path_(path), rows_(rows) {
        std::filesystem::remove(path);
        started_ = processor_seconds();
        initialise();
        database_.emplace(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
        database_->exec(
            "PRAGMA page_size = 4096; PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;"
            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = " +
            std::to_string(cache_pages) +
            ";"
            "CREATE TABLE item(key INTEGER PRIMARY KEY, amount INTEGER, note TEXT)");
        end_phase();
    }

    workload_result run() {
        const std::string find = "(SELECT key FROM item WHERE key >= ? LIMIT 1)";
        SQLite::Statement insert(
            *database_, "INSERT OR IGNORE INTO item VALUES(?, ?, 'forty bytes that a program keeps here ...')");
        in_transactions(rows_, [&](long i, random_numbers& random) {
            insert.bind(1, random.key());
            insert.bind(2, static_cast<std::int64_t>(i));
            insert.exec();
            insert.reset();
        });
        SQLite::Statement look_up(*database_, "SELECT amount FROM item WHERE key >= ? LIMIT 1");
        in_transactions(rows_, [&](long, random_numbers& random) {
            look_up.bind(1, random.mostly_hot_key());
            if (look_up.executeStep()) {
                result_.sum += static_cast<std::uint64_t>(look_up.getColumn(0).getInt64());
            }
            look_up.reset();
        });
        SQLite::Statement update(*database_, "UPDATE item SET amount = amount + 1 WHERE key = " + find);
        in_transactions(rows_ / 2, [&](long, random_numbers& random) { change(update, random); });
        SQLite::Statement remove(*database_, "DELETE FROM item WHERE key = " + find);
        in_transactions(rows_ / 4, [&](long, random_numbers& random) { change(remove, random); });

        result_.file_pages = database_->execAndGet("PRAGMA page_count").getInt64();
        started_ = processor_seconds();
        database_->exec("VACUUM");
        end_phase();
        const std::string verdict = database_->execAndGet("PRAGMA integrity_check").getString();
        end_phase();
        if (verdict != "ok") {
            throw std::runtime_error("integrity_check: " + verdict);
        }
        result_.file_hash = hash_of(path_);
        return result_;
    }

private:
    static void change(SQLite::Statement& statement, random_numbers& random) {
        statement.bind(1, random.mostly_hot_key());
        statement.exec();
        statement.reset();
    }

    /// One phase: calls `operate` `count` times, in transactions of 5,000.
    template <class Operate> void in_transactions(long count, Operate&& operate) {
        random_numbers random(phase_);
        const double before = point_ == 0 ? 0 : result_.operations.at(point_ - 1);
        constexpr auto parts = static_cast<long>(points_per_phase);
        long i = 0;
        for (long part = 1; part <= parts; ++part) {
            const double start = processor_seconds();
            const long first = i;
            for (; i < count * part / parts; ++i) {
                if (i % 5000 == 0) {
                    database_->exec("BEGIN");
                }
                operate(i, random);
                if (i % 5000 == 4999 || i + 1 == count) {
                    database_->exec("COMMIT");
                }
            }
            result_.nanoseconds.at(point_) = (processor_seconds() - start) * 1e9 / static_cast<double>(i - first);
            result_.operations.at(point_++) = before + static_cast<double>(i);
        }
        end_phase();
    }

    void end_phase() {
        phase_result& phase = result_.phases.at(phase_++);
        phase.seconds = processor_seconds() - started_;
        phase.hits = count_of(SQLITE_DBSTATUS_CACHE_HIT);
        phase.misses = count_of(SQLITE_DBSTATUS_CACHE_MISS);
        phase.spills = count_of(SQLITE_DBSTATUS_CACHE_SPILL);
        started_ = processor_seconds();
    }

    /// Reads a counter of the connection, and sets it to 0.
    std::int64_t count_of(int counter) {
        int count = 0;
        int highest = 0;
        sqlite3_db_status(database_->getHandle(), counter, &count, &highest, 1);
        return count;
    }

    std::string path_;
    long rows_;
    std::optional<SQLite::Database> database_;
    double started_ = 0;  // processor seconds
    workload_result result_{};
    std::size_t phase_ = 0;
    std::size_t point_ = 0;
};

}  // namespace

workload_result run_workload(const std::string& path, long rows, long cache_pages,
                             const std::function<void()>& initialise) {
    return workload(path, rows, cache_pages, initialise).run();
}
