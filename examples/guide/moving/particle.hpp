// SPDX-License-Identifier: BSL-1.0
// The objects of all programs here: they count how many of them live.
#pragma once

struct particle {
    static inline int alive = 0;

    int x;
    int y;

    particle(int its_x, int its_y) : x(its_x), y(its_y) { ++alive; }
    particle(const particle&) = delete;
    particle& operator=(const particle&) = delete;
    ~particle() { --alive; }
};
