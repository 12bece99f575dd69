// SPDX-License-Identifier: BSL-1.0
#include <fixpool/pool_resource.hpp>
#ifndef REFUSED
#include <fixpool/debug_pages.hpp>
#endif

int main() {
    fixpool::basic_pool_resource<fixpool::checking::debug> resource;
    resource.deallocate(resource.allocate(8, 8), 8, 8);
}
