// SPDX-License-Identifier: BSL-1.0
// Nothing here allocates while a scenario runs, because operator new then belongs to the scenario.
#include "scheduler.hpp"

#include <array>
#include <bit>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "fiber.hpp"

namespace interleavings {
namespace {

using detail::kind;
using detail::work;
using std::to_string;

constexpr unsigned most_threads = 8;  // number 0 is the scenario's own, which sets up and checks the end
constexpr unsigned most_events = 4096, most_locations = 256, most_allocations = 1024, most_sightings = 16;
constexpr unsigned none = ~0u;

/// For each thread, how much of it happens before here. A thread's own time advances when it releases.
using vector_clock = std::array<std::uint16_t, most_threads>;
void join(vector_clock& into, const vector_clock& from) {
    for (unsigned t = 0; t < most_threads; ++t) into[t] = std::max(into[t], from[t]);
}

/// A mutex, an atomic, or guarded data as a whole.
struct location {
    const void* at;
    kind what;
    unsigned number;         // among those of its kind
    unsigned memory = none;  // the allocation that it lies in
    bool is_gone = false;    // its destructor has run
    unsigned holder = none;  // of a mutex
    unsigned written_by = 0;
    std::uint16_t written = 0;  // when; construction and allocation count as writes
    vector_clock used{};        // when each thread used it last
    vector_clock released{};    // what happens before those who acquire it
};

struct allocation {
    std::byte* begin;
    std::size_t size;
    bool is_freed;
    unsigned by;
    std::uint16_t when;
};

struct thread {
    fiber own;
    work body;
    const location* wants = nullptr;  // the mutex that it is about to lock
    const location* last = nullptr;   // what it used last
    bool is_finished = false, is_paused = false;
    unsigned looked = none;  // the count of changes when it began to wait in a loop; it has changed nothing since
    unsigned begins = none;  // the operation that begins with its next step
    unsigned number = 0;     // modelled::number
    vector_clock now{};
};

struct event {
    unsigned by;
    const char* words;
    const location* where;
    const char* order;
    bool has_value;
    std::uint64_t value;
};

/// A place where the schedule has a choice.
struct choice {
    unsigned can, left;  // sets of threads: those that could continue, and those of them still to be tried
    unsigned chosen;
};

struct sighting {
    const char* words;
    std::uint64_t last, count;  // interleavings
};

// One exploration.
std::uint64_t interleaving = 0;  // its number; never reset
unsigned bound = unbounded;
std::string failure;
std::array<choice, most_events + most_threads> path;
unsigned path_length = 0;
std::array<sighting, most_sightings> sightings;
unsigned sighting_count = 0;
alignas(fiber::page) std::byte stacks[most_threads][fiber::stack_size];
thread threads[most_threads];
fiber explorer;

// One interleaving.
bool is_serving = false;  // whether operator new takes from the arena
unsigned current = 0, thread_count = 0, started = 0, depth = 0, preemptions = 0, changes = 0, numbers_given = 0;
std::array<location, most_locations> locations;
unsigned location_count = 0, numbers[3];
alignas(fiber::page) std::byte arena[std::size_t{4} << 20];
std::size_t arena_used = 0;
std::array<allocation, most_allocations> allocations;
unsigned allocation_count = 0, live_allocations = 0;
std::array<event, most_events> events;
unsigned event_count = 0;
history asked;
std::array<const void*, history::most> blocks_out;
unsigned out_count = 0;

thread& me() { return threads[current]; }

// Names fit into a string's own buffer, so they allocate nothing.
std::string name_of(unsigned number) { return number == 0 ? "main" : "thread " + to_string(number); }
std::string name_of(const location& l) {
    return (l.what == kind::mutex ? "mutex " : l.what == kind::guarded ? "guarded " : "atomic ") + to_string(l.number);
}

/// Ends the exploration. Whatever the threads have begun is abandoned.
template <class... Words> [[noreturn]] void fail(const Words&... words) {
    is_serving = false;
    (failure.append(words), ...);
    me().own.change_to(explorer);
    std::abort();
}

void note(const char* words, const location* where = nullptr, const char* order = nullptr) {
    if (event_count == most_events) fail("too many steps: a loop that waits without pause, or never ends");
    events[event_count++] = {current, words, where, order, false, 0};
}
void note_value(std::uint64_t value) {
    events[event_count - 1].has_value = true;
    events[event_count - 1].value = value;
}

// Happens-before.

bool happened_before(unsigned by, unsigned time) { return time <= me().now[by]; }

[[noreturn]] void fail_race(const location& l, const char* words, unsigned other, const char* did) {
    fail("data race: ", name_of(current), " ", words, " ", name_of(l), ", which ", name_of(other), " ", did,
         " before, and nothing orders the two");
}
void be_after_write(const location& l, const char* words) {
    if (!happened_before(l.written_by, l.written))
        fail_race(l, words, l.written_by, l.what == kind::guarded ? "wrote or made" : "made");
}
void be_after_all(const location& l, const char* words) {
    if (l.holder != none) fail(name_of(current), " ", words, " ", name_of(l), ", which ", name_of(l.holder), " holds");
    be_after_write(l, words);
    for (unsigned t = 0; t < most_threads; ++t)
        if (!happened_before(t, l.used[t])) fail_race(l, words, t, "used");
}

// Memory.

/// The number of the allocation that contains `at`.
unsigned allocation_at(const void* at) {
    const auto* const byte = static_cast<const std::byte*>(at);
    if (byte < arena || byte >= arena + arena_used) return none;
    unsigned i = allocation_count;
    while (i != 0 && byte < allocations[i - 1].begin) --i;
    return i != 0 && byte < allocations[i - 1].begin + allocations[i - 1].size ? i - 1 : none;
}

void* allocate(std::size_t size, std::size_t alignment) {
    const std::size_t mask = alignment - 1;
    size = std::max(size, std::size_t{1});
    if (!is_serving) return std::aligned_alloc(alignment, (size + mask) & ~mask);
    const std::size_t at = arena_used + (-(reinterpret_cast<std::uintptr_t>(arena) + arena_used) & mask);
    if (at > sizeof arena || size > sizeof arena - at || allocation_count == most_allocations)
        fail("the scenario allocates too much for the harness");
    arena_used = at + size;
    fixpool::detail::unpoison(arena + at, size);
    std::memset(arena + at, 0xA5, size);  // the same in each interleaving
    allocations[allocation_count++] = {arena + at, size, false, current, me().now[current]};
    ++live_allocations;
    return arena + at;
}

void deallocate(void* at) noexcept {
    if (at < arena || at >= arena + sizeof arena) return std::free(at);
    if (!is_serving) return;  // of an interleaving that has ended
    note("frees memory");
    const unsigned number = allocation_at(at);
    if (number == none || allocations[number].begin != at) fail("delete of what no new returned");
    if (allocations[number].is_freed) fail("double delete, by ", name_of(current));
    for (unsigned i = 0; i < location_count; ++i)
        if (locations[i].memory == number && !locations[i].is_gone) be_after_all(locations[i], "frees");
    allocations[number].is_freed = true;
    fixpool::detail::poison(at, allocations[number].size);  // AddressSanitizer sees accesses that are not announced
    --live_allocations;
}

// Steps.

location& location_at(const void* at, kind what) {
    for (unsigned i = 0; i < location_count; ++i)
        if (locations[i].at == at && locations[i].what == what) return locations[i];
    if (location_count == most_locations) fail("the scenario has too many locks and atomics for the harness");
    location& l = locations[location_count++];
    l = {.at = at, .what = what, .number = ++numbers[static_cast<unsigned>(what)], .memory = allocation_at(at)};
    if (l.memory == none) return l;
    l.written_by = allocations[l.memory].by;
    l.written = allocations[l.memory].when;
    return l;
}

void begin_operation() {
    history::entry& e = asked.entries[std::exchange(me().begins, none)];
    e.begun = ++asked.time;
    if (e.what == operation::put)
        out_count = static_cast<unsigned>(std::remove(blocks_out.begin(), blocks_out.begin() + out_count, e.block) -
                                          blocks_out.begin());
    note(e.what == operation::take ? "begins a take" : e.what == operation::put ? "begins a put" : "begins a count");
}

/// The running thread uses an object, which must still exist.
location& use(const void* at, kind what, const char* words, const char* order = nullptr) {
    if (me().begins != none) begin_operation();
    location& l = location_at(at, what);
    note(words, &l, order);
    if (l.is_gone || (l.memory != none && allocations[l.memory].is_freed))
        fail("use after destruction: ", name_of(current), " ", words, " ", name_of(l));
    me().last = &l;
    return l;
}
/// The same, but the use must happen after the construction, and after the last write.
location& use_in_order(const void* at, kind what, const char* words, const char* order = nullptr) {
    location& l = use(at, what, words, order);
    be_after_write(l, words);
    l.used[current] = me().now[current];
    return l;
}
void has_written(location& l) {
    l.written_by = current;
    l.written = me().now[current];
}

/// Something changed: threads that wait in loops may look again.
void has_changed() {
    ++changes;
    me().looked = none;
}

bool is_ready(const thread& t) {
    return !t.is_finished && (t.wants == nullptr || t.wants->holder == none) && (!t.is_paused || changes > t.looked);
}

[[noreturn]] void fail_deadlock() {
    is_serving = false;
    for (unsigned i = current == 0 ? 0 : 1; i <= thread_count; ++i) {
        const thread& t = threads[i];
        if (t.is_finished) continue;
        failure += (failure.empty() ? "deadlock: " : "; ") + name_of(i) + " waits for ";
        if (t.wants != nullptr) failure += name_of(*t.wants) + ", which " + name_of(t.wants->holder) + " holds";
        else failure += "a change, in a loop" + (t.last != nullptr ? " around " + name_of(*t.last) : "");
    }
    fail();
}

/// Chooses the thread that makes the next step: the scenario's own if all others are finished.
// First, each thread runs up to its first step. Nothing before that can depend on others, unless it is a data race.
unsigned choose() {
    if (started < thread_count) return ++started;
    unsigned can = 0;
    bool is_over = true;
    for (unsigned t = 1; t <= thread_count; ++t) {
        can |= (is_ready(threads[t]) ? 1u : 0u) << t;
        is_over = is_over && threads[t].is_finished;
    }
    if (is_over) return 0;
    if (can == 0) fail_deadlock();
    const bool may_stay = (can >> current & 1) != 0 && !me().is_paused && started > thread_count;
    started = thread_count + 1;
    const unsigned first = may_stay ? current : static_cast<unsigned>(std::countr_zero(can));
    if (std::has_single_bit(can) || (may_stay && preemptions == bound)) return first;
    if (depth == path_length) path[path_length++] = {can, can & ~(1u << first), first};
    const choice& c = path[depth++];
    if (c.can != can) fail("the scenario is not deterministic");
    if (may_stay && c.chosen != current) ++preemptions;
    return c.chosen;
}

void go_on_with(unsigned next) {
    if (next == current) return;
    fiber& left = me().own;
    current = next;
    left.change_to(me().own);
}

/// A point where another thread may continue.
void may_switch() {
    if (current != 0) return go_on_with(choose());
    if (!is_ready(me())) fail_deadlock();
}

void release_in(location& l, std::memory_order order) {
    if (order == std::memory_order_relaxed || order == std::memory_order_acquire || order == std::memory_order_consume)
        return;
    join(l.released, me().now);
    ++me().now[current];
}

/// A load, a store, or both in one step (an exchange).
void atomic_step(const void* at, const char* words, std::memory_order order, bool loads, bool stores) {
    static constexpr const char* names[] = {"relaxed", "consume", "acquire", "release", "acq_rel", "seq_cst"};
    const bool is_relaxed = order == std::memory_order_relaxed;
    may_switch();
    location& l = use_in_order(at, kind::atomic, words, names[static_cast<int>(order)]);
    thread& t = me();
    if (t.looked == none) t.looked = changes;
    if (loads && !is_relaxed && order != std::memory_order_release) join(t.now, l.released);
    if (!stores) return;
    if (!loads) l.released = {};  // an exchange keeps what was released before
    release_in(l, order);
}

// Schedules.

void check_end() {
    if (live_allocations != 0) fail("leak of ", to_string(live_allocations), " allocations");
    if (depth != path_length) fail("the scenario is not deterministic");
    if (asked.is_explained()) return;
    is_serving = false;
    failure = "no order of the operations explains their results:";
    for (unsigned i = 0; i < asked.count; ++i) {
        const history::entry& e = asked.entries[i];
        failure += (i == 0 ? " " : "; ") + name_of(e.thread);
        if (e.what == operation::take) failure += e.result != 0 ? " took a block" : " was refused";
        else if (e.what == operation::put) failure += " put one back";
        else failure += " counted " + to_string(e.result);
        failure += " from " + to_string(e.begun) + " to " + to_string(e.ended);
    }
    fail();
}

/// What each fiber runs, again and again: the last body that it was given.
void live() {
    for (;;) {
        try {
            me().body.call(me().body.body);
        } catch (...) {
            fail(name_of(current), " let an exception out");
        }
        if (current == 0) {
            check_end();
            me().own.change_to(explorer);
        } else {
            me().is_finished = true;
            has_changed();
            go_on_with(choose());
        }
    }
}

void start(thread& t, work body, const vector_clock& now) {
    t = {.own = t.own, .body = body, .now = t.now};
    join(t.now, now);
    ++t.now[static_cast<std::size_t>(&t - threads)];
}

void run_once(work scenario) {
    ++interleaving;
    current = thread_count = depth = preemptions = changes = numbers_given = 0;
    location_count = numbers[0] = numbers[1] = numbers[2] = 0;
    allocation_count = live_allocations = event_count = out_count = 0;
    arena_used = 0;
    asked.count = asked.time = 0;
    asked.capacity = asked.available_at_first = 0;
    for (thread& t : threads) t.now = {};
    start(threads[0], scenario, {});
    is_serving = true;
    explorer.change_to(threads[0].own);
    is_serving = false;
}

/// Whether there is another schedule. If so, `path` is its beginning.
bool has_next() {
    while (path_length != 0 && path[path_length - 1].left == 0) --path_length;
    if (path_length == 0) return false;
    choice& c = path[path_length - 1];
    c.chosen = static_cast<unsigned>(std::countr_zero(c.left));
    c.left &= c.left - 1;
    return true;
}

std::string schedule() {
    std::string text;
    for (unsigned i = 0; i < event_count; ++i) {
        const event& e = events[i];
        text.append("  ").append(name_of(e.by)).append(": ").append(e.words);
        if (e.where != nullptr) text.append(" ").append(name_of(*e.where));
        if (e.order != nullptr) text.append(", ").append(e.order);
        char value[32];
        std::snprintf(value, sizeof value, e.value < 1'000'000 ? ": %ju" : ": %#jx", std::uintmax_t{e.value});
        text.append(e.has_value ? value : "").append("\n");
    }
    return text;
}

/// A signal that would end the program fails the interleaving if a scenario is running.
void catch_signals() {
    struct sigaction action {};
    action.sa_handler = [](int number) {
        if (is_serving) fail(name_of(current), " raised signal ", to_string(number));
        ::signal(number, SIG_DFL);
    };
    action.sa_flags = SA_NODEFER;  // it is left by a switch of fibers
    for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) ::sigaction(number, &action, nullptr);
}

}  // namespace

