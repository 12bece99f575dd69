// SPDX-License-Identifier: BSL-1.0
// documents: whether a used pool hands out its blocks in as good an order as a new pool. Prints nanoseconds per node as
// comma-separated values. `bench/documents` runs it, and README.md says how to read it.
#include <fixpool/memory_pool.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <limits>
#include <new>
#include <random>
#include <string>
#include <vector>

namespace {

using fixpool::checking;

constexpr std::uint32_t nodes = 100'000;  // per document
constexpr int courses = 5;                // of ten rounds each
// Room for a document, its copy, and a block that stays live.
constexpr fixpool::pool_layout layout{.block_size = 64, .block_count = 2 * nodes + 1};

enum class value : unsigned char { array, object, number };

/// A value in a document, as a JSON parser makes it.
struct node {
    value kind;
    std::uint64_t number;
    std::size_t children;
    const char* key;
    node* parent;
    node* first_child;
    node* last_child;
    node* next_sibling;
};
static_assert(sizeof(node) == layout.block_size);

/// Makes a new last child of `parent`, or a root.
template <class Pool> node* append(Pool& pool, node* parent, value kind, std::uint64_t number) {
    node* const made = ::new (pool.allocate()) node{kind, number, 0, "", parent, nullptr, nullptr, nullptr};
    if (parent == nullptr) return made;
    (parent->last_child == nullptr ? parent->first_child : parent->last_child->next_sibling) = made;
    parent->last_child = made;
    ++parent->children;
    return made;
}

/// Builds a document depth first, as a parser does: an array of objects, the same one each time.
template <class Pool> class parser {
public:
    explicit parser(Pool& pool) : pool_(&pool), root_(append(pool, nullptr, value::array, 0)) {}

    node* parse() {
        while (made_ < nodes) parse_value(root_, 0);
        return root_;
    }

private:
    void parse_value(node* parent, int depth) {
        const auto any = random_() % 8;
        value kind = value::number;
        if (depth == 0 || (depth < most_depth && any == 0)) kind = value::object;
        else if (depth < most_depth && any == 1) kind = value::array;
        node* const made = append(*pool_, parent, kind, made_++);
        if (kind == value::number) return;
        const auto children = kind == value::object ? 5 + random_() % 6 : random_() % 9;
        for (std::uint_fast32_t i = 0; i < children && made_ < nodes; ++i) parse_value(made, depth + 1);
    }

    static constexpr int most_depth = 6;

    Pool* pool_;
    node* root_;
    std::uint32_t made_ = 1;
    std::mt19937 random_;  // the same numbers on every machine
};

template <class Pool> node* copy(Pool& pool, const node& from, node* parent) {
    node* const made = append(pool, parent, from.kind, from.number);
    for (const node* child = from.first_child; child != nullptr; child = child->next_sibling) copy(pool, *child, made);
    return made;
}

std::uint64_t sum(const node& of) {
    std::uint64_t total = of.number;
    for (const node* child = of.first_child; child != nullptr; child = child->next_sibling) total += sum(*child);
    return total;
}

/// Releases a node as its destructor would: the children first.
template <class Pool> void drop(Pool& pool, node* of) {
    for (node* child = of->first_child; child != nullptr;) {
        node* const next = child->next_sibling;
        drop(pool, child);
        child = next;
    }
    pool.deallocate(of);
}

using steady_clock = std::chrono::steady_clock;

double ns_per_node(steady_clock::duration taken) {
    return std::chrono::duration<double, std::nano>(taken).count() / nodes;
}

constexpr double unmeasured = std::numeric_limits<double>::infinity();

/// Nanoseconds per node.
struct costs {
    double copying = unmeasured;
    double reading = unmeasured;

