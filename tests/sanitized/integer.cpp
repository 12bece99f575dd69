// SPDX-License-Identifier: BSL-1.0
// Every member of the pools once, for clang's -fsanitize=integer. Code that wraps on purpose is marked. An argument
// plants an overflow.
#include <fixpool/fixpool.hpp>
#include <fixpool/pool_allocator.hpp>

#include <array>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <initializer_list>
#include <memory_resource>
#include <span>
#include <string>
#include <utility>

namespace {

template <fixpool::checking C> void use(fixpool::pool_layout layout) {
    using pool_type = fixpool::basic_memory_pool<C>;
    alignas(4096) static std::byte bytes[1 << 19];
    static std::byte metadata[1 << 16];
    for (const std::size_t shift : {0U, 1U, 4U}) {
        pool_type pool(layout, fixpool::arena::borrow(std::span(bytes).subspan(shift)), {.name = "integers"});
        std::array<void*, 5> blocks{};
        static_cast<void>(pool.try_allocate_bulk(blocks));
        static_cast<void>(pool.try_allocate() == nullptr && pool.try_allocate_bulk(blocks));
        for (int at = -1; at <= 1; ++at) {
            const auto* const near = bytes + (at + 1) * 4000;
            static_cast<void>(pool.contains(near) && pool.index_of(near) == 1);
            if constexpr (C == fixpool::checking::checked) {
                static_cast<void>(pool.owns(near));
                pool.deallocate(const_cast<std::byte*>(near));
                pool.deallocate(static_cast<std::byte*>(blocks[1]) + at);
                if (void* const again = pool.try_allocate(); again != nullptr) blocks[1] = again;
            }
        }
        if constexpr (C == fixpool::checking::checked) {
            pool.deallocate(blocks[2]);
            pool.sort_free_blocks();
            pool.for_each_allocated([](void*) {});
            blocks[2] = pool.try_allocate();
        }
        pool_type moved(std::move(pool));
        static_cast<void>(pool.contains(bytes) || pool.index_of(bytes) == 1);  // NOLINT(bugprone-use-after-move)
        moved.deallocate_bulk(blocks);
        static_cast<void>(moved.stats());
        moved.reset();
    }
    if (layout.block_size * layout.block_count < sizeof bytes / 2) {
        pool_type apart(layout, fixpool::arena::borrow(bytes, std::span(metadata).subspan(1)));
        apart.deallocate(apart.allocate());
    }
    static_cast<void>(pool_type::blocks_in(sizeof bytes, layout.block_size, layout.alignment));
}

template <fixpool::checking C> void use_objects() {
    fixpool::typed_pool<std::array<char, 24>, C> typed(20000);
    const fixpool::shared_pool<long, C> shared(9);
    static std::array<fixpool::block<std::array<char, 24>, C>, 20000> objects;
    for (int turn = 0; turn < 2; ++turn) {  // a large pool: carved anew
        for (auto& object : objects) object = typed.allocate();
        objects[7] = typed.adopt(objects[7].release());
        for (auto& object : objects) object = nullptr;
    }
    const auto number = shared.allocate(7L);
    static_cast<void>(shared.contains(number.get()) && shared.index_of(&shared) == 1);
    for (const std::size_t size : {24U, 64U}) {
        const fixpool::basic_shared_memory_pool<C> raw({size, 20000});
        static std::array<void*, 12345> blocks;
        for (int turn = 0; turn < 2; ++turn) {
            for (void*& block : blocks) block = raw.allocate();
            for (void* const block : blocks) raw.deallocate(block);
        }
        static_cast<void>(raw.index_of(&raw));
        static_cast<void>(raw.stats());
        if constexpr (C != fixpool::checking::unchecked) {
            raw.deallocate(blocks[0]);
            raw.deallocate(raw.block_at(19999));
            raw.deallocate(&blocks);
            static_cast<void>(raw.owns(&blocks));
            static_cast<void>(shared.adopt(number.get()));
        }
    }
}

template <fixpool::checking C> void use_resource(std::pmr::pool_options options) {
    fixpool::basic_pool_resource<C> resource(options);
    static std::array<void*, 3000> blocks;
    for (const std::size_t size : {0U, 1U, 8U, 24U, 100U, 1000U, 1100U, 5000U, 16384U, 40000U}) {
        for (const std::size_t alignment : {1U, 8U, 64U, 4096U}) {
            const std::size_t count = size < 1000 ? blocks.size() : 70;
            for (std::size_t i = 0; i < count; ++i) blocks[i] = resource.allocate(size, alignment);
            if constexpr (C == fixpool::checking::checked) {
                resource.deallocate(blocks[3], size + 300, alignment);
                resource.deallocate(static_cast<std::byte*>(blocks[3]) - 1, size, alignment);
                resource.deallocate(&resource, size, alignment);
            }
            for (std::size_t i = 0; i < count; ++i) resource.deallocate(blocks[i], size, alignment);
            if constexpr (C == fixpool::checking::checked) resource.deallocate(blocks[3], size, alignment);
            resource.shrink();
        }
    }
    fixpool::pool_allocator<long, C> allocator(&resource);
    for (const std::size_t count : {0U, 1U, 7U}) allocator.deallocate(allocator.allocate(count), count);
    resource.for_each_pool([](const fixpool::pool_stats&) {});
    resource.release();
    fixpool::basic_memory_pool<C> pool({64, 1});
    fixpool::basic_block_resource<C> block(pool, &resource);
    for (int i = 0; i < 3; ++i) blocks[static_cast<std::size_t>(i)] = block.allocate(64, 8);
    for (int i = 0; i < 3; ++i) block.deallocate(blocks[static_cast<std::size_t>(i)], 64, 8);
}

}  // namespace

int main(int argc, char**) {
    fixpool::set_violation_handler(
        [](const fixpool::violation& v) { static_cast<void>(fixpool::detail::describe(v)); });
    for (const std::size_t size : {1U, 3U, 8U, 24U, 64U, 1000U}) {
        for (const std::size_t alignment : {0U, 1U, 64U}) {
            use<fixpool::checking::checked>({size, 5, alignment});
            use<fixpool::checking::unchecked>({size, 5, alignment});
        }
    }
    use_objects<fixpool::checking::checked>();
    use_objects<fixpool::checking::unchecked>();
    for (const std::size_t most : {0U, 3U, 100U}) {
        use_resource<fixpool::checking::checked>({.max_blocks_per_chunk = most, .largest_required_pool_block = 16384});
        use_resource<fixpool::checking::unchecked>({.max_blocks_per_chunk = most, .largest_required_pool_block = 100});
    }
    std::size_t zero = static_cast<std::size_t>(argc) - static_cast<std::size_t>(argc);
    if (argc > 1) std::printf("%zu\n", zero - 1);
    std::puts("done");
}
