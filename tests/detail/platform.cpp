// SPDX-License-Identifier: BSL-1.0
#include <fixpool/detail/platform.hpp>

#include <stdexcept>
#include <string>

#include "../support/catch.hpp"

TEST_CASE("raise_made throws what it makes of its arguments", "[platform]") {
    std::string text;
    try {
        fixpool::detail::raise_made<std::length_error>("too long");
    } catch (const std::length_error& error) {
        text = error.what();
    }
    CHECK(text == "too long");
}

TEST_CASE("raise throws what it makes of a text", "[platform]") {
    std::string text;
    try {
        fixpool::detail::raise<std::length_error>("too long");
    } catch (const std::length_error& error) {
        text = error.what();
    }
    CHECK(text == "too long");
}

TEST_CASE("poisoned bytes can be used again when they are unpoisoned", "[platform]") {
    alignas(8) char bytes[64] = {};
    fixpool::detail::poison(bytes, sizeof bytes);
    fixpool::detail::unpoison(bytes, sizeof bytes);
    for (char& byte : bytes) byte = 1;
    CHECK(bytes[63] == 1);
}
