// SPDX-License-Identifier: BSL-1.0
// violation: what is known of a misuse, and the handler that is told. One handler
// for the whole program.
#pragma once

#include <fixpool/detail/platform.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace fixpool::inline FIXPOOL_ABI {

/// What went wrong.
enum class violation_kind : unsigned char {
    double_free,         // a block that was handed out since construction or the last reset, and is free now
    not_allocated,       // a block that was not handed out since then
    foreign_pointer,     // an address outside the pool's blocks: it is never read
    misaligned_pointer,  // an address between the pool's blocks' first and last byte at which no block starts
    write_after_free,    // debug level
    buffer_overflow,     // debug level
    leak,                // a memory_pool died with blocks allocated
    pool_destroyed_with_live_blocks,  // a typed_pool died while handles to its blocks lived
    corrupted_pool,                   // debug level
};

/// A place in the source, or a code address. `site{}` is the place where it is written;
/// `allocate_at({}, ...)` passes it on.
struct site {
    struct here {};

    const char* file;
    unsigned line;
    const char* function;
    const void* address;

    constexpr site(here = {}, const char* in_file = __builtin_FILE(), unsigned at_line = __builtin_LINE(),
                   const char* in_function = __builtin_FUNCTION()) noexcept
        : site(in_file, at_line, in_function) {}
    constexpr site(const char* in_file, unsigned at_line, const char* in_function,
                   const void* at_address = nullptr) noexcept
        : file(in_file), line(at_line), function(in_function), address(at_address) {}

    /// No place at all.
    [[nodiscard]] static constexpr site unknown() noexcept { return {nullptr, 0, nullptr, nullptr}; }
};

/// All that is known of a misuse. What is not known is 0, nullptr or empty.
struct violation {
    violation_kind kind;
    const void* pool;          // the memory_pool or typed_pool; of a shared_pool, what its copies share
    const char* pool_name;     // as in pool_options
    const void* address;       // the offending pointer, or the block's start
    std::size_t index;         // of the block, from 0: the one pointed into, of a leak the lowest
    std::size_t total_blocks;  // blocks of that pool
    std::size_t live_blocks;   // blocks of that pool that are out
    site allocated_at = site::unknown();
    site released_at = site::unknown();
};

/// Told of a violation while the pool is still unchanged and no lock is held: it may use the pool.
/// When it returns, a wrong release has been a no-op. It is called from noexcept functions: one
/// that throws ends in std::terminate.
using violation_handler = void (*)(const violation&);

namespace detail {

/// One line of text in a fixed buffer: it needs no memory, and reaches standard error in one write.
/// Cut short when full, but for an end of line. Not by printf, which is large, and differs between platforms.
class text_line {
public:
    FIXPOOL_COLD text_line& add(const char* text) noexcept {
        while (*text != 0 && length_ + (*text == '\n' ? 1 : 2) < sizeof text_) text_[length_++] = *text++;
        return *this;
    }
    text_line& add(std::size_t number) noexcept { return add_digits(number, 10); }
    text_line& add(const void* p) noexcept { return add("0x").add_digits(reinterpret_cast<std::uintptr_t>(p), 16); }
    /// What is known of a site, after what was done there; nothing where nothing is known.
    text_line& add(const char* deed, const site& where) noexcept {
        if (where.file != nullptr) return add(deed).add(where.file).add(":").add(std::size_t{where.line});
        if (where.address != nullptr) return add(deed).add(where.address);
        return *this;
    }
    [[nodiscard]] const char* c_str() const noexcept { return text_; }

private:
    FIXPOOL_COLD text_line& add_digits(std::uintptr_t number, unsigned base) noexcept {
        if (number >= base) add_digits(number / base, base);
        const char digit[] = {"0123456789abcdef"[number % base], 0};
        return add(digit);
    }

    char text_[513] = {};
    std::size_t length_ = 0;  // characters, without the closing 0: below sizeof text_
};

/// What was done, in the order of violation_kind, up to the number of blocks or the address.
inline constexpr const char* deeds[] = {
    "double free of block ",      "not allocated: block ",     "foreign pointer ", "misaligned pointer ",
    "write after free in block ", "buffer overflow of block ", "leak of ",         "pool destroyed with ",
    "corrupted pool at "};

/// The sentence that the default handler prints, without the end of line.
inline text_line describe(const violation& v) noexcept {
    const bool is_leak = v.kind == violation_kind::leak;
    text_line line;
    line.add("fixpool: ").add(deeds[static_cast<std::size_t>(v.kind)]);
    if (is_leak || v.kind == violation_kind::pool_destroyed_with_live_blocks) {
        line.add(v.live_blocks).add(is_leak ? " block" : " live block");
        line.add(v.live_blocks == 1 ? ", " : "s, the first ");
    }
    line.add(v.address);
    if (v.kind == violation_kind::foreign_pointer) {
        line.add(" (none of the ").add(v.total_blocks).add(" blocks)");
    } else {
        line.add(v.kind == violation_kind::misaligned_pointer ? " (inside " : " (").add(v.index);
        line.add(" of ").add(v.total_blocks).add(")");
    }
    const bool is_named = v.pool_name != nullptr && *v.pool_name != 0;
    is_named ? line.add(" in pool \"").add(v.pool_name).add("\"") : line.add(" in pool ").add(v.pool);
    const bool is_allocation_known = v.allocated_at.file != nullptr || v.allocated_at.address != nullptr;
    line.add("; allocated at ", v.allocated_at);
    return line.add(is_allocation_known ? ", released at " : "; released at ", v.released_at);
}

/// The default handler: prints to standard error and aborts; after a leak, which harms nobody any
/// more, it goes on.
inline void print_and_abort(const violation& v) noexcept {
    std::fputs(describe(v).add("\n").c_str(), stderr);
    if (v.kind != violation_kind::leak) std::abort();
}

inline std::atomic<violation_handler> current_handler = &print_and_abort;

/// The one way to the handler. Requires: no lock is held.
FIXPOOL_COLD inline void report(const violation& v) noexcept { current_handler.load(std::memory_order_acquire)(v); }

}  // namespace detail

/// Makes `handler` the one that is told of every violation from now on; nullptr restores
/// the default one, which prints a line to standard error and aborts. Returns the
/// previous handler, never nullptr.
/// Thread safety: any thread, at any time.
inline violation_handler set_violation_handler(violation_handler handler) noexcept {
    return detail::current_handler.exchange(handler == nullptr ? &detail::print_and_abort : handler,
                                            std::memory_order_acq_rel);
}

}  // namespace fixpool::inline FIXPOOL_ABI
