// SPDX-License-Identifier: BSL-1.0
// objects: the four kinds of objects of the game, and the integers that move them. All arithmetic is exact, so every
// compiler and every storage plays the same game.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

/// Names an object that may be gone: its place, and how many objects were at that place before.
struct handle {
    static constexpr std::uint32_t nothing = 0xffff'ffff;

    std::uint32_t index = nothing;
    std::uint32_t generation = 0;
};

/// A number that looks random, and depends on all bits of `from`: the last steps of SplitMix64.
constexpr std::uint64_t mix(std::uint64_t from) {
    from = (from ^ from >> 30) * 0xbf58'476d'1ce4'e5b9;
    from = (from ^ from >> 27) * 0x94d0'49bb'1331'11eb;
    return from ^ from >> 31;
}
/// The name of the `number`-th thing that `parent` causes in `frame`. So names do not depend on the order of visits.
constexpr std::uint64_t child_id(std::uint64_t parent, std::uint64_t frame, std::uint64_t number) {
    return mix(parent + mix(frame * 4096 + number + 0x9e37'79b9'7f4a'7c15));
}

constexpr std::int32_t pixel = 256;  // the unit of lengths: a position is in 1/256 of a pixel

struct vector2 {
    std::int32_t x = 0;
    std::int32_t y = 0;
};

constexpr unsigned directions = 64;  // a full turn

/// Vectors of length 256, by an integer form of Bhaskara's approximation of the sine.
constexpr std::array<vector2, directions> direction_table = [] {
    constexpr auto sine = [](unsigned turn) {
        constexpr std::int32_t half = directions / 2;
        const auto at = static_cast<std::int32_t>(turn % directions);
        const std::int32_t i = at % half;
        const std::int32_t product = i * (half - i);
        return (at < half ? 256 : -256) * 16 * product / (5 * half * half - 4 * product);
    };
    std::array<vector2, directions> table{};
    for (unsigned i = 0; i < directions; ++i) {
        table[i] = {sine(i + directions / 4), sine(i)};
    }
    return table;
}();

constexpr void move(vector2& place, unsigned direction, std::int32_t speed) {
    place.x += direction_table[direction % directions].x * speed / 256;
    place.y += direction_table[direction % directions].y * speed / 256;
}

/// `direction`, turned by one step, if necessary, towards `to`, as seen from `from`.
constexpr std::uint8_t turned(unsigned direction, vector2 from, vector2 to) {
    const vector2 ahead = direction_table[direction % directions];
    const std::int64_t dx = std::int64_t{to.x} - from.x;
    const std::int64_t dy = std::int64_t{to.y} - from.y;
    const std::int64_t side = ahead.x * dy - ahead.y * dx;
    const bool behind = ahead.x * dx + ahead.y * dy < 0;
    if (side == 0 && !behind) return static_cast<std::uint8_t>(direction);
    return static_cast<std::uint8_t>((direction + (side >= 0 ? 1 : directions - 1)) % directions);
}

/// Whether the two points are less than `reach` apart.
constexpr bool touch(vector2 a, vector2 b, std::int32_t reach) {
    const std::int64_t dx = std::int64_t{a.x} - b.x;
    const std::int64_t dy = std::int64_t{a.y} - b.y;
    return dx * dx + dy * dy < std::int64_t{reach} * reach;
}

/// Bullets, pickups and scripts follow a ship. `self` is its own handle, which the storage fills in.
struct ship {
    std::uint64_t id = 0;
    vector2 place;
    vector2 goal;  // where its squadron sends it
    handle self;
    handle target;
    handle killer;                                  // who fired the hit that counts
    std::uint64_t killing_hit = ~std::uint64_t{0};  // of all hits, the one with the lowest id
    std::int32_t health = 0;
    std::uint16_t reload = 0;  // frames until its next volley
    std::uint8_t team = 0;     // 0 or 1
    std::uint8_t direction = 0;
    std::uint32_t trail_next = 0;
    std::array<vector2, 8> trail{};  // where it was; its exhaust is drawn there

    static constexpr std::int32_t full_health = 14;
    static constexpr std::int32_t radius = 8 * pixel;
};

struct bullet {
    std::uint64_t id = 0;
    vector2 place;
    handle target;  // a homing bullet chases it while it lives
    handle owner;
    std::uint16_t life = 0;  // frames
    std::uint8_t team = 0;
    std::uint8_t direction = 0;

    static constexpr std::int32_t radius = 2 * pixel;
};

struct spark {
    std::uint64_t id = 0;
    vector2 place;
    vector2 velocity;
    std::uint32_t life = 0;  // frames
};

/// What a ship leaves behind. It flies to the ship that destroyed this one, if that still lives, and repairs it.
struct pickup {
    std::uint64_t id = 0;
    vector2 place;
    handle collector;
    std::uint32_t life = 0;  // frames
};

template <class T>
concept is_followed = requires(T& object) {
    object.self;
};

enum kind : std::size_t { ships, bullets, sparks, pickups, kinds };
constexpr std::array<const char*, kinds> kind_names{"ships", "bullets", "sparks", "pickups"};
