// SPDX-License-Identifier: BSL-1.0
// pool_options: a pool's name, violation handler and the like; and the reporter that a pool makes of them.
#pragma once

#include <fixpool/violation.hpp>

namespace fixpool::inline FIXPOOL_ABI {

/// Options of a pool: its name, its violation handler, and the size of its magazines. Later versions may add options,
/// each with a default.
///
/// In a plug-in, write `pool_options options{}`. Without the braces it may get the defaults of the host program.
struct FIXPOOL_HIDDEN_FUNCTIONS pool_options {
    const char* name = "";  ///< appears in reports; the pool copies 31 characters (none if FIXPOOL_TRAP is 1)
    violation_handler on_violation = nullptr;  ///< handler of this pool; nullptr: see set_violation_handler
    void* context = nullptr;                   ///< passed to the handler as violation::context
    const detail::handler_place* image = &detail::image_handler;  ///< selects that default handler; leave it as it is
    /// Shared pools: most blocks that move at once between a thread's magazine and the pool. 0: there are no magazines,
    /// each operation takes the lock. See shared_pool.
    unsigned magazine_size = 60;
};

namespace detail {

/// A pool's name, its handler, and the handler's context. It does not change, so reading it needs no lock.
class reporter {
public:
    constexpr explicit reporter(const pool_options& options) noexcept
        : handler_(options.on_violation), context_(options.context), image_(options.image) {
        for (unsigned i = 0; options.name != nullptr && i + 1 < sizeof name_ && options.name[i] != 0; ++i)
            name_[i] = options.name[i];
    }

    [[nodiscard]] const char* name() const noexcept { return name_; }  // "" if it has none

    [[nodiscard]] void* context() const noexcept { return context_; }

    /// Calls the handler. Requires: no lock is held.
    void report(const violation& misuse) const noexcept {
        or_default(handler_ != nullptr ? handler_ : (image_ != nullptr ? image_ : &image_handler)->load())(misuse);
    }

private:
    violation_handler handler_;       // nullptr: the image's
    void* context_;                   // the caller's
    const handler_place* image_;      // of the image that built the pool; nullptr: that of the image that reports
    char name_[traps ? 1 : 32] = {};  // a copy of its start; empty if reports have no text
};

}  // namespace detail
}  // namespace fixpool::inline FIXPOOL_ABI
