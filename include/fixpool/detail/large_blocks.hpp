// SPDX-License-Identifier: BSL-1.0
// large_blocks: the allocations that a resource passes to its upstream one by one.
#pragma once

#include <fixpool/detail/address_table.hpp>

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <new>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// A large block. The table finds it by its address.
struct large_block {
    static constexpr std::uintptr_t number_bits = 0;

    std::uintptr_t tag = 0;     // its address; 0: no block
    std::size_t size = 0;       // bytes
    std::size_t alignment = 0;  // bytes
    std::size_t unused = 0;     // makes the size a power of two, for address_table
};

/// The large blocks of one resource that are in use. Complexity: O(1) expected per operation, plus upstream's time.
class large_blocks {
public:
    /// Throws: what upstream throws, and then nothing has changed; std::bad_alloc if upstream returns nullptr.
    [[nodiscard]] void* allocate(std::pmr::memory_resource& upstream, std::size_t bytes, std::size_t alignment) {
        if (bytes > max_bytes) [[unlikely]]
            refuse(upstream);
        table_.reserve(upstream, [](const large_block*, large_block&) noexcept {});
        void* const memory = memory_from(upstream, bytes, alignment);
        table_.insert({reinterpret_cast<std::uintptr_t>(memory), bytes, alignment});
        return memory;
    }

    /// False if no such block is in use, or if it has another size or alignment.
    [[nodiscard]] bool deallocate(std::pmr::memory_resource& upstream, void* memory, std::size_t bytes,
                                  std::size_t alignment) noexcept {
        if (!take_out(memory, bytes, alignment)) return false;
        upstream.deallocate(memory, bytes, alignment);
        return true;
    }
    /// The same, but the caller gives the memory back.
    [[nodiscard]] bool take_out(const void* memory, std::size_t bytes, std::size_t alignment) noexcept {
        large_block* const block = find(memory);
        if (block == nullptr || block->size != bytes || block->alignment != alignment) return false;
        table_.erase(*block, [](const large_block*, large_block&) noexcept {});
        return true;
    }

    /// Calls fn(large_block&) for each block.
    template <class Fn> void for_each(const Fn& fn) const { table_.for_each(fn); }

    /// The block at that address, or nullptr.
    [[nodiscard]] large_block* find(const void* memory) const noexcept {
        return memory == nullptr ? nullptr : table_.find(reinterpret_cast<std::uintptr_t>(memory));
    }

    /// Gives all blocks back to upstream.
    void release(std::pmr::memory_resource& upstream) noexcept {
        if (table_.size() == 0 && table_.bytes() == 0) return;
        table_.for_each([&upstream](large_block& block) {
            upstream.deallocate(reinterpret_cast<void*>(block.tag), block.size, block.alignment);
        });
        table_.give_back(upstream);
        table_.clear();
    }

private:
    /// Lets upstream refuse a size that nobody has: the standard wants upstream's exception. Asks for the largest size
    /// and alignment, because libstdc++ 12 rounds smaller sizes up until they wrap and are small.
    [[noreturn]] FIXPOOL_COLD static void refuse(std::pmr::memory_resource& upstream) {
        const volatile auto bytes = static_cast<std::size_t>(-1);  // volatile: compilers warn about such a request
        const volatile std::size_t alignment = bytes / 2 + 1;
        if (void* const memory = upstream.allocate(bytes, alignment); memory != nullptr) {
            upstream.deallocate(memory, bytes, alignment);
        }
        raise_made<std::bad_alloc>();
    }

    address_table<large_block> table_;
};

}  // namespace fixpool::inline FIXPOOL_ABI::detail
