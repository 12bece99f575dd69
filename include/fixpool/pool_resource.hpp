// SPDX-License-Identifier: BSL-1.0
// pool_resource: a std::pmr::memory_resource for blocks of many sizes. block_resource: one memory_pool as a resource.
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

/// Options of a resource, beside std::pmr::pool_options. See fixpool::pool_options.
struct FIXPOOL_HIDDEN_FUNCTIONS resource_options {
    const char* name = "";  ///< appears in reports; the resource copies 31 characters (none if FIXPOOL_TRAP is 1)
    violation_handler on_violation = nullptr;  ///< handler of this resource; nullptr: see set_violation_handler
    void* context = nullptr;                   ///< passed to the handler as violation::context
    const detail::handler_place* image = &detail::image_handler;  ///< selects that default handler; leave it as it is
};

/// A replacement for std::pmr::unsynchronized_pool_resource that detects misuse. It rounds each request up to a size
/// class: one of 38 sizes up to 16384 bytes. Each class has pages of its own, usually of 64 KiB, from the upstream
/// resource. The first page of a class is smaller, and so are later ones if upstream has no large one. Larger requests
/// than `options().largest_required_pool_block` (default: 4096 bytes) go to the upstream resource. Pages are aligned to
/// their size, at least 4 KiB: a small buffer holds fewer blocks than with std's.
///
/// At all levels but unchecked, a release is a violation if its pointer is not a block in use: `double_free`,
/// `not_allocated`, `misaligned_pointer` or `foreign_pointer`. It is a `size_mismatch` if its size belongs to another
/// class than the size of the allocation. For large blocks and at debug level, the sizes must be equal. So must the
/// alignments of large blocks. A large block that was released is foreign. A violation changes nothing. At unchecked
/// level, a wrong release is undefined behaviour.
///
/// In a violation, `index`, `total_blocks` and `live_blocks` refer to the block's page. For a pointer into no page, the
/// counts are those of all pages and `index` is npos.
///
/// Releasing nullptr does nothing. A request of 0 bytes gets a block. The destructor frees all memory and reports no
/// leak. The debug level needs debug_pages.hpp.
/// Throws: an allocation throws any exception of upstream.
/// Complexity: allocation O(1), plus the time of upstream; release expected O(1). Each time the number of pages or of
/// large blocks has doubled, an allocation is linear in it.
/// Thread safety: one thread at a time.
template <checking C = checking::checked> class basic_pool_resource : public std::pmr::memory_resource {
    static_assert(C != checking::debug, "fixpool: checking::debug needs the header fixpool/debug_pages.hpp");

public:
    /// The constructors of std::pmr::unsynchronized_pool_resource. They allocate nothing. `upstream` must outlive the
    /// resource. Each page takes two allocations from it: blocks and metadata.
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

    basic_pool_resource(std::nullptr_t, resource_options = {}) = delete;  // refuses `{}`, too
    basic_pool_resource(const basic_pool_resource&) = delete;
    basic_pool_resource& operator=(const basic_pool_resource&) = delete;
    /// Gives all memory back to the upstream resource.
    ~basic_pool_resource() override { large_.release(*upstream_resource()); }  // the pages go by themselves

    /// Gives all memory back, even of blocks in use. Complexity: O(pages + large blocks).
    void release() noexcept {
        blocks_.release_pages();
        large_.release(*upstream_resource());
    }

    /// Gives pages without a block in use back to the upstream resource. Complexity: O(pages).
    void shrink() noexcept { blocks_.shrink(); }

    /// Verifies the metadata of the pages. Reports the first contradiction as `corrupted_pool` and returns false. It
    /// trusts this object and its pointers to metadata.
    /// Complexity: O(pages + their blocks), whatever was overwritten. At debug level: linear in the bytes of all pages
    /// and large blocks.
    bool audit() const noexcept requires knows_live_blocks<C> {
        return is_sound(detail::page_audit<C, detail::class_count>(blocks_, detail::class_shapes.data()).find(),
                        reporter_, this);
    }

    /// The resource that pages and large blocks come from.
    [[nodiscard]] std::pmr::memory_resource* upstream_resource() const noexcept { return blocks_.upstream(); }

    /// The options in use: as given, rounded up to a size class, at most 16384 bytes and 8192 blocks per page.
    [[nodiscard]] std::pmr::pool_options options() const noexcept { return sizes_; }

    [[nodiscard]] const char* name() const noexcept { return reporter_.name(); }  ///< the name, or ""

    /// Calls fn(const pool_stats&) for each size class that has pages, the smallest first. Here `peak_in_use` is an
    /// upper bound: it counts blocks that were ever in use, even if not at once.
    /// Complexity: O(pages).
    template <class Fn> void for_each_pool(Fn&& fn) const {
        pool_stats all[detail::class_count];
        blocks_.count(all, detail::class_shapes.data());
        for (const pool_stats& stats : all)
            if (stats.total_blocks != 0) fn(stats);
    }

protected:
    /// Allocates, as std::pmr::memory_resource says. A derived class may override the functions of this kind;
    /// pool_allocator calls them only for arrays.
    /// Throws: any exception of upstream. Complexity: see the class.
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        if (!is_small(bytes, alignment)) [[unlikely]]
            return allocate_any(bytes, alignment);
        return take(small_class(bytes, alignment), bytes);
    }
    /// Releases, as std::pmr::memory_resource says. Reports a violation and changes nothing if the release is wrong.
    /// Complexity: expected O(1); reporting a violation takes O(pages).
    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
        if (!is_small(bytes, alignment)) [[unlikely]]
            return deallocate_any(block, bytes, alignment);
        put(small_class(bytes, alignment), block, bytes);
    }
    /// Whether `other` is this very resource.
    [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

private:
    template <checking D> friend class basic_pool_resource;
    template <class T, checking D> friend struct detail::object_memory;
    using shape = detail::block_shape;

    /// As `allocate` and `deallocate`, without a virtual call. The class of a small size is a constant.
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

    /// Whether a request is small, and the size class of a small request. Blocks are aligned to 16 if the size of their
    /// class is a multiple of 16, and so on.
    [[nodiscard]] bool is_small(std::size_t bytes, std::size_t alignment) const noexcept {
        return bytes <= small_ && alignment <= 16;
    }
    [[nodiscard]] static std::size_t small_class(std::size_t bytes, std::size_t alignment) noexcept {
        return detail::small_class_of(detail::round_up(bytes, alignment));
    }
    /// The size class of a request; class_count: a large block.
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
/// The usual resource: checked.
using pool_resource = basic_pool_resource<>;

/// A memory_pool as a memory resource, for requests of one size such as the nodes of a container. A request goes to the
/// upstream resource if a block is too small for it, is aligned too little, or if all are in use. The default upstream
/// throws std::bad_alloc. A wrong release is a violation of the pool, unless memory from upstream is in use.
/// The pool and the upstream resource must outlive this resource.
/// Throws: an allocation throws any exception of upstream.
/// Complexity: O(1), plus the time of upstream.
/// Thread safety: one thread at a time.
template <checking C> class basic_block_resource final : public std::pmr::memory_resource {
public:
    /// A resource on `pool`.
    explicit basic_block_resource(basic_memory_pool<C>& pool,
                                  std::pmr::memory_resource* upstream = std::pmr::null_memory_resource()) noexcept
        : pool_(pool), upstream_(upstream) {}

    /// Largest request so far, in bytes, even if the pool could not serve it: the block size to choose.
    [[nodiscard]] std::size_t largest_request() const noexcept { return largest_request_; }
    /// The resource for all other requests.
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

    // The site of the debug level is the caller of the resource.
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
    std::size_t from_upstream_ = 0;    // number of allocations in use that came from upstream
};
/// The usual block_resource: on a checked pool.
using block_resource = basic_block_resource<checking::checked>;

}  // namespace fixpool::inline FIXPOOL_ABI
