// SPDX-License-Identifier: BSL-1.0
// wav_file: writes sound as a WAV file: one channel, 16 bits, 48 kHz.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "../support/output_file.hpp"
#include "voice.hpp"

/// Throws: std::system_error if the file cannot be opened, or the disk is full.
/// Requires: fewer than 2^30 samples.
inline void write_wav(const std::string& path, std::span<const std::int16_t> samples) {
    std::string bytes;
    bytes.reserve(44 + samples.size_bytes());
    const auto put = [&bytes](std::uint32_t value, unsigned size) {  // the lowest byte first
        for (unsigned i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
    };
    constexpr auto rate = static_cast<std::uint32_t>(sample_rate);
    const auto data_size = static_cast<std::uint32_t>(samples.size_bytes());
    bytes += "RIFF";
    put(data_size + 36, 4);
    bytes += "WAVEfmt ";
    put(16, 4);  // bytes of the format
    put(1, 2);   // integers
    put(1, 2);   // channels
    put(rate, 4);
    put(2 * rate, 4);  // bytes per second
    put(2, 2);         // bytes per frame
    put(16, 2);        // bits
    bytes += "data";
    put(data_size, 4);
    for (const std::int16_t sample : samples) put(static_cast<std::uint16_t>(sample), 2);
    output_file file(path);
    file.write(bytes);
    file.close();
}
