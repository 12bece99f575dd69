// SPDX-License-Identifier: BSL-1.0
// block_numbers: the number of a block from its address, and back, for many threads at once.
#pragma once

#include <fixpool/detail/free_list.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// Computes what free_list computes, from its own constants. Those of free_list share cache lines with data that
/// changes. `Stride` is as in free_list.
template <checking C> class block_numbers {
    using free_list = detail::free_list<C>;

public:
    using entry = typename free_list::entry;

    explicit block_numbers(const free_list& list) noexcept
        : base_(list.base()),
          stride_(list.layout().stride),
          inverse_(inverse_of_odd(stride_ >> std::countr_zero(stride_))),
          total_(list.total()) {}

    template <std::size_t Stride = 0> [[nodiscard]] std::size_t stride() const noexcept {  // bytes
        if constexpr (Stride != 0) return Stride;
        else return stride_;
    }

    template <std::size_t Stride = 0> [[nodiscard]] std::byte* address(entry block) const noexcept {
        if constexpr (!free_list::is_checked) return block;
        else return base_ + block * stride<Stride>();
    }

    /// The number of the block that starts at `address`. For any other address, a number that is not below the total.
    template <std::size_t Stride = 0>
    [[nodiscard]] FIXPOOL_WRAPS std::uintptr_t number_of(const void* address) const noexcept {
        const auto offset = reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(base_);
        std::uintptr_t inverse = inverse_;
        if constexpr (Stride != 0) inverse = inverse_of_odd(Stride >> std::countr_zero(Stride));
        return rotated(offset * inverse, static_cast<unsigned>(std::countr_zero(stride<Stride>())));
    }

    /// The same, but npos for any other address.
    template <std::size_t Stride = 0> [[nodiscard]] std::size_t index_of(const void* address) const noexcept {
        const std::uintptr_t number = number_of<Stride>(address);
        return number < total_ ? number : violation::npos;
    }

    /// Requires: a block starts at `address`.
    template <std::size_t Stride = 0> [[nodiscard]] entry entry_of(void* address) const noexcept {
        if constexpr (free_list::is_checked) return static_cast<entry>(number_of<Stride>(address));
        else return static_cast<entry>(address);
    }

private:
    std::byte* base_;         // of block 0
    std::size_t stride_;      // bytes
    std::uintptr_t inverse_;  // inverse of the odd part of stride_, modulo 2^bits
    std::size_t total_;       // blocks
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
