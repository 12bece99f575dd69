// SPDX-License-Identifier: BSL-1.0
// address_table: a hash table of entries for pieces of memory. Each entry is found by its address.
#pragma once

#include <fixpool/layout.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <new>
#include <stdexcept>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// Allocates from `upstream`. A resource that returns nullptr counts as one that has no memory.
/// Throws: what `upstream` throws; std::bad_alloc if it returns nullptr; std::length_error if the memory is misaligned.
[[nodiscard]] inline void* memory_from(std::pmr::memory_resource& upstream, std::size_t bytes, std::size_t alignment) {
    void* volatile memory = upstream.allocate(bytes, alignment);
    void* const seen = memory;  // libstdc++ declares it aligned and not null: `volatile` hides that from compilers
    if (seen == nullptr) raise_made<std::bad_alloc>();
    if (padding_of(seen, alignment) != 0) {
        upstream.deallocate(seen, bytes, alignment);
        raise<std::length_error>("fixpool: the upstream resource returned memory that is not aligned as asked");
    }
    return seen;
}

/// A hash table of entries. Each entry has a unique `tag`, which is never 0: an address plus a number. The number lies
/// in the bits `Entry::number_bits`, which are 0 in the address.
/// The table never reads the memory at these addresses. Its own memory comes from an upstream resource. Each call
/// passes that resource, always the same one.
/// Complexity: O(1) expected for each search.
// Invariant: size_ <= most_. Beyond a few entries, most_ is an eighth of the places: nearly each search ends at once.
template <class Entry> class address_table {
    static_assert(std::has_single_bit(sizeof(Entry)));

public:
    address_table() noexcept = default;
    address_table(const address_table&) = delete;
    address_table& operator=(const address_table&) = delete;

    /// The entry with that tag, or nullptr.
    [[nodiscard]] Entry* find(std::uintptr_t tag) const noexcept {
        Entry* at = place_of(tag);
        for (; at->tag != tag; at = next(at))
            if (at->tag == 0) return nullptr;
        return at;
    }
    /// As `find(address + number)`, but looks at one place only. If the entry is elsewhere, it returns nullptr, and the
    /// caller calls `find`.
    [[nodiscard]] Entry* find_at_once(std::uintptr_t address, std::size_t number) const noexcept {
        Entry* const at = place_at(address);
        return at->tag == address + number ? at : nullptr;
    }

    /// Makes room for one more entry. Calls moved(from, to) for each entry that moves. `to` is its new place.
    /// Throws: what `upstream` throws. The table is then unchanged.
    template <class Moved> void reserve(std::pmr::memory_resource& upstream, Moved&& moved) {
        if (size_ == most_) grow(upstream, moved);
    }

    /// Adds an entry, and returns its place.
    /// Requires: there is room, and no entry has that tag.
    Entry& insert(const Entry& entry) noexcept {
        Entry* at = place_of(entry.tag);
        while (at->tag != 0) at = next(at);
        ++size_;
        return *at = entry;
    }

    /// Removes an entry. Others may move into its place, so that each search still finds them. `moved` is as above.
    template <class Moved> void erase(Entry& entry, Moved&& moved) noexcept {
        Entry* hole = &entry;
        for (Entry* at = next(hole); at->tag != 0; at = next(at)) {
            if (steps(place_of(at->tag), at) < steps(hole, at)) continue;  // its search starts behind the hole
            *hole = *at;
            moved(at, *hole);
            hole = at;
        }
        *hole = Entry();
        --size_;
    }

    /// Calls fn(entry) for each entry. fn may erase that entry, and must change nothing else. After an erasure, another
    /// entry may be visited twice.
    template <class Fn> void for_each(Fn&& fn) const {
        for (std::size_t i = 0; i <= mask_;) {
            const std::uintptr_t tag = places_[i].tag;
            if (tag != 0) fn(places_[i]);
            i += places_[i].tag == tag;  // not if another entry was moved here
        }
    }

    /// Gives the table's memory back. Afterwards only `clear` and the destructor may be called.
    void give_back(std::pmr::memory_resource& upstream) noexcept {
        if (places_ != own_) upstream.deallocate(places_, bytes(), alignof(Entry));
    }
    /// Makes the table empty, after `give_back`.
    void clear() noexcept {
        for (Entry& place : own_) place = Entry();
        use(own_, own_places);
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t bytes() const noexcept { return places_ == own_ ? 0 : (mask_ + 1) * sizeof(Entry); }

private:
    static constexpr std::size_t own_places = 4;
    static constexpr int bits = sizeof(std::uintptr_t) * 8;
    // The factor of the hash. Fibonacci hashing (Knuth) takes the golden ratio, which moves neighbours far apart. This
    // factor was searched for, for pages in a row. Two of them never share a place if they lie 1 or 2 times 4 KiB
    // apart, or 1 to 4 times 64 KiB.
    static constexpr auto spread = static_cast<std::uintptr_t>(std::uint64_t{0xad5c'2707'2348'56d9} >> (64 - bits));

    /// The place where the search for an address, or for a tag, begins: the upper bits of the product.
    [[nodiscard]] FIXPOOL_WRAPS Entry* place_at(std::uintptr_t address) const noexcept {
        return places_ + (address * spread >> shift_);
    }
    [[nodiscard]] Entry* place_of(std::uintptr_t tag) const noexcept { return place_at(tag & ~Entry::number_bits); }
    [[nodiscard]] Entry* next(Entry* at) const noexcept { return at == places_ + mask_ ? places_ : at + 1; }
    /// The number of places that a search from `from` visits before `at`.
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

    Entry own_[own_places] = {};  // for the first entries, which take no memory from upstream
    Entry* places_ = own_;
    std::size_t mask_ = own_places - 1;
    int shift_ = bits - std::countr_zero(own_places);  // bits to shift a product by, for the number of a place
    std::size_t size_ = 0;                             // entries
    std::size_t most_ = own_places / 2;                // entries until the table grows
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
