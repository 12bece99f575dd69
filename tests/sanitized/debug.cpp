// SPDX-License-Identifier: BSL-1.0
// Seeded bugs in debug pools, one case per process. AddressSanitizer or Valgrind must report each bug, and must report
// nothing for "none". "alive" is a bug without any pool: a tool that does not report it sees nothing at all.
#include <fixpool/debug_pages.hpp>
#include <fixpool/fixpool.hpp>
#include <fixpool/pool_allocator.hpp>

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <memory_resource>

namespace {

using fixpool::checking;
using debug_pool = fixpool::basic_memory_pool<checking::debug>;

volatile int sink = 0;

#if defined(__GNUC__)
__attribute__((no_sanitize("address")))
#endif
void write_unseen(volatile unsigned char* at) {
    *at = 1;
}

void look_at(unsigned char byte) {
    if (byte == 7) sink = sink + 1;
}

/// Blocks of an odd size: the byte behind a block lies in the same eight bytes as its end.
void run(const char* bug) {
    const auto is = [bug](const char* name) { return std::strcmp(bug, name) == 0; };
    debug_pool pool({13, 4});
    auto* const first = static_cast<unsigned char*>(pool.allocate());
    auto* const second = static_cast<unsigned char*>(pool.allocate());
    if (is("uninitialised_read")) look_at(first[12]);
    std::memset(first, 1, 13);
    std::memset(second, 1, 13);
    if (is("overflow")) first[13] = 1;
    if (is("overflow_at_the_end")) first[pool.stride() - 1] = 1;
    if (is("underflow")) first[-1] = 1;
    pool.deallocate(first);
    if (is("read_after_free")) look_at(first[5]);
    if (is("write_after_free")) first[12] = 1;
    if (is("read_after_audit")) {
        if (!pool.audit()) std::abort();
        look_at(first[12]);
    }
    if (is("read_after_audit_that_finds")) {
        fixpool::set_violation_handler([](const fixpool::violation&) {});
        pool.deallocate(second);
        write_unseen(second);
        if (pool.audit()) std::abort();
        look_at(first[12]);
    }
    if (is("read_beside_guard")) {  // the neighbour's release reads the guard between both
        pool.deallocate(second);
        look_at(first[12]);
    }
    if (is("read_beside_mended_guard")) {  // it is painted again
        fixpool::set_violation_handler([](const fixpool::violation&) {});
        write_unseen(second - 1);
        pool.deallocate(second);
        look_at(first[12]);
    }
    pool.deallocate(pool.allocate());
    pool.deallocate(pool.allocate());
    auto* const again = static_cast<unsigned char*>(pool.allocate());
    if (again != first) std::abort();
    if (is("uninitialised_after_reuse")) look_at(again[5]);
    if (is("use_after_reset")) {
        pool.reset();
        second[0] = 1;
    }
    pool.reset();
}

void* volatile kept = nullptr;

/// The pool lives, and its second block has no owner any more.
void leak_in_pool() {
    static debug_pool* pool = new debug_pool({64, 4});
    static_cast<void>(pool->allocate());
    pool->reset();  // what follows is of the pool as well
    kept = pool->allocate();
    void* volatile lost = pool->allocate();
    lost = nullptr;
    std::puts(lost == nullptr ? "lost" : "");
}

void shared(const char* bug) {
    const fixpool::shared_pool<int, checking::debug> pool(4);
    auto number = pool.allocate(1);
    const int* const object = number.get();
    const auto other = pool.allocate(2);
    if (std::strcmp(bug, "shared_overflow") == 0) number.get()[1] = 3;
    number.reset();
    if (std::strcmp(bug, "shared_read_after_free") == 0) sink = *object;
}

/// The same for a pool that grows. The block behind its last block has no owner. Its pages are reused, and lent.
void growing(const char* bug) {
    const auto is = [bug](const char* name) { return std::strcmp(bug, name) == 0; };
    alignas(4096) static std::byte buffer[12 * 16384];
    {
        std::pmr::monotonic_buffer_resource memory(buffer, sizeof buffer, std::pmr::null_memory_resource());
        fixpool::basic_growing_pool<checking::debug> pool(13, {.page_bytes = 16384}, &memory);  // 93 in a page
        unsigned char* blocks[150];
        for (int turn = 0; turn < 3; ++turn) {
            for (auto& block : blocks) {
                block = static_cast<unsigned char*>(pool.allocate());
                if (is("growing_uninitialised_read") && turn == 0) look_at(block[12]);
                if (is("growing_uninitialised_after_reuse") && turn == 1) look_at(block[12]);
                std::memset(block, 1, 13);
            }
            if (is("growing_overflow")) blocks[turn][13] = 1;
            if (is("growing_underflow")) blocks[turn][-1] = 1;
            if (is("growing_touches_record")) blocks[turn][-static_cast<std::ptrdiff_t>(pool.stride()) / 2] = 1;
            if (!pool.audit()) std::abort();
            for (const auto* const block : blocks) sink = sink + block[12];
            for (auto* const block : blocks) pool.deallocate(block);
            if (is("growing_read_after_free")) look_at(blocks[5][12]);
            if (is("growing_write_after_free")) blocks[5][0] = 1;
            if (!pool.audit()) std::abort();
            if (is("growing_read_after_audit")) look_at(blocks[5][12]);
            if (turn == 1) pool.shrink();
        }
        auto* const last = static_cast<unsigned char*>(pool.allocate());
        pool.reset();
        if (is("growing_use_after_reset")) last[0] = 1;
        fixpool::growing_typed_pool<int, checking::debug> numbers;
        auto number = numbers.allocate(1);
        const int* const object = number.get();
        number.reset();
        if (is("growing_use_after_block")) look_at(static_cast<unsigned char>(*object));
    }
    std::memset(buffer, 1, sizeof buffer);
    if (buffer[300] == std::byte{1}) sink = 1;
}

/// The same for a resource and for an allocator on it, with small, over-aligned and large blocks. Memory is lent, too.
void resource(const char* bug) {
    const auto is = [bug](const char* name) { return std::strcmp(bug, name) == 0; };
    alignas(65536) static std::byte buffer[65536 * 12];
    {
        std::pmr::monotonic_buffer_resource memory(buffer, sizeof buffer, std::pmr::null_memory_resource());
        fixpool::basic_pool_resource<checking::debug> blocks(&memory);
        const fixpool::pool_allocator<std::array<unsigned char, 13>, checking::debug> allocator(&blocks);
        for (int turn = 0; turn < 3; ++turn) {
            auto* const small = static_cast<unsigned char*>(blocks.allocate(13, 1));
            auto* const next = static_cast<unsigned char*>(blocks.allocate(13, 256));
            auto* const large = static_cast<unsigned char*>(blocks.allocate(5001, 8));
            auto* const object = fixpool::pool_allocator(allocator).allocate(1);
            static_cast<void>(blocks.allocate(0, 1));
            if (is("resource_uninitialised_read") && turn == 0) look_at(small[12]);
            if (is("resource_uninitialised_after_reuse") && turn == 1) look_at(small[12]);
            if (is("resource_uninitialised_large_block")) look_at(large[5000]);
            std::memset(small, 1, 13);
            std::memset(next, 1, 13);
            std::memset(large, 1, 5001);
            std::memset(object, 1, 13);
            if (is("resource_overflow")) small[13] = 1;
            if (is("resource_underflow")) next[-1] = 1;
            if (is("resource_overflow_of_large_block")) large[5001] = 1;
            if (is("resource_touches_record")) small[-100] = 1;
            if (is("resource_overflow_of_object")) object->data()[13] = 1;
            if (!blocks.audit()) std::abort();
            sink = sink + small[12] + next[12] + large[5000] + object->back();
            blocks.deallocate(small, 13, 1);
            blocks.deallocate(next, 13, 256);
            blocks.deallocate(large, 5001, 8);
            fixpool::pool_allocator(allocator).deallocate(object, 1);
            if (is("resource_read_after_free")) look_at(small[12]);
            if (is("resource_write_after_free")) next[0] = 1;
            if (!blocks.audit()) std::abort();
            if (is("resource_read_after_audit")) look_at(small[12]);
            std::memset(large, 1, 16);  // upstream's again, which has lent it
            if (turn == 0) blocks.release();
            if (turn == 1) blocks.shrink();
        }
        static_cast<void>(blocks.allocate(13, 1));  // live at the end, as the standard has it
        static_cast<void>(blocks.allocate(5001, 8));
    }
    std::memset(buffer, 1, sizeof buffer);
    if (buffer[300] == std::byte{1}) sink = 1;
}

void alive() {
    const std::unique_ptr<unsigned char[]> bytes(new unsigned char[16]);
    volatile unsigned char* const volatile at = bytes.get();
    at[16] = 1;
}

/// Nothing to report: all bytes are used, blocks are reused, and the owner of a lent buffer uses it again.
void none() {
    alignas(16) static std::byte buffer[4096];
    for (const std::size_t size : {std::size_t{1}, std::size_t{13}, std::size_t{24}}) {
        {
            debug_pool pool({size, 8}, fixpool::arena::borrow(buffer));
            void* blocks[8];
            for (int turn = 0; turn < 3; ++turn) {
                for (void*& block : blocks) block = std::memset(pool.allocate(), turn, size);
                for (void* const block : blocks) pool.deallocate(block);
            }
            debug_pool moved(std::move(pool));
            moved.deallocate(std::memset(moved.allocate(), 1, size));
            pool.reset();  // it has no blocks any more
        }
        std::memset(buffer, 1, sizeof buffer);
        if (buffer[300] == std::byte{1}) sink = 1;
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    const char* const bug = argv[1];
    if (std::strcmp(bug, "none") == 0) none();
    else if (std::strcmp(bug, "alive") == 0) alive();
    else if (std::strcmp(bug, "leak_in_pool") == 0) leak_in_pool();
    else if (std::strncmp(bug, "shared_", 7) == 0) shared(bug);
    else if (std::strncmp(bug, "growing_", 8) == 0) growing(bug);
    else if (std::strncmp(bug, "resource_", 9) == 0) resource(bug);
    else run(bug);
    if (std::strcmp(bug, "none") == 0) {
        run(bug);
        growing(bug);
        resource(bug);
    }
    std::puts("done");
}
