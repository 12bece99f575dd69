// SPDX-License-Identifier: BSL-1.0
// debug_memory_pool: raw pools at debug level. Each operation takes a site: a place in the source code.
#pragma once

#include <fixpool/detail/debug_list.hpp>
#include <fixpool/memory_pool.hpp>

#include <cstddef>
#include <span>

namespace fixpool::inline FIXPOOL_ABI {

namespace detail {
/// The level of the base class of a debug raw pool. The base has everything that takes no site. It has its own level,
/// so that `&memory_pool::allocate` names one function. g++ 12 does not accept two, one of them constrained.
template <checking C> inline constexpr checking beneath = checking{3};
}  // namespace detail

template <> class basic_memory_pool<checking::debug> : public basic_memory_pool<detail::beneath<checking::debug>> {
    using base = basic_memory_pool<detail::beneath<checking::debug>>;
    using entry = detail::debug_list::entry;
    static constexpr entry none = detail::debug_list::none;

public:
    using base::base;

    [[nodiscard]] void* allocate(site where = {}) {
        entry taken = none;
        if (!take(taken, where)) raise_exhausted();
        return hand_out(taken);
    }
    [[nodiscard]] void* try_allocate(site where = {}) noexcept {
        entry taken = none;
        return take(taken, where) ? hand_out(taken) : nullptr;
    }
    void deallocate(void* block, site where = {}) noexcept {
        const entry claimed = list_.claim(block, where);
        if (claimed == none) return report_misuse(block);
        if (mend(claimed)) list_.put(claimed);
    }
    [[nodiscard]] bool try_allocate_bulk(std::span<void*> blocks, site where = {}) noexcept {
        bool is_whole = false;
        while (!is_whole) {  // begins anew when a handler has reset the pool
            if (blocks.size() > available()) return list_.refuse();
            for (void*& block : blocks) {
                entry taken = none;
                static_cast<void>(list_.take(taken));
                block = list_.address(taken);
            }
            is_whole = true;
            for (std::size_t i = 0; is_whole && i < blocks.size(); ++i) {
                const auto taken = static_cast<entry>(list_.index_of(blocks[i]));
                is_whole = begin(taken, where);
                if (is_whole) static_cast<void>(hand_out(taken));
            }
        }
        return true;
    }
    void deallocate_bulk(std::span<void* const> blocks, site where = {}) noexcept {
        for (void* const block : blocks) deallocate(block, where);
    }
    [[nodiscard]] release_status try_deallocate(void* block, site where = {}) noexcept {
        if (block == nullptr) return release_status::null_pointer;
        const entry claimed = list_.claim(block, where);
        if (claimed == none) return detail::status_of(list_.misuse_of(block));
        if (mend(claimed)) list_.put(claimed);
        return release_status::released;
    }

private:
    template <class T, checking D> friend class typed_pool;

    /// Takes a block and verifies it.
    [[nodiscard]] bool take(entry& taken, const site& where) noexcept {
        do
            if (!list_.take(taken)) return false;
        while (!begin(taken, where));
        return true;
    }
    [[nodiscard]] bool begin(entry taken, const site& where) noexcept {
        if (!mend(taken)) return false;
        list_.begin(taken, where);
        return true;
    }

    /// Reports and mends damage in a taken block, or around a claimed one. False if a handler has reset or moved the
    /// pool: the block is then no longer the caller's.
    [[nodiscard]] bool mend(entry block) noexcept {
        const auto life = list_.life();
        for (auto found = list_.inspect(block); found; found = list_.inspect(block)) {
            reporter_.report(violation_of(found));
            if (list_.life() != life) return false;
            list_.mend(found);
        }
        return true;
    }

    [[noreturn]] FIXPOOL_COLD void raise_exhausted() const {
        if constexpr (detail::traps) detail::stop();
        else detail::raise_made<pool_exhausted>(name(), total_blocks(), list_.text_of_holders().c_str());
    }
};

}  // namespace fixpool::inline FIXPOOL_ABI
