// SPDX-License-Identifier: BSL-1.0
// debug_frame: a block at debug level together with its record and its guard bytes.
#pragma once

#include <fixpool/detail/debug_bytes.hpp>
#include <fixpool/detail/debug_record.hpp>
#include <fixpool/detail/debug_report.hpp>
#include <fixpool/detail/finding.hpp>
#include <fixpool/layout.hpp>

#include <cstddef>
#include <cstdint>
#include <new>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// What a frame records of its block. If an overflow of the block in front overwrites it, `seal` no longer matches.
struct debug_frame_record : debug_record {
    static constexpr std::size_t gap = 16;  // bytes of guard, at least

    std::size_t size = 0;       // bytes, of the last owner's block
    std::size_t alignment = 1;  // bytes, of the same block
    std::uint64_t seal = 0;     // sum() when the record was written

    /// Bytes in front of the block: this record and a guard.
    [[nodiscard]] std::size_t front() const noexcept { return front_of(alignment); }
    [[nodiscard]] static constexpr std::size_t front_of(std::size_t alignment) noexcept {
        return round_up(sizeof(debug_frame_record) + gap, aligned_for(alignment));
    }
    /// The alignment of a frame for a block of this alignment.
    [[nodiscard]] static constexpr std::size_t aligned_for(std::size_t alignment) noexcept {
        return alignment < gap ? gap : alignment;
    }

    [[nodiscard]] std::uint64_t sum() const noexcept {
        std::uint64_t sum = 0x9e37'79b9'7f4a'7c15;
        for (const site& at : {allocated_at, released_at}) {
            for (const void* word :
                 {static_cast<const void*>(at.file), static_cast<const void*>(at.function), at.address})
                sum = mixed(sum, reinterpret_cast<std::uintptr_t>(word));
            sum = mixed(sum, at.line);
        }
        for (const std::size_t word : {size, alignment}) sum = mixed(sum, word);
        for (const std::uint64_t word : {allocation, release}) sum = mixed(sum, word);
        for (const unsigned word : {allocated_by, released_by, unsigned{is_filled}}) sum = mixed(sum, word);
        return sum;
    }

private:
    [[nodiscard]] FIXPOOL_WRAPS static std::uint64_t mixed(std::uint64_t sum, std::uint64_t word) noexcept {
        const std::uint64_t product = (sum ^ word) * 0xff51'afd7'ed55'8ccd;
        return product ^ product >> 32;
    }
};

/// A frame is the memory of one block: record, guard, block, guard up to the end. It is one block of the checked level,
/// which lies beneath. While the block is free, everything behind the record is filled.
/// Sanitizers and Valgrind report any access to a frame, except to a live block. This class does not own the memory.
// Invariant: front_of(alignment) + size + gap <= bytes
class debug_frame {
public:
    static constexpr std::size_t gap = debug_frame_record::gap;  // a multiple of ASan's granule, as all in front

    /// The alignment of a frame for a block of this alignment: at least 16.
    [[nodiscard]] static constexpr std::size_t aligned_for(std::size_t alignment) noexcept {
        return debug_frame_record::aligned_for(alignment);
    }
    /// Bytes in front of a block.
    [[nodiscard]] static constexpr std::size_t front_of(std::size_t alignment) noexcept {
        return debug_frame_record::front_of(alignment);
    }
    /// Smallest size of a frame for such a block, in bytes. The largest std::size_t if that overflows.
    [[nodiscard]] static constexpr std::size_t bytes_for(std::size_t size, std::size_t alignment) noexcept {
        const auto most = static_cast<std::size_t>(-1);
        if (alignment > most / 4) return most;
        const std::size_t around = front_of(alignment) + gap;
        return size > most - around ? most : size + around;
    }

    debug_frame(void* start, std::size_t bytes) noexcept : start_(static_cast<std::byte*>(start)), bytes_(bytes) {}

    [[nodiscard]] std::byte* start() const noexcept { return start_; }

    /// A copy of the record, which may have been overwritten.
    /// Requires: the frame was handed out before.
    [[nodiscard]] debug_frame_record record() const noexcept {
        reveal(start_, sizeof(debug_frame_record));
        const debug_frame_record copy = *kept();
        hide(start_, sizeof(debug_frame_record));
        return copy;
    }
    [[nodiscard]] bool is_sound() const noexcept { return is_sound(record()); }

    /// The block of the last owner.
    [[nodiscard]] std::byte* block() const noexcept { return start_ + sound_record().front(); }

    /// Makes a frame that was taken a live block without a value.
    /// Requires: if the frame was handed out before, it was verified.
    void begin(std::size_t size, std::size_t alignment, const site& where, std::uint64_t operation) noexcept {
        debug_frame_record record;
        record.begin(where, operation, this_thread());
        record.size = size;
        record.alignment = alignment;
        write(record);
        paint_front(record);
        paint_back(record);
        unpoison(start_ + record.front(), size);
    }

