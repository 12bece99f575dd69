// SPDX-License-Identifier: BSL-1.0
// verdict: whether what the interrupt measured is what the main loop read.
#pragma once

#include "event_log.hpp"
#include "sampler.hpp"

/// Whether each interrupt's block was read once, in order, and sent unchanged, or was counted as dropped, and all blocks are back.
/// Requires: no interrupt comes any more, and all full blocks were read.
template <class Store>
[[nodiscard]] bool is_whole(const sampler<Store>& samples, const event_log<Store>& events) noexcept {
    return events.blocks() + samples.dropped() == samples.interrupts() && events.sum() == samples.sum() &&
           events.is_in_order() && events.is_unchanged() && Store::in_use() == 0;
}