namespace detail {

void made(const void* at, kind what) {
    location& l = location_at(at, what);
    l = {.at = at, .what = what, .number = l.number, .memory = l.memory};
    has_written(use(at, what, "makes"));
}
void gone(const void* at, kind what) {
    location& l = use(at, what, "destroys");
    be_after_all(l, "destroys");
    l.is_gone = true;
}

void lock(const void* mutex) {
    me().wants = &location_at(mutex, kind::mutex);
    may_switch();
    me().wants = nullptr;
    location& l = use_in_order(mutex, kind::mutex, "locks");
    l.holder = current;
    join(me().now, l.released);
}
void unlock(const void* mutex) {
    location& l = use_in_order(mutex, kind::mutex, "unlocks");
    if (l.holder != current) fail(name_of(current), " unlocks ", name_of(l), ", which it does not hold");
    l.holder = none;
    l.released = me().now;
    ++me().now[current];
    may_switch();
}

void read(const void* guarded) { use_in_order(guarded, kind::guarded, "reads"); }
void write(const void* guarded) {
    location& l = use_in_order(guarded, kind::guarded, "writes");
    be_after_all(l, "writes");
    has_written(l);
    has_changed();
}
void constant(const void* guarded) { use(guarded, kind::guarded, "reads what is constant in"); }

void load(const void* at, std::memory_order order) { atomic_step(at, "loads", order, true, false); }
void store(const void* at, std::memory_order order) { atomic_step(at, "stores to", order, false, true); }
void exchange(const void* at, std::memory_order order) { atomic_step(at, "exchanges", order, true, true); }
void compare(const void* at, std::memory_order order) { atomic_step(at, "compares and exchanges", order, true, false); }
void has_exchanged(const void* at, std::memory_order order) { release_in(location_at(at, kind::atomic), order); }
void has_value(std::uint64_t value, bool is_changed) {
    note_value(value);
    if (is_changed) has_changed();
}

void pause() {
    note("pauses");
    if (me().looked == none) me().looked = changes;
    me().is_paused = true;
    may_switch();
    me().is_paused = false;
    me().looked = none;
}

unsigned& number() { return me().number; }
unsigned next_number() { return ++numbers_given; }

void run(const work* bodies, std::size_t count) {
    if (current != 0 || count >= most_threads) fail("too many threads for the harness");
    thread_count = static_cast<unsigned>(count);
    for (unsigned t = 1; t <= thread_count; ++t) start(threads[t], bodies[t - 1], threads[0].now);
    ++threads[0].now[0];
    started = 0;
    go_on_with(choose());
    for (unsigned t = 1; t <= thread_count; ++t) join(threads[0].now, threads[t].now);
    thread_count = 0;
}

outcome explore(const char* name, unsigned most_preemptions, work scenario) {
    outcome result;
    result.name = name;
    result.bound = bound = most_preemptions;
    failure.clear();
    path_length = sighting_count = 0;
    catch_signals();
    for (unsigned t = 0; t < most_threads; ++t) threads[t].own.make(stacks[t], &live);
    const auto begin = std::chrono::steady_clock::now();
    do {
        run_once(scenario);
        ++result.interleavings;
    } while (failure.empty() && has_next());
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    result.failure = failure;
    if (!result.passed()) result.schedule = schedule();
    for (unsigned i = 0; i < sighting_count; ++i) result.sightings.emplace_back(sightings[i].words, sightings[i].count);
    return result;
}

}  // namespace detail

