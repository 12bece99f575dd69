// SPDX-License-Identifier: BSL-1.0
// debug_shared_memory_pool: shared raw pools at debug level. Each operation takes a site: a place in the source code.
#pragma once

#include <fixpool/detail/debug_memory_pool.hpp>

namespace fixpool::inline FIXPOOL_ABI {

template <checking C> class basic_shared_memory_pool;

// A constrained partial specialisation, not a full one. It is complete only where somebody uses it, so this header
// needs no header of threads.
template <checking C>
requires(C == checking::debug) class basic_shared_memory_pool<C> : public basic_shared_memory_pool<detail::beneath<C>> {
    using base = basic_shared_memory_pool<detail::beneath<C>>;
    using base::state_;

public:
    using base::base;

    [[nodiscard]] void* allocate(site where = {}) const {
        void* const block = try_allocate(where);
        if (block == nullptr) state_->raise_exhausted();
        return block;
    }
    [[nodiscard]] void* try_allocate(site where = {}) const noexcept { return this->given_up(state_->take(where)); }
    void deallocate(void* block, site where = {}) const noexcept {
        if (!is_taken_back(block, where)) this->report_misuse(block, {});
    }
    [[nodiscard]] release_status try_deallocate(void* block, site where = {}) const noexcept {
        if (block == nullptr) return release_status::null_pointer;
        return is_taken_back(block, where) ? release_status::released
                                           : detail::status_of(state_->template misuse_of<false>(block).kind);
    }

    [[nodiscard]] friend bool operator==(const basic_shared_memory_pool& a,
                                         const basic_shared_memory_pool& b) noexcept {
        return a.state_.get() == b.state_.get();
    }

private:
    friend class census;

    [[nodiscard]] bool is_taken_back(void* block, const site& where) const noexcept {
        const auto claimed = state_->claim(block, detail::block_state::given_up, where);
        if (claimed == detail::debug_list::none) return false;
        static_cast<void>(state_->put(claimed));  // this copy keeps the state
        return true;
    }
};

}  // namespace fixpool::inline FIXPOOL_ABI
