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
    fixpool::typed_pool<connection> pool(2);  // for one thread; shared_pool is for several
    {
        const fixpool::block<connection> first = pool.allocate(1, "alice");  // throws if none is free
        const fixpool::block<connection> second = pool.allocate(2, "bob");
        const fixpool::block<connection> third = pool.try_allocate(3, "carol");  // is empty instead
        std::printf("first is %s, second is %s\n", first->peer.c_str(), second->peer.c_str());
        std::printf("third is %s\n", third ? third->peer.c_str() : "empty");
        std::printf("in use: %zu of %zu\n", pool.in_use(), pool.total_blocks());
    }  // the handles destroy their connections, and the blocks are free again
    std::printf("in use: %zu of %zu\n", pool.in_use(), pool.total_blocks());
}
