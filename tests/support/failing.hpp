// SPDX-License-Identifier: BSL-1.0
// failing_source: memory for arenas whose n-th request fails. each_failure: runs a scenario once per possible failure,
// until nothing fails.
#pragma once

#include <fixpool/arena.hpp>

#include <cstddef>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>

#include "counted.hpp"
#include "heap.hpp"

/// The n-th fetch fails, counted from 0. With `for_ever`, all later ones fail, too.
class failing_source {
public:
    enum class way : unsigned char { returns_null, throws };

    failing_source(std::size_t nth, bool for_ever, way how) noexcept : nth_(nth), for_ever_(for_ever), how_(how) {}
    failing_source(const failing_source&) = delete;
    failing_source& operator=(const failing_source&) = delete;
    ~failing_source() = default;

    [[nodiscard]] fixpool::arena arena() noexcept { return fixpool::arena::from(&fetch, &release, this); }
    [[nodiscard]] bool happened() const noexcept { return happened_; }
    [[nodiscard]] std::size_t out() const noexcept { return out_; }  // arenas

private:
    static void* fetch(std::size_t size, std::size_t alignment, void* context) {
        auto& self = *static_cast<failing_source*>(context);
        const std::size_t number = self.fetched_++;
        if (number == self.nth_ || (self.for_ever_ && number > self.nth_)) {
            self.happened_ = true;
            if (self.how_ == way::throws) throw std::runtime_error("no memory");
            return nullptr;
        }
        void* const bytes = ::operator new (size, std::align_val_t{alignment}, std::nothrow);
        self.out_ += bytes != nullptr;
        return bytes;
    }
    static void release(void* bytes, std::size_t, std::size_t alignment, void* context) noexcept {
        --static_cast<failing_source*>(context)->out_;
        ::operator delete (bytes, std::align_val_t{alignment});
    }

    std::size_t nth_;
    bool for_ever_;
    way how_;
    bool happened_ = false;
    std::size_t fetched_ = 0;
    std::size_t out_ = 0;
};

/// What fails: `operator new`, an arena's source, or a constructor. It fails once, or from then on.
struct failure_plan {
    const char* what;
    bool heap, source, constructor, for_ever;
    failing_source::way how = failing_source::way::returns_null;
};

inline constexpr failure_plan failure_plans[] = {
    {"operator new, once", true, false, false, false},
    {"operator new, for ever", true, false, false, true},
    {"a source, once", false, true, false, false},
    {"a source, for ever", false, true, false, true},
    {"a source that throws, once", false, true, false, false, failing_source::way::throws},
    {"a source that throws, for ever", false, true, false, true, failing_source::way::throws},
    {"a constructor, once", false, false, true, false},
    {"a constructor, for ever", false, false, true, true},
};

/// Runs `scenario(source)` with the n-th failure of `plan`, for each n, until nothing fails. Returns the number of
/// failures. `wrong` tells what was not as before after one of them.
template <class Scenario>
std::size_t each_failure(const failure_plan& plan, const Scenario& scenario, std::string& wrong) {
    constexpr std::size_t never = static_cast<std::size_t>(-1);
    for (std::size_t nth = 0;; ++nth) {
        const heap::usage before = heap::in_use();
        failing_source source(plan.source ? nth : never, plan.for_ever && plan.source, plan.how);
        counted::start(plan.constructor ? static_cast<int>(nth) + 1 : 0, plan.for_ever);
        bool has_failed = false, has_thrown = false;
        {
            const heap::failure failure(plan.heap ? nth : never / 2, plan.for_ever && plan.heap);
            try {
                scenario(source);
            } catch (const std::exception&) {
                has_thrown = true;
            }
            has_failed = failure.happened() || source.happened() || counted::has_thrown;
        }
        const char* is = nullptr;
        if (has_thrown && !has_failed) is = "it throws where nothing fails";
        if (counted::constructed != counted::destroyed) is = "an object is left, or was destroyed without being made";
        if (counted::destroyed_twice != 0) is = "an object was destroyed twice";
        if (source.out() != 0) is = "an arena is left";
        if (heap::in_use() != before) is = "memory is left";
        if (is != nullptr) wrong = std::string(plan.what) + ", the " + std::to_string(nth) + "th: " + is;
        if (!has_failed || is != nullptr) return nth;
    }
}
