// SPDX-License-Identifier: BSL-1.0
// text: writes text into a part of a buffer, without memory of its own.
#pragma once

#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <span>
#include <string_view>

/// Text in a limited room. What does not fit is left out, and `fits` is then false.
class text {
public:
    explicit text(std::span<char> room) : room_(room) {}

    /// As printf.
    [[gnu::format(printf, 2, 3)]] void add(const char* format, ...) {
        std::va_list values;
        va_start(values, format);
        const int size = std::vsnprintf(room_.data() + size_, room_.size() - size_, format, values);
        va_end(values);
        if (size >= 0 && static_cast<std::size_t>(size) < room_.size() - size_) size_ += static_cast<std::size_t>(size);
        else fits_ = false;
    }

    [[nodiscard]] bool fits() const noexcept { return fits_; }
    [[nodiscard]] std::string_view view() const noexcept { return {room_.data(), size_}; }

private:
    std::span<char> room_;  // bytes, one of them for printf's final zero
    std::size_t size_ = 0;
    bool fits_ = true;
};
