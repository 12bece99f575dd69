// SPDX-License-Identifier: BSL-1.0
// stolen: a handle that was copied byte by byte, which no program may do. Its pool must notice.
#pragma once

#include <fixpool/violation.hpp>

#include <cstddef>
#include <cstring>
#include <new>

#include "catch.hpp"
#include "violations.hpp"

template <class Handle> struct stolen {
    explicit stolen(const Handle& from) { std::memcpy(bytes, static_cast<const void*>(&from), sizeof(Handle)); }
    Handle& handle() { return *std::launder(reinterpret_cast<Handle*>(bytes)); }
    alignas(Handle) std::byte bytes[sizeof(Handle)];
};

/// Resets, and then gives up, copies of handles whose object is gone. Requires: the pool has two free blocks.
template <class Pool> void use_stolen_handles(Pool& pool, recorded_violations& violations) {
    auto first = pool.allocate(1);
    stolen copy(first);
    first.reset();
    copy.handle().reset();
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == fixpool::violation_kind::double_free);
    auto second = pool.allocate(2);
    stolen another(second);
    second.reset();
    static_cast<void>(another.handle().release());
    REQUIRE(violations.count() == 1);
    CHECK(violations.last().kind == fixpool::violation_kind::double_free);
}
