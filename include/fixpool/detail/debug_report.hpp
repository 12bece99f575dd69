// SPDX-License-Identifier: BSL-1.0
// debug_report: what the default handler prints about a violation in a debug pool.
#pragma once

#include <fixpool/detail/debug_platform.hpp>
#include <fixpool/violation.hpp>

#include <cstddef>
#include <cstring>
#include <span>

namespace fixpool::inline FIXPOOL_ABI::detail {

/// Adds what was done at a place (`deed`), and the place. Adds nothing if the place is unknown.
inline text_line& add_place(text_line& line, const char* deed, const site& where) noexcept {
    if (where.file == nullptr && where.address != nullptr) return add_code_address(line.add(deed), where.address);
    if (where.file == nullptr) return line;
    return add_path(line.add(deed), where.file).add(":").add(std::size_t{where.line});
}

/// Adds a group of holders: "2 allocated at parser.cpp:12".
inline text_line& add_holder(text_line& line, const holder& group) noexcept {
    line.add(group.blocks).add(" allocated at ");
    if (group.where.file == nullptr && group.where.address == nullptr) return line.add("an unknown place");
    return add_place(line, "", group.where);
}

/// Adds two numbers of one kind: "; operations 41 and 57". Adds only the first if the second is equal, or 0 (none).
inline text_line& add_both(text_line& line, const char* one, const char* both, std::size_t a, std::size_t b) noexcept {
    const bool is_one = b == 0 || a == b;
    line.add(is_one ? one : both).add(a);
    return is_one ? line : line.add(" and ").add(b);
}

/// The sentence for a violation, with everything that debug level knows, except groups of holders.
inline text_line describe_debug(const violation& v) noexcept {
    violation head = v;
    head.allocated_at = head.released_at = site::unknown();
    text_line line = describe(head);
    if (v.kind == violation_kind::write_after_free || v.kind == violation_kind::buffer_overflow) {
        line.add(v.offset < 0 ? ": byte -" : ": byte ")
            .add(static_cast<std::size_t>(v.offset < 0 ? -v.offset : v.offset));
        line.add(" is ").add(reinterpret_cast<const void*>(static_cast<std::uintptr_t>(v.byte)));
    }
    const bool is_grouped = v.holders.size() > 1;
    if (is_grouped || v.allocation == 0) return line;
    add_place(line, "; allocated at ", v.allocated_at);
    add_place(line, ", released at ", v.released_at);
    if (!v.holders.empty()) return line;
    add_both(line, "; operation ", "; operations ", static_cast<std::size_t>(v.allocation),
             static_cast<std::size_t>(v.release));
    return add_both(line, ", thread ", ", threads ", v.allocated_by, v.released_by);
}

/// Prints a violation to standard error. Then prints one line for each of the first ten groups of holders.
inline void print_debug(const violation& v) noexcept {
    std::fputs(describe_debug(v).add("\n").c_str(), stderr);
    if (v.holders.size() < 2) return;
    std::size_t rest = v.holders.size();
    for (const holder& group : v.holders.first(rest < 10 ? rest : 10)) {
        text_line line;
        std::fputs(add_holder(line.add("  "), group).add("\n").c_str(), stderr);
    }
    if (rest <= 10) return;
    text_line line;
    std::fputs(line.add("  and ").add(rest - 10).add(rest == 11 ? " more place\n" : " more places\n").c_str(), stderr);
}

/// The text that pool_exhausted adds: the first three groups of holders.
inline text_line describe_holders(std::span<const holder> holders) noexcept {
    text_line line;
    for (std::size_t i = 0; i < holders.size() && i < 3; ++i) add_holder(line.add(i == 0 ? ": " : ", "), holders[i]);
    if (holders.size() > 3)
        line.add(", and at ").add(holders.size() - 3).add(holders.size() == 4 ? " more place" : " more places");
    return line;
}

}  // namespace fixpool::inline FIXPOOL_ABI::detail
