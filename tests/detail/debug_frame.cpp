// SPDX-License-Identifier: BSL-1.0
#include <fixpool/detail/debug_frame.hpp>

#include <array>
#include <cstddef>
#include <cstring>
#include <string>
#include <thread>

#include "../support/catch.hpp"
#include "../support/unseen.hpp"

using fixpool::site;
using fixpool::violation;
using fixpool::violation_kind;
using fixpool::detail::debug_frame;
using fixpool::detail::debug_frame_record;
using fixpool::detail::finding;

namespace {

constexpr site first_place{"first.cpp", 1, "f"}, second_place{"second.cpp", 2, "g"};
constexpr std::size_t most = static_cast<std::size_t>(-1);

static_assert(debug_frame::front_of(1) == debug_frame::front_of(16));
static_assert(debug_frame::front_of(1) >= sizeof(debug_frame_record) + 16);
static_assert(debug_frame::front_of(1) % 16 == 0 && debug_frame::front_of(1) < sizeof(debug_frame_record) + 32);
static_assert(debug_frame::front_of(64) % 64 == 0 && debug_frame::front_of(4096) == 4096);
static_assert(debug_frame::bytes_for(1, 1) == debug_frame::front_of(1) + 1 + 16);
static_assert(debug_frame::bytes_for(100, 256) == 256 + 100 + 16);
static_assert(debug_frame::bytes_for(most - debug_frame::front_of(1) - 16, 1) == most);
static_assert(debug_frame::bytes_for(most - debug_frame::front_of(1) - 17, 1) == most - 1);
static_assert(debug_frame::bytes_for(most, 1) == most && debug_frame::bytes_for(1, most / 2 + 1) == most);

bool is(const site& a, const site& b) { return a.file == b.file && a.line == b.line && a.address == b.address; }

/// Memory for one frame. Its bytes look like anything.
struct memory {
    explicit memory(unsigned garbage) { std::memset(bytes.data(), static_cast<int>(garbage), bytes.size()); }
    ~memory() { fixpool::detail::reveal(bytes.data(), bytes.size()); }
    memory(const memory&) = delete;
    memory& operator=(const memory&) = delete;
    alignas(64) std::array<std::byte, 320> bytes{};
    [[nodiscard]] debug_frame frame() { return {bytes.data(), bytes.size()}; }
};

constexpr std::size_t record_bytes = sizeof(debug_frame_record);

std::ptrdiff_t front_of(std::size_t alignment) { return static_cast<std::ptrdiff_t>(debug_frame::front_of(alignment)); }

}  // namespace

TEST_CASE("a frame has a record, a guard, the block and a guard up to its end", "[debug_frame]") {
    for (const unsigned garbage : {0x00u, 0xa5u, 0xddu, 0xfdu, 0xffu}) {
        for (const std::size_t alignment : {1u, 16u, 64u}) {
            for (const std::size_t size : {1u, 13u, 40u, 64u}) {
                memory m(garbage);
                debug_frame frame = m.frame();
                frame.begin(size, alignment, first_place, 41);
                const std::size_t front = debug_frame::front_of(alignment);
                CHECK(frame.start() == m.bytes.data());
                CHECK(frame.block() == m.bytes.data() + front);
                CHECK(frame.is_sound());
                const debug_frame_record record = frame.record();
                CHECK(record.size == size);
                CHECK(record.front() == front);
                CHECK(is(record.allocated_at, first_place));
                CHECK(is(record.released_at, site::unknown()));
                CHECK(record.allocation == 41);
                CHECK(record.release == 0);
                CHECK(record.allocated_by != 0);
                CHECK(record.is_filled == 0);
                std::memset(frame.block(), 0x11, size);
                bool is_guarded = true;
                for (std::size_t i = record_bytes; i < m.bytes.size(); ++i)
                    if (i < front || i >= front + size)
                        is_guarded &= read_unseen(m.bytes.data(), static_cast<std::ptrdiff_t>(i)) == 0xfd;
                CHECK(is_guarded);
                CHECK(!frame.damage_around());
            }
        }
    }
}