    /// Keeps the lower costs: a disturbance only adds.
    void lower_to(const costs& other) {
        copying = std::min(copying, other.copying);
        reading = std::min(reading, other.reading);
    }
};

/// Costs of one round.
struct round_costs {
    costs of_used;
    costs of_new;
    double sorting = unmeasured;  // ns per free block
};

/// Builds a document, copies it, reads the copy, and drops both.
template <class Pool> costs play(Pool& pool) {
    node* const document = parser<Pool>(pool).parse();
    const auto start = steady_clock::now();
    node* const copied = copy(pool, *document, nullptr);
    const auto between = steady_clock::now();
    const std::uint64_t total = sum(*copied);
    const auto end = steady_clock::now();
    if (total != sum(*document)) {
        std::fputs("documents: a copy's numbers are not its document's\n", stderr);
        std::abort();
    }
    drop(pool, copied);
    drop(pool, document);
    return {ns_per_node(between - start), ns_per_node(end - between)};
}

/// Sorts the free blocks. Returns nanoseconds per free block, or 0 if the library cannot sort.
template <class Pool> double sort([[maybe_unused]] Pool& pool) {
    const auto start = steady_clock::now();
    if constexpr (requires { pool.sort_free_blocks(); }) pool.sort_free_blocks();
    else return 0;
    return ns_per_node(steady_clock::now() - start) / 2;
}

/// Memory for a pool. It was written before, so using it causes no page fault.
template <class Pool> class written_memory {
public:
    [[nodiscard]] fixpool::arena lend() { return fixpool::arena::borrow(bytes_); }

private:
    std::vector<std::byte> bytes_ = std::vector<std::byte>(Pool::required_bytes(layout) + 64, std::byte{1});
};

/// Ten rounds on one pool.
template <class Pool> class course {
public:
    course(bool is_held, bool is_sorted) : is_held_(is_held), is_sorted_(is_sorted) {}

    /// Plays all rounds on a new pool, and each of them on a pool of its own, too. All courses use the same memory.
    void play_all() {
        Pool used(layout, memory_.lend());
        void* const held = is_held_ ? used.allocate() : nullptr;
        for (round_costs& round : rounds_) {
            round.of_used.lower_to(play(used));
            round.sorting = std::min(round.sorting, is_sorted_ ? sort(used) : 0);
            Pool fresh(layout, memory_of_new_.lend());
            void* const held_of_fresh = is_held_ ? fresh.allocate() : nullptr;
            round.of_new.lower_to(play(fresh));
            fresh.deallocate(held_of_fresh);
        }
        used.deallocate(held);
    }

    void print() const {
        std::puts("round,copying,reading,new_copying,new_reading,sorting");
        int number = 1;
        for (const auto& [of_used, of_new, sorting] : rounds_)
            std::printf("%d,%.4f,%.4f,%.4f,%.4f,%.4f\n", number++, of_used.copying, of_used.reading, of_new.copying,
                        of_new.reading, sorting);
    }

private:
    bool is_held_;    // one block stays live throughout
    bool is_sorted_;  // the free blocks are sorted between rounds
    written_memory<Pool> memory_;
    written_memory<Pool> memory_of_new_;
    std::array<round_costs, 10> rounds_;
};

/// Plays the same course several times, and keeps the lowest costs of each round.
template <checking C> void measure(bool is_held, bool is_sorted) {
    course<fixpool::basic_memory_pool<C>> all(is_held, is_sorted);
    for (int i = 0; i < courses; ++i) all.play_all();
    all.print();
}

}  // namespace

int main(int argc, char** argv) {
    const std::string level = argc == 3 ? argv[1] : "";
    const std::string mode = argc == 3 ? argv[2] : "";
    const bool is_held = mode == "held" || mode == "held-unsorted";
    if ((level != "checked" && level != "unchecked") || (mode != "empty" && !is_held)) {
        std::fputs("usage: documents checked|unchecked empty|held|held-unsorted\n", stderr);
        return 1;
    }
    try {
        (level == "checked" ? measure<checking::checked> : measure<checking::unchecked>)(is_held, mode == "held");
    } catch (const std::exception& error) {
        std::fprintf(stderr, "documents: %s\n", error.what());
        return 1;
    }
}
