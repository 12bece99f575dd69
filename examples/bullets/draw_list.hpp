// SPDX-License-Identifier: BSL-1.0
// draw_list: what a frame shows: rectangles, in one batch per kind of object. Each kind has one colour.
#pragma once

#include <SDL.h>

#include <array>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

#include "objects.hpp"

constexpr vector2 canvas{1280, 720};  // screen pixels

struct draw_list {
    std::array<std::vector<SDL_Rect>, kinds> rects;

    /// Where to write `count` rectangles of that kind.
    [[nodiscard]] SDL_Rect* room(kind of, std::size_t count) {
        rects[of].resize(count);
        return rects[of].data();
    }
};

/// Throws: std::runtime_error with SDL's reason, if `result` is an error.
inline void check_sdl(int result, const char* what) {
    if (result != 0) throw std::runtime_error(std::string(what) + ": " + SDL_GetError());
}

inline void draw(SDL_Renderer* renderer, const draw_list& list) {
    static constexpr std::array<SDL_Color, kinds> colours{
        {{86, 180, 233, 255}, {240, 228, 66, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}}};
    check_sdl(SDL_SetRenderDrawColor(renderer, 10, 12, 20, 255), "cannot draw");
    check_sdl(SDL_RenderClear(renderer), "cannot draw");
    for (std::size_t i = kinds; i-- > 0;) {
        if (list.rects[i].empty()) continue;
        check_sdl(SDL_SetRenderDrawColor(renderer, colours[i].r, colours[i].g, colours[i].b, 255), "cannot draw");
        check_sdl(SDL_RenderFillRects(renderer, list.rects[i].data(), static_cast<int>(list.rects[i].size())),
                  "cannot draw");
    }
}
