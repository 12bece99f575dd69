// SPDX-License-Identifier: BSL-1.0
// output_file: a file that a program writes. An error names the file and the system's reason.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

/// A new file, or an old one that was emptied. It owns the file. `close` tells whether everything was written; the
/// destructor does not.
class output_file {
public:
    /// Throws: std::system_error if the file cannot be opened.
    explicit output_file(std::string path) : path_(std::move(path)), file_(std::fopen(path_.c_str(), "wb")) {
        if (file_ == nullptr) {
            fail("cannot open ");
        }
    }
    output_file(const output_file&) = delete;
    output_file& operator=(const output_file&) = delete;
    ~output_file() {
        if (file_ != nullptr) {
            (void)std::fclose(file_);
        }
    }

    /// Throws: std::system_error if the disk is full or fails.
    void write(const void* bytes, std::size_t size) {
        if (std::fwrite(bytes, 1, size, file_) != size) {
            fail("cannot write ");
        }
    }
    void write(std::string_view text) { write(text.data(), text.size()); }

    /// Call it once, at the end: most of the text reaches the disk only now.
    /// Throws: std::system_error if the disk is full or fails.
    void close() {
        if (std::fclose(std::exchange(file_, nullptr)) != 0) {
            fail("cannot write ");
        }
    }

private:
    [[noreturn]] void fail(const char* what) const {
        throw std::system_error(errno, std::generic_category(), what + path_);
    }

    std::string path_;
    std::FILE* file_;  // nullptr once closed
};
