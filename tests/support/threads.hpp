// SPDX-License-Identifier: BSL-1.0
// on_threads: runs work on many threads at once. played_threads: one thread that plays many. turns: how often to
// repeat, if every step is slow.
#pragma once

#include <fixpool/detail/threads.hpp>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <thread>
#include <vector>

/// Runs work(0), work(1), ... each on its own thread. None begins before all have started. Waits for all.
template <class Work> void on_threads(std::size_t count, const Work& work) {
    std::vector<std::thread> threads;
    std::atomic<std::size_t> missing = count;
    for (std::size_t i = 0; i < count; ++i) {
        threads.emplace_back([&work, &missing, i] {
            --missing;
            while (missing > 0) std::this_thread::yield();
            work(i);
        });
    }
    for (std::thread& thread : threads) thread.join();
}

/// While one lives, its thread plays others: after `as(2)` it uses the magazines of thread 2.
class played_threads {
public:
    played_threads() = default;
    played_threads(const played_threads&) = delete;
    played_threads& operator=(const played_threads&) = delete;
    ~played_threads() { fixpool::detail::thread_number = own_; }

    void as(unsigned number) const { fixpool::detail::thread_number = number; }

private:
    const unsigned own_ = fixpool::detail::thread_number;
};

/// A shorter stress test if every step is slow, as under Valgrind.
inline std::size_t turns(std::size_t usual) {
    return std::getenv("FIXPOOL_TEST_LENGTH") != nullptr ? usual / 50 : usual;
}
