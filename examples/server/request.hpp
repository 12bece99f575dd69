// SPDX-License-Identifier: BSL-1.0
// request: one HTTP request, parsed by http-parser in its buffer. Nothing is copied, except to join a body's chunks.
#pragma once

#include <http_parser.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

/// Requires: the buffer stays where it is until `restart`, and bytes follow each other in it.
class request {
public:
    enum class progress { partial, complete, wrong };

    explicit request(std::size_t room) : room_(room) { restart(); }
    request(const request&) = delete;  // the parser knows its address
    request& operator=(const request&) = delete;

    /// Forgets everything. The next request starts at the first byte that is parsed, which is the first of the buffer.
    void restart() noexcept {
        http_parser_init(&parser_, HTTP_REQUEST);
        parser_.data = this;
        used_ = 0;
        url_ = name_ = value_ = {};
        body_ = nullptr;
        body_size_ = 0;
        hosts_ = 0;
        status_ = 400;
        is_complete_ = head_is_complete_ = is_in_value_ = expects_continue_ = false;
    }

    /// Parses the bytes of `buffer` that were not parsed yet. `size` bytes are filled.
    progress parse(char* buffer, std::size_t size) noexcept {
        buffer_ = buffer;
        if (used_ == size) return progress::partial;  // for the parser, no bytes mean the end of the connection
        used_ += http_parser_execute(&parser_, &callbacks(), buffer + used_, size - used_);
        if (is_complete_) return progress::complete;
        if (HTTP_PARSER_ERRNO(&parser_) != HPE_OK) {
            if (HTTP_PARSER_ERRNO(&parser_) == HPE_HEADER_OVERFLOW) status_ = 431;
            return progress::wrong;
        }
        if (size < room_) return progress::partial;
        status_ = head_is_complete_ ? 413 : 431;  // the buffer is full, and the request is not complete
        return progress::wrong;
    }

    [[nodiscard]] std::size_t used() const noexcept { return used_; }          // bytes of the buffer
    [[nodiscard]] unsigned status() const noexcept { return status_; }         // of a wrong request
    [[nodiscard]] unsigned method() const noexcept { return parser_.method; }  // an http_method
    [[nodiscard]] std::string_view url() const noexcept { return url_; }
    [[nodiscard]] std::string_view body() const noexcept { return {body_, body_size_}; }
    [[nodiscard]] bool keeps_alive() const noexcept { return http_should_keep_alive(&parser_) != 0; }
    [[nodiscard]] bool is_http_1_0() const noexcept { return parser_.http_major == 1 && parser_.http_minor == 0; }
    /// Whether the client waits for "100 Continue" before it sends the body. True once.
    [[nodiscard]] bool takes_continue() noexcept {
        return head_is_complete_ && std::exchange(expects_continue_, false);
    }

private:
    static request& of(http_parser* parser) noexcept { return *static_cast<request*>(parser->data); }

    static const http_parser_settings& callbacks() noexcept {
        static const http_parser_settings settings = [] {
            http_parser_settings s{};
            s.on_url = [](http_parser* p, const char* at, std::size_t size) { return extend(of(p).url_, at, size); };
            s.on_header_field = [](http_parser* p, const char* at, std::size_t size) { return of(p).field(at, size); };
            s.on_header_value = [](http_parser* p, const char* at, std::size_t size) {
                of(p).is_in_value_ = true;
                return extend(of(p).value_, at, size);
            };
            s.on_headers_complete = [](http_parser* p) { return of(p).head(); };
            s.on_body = [](http_parser* p, const char* at, std::size_t size) { return of(p).chunk(at, size); };
            s.on_message_complete = [](http_parser* p) {
                of(p).is_complete_ = true;
                http_parser_pause(p, 1);  // the next request is not parsed before this one is answered
                return 0;
            };
            return s;
        }();
        return settings;
    }

    static int extend(std::string_view& text, const char* at, std::size_t size) noexcept {
        text = text.data() == nullptr ? std::string_view(at, size) : std::string_view(text.data(), text.size() + size);
        return 0;
    }
    static bool same(std::string_view text, std::string_view lower) noexcept {
        return std::equal(text.begin(), text.end(), lower.begin(), lower.end(),
                          [](char a, char b) { return a == b || (a >= 'A' && a <= 'Z' && a - 'A' + 'a' == b); });
    }

    int field(const char* at, std::size_t size) noexcept {
        if (is_in_value_) end_field();
        return extend(name_, at, size);
    }
    void end_field() noexcept {
        if (same(name_, "host")) ++hosts_;
        if (same(name_, "expect") && same(value_, "100-continue")) expects_continue_ = true;
        name_ = value_ = {};
        is_in_value_ = false;
    }
    int head() noexcept {
        end_field();
        head_is_complete_ = true;
        if (parser_.http_major != 1) return refuse(505);
        if (!is_http_1_0() && hosts_ != 1) return refuse(400);
        if ((parser_.flags & F_CONTENTLENGTH) != 0 && parser_.content_length > room_) return refuse(413);
        return 0;
    }
    int refuse(unsigned status) noexcept {
        status_ = status;
        return -1;
    }
    int chunk(const char* at, std::size_t size) noexcept {
        char* const piece = buffer_ + (at - buffer_);
        if (body_ == nullptr) body_ = piece;
        if (body_ + body_size_ != piece) std::memmove(body_ + body_size_, piece, size);
        body_size_ += size;
        return 0;
    }

    const std::size_t room_;  // bytes in the buffer
    http_parser parser_{};
    char* buffer_ = nullptr;
    std::size_t used_ = 0;
    std::string_view url_;
    std::string_view name_;  // of the header field that is now parsed
    std::string_view value_;
    char* body_ = nullptr;
    std::size_t body_size_ = 0;
    unsigned hosts_ = 0;
    unsigned status_ = 400;
    bool is_complete_ = false;
    bool head_is_complete_ = false;
    bool is_in_value_ = false;
    bool expects_continue_ = false;
};