TEST_CASE("each guard byte of a frame is verified, and that side is mended", "[debug_frame]") {
    bool are_right = true;  // how many bytes there are depends on the size of a word
    for (const std::size_t alignment : {1u, 64u}) {
        memory m(0);
        debug_frame frame = m.frame();
        frame.begin(13, alignment, first_place, 1);
        std::memset(frame.block(), 0x11, 13);
        const std::ptrdiff_t first = static_cast<std::ptrdiff_t>(record_bytes) - front_of(alignment);
        const std::ptrdiff_t end = static_cast<std::ptrdiff_t>(m.bytes.size()) - front_of(alignment);
        for (std::ptrdiff_t offset = first; offset < end; ++offset) {
            if (offset >= 0 && offset < 13) continue;
            write_unseen(frame.block(), offset, 0x42);
            write_unseen(frame.block(), offset < 0 ? -1 : end - 1, 0x43);
            const finding found = frame.damage_around();
            are_right &= static_cast<bool>(found);
            are_right &= found.kind == violation_kind::buffer_overflow;
            are_right &= found.at == frame.block();
            are_right &= found.offset == offset;
            are_right &= found.byte == (offset == -1 || offset == end - 1 ? 0x43 : 0x42);
            frame.mend(found);
            are_right &= !frame.damage_around();
            are_right &= read_unseen(frame.block(), offset) == 0xfd;
            are_right &= frame.block()[0] == std::byte{0x11};
            are_right &= frame.block()[12] == std::byte{0x11};
        }
        write_unseen(frame.block(), 13, 0x44);
        write_unseen(frame.block(), -1, 0x45);
        CHECK(frame.damage_around().byte == 0x45);
        frame.mend(frame.damage_around());
        CHECK(frame.damage_around().byte == 0x44);  // the damage behind was not mended together with that in front
    }
    CHECK(are_right);
}

TEST_CASE("all behind the record of a free frame is filled and verified", "[debug_frame]") {
    bool are_right = true;  // how many bytes there are depends on the size of a word
    memory m(0);
    debug_frame frame = m.frame();
    frame.begin(40, 64, first_place, 1);
    frame.end(second_place, 2);
    CHECK(!frame.damage_in());
    CHECK(frame.record().is_filled == 1);
    CHECK(frame.block() == m.bytes.data() + debug_frame::front_of(64));
    for (std::size_t i = record_bytes; i < m.bytes.size(); ++i) {
        const auto at = static_cast<std::ptrdiff_t>(i);
        are_right &= read_unseen(m.bytes.data(), at) == 0xdd;
        write_unseen(m.bytes.data(), at, 0x41);
        const finding found = frame.damage_in();
        are_right &= static_cast<bool>(found);
        are_right &= found.kind == violation_kind::write_after_free;
        are_right &= found.at == frame.block();
        are_right &= found.offset == at - front_of(64);
        are_right &= found.byte == 0x41;
        frame.mend(found);
        are_right &= !frame.damage_in();
    }
    frame.begin(60, 16, second_place, 3);
    CHECK(!frame.damage_around());
    CHECK(frame.record().is_filled == 0);
    CHECK(frame.record().size == 60);
    CHECK(is(frame.record().released_at, site::unknown()));
    CHECK(are_right);
}

