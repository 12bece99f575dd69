// SPDX-License-Identifier: BSL-1.0
// page_memory: a page from an upstream resource.
#pragma once

#include <fixpool/detail/address_table.hpp>
#include <fixpool/layout.hpp>

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <stdexcept>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// The address of a new page of `bytes`, a multiple of them.
/// Throws: what `upstream` throws; std::length_error if that does not align.
[[nodiscard]] inline std::uintptr_t page_from(std::pmr::memory_resource& upstream, std::size_t bytes) {
    void* const memory = memory_from(upstream, bytes, bytes);
    if (padding_of(memory, bytes) != 0) {
        upstream.deallocate(memory, bytes, bytes);
        raise<std::length_error>("fixpool: the upstream resource returned memory that is not aligned as asked");
    }
    return reinterpret_cast<std::uintptr_t>(memory);
}

}  // namespace fixpool::inline FIXPOOL_ABI::detail
