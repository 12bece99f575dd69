// SPDX-License-Identifier: BSL-1.0
// violation: what is known of a misuse, and the handler that is called for it.
#pragma once

#include <fixpool/detail/text_line.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace fixpool::inline FIXPOOL_ABI {

/// What went wrong. A block is in use from its allocation until it is free again.
enum class violation_kind : unsigned char {
    double_free,         // the block was handed out since construction or the last reset, and is free now: it was
                         // released, or its constructor threw
    not_allocated,       // the block was not handed out since then, or its object is being constructed or destroyed
    foreign_pointer,     // the address is outside the pool's blocks; it is never read
    misaligned_pointer,  // the address is between the blocks' first and last byte, but no block starts there
    write_after_free,    // debug level: a free block was written to; found when it is handed out again, or by `audit`
    buffer_overflow,     // debug level: guard bytes before or behind the block were written to; found at its release,
                         // when a neighbour is released or handed out for the first time, or by `audit`
    leak,                // a memory_pool was destroyed while blocks were in use
    pool_destroyed_with_live_blocks,  // a typed_pool was destroyed while handles to its blocks lived
    corrupted_pool,                   // the pool's metadata was overwritten; found by `audit`
    size_mismatch,                    // the block was released with another size than it was allocated with
    still_owned,                      // the object was adopted while a handle owns it
};

/// A place in the source, or a code address. `site{}` is the place where it is written. `allocate_at({}, ...)` passes
/// the caller's place on.
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

/// Who holds blocks of a pool: the place that allocated them, and how many are in use.
struct holder {
    site where = site::unknown();
    std::size_t blocks = 0;
};

/// All that is known of a misuse. What is unknown is 0, nullptr, empty, or npos for the index.
struct violation {
    FIXPOOL_HIDDEN static constexpr std::size_t npos = static_cast<std::size_t>(-1);

    violation_kind kind{};
    const void* pool = nullptr;     // the memory_pool or typed_pool; of a shared_pool, what its copies share
    const char* pool_name = "";     // as in pool_options; valid during the call
    const void* address = nullptr;  // the offending pointer, or the block's start; in a corrupted pool what is wrong
    std::size_t index = npos;       // of the block: the one that is pointed into; of a leak the lowest
    std::size_t total_blocks = 0;   // blocks of that pool
    std::size_t live_blocks = 0;    // blocks of that pool that are in use
    site allocated_at = site::unknown();
    site released_at = site::unknown();
    void* context = nullptr;  // as in pool_options

    // Debug level.
    std::ptrdiff_t offset = 0;             // of the first byte that is wrong, from the block's start
    unsigned char byte = 0;                // what it is
    std::uint64_t allocation = 0;          // number of the block's allocation among the pool's operations, from 1
    std::uint64_t release = 0;             // number of its release; 0: it was not released since
    unsigned allocated_by = 0;             // number of the thread, from 1; each image counts for itself
    unsigned released_by = 0;              // number of the thread
    std::span<const holder> holders = {};  // of a pool that dies: who holds its blocks, most first; valid in the call
    void (*print)(const violation&) noexcept = nullptr;  // how the default handler prints it; nullptr: by one line

    const char* problem = "";  // of a corrupted pool: what does not agree
};

/// Called before the pool changes and while no lock is held, so it may use the pool. When it returns, a wrong release
/// has been a no-op. It is called from noexcept functions: if it throws, the program ends in std::terminate.
using violation_handler = void (*)(const violation&);

