// SPDX-License-Identifier: BSL-1.0
// world: the game. Two teams of ships, in squadrons, shoot at each other. Hits spark. Destroyed ships leave pickups.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "draw_list.hpp"
#include "grid.hpp"
#include "objects.hpp"
#include "world_counts.hpp"

/// One frame is 1/60 s. Nothing depends on the order in which a storage visits its objects. Damage is a sum, the lowest
/// id decides between equals, and new objects appear at the end of the frame. So every storage plays the same game.
template <template <class> class Storage> class world {
public:
    /// `objects` is how many live in a usual frame, all kinds together. The budgets allow somewhat more.
    explicit world(std::size_t objects)
        : size_(size_for(objects)),
          ships_(objects * 7 / 100, kind_names[ships]),
          bullets_(objects * 60 / 100, kind_names[bullets]),
          sparks_(objects * 48 / 100, kind_names[sparks]),
          pickups_(objects * 6 / 100, kind_names[pickups]),
          squadrons_((ships_.budget() / 6 + 2) / 2 * 2),
          grid_(size_) {
        for (std::size_t i = 0; i < squadrons_.size(); ++i) squadrons_[i].waypoint = any_place(mix(i + 1));
    }

    void step() {
        counts_.frames = ++frame_;
        launch_ships();
        lead_squadrons();
        move_ships();
        move_bullets();
        move_pickups();
        fade_sparks();
        bury_ships();
        give(bullets_, bullet_orders_, bullets);
        give(sparks_, spark_orders_, sparks);
        give(pickups_, pickup_orders_, pickups);
    }

    void draw(draw_list& list) {
        const float scale = static_cast<float>(canvas.x) / static_cast<float>(size_.x);
        const auto square = [scale](vector2 place, int side) -> SDL_Rect {
            return {static_cast<int>(static_cast<float>(place.x) * scale) - side / 2,
                    static_cast<int>(static_cast<float>(place.y) * scale) - side / 2, side, side};
        };
        SDL_Rect* next = list.room(ships, ships_.size() * (1 + ship().trail.size()));
        ships_.visit([&](ship& one) {
            *next++ = square(one.place, 7);
            for (const vector2& place : one.trail) *next++ = square(place, 1);
        });
        next = list.room(bullets, bullets_.size());
        bullets_.visit([&](bullet& one) { *next++ = square(one.place, 2); });
        next = list.room(sparks, sparks_.size());
        sparks_.visit([&](spark& one) { *next++ = square(one.place, 1); });
        next = list.room(pickups, pickups_.size());
        pickups_.visit([&](pickup& one) { *next++ = square(one.place, 4); });
    }

    /// A sum over all objects and counts. Their order does not matter.
    [[nodiscard]] std::uint64_t checksum() {
        std::uint64_t sum = mix(frame_);
        const auto add = [&sum](const auto& one) {
            const auto x = static_cast<std::uint32_t>(one.place.x);
            const auto y = static_cast<std::uint32_t>(one.place.y);
            sum += mix(one.id ^ mix(std::uint64_t{x} << 32 | y));
        };
        ships_.visit([&](ship& one) {
            add(one);
            sum += mix(one.id + static_cast<std::uint32_t>(one.health));
        });
        bullets_.visit(add);
        sparks_.visit(add);
        pickups_.visit(add);
        for (std::size_t i = 0; i < kinds; ++i) sum += mix(i ^ mix(counts_.spawned[i] << 32 | counts_.dropped[i]));
        return sum + mix(mix(counts_.asked) + counts_.gone);
    }

    /// A bug that scripts have. Requires: the storage reports it.
    void kill_ship_twice() {
        ship* victim = nullptr;
        ships_.visit([&victim](ship& one) { victim = &one; });
        if (victim == nullptr) throw std::runtime_error("there is no ship yet that could be killed twice");
        ships_.kill(*victim);
        ships_.kill(*victim);
    }

    [[nodiscard]] std::size_t budget() const {
        return ships_.budget() + bullets_.budget() + sparks_.budget() + pickups_.budget();
    }
    [[nodiscard]] std::size_t live() const {
        return ships_.size() + bullets_.size() + sparks_.size() + pickups_.size();
    }
    [[nodiscard]] const world_counts& counts() const { return counts_; }

    /// Calls fn(kind, storage) for each kind.
    template <class Fn> void for_each_kind(Fn fn) {
        fn(ships, ships_);
        fn(bullets, bullets_);
        fn(sparks, sparks_);
        fn(pickups, pickups_);
    }

private:
    /// A script that leads up to eight ships. It keeps the handles of dead ships until other ships take their seats.
    struct squadron {
        handle prey;
        vector2 waypoint;
        std::array<handle, 8> seats{};
    };

    /// As crowded as a full HD screen with 50,000 objects.
    static vector2 size_for(std::size_t objects) {
        const double height = std::floor(std::sqrt(static_cast<double>(objects) / 50'000) * 1080);
        return {static_cast<std::int32_t>(height * 16 / 9) * pixel, static_cast<std::int32_t>(height) * pixel};
    }

    [[nodiscard]] vector2 any_place(std::uint64_t seed) const {
        return {static_cast<std::int32_t>(seed % static_cast<std::uint32_t>(size_.x)),
                static_cast<std::int32_t>((seed >> 32) % static_cast<std::uint32_t>(size_.y))};
    }

    [[nodiscard]] ship* find(handle of) {
        ship* const found = ships_.find(of);
        ++counts_.asked;
        counts_.gone += found == nullptr;
        return found;
    }

    /// In waves of ten seconds. The first three seconds of each are busy.
    void launch_ships() {
        launch_credit_ += ships_.budget() * (frame_ % 600 < 180 ? 7 : 4);
        for (std::uint64_t number = 0; launch_credit_ >= 1000; ++number) {
            launch_credit_ -= 1000;
            ship order;
            order.id = child_id(0, frame_, number);
            order.place = any_place(mix(order.id));
            order.health = ship::full_health;
            order.reload = static_cast<std::uint16_t>(order.id % 24);
            order.direction = static_cast<std::uint8_t>(order.id / 64 % directions);
            handle& seat = free_seat();
            order.team = static_cast<std::uint8_t>(next_seat_ / 8 % 2);
            const ship* const launched = ships_.spawn(order);
            ++(launched != nullptr ? counts_.spawned : counts_.dropped)[ships];
            if (launched != nullptr) seat = launched->self;
        }
    }

    /// The next seat whose ship is gone. There are more seats than ships.
    handle& free_seat() {
        for (;;) {
            next_seat_ = (next_seat_ + 1) % (squadrons_.size() * 8);
            handle& seat = squadrons_[next_seat_ / 8].seats[next_seat_ % 8];
            if (find(seat) == nullptr) return seat;
        }
    }

    /// Sends each squadron to its prey, or to where that was.
    void lead_squadrons() {
        for (std::size_t i = 0; i < squadrons_.size(); ++i) {
            squadron& led = squadrons_[i];
            const ship* const prey = find(led.prey);
            if (prey != nullptr) led.waypoint = prey->place;
            else led.prey = any_foe(child_id(i + 1, frame_, 0), i % 2);
            for (std::size_t seat = 0; seat < led.seats.size(); ++seat) {
                ship* const member = find(led.seats[seat]);
                if (member == nullptr) continue;
                member->goal = led.waypoint;
                move(member->goal, static_cast<unsigned>(seat) * 8, 64 * pixel);
            }
        }
    }

    /// The ship that sits, or sat, in some seat of the other team.
    [[nodiscard]] handle any_foe(std::uint64_t chance, std::size_t team) const {
        const std::size_t foes = chance % (squadrons_.size() / 2) * 2 + (1 - team);
        return squadrons_[foes].seats[(chance >> 32) % 8];
    }

    void move_ships() {
        grid_.clear();
        ships_.visit([this](ship& one) {
            one.direction = turned(one.direction, one.place, one.goal);
            one.trail[one.trail_next++ % one.trail.size()] = one.place;
            move(one.place, one.direction, 3 * pixel / 2);
            one.place.x = std::clamp(one.place.x, 0, size_.x - 1);
            one.place.y = std::clamp(one.place.y, 0, size_.y - 1);
            if (one.reload > 0) --one.reload;
            else fire(one);
            grid_.add(one);
        });
        grid_.build();
    }

    /// A ring of eight bullets, two of them homing, if the ship has a target. If not, it may find one.
    void fire(ship& one) {
        if (find(one.target) == nullptr) {
            one.target = any_foe(child_id(one.id, frame_, 0), one.team);
            return;
        }
        one.reload = 29;
        for (unsigned i = 0; i < 8; ++i) {
            bullet order;
            order.id = child_id(one.id, frame_, i);
            order.place = one.place;
            if (i % 4 == 0) order.target = one.target;
            order.owner = one.self;
            order.life = 72;
            order.team = one.team;
            order.direction = static_cast<std::uint8_t>((one.direction + i * 8) % directions);
            bullet_orders_.push_back(order);
        }
    }

    void move_bullets() {
        bullets_.sweep([this](bullet& one) {
            if (one.target.index != handle::nothing) {
                const ship* const target = find(one.target);
                if (target != nullptr) one.direction = turned(one.direction, one.place, target->place);
                else one.target = {};
            }
            move(one.place, one.direction, 4 * pixel);
            const bool outside = one.place.x < 0 || one.place.x >= size_.x || one.place.y < 0 || one.place.y >= size_.y;
            if (--one.life == 0 || outside) return false;
            ship* const hit = grid_.hit(one.place, one.team, ship::radius + bullet::radius);
            if (hit == nullptr) return true;
            --hit->health;
            if (one.id < hit->killing_hit) {
                hit->killing_hit = one.id;
                hit->killer = one.owner;
            }
            burst(one.id, one.place, 5);
            return false;
        });
    }

    void burst(std::uint64_t cause, vector2 place, unsigned count) {
        for (unsigned i = 0; i < count; ++i) {
            spark order;
            order.id = child_id(cause, frame_, i);
            order.place = place;
            move(order.velocity, static_cast<unsigned>(order.id % directions),
                 pixel + static_cast<int>(order.id >> 54));
            order.life = 8 + static_cast<std::uint32_t>(order.id >> 32) % 12;
            spark_orders_.push_back(order);
        }
    }

    void move_pickups() {
        pickups_.sweep([this](pickup& one) {
            if (--one.life == 0) return false;
            ship* const collector = find(one.collector);
            if (collector == nullptr) return true;
            one.place.x += std::clamp((collector->place.x - one.place.x) / 8, -4 * pixel, 4 * pixel);
            one.place.y += std::clamp((collector->place.y - one.place.y) / 8, -4 * pixel, 4 * pixel);
            if (!touch(one.place, collector->place, ship::radius)) return true;
            collector->health += 1;
            return false;
        });
    }

    void fade_sparks() {
        sparks_.sweep([](spark& one) {
            one.place.x += one.velocity.x;
            one.place.y += one.velocity.y;
            return --one.life != 0;
        });
    }

    void bury_ships() {
        ships_.sweep([this](ship& one) {
            one.health = std::min(one.health, ship::full_health);
            if (one.health > 0) return true;
            burst(one.id, one.place, 24);
            pickup order;
            order.id = child_id(one.id, frame_, 24);
            order.place = one.place;
            order.collector = one.killer;
            order.life = 120;
            pickup_orders_.push_back(order);
            return false;
        });
    }

    /// Spawns what was ordered in this frame. If there is not enough room, the lowest ids come first.
    template <class T> void give(Storage<T>& to, std::vector<T>& orders, kind k) {
        const std::size_t room = to.budget() - to.size();
        if (orders.size() > room) {
            std::nth_element(orders.begin(), orders.begin() + static_cast<std::ptrdiff_t>(room), orders.end(),
                             [](const T& a, const T& b) { return a.id < b.id; });
        }
        for (const T& order : orders) ++(to.spawn(order) != nullptr ? counts_.spawned : counts_.dropped)[k];
        orders.clear();
    }

    vector2 size_;
    std::uint64_t frame_ = 0;
    Storage<ship> ships_;
    Storage<bullet> bullets_;
    Storage<spark> sparks_;
    Storage<pickup> pickups_;
    std::vector<squadron> squadrons_;  // squadrons with even numbers are team 0
    std::size_t next_seat_ = 0;
    std::size_t launch_credit_ = 0;  // thousandths of ships
    grid grid_;
    std::vector<bullet> bullet_orders_;
    std::vector<spark> spark_orders_;
    std::vector<pickup> pickup_orders_;
    world_counts counts_;
};
