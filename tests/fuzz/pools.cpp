// SPDX-License-Identifier: BSL-1.0
// A target of libFuzzer. The bytes choose a pool or a resource, of any kind, at any level, and then each operation. The
// models of tests/support know what every answer must be. `run` builds it.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <tuple>
#include <vector>

#include "../support/model.hpp"
#include "../support/resource_model.hpp"

using fixpool::checking;
using model::objects;
using model::raw_blocks;

namespace {

/// The numbers in a fuzzer's bytes. A number takes as few bytes as its range allows; it is 0 if there are none left.
class numbers_in_bytes {
public:
    explicit numbers_in_bytes(std::span<const std::uint8_t> bytes) : rest_(bytes) {}
    [[nodiscard]] bool is_empty() const { return rest_.empty(); }
    std::size_t below(std::size_t limit) {
        std::size_t number = 0;
        for (std::size_t most = 1; most < limit; most *= 256) number = number * 256 + next();
        return number % limit;
    }

private:
    std::size_t next() {
        if (rest_.empty()) return 0;
        const std::size_t byte = rest_.front();
        rest_ = rest_.subspan(1);
        return byte;
    }

    std::span<const std::uint8_t> rest_;
};

/// Bytes to lend. Some look like the state of a block that was given up. Earlier walks leave others.
std::span<std::byte> bytes_to_lend() {
    static std::vector<std::byte> bytes = [] {
        std::vector<std::byte> made(std::size_t{1} << 20);
        for (std::size_t i = 0; i < made.size(); ++i) made[i] = static_cast<std::byte>(i * 7 % 5);
        return made;
    }();
    return bytes;
}

template <class Blocks> void play(model::setup setup, numbers_in_bytes numbers) {
    const model::fault found =
        model::walk<Blocks, numbers_in_bytes>(setup, bytes_to_lend(), numbers).run(~std::size_t{0});
    if (found.what == nullptr) return;
    std::fprintf(stderr, "not so: %s. %zu blocks of %zu bytes, magazines of %u, %u threads, step %zu\n", found.what,
                 setup.count, setup.size, setup.magazine_size, setup.players, found.step);
    std::abort();
}

template <checking C> void play_kind(std::size_t kind, model::setup setup, const numbers_in_bytes& numbers) {
    const std::size_t sizes[] = {1, 3, 8, 20, 4096};
    setup.size = sizes[kind / 4 % 5];
    if (kind % 4 == 0) return play<raw_blocks<C, fixpool::basic_memory_pool>>(setup, numbers);
    if (kind % 4 == 1) return play<raw_blocks<C>>(setup, numbers);
    const bool is_shared = kind % 4 == 2;
    const auto play_objects = [&]<std::size_t Size>(std::integral_constant<std::size_t, Size>) {
        is_shared ? play<objects<C, Size>>(setup, numbers) : play<objects<C, Size, false>>(setup, numbers);
    };
    if (setup.size == 4096) return play_objects(std::integral_constant<std::size_t, 4096>());
    if (setup.size == 20) return play_objects(std::integral_constant<std::size_t, 20>());
    setup.size = 3;
    play_objects(std::integral_constant<std::size_t, 3>());
}

/// A pool_resource on an upstream that fails.
template <checking C> void play_resource(numbers_in_bytes numbers) {
    const std::size_t most_blocks[] = {0, 1, 2, 3, 40, 64, 65, 100},
                      largest[] = {0, 8, 24, 100, 1024, 5000, 16384, 50000};
    model::resource_setup setup{};
    setup.max_blocks = most_blocks[numbers.below(8)];
    setup.largest = largest[numbers.below(8)];
    setup.misuses = static_cast<unsigned>(numbers.below(4) * 100);
    setup.failures = static_cast<unsigned>(numbers.below(4) * 100);
    setup.aim = 1 + numbers.below(256);
    setup.checks_often = numbers.below(2) != 0;
    const model::fault found = model::resource_walk<C, numbers_in_bytes>(setup, numbers).run(~std::size_t{0});
    if (found.what == nullptr) return;
    std::fprintf(stderr, "not so: %s. A resource for %zu bytes, at most %zu blocks a page, step %zu\n", found.what,
                 setup.largest, setup.max_blocks, found.step);
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    if (size < 10) return 0;
    numbers_in_bytes numbers({bytes, size});
    const std::size_t kind = numbers.below(256);
    if (kind >= 248) {
        kind % 2 == 0 ? play_resource<checking::unchecked>(numbers) : play_resource<checking::checked>(numbers);
        return 0;
    }
    model::setup setup{};
    const std::size_t counts[] = {1, 2, 5, 20, 21, 40, 64, 70, 100, 1 + numbers.below(200)};
    setup.count = counts[numbers.below(10)];
    setup.magazine_size = static_cast<unsigned>(numbers.below(4));
    setup.players = 1 + static_cast<unsigned>(numbers.below(4));
    setup.misuses = static_cast<unsigned>(numbers.below(4) * 100);
    setup.borrows = numbers.below(2) != 0;
    setup.audits = numbers.below(2) != 0;
    switch (kind / 20 % 3) {
        case 0: play_kind<checking::unchecked>(kind, setup, numbers); break;
        case 1: play_kind<checking::checked>(kind, setup, numbers); break;
        default: play_kind<checking::debug>(kind, setup, numbers); break;
    }
    return 0;
}
