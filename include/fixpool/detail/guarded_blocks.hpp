// SPDX-License-Identifier: BSL-1.0
// guarded_blocks: where the blocks of debug level are, and the bytes in and between them that nobody may write.
#pragma once

#include <fixpool/detail/debug_bytes.hpp>
#include <fixpool/detail/finding.hpp>
#include <fixpool/layout.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// Guard bytes lie in front of block 0 and behind each block. Each guard between two blocks belongs to both.
class guarded_blocks {
public:
    static constexpr std::size_t gap = 16;  // bytes of guard, at least; strides and block 0 keep whole granules of ASan

    /// Bytes in front of block 0.
    [[nodiscard]] static constexpr std::size_t front_of(const geometry& g) noexcept {
        return round_up(gap, g.alignment);
    }

    guarded_blocks() noexcept = default;
    /// Requires: `front` points to `front_of(g) + g.blocks_bytes()` bytes.
    guarded_blocks(std::byte* front, const geometry& g) noexcept
        : layout_(g), base_(front + front_of(g)), inverse_(inverse_of_odd(g.stride >> std::countr_zero(g.stride))) {
        hide();
    }

    [[nodiscard]] const geometry& layout() const noexcept { return layout_; }
    [[nodiscard]] std::byte* base() const noexcept { return base_; }
    [[nodiscard]] std::byte* address(std::size_t block) const noexcept { return base_ + block * layout_.stride; }

    // As in free_list.
    [[nodiscard]] bool contains(const void* p) const noexcept { return offset_of(p) < layout_.blocks_bytes(); }
    [[nodiscard]] FIXPOOL_WRAPS std::size_t index_of(const void* address) const noexcept {
        const std::uintptr_t index =
            rotated(offset_of(address) * inverse_, static_cast<unsigned>(std::countr_zero(layout_.stride)));
        return index < layout_.block_count ? index : violation::npos;
    }
    [[nodiscard]] std::size_t enclosing_index(const void* address) const noexcept {
        return contains(address) ? offset_of(address) / layout_.stride : violation::npos;
    }

    /// Makes sanitizers and Valgrind report any access to the blocks, or no access.
    void hide() const noexcept { detail::hide(base_ - front_of(layout_), all_bytes()); }
    void reveal() const noexcept { detail::reveal(base_ - front_of(layout_), all_bytes()); }

    /// Writes the guards of the block that is carved now. All blocks in front of it are carved already.
    void carve(std::uint32_t block) noexcept {
        if (block == 0) paint(base_ - front_of(layout_), front_of(layout_), guarded_with);
        paint(address(block) + layout_.block_size, gap_bytes(), guarded_with);
    }

    /// Fills a block that its holder has given back.
    void fill(std::uint32_t block) noexcept { std::memset(address(block), filled_with, layout_.block_size); }

    /// The first byte of a filled block that was overwritten.
    [[nodiscard]] finding damage_in(std::uint32_t block) const noexcept {
        const other_bytes wrong = other_than(filled_with, address(block), layout_.block_size);
        if (!wrong.any) return {};
        return damage(violation_kind::write_after_free, block, static_cast<std::ptrdiff_t>(wrong.first), wrong.value);
    }

    /// The first damaged byte of the guard in front of a block. It counts as damage of the nearer block. Behind the
    /// last of `carved` blocks, only that one is near.
    [[nodiscard]] finding damage_in_front_of(std::uint32_t block, std::uint32_t carved) const noexcept {
        const std::size_t lead = lead_of(block);
        const other_bytes wrong = other_than(guarded_with, address(block) - lead, lead);
        if (!wrong.any) return {};
        const bool is_next = block == 0 || (block != carved && lead - 1 - wrong.last < wrong.first);
        const std::size_t start = is_next ? lead : 0 - layout_.block_size;  // of the block, from the guard's start
        return damage(violation_kind::buffer_overflow, is_next ? block : block - 1,
                      static_cast<std::ptrdiff_t>(wrong.first - start), wrong.value);
    }

    void mend(const finding& found) noexcept {
        const auto block = static_cast<std::uint32_t>(found.block);
        std::byte* const first = address(block);
        if (found.kind == violation_kind::write_after_free) paint(first, layout_.block_size, filled_with);
        else if (found.offset >= 0) paint(first + layout_.block_size, gap_bytes(), guarded_with);
        else paint(first - lead_of(block), lead_of(block), guarded_with);
    }

private:
    [[nodiscard]] finding damage(violation_kind kind, std::uint32_t block, std::ptrdiff_t offset,
                                 unsigned char byte) const noexcept {
        return {.kind = kind, .at = address(block), .block = block, .offset = offset, .byte = byte};
    }
    [[nodiscard]] std::size_t all_bytes() const noexcept { return front_of(layout_) + layout_.blocks_bytes(); }
    [[nodiscard]] std::size_t gap_bytes() const noexcept { return layout_.stride - layout_.block_size; }
    [[nodiscard]] std::size_t lead_of(std::uint32_t block) const noexcept {
        return block == 0 ? front_of(layout_) : gap_bytes();
    }
    [[nodiscard]] FIXPOOL_WRAPS std::uintptr_t offset_of(const void* address) const noexcept {
        return reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(base_);
    }

    geometry layout_{.block_size = 0, .block_count = 0, .alignment = 1, .stride = 1};
    std::byte* base_ = nullptr;   // of block 0
    std::uintptr_t inverse_ = 1;  // inverse of the odd part of the stride
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
