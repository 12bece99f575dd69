# Found by find_package(fixpool): defines fixpool::fixpool.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
include("${CMAKE_CURRENT_LIST_DIR}/fixpool-targets.cmake")