void harness::fail(const char* words) { interleavings::fail(words); }

void harness::saw(const char* words) {
    unsigned i = 0;
    while (i < sighting_count && std::strcmp(sightings[i].words, words) != 0) ++i;
    if (i == most_sightings) fail("too many different sightings for the harness");
    if (i == sighting_count) sightings[sighting_count++] = {words, 0, 0};
    if (std::exchange(sightings[i].last, interleaving) != interleaving) ++sightings[i].count;
}

unsigned harness::me() const { return current; }

void harness::capacity(std::size_t blocks, std::size_t available_at_first) {
    asked.capacity = blocks;
    asked.available_at_first = available_at_first;
}

unsigned harness::begin(operation what, const void* put_back) {
    if (asked.capacity == 0) fail("the scenario does not tell the harness the pool's capacity");
    if (asked.count == history::most) fail("too many operations for the harness");
    asked.entries[asked.count] = {what, current, put_back, 0, 0, 0};
    return interleavings::me().begins = asked.count++;
}

void harness::end(unsigned begun, std::size_t result, const void* taken) {
    if (interleavings::me().begins != none) begin_operation();
    history::entry& e = asked.entries[begun];
    e.ended = ++asked.time;
    e.result = result;
    note("ends it");
    if (e.what != operation::put) note_value(result);
    if (taken == nullptr) return;
    const auto behind = blocks_out.begin() + out_count;
    if (std::find(blocks_out.begin(), behind, taken) != behind) fail("a block was handed out that is out already");
    blocks_out[out_count++] = taken;
}

