// SPDX-License-Identifier: BSL-1.0
// A firmware's memory, tried on a desktop: without heap, exceptions and text. bare_metal.cmake has its flags.
#include <fixpool/memory_pool.hpp>
#include <fixpool/static_pool.hpp>

#include <array>
#include <cstddef>
#include <cstdio>

namespace {

struct sample {
    int values[4];
};

constinit fixpool::static_pool<sample, 4> samples;
static_assert(sizeof samples <= 160, "the pool's share of RAM");

constexpr fixpool::pool_layout packet_layout{.block_size = 64, .block_count = 8};
alignas(std::max_align_t) std::byte packet_memory[fixpool::memory_pool::required_bytes(packet_layout)];

int masks = 0;  // a board has a register instead, PRIMASK of a Cortex-M

/// No interrupt comes while this lives.
class interrupts_off {
public:
    interrupts_off() noexcept { ++masks; }
    ~interrupts_off() { --masks; }
    interrupts_off(const interrupts_off&) = delete;
    interrupts_off& operator=(const interrupts_off&) = delete;
};

std::array<sample*, 4> full{};  // from the interrupt to the main loop
std::size_t full_count = 0;

/// The interrupt: it fills a block, gives the handle up, and leaves the pointer for the main loop.
void on_timer(int value) {
    fixpool::static_block<sample, 4> block = samples.try_allocate(sample{{value, value, value, value}});
    if (!block) return;  // no block left: this sample is dropped
    full[full_count] = block.release();
    ++full_count;
}

int read_one() {
    const interrupts_off mask;
    --full_count;
    const fixpool::static_block<sample, 4> block = samples.adopt(full[full_count]);
    return block->values[0];
}  // the handle dies before the mask

/// A board writes this to its log, and then resets itself.
void on_violation(const fixpool::violation& v) {
    const char* const deed = v.kind == fixpool::violation_kind::double_free ? "double free" : "misuse";
    std::printf("violation: %s, block %zu of %zu\n", deed, v.index, v.total_blocks);
}

}  // namespace

int main() {
    for (int value = 1; value <= 5; ++value) on_timer(value);
    std::printf("samples: %zu in use, %zu dropped\n", samples.in_use(), samples.stats().refused);
    int sum = 0;
    while (full_count != 0) sum += read_one();
    std::printf("sum %d, %zu in use\n", sum, samples.in_use());

    fixpool::set_violation_handler(&on_violation);
    fixpool::memory_pool packets(packet_layout, fixpool::arena::borrow(packet_memory));
    void* const packet = packets.try_allocate();
    packets.deallocate(packet);
    packets.deallocate(packet);
    std::printf("packets: %zu of %zu free\n", packets.available(), packets.total_blocks());
}
