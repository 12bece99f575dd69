// SPDX-License-Identifier: BSL-1.0
// Makes traces from a recording: one for each size class that is worth a pool, and one of all sizes. Prints what a pool
// would gain for each class.
#include <fixpool/memory_pool.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory_resource>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include "../contest.hpp"
#include "../program_trace.hpp"
#include "../system_policy.hpp"
#include "../trace.hpp"
#include "recording.hpp"

namespace {

namespace fs = std::filesystem;

constexpr std::size_t largest_block = 65536;  // bigger blocks cost more to use than to allocate

/// Assigns numbers of slots. The number that was given back last is used first.
class slot_numbers {
public:
    std::uint32_t take() {
        if (free_.empty()) return used_++;
        const std::uint32_t slot = free_.back();
        free_.pop_back();
        return slot;
    }
    void give_back(std::uint32_t slot) { free_.push_back(slot); }

private:
    std::vector<std::uint32_t> free_;
    std::uint32_t used_ = 0;
};

/// What a program allocated of one size, as records of a trace: see trace.hpp.
class size_class {
public:
    std::uint32_t allocate(std::uint32_t thread) {
        const std::uint32_t slot = slots_.take();
        ++allocations_;
        add(slot, thread);
        return slot;
    }
    void release(std::uint32_t slot, std::uint32_t thread) {
        slots_.give_back(slot);
        add(slot | trace::release_bit, thread);
    }
    [[nodiscard]] std::size_t allocations() const { return allocations_; }
    [[nodiscard]] std::size_t threads() const { return threads_.size(); }  // those that allocated or released
    [[nodiscard]] const std::vector<std::uint32_t>& records() const { return records_; }

private:
    void add(std::uint32_t record, std::uint32_t thread) {
        records_.push_back(record);
        if (thread != last_thread_) threads_.insert(thread);
        last_thread_ = thread;
    }

