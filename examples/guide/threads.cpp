// SPDX-License-Identifier: BSL-1.0
// Threads and lifetimes: an exact capacity, a block that changes threads, a block that outlives its pool's owner, and a
// pool that is never destroyed.
#include <fixpool/fixpool.hpp>

#include <array>
#include <cstddef>
#include <cstdio>
#include <thread>
#include <utility>
#include <vector>

namespace {

struct job {
    int number;
};

/// Four threads ask for 100 blocks each. The pool has 64.
void capacity_is_exact() {
    const fixpool::shared_pool<job> pool(64);
    std::array<std::vector<fixpool::shared_block<job>>, 4> taken;
    std::vector<std::thread> threads;
    threads.reserve(taken.size());
    for (auto& mine : taken) {
        threads.emplace_back([&pool, &mine] {
            for (int i = 0; i < 100; ++i) {
                if (auto next = pool.try_allocate(i)) mine.push_back(std::move(next));
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    std::size_t all = 0;
    for (const auto& blocks : taken) all += blocks.size();
    std::printf("four threads got %zu blocks of %zu\n", all, pool.total_blocks());
}

/// This thread makes the job, the worker destroys it.
void block_changes_threads() {
    const fixpool::shared_pool<job> pool(64);
    std::thread worker([mine = pool.allocate(7)]() mutable {
        std::printf("the worker has job %d\n", mine->number);
        mine.reset();
    });
    worker.join();
    std::printf("in use after that: %zu\n", pool.in_use());
}

/// The pool's only owner ends here. The block keeps the pool alive.
fixpool::shared_block<job> block_without_owner() {
    const fixpool::shared_pool<job> pool(64);
    return pool.allocate(8);
}

/// A pool for the whole program. It is never destroyed, so every block may outlive `main`.
fixpool::typed_pool<job>& jobs() {
    static auto& pool = *new fixpool::typed_pool<job>(64);
    return pool;
}

fixpool::block<job> last_job;  // destroyed after main

}  // namespace

int main() {
    capacity_is_exact();
    block_changes_threads();
    std::printf("its pool has no owner: job %d\n", block_without_owner()->number);
    last_job = jobs().allocate(9);
    std::printf("it is destroyed after main: job %d\n", last_job->number);
}
