// SPDX-License-Identifier: BSL-1.0
#include <fixpool/version.hpp>

#include <string>

#include "support/catch.hpp"

TEST_CASE("the header and the package tell one version", "[version]") {
    const std::string told = std::to_string(FIXPOOL_VERSION_MAJOR) + "." + std::to_string(FIXPOOL_VERSION_MINOR) + "." +
                             std::to_string(FIXPOOL_VERSION_PATCH);
    CHECK(told == FIXPOOL_PACKAGE_VERSION);
}