    /// Records the release of a live block. The caller verifies the block next. An overwritten record stays as it is.
    void close(const site& where, std::uint64_t operation) noexcept {
        debug_frame_record record = this->record();
        if (!is_sound(record)) return;
        record.end(where, operation, this_thread());
        write(record);
    }
    /// Fills everything behind the record: the block has no owner any more.
    void fill() noexcept {
        debug_frame_record record = sound_record();
        record.is_filled = 1;
        write(record);
        paint(behind_record(), bytes_ - sizeof record, filled_with);
    }
    void end(const site& where, std::uint64_t operation) noexcept {
        close(where, operation);
        fill();
    }

    /// The first damage around a live block: in its record or its guards. The caller mends it and asks again.
    [[nodiscard]] finding damage_around() const noexcept {
        const debug_frame_record record = this->record();
        if (!is_sound(record)) return damage_of_record();
        const std::size_t front = record.front() - sizeof record, back = record.front() + record.size;
        const other_bytes before = other_than(guarded_with, behind_record(), front);
        if (before.any)
            return damage(violation_kind::buffer_overflow, record, sizeof record + before.first, before.value);
        const other_bytes behind = other_than(guarded_with, start_ + back, bytes_ - back);
        return behind.any ? damage(violation_kind::buffer_overflow, record, back + behind.first, behind.value)
                          : finding{};
    }
    /// The first damage in a free frame that was handed out before: in its record or behind it.
    [[nodiscard]] finding damage_in() const noexcept {
        const debug_frame_record record = this->record();
        if (!is_sound(record)) return damage_of_record();
        const other_bytes wrong = other_than(filled_with, behind_record(), bytes_ - sizeof record);
        poison(behind_record(), bytes_ - sizeof record);  // for MSan: what is there is nobody's value
        if (!wrong.any) return {};
        return damage(violation_kind::write_after_free, record, sizeof record + wrong.first, wrong.value);
    }

    /// Repairs the damage that was found. A live block keeps its bytes. The contents of an overwritten record are lost.
    void mend(const finding& found) noexcept {
        const debug_frame_record record = sound_record();
        if (found.kind == violation_kind::corrupted_pool) write(record);
        else if (found.kind == violation_kind::write_after_free)
            paint(behind_record(), bytes_ - sizeof record, filled_with);
        else if (found.offset < 0) paint_front(record);
        else paint_back(record);
    }

    /// Adds what is known of the frame's block. An overwritten record adds nothing.
    void describe(violation& v) const noexcept {
        if constexpr (!traps) v.print = &print_debug;
        const debug_frame_record record = this->record();
        if (is_sound(record)) record.describe(v);
    }

private:
    [[nodiscard]] static bool is_sound(const debug_frame_record& record) noexcept {
        return record.seal == record.sum();
    }

    [[nodiscard]] debug_frame_record* kept() const noexcept {
        return std::launder(reinterpret_cast<debug_frame_record*>(start_));
    }
    [[nodiscard]] std::byte* behind_record() const noexcept { return start_ + sizeof(debug_frame_record); }

    void write(debug_frame_record record) noexcept {
        record.seal = record.sum();
        reveal(start_, sizeof record);
        ::new (static_cast<void*>(start_)) debug_frame_record(record);
        hide(start_, sizeof record);
    }
    /// The record. If it was overwritten, the record of the largest block that fits between guards.
    [[nodiscard]] debug_frame_record sound_record() const noexcept {
        debug_frame_record record = this->record();
        if (is_sound(record)) return record;
        record = {};
        record.size = bytes_ - record.front() - gap;
        return record;
    }
    void paint_front(const debug_frame_record& record) noexcept {
        paint(behind_record(), record.front() - sizeof record, guarded_with);
    }
    void paint_back(const debug_frame_record& record) noexcept {
        const std::size_t back = record.front() + record.size;
        paint(start_ + back, bytes_ - back, guarded_with);
    }

    [[nodiscard]] finding damage_of_record() const noexcept {
        return {.at = start_, .problem = "what is kept of the block was overwritten"};
    }
    /// `at` is the offset from the frame's start, in bytes.
    [[nodiscard]] finding damage(violation_kind kind, const debug_frame_record& record, std::size_t at,
                                 unsigned char byte) const noexcept {
        const auto offset = static_cast<std::ptrdiff_t>(at) - static_cast<std::ptrdiff_t>(record.front());
        return {.kind = kind, .at = start_ + record.front(), .offset = offset, .byte = byte};
    }

    std::byte* start_;   // a multiple of 16
    std::size_t bytes_;  // a multiple of 8
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