std::uint64_t outcome::seen(std::string_view words) const {
    for (const auto& [name_seen, count] : sightings)
        if (name_seen == words) return count;
    return 0;
}

int outcome::report() const {
    const std::string how_many = to_string(interleavings) + " interleavings, " +
                                 (bound == unbounded ? "unbounded" : "bound " + to_string(bound));
    if (passed()) std::printf("%s: passed %s, %.2f s\n", name.c_str(), how_many.c_str(), seconds);
    else std::printf("%s: FAILED after %s\n%s\n%s", name.c_str(), how_many.c_str(), failure.c_str(), schedule.c_str());
    for (const auto& [words, times] : sightings)
        std::printf("  saw %s in %ju interleavings\n", words.c_str(), std::uintmax_t{times});
    return passed() ? 0 : 1;
}

}  // namespace interleavings

// Every form of new and delete: libraries call some that no scenario calls.

static void* or_throw(void* block) {
    if (block == nullptr) throw std::bad_alloc();
    return block;
}
static constexpr std::size_t ordinary = __STDCPP_DEFAULT_NEW_ALIGNMENT__;
static constexpr std::size_t of(std::align_val_t alignment) {
    return std::max(static_cast<std::size_t>(alignment), sizeof(void*));
}
using interleavings::allocate, interleavings::deallocate;

