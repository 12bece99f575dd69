# fixpool_program(NAME SOURCE...) adds a program that uses the library. All warnings are on, and they are errors. It
# does not set CMAKE_CXX_STANDARD or the like, as users need not set them.
function(fixpool_program name)
    add_executable(${name} ${ARGN})
    target_link_libraries(${name} PRIVATE fixpool::fixpool)
    set_target_properties(${name} PROPERTIES CXX_EXTENSIONS OFF)
    if(MSVC)
        target_compile_options(${name} PRIVATE /W4 /WX)
    else()
        target_compile_options(${name} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror
                               $<$<CXX_COMPILER_ID:Clang,AppleClang>:-Wthread-safety>) # proves the use of locks
    endif()
endfunction()
