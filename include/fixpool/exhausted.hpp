// SPDX-License-Identifier: BSL-1.0
// pool_exhausted: the exception that `allocate` throws when every block is in use.
#pragma once

#include <fixpool/detail/text_line.hpp>

#include <cstddef>
#include <new>

namespace fixpool::inline FIXPOOL_ABI {

/// Thrown by `allocate` when every block is in use. All executables and shared libraries of a process share this type.
class FIXPOOL_VISIBLE pool_exhausted : public std::bad_alloc {
public:
    /// `pool_name` may be nullptr or "". `holders` is added to the text: it says who holds the blocks.
    pool_exhausted(const char* pool_name, std::size_t total_blocks, const char* holders = "") noexcept {
        text_.add("fixpool: ").add(total_blocks).add(" of ").add(total_blocks).add(" blocks in use");
        if (pool_name != nullptr && *pool_name != 0) text_.add(" in pool \"").add(pool_name).add("\"");
        text_.add(holders);
    }
    /// A sentence with the pool's name and its number of blocks. Valid as long as this object.
    [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }

private:
    detail::text_line text_;
};

}  // namespace fixpool::inline FIXPOOL_ABI
