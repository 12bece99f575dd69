// SPDX-License-Identifier: BSL-1.0
// pool_options: what a user can choose for a pool beside its layout; and the reporter that a pool makes of it.
#pragma once

#include <fixpool/violation.hpp>

namespace fixpool::inline FIXPOOL_ABI {

/// What a user can choose for a pool beside its layout. Later versions add options, each with a default. In a plug-in,
/// write `pool_options options{}`: without the braces, it may get the defaults of the program that opened it.
struct FIXPOOL_HIDDEN_FUNCTIONS pool_options {
    const char* name = "";                     // the pool copies 31 characters; none where FIXPOOL_TRAP is 1
    violation_handler on_violation = nullptr;  // called for this pool's violations; nullptr: the handler of the image
    void* context = nullptr;                   // handed on in violation::context
    const detail::handler_place* image = &detail::image_handler;  // of the image whose code writes these options
    unsigned magazine_size = 60;  // shared pools: blocks moved to a thread at once, at most; 0: each operation locks
};

namespace detail {

/// Knows what a report needs beside the misuse: the pool's name, its handler and the handler's context. It is constant:
/// no lock is needed to read it.
class reporter {
public:
    constexpr explicit reporter(const pool_options& options) noexcept
        : handler_(options.on_violation), context_(options.context), image_(options.image) {
        for (unsigned i = 0; options.name != nullptr && i + 1 < sizeof name_ && options.name[i] != 0; ++i)
            name_[i] = options.name[i];
    }

    [[nodiscard]] const char* name() const noexcept { return name_; }  // "" without a name

    [[nodiscard]] void* context() const noexcept { return context_; }

    /// Calls the handler. Requires: no lock is held.
    void report(const violation& misuse) const noexcept {
        or_default(handler_ != nullptr ? handler_ : (image_ != nullptr ? image_ : &image_handler)->load())(misuse);
    }

private:
    violation_handler handler_;       // nullptr: the image's
    void* context_;                   // the caller's
    const handler_place* image_;      // of the image that built the pool; nullptr: of the one that reports
    char name_[traps ? 1 : 32] = {};  // a copy, cut; where reports are no text, none is kept
};

}  // namespace detail
}  // namespace fixpool::inline FIXPOOL_ABI
