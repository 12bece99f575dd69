// SPDX-License-Identifier: BSL-1.0
// violation: the description of a misuse, and the handler that receives it.
#pragma once

#include <fixpool/detail/text_line.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace fixpool::inline FIXPOOL_ABI {

/// Kinds of misuse. A block is in use from its allocation until it is free again.
enum class violation_kind : unsigned char {
    /// The block is free now, but was handed out since construction or the last `reset()`. It was released, or its
    /// constructor threw.
    double_free,
    /// The block was never handed out since then, or its object is being constructed or destroyed.
    not_allocated,
    foreign_pointer,     ///< the address is outside the pool's blocks; the pool never reads it
    misaligned_pointer,  ///< the address is inside the pool's blocks, but no block starts there
    write_after_free,    ///< debug level: a free block was written to; found at its next allocation or by `audit()`
    /// Debug level: bytes before or behind the block were written to. Found when the block or a neighbour is released,
    /// when a neighbour is handed out for the first time, or by `audit()`.
    buffer_overflow,
    leak,                             ///< a raw pool was destroyed while blocks were in use
    pool_destroyed_with_live_blocks,  ///< a pool of objects was destroyed while objects were in use
    corrupted_pool,                   ///< the pool's metadata was overwritten; found by `audit()`
    size_mismatch,                    ///< the block was released with another size than it was allocated with
    still_owned,                      ///< the object was adopted while a handle owned it
};

/// A place in the program: a line of source code, or a code address. `site{}` is the line where it is written, so
/// `allocate_at({}, ...)` passes the caller's line.
struct site {
    struct here {};  ///< tag of the constructor that takes the caller's place

    const char* file;      ///< name of the source file; nullptr if unknown
    unsigned line;         ///< line number, from 1; 0 if unknown
    const char* function;  ///< name of the function; nullptr if unknown
    const void* address;   ///< code address; nullptr if unknown

    /// The caller's place: leave out all arguments.
    constexpr site(here = {}, const char* in_file = __builtin_FILE(), unsigned at_line = __builtin_LINE(),
                   const char* in_function = __builtin_FUNCTION()) noexcept
        : site(in_file, at_line, in_function) {}
    /// The given place. The strings must stay valid as long as the pool.
    constexpr site(const char* in_file, unsigned at_line, const char* in_function,
                   const void* at_address = nullptr) noexcept
        : file(in_file), line(at_line), function(in_function), address(at_address) {}

    /// An unknown place: all members are nullptr or 0.
    [[nodiscard]] static constexpr site unknown() noexcept { return {nullptr, 0, nullptr, nullptr}; }
};

/// Blocks in use that were allocated at the same place.
struct holder {
    site where = site::unknown();  ///< the place
    std::size_t blocks = 0;        ///< number of blocks
};

/// The description of a misuse. Unknown members are 0, nullptr or empty; an unknown index is npos. In pools that grow,
/// `index` and the counts refer to one page: see basic_growing_pool.
struct violation {
    FIXPOOL_HIDDEN static constexpr std::size_t npos = static_cast<std::size_t>(-1);  ///< index of no block

    violation_kind kind{};          ///< what went wrong
    const void* pool = nullptr;     ///< the pool; of a shared pool, the state that its copies share
    const char* pool_name = "";     ///< pool_options::name; valid during the call
    const void* address = nullptr;  ///< the wrong pointer, or the start of the block or of the overwritten metadata
    std::size_t index = npos;       ///< index of the block at `address`; of a leak: the lowest index
    std::size_t total_blocks = 0;   ///< capacity of the pool, in blocks
    std::size_t live_blocks = 0;    ///< blocks of the pool in use
    site allocated_at = site::unknown();  ///< debug level: where the block was allocated
    site released_at = site::unknown();   ///< debug level: where it was released
    void* context = nullptr;              ///< pool_options::context

    std::ptrdiff_t offset = 0;     ///< debug level: position of the first wrong byte, from the block's start
    unsigned char byte = 0;        ///< debug level: the value of that byte
    std::uint64_t allocation = 0;  ///< debug level: number of the allocation among the pool's operations, from 1
    std::uint64_t release = 0;     ///< debug level: number of the release; 0: not released since that allocation
    unsigned allocated_by = 0;     ///< debug level: number of the allocating thread, from 1; each image counts its own
    unsigned released_by = 0;      ///< debug level: number of the releasing thread
    /// Debug level: the blocks in use of a destroyed pool by place, largest group first. Valid during the call.
    std::span<const holder> holders = {};
    /// Debug level: the function by which the default handler prints the report. nullptr: it prints one line.
    void (*print)(const violation&) noexcept = nullptr;

    const char* problem = "";  ///< of a corrupted pool: which data disagree
};

/// A function that receives violations. It is called before the pool changes and while no lock is held, so it may use
/// the pool. When it returns, a wrong release has no effect. If it throws, the program ends by std::terminate.
using violation_handler = void (*)(const violation&);

namespace detail {

/// Beginnings of the reports, in the order of violation_kind.
FIXPOOL_HIDDEN inline constexpr const char* deeds[] = {
    "double free of block ",      "not allocated: block ",     "foreign pointer ",   "misaligned pointer ",
    "write after free in block ", "buffer overflow of block ", "leak of ",           "pool destroyed with ",
    "corrupted pool at ",         "size mismatch: block ",     "still owned: block "};

/// Adds `deed` and the place. Returns false, and adds nothing, if the place is unknown.
inline bool add_site(text_line& line, const char* deed, const site& where) noexcept {
    if (where.file != nullptr) line.add(deed).add(where.file).add(":").add(std::size_t{where.line});
    else if (where.address != nullptr) line.add(deed).add(where.address);
    return where.file != nullptr || where.address != nullptr;
}

/// The line that the default handler prints, without its end.
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

/// The default handler. Prints a line to standard error and aborts. After a leak it returns: a leak harms nobody any
/// more. If FIXPOOL_TRAP is 1, it prints nothing and traps, after a leak too.
inline void print_and_abort(const violation& v) noexcept {
    if constexpr (!traps) {
        if (v.print != nullptr) v.print(v);
        else std::fputs(describe(v).add("\n").c_str(), stderr);
    }
    if (traps || v.kind != violation_kind::leak) stop();
}

/// The handler of an image; nullptr: the default handler. It needs no dynamic initialiser.
using handler_place = std::atomic<violation_handler>;
FIXPOOL_HIDDEN inline handler_place image_handler = nullptr;

/// Returns `handler`, or the default handler if it is nullptr.
[[nodiscard]] inline violation_handler or_default(violation_handler handler) noexcept {
    return handler == nullptr ? &print_and_abort : handler;
}

}  // namespace detail

/// Sets the handler for the pools of this image: of this executable or shared library. nullptr restores the default
/// handler, which prints a line to standard error and aborts. Returns the previous handler, never nullptr.
///
/// A pool belongs to the image whose code constructed it, and must be destroyed before that image is unloaded. The code
/// of std::make_unique or std::optional may belong to another image: pass `pool_options{}` there. The pool then belongs
/// to the image that contains these braces. A pool with its own handler (pool_options::on_violation) calls that one
/// instead.
/// Thread safety: any thread, at any time. On a processor without an atomic exchange, no other thread may use fixpool
/// meanwhile.
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

/// Returns the handler for the pools of this image, never nullptr.
/// Thread safety: any thread, at any time.
[[nodiscard]] FIXPOOL_HIDDEN inline violation_handler get_violation_handler() noexcept {
    return detail::or_default(detail::image_handler);
}

}  // namespace fixpool::inline FIXPOOL_ABI
