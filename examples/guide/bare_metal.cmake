# The flags of a firmware. On a desktop, the program still has a heap and text of its own.
fixpool_program(guide_bare_metal bare_metal.cpp)
target_compile_definitions(guide_bare_metal PRIVATE FIXPOOL_TRAP=1)
if(NOT MSVC)
    target_compile_options(guide_bare_metal PRIVATE -fno-exceptions -fno-rtti)
endif()
fixpool_expect(NAME "guide: bare_metal" COMMAND "$<TARGET_FILE:guide_bare_metal>"
               OUTPUT "${CMAKE_CURRENT_SOURCE_DIR}/expected/bare_metal.txt")
