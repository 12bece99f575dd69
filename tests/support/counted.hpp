// SPDX-License-Identifier: BSL-1.0
// counted: a type that counts its lives. Constructions and destructions must balance. No object may be destroyed twice.
#pragma once

#include <atomic>
#include <cstdint>
#include <stdexcept>

class counted {
public:
    explicit counted(int v = 0) : value(v) {
        if (throws_at > 0 && --throws_at == 0) {
            has_thrown = true;
            if (throws_for_ever) throws_at = 1;
            throw std::runtime_error("counted");
        }
        ++constructed;
    }
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;
    ~counted() {
        if (alive_ != alive_mark) ++destroyed_twice;
        alive_ = 0;
        ++destroyed;
    }

    static void start(int throw_at = 0, bool for_ever = false) {
        constructed = destroyed = destroyed_twice = 0;
        throws_at = throw_at;
        throws_for_ever = for_ever;
        has_thrown = false;
    }

    int value;

    inline static std::atomic<int> constructed = 0;
    inline static std::atomic<int> destroyed = 0;
    inline static std::atomic<int> destroyed_twice = 0;
    inline static int throws_at = 0;  // the constructor call that throws, counted from 1; 0: none
    inline static bool throws_for_ever = false;
    inline static bool has_thrown = false;

private:
    static constexpr std::uint32_t alive_mark = 0xa11fe;
    volatile std::uint32_t alive_ = alive_mark;
};
