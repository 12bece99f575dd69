// SPDX-License-Identifier: BSL-1.0
// trace: the recorded allocations of one size class that a program made. traces/README.md has the format.
#pragma once

#include <cctype>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

struct trace {
    std::string name;                    // the file's name, without folder and ending
    std::size_t block_size = 0;          // bytes, from the name
    std::vector<std::uint32_t> records;  // a slot that gets a block; the highest bit means that it gives it back
    std::size_t slots = 0;               // one above the highest slot
    std::size_t allocations = 0;         // records that get a block
    std::size_t peak = 0;                // blocks out at once: the pool size that the program needs

    static constexpr std::uint32_t release_bit = std::uint32_t{1} << 31;
};

inline std::runtime_error bad_trace(const std::filesystem::path& file, const std::string& why) {
    return std::runtime_error(file.string() + ": " + why);
}

/// Block size in bytes from a file name such as "jq-272.trace".
inline std::size_t block_size_of(const std::filesystem::path& file) {
    const std::string stem = file.stem().string();
    const std::size_t dash = stem.rfind('-');
    std::size_t size = 0;
    bool is_number = dash != std::string::npos && dash + 1 < stem.size() && stem.size() - dash <= 8;
    for (std::size_t i = dash + 1; is_number && i < stem.size(); ++i) {
        is_number = std::isdigit(static_cast<unsigned char>(stem[i])) != 0;
        size = size * 10 + static_cast<std::size_t>(stem[i] - '0');
    }
    if (!is_number || size < sizeof(std::uint32_t))
        throw bad_trace(file, "the name does not end in a block size of 4 bytes or more, as in program-64.trace");
    return size;
}

/// The little-endian 32-bit numbers of a file.
inline std::vector<std::uint32_t> read_records(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in || std::filesystem::is_directory(file)) throw bad_trace(file, "cannot be opened");
    const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
    if (in.bad()) throw bad_trace(file, "cannot be read");
    if (bytes.empty()) throw bad_trace(file, "is empty, not a trace");
    if (bytes.size() % 4 != 0)
        throw bad_trace(file, "is cut off: " + std::to_string(bytes.size()) + " bytes are no whole number of records");
    std::vector<std::uint32_t> records;
    records.reserve(bytes.size() / 4);
    for (std::size_t i = 0; i < bytes.size(); i += 4) {
        std::uint32_t record = 0;
        for (std::size_t byte = 4; byte-- > 0;) record = record << 8 | static_cast<unsigned char>(bytes[i + byte]);
        records.push_back(record);
    }
    return records;
}

/// Reads a trace, and checks that a program can have made it.
/// Throws: std::runtime_error, which names the file, the record and what is wrong.
inline trace load_trace(const std::filesystem::path& file) {
    if (file.extension() == ".sizes") throw bad_trace(file, "is a trace of all sizes, which --resource plays");
    trace t;
    t.name = file.stem().string();
    t.records = read_records(file);
    t.block_size = block_size_of(file);
    std::vector<bool> is_live(t.records.size());
    std::size_t live = 0;
    for (std::size_t i = 0; i < t.records.size(); ++i) {
        const std::size_t slot = t.records[i] & ~trace::release_bit;
        const bool is_release = (t.records[i] & trace::release_bit) != 0;
        const std::string where = "is corrupt: record " + std::to_string(i) +
                                  (is_release ? " releases" : " allocates") + " slot " + std::to_string(slot) + ", ";
        if (slot >= t.records.size())
            throw bad_trace(file, where + "but there are only " + std::to_string(t.records.size()) + " records");
        if (is_release != is_live[slot])
            throw bad_trace(file, where + (is_release ? "which is free" : "which is live"));
        is_live[slot] = !is_release;
        if (is_release) {
            --live;
        } else {
            ++live;
            ++t.allocations;
        }
        t.peak = live > t.peak ? live : t.peak;
        t.slots = slot + 1 > t.slots ? slot + 1 : t.slots;
    }
    return t;
}
