// SPDX-License-Identifier: BSL-1.0
// SQLite on the pool in many situations. Its answers and its files must be the same as with its own cache.
#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "../support/catch.hpp"
#include "sqlite_on_pool.hpp"

namespace {

/// A temporary folder, which is deleted at the end.
class scratch_folder {
public:
    scratch_folder() : path_(std::filesystem::temp_directory_path() / ("pages-test-" + std::to_string(getpid()))) {
        std::filesystem::remove_all(path_);
        std::filesystem::create_directory(path_);
    }
    scratch_folder(const scratch_folder&) = delete;
    scratch_folder& operator=(const scratch_folder&) = delete;
    ~scratch_folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] std::string file(const std::string& name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

std::string bytes_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

constexpr const char* fill =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) "
    "INSERT INTO %t SELECT i * 7919 % 1000003, hex(zeroblob(i % 90)) || i FROM n";

std::string on(const std::string& table, std::string sql) { return sql.replace(sql.find("%t"), 2, table); }

/// Runs all situations. Returns the answers and the files that are left.
class situations {
public:
    explicit situations(int page_bytes) : main_(folder_.file("main.db"), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE) {
        main_.exec("PRAGMA page_size = " + std::to_string(page_bytes) +
                   "; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA synchronous = OFF; PRAGMA cache_size = 30");
        main_.exec("CREATE TABLE a(k INTEGER PRIMARY KEY, v TEXT); CREATE INDEX a_v ON a(v)");
    }

    std::string play() {
        main_.exec(on("a", fill));
        look(main_, "a");
        roll_back();
        nest_savepoints();
        attach_another();
        use_temporary_tables();
        use_memory();
        let_another_connection_read();
        vacuum_by_parts();
        main_.exec("VACUUM");
        look(main_, "a");
        main_.exec("PRAGMA shrink_memory; PRAGMA cache_size = 100");
        look(main_, "a");
        return told_ + bytes_of(folder_.file("main.db")) + bytes_of(folder_.file("other.db"));
    }

private:
    void look(SQLite::Database& database, const std::string& table) {
        for (const std::string& question :
             {"SELECT count(*) || ' ' || sum(k) || ' ' || sum(length(v)) FROM " + table,
              "SELECT group_concat(k) FROM (SELECT k FROM " + table + " WHERE v LIKE '%7' ORDER BY v, k)",
              std::string("PRAGMA integrity_check")}) {
            told_ += database.execAndGet(question).getString() + '\n';
        }
        CHECK(told_.ends_with("\nok\n"));
    }

    void roll_back() {
        main_.exec("BEGIN; DELETE FROM a WHERE k % 2 = 0; UPDATE a SET v = v || 'x'");
        look(main_, "a");
        main_.exec("ROLLBACK");
        look(main_, "a");
    }

    void nest_savepoints() {
        main_.exec(
            "SAVEPOINT one; DELETE FROM a WHERE k % 3 = 0; SAVEPOINT two; UPDATE a SET v = 'y' || v WHERE k % 5 = 0");
        look(main_, "a");
        main_.exec("ROLLBACK TO two; DELETE FROM a WHERE k % 7 = 0; RELEASE two; RELEASE one");
        look(main_, "a");
    }

    void attach_another() {
        main_.exec("ATTACH '" + folder_.file("other.db") +
                   "' AS other; PRAGMA other.synchronous = OFF; CREATE TABLE other.b(k INTEGER PRIMARY KEY, v TEXT)");
        main_.exec("BEGIN; INSERT INTO other.b SELECT k + 1, v FROM a; DELETE FROM a WHERE k % 11 = 0; COMMIT");
        look(main_, "b");
        main_.exec("DETACH other");
    }

    void use_temporary_tables() {
        main_.exec(
            "CREATE TEMP TABLE t(k, v); INSERT INTO t SELECT * FROM a; CREATE INDEX t_v ON t(v); DELETE FROM t WHERE k "
            "% 2");
        look(main_, "t");
        main_.exec("DROP TABLE t");
    }

    void use_memory() {
        SQLite::Database memory(":memory:", SQLite::OPEN_READWRITE);
        memory.exec("PRAGMA page_size = 1024; CREATE TABLE m(k, v); CREATE INDEX m_v ON m(v)");
        memory.exec(on("m", fill));
        look(memory, "m");
        memory.exec("BEGIN; DELETE FROM m WHERE k % 2; ROLLBACK; DELETE FROM m WHERE k % 3; VACUUM");
        look(memory, "m");
    }

    void let_another_connection_read() {
        SQLite::Database reader(folder_.file("main.db"), SQLite::OPEN_READWRITE);
        reader.exec("PRAGMA synchronous = OFF; PRAGMA cache_size = 10");
        look(reader, "a");
        main_.exec("UPDATE a SET v = v || 'z' WHERE k % 4 = 0");
        look(reader, "a");
        reader.exec("DELETE FROM a WHERE k % 13 = 0");
        look(main_, "a");
    }

