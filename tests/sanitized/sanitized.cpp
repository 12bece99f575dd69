// SPDX-License-Identifier: BSL-1.0
// Seeded bugs, one case per process. The sanitizer of this build must report each bug, and nothing for "none".
#include <fixpool/fixpool.hpp>
#include <fixpool/growing_pool.hpp>
#include <fixpool/pool_allocator.hpp>
#include <fixpool/static_pool.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <memory_resource>
#include <new>
#include <thread>
#include <utility>
#include <vector>

namespace {

using sizes = std::initializer_list<std::size_t>;

volatile int sink = 0;

struct pools {
    fixpool::memory_pool checked{{64, 4}};
    fixpool::basic_memory_pool<fixpool::checking::unchecked> unchecked{{64, 4}};
};

template <class Pool> void run(const char* bug, Pool& pool) {
    auto* const first = static_cast<unsigned char*>(pool.allocate());
    auto* const second = static_cast<unsigned char*>(pool.allocate());
    std::memset(first, 1, 64);
    std::memset(second, 1, 64);
    const auto is = [bug](const char* name) { return std::strcmp(bug, name) == 0; };

    if (is("uninitialised_read") && static_cast<unsigned char*>(pool.allocate())[5] == 7) sink = sink + 1;
    pool.deallocate(second);
    if (is("write_after_free")) second[0] = 1;
    if (is("write_after_free_at_the_end")) second[63] = 1;
    if (is("read_after_free") && second[8] == 7) sink = sink + 1;
    if (is("overflow")) first[64] = 1;
    if (is("overflow_by_8")) first[71] = 1;
    auto* const fresh = static_cast<unsigned char*>(pool.allocate());
    if (is("uninitialised_after_reuse") && fresh[5] == 7) sink = sink + 1;
    if (is("overflow_into_guard")) {
        (void)pool.allocate();
        static_cast<unsigned char*>(pool.allocate())[64] = 1;
    }
    if (is("use_after_reset")) {
        pool.reset();
        first[0] = 1;
    }
    pool.reset();
}

/// A block of 10 bytes in a stride of 16: the bytes between belong to nobody.
void overflow_into_padding() {
    fixpool::memory_pool pool({10, 4, 8});
    static_cast<unsigned char*>(pool.allocate())[10] = 1;
}

void use_after_block() {
    fixpool::typed_pool<int> pool(4);
    auto number = pool.allocate(1);
    const int* const object = number.get();
    number.reset();
    sink = *object;
}

void release_after_pool() {
    fixpool::memory_pool* volatile pool = new fixpool::memory_pool({64, 4});  // volatile: g++ sees the bug, too
    void* const block = pool->allocate();
    pool->deallocate(block);
    delete pool;
    pool->deallocate(block);
}

void underflow() {
    fixpool::memory_pool pool({64, 4});
    static_cast<unsigned char*>(pool.allocate())[-1] = 1;
}

void underflow_into_free_block() {
    fixpool::memory_pool pool({64, 4});
    void* const first = pool.allocate();
    auto* const second = static_cast<unsigned char*>(pool.allocate());
    pool.deallocate(first);
    second[-1] = 1;
}

/// A large pool that was empty and carves anew: the block is free, though it was not handed out since.
void use_after_carving_anew() {
    fixpool::memory_pool pool({64, 8192});
    static void* blocks[8192];
    sink = pool.try_allocate_bulk(blocks) ? 1 : 0;
    pool.deallocate_bulk(blocks);
    static_cast<unsigned char*>(blocks[4000])[0] = 1;
}

/// Another pool was moved onto the pool of this block.
void use_after_move_onto() {
    fixpool::basic_memory_pool<fixpool::checking::unchecked> pool({64, 4});
    auto* const block = static_cast<unsigned char*>(pool.allocate());
    pool = fixpool::basic_memory_pool<fixpool::checking::unchecked>({64, 4});
    block[0] = 1;
}

struct packet {
    unsigned char bytes[64];
};
/// A pointer that compilers cannot trace to the array: clang 14 would report an index past its end as an error.
unsigned char* past_the_end(packet& of) { return reinterpret_cast<unsigned char*>(&of) + sizeof of; }
template <fixpool::checking C> constinit fixpool::static_pool<packet, 4, C> packets;
struct large_packet {
    unsigned char bytes[4096];
};
template <fixpool::checking C> constinit fixpool::static_pool<large_packet, 64, C> many_packets;

/// A global pool. Blocks that were never in use are not watched.
template <fixpool::checking C> void of_static_pool(const char* bug) {
    const auto is = [bug](const char* name) { return std::strcmp(bug, name) == 0; };
    auto first = packets<C>.allocate_for_overwrite();
    auto second = packets<C>.allocate_for_overwrite();
    unsigned char* const bytes = second->bytes;
    if (is("static_uninitialised_read") && bytes[5] == 7) sink = sink + 1;
    std::memset(first->bytes, 1, 64);
    std::memset(bytes, 1, 64);
    if (is("static_underflow_into_free_block")) {
        first.reset();
        bytes[-1] = 1;
    }
    second.reset();
    if (is("static_write_after_free")) bytes[0] = 1;
    if (is("static_write_after_free_at_the_end")) bytes[63] = 1;
    if (is("static_read_after_free") && bytes[8] == 7) sink = sink + 1;
    if (is("static_overflow_into_free_block")) past_the_end(*first)[0] = 1;
    second = packets<C>.allocate_for_overwrite();
    if (is("static_uninitialised_after_reuse") && bytes[5] == 7) sink = sink + 1;
    if (is("static_overflow_of_the_last")) {
        (void)packets<C>.allocate().release();
        past_the_end(*packets<C>.allocate().release())[0] = 1;
    }
    fixpool::static_block<large_packet, 64, C> all[64];
    for (auto& each : all) each = many_packets<C>.allocate();
    unsigned char* const last = all[63]->bytes;
    for (int i = 0; i < 64; ++i) all[i * 7 % 64].reset();  // in no order: carved anew
    for (int i = 0; i < 3; ++i) all[i] = many_packets<C>.allocate();
    if (is("static_use_after_carving_anew")) last[0] = 1;
    fixpool::static_pool<packet, 4, C> local;  // what is on the stack is not watched, and can be used again
    auto number = local.allocate();
    unsigned char* const on_stack = number->bytes;
    number.reset();
    if (is("none")) on_stack[0] = 1;
}

/// A constructor that stores its address elsewhere and throws.
void half_built() {
    struct leaves_address {
        explicit leaves_address(leaves_address** out) {
            *out = this;
            throw 1;
        }
        int value = 1;
    };
    fixpool::typed_pool<leaves_address> pool(4);
    leaves_address* left = nullptr;
    try {
        (void)pool.allocate(&left);
    } catch (int) {
        sink = left->value;
    }
}

/// A block of a shared pool that lies in a magazine, in the depot, or in a run of neighbours in a magazine.
template <fixpool::checking C> void shared(const char* bug) {
    const fixpool::basic_shared_memory_pool<C> pool({64, 1000});
    const auto is = [bug](const char* name) { return std::strcmp(bug, name) == 0; };
    unsigned char* blocks[390];  // of the last run, ten are left
    for (auto& block : blocks) {
        block = static_cast<unsigned char*>(pool.allocate());
        std::memset(block, 1, 64);
    }
    if (is("shared_write_into_run")) blocks[389][64] = 1;
    for (auto* const block : blocks) pool.deallocate(block);
    if (is("shared_write_in_magazine")) blocks[389][0] = 1;
    if (is("shared_write_in_depot")) blocks[0][63] = 1;
    const auto* const again = static_cast<unsigned char*>(pool.allocate());
    if (is("shared_uninitialised_after_reuse") && again[5] == 7) sink = sink + 1;
}

/// Blocks of a resource, and what lies around them in their page.
template <fixpool::checking C> void of_resource(const char* bug) {
    fixpool::basic_pool_resource<C> resource;
    const auto is = [bug](const char* name) { return std::strcmp(bug, name) == 0; };
    const auto taken = [&resource] { return static_cast<unsigned char*>(resource.allocate(20, 8)); };  // of 24
    unsigned char* blocks[170];                                                                        // all of a page
    for (auto& block : blocks) block = taken();
    if (is("resource_uninitialised_read") && blocks[3][19] == 7) sink = sink + 1;
    for (auto* const block : blocks) std::memset(block, 1, 20);
    if (is("resource_overflow_into_padding")) blocks[169][20] = 1;
    if (is("resource_overflow_behind_last")) blocks[169][24] = 1;
    if (is("resource_underflow")) blocks[0][-1] = 1;
    resource.deallocate(blocks[5], 20, 8);
    if (is("resource_write_after_free")) blocks[5][0] = 1;
    if (is("resource_write_after_free_at_the_end")) blocks[5][19] = 1;
    if (is("resource_read_after_free") && blocks[5][8] == 7) sink = sink + 1;
    if (is("resource_overflow_into_free_block")) blocks[4][24] = 1;
    auto* const again = taken();
    if (is("resource_uninitialised_after_reuse") && again[5] == 7) sink = sink + 1;
    auto* const fresh = taken();  // the first one of the next page
    if (is("resource_write_into_fresh_block")) fresh[24] = 1;
    resource.deallocate(again, 20, 8);
    for (auto*& block : blocks)
        if (block != again) resource.deallocate(block, 20, 8);
    if (is("resource_use_after_starting_anew")) blocks[100][0] = 1;
    if (is("resource_use_after_shrink")) {
        resource.shrink();
        blocks[100][0] = 1;
    }
    if (is("resource_use_after_release")) {
        resource.release();
        fresh[0] = 1;
    }
    fixpool::pool_allocator<char, C> allocator(&resource);
    char* const one = allocator.allocate(1);
    allocator.deallocate(one, 1);
    if (is("resource_use_of_allocators_block")) *one = 1;
    auto* const large = static_cast<unsigned char*>(resource.allocate(20000, 8));
    resource.deallocate(large, 20000, 8);
    if (is("resource_use_of_large_block")) large[19999] = 1;
}

/// Nothing to report. Each byte of each size is used. Afterwards the owner uses the memory that the resource lay in.
template <fixpool::checking C> void none_of_resource() {
    alignas(4096) static std::byte buffer[1 << 23];
    {
        std::pmr::monotonic_buffer_resource upstream(buffer, sizeof buffer, std::pmr::null_memory_resource());
        fixpool::basic_pool_resource<C> resource(std::pmr::pool_options{}, &upstream);
        fixpool::basic_pool_resource<C> inner(std::pmr::pool_options{.max_blocks_per_chunk = 5}, &resource);
        for (int turn = 0; turn < 3; ++turn) {
            void* blocks[600];
            for (std::size_t i = 0; i < 600; ++i) blocks[i] = std::memset(resource.allocate(i, 1), turn, i);
            for (std::size_t i = 0; i < 600; ++i) resource.deallocate(blocks[i], i, 1);
            void* of_inner[100];
            for (void*& block : of_inner) block = std::memset(inner.allocate(30), turn, 30);
            for (void* const block : of_inner) inner.deallocate(block, 30);
            std::vector<int, fixpool::pool_allocator<int, C>> numbers(&resource);
            for (int i = 0; i < 1000; ++i) numbers.push_back(i);
            if (turn == 1) inner.shrink();
        }
    }
    std::memset(buffer, 1, sizeof buffer);
    if (buffer[300] == std::byte{1}) sink = 1;
}

/// A pool that grows: a block after its release or a reset, the next block, and what is behind a page's last block.
template <fixpool::checking C> void growing(const char* bug) {
    fixpool::basic_growing_pool<C> pool(72, {.page_bytes = 4096});  // 56 in a page, and 64 bytes
    const auto is = [bug](const char* name) { return std::strcmp(bug, name) == 0; };
    static unsigned char* blocks[200];
    for (int turn = 0; turn < 2; ++turn) {
        for (auto& block : blocks) {
            block = static_cast<unsigned char*>(pool.allocate());
            if (is("growing_uninitialised_after_reuse") && turn == 1 && block[5] == 7) sink = sink + 1;
            std::memset(block, 1, 72);
        }
        if (is("growing_overflow")) blocks[199][72] = 1;  // in the first turn nobody has the next block
        if (turn == 0)
            for (auto* const block : blocks) pool.deallocate(block);
    }
    pool.deallocate(blocks[7]);
    if (is("growing_write_after_free")) blocks[7][0] = 1;
    if (is("growing_overflow_of_page"))
        for (auto* const block : blocks)
            if (reinterpret_cast<std::uintptr_t>(block) % 4096 == 55 * 72) block[72] = 1;
    pool.reset();
    if (is("growing_use_after_reset")) blocks[8][0] = 1;
    fixpool::growing_typed_pool<int, C> numbers;
    auto number = numbers.allocate(1);
    const int* const object = number.get();
    number.reset();
    if (is("growing_use_after_block")) sink = *object;
}

/// Threads whose blocks are neighbours; for some sizes they share eight bytes. Nothing to report.
void neighbours() {
    for (const std::size_t size : sizes{1, 4, 12, 13, 24}) {
        for (const unsigned magazine_size : {0U, 4U}) {
            const fixpool::shared_memory_pool pool({size, 200, 1}, {.magazine_size = magazine_size});
            const auto use = [&pool, size] {
                void* blocks[40] = {};
                for (int turn = 0; turn < 20000; ++turn) {
                    void*& block = blocks[turn * 7 % 40];
                    if (block == nullptr) block = std::memset(pool.allocate(), 1, size);
                    else pool.deallocate(std::exchange(block, nullptr));
                }
                for (void* const block : blocks) pool.deallocate(block);
            };
            std::thread other(use);
            use();
            other.join();
        }
    }
}

/// Nothing to report: odd sizes, all bytes used, reuse, and a borrowed buffer that its owner uses again.
void none() {
    alignas(16) static std::byte buffer[1000];
    for (const std::size_t size : sizes{1, 3, 5, 8, 13, 24}) {
        {
            fixpool::memory_pool pool({size, 9, 1}, fixpool::arena::borrow(buffer), {.name = "of all sizes"});
            void* blocks[9];
            for (int turn = 0; turn < 3; ++turn) {
                for (void*& block : blocks) {
                    block = pool.allocate();
                    std::memset(block, turn, size);
                }
                for (int i = 0; i < 9; i += 2) pool.deallocate(blocks[i]);
                for (int i = 1; i < 9; i += 2) std::memset(blocks[i], 3, size);
                for (int i = 1; i < 9; i += 2) pool.deallocate(blocks[i]);
            }
        }
        std::memset(buffer, 1, sizeof buffer);
    }
    {
        fixpool::memory_pool pool({64, 8}, fixpool::arena::borrow(buffer));
        fixpool::memory_pool moved(std::move(pool));
        void* const block = moved.allocate();
        std::memset(block, 1, 64);
        moved.deallocate(block);
    }
    {
        fixpool::memory_pool pool({64, 8}, fixpool::arena::borrow(buffer));
        pool = fixpool::memory_pool({64, 4});
        std::memset(buffer, 1, sizeof buffer);  // given up with the pool that was on it
    }
    if (buffer[300] == std::byte{1}) sink = 1;  // lent, and never handed out: what the lender wrote is still there
    static std::byte blocks[256];
    static unsigned char metadata[fixpool::memory_pool::required_metadata_bytes({64, 4})];
    {
        fixpool::memory_pool pool({64, 4}, fixpool::arena::borrow(blocks, metadata));
        pool.deallocate(pool.allocate());
    }
    std::memset(blocks, 1, sizeof blocks);
    static struct {  // apart, and as far from the blocks as metadata in one piece: what lies between is not the pool's
        alignas(16) std::byte blocks[256];
        std::byte others[16];
        unsigned char metadata[fixpool::memory_pool::required_metadata_bytes({64, 4})];
    } near;
    {
        const fixpool::memory_pool pool({64, 4}, fixpool::arena::borrow(near.blocks, near.metadata));
        std::memset(near.others, 1, sizeof near.others);
    }
    const fixpool::shared_pool<int> four(4);
    sink = *four.allocate(4);
    for (const std::size_t size : sizes{1, 13, 64}) {
        const fixpool::shared_memory_pool pool({size, 5000});
        static void* some[5000];
        for (int turn = 0; turn < 3; ++turn) {
            for (void*& block : some) block = std::memset(pool.allocate(), turn, size);
            for (void* const block : some) pool.deallocate(block);
        }
    }
    fixpool::memory_pool large({24, 20000});
    static void* all[20000];
    for (int turn = 0; turn < 2; ++turn) {
        sink = large.try_allocate_bulk(all) ? 1 : 0;
        for (void* const block : all) std::memset(block, 1, 24);
        large.sort_free_blocks();
        large.deallocate_bulk(all);
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    const char* const bug = argv[1];
    if (std::strcmp(bug, "none") == 0) none();
    if (std::strcmp(bug, "none") == 0) neighbours();
    if (std::strncmp(bug, "static_", 7) == 0 || std::strcmp(bug, "none") == 0)
        std::strcmp(argv[2], "checked") == 0 ? of_static_pool<fixpool::checking::checked>(bug)
                                             : of_static_pool<fixpool::checking::unchecked>(bug);
    if (std::strcmp(bug, "overflow_into_padding") == 0) overflow_into_padding();
    if (std::strcmp(bug, "use_after_block") == 0) use_after_block();
    if (std::strcmp(bug, "release_after_pool") == 0) release_after_pool();
    if (std::strcmp(bug, "underflow") == 0) underflow();
    if (std::strcmp(bug, "underflow_into_free_block") == 0) underflow_into_free_block();
    if (std::strcmp(bug, "half_built") == 0) half_built();
    if (std::strcmp(bug, "use_after_carving_anew") == 0) use_after_carving_anew();
    if (std::strcmp(bug, "use_after_move_onto") == 0) use_after_move_onto();
    const bool is_checked = std::strcmp(argv[2], "checked") == 0;
    if (std::strncmp(bug, "shared_", 7) == 0)
        is_checked ? shared<fixpool::checking::checked>(bug) : shared<fixpool::checking::unchecked>(bug);
    if (std::strncmp(bug, "resource_", 9) == 0 || std::strcmp(bug, "none") == 0)
        is_checked ? of_resource<fixpool::checking::checked>(bug) : of_resource<fixpool::checking::unchecked>(bug);
    if (std::strcmp(bug, "none") == 0)
        is_checked ? none_of_resource<fixpool::checking::checked>() : none_of_resource<fixpool::checking::unchecked>();
    if (std::strncmp(bug, "growing_", 8) == 0 || std::strcmp(bug, "none") == 0)
        is_checked ? growing<fixpool::checking::checked>(bug) : growing<fixpool::checking::unchecked>(bug);
    pools both;
    if (is_checked) {
        run(bug, both.checked);
    } else {
        run(bug, both.unchecked);
    }
    std::puts("done");
}
