// SPDX-License-Identifier: BSL-1.0
// http_date: the time in HTTP's format (RFC 9110, 5.6.7).
#pragma once

#include <array>
#include <ctime>

/// Like "Sun, 06 Nov 1994 08:49:37 GMT". Made once per second in each thread. Valid until the thread's next call.
[[nodiscard]] inline const char* http_date() {
    thread_local std::time_t made_at = -1;
    thread_local std::array<char, 32> text{};
    if (const std::time_t now = std::time(nullptr); now != made_at) {
        std::tm parts{};
        ::gmtime_r(&now, &parts);
        std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
        made_at = now;
    }
    return text.data();
}
