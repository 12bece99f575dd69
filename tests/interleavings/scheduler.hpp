// SPDX-License-Identifier: BSL-1.0
// Runs a scenario on modelled threads, once for each order in which their steps can follow one another. A step is a
// lock, an unlock or an atomic operation. In the model, memory is sequentially consistent. Whether the real memory
// orders suffice is checked by happens-before, on every access to guarded data.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "history.hpp"

namespace interleavings {

inline constexpr unsigned unbounded = ~0u;

namespace detail {

enum class kind : unsigned char { mutex, guarded, atomic };

struct work {
    void* body = nullptr;
    void (*call)(void* body) = nullptr;
};
template <class Body> work work_of(Body& body) {
    return {const_cast<void*>(static_cast<const void*>(std::addressof(body))),
            [](void* b) { (*static_cast<Body*>(b))(); }};
}

// The calls by which `modelled` announces a step. Addresses are only looked up, never read.
void made(const void* at, kind what);
void gone(const void* at, kind what);
void lock(const void* mutex);
void unlock(const void* mutex);
void read(const void* guarded);
void write(const void* guarded);
void constant(const void* guarded);
void load(const void* atomic, std::memory_order order);
void store(const void* atomic, std::memory_order order);
void exchange(const void* atomic, std::memory_order order);
void compare(const void* atomic, std::memory_order order);
void has_exchanged(const void* atomic, std::memory_order order);  // the compared value was equal
void has_value(std::uint64_t value, bool is_changed);             // of the last step
void pause();
unsigned& number();
unsigned next_number();
void run(const work* bodies, std::size_t count);

/// Tells what the last announced step has read or written, and whether it changed that.
template <class V> void tell(const V& shown, const V& before, const V& after) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &shown, std::min(sizeof shown, sizeof bits));
    has_value(bits, std::memcmp(&before, &after, sizeof before) != 0);
}

}  // namespace detail

/// The threading that production code takes as its parameter, with modelled threads.
struct modelled {
    class mutex {
    public:
        mutex() { detail::made(this, detail::kind::mutex); }
        mutex(const mutex&) = delete;
        mutex& operator=(const mutex&) = delete;
        ~mutex() { detail::gone(this, detail::kind::mutex); }
        void lock() { detail::lock(this); }
        void unlock() { detail::unlock(this); }
    };

    template <class V> class guarded {
    public:
        template <class... Args> explicit guarded(Args&&... args) : value_(std::forward<Args>(args)...) {
            detail::made(this, detail::kind::guarded);
        }
        guarded(const guarded&) = delete;
        guarded& operator=(const guarded&) = delete;
        ~guarded() { detail::gone(this, detail::kind::guarded); }

        const V& read() const {
            detail::read(this);
            return value_;
        }
        V& write() {
            detail::write(this);
            return value_;
        }
        const V& constant() const {
            detail::constant(this);
            return value_;
        }

    private:
        V value_;  // the last member: more data may lie right behind it
    };

    template <class V> static V load(const std::atomic<V>& from, std::memory_order order) {
        detail::load(&from, order);
        const V value = from.load(std::memory_order_relaxed);
        detail::tell(value, value, value);
        return value;
    }
    template <class V> static void store(std::atomic<V>& to, V value, std::memory_order order) {
        detail::store(&to, order);
        detail::tell(value, to.exchange(value, std::memory_order_relaxed), value);
    }
    template <class V> static V exchange(std::atomic<V>& at, V value, std::memory_order order) {
        detail::exchange(&at, order);
        const V before = at.exchange(value, std::memory_order_relaxed);
        detail::tell(before, before, value);
        return before;
    }
    template <class V> static V compare_exchange(std::atomic<V>& at, V expected, V value, std::memory_order order) {
        detail::compare(&at, order);
        const V before = at.load(std::memory_order_relaxed);
        if (before != expected) return detail::tell(before, before, before), before;
        at.store(value, std::memory_order_relaxed);
        detail::has_exchanged(&at, order);
        detail::tell(before, before, value);
        return before;
    }
    static void pause(unsigned) noexcept { detail::pause(); }
    static unsigned& number() noexcept { return detail::number(); }
    static unsigned next_number() noexcept { return detail::next_number(); }
};

/// What a scenario talks to. A scenario is a function: its code before `run` is the set-up, and its code behind `run`
/// checks the end. It must free everything that it allocates. A failure ends it at once, without destructors.
class harness {
public:
    /// Runs one thread per body, numbered 1, 2, ..., and waits for all of them.
    template <class... Bodies> void run(Bodies&&... bodies) {
        const detail::work all[] = {detail::work_of(bodies)...};
        detail::run(all, sizeof...(bodies));
    }

    [[noreturn]] void fail(const char* words);
    void check(bool holds, const char* words) {
        if (!holds) fail(words);
    }
    /// Counts the interleavings in which this was called with the same words.
    void saw(const char* words);
    [[nodiscard]] unsigned me() const;  // number of the running thread; 0 in the set-up and in the check of the end

    /// The history is checked against a pool of so many blocks behind one mutex. So many of them are free at first.
    void capacity(std::size_t blocks) { capacity(blocks, blocks); }
    void capacity(std::size_t blocks, std::size_t available_at_first);

    // For the code of an operation, which begins with its first step. A block with a known address is out from the end
    // of `take` to the first step of `put`. It must not be handed out meanwhile.
    unsigned begin(operation what, const void* put_back = nullptr);
    void end(unsigned begun, std::size_t result, const void* taken = nullptr);

    // The same around a function that returns a pointer or a handle, nothing, or a count.
    template <class Take> auto take(Take&& take) {
        const unsigned begun = begin(operation::take);
        auto taken = take();
        if constexpr (requires { taken.get(); }) end(begun, static_cast<bool>(taken), taken.get());
        else if constexpr (std::is_pointer_v<decltype(taken)>) end(begun, taken != nullptr, taken);
        else end(begun, static_cast<bool>(taken));
        return taken;
    }
    template <class Put> void put(const void* block, Put&& put) {
        const unsigned begun = begin(operation::put, block);
        put();
        end(begun, 0);
    }
    template <class Count> std::size_t available(Count&& count) {
        const unsigned begun = begin(operation::available);
        const std::size_t result = count();
        end(begun, result);
        return result;
    }
};

struct outcome {
    std::string name;
    unsigned bound = unbounded;
    std::string failure;   // the text; empty: no failure
    std::string schedule;  // of the failure, one line per event
    std::uint64_t interleavings = 0;
    double seconds = 0;
    std::vector<std::pair<std::string, std::uint64_t>> sightings;

    [[nodiscard]] bool passed() const { return failure.empty(); }
    [[nodiscard]] std::uint64_t seen(std::string_view words) const;  // number of interleavings
    int report() const;  // prints; returns what main returns: 0 if it passed
};

namespace detail {
outcome explore(const char* name, unsigned most_preemptions, work scenario);
}

/// Runs `scenario(harness&)` in every interleaving that has at most `bound` preemptions, until one fails.
// A preemption is a switch away from a thread that could continue.
template <class Scenario> [[nodiscard]] outcome explore(const char* name, unsigned bound, Scenario scenario) {
    auto body = [&scenario] {
        harness h;
        scenario(h);
    };
    return detail::explore(name, bound, detail::work_of(body));
}

}  // namespace interleavings