void* operator new(std::size_t n) { return or_throw(allocate(n, ordinary)); }
void* operator new[](std::size_t n) { return or_throw(allocate(n, ordinary)); }
void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return allocate(n, ordinary); }
void* operator new[](std::size_t n, const std::nothrow_t&) noexcept { return allocate(n, ordinary); }
void* operator new(std::size_t n, std::align_val_t a) { return or_throw(allocate(n, of(a))); }
void* operator new[](std::size_t n, std::align_val_t a) { return or_throw(allocate(n, of(a))); }
void* operator new(std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept { return allocate(n, of(a)); }
void* operator new[](std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept { return allocate(n, of(a)); }
void operator delete(void* p) noexcept { deallocate(p); }
void operator delete[](void* p) noexcept { deallocate(p); }
void operator delete(void* p, std::size_t) noexcept { deallocate(p); }
void operator delete[](void* p, std::size_t) noexcept { deallocate(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { deallocate(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { deallocate(p); }
void operator delete(void* p, std::align_val_t) noexcept { deallocate(p); }
void operator delete[](void* p, std::align_val_t) noexcept { deallocate(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { deallocate(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { deallocate(p); }
void operator delete(void* p, std::align_val_t, const std::nothrow_t&) noexcept { deallocate(p); }
void operator delete[](void* p, std::align_val_t, const std::nothrow_t&) noexcept { deallocate(p); }
