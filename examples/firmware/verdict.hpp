// SPDX-License-Identifier: BSL-1.0
// verdict: whether the main loop read all that the interrupt measured.
#pragma once

#include "event_log.hpp"
#include "sampler.hpp"

/// Whether each interrupt's block was counted as dropped, or was read once, in order, and sent unchanged. All blocks
/// must be back.
/// Requires: no interrupt comes any more, and all full blocks were read.
template <class Store>
[[nodiscard]] bool is_whole(const sampler<Store>& samples, const event_log<Store>& events) noexcept {
    return events.blocks() + samples.dropped() == samples.interrupts() && events.sum() == samples.sum() &&
           events.is_in_order() && events.is_unchanged() && Store::in_use() == 0;
}
