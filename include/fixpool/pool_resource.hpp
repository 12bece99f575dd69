// SPDX-License-Identifier: BSL-1.0
// pool_resource: a std::pmr::memory_resource for blocks of many sizes, checked. block_resource: one pool as a resource.
// Opt-in.
#pragma once

#include <fixpool/detail/large_blocks.hpp>
#include <fixpool/detail/page_audit.hpp>
#include <fixpool/detail/paged_blocks.hpp>
#include <fixpool/detail/size_classes.hpp>
#include <fixpool/options.hpp>
#include <fixpool/stats.hpp>

#include <cstddef>
#include <memory_resource>

namespace fixpool::inline FIXPOOL_ABI {

template <checking C> class basic_memory_pool;
namespace detail {
template <checking C> struct list_for;
template <class T, checking C> struct object_memory;
}

/// What a user can choose for a resource beside the standard's options. See pool_options.
struct FIXPOOL_HIDDEN_FUNCTIONS resource_options {
    const char* name = "";                     // the resource copies 31 characters; none where FIXPOOL_TRAP is 1
    violation_handler on_violation = nullptr;  // called for this resource's violations; nullptr: that of the image
    void* context = nullptr;                   // handed on in violation::context
    const detail::handler_place* image = &detail::image_handler;  // of the image whose code writes these options
};

/// A drop-in for std::pmr::unsynchronized_pool_resource that finds misuse. Blocks come from pages of 64 KiB, each of one
/// size class; the first page of a class is smaller, and so are others when the upstream resource has no large one. A
/// page is aligned to its size, 4 KiB or more: out of a small buffer, fewer blocks come than of std's resource.
/// Requests above `options().largest_required_pool_block`, 4096 bytes unless said otherwise, go to the upstream resource
/// one by one.
///
/// Checked, a release is a violation, and then a no-op, if its pointer is not a block in use (double_free,
/// not_allocated, misaligned_pointer, foreign_pointer), or if it has another size class, or another size of a large
/// request, than the allocation (size_mismatch). Of a violation, `index` and `total_blocks` tell of the block's page.
/// A large block that was released is foreign. nullptr is a no-op. 0 bytes are a block, too. debug_pages.hpp has the debug
/// level.
/// Live blocks at the end are no leak: their memory is gone, as the standard says.
///
/// Complexity: O(1) but for what upstream does; a release O(1), expected: it looks into a hash table of pages. An
/// allocation takes O(pages) each time their number has doubled, and so with the number of large blocks.
/// Thread safety: one thread at a time.
template <checking C = checking::checked> class basic_pool_resource : public std::pmr::memory_resource {
    static_assert(C != checking::debug, "fixpool: checking::debug needs the header fixpool/debug_pages.hpp");

public:
    /// The standard's constructors. They allocate nothing. `upstream` must outlive the resource. Each page is one
    /// allocation, and what is kept of it another one.
    FIXPOOL_HIDDEN basic_pool_resource() noexcept : basic_pool_resource(std::pmr::pool_options()) {}
    FIXPOOL_HIDDEN explicit basic_pool_resource(const std::pmr::pool_options& sizes) noexcept
        : basic_pool_resource(sizes, std::pmr::get_default_resource()) {}
    basic_pool_resource(const std::pmr::pool_options& sizes, std::pmr::memory_resource* upstream,
                        resource_options options = {}) noexcept
        : blocks_(upstream),
          sizes_(chosen(sizes)),
          small_(detail::smaller(sizes_.largest_required_pool_block, detail::largest_small)),
          reporter_({options.name, options.on_violation, options.context, options.image}) {}
    explicit basic_pool_resource(std::pmr::memory_resource* upstream, resource_options options = {}) noexcept
        : basic_pool_resource(std::pmr::pool_options(), upstream, options) {}

    basic_pool_resource(std::nullptr_t, resource_options = {}) = delete;  // nor `{}`, which would be nullptr
    basic_pool_resource(const basic_pool_resource&) = delete;
    basic_pool_resource& operator=(const basic_pool_resource&) = delete;
    ~basic_pool_resource() override { large_.release(*upstream_resource()); }  // the pages go by themselves

    /// Gives all memory back to the upstream resource, whoever holds blocks in it. Complexity: O(pages + large blocks).
    void release() noexcept {
        blocks_.release_pages();
        large_.release(*upstream_resource());
    }

    /// Gives those pages back to the upstream resource of which no block is in use. Complexity: O(pages).
    void shrink() noexcept { blocks_.shrink(); }

    /// Verifies that what is kept of the pages agrees. Reports the first thing that is wrong, as `corrupted_pool`, and
    /// returns false. What it trusts is this object, and where the metadata are.
    /// Complexity: O(pages, and the blocks in them), whatever was overwritten.
    bool audit() const noexcept requires knows_live_blocks<C> {
        return is_sound(detail::page_audit<C, detail::class_count>(blocks_, detail::class_shapes.data()).find(),
                        reporter_, this);
    }

    [[nodiscard]] std::pmr::memory_resource* upstream_resource() const noexcept { return blocks_.upstream(); }

    /// What was asked for, rounded up to a size class, and at most 16384 bytes and 8192 blocks per page.
    [[nodiscard]] std::pmr::pool_options options() const noexcept { return sizes_; }

    [[nodiscard]] const char* name() const noexcept { return reporter_.name(); }  // "" without a name

    /// Calls fn(const pool_stats&) for each size class that has pages, the smallest first. `peak_in_use` is the number of
    /// blocks that were ever handed out: maybe more than were in use at once.
    /// Complexity: O(pages).
    template <class Fn> void for_each_pool(Fn&& fn) const {
        pool_stats all[detail::class_count];
        blocks_.count(all, detail::class_shapes.data());
        for (const pool_stats& stats : all)
            if (stats.total_blocks != 0) fn(stats);
    }

protected:
    /// What a class that derives may put its own code around. pool_allocator calls this class's own for single objects.
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        if (!is_small(bytes, alignment)) [[unlikely]]
            return allocate_any(bytes, alignment);
        return take(small_class(bytes, alignment), bytes);
    }
    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
        if (!is_small(bytes, alignment)) [[unlikely]]
            return deallocate_any(block, bytes, alignment);
        put(small_class(bytes, alignment), block, bytes);
    }
    [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

private:
    template <checking D> friend class basic_pool_resource;
    template <class T, checking D> friend struct detail::object_memory;
    using shape = detail::block_shape;

    /// As `allocate` and `deallocate`, without a virtual call: of small sizes the class is a constant.
    template <std::size_t Size, std::size_t Alignment> [[nodiscard]] void* allocate_one() {
        if (!is_small(Size, Alignment)) [[unlikely]]
            return allocate_any(Size, Alignment);
        return take(small_class(Size, Alignment), Size);
    }
    template <std::size_t Size, std::size_t Alignment> void deallocate_one(void* block) noexcept {
        if (!is_small(Size, Alignment)) [[unlikely]]
            return deallocate_any(block, Size, Alignment);
        put(small_class(Size, Alignment), block, Size);
    }

    [[nodiscard]] static std::pmr::pool_options chosen(std::pmr::pool_options asked) noexcept {
        const std::size_t blocks = asked.max_blocks_per_chunk, largest = asked.largest_required_pool_block;
        constexpr std::size_t most = detail::page_state::most_blocks;
        asked.max_blocks_per_chunk = blocks == 0 ? most : detail::smaller(blocks, most);
        const std::size_t bounded = largest == 0 ? 4096 : detail::smaller(largest, detail::largest_class);
        asked.largest_required_pool_block = detail::size_of_class(detail::class_of(bounded));
        return asked;
    }

    /// Whether a block is one of those that nearly all requests are for, and its class. For 16 and less, a class whose
    /// size is a multiple of the alignment is aligned to it.
    [[nodiscard]] bool is_small(std::size_t bytes, std::size_t alignment) const noexcept {
        return bytes <= small_ && alignment <= 16;
    }
    [[nodiscard]] static std::size_t small_class(std::size_t bytes, std::size_t alignment) noexcept {
        return detail::small_class_of(detail::round_up(bytes, alignment));
    }
    /// The class of any block; class_count: it is a large one.
    [[nodiscard]] std::size_t any_class(std::size_t bytes, std::size_t alignment) const noexcept {
        const std::size_t largest = sizes_.largest_required_pool_block, asked = bytes == 0 ? 1 : bytes;
        if (asked > largest || alignment > largest) return detail::class_count;
        const std::size_t rounded = detail::round_up(asked, alignment);
        return rounded > largest ? detail::class_count : detail::class_of(rounded);
    }

    [[nodiscard]] detail::page_growth growth_of(std::size_t size_class) const noexcept {
        return detail::growth_of(detail::class_shapes[size_class].stride, sizes_.max_blocks_per_chunk);
    }

    [[nodiscard]] void* take(std::size_t size_class, std::size_t bytes) {
        detail::page_state& page = blocks_.current(size_class);
        if (!page.has_head()) [[unlikely]]
            return refill_and_take(size_class, bytes);
        return blocks_.take(page, detail::class_shapes[size_class], bytes);
    }
    [[nodiscard]] FIXPOOL_APART void* refill_and_take(std::size_t size_class, std::size_t bytes) {
        const shape& blocks = detail::class_shapes[size_class];
        const auto grows = [this, size_class] { return growth_of(size_class); };
        return blocks_.take(blocks_.refill(size_class, blocks, grows), blocks, bytes);
    }

    void put(std::size_t size_class, void* block, std::size_t bytes) noexcept {
        if (!blocks_.release(size_class, detail::class_shapes[size_class], block)) [[unlikely]]
            put_searched(size_class, block, bytes);
    }
    FIXPOOL_APART void put_searched(std::size_t size_class, void* block, std::size_t bytes) noexcept {
        const auto grows = [this, size_class] { return growth_of(size_class); };
        if (!blocks_.release_searched(size_class, detail::class_shapes[size_class], block, grows))
            report_misuse(block, bytes);
    }

    [[nodiscard]] FIXPOOL_APART void* allocate_any(std::size_t bytes, std::size_t alignment) {
        const std::size_t size_class = any_class(bytes, alignment);
        if (size_class != detail::class_count) return take(size_class, bytes);
        return large_.allocate(*upstream_resource(), bytes, alignment);
    }
    FIXPOOL_APART void deallocate_any(void* block, std::size_t bytes, std::size_t alignment) noexcept {
        const std::size_t size_class = any_class(bytes, alignment);
        if (size_class != detail::class_count) return put(size_class, block, bytes);
        if (!large_.deallocate(*upstream_resource(), block, bytes, alignment)) report_misuse(block, bytes);
    }

    FIXPOOL_COLD void report_misuse([[maybe_unused]] const void* block,
                                    [[maybe_unused]] std::size_t bytes) const noexcept {
        if constexpr (C != checking::unchecked) {
            if (block == nullptr) return;
            detail::page_misuse found = blocks_.misuse_of(block, detail::class_shapes.data());
            const detail::large_block* const large = found.stride == 0 ? large_.find(block) : nullptr;
            if (large != nullptr) found.kind = violation_kind::size_mismatch;
            detail::text_line sizes;
            if (found.kind == violation_kind::size_mismatch) {
                sizes.add("it has ").add(large != nullptr ? large->size : found.stride);
                sizes.add(" bytes, and was released with ").add(bytes);
                const std::size_t fitting = detail::size_of_class(any_class(bytes, 1));
                if (large != nullptr ? large->size == bytes : found.stride == fitting)
                    sizes.add(" of another alignment");
            }
            report_page(reporter_, this, block, found, sizes.c_str());
        }
    }

    detail::paged_blocks<C, detail::class_count> blocks_;
    std::pmr::pool_options sizes_;
    std::size_t small_;  // bytes: the largest block that is small
    detail::large_blocks large_;
    detail::reporter reporter_;
};
using pool_resource = basic_pool_resource<>;

