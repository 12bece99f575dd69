// SPDX-License-Identifier: BSL-1.0
// text_line: a line of text in a fixed buffer, for reports and errors.
#pragma once

#include <fixpool/detail/platform.hpp>

#include <cstddef>
#include <cstdint>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// One line of text. It needs no heap, and one write prints it. Text that does not fit is cut, but an end of line
/// always fits. It does not use printf, which is large and differs between platforms.
class FIXPOOL_VISIBLE text_line {  // visible, as pool_exhausted, which contains one
public:
    FIXPOOL_COLD text_line& add(const char* text) noexcept {
        while (*text != 0 && length_ + (*text == '\n' ? 1 : 2) < sizeof text_) text_[length_++] = *text++;
        return *this;
    }
    text_line& add(std::size_t number) noexcept { return add_digits(number, 10); }
    text_line& add(const void* p) noexcept { return add("0x").add_digits(reinterpret_cast<std::uintptr_t>(p), 16); }
    [[nodiscard]] const char* c_str() const noexcept { return text_; }

private:
    FIXPOOL_COLD text_line& add_digits(std::uintptr_t number, unsigned base) noexcept {
        std::uintptr_t unit = 1;  // value of the first digit
        while (number / unit >= base) unit *= base;
        for (; unit != 0 && length_ + 2 < sizeof text_; unit /= base)
            text_[length_++] = "0123456789abcdef"[number / unit % base];
        return *this;
    }

    char text_[352] = {};
    std::size_t length_ = 0;  // characters without the closing 0; below sizeof text_
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
