// SPDX-License-Identifier: BSL-1.0
// Boost.JSON: parses, edits, copies, reads and drops documents.
#include "workload.hpp"

#if __has_include(<boost/json/src.hpp>)
#include <array>
#include <boost/json/src.hpp>  // all of the library
#include <cstdint>
#include <optional>
#include <string>

#include "json_text.hpp"

namespace {

namespace json = boost::json;

/// Adapts a resource of std to Boost's interface, as a program with both would.
class adapter final : public json::memory_resource {
public:
    explicit adapter(std::pmr::memory_resource* upstream) : upstream_(upstream) {}

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        return upstream_->allocate(bytes, alignment);
    }
    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
        upstream_->deallocate(block, bytes, alignment);
    }
    [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

    std::pmr::memory_resource* upstream_;
};

/// Boost's resource interface directly on mimalloc: one virtual call, not two.
class direct_mimalloc final : public json::memory_resource {
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        return allocate_by_mimalloc(bytes, alignment);
    }
    void do_deallocate(void* block, std::size_t, std::size_t) override { mimalloc_calls.deallocate(block); }
    [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

/// The same on fixpool's allocator. Boost.JSON asks for no alignment above that of a word.
template <fixpool::checking C> class direct_pool final : public json::memory_resource {
public:
    explicit direct_pool(fixpool::pool_allocator<std::uint64_t, C> from) : from_(from) {}

private:
    static std::size_t words(std::size_t bytes) { return (bytes + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t); }
    void* do_allocate(std::size_t bytes, std::size_t) override { return from_.allocate(words(bytes)); }
    void do_deallocate(void* block, std::size_t bytes, std::size_t) override {
        from_.deallocate(static_cast<std::uint64_t*>(block), words(bytes));
    }
    [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

    fixpool::pool_allocator<std::uint64_t, C> from_;
};

/// The storage of JSON values, for each memory.
class storage {
public:
    explicit storage(system_memory&) {}  // Boost.JSON's default: operator new
    explicit storage(mimalloc_memory&) : of_(std::make_unique<direct_mimalloc>()) {}
#if defined(FIXPOOL_BENCH_BOOST_CONTAINER)
    explicit storage(boost_memory& memory) : borrowed_(memory.resource()) {}
#endif
    template <fixpool::checking C>
    explicit storage(pool_memory<C>& memory)
        : of_(std::make_unique<direct_pool<C>>(memory.template get<std::uint64_t>())) {}
    template <class Memory>
    requires requires(Memory& memory) {
        { memory.resource() } -> std::convertible_to<std::pmr::memory_resource*>;
    }
    explicit storage(Memory& memory) : of_(std::make_unique<adapter>(memory.resource())) {}

    [[nodiscard]] json::storage_ptr get() const {
        if (borrowed_ != nullptr) return borrowed_;
        return of_ ? json::storage_ptr(of_.get()) : json::storage_ptr();
    }

private:
    std::unique_ptr<json::memory_resource> of_;
    json::memory_resource* borrowed_ = nullptr;
};

/// Reads all values. Returns a checksum.
std::uint64_t walk(const json::value& of) {
    switch (of.kind()) {
        case json::kind::object: {
            std::uint64_t sum = 1;
            for (const auto& [key, value] : of.get_object())
                sum = sum * 3 + key.size() + static_cast<unsigned char>(key.back()) + walk(value);
            return sum;
        }
        case json::kind::array: {
            std::uint64_t sum = 2;
            for (const json::value& value : of.get_array()) sum = sum * 3 + walk(value);
            return sum;
        }
        case json::kind::string: {
            const auto& text = of.get_string();
            return text.size() + (text.empty() ? 0 : static_cast<unsigned char>(text.back()));
        }
        case json::kind::double_: return static_cast<std::uint64_t>(1000 * (of.get_double() + 1000));
        case json::kind::int64: return static_cast<std::uint64_t>(of.get_int64());
        case json::kind::uint64: return of.get_uint64();
        case json::kind::bool_: return of.get_bool() ? 1 : 0;
        case json::kind::null: break;
    }
    return 0;
}

/// Edits all parts of a document: adds and removes members, grows and shrinks strings and arrays. Counts the changes.
class editor {
public:
    std::uint64_t edit(json::value& of) {
        if (auto* const members = of.if_object()) return edit(*members);
        if (auto* const values = of.if_array()) return edit(*values);
        return 0;
    }

private:
    std::uint64_t edit(json::object& of) {
        std::uint64_t changes = 0;
        for (auto& [key, value] : of) {
            changes += edit(value);
            if (auto* const text = value.if_string(); text != nullptr && ++strings_ % 4 == 0) {
                if (strings_ % 8 == 0) value = "another text, of medium length";
                else text->append(", and a little more");
                ++changes;
            }
        }
        ++objects_;
        if (objects_ % 3 == 0) of["note"] = json::object({{"by", "an editor"}, {"seen", true}}, of.storage());
        if (objects_ % 3 == 1 && of.size() > 3) of.erase(of.begin() + 1);
        return changes + 1;
    }

    std::uint64_t edit(json::array& of) {
        std::uint64_t changes = 1;
        for (json::value& value : of) changes += edit(value);
        ++arrays_;
        if (arrays_ % 5 == 0) of.push_back("appended to an array of values");
        if (arrays_ % 5 == 1 && of.size() > 2) of.erase(of.begin() + static_cast<std::ptrdiff_t>(of.size() / 2));
        if (arrays_ % 5 == 2) of.insert(of.begin(), json::array({1, 2, 3}, of.storage()));
        return changes;
    }

    std::uint32_t strings_ = 0;
    std::uint32_t objects_ = 0;
    std::uint32_t arrays_ = 0;
};

class boost_json_play {
public:
    template <class Memory> void operator()(Memory& memory, phases& timed) {
        const storage owner(memory);
        std::array<std::optional<json::value>, 3> documents;
        std::array<std::optional<json::value>, 3> copies;
        timed("parse", [&] {
            for (std::size_t i = 0; i < texts_.size(); ++i) documents[i].emplace(json::parse(texts_[i], owner.get()));
            return documents.size();
        });
        timed("edit", [&] {
            editor changes;
            std::uint64_t sum = 0;
            for (auto& document : documents) sum += changes.edit(*document);
            return sum;
        });
        timed("copy", [&] {
            for (std::size_t i = 0; i < copies.size(); ++i) copies[i].emplace(*documents[i], owner.get());
            return copies.size();
        });
        timed("walk", [&] {
            std::uint64_t sum = 0;
            for (const auto& document : documents) sum = sum * 3 + walk(*document);
            for (const auto& copy : copies) sum = sum * 3 + walk(*copy);
            return sum;
        });
        timed("drop", [&] {
            for (auto& document : documents) document.reset();
            for (auto& copy : copies) copy.reset();
            return std::uint64_t{0};
        });
    }

private:
    std::array<std::string, 3> texts_ = {json_text::messages(900), json_text::catalogue(1000), json_text::shapes(250)};
};

}  // namespace

workload boost_json_workload() { return on_every_memory<boost_json_play>("Boost.JSON", 5); }
#else
workload boost_json_workload() { return workload::missing("Boost.JSON", "boost/json/src.hpp (libboost1.81-dev)"); }
#endif
