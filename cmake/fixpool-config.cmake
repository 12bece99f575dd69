# Found by find_package(fixpool): defines fixpool::fixpool, and fixpool::module where it was installed and CMake knows modules.
include(CMakeFindDependencyMacro)
if(UNIX OR WIN32) # elsewhere, as on bare metal, FindThreads fails, or finds a library that is not there
    find_dependency(Threads)
endif()
include("${CMAKE_CURRENT_LIST_DIR}/fixpool-targets.cmake")
if(CMAKE_VERSION VERSION_GREATER_EQUAL 3.28 AND NOT TARGET fixpool::module)
    include("${CMAKE_CURRENT_LIST_DIR}/fixpool-module.cmake" OPTIONAL)
    foreach(setting IN ITEMS CXX_STANDARD CXX_EXTENSIONS) # a module and who imports it must agree in these
        if(TARGET fixpool::module AND DEFINED CMAKE_${setting})
            set_target_properties(fixpool::module PROPERTIES ${setting} "${CMAKE_${setting}}")
        endif()
    endforeach()
endif()
