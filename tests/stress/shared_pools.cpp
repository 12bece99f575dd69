// SPDX-License-Identifier: BSL-1.0
// Shared pools under load: `shared_pools [OPERATIONS]` in total. Threads take and put back as fast as they can. No
// block may have two owners, no more may be out than there are, and none may be refused while one is free. After each
// join, all must be there. Ends with 1 if one of these fails. The checks order the threads as little as possible,
// because ThreadSanitizer misses races between ordered steps.
#include <fixpool/fixpool.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

struct object {
    explicit object(std::uint64_t m) noexcept : mark(m) {}
    std::uint64_t mark;
    std::uint64_t rest[3] = {};
};

/// Handles: objects of a shared_pool.
class handles {
public:
    using slot = fixpool::shared_block<object>;
    handles(std::size_t blocks, fixpool::pool_options options) : pool_(blocks, options) {}
    slot take(std::uint64_t mark) const { return pool_.try_allocate(mark); }
    static std::uint64_t& mark(slot& in) { return in->mark; }
    void put(slot& back) const { back = nullptr; }
    std::size_t available() const { return pool_.available(); }

private:
    fixpool::shared_pool<object> pool_;
};

/// Raw blocks of a shared_memory_pool.
class raw_blocks {
public:
    using slot = object*;
    raw_blocks(std::size_t blocks, fixpool::pool_options options)
        : pool_(fixpool::pool_layout::of<object>(blocks), options) {}
    slot take(std::uint64_t mark) const {
        void* const block = pool_.try_allocate();
        return block == nullptr ? nullptr : ::new (block) object(mark);
    }
    static std::uint64_t& mark(slot in) { return in->mark; }
    void put(slot& back) const { pool_.deallocate(std::exchange(back, nullptr)); }
    std::size_t available() const { return pool_.available(); }

private:
    fixpool::shared_memory_pool pool_;
};

// Without ThreadSanitizer: a thread that sees that an operation was counted must also see its effect.
#if defined(__SANITIZE_THREAD__) || FIXPOOL_HAS_FEATURE(thread_sanitizer)
constexpr std::memory_order acquire = std::memory_order_relaxed, release = std::memory_order_relaxed;
#else
constexpr std::memory_order acquire = std::memory_order_acquire, release = std::memory_order_release;
#endif
constexpr std::memory_order relaxed = std::memory_order_relaxed;

/// What one thread has done until now, for all to read. `attempts` are counted before they begin, the rest afterwards.
struct alignas(64) account {
    std::atomic<std::uint64_t> attempts = 0, refusals = 0, releases = 0;
    static void add(std::atomic<std::uint64_t>& to, std::memory_order order) { to.store(to.load(relaxed) + 1, order); }
};

/// Takes a block for thread `me`. After a refusal it asks again. The second refusal is right only if all blocks were
/// out in between. Then at least `blocks` attempts, plus one per release before, were not refused.
template <class Pool>
typename Pool::slot take(const Pool& pool, std::uint64_t mark, std::size_t blocks, std::vector<account>& accounts,
                         std::size_t me, std::uint64_t& wrong) {
    account& mine = accounts[me];
    account::add(mine.attempts, relaxed);
    auto taken = pool.take(mark);
    if (taken != nullptr) return taken;
    account::add(mine.refusals, release);
    std::uint64_t released = 0, not_refused = 0;
    for (const account& each : accounts) released += each.releases.load(acquire);
    account::add(mine.attempts, relaxed);
    taken = pool.take(mark);
    if (taken != nullptr) return taken;
    for (const account& each : accounts) {
        const std::uint64_t refused = each.refusals.load(acquire);
        not_refused += each.attempts.load(relaxed) - refused;
    }
    if (not_refused - 1 < blocks + released) ++wrong;  // 1: this attempt
    account::add(mine.refusals, release);
    return taken;
}

struct result {
    std::uint64_t operations = 0, refused = 0, wrong = 0;
};

