// SPDX-License-Identifier: BSL-1.0
// Breaks the contract of a page cache in the way that the argument names. If that is found, the program is ended.
#include <sqlite3.h>

#include <cstdio>
#include <cstring>
#include <string_view>

#include "sqlite_on_pool.hpp"

int main(int argc, char** argv) {
    const std::string_view deed = argc > 1 ? argv[1] : "";
    const sqlite_on_pool sqlite({4096, 20});
    const sqlite3_pcache_methods2 methods = sqlite_on_pool::methods();
    sqlite3_pcache* const cache = methods.xCreate(4096, 200, 1);
    sqlite3_pcache* const other = methods.xCreate(4096, 200, 1);
    methods.xCachesize(cache, 10);
    sqlite3_pcache_page* const page = methods.xFetch(cache, 7, 2);
    if (deed == "unpins twice") {
        methods.xUnpin(cache, page, 0);
        methods.xUnpin(cache, page, 0);
    } else if (deed == "discards twice") {
        methods.xUnpin(cache, page, 1);
        methods.xUnpin(cache, page, 1);
    } else if (deed == "unpins elsewhere") {
        methods.xUnpin(other, page, 0);
    } else if (deed == "writes after a discard") {
        methods.xUnpin(cache, page, 1);
        std::memset(page->pBuf, 1, 8);
    }
    std::puts("the program went on");
    methods.xDestroy(other);
    methods.xDestroy(cache);
}
