// SPDX-License-Identifier: BSL-1.0
// All short sequences of operations on small pools. Each step is checked against a very simple model.
#include <fixpool/memory_pool.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "support/catch.hpp"
#include "support/violations.hpp"

using fixpool::memory_pool;
using fixpool::violation_kind;

namespace {

constexpr std::size_t stride = 24;

struct model {
    enum state { never, live, released };
    std::vector<state> states;
    std::vector<std::size_t> free;  // the last one is handed out next

    explicit model(std::size_t blocks) : states(blocks, never) {}
    [[nodiscard]] std::size_t count(state s) const {
        return static_cast<std::size_t>(std::count(states.begin(), states.end(), s));
    }
};

/// An operation by its number: first allocate, then one release per block, live or not, then the others.
enum : std::size_t { allocate = 0, release_first = 1 };

class run {
public:
    explicit run(std::size_t blocks) : pool_({stride, blocks}), model_(blocks) {
        first_ = static_cast<std::byte*>(pool_.allocate());  // the address of block 0
        pool_.reset();
    }
    ~run() { pool_.reset(); }

    static std::size_t operations(std::size_t blocks) { return blocks + 4; }

    /// Whether the pool did what the model does.
    bool step(std::size_t operation) {
        const std::size_t blocks = model_.states.size();
        if (operation == allocate) return step_allocate() && agrees();
        if (operation <= blocks) return step_release(operation - release_first) && agrees();
        if (operation == blocks + 1) return is_refused(&model_, violation_kind::foreign_pointer) && agrees();
        if (operation == blocks + 2)
            return is_refused(first_ + stride - 1, violation_kind::misaligned_pointer) && agrees();
        pool_.reset();
        model_ = model(blocks);
        return agrees();
    }

private:
    bool step_allocate() {
        void* const block = pool_.try_allocate();
        std::size_t index = model_.count(model::live) + model_.free.size();  // the next block to be carved
        if (!model_.free.empty()) {
            index = model_.free.back();
            model_.free.pop_back();
        } else if (index == model_.states.size()) {
            return block == nullptr;
        }
        model_.states[index] = model::live;
        return block == first_ + index * stride;
    }

    bool step_release(std::size_t index) {
        void* const block = first_ + index * stride;
        if (model_.states[index] == model::never) return is_refused(block, violation_kind::not_allocated);
        if (model_.states[index] == model::released) return is_refused(block, violation_kind::double_free);
        pool_.deallocate(block);
        model_.states[index] = model::released;
        model_.free.push_back(index);
        return violations_.count() == 0;
    }

    bool is_refused(void* pointer, violation_kind kind) {
        pool_.deallocate(pointer);
        return violations_.count() == 1 && violations_.last().kind == kind && violations_.last().address == pointer &&
               violations_.last().live_blocks == model_.count(model::live);
    }

    bool agrees() {
        const std::size_t blocks = model_.states.size();
        const std::size_t live = model_.count(model::live);
        bool same = pool_.in_use() == live && pool_.available() == blocks - live &&
                    pool_.peak_in_use() == blocks - model_.count(model::never);
        for (std::size_t i = 0; i < blocks; ++i)
            same &= pool_.owns(first_ + i * stride) == (model_.states[i] == model::live);
        return same && pool_.audit();
    }

    recorded_violations violations_;
    memory_pool pool_;
    model model_;
    std::byte* first_ = nullptr;
};

}  // namespace

TEST_CASE("every short sequence of operations does what the model says", "[memory_pool][exhaustive]") {
    const char* const wish = std::getenv("FIXPOOL_TEST_LENGTH");  // shorter under Valgrind
    const std::size_t length = wish != nullptr ? std::strtoul(wish, nullptr, 10) : 7;
    for (std::size_t blocks = 1; blocks <= 3; ++blocks) {
        std::size_t sequences = 0;
        std::size_t wrong = 0;
        std::vector<std::size_t> sequence(length, 0);
        for (bool is_done = false; !is_done;) {
            run r(blocks);
            ++sequences;
            for (const std::size_t operation : sequence) {
                if (!r.step(operation)) {
                    ++wrong;
                    break;
                }
            }
            std::size_t place = 0;  // counts up: each operation is a digit
            while (place < length && ++sequence[place] == run::operations(blocks)) sequence[place++] = 0;
            is_done = place == length;
        }
        std::printf("exhaustive: %zu block%s, %zu sequences of length %zu\n", blocks, blocks == 1 ? "" : "s", sequences,
                    length);
        CHECK(wrong == 0);
    }
}