    std::vector<std::uint32_t> records_;
    slot_numbers slots_;
    std::size_t allocations_ = 0;
    std::set<std::uint32_t> threads_;
    std::uint32_t last_thread_ = 0;
};

/// Everything that a program allocated, as numbers of a trace of all sizes: see program_trace.hpp.
class all_sizes {
public:
    std::uint32_t allocate(std::uint32_t size, std::uint32_t alignment_log2) {
        const std::uint32_t slot = slots_.take();
        if (slot >= program_trace::aligned_bit)
            throw std::length_error("more blocks are live at once than a trace can have");
        const bool is_aligned = alignment_log2 != 0;
        numbers_.push_back(is_aligned ? slot | program_trace::aligned_bit : slot);
        numbers_.push_back(size);
        if (is_aligned) numbers_.push_back(std::uint32_t{1} << alignment_log2);
        return slot;
    }
    void release(std::uint32_t slot) {
        slots_.give_back(slot);
        numbers_.push_back(slot | program_trace::release_bit);
    }
    [[nodiscard]] const std::vector<std::uint32_t>& numbers() const { return numbers_; }

private:
    std::vector<std::uint32_t> numbers_;
    slot_numbers slots_;
};

/// The contents of a recording.
struct recording {
    struct rest {
        std::size_t classes = 0, allocations = 0;
    };
    std::string program;
    std::map<std::size_t, size_class> classes;  // by block size in bytes
    all_sizes everything;
    std::size_t threads = 0;
    std::size_t allocations = 0;
    std::size_t strange_releases = 0;  // of blocks whose allocation was not seen
    std::size_t lost_releases = 0;     // of blocks that were allocated again
    std::size_t unfinished = 0;        // events that were never finished
    std::size_t cut_bytes = 0;         // at the end: less than an event
    rest rare, big;                    // classes that are not worth a trace
};

std::runtime_error bad_recording(const fs::path& file, const std::string& why) {
    return std::runtime_error(file.string() + ": " + why);
}

/// Reads the header. Returns the program's name, made fit for file names.
std::string read_program(const fs::path& file, std::istream& in) {
    recording_header header{};
    in.read(reinterpret_cast<char*>(&header), sizeof header);
    const auto bytes = static_cast<std::size_t>(in.gcount());
    if (bytes == 0) throw bad_recording(file, "is empty, not a recording");
    if (std::memcmp(header.magic, recording_header::expected_magic, sizeof header.magic) != 0)
        throw bad_recording(file, "is not a recording: it does not start with \"fixpool\" and a newline");
    if (bytes < sizeof header)
        throw bad_recording(file, "is cut off: it has " + std::to_string(bytes) + " bytes, the header alone has " +
                                      std::to_string(sizeof header));
    if (header.version != recording_header::expected_version) {
        throw bad_recording(file, "is of version " + std::to_string(header.version) +
                                      ", but this program reads version " +
                                      std::to_string(recording_header::expected_version));
    }
    if (std::memchr(header.program, 0, sizeof header.program) == nullptr || header.program[0] == 0)
        throw bad_recording(file, "is corrupt: its header does not name a program");
    std::string program = header.program;
    for (char& c : program)
        if (std::isalnum(static_cast<unsigned char>(c)) == 0 && std::strchr("._+-", c) == nullptr) c = '_';
    return program;
}

/// Reads a recording, and sorts its events into size classes.
/// Throws: std::runtime_error, which names the file and what is wrong.
recording read_recording(const fs::path& file) {
    struct place {
        size_class* owner;
        std::uint32_t slot;
        std::uint32_t slot_of_all;
    };
    std::ifstream in(file, std::ios::binary);
    if (!in || fs::is_directory(file)) throw bad_recording(file, "cannot be opened");
    recording r;
    r.program = read_program(file, in);
    std::pmr::unsynchronized_pool_resource memory;
    std::pmr::unordered_map<std::uint64_t, place> live(&memory);  // by address
    std::set<std::uint32_t> threads;
    std::size_t blanks = 0;  // since the last event
    std::size_t index = 0;
    std::vector<recorded_event> events(recording_window / sizeof(recorded_event));

    for (std::size_t windows = 0; in; ++windows) {
        in.read(reinterpret_cast<char*>(events.data()), static_cast<std::streamsize>(recording_window));
        if (in.bad()) throw bad_recording(file, "cannot be read");
        const auto bytes = static_cast<std::size_t>(in.gcount());
        r.cut_bytes = bytes % sizeof(recorded_event);
        if (windows % 128 == 0)
            std::fprintf(stderr, "reading %s, event %s\n", file.string().c_str(), grouped(index).c_str());
        for (std::size_t i = 0; i < bytes / sizeof(recorded_event); ++i, ++index) {
            const recorded_event& event = events[i];
            if (event.address == 0) {
                ++blanks;
                continue;
            }
            r.unfinished += std::exchange(blanks, 0);
            if (event.thread == 0)
                throw bad_recording(file, "is corrupt: event " + std::to_string(index) + " is of no thread");
            if (event.alignment_log2 > recorded_event::most_alignment_log2)
                throw bad_recording(file, "is corrupt: event " + std::to_string(index) + " is aligned to 2^" +
                                              std::to_string(event.alignment_log2) + " bytes");
            threads.insert(event.thread);

            const auto found = live.find(event.address);
            if (found != live.end()) {
                found->second.owner->release(found->second.slot, event.thread);
                r.everything.release(found->second.slot_of_all);
                live.erase(found);
                r.lost_releases += event.size != 0;
            } else {
                r.strange_releases += event.size == 0;
            }
            if (event.size != 0) {
                size_class& owner = r.classes[(std::size_t{event.size} + 7) / 8 * 8];
                live.insert(
                    {event.address,
                     {&owner, owner.allocate(event.thread), r.everything.allocate(event.size, event.alignment_log2)}});
                ++r.allocations;
            }
        }
    }
    if (r.unfinished > threads.size())
        throw bad_recording(file, "is corrupt: " + std::to_string(r.unfinished) + " events are blank, more than its " +
                                      std::to_string(threads.size()) + " threads can have left unfinished");
    if (r.allocations == 0) throw bad_recording(file, "has no allocation");
    r.threads = threads.size();
    return r;
}

/// Writes the numbers of a trace.
void save(const fs::path& file, const std::vector<std::uint32_t>& numbers) {
    std::ofstream out(file, std::ios::binary);
    for (const std::uint32_t number : numbers) {
        std::array<char, 4> bytes;
        for (std::size_t i = 0; i < 4; ++i) bytes[i] = static_cast<char>(number >> (8 * i) & 0xff);
        out.write(bytes.data(), bytes.size());
    }
    if (!out.flush()) throw bad_trace(file, "cannot be written");
}

/// A checked pool and a mutex, locked twice per operation. A checked shared_pool costs the same, for any block size.
class locked_pool {
public:
    locked_pool(fixpool::pool_layout layout, fixpool::pool_options options) : pool_(layout, options) {}

