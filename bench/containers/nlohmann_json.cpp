// SPDX-License-Identifier: BSL-1.0
// nlohmann::json: parses, edits, copies, reads and drops documents. Its values construct their allocators, so these have
// no state, and a memory is a global variable.
#include "workload.hpp"

#if __has_include(<nlohmann/json.hpp>)
#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "json_text.hpp"

namespace {

/// A resource whose functions are called without a virtual call.
template <class Resource> class direct : public Resource {
public:
    void* take(std::size_t bytes, std::size_t alignment) { return Resource::do_allocate(bytes, alignment); }
    void give_back(void* block, std::size_t bytes, std::size_t alignment) {
        Resource::do_deallocate(block, bytes, alignment);
    }
};

template <class T, class Resource> class direct_allocator {
public:
    using value_type = T;
    direct_allocator() = default;
    template <class U> direct_allocator(const direct_allocator<U, Resource>&) noexcept {}  // rebinds
    [[nodiscard]] T* allocate(std::size_t n) { return static_cast<T*>(resource.take(n * sizeof(T), alignof(T))); }
    void deallocate(T* block, std::size_t n) noexcept { resource.give_back(block, n * sizeof(T), alignof(T)); }
    friend bool operator==(direct_allocator, direct_allocator) { return true; }

    static inline direct<Resource> resource;
};

/// A resource of std or of Boost.
template <class Resource> class direct_memory {
public:
    template <class T> using allocator = direct_allocator<T, Resource>;
    void end_round() {
        if constexpr (std::is_same_v<Resource, std::pmr::monotonic_buffer_resource>) allocator<int>::resource.release();
    }
};

fixpool::basic_pool_resource<fixpool::checking::checked> checked_resource;
fixpool::basic_pool_resource<fixpool::checking::unchecked> unchecked_resource;

template <auto& Resource> class static_pool_memory {
public:
    template <class T> using allocator = fixpool::static_pool_allocator<T, Resource>;
    void end_round() {}
};

template <template <class> class Allocator>
using json_of =
    nlohmann::basic_json<std::map, std::vector, std::basic_string<char, std::char_traits<char>, Allocator<char>>, bool,
                         std::int64_t, std::uint64_t, double, Allocator>;

/// Reads all values. Returns a checksum.
template <class Json> std::uint64_t walk(const Json& of) {
    switch (of.type()) {
        case Json::value_t::object: {
            std::uint64_t sum = 1;
            for (const auto& [key, value] : of.template get_ref<const typename Json::object_t&>())
                sum = sum * 3 + key.size() + static_cast<unsigned char>(key.back()) + walk(value);
            return sum;
        }
        case Json::value_t::array: {
            std::uint64_t sum = 2;
            for (const Json& value : of) sum = sum * 3 + walk(value);
            return sum;
        }
        case Json::value_t::string: {
            const auto& text = of.template get_ref<const typename Json::string_t&>();
            return text.size() + (text.empty() ? 0 : static_cast<unsigned char>(text.back()));
        }
        case Json::value_t::number_float: return static_cast<std::uint64_t>(1000 * (of.template get<double>() + 1000));
        case Json::value_t::number_integer:
        case Json::value_t::number_unsigned: return of.template get<std::uint64_t>();
        case Json::value_t::boolean: return of.template get<bool>() ? 1 : 0;
        default: return 0;
    }
}

/// Edits all parts of a document: adds and removes members, grows and shrinks strings and arrays. Counts the changes.
template <class Json> class editor {
public:
    std::uint64_t edit(Json& of) {
        if (of.is_object()) return edit_object(of);
        if (of.is_array()) return edit_array(of);
        return 0;
    }

private:
    std::uint64_t edit_object(Json& of) {
        std::uint64_t changes = 0;
        for (Json& value : of) {
            changes += edit(value);
            if (value.is_string() && ++strings_ % 4 == 0) {
                if (strings_ % 8 == 0) value = "another text, of medium length";
                else value.template get_ref<typename Json::string_t&>().append(", and a little more");
                ++changes;
            }
        }
        ++objects_;
        if (objects_ % 3 == 0) of["note"] = {{"by", "an editor"}, {"seen", true}};
        if (objects_ % 3 == 1 && of.size() > 3) of.erase(std::next(of.begin()));
        return changes + 1;
    }

    std::uint64_t edit_array(Json& of) {
        std::uint64_t changes = 1;
        for (Json& value : of) changes += edit(value);
        ++arrays_;
        if (arrays_ % 5 == 0) of.push_back("appended to an array of values");
        if (arrays_ % 5 == 1 && of.size() > 2) of.erase(of.size() / 2);
        if (arrays_ % 5 == 2) of.insert(of.begin(), Json::array({1, 2, 3}));
        return changes;
    }

    std::uint32_t strings_ = 0;
    std::uint32_t objects_ = 0;
    std::uint32_t arrays_ = 0;
};

class nlohmann_json_play {
public:
    template <class Memory> void operator()(Memory&, phases& timed) {
        using json = json_of<Memory::template allocator>;
        std::array<json, 3> documents;
        std::array<json, 3> copies;
        timed("parse", [&] {
            for (std::size_t i = 0; i < texts_.size(); ++i) documents[i] = json::parse(texts_[i]);
            return documents.size();
        });
        timed("edit", [&] {
            editor<json> changes;
            std::uint64_t sum = 0;
            for (json& document : documents) sum += changes.edit(document);
            return sum;
        });
        timed("copy", [&] {
            copies = documents;
            return copies.size();
        });
        timed("walk", [&] {
            std::uint64_t sum = 0;
            for (const json& document : documents) sum = sum * 3 + walk(document);
            for (const json& copy : copies) sum = sum * 3 + walk(copy);
            return sum;
        });
        timed("drop", [&] {
            documents = {};
            copies = {};
            return std::uint64_t{0};
        });
    }

private:
    std::array<std::string, 3> texts_ = {json_text::messages(900), json_text::catalogue(1000), json_text::shapes(250)};
};

}  // namespace

workload nlohmann_json_workload() {
    workload made("nlohmann::json", 3);
    made.add<nlohmann_json_play, system_memory>("operator_new");
    made.add<nlohmann_json_play, system_memory>("operator_new_keeping");
    made.add<nlohmann_json_play, mimalloc_memory>("mimalloc");
    made.add<nlohmann_json_play, direct_memory<std::pmr::unsynchronized_pool_resource>>("std_unsynchronized");
    made.add<nlohmann_json_play, direct_memory<std::pmr::synchronized_pool_resource>>("std_synchronized");
#if defined(FIXPOOL_BENCH_BOOST_CONTAINER)
    made.add<nlohmann_json_play, direct_memory<boost::container::pmr::unsynchronized_pool_resource>>(
        "boost_unsynchronized");
#endif
    made.add<nlohmann_json_play, direct_memory<std::pmr::monotonic_buffer_resource>>("monotonic");
    made.add<nlohmann_json_play, static_pool_memory<checked_resource>>("checked_allocator");
    made.add<nlohmann_json_play, static_pool_memory<unchecked_resource>>("unchecked_allocator");
    return made;
}
#else
workload nlohmann_json_workload() {
    return workload::missing("nlohmann::json", "nlohmann/json.hpp (nlohmann-json3-dev)");
}
#endif
