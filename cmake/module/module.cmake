# fixpool::module, for `import fixpool;`. Each user of an installed module compiles it with their own flags.
if(CMAKE_VERSION VERSION_LESS 3.28 OR NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR CMAKE_CXX_COMPILER_VERSION VERSION_LESS 17)
    message(FATAL_ERROR "FIXPOOL_MODULE needs CMake 3.28 and clang 17 or newer; these are CMake ${CMAKE_VERSION} and "
                        "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}")
endif()
add_library(fixpool_module STATIC)
add_library(fixpool::module ALIAS fixpool_module)
set_target_properties(fixpool_module PROPERTIES EXPORT_NAME module)
target_sources(fixpool_module PUBLIC FILE_SET CXX_MODULES BASE_DIRS cmake/module FILES cmake/module/fixpool.cppm)
target_link_libraries(fixpool_module PUBLIC fixpool::fixpool)

if(FIXPOOL_INSTALL)
    install(TARGETS fixpool_module EXPORT fixpool-module
            FILE_SET CXX_MODULES DESTINATION "${CMAKE_INSTALL_DATADIR}/fixpool/module")
    install(EXPORT fixpool-module NAMESPACE fixpool:: DESTINATION "${CMAKE_INSTALL_DATADIR}/cmake/fixpool"
            CXX_MODULES_DIRECTORY .)
endif()