    void vacuum_by_parts() {
        main_.exec("DELETE FROM a WHERE k % 2 = 0");
        for (int i = 0; i < 5; ++i) main_.exec("PRAGMA incremental_vacuum(5)");
        look(main_, "a");
    }

    scratch_folder folder_;
    SQLite::Database main_;
    std::string told_;
};

TEST_CASE("whatever SQLite does, it answers and writes the same as with its own cache") {
    const int page_bytes = GENERATE(512, 1024, 4096, 65536);
    const std::string expected = situations(page_bytes).play();
    REQUIRE(expected.size() > 100'000);
    for (const std::size_t pages : {1000U, 4000U}) {
        const sqlite_on_pool sqlite({page_bytes < 4096 ? 4096U : static_cast<unsigned>(page_bytes), pages});
        {
            situations on_pool(page_bytes);
            const bool is_same = on_pool.play() == expected;
            CHECK(is_same);
            CHECK(audit_page_pool());
            CHECK(page_pool_stats().in_use > 0);
        }
        CHECK(page_pool_stats().in_use == 0);
    }
}

TEST_CASE("a database in memory that needs more pages than there are is told so, and is whole") {
    const sqlite_on_pool sqlite({4096, 40});
    SQLite::Database memory(":memory:", SQLite::OPEN_READWRITE);
    memory.exec("CREATE TABLE m(k, v)");
    CHECK_THROWS_WITH(
        [&] {
            for (int i = 0; i < 20; ++i) memory.exec(on("m", fill));
        }(),
        "out of memory");
    CHECK(memory.execAndGet("PRAGMA integrity_check").getString() == "ok");
    CHECK(audit_page_pool());
}

TEST_CASE("a transaction that changes more pages than there are is written early, and is whole") {
    const scratch_folder folder;
    const sqlite_on_pool sqlite({4096, 40});
    SQLite::Database database(folder.file("large.db"), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    database.exec(
        "PRAGMA synchronous = OFF; PRAGMA cache_size = 10000; CREATE TABLE a(k INTEGER, v TEXT); CREATE INDEX a_k ON "
        "a(k); BEGIN");
    for (int i = 0; i < 10; ++i) database.exec(on("a", fill));
    database.exec("COMMIT");
    CHECK(database.execAndGet("SELECT count(*) FROM a").getInt() == 15'000);
    CHECK(database.execAndGet("PRAGMA integrity_check").getString() == "ok");
}

TEST_CASE("an idle connection gives up its pages for one that works") {
    const scratch_folder folder;
    const sqlite_on_pool sqlite({4096, 200});
    SQLite::Database idle(folder.file("idle.db"), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    idle.exec("PRAGMA synchronous = OFF; CREATE TABLE a(k, v)");
    for (int i = 0; i < 15; ++i) idle.exec(on("a", fill));
    CHECK(page_pool_stats().in_use >= 190);
    SQLite::Database working(folder.file("working.db"), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    working.exec("PRAGMA synchronous = OFF; CREATE TABLE a(k, v)");
    for (int i = 0; i < 15; ++i) working.exec(on("a", fill));
    CHECK(working.execAndGet("SELECT sum(length(v)) FROM a WHERE rowid < 300").getInt() > 0);
    CHECK(working.execAndGet("SELECT sum(length(v)) FROM a WHERE rowid < 300").getInt() > 0);
    int bytes = 0;
    int highest = 0;
    sqlite3_db_status(working.getHandle(), SQLITE_DBSTATUS_CACHE_USED, &bytes, &highest, 0);
    CHECK(bytes > 60 * 4096);  // more than the pages that the idle one has left, and those that are kept back
    CHECK(audit_page_pool());
    CHECK(idle.execAndGet("PRAGMA integrity_check").getString() == "ok");
}

TEST_CASE("connections on four threads share a pool that is too small for all") {
    const scratch_folder folder;
    const sqlite_on_pool sqlite({4096, 160});
    std::vector<std::string> verdicts(4);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < verdicts.size(); ++i) {
        threads.emplace_back([&, i] {
            try {
                SQLite::Database database(folder.file(std::to_string(i)), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
                database.exec("PRAGMA synchronous = OFF; CREATE TABLE a(k INTEGER, v TEXT); CREATE INDEX a_k ON a(k)");
                for (int round = 0; round < 6; ++round) {
                    database.exec(on("a", fill));
                    verdicts[i] = std::to_string(database.execAndGet("SELECT count(*) FROM a WHERE k > 0").getInt());
                }
                verdicts[i] += database.execAndGet("PRAGMA integrity_check").getString();
            } catch (const std::exception& error) {
                verdicts[i] = error.what();
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(verdicts == std::vector<std::string>(4, "9000ok"));
    CHECK(page_pool_stats().in_use == 0);
}

}  // namespace
