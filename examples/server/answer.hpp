// SPDX-License-Identifier: BSL-1.0
// answer: the response to a request.
#pragma once

#include <http_parser.h>

#include <array>
#include <charconv>
#include <cstddef>
#include <functional>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include "http_date.hpp"
#include "memory.hpp"
#include "page.hpp"
#include "request.hpp"
#include "text.hpp"

struct answer {
    unsigned status = 200;
    std::string_view head;  // in io_buffer::output
    std::string_view body;  // there, in io_buffer::input, or in the program
    bool closes = false;    // close the connection behind this answer
};

/// Makes the answers. `metrics` writes the text of /metrics.
class responder {
public:
    explicit responder(std::function<void(text&)> metrics) : metrics_(std::move(metrics)) {}

    /// The answer to a complete request.
    [[nodiscard]] answer to(const request& asked, io_buffer& buffer, bool closes) const {
        content found = find(asked, std::span(buffer.output).subspan(head_room));
        const bool is_head = asked.method() == HTTP_HEAD;
        return finished(found, buffer, closes || !asked.keeps_alive(), is_head, asked.is_http_1_0());
    }

    /// The answer to a request that is wrong or late. The connection is closed behind it.
    [[nodiscard]] static answer refusal(unsigned status, io_buffer& buffer) {
        return finished(error(status), buffer, true, false, false);
    }

private:
    static constexpr std::size_t head_room = 256;       // bytes of the output
    static constexpr std::size_t most_bytes = 1 << 20;  // most that /bytes sends

    struct content {
        unsigned status;
        std::string_view type;
        std::string_view body;
        std::string_view allow = {};
    };

    static content error(unsigned status) {
        return {status, "text/plain", http_status_str(static_cast<http_status>(status))};
    }

    static answer finished(const content& found, io_buffer& buffer, bool closes, bool is_head, bool is_http_1_0) {
        text head(std::span(buffer.output).first(head_room));
        head.add("HTTP/1.1 %u %s\r\nDate: %s\r\nContent-Type: %.*s\r\nContent-Length: %zu\r\n", found.status,
                 http_status_str(static_cast<http_status>(found.status)), http_date(),
                 static_cast<int>(found.type.size()), found.type.data(), found.body.size());
        if (!found.allow.empty()) head.add("Allow: %.*s\r\n", static_cast<int>(found.allow.size()), found.allow.data());
        if (closes) head.add("Connection: close\r\n");
        else if (is_http_1_0) head.add("Connection: keep-alive\r\n");
        head.add("\r\n");
        return {found.status, head.view(), is_head ? std::string_view() : found.body, closes};
    }

    [[nodiscard]] content find(const request& asked, std::span<char> room) const {
        const std::string_view url = asked.url();
        http_parser_url parts{};
        if (http_parser_parse_url(url.data(), url.size(), asked.method() == HTTP_CONNECT ? 1 : 0, &parts) != 0) {
            return error(400);
        }
        const std::string_view path = part(url, parts, UF_PATH);
        const bool reads = asked.method() == HTTP_GET || asked.method() == HTTP_HEAD;
        const content wrong_method{405, "text/plain", "Method Not Allowed", "GET, HEAD"};
        if (path == "/hello") return reads ? content{200, "text/plain", "hello\n"} : wrong_method;
        if (path == "/") return reads ? content{200, "text/html; charset=utf-8", page} : wrong_method;
        if (path == "/metrics") return reads ? metrics(room) : wrong_method;
        if (path == "/bytes") return reads ? bytes(part(url, parts, UF_QUERY)) : wrong_method;
        if (path == "/echo") {
            if (asked.method() == HTTP_POST) return {200, "application/octet-stream", asked.body()};
            return {405, "text/plain", "Method Not Allowed", "POST"};
        }
        return error(404);
    }

    static std::string_view part(std::string_view url, const http_parser_url& parts, unsigned which) {
        if ((parts.field_set & (1U << which)) == 0) return {};
        return url.substr(parts.field_data[which].off, parts.field_data[which].len);
    }

    [[nodiscard]] content metrics(std::span<char> room) const {
        text written(room);
        metrics_(written);
        return written.fits() ? content{200, "text/plain; version=0.0.4", written.view()} : error(500);
    }

    static content bytes(std::string_view query) {
        static const std::array<char, most_bytes> zeros{};
        std::size_t count = 0;
        const char* const end = query.data() + query.size();
        if (!query.starts_with("n=")) return error(400);
        const auto [last, problem] = std::from_chars(query.data() + 2, end, count);
        if (problem != std::errc() || last != end || count > most_bytes) return error(400);
        return {200, "application/octet-stream", std::string_view(zeros.data(), count)};
    }

    std::function<void(text&)> metrics_;
};