/// One thread's part: it fills the pool and drains it in turn. If it can, it holds more than its share.
template <class Pool>
result play(const Pool& pool, std::size_t me, std::size_t share, std::size_t blocks, std::uint64_t operations,
            std::atomic<std::size_t>& out, std::vector<account>& accounts) {
    std::vector<typename Pool::slot> held(share + share / 4 + 1);
    std::uint64_t random = me * 2 + 1;
    std::uint64_t number = 0;
    result mine;
    const auto put = [&](auto& slot) {
        // Exchanges the mark as the block goes back. If the block had a second owner, that would be seen.
        if (std::exchange(Pool::mark(slot), ~std::uint64_t{0}) >> 40 != me) ++mine.wrong;
        out.fetch_sub(1, relaxed);
        pool.put(slot);
        account::add(accounts[me].releases, release);
    };
    for (; mine.operations < operations; ++mine.operations) {
        random = random * 6364136223846793005U + 1442695040888963407U;
        const bool is_filling = mine.operations / (2 * held.size()) % 2 == 0;  // else the pool is drained
        auto& slot = held[(is_filling ? mine.operations : random >> 33) % held.size()];
        if ((slot == nullptr) != is_filling && (random >> 20) % 8 != 0) continue;
        if (slot != nullptr) {
            put(slot);
        } else if ((slot = take(pool, std::uint64_t{me} << 40 | ++number, blocks, accounts, me, mine.wrong)) ==
                   nullptr) {
            ++mine.refused;
        } else if (out.fetch_add(1, relaxed) >= blocks) {
            ++mine.wrong;
        }
    }
    for (auto& slot : held)
        if (slot != nullptr) put(slot);
    return mine;
}

template <class Pool>
bool holds(const char* name, std::size_t blocks, std::size_t threads, unsigned magazine_size,
           std::uint64_t operations) {
    const Pool pool(blocks, {.magazine_size = magazine_size});
    std::atomic<std::size_t> out = 0;
    std::vector<result> results(threads);
    std::vector<account> accounts(threads);
    const auto begin = std::chrono::steady_clock::now();
    const std::size_t rounds = 4;
    bool is_whole = true;
    for (std::size_t round = 0; round < rounds; ++round) {
        std::vector<std::thread> running;
        for (std::size_t me = 0; me < threads; ++me) {
            running.emplace_back([&, me] {
                const result one =
                    play(pool, me, blocks / threads + 1, blocks, operations / threads / rounds, out, accounts);
                results[me].operations += one.operations;
                results[me].refused += one.refused;
                results[me].wrong += one.wrong;
            });
        }
        for (std::thread& thread : running) thread.join();
        is_whole = is_whole && pool.available() == blocks && out == 0;
        std::vector<typename Pool::slot> all;
        for (auto taken = pool.take(0); taken != nullptr; taken = pool.take(0)) all.push_back(std::move(taken));
        is_whole = is_whole && all.size() == blocks && pool.available() == 0;
        for (auto& each : all) pool.put(each);
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    result sum;
    for (const result& each : results) {
        sum.operations += each.operations;
        sum.refused += each.refused;
        sum.wrong += each.wrong;
    }
    std::printf(
        "%-10s | %7zu blocks | %zu threads | magazines %3s | %11ju operations, %10ju refused, %6.1f million a second | "
        "%s\n",
        name, blocks, threads, magazine_size == 0 ? "off" : "on", std::uintmax_t{sum.operations},
        std::uintmax_t{sum.refused}, static_cast<double>(sum.operations) / seconds / 1e6,
        sum.wrong == 0 && is_whole ? "exact" : "FAILED");
    std::fflush(stdout);
    return sum.wrong == 0 && is_whole;
}

}  // namespace

int main(int argc, char** argv) {
    const std::uint64_t operations = argc == 2 ? std::strtoull(argv[1], nullptr, 10) : 300'000;
    if (argc > 2 || operations == 0) return std::fputs("shared_pools: expected a number of operations\n", stderr), 2;
    const std::size_t capacities[] = {1, 2, 7, 100, 100'000}, counts[] = {2, 4, 8};
    const std::uint64_t each = operations / (5 * 3 * 2 * 2) + 1000;
    bool is_exact = true;
    for (const std::size_t blocks : capacities) {
        for (const std::size_t threads : counts) {
            for (const unsigned magazine_size : {60u, 0u}) {
                is_exact = holds<handles>("handles", blocks, threads, magazine_size, each) && is_exact;
                is_exact = holds<raw_blocks>("raw blocks", blocks, threads, magazine_size, each) && is_exact;
            }
        }
    }
    std::puts(is_exact ? "all exact" : "FAILED");
    return is_exact ? 0 : 1;
}
