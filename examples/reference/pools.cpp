// SPDX-License-Identifier: BSL-1.0
// The examples of the reference for pools, handles, arenas and options. Each stands between two lines with its name.
#include <fixpool/fixpool.hpp>
#include <fixpool/static_pool.hpp>

#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <unordered_set>
#include <utility>

namespace {

struct order {
    int number;
    std::string client;
};

void raw_blocks() {
    // [memory_pool]
    fixpool::memory_pool pool({.block_size = 64, .block_count = 16},
                              {.name = "messages"});
    void* const message = pool.allocate();
    std::memcpy(message, "hello", 6);
    std::printf("%zu of %zu blocks in use\n", pool.in_use(),
                pool.total_blocks());
    pool.deallocate(message);
    // [memory_pool]
}

void shared_raw_blocks() {
    // [shared_memory_pool]
    const fixpool::shared_memory_pool pool(
        {.block_size = 64, .block_count = 16});
    void* message = nullptr;
    std::thread producer([pool, &message] { message = pool.allocate(); });
    producer.join();
    pool.deallocate(message);  // on another thread than the allocation
    std::printf("%zu blocks in use\n", pool.in_use());
    // [shared_memory_pool]
}

void objects() {
    // [typed_pool]
    fixpool::typed_pool<order> pool(2);
    const fixpool::block<order> first = pool.allocate(1, "alice");
    const fixpool::block<order> second = pool.allocate(2, "bob");
    if (!pool.try_allocate(3, "carol")) std::puts("no block left");
    pool.for_each([](const order& each) {
        std::printf("order %d of %s\n", each.number, each.client.c_str());
    });
    // [typed_pool]
}

void shared_objects() {
    // [shared_pool]
    fixpool::shared_block<order> made;
    {
        const fixpool::shared_pool<order> pool(100);
        std::thread maker([pool, &made] { made = pool.allocate(7, "dave"); });
        maker.join();
    }
    // The handle keeps the pool alive.
    std::printf("order %d of %s\n", made->number, made->client.c_str());
    // [shared_pool]
}

void handles() {
    // [block]
    fixpool::typed_pool<order> pool(10);
    fixpool::block<order> handle = pool.allocate(1, "alice");
    fixpool::block<order> owner = std::move(handle);  // handle is empty now
    order* const given_up = owner.release();          // the object lives on
    owner = pool.adopt(given_up);                     // owned again
    owner.reset();                                    // destroys the object
    std::printf("%zu objects in use\n", pool.in_use());
    // [block]
}

void hashed_handles() {
    // [hash]
    fixpool::typed_pool<order> pool(10);
    std::unordered_set<fixpool::block<order>> orders;
    orders.insert(pool.allocate(1, "alice"));
    std::printf("%zu order in the set\n", orders.size());
    // [hash]
}

void options() {
    // [pool_layout]
    constexpr auto for_orders = fixpool::pool_layout::of<order>(100);
    constexpr fixpool::pool_layout pages{
        .block_size = 4096, .block_count = 8, .alignment = 4096};
    static_assert(for_orders.block_size == sizeof(order) &&
                  pages.alignment == 4096);
    // [pool_layout]

    // [pool_options]
    const auto count = [](const fixpool::violation& v) {
        ++*static_cast<int*>(v.context);
    };
    int violations = 0;
    const fixpool::pool_options options{
        .name = "pages", .on_violation = count, .context = &violations};
    fixpool::memory_pool pool(pages, options);
    pool.deallocate(&violations);  // a foreign pointer
    std::printf("%d violation\n", violations);
    // [pool_options]

    // [pool_stats]
    void* const page = pool.allocate();
    const fixpool::pool_stats stats = pool.stats();
    pool.deallocate(page);
    std::printf("%zu of %zu in use, %zu bytes each\n", stats.in_use,
                stats.total_blocks, stats.block_size);
    // [pool_stats]
}

void arenas() {
    // [arena]
    constexpr fixpool::pool_layout layout{.block_size = 64, .block_count = 16};
    constexpr auto bytes = fixpool::memory_pool::required_bytes(layout);
    alignas(64) static std::byte buffer[bytes];
    const fixpool::memory_pool in_buffer(layout,
                                         fixpool::arena::borrow(buffer));
    const fixpool::memory_pool on_heap(layout, fixpool::arena::heap());
    std::printf("the first block is at byte %td of the buffer\n",
                in_buffer.blocks().data() - buffer);
    // [arena]
    std::printf("%zu blocks on the heap\n", on_heap.total_blocks());
}

void lent_buffers() {
    // [lent_bytes]
    constexpr fixpool::pool_layout layout{.block_size = 64, .block_count = 16};
    alignas(64) static unsigned char for_dma[64 * 16];  // only blocks
    constexpr auto rest =
        fixpool::memory_pool::required_metadata_bytes(layout);
    static std::byte metadata[rest];
    const fixpool::memory_pool pool(
        layout, fixpool::arena::borrow({for_dma, sizeof for_dma}, metadata));
    std::printf("%zu blocks\n", pool.total_blocks());
    // [lent_bytes]
}

// [static_pool]
constinit fixpool::static_pool<order, 16> orders;  // a global in .bss

void count_orders() {
    const auto handle = orders.allocate(1, "alice");
    std::printf("%zu of 16 in use\n", orders.in_use());
}
// [static_pool]

}  // namespace

int main() {
    raw_blocks();
    shared_raw_blocks();
    objects();
    shared_objects();
    handles();
    hashed_handles();
    options();
    arenas();
    lent_buffers();
    count_orders();
}
