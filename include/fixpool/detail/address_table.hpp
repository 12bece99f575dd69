// SPDX-License-Identifier: BSL-1.0
// address_table: what is kept of pieces of memory, each found by its address.
#pragma once

#include <fixpool/layout.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <new>
#include <stdexcept>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// As upstream.allocate. Some resources return nullptr where there is no memory: that is a std::bad_alloc, too.
/// Throws: what `upstream` throws; std::length_error if that does not align.
[[nodiscard]] inline void* memory_from(std::pmr::memory_resource& upstream, std::size_t bytes, std::size_t alignment) {
    void* volatile memory = upstream.allocate(bytes, alignment);
    void* const seen = memory;  // libstdc++ says that it is aligned and not nullptr: compilers would believe that
    if (seen == nullptr) raise_made<std::bad_alloc>();
    if (padding_of(seen, alignment) != 0) {
        upstream.deallocate(seen, bytes, alignment);
        raise<std::length_error>("fixpool: the upstream resource returned memory that is not aligned as asked");
    }
    return seen;
}

/// A hash table of entries, each with a `tag` that is not 0 and tells it from all others: an address plus a number, which
/// has the bits `Entry::number_bits`. An entry is found in O(1), expected. Nothing is read but the table. Its memory
/// comes from an upstream that each caller hands in, always the same.
// Invariant: size_ <= most_, at most an eighth of the places, but of the first few: nearly each search ends at once.
template <class Entry> class address_table {
    static_assert(std::has_single_bit(sizeof(Entry)));

public:
    address_table() noexcept = default;
    address_table(const address_table&) = delete;
    address_table& operator=(const address_table&) = delete;

    /// The entry of that tag, or nullptr.
    [[nodiscard]] Entry* find(std::uintptr_t tag) const noexcept {
        Entry* at = place_of(tag);
        for (; at->tag != tag; at = next(at))
            if (at->tag == 0) return nullptr;
        return at;
    }
    /// The same for the tag `address + number`, but nullptr also if the search would not end at once: for a caller that
    /// then calls `find`.
    [[nodiscard]] Entry* find_at_once(std::uintptr_t address, std::size_t number) const noexcept {
        Entry* const at = place_at(address);
        return at->tag == address + number ? at : nullptr;
    }

    /// Makes room for one more entry. moved(from, to) is called for each entry that goes to another place: `to` is it.
    /// Throws: what `upstream` throws, and then nothing has changed.
    template <class Moved> void reserve(std::pmr::memory_resource& upstream, Moved&& moved) {
        if (size_ == most_) grow(upstream, moved);
    }

    /// Requires: there is room, and no entry of that tag.
    Entry& insert(const Entry& entry) noexcept {
        Entry* at = place_of(entry.tag);
        while (at->tag != 0) at = next(at);
        ++size_;
        return *at = entry;
    }

    /// Takes an entry out. Others move, as above, so that no search ends too early.
    template <class Moved> void erase(Entry& entry, Moved&& moved) noexcept {
        Entry* hole = &entry;
        for (Entry* at = next(hole); at->tag != 0; at = next(at)) {
            if (steps(place_of(at->tag), at) < steps(hole, at)) continue;  // its search starts behind it
            *hole = *at;
            moved(at, *hole);
            hole = at;
        }
        *hole = Entry();
        --size_;
    }

    /// fn(entry) of each entry. fn may erase it, but nothing else: another one may then be visited twice.
    template <class Fn> void for_each(Fn&& fn) const {
        for (std::size_t i = 0; i <= mask_;) {
            const std::uintptr_t tag = places_[i].tag;
            if (tag != 0) fn(places_[i]);
            i += places_[i].tag == tag;  // not if another one was moved here
        }
    }

    /// Gives the table's memory back. Ensures: only `clear` and the destructor may follow.
    void give_back(std::pmr::memory_resource& upstream) noexcept {
        if (places_ != own_) upstream.deallocate(places_, bytes(), alignof(Entry));
    }
    /// Makes a table of no entries, whose memory is given back.
    void clear() noexcept {
        for (Entry& place : own_) place = Entry();
        use(own_, own_places);
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t bytes() const noexcept { return places_ == own_ ? 0 : (mask_ + 1) * sizeof(Entry); }

private:
    static constexpr std::size_t own_places = 4;
    static constexpr int bits = sizeof(std::uintptr_t) * 8;
    // As in Fibonacci hashing (Knuth), whose number is the golden ratio: neighbours are far apart. This one was searched
    // for: no two of a row of pages share a place that lie 1 or 2 times 4 KiB apart, or 1 to 4 times 64 KiB.
    static constexpr auto spread = static_cast<std::uintptr_t>(std::uint64_t{0xad5c'2707'2348'56d9} >> (64 - bits));

    /// Where the search for an address, or for a tag, begins: the upper bits of the product say.
    [[nodiscard]] FIXPOOL_WRAPS Entry* place_at(std::uintptr_t address) const noexcept {
        return places_ + (address * spread >> shift_);
    }
    [[nodiscard]] Entry* place_of(std::uintptr_t tag) const noexcept { return place_at(tag & ~Entry::number_bits); }
    [[nodiscard]] Entry* next(Entry* at) const noexcept { return at == places_ + mask_ ? places_ : at + 1; }
    /// How many places a search that begins at `from` looks at before `at`.
    [[nodiscard]] FIXPOOL_WRAPS std::size_t steps(const Entry* from, const Entry* at) const noexcept {
        return static_cast<std::size_t>(at - from) & mask_;
    }
    void use(Entry* places, std::size_t count) noexcept {
        places_ = places;
        mask_ = count - 1;
        shift_ = bits - std::countr_zero(count);
        size_ = 0;
        most_ = places == own_ ? count / 2 : count / 8;
    }

    template <class Moved> FIXPOOL_COLD void grow(std::pmr::memory_resource& upstream, Moved& moved) {
        const std::size_t count = size_ * 16, old_bytes = bytes();
        void* const memory = memory_from(upstream, count * sizeof(Entry), alignof(Entry));
        Entry *const old = places_, *const old_end = places_ + mask_ + 1;
        auto* const grown = static_cast<Entry*>(memory);
        for (std::size_t i = 0; i < count; ++i) ::new (static_cast<void*>(grown + i)) Entry();
        use(grown, count);
        for (Entry* entry = old; entry != old_end; ++entry)
            if (entry->tag != 0) moved(entry, insert(*entry));
        if (old != own_) upstream.deallocate(old, old_bytes, alignof(Entry));
    }

    Entry own_[own_places] = {};  // for the first entries
    Entry* places_ = own_;
    std::size_t mask_ = own_places - 1;
    int shift_ = bits - std::countr_zero(own_places);  // of a product, to be the number of a place
    std::size_t size_ = 0;                             // entries
    std::size_t most_ = own_places / 2;                // entries until the table grows
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
