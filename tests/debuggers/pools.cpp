// SPDX-License-Identifier: BSL-1.0
// Pools, blocks, arenas and violations of every type and in every state, for session.py to print.
#include <fixpool/arenas.hpp>
#include <fixpool/debug_pages.hpp>
#include <fixpool/fixpool.hpp>
#include <fixpool/growing_pool.hpp>
#include <fixpool/pool_resource.hpp>
#include <fixpool/static_pool.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory_resource>
#include <thread>
#include <utility>
#include <vector>

using enum fixpool::checking;

struct connection {
    int id;
    const char* peer;
};

struct shared_secret {
    int number;
};

namespace {

/// The debugger stops here. `wanted` says what it prints of the caller's caller.
[[gnu::noinline]] void stop([[maybe_unused]] const char* wanted) { asm volatile("" : : "r"(wanted) : "memory"); }

/// The variables are static: so optimisation leaves them in memory.
template <class... T> [[gnu::noinline]] void show(const char* wanted, const T&... variables) {
    stop(wanted);
    (static_cast<void>([](const void* variable) { asm volatile("" : : "r"(variable) : "memory"); }(&variables)), ...);
}

/// Memory in which no T was constructed.
template <class T> union unborn {
    explicit unborn(int fill) { std::memset(bytes, fill, sizeof bytes); }
    unborn(const unborn&) = delete;
    unborn& operator=(const unborn&) = delete;
    ~unborn() {}
    unsigned char bytes[sizeof(T)];
    T it;
};

constexpr fixpool::pool_layout eight{.block_size = 64, .block_count = 8};

/// Six blocks were handed out, 1 and 3 were released.
template <class Pool> void fill(Pool& pool) {
    std::array<void*, 6> taken{};
    for (void*& block : taken) block = pool.allocate();
    pool.deallocate(taken[1]);
    pool.deallocate(taken[3]);
}

[[gnu::noinline]] void raw() {
    static fixpool::memory_pool packets(eight, {.name = "packets"});
    fill(packets);
    static fixpool::basic_memory_pool<unchecked> fast(eight, {.name = "fast"});
    fill(fast);
    static fixpool::basic_memory_pool<debug> traced(eight, {.name = "traced"});
    static const fixpool::site receive("net.cpp", 88, "receive"), send("net.cpp", 120, "send");
    static_cast<void>(traced.allocate(receive));
    traced.deallocate(traced.allocate(receive));
    static_cast<void>(traced.allocate(send));
    static fixpool::memory_pool untouched(eight);
    show("print packets; print fast; print traced; print untouched", packets, fast, traced, untouched);

    static fixpool::memory_pool full({.block_size = 24, .block_count = 2, .alignment = 32});
    static_cast<void>(full.allocate());
    static_cast<void>(full.allocate());
    static_cast<void>(full.try_allocate());
    static fixpool::memory_pool large({.block_size = 16, .block_count = 1000}, {.name = "large"});
    std::vector<void*> taken(500);
    static_cast<void>(large.try_allocate_bulk(taken));
    for (std::size_t i = 100; i < 260; ++i) large.deallocate(taken[i]);
    static fixpool::memory_pool target = std::move(packets);
    static fixpool::basic_memory_pool<debug> traced_target = std::move(traced);
    show("print full; print large; print packets; print target; print traced", full, large, packets, target, traced);
    show("fuzz target; fuzz fast; fuzz traced_target; fuzz large", target, fast, traced_target, large);
    show(
        "fuzz target *(int(*)[9])target.list_.bottom_; fuzz target *(char(*)[8])target.list_.states_; "
        "fuzz traced_target *(char(*)[400])traced_target.list_.metadata_",
        target, traced_target);
}

[[gnu::noinline]] void typed() {
    static fixpool::typed_pool<connection> connections(8, {.name = "connections"});
    static fixpool::block<connection> alice = connections.allocate(1, "alice"), bob = connections.allocate(2, "bob"),
                                      carol = connections.allocate(3, "carol");
    bob.reset();
    static connection* const given_up = carol.release();
    static fixpool::block<connection> dave;
    show("print connections; print alice; print bob; print carol; print dave; print *given_up", connections, alice, bob,
         carol, dave, given_up);
    carol = connections.adopt(given_up);
    static struct { const fixpool::typed_pool<connection>& pool; } reference{connections};
    static unborn<fixpool::block<connection>> copied(0);
    std::memcpy(copied.bytes, static_cast<const void*>(&alice), sizeof copied.bytes);
    alice.reset();
    show("print reference.pool; print copied.it; set print elements 2; print connections; set print elements 200",
         reference, copied, connections);

    static fixpool::typed_pool<connection, unchecked> fast(4);
    static const fixpool::block<connection, unchecked> erin = fast.allocate(5, "erin");
    static fixpool::typed_pool<connection, debug> traced(4, {.name = "traced"});
    static const fixpool::block<connection, debug> frank = traced.allocate(6, "frank");
    static fixpool::typed_pool<shared_secret> secrets(2);
    show("print fast; print erin; print traced; print frank; print secrets", fast, erin, traced, frank, secrets);
    show("fuzz connections; fuzz traced; fuzz carol; fuzz frank", connections, traced, carol, frank);
}

[[gnu::noinline]] void shared() {
    static fixpool::shared_memory_pool packets({.block_size = 64, .block_count = 200}, {.name = "packets"});
    fill(packets);
    static fixpool::shared_memory_pool small(eight, {.name = "small"});
    fill(small);
    static fixpool::basic_shared_memory_pool<unchecked> fast({.block_size = 64, .block_count = 60});
    fill(fast);
    static fixpool::basic_shared_memory_pool<debug> traced(eight, {.name = "traced"});
    static const fixpool::site receive("net.cpp", 88, "receive");
    static_cast<void>(traced.allocate(receive));
    // All blocks are free again, and will be handed out in order. Some were in a thread's magazine only.
    static fixpool::shared_memory_pool drained({.block_size = 4096, .block_count = 100}, {.name = "drained"});
    std::vector<void*> taken(72);
    taken[0] = drained.allocate();
    std::thread([&taken] {
        for (std::size_t i = 1; i < taken.size(); ++i) taken[i] = drained.allocate();
    }).join();
    for (void* const block : taken) drained.deallocate(block);
    show("print packets; print small; print fast; print traced; print drained", packets, small, fast, traced, drained);
    show("fuzz packets *packets.state_._M_ptr; fuzz fast *fast.state_._M_ptr; fuzz traced *traced.state_._M_ptr",
         packets, fast, traced);

    static fixpool::shared_pool<connection> connections(40, {.name = "connections"});
    static const fixpool::shared_block<connection> alice = connections.allocate(1, "alice");
    static fixpool::shared_block<connection> bob = connections.allocate(2, "bob");
    static const fixpool::shared_block<connection> carol = connections.allocate(3, "carol");
    bob.reset();
    static fixpool::shared_pool<connection, debug> sites(4);
    static const fixpool::shared_block<connection, debug> dave = sites.allocate(4, "dave");
    static fixpool::shared_pool<connection, unchecked> unsafe(4);
    static const fixpool::shared_block<connection, unchecked> erin = unsafe.allocate(5, "erin");
    show("print connections; print alice; print bob; print sites; print dave; print unsafe; print erin", connections,
         alice, bob, carol, sites, dave, unsafe, erin);
    show("fuzz connections *connections.objects_._M_ptr; fuzz connections; fuzz carol", connections, carol);
}

[[gnu::noinline]] void of_other_kinds() {
    static constinit fixpool::static_pool<connection, 5> untouched;
    static fixpool::static_pool<connection, 5> connections;
    connections.set_options({.name = "connections"});
    static const auto alice = connections.allocate(1, "alice");
    static auto bob = connections.allocate(2, "bob");
    static const auto carol = connections.allocate(3, "carol");
    bob.reset();
    static fixpool::static_pool<connection, 300, unchecked> fast;
    static const auto dave = fast.allocate(4, "dave");
    show("print untouched; print connections; print alice; print bob; print fast; print dave", untouched, connections,
         alice, bob, fast, dave);
    show("fuzz connections; fuzz fast", connections, fast, carol);
}

[[gnu::noinline]] void growing() {
    auto* const upstream = std::pmr::new_delete_resource();
    static fixpool::growing_pool packets(1024, {.page_bytes = 4096}, upstream, {.name = "packets"});
    fill(packets);
    static fixpool::growing_pool untouched(64);
    static fixpool::basic_growing_pool<debug> traced(64, {.page_bytes = 4096}, upstream, {.name = "traced"});
    static const fixpool::site receive("net.cpp", 88, "receive");
    static_cast<void>(traced.allocate(receive));
    show("print packets; print untouched; print traced", packets, untouched, traced);
    show("fuzz packets; fuzz traced", packets, traced);

    static fixpool::growing_typed_pool<connection> connections({.max_blocks = 6}, upstream, {.name = "connections"});
    static const auto alice = connections.allocate(1, "alice");
    static auto bob = connections.allocate(2, "bob");
    static const auto carol = connections.allocate(3, "carol");
    bob.reset();
    static fixpool::growing_typed_pool<connection, debug> sites({.max_blocks = 6});
    static const auto dave = sites.allocate(4, "dave");
    static fixpool::growing_typed_pool<connection, unchecked> fast({.max_blocks = 6});
    static const auto erin = fast.allocate(5, "erin");
    show("print connections; print alice; print bob; print sites; print dave; print fast; print erin", connections,
         alice, bob, carol, sites, dave, fast, erin);
    show("fuzz connections; fuzz sites; fuzz alice; fuzz dave", connections, sites, alice, dave);
}

[[gnu::noinline]] void resources() {
    static fixpool::pool_resource nodes(std::pmr::new_delete_resource(), {.name = "nodes"});
    std::array<void*, 3> taken{};
    for (void*& block : taken) block = nodes.allocate(40);
    nodes.deallocate(taken[1], 40);
    static_cast<void>(nodes.allocate(500));
    static_cast<void>(nodes.allocate(100000));
    static fixpool::pool_resource untouched;
    static fixpool::basic_pool_resource<debug> traced;
    static_cast<void>(traced.allocate(40));
    show("print nodes; print untouched; print traced", nodes, untouched, traced);
    show("fuzz nodes; fuzz traced", nodes, traced);
}

[[gnu::noinline]] void arenas() {
    alignas(64) static std::byte storage[4096];
    static fixpool::arena heap = fixpool::arena::heap(), lent = fixpool::arena::borrow(storage),
                          apart = fixpool::arena::borrow({storage, 1024}, {storage + 1024, 512}),
                          moved = fixpool::arena::borrow(storage);
    static fixpool::arena target = std::move(moved),
                          upstream = fixpool::memory_resource_arena(std::pmr::new_delete_resource()),
                          pages = fixpool::mapped_arena();
    static fixpool::memory_pool pool({.block_size = 64, .block_count = 2});
    show("print heap; print lent; print apart; print moved; print upstream; print pages; print pool.arena_", heap, lent,
         apart, moved, target, upstream, pages, pool);
    static const fixpool::site line("net.cpp", 88, "receive"),
        unknown = fixpool::site::unknown(), code(nullptr, 0, nullptr, reinterpret_cast<const void*>(&growing)),
        nowhere(nullptr, 0, nullptr, &storage);
    static const fixpool::holder holder{line, 3};
    static const fixpool::pool_stats stats = pool.stats();
    show("print line; print unknown; print code; print nowhere; print holder; print stats", line, unknown, code,
         nowhere, holder, stats);
}

/// What the library says of a violation and what GDB says are the same words.
[[gnu::noinline]] void compare(const fixpool::violation& reported) {
    static fixpool::violation seen;
    static fixpool::detail::text_line line;
    seen = reported;
    line = seen.print != nullptr ? fixpool::detail::describe_debug(seen) : fixpool::detail::describe(seen);
    show("same seen line.text_", seen, line);
}

[[gnu::noinline]] void print(const fixpool::violation& reported) {
    static fixpool::violation seen;
    seen = reported;
    show("print seen; print seen.allocated_at", seen);
}

[[gnu::noinline]] void violations() {
    int at = 0;
    for (unsigned kind = 0; kind <= static_cast<unsigned>(fixpool::violation_kind::still_owned); ++kind) {
        fixpool::violation v{.kind = static_cast<fixpool::violation_kind>(kind), .pool = &at, .total_blocks = 64};
        compare(v);
        v.pool_name = "packets";
        v.address = &at;
        v.index = 17;
        v.live_blocks = 1;
        compare(v);
        v.live_blocks = 3;
        v.allocated_at = {"net.cpp", 88, "receive"};
        v.released_at = {"net.cpp", 120, "send"};
        v.problem = "its counters do not agree";
        compare(v);
    }

    fixpool::pool_options compares{.name = "packets", .on_violation = compare};
    fixpool::memory_pool packets(eight, compares);
    void* block = packets.allocate();
    packets.deallocate(block);
    packets.deallocate(block);
    packets.deallocate(&at);
    const fixpool::site receive("net.cpp", 88, "receive"), send("net.cpp", 120, "send");
    fixpool::basic_memory_pool<debug> traced({.block_size = 64, .block_count = 1}, compares);
    block = traced.allocate(receive);
    traced.deallocate(block, send);
    traced.deallocate(block, send);
    static_cast<unsigned char*>(block)[5] = 'A';
    block = traced.allocate(receive);
    static_cast<unsigned char*>(block)[64] = 'B';
    static_cast<unsigned char*>(block)[-1] = 'C';
    traced.deallocate(block, send);

    fixpool::basic_memory_pool<debug> leaking(eight, {.name = "leaking", .on_violation = print});
    for (int i = 0; i < 3; ++i) static_cast<void>(leaking.allocate(i == 0 ? send : receive));
}

[[gnu::noinline]] void overwritten() {
    alignas(64) static std::byte blocks[8 * 64];
    alignas(64) static unsigned char metadata[fixpool::memory_pool::required_metadata_bytes(eight)];
    static fixpool::memory_pool twice(eight, fixpool::arena::borrow(blocks, metadata), {.name = "twice"});
    fill(twice);
    std::memcpy(metadata + 8, metadata + 4, 4);  // the stack of free blocks is above an entry of 4 bytes
    show("print twice", twice);
    const std::uint32_t wrong = 7;
    std::memcpy(metadata + 8, &wrong, 4);
    show("print twice", twice);
    std::memset(metadata, 0xfd, sizeof metadata);
    show("print twice", twice);

    alignas(8) static unsigned char traces[fixpool::basic_memory_pool<debug>::required_metadata_bytes(eight)];
    alignas(64) static std::byte more[8 * 80 + 64];
    static fixpool::basic_memory_pool<debug> traced(eight, fixpool::arena::borrow(more, traces), {.name = "traced"});
    fill(traced);
    std::memset(traces, 0xfd, sizeof traces);
    show("print traced", traced);
}

template <class T> [[gnu::noinline]] void show_unborn() {
    static const unborn<T> zero(0), filled(0xcc), ones(0xff);
    show("print zero.it; print filled.it; print ones.it; fuzz filled.it", zero, filled, ones);
}

void not_constructed() {
    show_unborn<fixpool::memory_pool>();
    show_unborn<fixpool::basic_memory_pool<unchecked>>();
    show_unborn<fixpool::basic_memory_pool<debug>>();
    show_unborn<fixpool::typed_pool<connection>>();
    show_unborn<fixpool::block<connection>>();
    show_unborn<fixpool::shared_memory_pool>();
    show_unborn<fixpool::shared_pool<connection>>();
    show_unborn<fixpool::static_pool<connection, 4>>();
    show_unborn<fixpool::growing_pool>();
    show_unborn<fixpool::growing_typed_pool<connection, debug>>();
    show_unborn<fixpool::pool_resource>();
    show_unborn<fixpool::violation>();
    show_unborn<fixpool::site>();
    show_unborn<fixpool::arena>();
}

}  // namespace

int main() {
    raw();
    typed();
    shared();
    of_other_kinds();
    growing();
    resources();
    arenas();
    violations();
    overwritten();
    not_constructed();
    std::_Exit(0);  // what is static stays as it is
}