TEST_CASE("a frame knows who allocated and released its block, when, and on which thread", "[debug_frame]") {
    memory m(0xa5);
    debug_frame frame = m.frame();
    frame.begin(40, 1, first_place, 5);
    std::thread([&frame] { frame.close(second_place, 9); }).join();
    CHECK(!frame.damage_around());  // the block is still whole
    violation v;
    frame.describe(v);
    CHECK(v.print == (fixpool::detail::traps ? nullptr : &fixpool::detail::print_debug));
    CHECK(is(v.allocated_at, first_place));
    CHECK(is(v.released_at, second_place));
    CHECK(v.allocation == 5);
    CHECK(v.release == 9);
    CHECK(v.allocated_by != 0);
    CHECK(v.released_by != 0);
    CHECK(v.allocated_by != v.released_by);
    frame.fill();
    violation again;
    frame.describe(again);
    CHECK(again.release == 9);
    CHECK(!frame.damage_in());
}

TEST_CASE("a record that was overwritten is not believed, whichever byte it was", "[debug_frame]") {
    bool are_right = true;  // how many bytes there are depends on the size of a word
    for (const bool is_free : {false, true}) {
        for (std::size_t i = 0; i < record_bytes; ++i) {
            memory m(0);
            debug_frame frame = m.frame();
            frame.begin(40, 64, first_place, 1);
            frame.close(second_place, 2);
            if (is_free) frame.fill();
            const auto at = static_cast<std::ptrdiff_t>(i);
            write_unseen(m.bytes.data(), at, static_cast<unsigned char>(~read_unseen(m.bytes.data(), at)));
            if (frame.is_sound()) continue;  // a byte of padding
            const finding found = is_free ? frame.damage_in() : frame.damage_around();
            are_right &= static_cast<bool>(found);
            are_right &= found.kind == violation_kind::corrupted_pool;
            are_right &= found.at == m.bytes.data();
            are_right &= std::string(found.problem) == "what is kept of the block was overwritten";
            violation v;
            frame.describe(v);
            are_right &= v.allocation == 0;
            are_right &= is(v.allocated_at, site::unknown());
            are_right &= frame.block() == m.bytes.data() + debug_frame::front_of(1);
            frame.close(first_place, 3);  // a second release does not make the record good
            are_right &= !frame.is_sound();
            frame.mend(found);
            are_right &= frame.is_sound();
            are_right &= frame.record().allocation == 0;
            are_right &= !(is_free ? frame.damage_in() : frame.damage_around());
            frame.close(first_place, 3);
            are_right &= frame.record().release == 3;
        }
    }
    CHECK(are_right);
}

TEST_CASE("most bytes of a record are sealed", "[debug_frame]") {
    memory m(0);
    debug_frame frame = m.frame();
    frame.begin(40, 1, first_place, 1);
    std::size_t sealed = 0;
    for (std::size_t i = 0; i < record_bytes; ++i) {
        const auto at = static_cast<std::ptrdiff_t>(i);
        const unsigned char byte = read_unseen(m.bytes.data(), at);
        write_unseen(m.bytes.data(), at, static_cast<unsigned char>(byte ^ 1));
        sealed += !frame.is_sound();
        write_unseen(m.bytes.data(), at, byte);
    }
    const std::size_t of_sites = 2 * (3 * sizeof(void*) + sizeof(unsigned));
    CHECK(sealed == of_sites + 3 * sizeof(std::uint64_t) + 2 * sizeof(unsigned) + 1 + 2 * sizeof(std::size_t));
    std::memset(frame.block(), 0, 40);
    for (const unsigned value : {0x00u, 0xffu, 0xddu, 0xfdu}) {
        for (std::size_t i = 0; i < record_bytes; ++i)
            write_unseen(m.bytes.data(), static_cast<std::ptrdiff_t>(i), static_cast<unsigned char>(value));
        CHECK(!frame.is_sound());
    }
}

TEST_CASE("a frame whose record was overwritten is filled all the same", "[debug_frame]") {
    memory m(0);
    debug_frame frame = m.frame();
    frame.begin(40, 64, first_place, 1);
    write_unseen(m.bytes.data(), 0, 1);
    frame.end(second_place, 2);
    CHECK(frame.is_sound());
    CHECK(frame.record().is_filled == 1);
    CHECK(!frame.damage_in());
}
