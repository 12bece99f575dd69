// SPDX-License-Identifier: BSL-1.0
// A program that loads a plug-in with pools, is told of misuse there, and unloads it: `plugins PLUGIN`.
#include "plugins/plugin.hpp"

#include <fixpool/fixpool.hpp>

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

namespace {

void print(const fixpool::violation& v) {
    std::printf("host is told: block %zu of pool \"%s\"\n", v.index, v.pool_name);
}

[[noreturn]] void give_up() {
    std::printf("%s\n", dlerror());
    std::exit(1);
}

void use(const plugin_functions& plugin) {
    plugin.open(fixpool::pool_options{.name = "own handler"});
    plugin.release_twice();
    plugin.close();

    plugin.open(fixpool::pool_options{.name = "host's handler", .on_violation = &print});
    plugin.release_twice();
    try {
        plugin.take_all();
    } catch (const fixpool::pool_exhausted& e) {
        std::printf("host catches: %s\n", e.what());
    }
    plugin.close();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    fixpool::set_violation_handler(&print);  // of the host's pools, not of the plug-in's
    void* const handle = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) give_up();
    const void* const found = dlsym(handle, "plugin");
    if (found == nullptr) give_up();
    use(*static_cast<const plugin_functions*>(found));

    if (dlclose(handle) != 0) give_up();
    const bool is_gone = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD) == nullptr;
    std::printf("plug-in unloaded: %s\n", is_gone ? "yes" : "no");
}
