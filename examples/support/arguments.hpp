// SPDX-License-Identifier: BSL-1.0
// arguments: a program's arguments. A wrong argument ends the program, with a sentence that says what was expected.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

/// The arguments of `main`, read one option at a time. `finish` refuses all that were not read. Each refusal prints one
/// line and the usage to standard error, and ends the program with status 2.
class arguments {
public:
    /// `usage` is the text behind the program's name, as in "[--threads N] FILE".
    arguments(int count, char** words, std::string_view program, std::string_view usage)
        : program_(program), usage_(usage), words_(words + (count > 0 ? 1 : 0), words + count) {}

    /// Whether `option` was given.
    [[nodiscard]] bool flag(std::string_view option) {
        asked_.push_back(option);
        for (auto word = words_.begin(); word != words_.end(); ++word) {
            if (*word == option) {
                words_.erase(word);
                return true;
            }
        }
        return false;
    }

    /// The word behind `option`, or `otherwise` if the option was not given.
    [[nodiscard]] std::string text(std::string_view option, std::string_view otherwise) {
        asked_.push_back(option);
        for (auto word = words_.begin(); word != words_.end(); ++word) {
            if (*word == option) {
                if (word + 1 == words_.end()) {
                    refuse(std::string(option) + " wants a value");
                }
                std::string value(word[1]);
                words_.erase(word, word + 2);
                return value;
            }
        }
        return std::string(otherwise);
    }

    /// The whole number behind `option`. It must be from `least` to `most`.
    [[nodiscard]] long number(std::string_view option, long otherwise, long least, long most) {
        const std::string word = text(option, std::to_string(otherwise));
        long value = 0;
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
        if (error != std::errc() || end != word.data() + word.size() || value < least || value > most) {
            refuse(std::string(option) + " wants a number from " + std::to_string(least) + " to " +
                   std::to_string(most) + ", not \"" + word + '"');
        }
        return value;
    }

    /// The word behind `option`. It must be one of `allowed`.
    [[nodiscard]] std::string choice(std::string_view option, std::string_view otherwise,
                                     std::initializer_list<std::string_view> allowed) {
        std::string word = text(option, otherwise);
        std::string wanted;
        for (const std::string_view one : allowed) {
            if (word == one) {
                return word;
            }
            wanted.append(wanted.empty() ? "" : ", ").append(one);
        }
        refuse(std::string(option) + " wants one of " + wanted + ", not \"" + word + '"');
    }

    /// Call it after all options were read. It refuses all others.
    void finish() const {
        if (words_.empty()) return;
        const std::string word(words_.front());
        const bool is_known = std::find(asked_.begin(), asked_.end(), word) != asked_.end();
        refuse(is_known ? word + " is given twice" : "there is no option \"" + word + '"');
    }

    /// Prints `problem` and the usage, and ends the program.
    [[noreturn]] void refuse(const std::string& problem) const {
        std::fprintf(stderr, "%s: %s\nusage: %s %s\n", program_.c_str(), problem.c_str(), program_.c_str(),
                     usage_.c_str());
        std::exit(2);
    }

private:
    std::string program_;
    std::string usage_;
    std::vector<std::string_view> words_;  // not yet read
    std::vector<std::string_view> asked_;  // options that were read
};
