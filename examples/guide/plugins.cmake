# The program loads its plug-in by dlopen. Not under a sanitizer, which keeps what is unloaded.
if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux" OR CMAKE_CXX_FLAGS MATCHES "-fsanitize=")
    message(STATUS "guide_plugins is not built: it needs Linux's dlopen, and no sanitizer")
    return()
endif()
add_library(guide_plugin MODULE plugins/plugin.cpp)
target_link_libraries(guide_plugin PRIVATE fixpool::fixpool)
target_compile_options(guide_plugin PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
set_target_properties(guide_plugin PROPERTIES CXX_EXTENSIONS OFF CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)

fixpool_program(guide_plugins plugins.cpp)
target_link_libraries(guide_plugins PRIVATE ${CMAKE_DL_LIBS})
set_target_properties(guide_plugins PROPERTIES ENABLE_EXPORTS ON) # -rdynamic, for exceptions with libc++
fixpool_expect(NAME "guide: plugins" COMMAND "$<TARGET_FILE:guide_plugins>" "$<TARGET_FILE:guide_plugin>"
               OUTPUT "${CMAKE_CURRENT_SOURCE_DIR}/expected/plugins.txt")
