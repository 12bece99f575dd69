// SPDX-License-Identifier: BSL-1.0
// Asio handlers, with an allocator that is bound to them.
#include "workload.hpp"

#if __has_include(<asio.hpp>)
#include <array>
#include <asio.hpp>
#include <cstdint>

namespace {

/// A chain of `left` handlers, each of which posts the next one. They carry data of several sizes, as real ones do.
template <std::size_t Words, class Memory> class link {
public:
    using allocator_type = typename Memory::template allocator<std::uint64_t>;

    link(asio::io_context& io, Memory& memory, std::uint64_t& sum, int left)
        : io_(&io), memory_(&memory), sum_(&sum), left_(left) {
        carried_.fill(static_cast<std::uint64_t>(left));
    }

    void post() {
        auto from = memory_->template get<std::uint64_t>();
        asio::post(*io_, asio::bind_allocator(from, *this));
    }

    void operator()() {
        for (const std::uint64_t word : carried_) *sum_ += word;
        if (left_ == 0) return;
        // Sizes alternate.
        constexpr std::size_t next_words = Words == 2 ? 12 : Words == 12 ? 6 : 2;
        link<next_words, Memory>(*io_, *memory_, *sum_, left_ - 1).post();
    }

private:
    asio::io_context* io_;
    Memory* memory_;
    std::uint64_t* sum_;
    int left_;
    std::array<std::uint64_t, Words> carried_{};
};

class handlers_play {
public:
    template <class Memory> void operator()(Memory& memory, phases& timed) {
        asio::io_context io(1);
        std::uint64_t sum = 0;
        timed("post", [&] {
            for (int i = 0; i < chains; ++i) link<2, Memory>(io, memory, sum, length).post();
            return std::uint64_t{0};
        });
        timed("run", [&] {
            io.run();
            return sum;
        });
    }

private:
    static constexpr int chains = 2000;
    static constexpr int length = 100;
};

}  // namespace

workload handlers_workload() { return on_every_memory<handlers_play>("Asio handlers", 5); }
#else
workload handlers_workload() { return workload::missing("Asio handlers", "asio.hpp (libasio-dev)"); }
#endif
