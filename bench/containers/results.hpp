// SPDX-License-Identifier: BSL-1.0
// results: the measurements of all processes, and their tables.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "phases.hpp"

/// Times of one workload: per contender and phase.
class results {
public:
    static constexpr const char* total = "all phases";

    explicit results(std::string workload) : workload_(std::move(workload)) {}

    /// Adds the output of a process: lines of milliseconds, checksum, phase. The last line is the total.
    /// Throws: std::runtime_error if a checksum differs from that of other contenders.
    void add(const std::string& contender, const std::string& output) {
        if (taken_.count(contender) == 0) contenders_.push_back(contender);
        std::istringstream lines(output);
        double ms = 0;
        std::uint64_t checksum = 0;
        for (std::string name; lines >> ms >> checksum && std::getline(lines >> std::ws, name);) {
            const auto [known, is_new] = checksums_.try_emplace(name, checksum);
            if (is_new) phases_.push_back(name);
            if (known->second != checksum) fail_at(name, contender);
            taken_[contender][name].push_back(ms);
        }
        if (phases_.empty() || phases_.back() != total) throw std::runtime_error(workload_ + ": nothing was measured");
    }

    [[nodiscard]] const std::string& workload() const { return workload_; }
    [[nodiscard]] const std::vector<std::string>& phases() const { return phases_; }
    [[nodiscard]] bool has(const std::string& contender) const { return taken_.count(contender) != 0; }

    /// The median over processes, in milliseconds.
    [[nodiscard]] double ms(const std::string& contender, const std::string& phase = total) const {
        return median(taken_.at(contender).at(phase));
    }
    /// Ratio of medians; NaN if one of the two was not measured.
    [[nodiscard]] double ratio(const std::string& contender, const std::string& to,
                               const std::string& phase = total) const {
        return has(contender) && has(to) ? ms(contender, phase) / ms(to, phase) : std::nan("");
    }
    /// Ratio of the fastest processes. If it differs from that of the medians, the machine was disturbed.
    [[nodiscard]] double fastest_ratio(const std::string& contender, const std::string& to) const {
        return has(contender) && has(to) ? fastest_ms(contender) / fastest_ms(to) : std::nan("");
    }

    /// Prints Markdown. The last column is the spread.
    void print() const {
        std::printf("\n| %s, ms |", workload_.c_str());
        for (const std::string& phase : phases_) std::printf(" %s |", phase.c_str());
        std::printf(" spread |\n|---|");
        for (std::size_t i = 0; i <= phases_.size(); ++i) std::printf("--:|");
        for (const std::string& contender : contenders_) {
            std::printf("\n| %s |", contender.c_str());
            for (const std::string& phase : phases_) std::printf(" %.2f |", ms(contender, phase));
            std::printf(" %.0f %% |", 100 * spread(contender));
        }
        std::printf("\n");
    }

    void write_to(std::ofstream& csv) const {
        for (const std::string& contender : contenders_) {
            for (const std::string& phase : phases_)
                for (const double ms : taken_.at(contender).at(phase))
                    csv << workload_ << ',' << contender << ',' << phase << ',' << ms << '\n';
        }
    }

private:
    [[noreturn]] void fail_at(const std::string& phase, const std::string& contender) const {
        std::string text = workload_;
        text.append(", ").append(phase).append(": ").append(contender);
        throw std::runtime_error(text.append(" computed something else than ").append(contenders_.front()));
    }

    [[nodiscard]] double fastest_ms(const std::string& contender) const {
        const std::vector<double>& all = taken_.at(contender).at(total);
        return *std::min_element(all.begin(), all.end());
    }

    /// The distance of the middle half of the processes, divided by the median.
    [[nodiscard]] double spread(const std::string& contender) const {
        std::vector<double> all = taken_.at(contender).at(total);
        std::sort(all.begin(), all.end());
        return (all[all.size() - 1 - all.size() / 4] - all[all.size() / 4]) / median(all);
    }

    std::string workload_;
    std::vector<std::string> phases_;      // in order; then the total
    std::vector<std::string> contenders_;  // in order
    std::map<std::string, std::uint64_t> checksums_;
    std::map<std::string, std::map<std::string, std::vector<double>>> taken_;
};

/// Ratios of checked to three peers, beside their goals.
class goals {
public:
    explicit goals(const std::vector<results>& all) : all_(&all) {}