namespace detail {

/// What was done, in the order of violation_kind, up to the number of blocks or the address.
FIXPOOL_HIDDEN inline constexpr const char* deeds[] = {
    "double free of block ",      "not allocated: block ",     "foreign pointer ",   "misaligned pointer ",
    "write after free in block ", "buffer overflow of block ", "leak of ",           "pool destroyed with ",
    "corrupted pool at ",         "size mismatch: block ",     "still owned: block "};

/// Adds what is known of a site, after what was done there. Returns false, and adds nothing, if nothing is known.
inline bool add_site(text_line& line, const char* deed, const site& where) noexcept {
    if (where.file != nullptr) line.add(deed).add(where.file).add(":").add(std::size_t{where.line});
    else if (where.address != nullptr) line.add(deed).add(where.address);
    return where.file != nullptr || where.address != nullptr;
}

/// The sentence that the default handler prints, without the end of line.
inline text_line describe(const violation& v) noexcept {
    text_line line;
    line.add("fixpool: ").add(deeds[static_cast<std::size_t>(v.kind)]);
    const bool is_leak = v.kind == violation_kind::leak;
    if (is_leak || v.kind == violation_kind::pool_destroyed_with_live_blocks) {
        line.add(v.live_blocks).add(is_leak ? " block" : " live block").add(v.live_blocks == 1 ? "" : "s");
        if (v.address != nullptr) line.add(v.live_blocks == 1 ? ", " : ", the first ");
    }
    if (v.address != nullptr) line.add(v.address);
    if (v.kind == violation_kind::foreign_pointer) {
        line.add(" (none of the ").add(v.total_blocks).add(" blocks) in pool ");
    } else {
        line.add(v.kind == violation_kind::misaligned_pointer ? " (inside " : " (");
        if (v.index != violation::npos) line.add(v.index).add(" ");
        line.add("of ").add(v.total_blocks).add(") in pool ");
    }
    if (v.pool_name != nullptr && *v.pool_name != 0) line.add("\"").add(v.pool_name).add("\"");
    else line.add(v.pool);
    const bool is_second = add_site(line, "; allocated at ", v.allocated_at);
    add_site(line, is_second ? ", released at " : "; released at ", v.released_at);
    if (*v.problem != 0) line.add(": ").add(v.problem);
    return line;
}

/// The default handler. Prints a line to standard error and aborts. A leak harms nobody any more: after it the program
/// goes on. Where FIXPOOL_TRAP is 1, the handler traps, after a leak, too.
inline void print_and_abort(const violation& v) noexcept {
    if constexpr (!traps) {
        if (v.print != nullptr) v.print(v);
        else std::fputs(describe(v).add("\n").c_str(), stderr);
    }
    if (traps || v.kind != violation_kind::leak) stop();
}

/// The handler of an image. nullptr stands for the default one, so that no dynamic initialiser is needed.
using handler_place = std::atomic<violation_handler>;
FIXPOOL_HIDDEN inline handler_place image_handler = nullptr;

/// `handler`, or the default one for nullptr.
[[nodiscard]] inline violation_handler or_default(violation_handler handler) noexcept {
    return handler == nullptr ? &print_and_abort : handler;
}

}  // namespace detail

/// Sets the handler for violations of this image's pools. nullptr restores the default handler, which prints a line to
/// standard error and aborts. Returns the previous handler, never nullptr.
///
/// An image is an executable or a shared library. A pool is of the image whose code built it. std::make_unique and
/// std::optional may be another image's code: with them, pass `pool_options{}`, and the pool is of the image that wrote
/// this. A pool whose options name a handler calls that one instead. A pool must be gone before its image is unloaded.
/// Thread safety: any thread, at any time. On a processor without an atomic exchange: no other thread is in this
/// library.
FIXPOOL_HIDDEN inline violation_handler set_violation_handler(violation_handler handler) noexcept {
    violation_handler previous = nullptr;
    if constexpr (detail::handler_place::is_always_lock_free) {
        previous = detail::image_handler.exchange(handler);
    } else {  // a Cortex-M0 loads and stores, and has no exchange
        previous = detail::image_handler;
        detail::image_handler = handler;
    }
    return detail::or_default(previous);
}

/// The handler that is called for violations of this image's pools, never nullptr.
/// Thread safety: any thread, at any time.
[[nodiscard]] FIXPOOL_HIDDEN inline violation_handler get_violation_handler() noexcept {
    return detail::or_default(detail::image_handler);
}

}  // namespace fixpool::inline FIXPOOL_ABI
