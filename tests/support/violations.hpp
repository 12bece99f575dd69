// SPDX-License-Identifier: BSL-1.0
// recorded_violations: while one lives, violations are recorded, and do not end the program.
#pragma once

#include <fixpool/violation.hpp>

#include <algorithm>
#include <mutex>
#include <string>
#include <vector>

class recorded_violations {
public:
    recorded_violations() : previous_(fixpool::set_violation_handler(&record)) { list().clear(); }
    recorded_violations(const recorded_violations&) = delete;
    recorded_violations& operator=(const recorded_violations&) = delete;
    ~recorded_violations() { fixpool::set_violation_handler(previous_); }

    /// The number of violations since the last call, or since the beginning.
    std::size_t count() {
        const std::size_t news = list().size() - seen_;
        seen_ = list().size();
        return news;
    }
    /// The last violation. Its pool_name is invalid: last_name() has a copy. Requires: there was one.
    const fixpool::violation& last() const { return list().back(); }
    const std::string& last_name() const { return name(); }
    bool were_all(fixpool::violation_kind kind) const {
        return std::all_of(list().begin(), list().end(), [kind](const auto& v) { return v.kind == kind; });
    }

private:
    static void record(const fixpool::violation& v) {
        const std::lock_guard lock(mutex());
        name() = v.pool_name;
        list().push_back(v);
        list().back().pool_name = "";
    }
    static std::vector<fixpool::violation>& list() {
        static std::vector<fixpool::violation> all;
        return all;
    }
    static std::string& name() {
        static std::string last;
        return last;
    }
    static std::mutex& mutex() {
        static std::mutex one;
        return one;
    }

    fixpool::violation_handler previous_;
    std::size_t seen_ = 0;
};
