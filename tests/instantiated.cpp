// SPDX-License-Identifier: BSL-1.0
// Every public template, instantiated as a whole at every level: so every member is compiled.
#include <fixpool/debug_pages.hpp>
#include <fixpool/fixpool.hpp>
#include <fixpool/growing_pool.hpp>
#include <fixpool/pool_allocator.hpp>
#include <fixpool/static_pool.hpp>

#include <string>

using fixpool::checking;

template class fixpool::basic_memory_pool<checking::unchecked>;
template class fixpool::basic_memory_pool<checking::checked>;
template class fixpool::typed_pool<std::string, checking::unchecked>;
template class fixpool::typed_pool<std::string, checking::checked>;
template class fixpool::shared_pool<std::string, checking::unchecked>;
template class fixpool::shared_pool<std::string, checking::checked>;
namespace {
struct without_default {
    explicit without_default(int) {}
};
}  // namespace
template class fixpool::typed_pool<without_default>;
template class fixpool::shared_pool<without_default>;
template class fixpool::block<std::string, checking::unchecked>;
template class fixpool::block<std::string, checking::checked>;
template class fixpool::block<int, checking::unchecked, fixpool::detail::shared_objects<int, checking::unchecked>>;
template class fixpool::block<int, checking::checked, fixpool::detail::shared_objects<int, checking::checked>>;
template class fixpool::detail::shared_objects<std::string, checking::unchecked>;
template class fixpool::detail::shared_objects<std::string, checking::checked>;
template class fixpool::detail::shared_state<checking::unchecked>;
template class fixpool::detail::shared_state<checking::checked>;
template class fixpool::basic_shared_memory_pool<checking::unchecked>;
template class fixpool::basic_shared_memory_pool<checking::checked>;
template class fixpool::detail::free_list<checking::unchecked>;
template class fixpool::detail::free_list<checking::checked>;
template class fixpool::basic_memory_pool<fixpool::detail::beneath<checking::debug>>;
template class fixpool::typed_pool<std::string, checking::debug>;
template class fixpool::shared_pool<std::string, checking::debug>;
template class fixpool::block<std::string, checking::debug>;
template class fixpool::block<int, checking::debug, fixpool::detail::shared_objects<int, checking::debug>>;
template class fixpool::detail::shared_objects<std::string, checking::debug>;
template class fixpool::detail::shared_state<checking::debug>;
template class fixpool::basic_shared_memory_pool<checking::debug>;
template class fixpool::basic_growing_pool<checking::unchecked>;
template class fixpool::basic_growing_pool<checking::checked>;
template class fixpool::growing_typed_pool<std::string, checking::unchecked>;
template class fixpool::growing_typed_pool<std::string, checking::checked>;
template class fixpool::growing_typed_pool<without_default>;
template class fixpool::block<std::string, checking::unchecked,
                              fixpool::growing_typed_pool<std::string, checking::unchecked>>;
template class fixpool::block<std::string, checking::checked,
                              fixpool::growing_typed_pool<std::string, checking::checked>>;
template class fixpool::detail::growing_blocks<checking::unchecked>;
template class fixpool::detail::growing_blocks<checking::checked>;
template class fixpool::detail::page_audit<checking::checked, 1>;
template class fixpool::growing_typed_pool<std::string, checking::debug>;
template class fixpool::growing_typed_pool<without_default, checking::debug>;
template class fixpool::block<std::string, checking::debug, fixpool::growing_typed_pool<std::string, checking::debug>>;
template class fixpool::detail::growing_blocks<checking::debug>;
template class fixpool::static_pool<std::string, 4, checking::unchecked>;
template class fixpool::static_pool<std::string, 4, checking::checked>;
template class fixpool::static_pool<std::string, 100000>;
template class fixpool::static_pool<without_default, 4>;
template class fixpool::block<std::string, checking::checked, fixpool::static_pool<std::string, 4>>;
template class fixpool::detail::static_list<std::string, 4, checking::checked>;
template struct std::hash<fixpool::block<std::string>>;
template struct std::hash<fixpool::shared_block<std::string>>;
template class fixpool::basic_pool_resource<checking::unchecked>;
template class fixpool::basic_pool_resource<checking::checked>;
template class fixpool::basic_pool_resource<fixpool::detail::beneath<checking::debug>>;
template class fixpool::basic_block_resource<checking::unchecked>;
template class fixpool::basic_block_resource<checking::checked>;
template class fixpool::basic_block_resource<checking::debug>;
template class fixpool::pool_allocator<std::string, checking::unchecked>;
template class fixpool::pool_allocator<std::string, checking::checked>;
template class fixpool::pool_allocator<std::string, checking::debug>;
namespace {
fixpool::basic_pool_resource<checking::unchecked> unchecked_resource;
fixpool::pool_resource checked_resource;
fixpool::basic_pool_resource<checking::debug> debug_resource;
}  // namespace
template class fixpool::static_pool_allocator<std::string, unchecked_resource>;
template class fixpool::static_pool_allocator<std::string, checked_resource>;
template class fixpool::static_pool_allocator<std::string, debug_resource>;