    void print() const {
        std::printf(
            "\n| workload, checked: / std's unsynchronized pool; / glibc that keeps its memory; / mimalloc | goal |");
        for (const column& c : columns) std::printf(" %s |", c.title);
        std::printf("\n|---|---|");
        for (std::size_t i = 0; i < columns.size(); ++i) std::printf("---|");
        std::printf("\n");
        print_row("Boost.JSON, all phases", ".65; .75; 1.0", {"Boost.JSON"});
        print_row("nlohmann::json, static_pool_allocator", ".75; .75; .90", {"nlohmann::json"});
        print_row("std::map", ".85; .65; 1.0", {"map"});
        print_row("std::list", ".42; .60; .80", {"list"});
        print_row("std::list, scrambled", "", {"scrambled list"});
        print_row("std::unordered_map", ".50; .45; .70", {"unordered_map"});
        print_row("one block, again and again", ".40; .80; .85", {"one block"});
        print_row("random windows, 256 to 65536", ".20; .55; 1.1",
                  {"window of 256", "window of 4096", "window of 65536"});
        print_row("300 small resources", ".60; 1.1; 1.15", {"300 small resources"});
        print_row("300 small resources, all alive at once", "", {"300 small resources at once"});
        print_row("std::allocate_shared", "", {"allocate_shared"});
        print_row("Asio handlers", "", {"Asio handlers"});
        print_worst_phase();
    }

private:
    struct column {
        const char* title;
        const char* ours;
        std::array<const char*, 3> to;
        bool is_of_fastest;
    };
    // `plain`: glibc and mimalloc without std::pmr and its virtual calls. `resources`: with them. The last column shows
    // about what is left to gain for any resource.
    static constexpr std::array plain = {"std_unsynchronized", "operator_new_keeping", "mimalloc"};
    static constexpr std::array resources = {"std_unsynchronized", "new_delete_resource", "mimalloc_resource"};
    static constexpr std::array columns = {
        column{"checked", "checked", plain, false}, column{"of the fastest", "checked", plain, true},
        column{"checked_allocator", "checked_allocator", plain, false},
        column{"checked, to resources", "checked", resources, false}, column{"monotonic", "monotonic", plain, false}};

    [[nodiscard]] const results* find(const std::string& workload) const {
        const auto found =
            std::find_if(all_->begin(), all_->end(), [&](const results& r) { return r.workload() == workload; });
        return found == all_->end() ? nullptr : &*found;
    }

    /// The geometric mean over workloads; NaN if one of them was not measured.
    [[nodiscard]] double ratio(const std::vector<std::string>& workloads, const column& of, const char* to) const {
        double product = 1;
        for (const std::string& name : workloads) {
            const results* const r = find(name);
            if (r == nullptr) return std::nan("");
            product *= of.is_of_fastest ? r->fastest_ratio(of.ours, to) : r->ratio(of.ours, to);
        }
        return std::pow(product, 1 / static_cast<double>(workloads.size()));
    }

    /// A ratio in the format of the goals: .75, 1.06.
    static std::string written(double ratio) {
        if (std::isnan(ratio)) return "-";
        std::array<char, 32> text{};
        std::snprintf(text.data(), text.size(), "%.2f", ratio);
        return ratio < 0.995 ? text.data() + 1 : text.data();
    }

    void print_row(const char* name, const char* goal, const std::vector<std::string>& workloads) const {
        std::printf("| %s | %s |", name, goal);
        for (const column& c : columns) {
            const char* separator = "";
            for (const char* to : c.to) {
                std::printf("%s %s", separator, written(ratio(workloads, c, to)).c_str());
                separator = ";";
            }
            std::printf(" |");
        }
        std::printf("\n");
    }

    /// Prints the phase of nlohmann::json that is worst on static_pool_allocator, compared with glibc.
    void print_worst_phase() const {
        std::printf("| nlohmann: no phase above glibc's | 1.0 |");
        const results* const r = find("nlohmann::json");
        for (const column& c : columns) {
            if (r == nullptr || c.is_of_fastest || !r->has(c.ours) || !r->has(c.to[1])) {
                std::printf(" - |");
                continue;
            }
            const auto of = [&](const std::string& phase) { return r->ratio(c.ours, c.to[1], phase); };
            const std::string worst = *std::max_element(r->phases().begin(), r->phases().end(),
                                                        [&](const auto& a, const auto& b) { return of(a) < of(b); });
            std::printf(" %s %s |", worst.c_str(), written(of(worst)).c_str());
        }
        std::printf("\n");
    }

    const std::vector<results>* all_;
};