    void* allocate() {
        lock_once();
        const std::lock_guard lock(mutex_);
        return pool_.allocate();
    }
    void deallocate(void* block) {
        lock_once();
        const std::lock_guard lock(mutex_);
        pool_.deallocate(block);
    }
    [[nodiscard]] std::size_t in_use() const { return pool_.in_use(); }
    [[nodiscard]] fixpool::pool_stats stats() const { return pool_.stats(); }
    void reset() { pool_.reset(); }

private:
    void lock_once() { const std::lock_guard lock(mutex_); }

    std::mutex mutex_;
    fixpool::memory_pool pool_;
};

/// A line of the table.
struct line {
    fs::path file;
    std::size_t threads = 0;
    trace t;  // without its records
    contest costs{};
    double saved = 0;  // milliseconds per run of the program
};

/// Writes the trace of all sizes. Returns its file.
fs::path save_everything(recording& r, const fs::path& folder) {
    fs::path file = folder / (r.program + ".sizes");
    save(file, r.everything.numbers());
    r.everything = {};
    return file;
}

/// Writes the classes that are worth a pool. Then drops all classes, so that the heap is as `replay` finds it.
std::vector<line> save_classes(recording& r, const fs::path& folder, std::size_t at_least) {
    std::vector<line> lines;
    for (const auto& [size, c] : r.classes) {
        if (size > largest_block || c.allocations() < at_least) {
            ++(size > largest_block ? r.big : r.rare).classes;
            (size > largest_block ? r.big : r.rare).allocations += c.allocations();
            continue;
        }
        line& l = lines.emplace_back();
        l.file = folder / (r.program + '-' + std::to_string(size) + ".trace");
        l.threads = c.threads();
        save(l.file, c.records());
    }
    r.classes.clear();
    return lines;
}

/// Replays the written traces. The largest gain comes first.
void measure(std::vector<line>& lines, int rounds) {
    for (line& l : lines) {
        l.t = load_trace(l.file);
        l.costs = l.threads > 1 ? replay<locked_pool>(l.t, rounds) : replay(l.t, rounds);
        l.saved = (l.costs.system_ns - l.costs.checked_ns) * static_cast<double>(l.t.records.size()) / 1e6;
        std::vector<std::uint32_t>().swap(l.t.records);
    }
    std::sort(lines.begin(), lines.end(), [](const line& a, const line& b) { return a.saved > b.saved; });
}

void print_table(const recording& r, const std::vector<line>& lines) {
    const auto percent = [&r](std::size_t n) {
        return 100.0 * static_cast<double>(n) / static_cast<double>(r.allocations);
    };
    std::size_t allocations = 0;
    double gains = 0;
    std::printf("\n%s: %s allocations\n\n", r.program.c_str(), grouped(r.allocations).c_str());
    if (lines.empty()) return;
    std::puts(
        "block                                                                              |  ns/operation |     ms");
    std::puts(
        " size  allocations    share  peak live   reused  arena bytes  threads  take        |    new   pool |  saved");
    std::puts(
        "-----------------------------------------------------------------------------------+---------------+-------");
    for (const line& l : lines) {
        std::printf("%5zu  %11s  %5.1f %%  %9s  %5.1f %%  %11s  %7zu  %-11s |%7.2f%7.2f |%7.1f\n", l.t.block_size,
                    grouped(l.t.allocations).c_str(), percent(l.t.allocations), grouped(l.t.peak).c_str(), reused(l.t),
                    grouped(l.costs.stats.arena_bytes).c_str(), l.threads, l.threads > 1 ? "shared_pool" : "typed_pool",
                    l.costs.system_ns, l.costs.checked_ns, l.saved);
        allocations += l.t.allocations;
        gains += std::max(l.saved, 0.0);
    }
    std::printf("total  %11s  %5.1f %%  %54s |%14s |%7.1f\n\n", grouped(allocations).c_str(), percent(allocations), "",
                "gains", gains);
    std::puts(
        "new: operator new. pool: the one to take, with checks. saved: by which the two differ in a run of this.");
    std::puts(
        "typed_pool, or memory_pool: one thread used blocks of this size. shared_pool: more than one did; it was");
    std::puts("timed with its mutex, but by one thread, which never waits.\n");
}

/// Prints what the table leaves out, and what the recording lacks.
void print_notes(const recording& r, std::size_t at_least) {
    std::printf(
        "Left out: %zu sizes with fewer than %s allocations each, %s in all; %zu sizes above %s bytes, %s in all.\n",
        r.rare.classes, grouped(at_least).c_str(), grouped(r.rare.allocations).c_str(), r.big.classes,
        grouped(largest_block).c_str(), grouped(r.big.allocations).c_str());
    const auto note = [](std::size_t count, const char* text) {
        if (count != 0) std::printf("%s %s\n", grouped(count).c_str(), text);
    };
    note(r.strange_releases, "releases skipped: nobody was seen to allocate these blocks.");
    note(r.lost_releases,
         "releases added: these blocks were allocated once more, and nobody was seen to release them.");
    note(r.unfinished, "events skipped: the program was killed before they were whole.");
    note(r.cut_bytes, "bytes skipped: the recording is cut off there, inside an event.");
}

/// Prints what to do with the written files.
void print_next(const fs::path& replay, const std::vector<line>& lines, const fs::path& everything,
                std::size_t threads) {
    if (!lines.empty()) {
        std::printf("\nThe traces are written. Now replay them:\n\n    %s", replay.string().c_str());
        for (const line& l : lines) std::printf(" %s", l.file.string().c_str());
        std::puts("");
    }
    std::printf(
        "\nAll sizes are in one trace as well. To see what a pool_resource would gain:\n\n    %s --resource %s\n",
        replay.string().c_str(), everything.string().c_str());
    if (threads > 1)
        std::printf("\n%s threads made these allocations. A pool_resource serves one thread at a time.\n",
                    grouped(threads).c_str());
}

struct command_line {
    std::string recording;
    std::string folder = ".";
    std::size_t at_least = 1000;
    int rounds = 5;
};

/// Returns false for an argument that the usage does not have.
bool parse(std::vector<std::string> words, command_line& command) {
    if (std::erase(words, "--once") > 0) command.rounds = 1;
    const auto option = std::find(words.begin(), words.end(), "--at-least");
    if (option != words.end()) {
        if (option + 1 == words.end()) return false;
        const std::string& number = option[1];
        const char* const end = number.data() + number.size();
        const auto [rest, error] = std::from_chars(number.data(), end, command.at_least);
        if (error != std::errc{} || rest != end || command.at_least == 0) return false;
        words.erase(option, option + 2);
    }
    if (words.empty() || words.size() > 2 || words[0].starts_with("--") || words.back().starts_with("--")) return false;
    command.recording = words[0];
    if (words.size() == 2) command.folder = words[1];
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    command_line command;
    if (!parse({argv + 1, argv + argc}, command)) {
        std::fputs(
            "usage: convert [--at-least N] [--once] RECORDING [FOLDER]\n"
            "  Writes FOLDER/PROGRAM-SIZE.trace for each size of which the program allocated enough, and all of its "
            "allocations\n"
            "  to FOLDER/PROGRAM.sizes. FOLDER is . if not said.\n"
            "  --at-least N   sizes of which N or more blocks were allocated, 1000 if not said\n"
            "  --once         one round: a look, not a measurement\n",
            stderr);
        return 1;
    }
    try {
        set_system_policy(false);
        recording r = read_recording(command.recording);
        fs::create_directories(command.folder);
        const fs::path everything = save_everything(r, command.folder);
        std::vector<line> lines = save_classes(r, command.folder, command.at_least);
        measure(lines, command.rounds);
        print_table(r, lines);
        print_notes(r, command.at_least);
        print_next(fs::path(argv[0]).replace_filename("replay"), lines, everything, r.threads);
        if (std::fflush(stdout) != 0) throw std::runtime_error("standard output cannot be written");
    } catch (const std::exception& error) {
        std::fprintf(stderr, "convert: %s\n", error.what());
        return 1;
    }
}
