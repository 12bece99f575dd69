# fixpool_program(NAME SOURCE...): a program of our own: on the library, with all warnings, and warnings are errors.
# CMAKE_CXX_STANDARD and the like are left alone: what holds for users holds here.
function(fixpool_program name)
    add_executable(${name} ${ARGN})
    target_link_libraries(${name} PRIVATE fixpool::fixpool)
    set_target_properties(${name} PROPERTIES CXX_EXTENSIONS OFF)
    if(MSVC)
        target_compile_options(${name} PRIVATE /W4 /WX)
    else()
        target_compile_options(${name} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror
                               $<$<CXX_COMPILER_ID:Clang,AppleClang>:-Wthread-safety>) # the discipline of locks
    endif()
endfunction()
