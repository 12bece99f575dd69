// SPDX-License-Identifier: BSL-1.0
// block_numbers: which block an address is, asked by many threads at once.
#pragma once

#include <fixpool/detail/free_list.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// What free_list computes, of constants of its own: free_list's lie among what changes. `Stride` is as there.
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

    /// The number of the block that starts at `address`; for any other address a number that is at least the total.
    template <std::size_t Stride = 0>
    [[nodiscard]] FIXPOOL_WRAPS std::uintptr_t number_of(const void* address) const noexcept {
        const auto offset = reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(base_);
        std::uintptr_t inverse = inverse_;
        if constexpr (Stride != 0) inverse = inverse_of_odd(Stride >> std::countr_zero(Stride));
        return rotated(offset * inverse, static_cast<unsigned>(std::countr_zero(stride<Stride>())));
    }

    /// The same, npos for any other address.
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
    std::uintptr_t inverse_;  // of the odd part of stride_
    std::size_t total_;       // blocks
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
