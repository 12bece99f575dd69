// SPDX-License-Identifier: BSL-1.0
// The host of a library, with pools of the same types. `host handlers|exceptions|default [LIBRARY]` opens this library,
// or uses the one that it is linked with. `host unload OLD NEW PLACE` opens two, one after the other, at one place.
#include "image.hpp"
#include "library.hpp"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace {

int failures = 0;
bool is_unloaded = false;
int times_asked = 0;  // how often the handler in the options was called

void expect(bool is_true, const char* claim) {
    if (is_true) return;
    std::printf("not true: %s\n", claim);
    ++failures;
}
#define EXPECT(claim) expect((claim), #claim)

/// Opens a library. nullptr is the program itself, with the libraries that it is linked with.
void* open(const char* file) {
    void* const handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (handle != nullptr) return handle;
    std::printf("%s\n", dlerror());
    std::exit(1);
}
const library& found_in(void* handle) {
    const void* const found = dlsym(handle, "plugin");
    if (found != nullptr) return *static_cast<const library*>(found);
    std::printf("%s\n", dlerror());
    std::exit(1);
}

/// How often the host's and the library's handlers were called since the last call.
struct news {
    int host;
    int library;
    bool operator==(const news&) const = default;
};
news told_since(const library& other) {
    static news before{0, 0};
    const news now{times_told, other.times_told()};
    const news since{now.host - before.host, now.library - before.library};
    before = now;
    return since;
}

void handlers(const library& other) {
    EXPECT(keeps_handlers());
    EXPECT(other.keeps_handlers());
    EXPECT(*other.no_index == fixpool::violation::npos);
    fixpool::memory_pool built_before({16, 2});
    fixpool::set_violation_handler(&listen);
    EXPECT(other.keeps_handlers());
    EXPECT(fixpool::get_violation_handler() == &listen);
    other.listen();
    EXPECT(fixpool::get_violation_handler() == &listen);

    const int own = misuse_own();
    EXPECT((told_since(other) == news{own, 0}));
    EXPECT(other.misuse_own() == own);
    EXPECT((told_since(other) == news{0, own}));

    // What counts is who builds a pool, not who misuses it.
    other.misuse(built_before);
    EXPECT((told_since(other) == news{1, 0}));
    fixpool::memory_pool taken_over = other.build();
    misuse(taken_over);
    built_before = std::move(taken_over);
    misuse(built_before);
    EXPECT((told_since(other) == news{0, 2}));

    // If the options name a handler, only that is called, with their context.
    int context = 0;
    const fixpool::violation_handler ask = [](const fixpool::violation& v) {
        ++times_asked;
        ++*static_cast<int*>(v.context);
    };
    other.misuse_each({.on_violation = ask, .context = &context});
    EXPECT(times_asked == 3 && context == 3);
    EXPECT((told_since(other) == news{0, 0}));
    misuse_each({.context = &context});
    EXPECT(last_context == &context);
    EXPECT((told_since(other) == news{3, 0}));
}

void exceptions(const library& other) {
    EXPECT(catches<fixpool::pool_exhausted>(other.exhaust_raw, "raw"));
    EXPECT(catches<fixpool::pool_exhausted>(other.exhaust_typed, "typed"));
    EXPECT(catches<fixpool::pool_exhausted>(other.exhaust_shared, "shared"));
    EXPECT(catches<std::bad_alloc>(other.exhaust_raw, "raw"));
    EXPECT(catches<std::bad_alloc>(other.exhaust_typed, "typed"));
    EXPECT(catches<std::bad_alloc>(other.exhaust_shared, "shared"));
    EXPECT(other.catches(&exhaust_raw, "raw"));
}

/// Puts `file` in `place`, uses it, closes it.
void come_and_go(const char* file, const char* place, int version) {
    const std::string arriving = std::string(place) + ".arriving";
    std::filesystem::copy_file(file, arriving, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::rename(arriving, place);
    void* const handle = open(place);
    const library& other = found_in(handle);
    EXPECT(other.version == version);
    EXPECT(other.fill_pools() == 24 * version * version);
    other.listen();
    EXPECT(other.misuse_own() == other.times_told());
    EXPECT(catches<std::bad_alloc>(other.exhaust_shared, "shared"));
    fixpool::memory_pool moved_from({16, 2});
    other.end(std::move(moved_from));
    is_unloaded = false;
    other.when_unloaded([] { is_unloaded = true; });
    EXPECT(dlclose(handle) == 0);
    EXPECT(is_unloaded);
    EXPECT(moved_from.try_allocate() == nullptr);
    EXPECT(dlopen(place, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD) == nullptr);
}

void unload(const char* old_file, const char* new_file, const char* place) {
    fixpool::set_violation_handler(&listen);
    const int own = misuse_own();
    come_and_go(old_file, place, 1);
    come_and_go(new_file, place, 2);
    EXPECT(times_told == own);
    EXPECT(misuse_own() == own && times_told == 2 * own);  // without any library
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view check = argc > 1 ? argv[1] : "";
    if (check == "unload" && argc == 5) {
        unload(argv[2], argv[3], argv[4]);
        return failures;
    }
    const library& other = found_in(open(argc > 2 ? argv[2] : nullptr));
    if (check == "handlers") {
        handlers(other);
    } else if (check == "exceptions") {
        exceptions(other);
    } else if (check == "default") {  // the host's handler does not save the library, which has none
        fixpool::set_violation_handler(&listen);
        other.misuse_own();
    } else {
        return 2;
    }
    return failures;
}
