// SPDX-License-Identifier: BSL-1.0
// window: shows frames with SDL2, 60 per second. picture: draws one frame into a file, without a display.
#pragma once

#include <SDL.h>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "../support/output_file.hpp"
#include "draw_list.hpp"

/// There is no display. what() is SDL's reason.
struct no_display : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct sdl_closer {
    void operator()(SDL_Window* window) const { SDL_DestroyWindow(window); }
    void operator()(SDL_Renderer* renderer) const { SDL_DestroyRenderer(renderer); }
    void operator()(SDL_Surface* surface) const { SDL_FreeSurface(surface); }
};
template <class T> using sdl_owner = std::unique_ptr<T, sdl_closer>;

/// SDL's video, from construction to destruction.
class sdl_video {
public:
    /// Throws: no_display. SDL's driver without output counts as no display, unless SDL_VIDEODRIVER asks for it.
    sdl_video() {
        if (SDL_InitSubSystem(SDL_INIT_VIDEO) != 0) throw no_display(SDL_GetError());
        if (SDL_getenv("SDL_VIDEODRIVER") == nullptr && std::string(SDL_GetCurrentVideoDriver()) == "offscreen") {
            SDL_QuitSubSystem(SDL_INIT_VIDEO);
            throw no_display("SDL finds neither X11 nor Wayland");
        }
    }
    sdl_video(const sdl_video&) = delete;
    sdl_video& operator=(const sdl_video&) = delete;
    ~sdl_video() { SDL_QuitSubSystem(SDL_INIT_VIDEO); }
};

class window {
public:
    /// Throws: no_display; std::runtime_error if the display refuses a window.
    window()
        : window_(SDL_CreateWindow("bullets", SDL_WINDOWPOS_CENTERED, SDL_WINDOWPOS_CENTERED, canvas.x, canvas.y, 0)) {
        check_sdl(window_ == nullptr ? -1 : 0, "cannot open a window");
        renderer_.reset(SDL_CreateRenderer(window_.get(), -1, 0));
        check_sdl(renderer_ == nullptr ? -1 : 0, "cannot draw in the window");
        next_ = SDL_GetTicks64();
    }

    /// Shows the frame, 1/60 s after the last one. Returns false if the user wants to leave.
    bool show(const draw_list& list, const std::string& title) {
        SDL_Event event;
        while (SDL_PollEvent(&event) != 0) {
            const bool escape = event.type == SDL_KEYDOWN && event.key.keysym.sym == SDLK_ESCAPE;
            if (event.type == SDL_QUIT || escape) return false;
        }
        draw(renderer_.get(), list);
        SDL_RenderPresent(renderer_.get());
        if (shown_ % 30 == 0) SDL_SetWindowTitle(window_.get(), title.c_str());
        next_ += ++shown_ % 3 == 0 ? 16U : 17U;  // ms: 50 for three frames
        const Uint64 now = SDL_GetTicks64();
        if (now < next_) SDL_Delay(static_cast<Uint32>(next_ - now));
        else next_ = now;  // late: the game slows down, and skips nothing
        return true;
    }

private:
    sdl_video video_;
    sdl_owner<SDL_Window> window_;
    sdl_owner<SDL_Renderer> renderer_;
    Uint64 next_ = 0;  // ms: time of the next frame
    unsigned shown_ = 0;
};

/// Writes the frame as BMP, with SDL's software renderer, which needs no display.
inline void save_picture(const draw_list& list, output_file& file) {
    const sdl_owner<SDL_Surface> surface(
        SDL_CreateRGBSurfaceWithFormat(0, canvas.x, canvas.y, 24, SDL_PIXELFORMAT_BGR24));
    check_sdl(surface == nullptr ? -1 : 0, "cannot draw the picture");
    const sdl_owner<SDL_Renderer> renderer(SDL_CreateSoftwareRenderer(surface.get()));
    check_sdl(renderer == nullptr ? -1 : 0, "cannot draw the picture");
    draw(renderer.get(), list);
    SDL_RenderPresent(renderer.get());
    std::vector<char> bytes(static_cast<std::size_t>(surface->pitch) * canvas.y + 1024);  // the header is shorter
    SDL_RWops* const memory = SDL_RWFromMem(bytes.data(), static_cast<int>(bytes.size()));
    check_sdl(memory == nullptr ? -1 : SDL_SaveBMP_RW(surface.get(), memory, 0), "cannot draw the picture");
    const auto size = static_cast<std::size_t>(SDL_RWtell(memory));
    SDL_RWclose(memory);
    file.write(bytes.data(), size);  // not by SDL, which does not report a full disk
    file.close();
}
