# The package that find_package(fixpool) finds. It defines fixpool::fixpool. It also defines fixpool::module if that is
# installed and CMake supports modules. fixpool_GDB_PRINTERS is the path of the printers for GDB.
include(CMakeFindDependencyMacro)
if(UNIX OR WIN32) # on bare metal FindThreads fails, or finds a library that is not there
    find_dependency(Threads)
endif()
include("${CMAKE_CURRENT_LIST_DIR}/fixpool-targets.cmake")
if(CMAKE_VERSION VERSION_GREATER_EQUAL 3.28 AND NOT TARGET fixpool::module)
    include("${CMAKE_CURRENT_LIST_DIR}/fixpool-module.cmake" OPTIONAL)
    foreach(setting IN ITEMS CXX_STANDARD CXX_EXTENSIONS) # a module and its importers must agree in these
        if(TARGET fixpool::module AND DEFINED CMAKE_${setting})
            set_target_properties(fixpool::module PROPERTIES ${setting} "${CMAKE_${setting}}")
        endif()
    endforeach()
endif()
get_filename_component(fixpool_GDB_PRINTERS "${CMAKE_CURRENT_LIST_DIR}/../../fixpool/gdb/fixpool.py" ABSOLUTE)
if(NOT EXISTS "${fixpool_GDB_PRINTERS}") # vcpkg moves this file to share/fixpool
    set(fixpool_GDB_PRINTERS "${CMAKE_CURRENT_LIST_DIR}/gdb/fixpool.py")
endif()
