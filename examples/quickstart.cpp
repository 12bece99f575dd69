// SPDX-License-Identifier: BSL-1.0
// The first program: a pool of two connections, which runs out and fills up again.
#include <fixpool/fixpool.hpp>

#include <cstdio>
#include <string>

struct connection {
    int id;
    std::string peer;
};

int main() {
    fixpool::typed_pool<connection> pool(2);  // for one thread at a time; shared_pool is for many
    std::printf("available: %zu of %zu\n", pool.available(), pool.total_blocks());
    {
        const fixpool::block<connection> first = pool.allocate(1, "alice");  // throws when all blocks are in use
        const fixpool::block<connection> second = pool.allocate(2, "bob");
        const fixpool::block<connection> third = pool.try_allocate(3, "carol");  // is empty instead
        std::printf("connection %d: %s\n", first->id, first->peer.c_str());
        std::printf("connection %d: %s\n", second->id, second->peer.c_str());
        std::printf("a third one: %s\n", third ? third->peer.c_str() : "no block left");
        std::printf("available: %zu of %zu\n", pool.available(), pool.total_blocks());
    }  // the connections are destroyed, and their blocks go back
    std::printf("available: %zu of %zu\n", pool.available(), pool.total_blocks());
}