/// One memory_pool as a memory resource, for what has one size: nodes of a container. What is larger than a block, is
/// aligned more, or finds no block in the pool goes to the upstream resource; by default that refuses it. Unlike other
/// resources it leaves checking to the pool: a wrong pointer is a violation of the pool's, unless something is in use
/// that came from upstream. The pool and the upstream resource must outlive it.
/// Thread safety: one thread at a time.
template <checking C> class basic_block_resource final : public std::pmr::memory_resource {
public:
    explicit basic_block_resource(basic_memory_pool<C>& pool,
                                  std::pmr::memory_resource* upstream = std::pmr::null_memory_resource()) noexcept
        : pool_(pool), upstream_(upstream) {}

    /// The largest size that was asked for so far, in bytes, served or not: what blocks have to be.
    [[nodiscard]] std::size_t largest_request() const noexcept { return largest_request_; }
    [[nodiscard]] std::pmr::memory_resource* upstream_resource() const noexcept { return upstream_; }

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        if (bytes > largest_request_) largest_request_ = bytes;
        if (bytes <= pool_.block_size() && alignment <= pool_.alignment())
            if (void* const block = take(FIXPOOL_CALLER()); block != nullptr) return block;
        void* const memory = upstream_->allocate(bytes, alignment);
        ++from_upstream_;
        return memory;
    }
    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
        if (from_upstream_ == 0 || block == nullptr || pool_.contains(block)) return put(block, FIXPOOL_CALLER());
        --from_upstream_;
        upstream_->deallocate(block, bytes, alignment);
    }
    [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

    // The site of debug level is where the resource was called from.
    [[nodiscard]] void* take([[maybe_unused]] const void* caller) noexcept {
        if constexpr (keeps_sites<C>) return pool_.try_allocate(detail::list_for<C>::type::called_before(caller));
        else return pool_.try_allocate();
    }
    void put(void* block, [[maybe_unused]] const void* caller) noexcept {
        if constexpr (keeps_sites<C>) pool_.deallocate(block, detail::list_for<C>::type::called_before(caller));
        else pool_.deallocate(block);
    }

    basic_memory_pool<C>& pool_;
    std::pmr::memory_resource* upstream_;
    std::size_t largest_request_ = 0;  // bytes
    std::size_t from_upstream_ = 0;    // allocations that are in use and came from upstream
};
using block_resource = basic_block_resource<checking::checked>;

}  // namespace fixpool::inline FIXPOOL_ABI
