// SPDX-License-Identifier: BSL-1.0
// private_library: loads another malloc without replacing the program's own, and checks which library serves that.
#pragma once

#include <dlfcn.h>

#include <cstddef>
#include <cstdio>
#include <stdexcept>
#include <string>

/// malloc and free of a library that only the holder of this object calls.
class private_library {
public:
    struct functions {
        void* (*allocate)(std::size_t size);
        void (*deallocate)(void* block);
    };

    /// Loads `file` and finds its two functions.
    /// Throws: std::runtime_error if something is missing, or if another library would serve the calls.
    private_library(const std::string& file, const char* malloc_name, const char* free_name) {
        void* const library =
            ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);  // never closed: allocators do not support it
        if (library == nullptr) throw std::runtime_error(::dlerror());
        void* const found_malloc = ::dlsym(library, malloc_name);
        void* const found_free = ::dlsym(library, free_name);
        if (found_malloc == nullptr || found_free == nullptr)
            throw std::runtime_error(file + " has no " + malloc_name + " or no " + free_name);
        if (server_of(found_malloc).find(file) == std::string::npos)
            throw std::runtime_error(std::string(malloc_name) + " is not served by " + file + " but by " +
                                     server_of(found_malloc));
        calls_ = {reinterpret_cast<void* (*)(std::size_t)>(found_malloc),
                  reinterpret_cast<void (*)(void*)>(found_free)};
        file_ = server_of(found_malloc);
    }

    [[nodiscard]] functions calls() const { return calls_; }
    [[nodiscard]] const std::string& file() const { return file_; }  // with its path

    /// The file that holds the code at `function`.
    [[nodiscard]] static std::string server_of(void* function) {
        Dl_info info;
        return ::dladdr(function, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : "nobody that is known";
    }

    /// The file that serves this program's calls of `name`, the linker's name of a function.
    [[nodiscard]] static std::string server_of_calls(const char* name) {
        return server_of(::dlsym(RTLD_DEFAULT, name));
    }

private:
    functions calls_ = {};
    std::string file_;
};

/// Prints to standard error which library serves the program's operator new.
/// Throws: std::runtime_error if it is not the system's.
inline void expect_system_new() {
    const std::string new_server = private_library::server_of_calls("_Znwm");
    const std::string malloc_server = private_library::server_of_calls("malloc");
    std::fprintf(stderr, "operator_new: operator new of %s on malloc of %s\n", new_server.c_str(),
                 malloc_server.c_str());
    if (new_server.find("/libstdc++.so") == std::string::npos || malloc_server.find("/libc.so") == std::string::npos)
        throw std::runtime_error("operator new is not the system's: unset LD_PRELOAD, and link no other malloc");
}
