// SPDX-License-Identifier: BSL-1.0
// debug_growing_pool: pools that grow, at debug level. Each operation records its site: a place in the source code.
#pragma once

#include <fixpool/detail/debug_growing_blocks.hpp>
#include <fixpool/detail/debug_memory_pool.hpp>
#include <fixpool/growing_pool.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace fixpool::inline FIXPOOL_ABI {

template <> class basic_growing_pool<checking::debug> : public basic_growing_pool<detail::beneath<checking::debug>> {
    using base = basic_growing_pool<detail::beneath<checking::debug>>;
    using block_list = detail::growing_blocks<detail::beneath<checking::debug>>;

public:
    using base::base;

    [[nodiscard]] void* allocate(site where = {}) {
        const block_list::entry taken = list_.take(where, watch());
        if (taken.block == nullptr) list_.raise_exhausted(name());
        block_list::mark(taken, detail::page_state::live);
        return taken.block;
    }
    [[nodiscard]] void* try_allocate(site where = {}) noexcept {
        const block_list::entry taken = list_.try_take(where, watch());
        if (taken.block != nullptr) block_list::mark(taken, detail::page_state::live);
        return taken.block;
    }
    void deallocate(void* block, site where = {}) noexcept {
        if (!is_released(block, where) && block != nullptr) report_misuse(block);
    }
    [[nodiscard]] bool try_allocate_bulk(std::span<void*> blocks, site where = {}) noexcept {
        return list_.try_take_all(blocks, where, watch());
    }
    void deallocate_bulk(std::span<void* const> blocks, site where = {}) noexcept {
        for (void* const block : blocks) deallocate(block, where);
    }
    [[nodiscard]] release_status try_deallocate(void* block, site where = {}) noexcept {
        if (is_released(block, where)) return release_status::released;
        return block == nullptr ? release_status::null_pointer : detail::status_of(list_.misuse_of(block).kind);
    }

private:
    [[nodiscard]] block_list::watch watch() const noexcept { return {reporter_, this}; }

    [[nodiscard]] bool is_released(void* block, const site& where) noexcept {
        const block_list::entry claimed = list_.claim(block, where);
        if (claimed.block == nullptr) return false;
        if (list_.verify(claimed, where, watch())) list_.put(claimed);
        return true;
    }
};

/// As at the other levels. It also records the site of each operation, as typed_pool does.
template <class T>
class growing_typed_pool<T, checking::debug> : public growing_typed_pool<T, detail::beneath<checking::debug>> {
    using base = growing_typed_pool<T, detail::beneath<checking::debug>>;
    using block_list = detail::growing_blocks<detail::beneath<checking::debug>>;
    using state = detail::page_state;
    using handle = growing_block<T, checking::debug>;

public:
    using base::base;

    template <class... Args> [[nodiscard]] FIXPOOL_APART handle allocate(Args&&... args) {
        return allocate_at(called_before(FIXPOOL_CALLER()), std::forward<Args>(args)...);
    }
    template <class... Args> [[nodiscard]] FIXPOOL_APART handle try_allocate(Args&&... args) {
        return try_allocate_at(called_before(FIXPOOL_CALLER()), std::forward<Args>(args)...);
    }
    template <class...> [[nodiscard]] FIXPOOL_APART handle allocate_for_overwrite() {
        return allocate_at(called_before(FIXPOOL_CALLER()), detail::for_overwrite());
    }
    template <class...> [[nodiscard]] FIXPOOL_APART handle try_allocate_for_overwrite() {
        return try_allocate_at(called_before(FIXPOOL_CALLER()), detail::for_overwrite());
    }
    template <class... Args> [[nodiscard]] handle allocate_at(site where, Args&&... args) {
        const entry taken = list().take(where, watch());
        if (taken.block == nullptr) list().raise_exhausted(this->name());
        return made_in(taken, std::forward<Args>(args)...);
    }
    template <class... Args> [[nodiscard]] handle try_allocate_at(site where, Args&&... args) {
        const entry taken = list().try_take(where, watch());
        if (taken.block == nullptr) return {};
        return made_in(taken, std::forward<Args>(args)...);
    }

    [[nodiscard]] handle adopt(T* object) noexcept {
        if (object == nullptr || is_changed(object, state::given_up, state::live)) return {this, object};
        return {};
    }

    /// The stride of the frames, in bytes.
    [[nodiscard]] static constexpr std::size_t stride() noexcept {
        return detail::frame_layout(detail::checked_page_stride(sizeof(T), alignof(T))).stride;
    }

private:
    using entry = block_list::entry;
    friend handle;
    friend detail::block_lease<growing_typed_pool>;

    [[nodiscard]] static site called_before(const void* address) noexcept {
        return detail::debug_list::called_before(address);
    }
    [[nodiscard]] block_list& list() noexcept { return this->pool_.list_; }
    [[nodiscard]] block_list::watch watch() const noexcept { return {this->pool_.reporter_, &this->pool_}; }

    /// Constructs a T from `args` in a taken block, and returns its handle.
    template <class... Args> [[nodiscard]] handle made_in(const entry& taken, Args&&... args) {
        detail::block_lease<growing_typed_pool> lease(this, taken);
        T* const object = detail::construct<T>(taken.block, std::forward<Args>(args)...);
        lease.keep();
        block_list::mark(taken, state::live);
        return {this, object};
    }

    void put_back(const entry& block) noexcept { list().put(block); }

    FIXPOOL_APART void give_back(T* object) noexcept {
        const site where = called_before(FIXPOOL_CALLER());
        const entry claimed = list().claim(object, where);
        if (claimed.block == nullptr) return this->pool_.report_misuse(object);
        static_cast<void>(list().verify(claimed, where, watch()));  // no handler resets a pool of objects
        detail::destroy(*object);
        put_back(claimed);
    }

    void give_up(T* object) noexcept { static_cast<void>(is_changed(object, state::live, state::given_up)); }
    [[nodiscard]] bool is_changed(T* object, std::uint16_t from, std::uint16_t to) noexcept {
        if (list().change(object, from, to).block != nullptr) return true;
        this->pool_.report_misuse(object);
        return false;
    }
};

}  // namespace fixpool::inline FIXPOOL_ABI
