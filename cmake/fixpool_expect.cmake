# fixpool_expect(NAME name COMMAND command... [EXIT end] [MATCH regex...] [OUTPUT file] [PLACELESS]) adds a test. It runs a command
# in a process of its own, and checks:
# - EXIT: how it ended: a number (default 0), "abort" for SIGABRT, or "failure" for any number but 0.
# - MATCH: what it printed matches each regex.
# - OUTPUT: what it printed is the text of the file.
# PLACELESS: before that, each address becomes `0x...`, and source files lose their folders.
# CTest alone cannot do this: it counts a program that aborts as failed.
set(fixpool_expect_script "${CMAKE_CURRENT_LIST_DIR}/expect.cmake")

function(fixpool_expect)
    cmake_parse_arguments(PARSE_ARGV 0 arg "PLACELESS" "NAME;EXIT;OUTPUT" "COMMAND;MATCH")
    if(NOT DEFINED arg_EXIT)
        set(arg_EXIT 0)
    endif()
    # The script gets its lists and regular expressions in a file: a command line would change them.
    string(MAKE_C_IDENTIFIER "${arg_NAME}" file)
    set(file "${CMAKE_CURRENT_BINARY_DIR}/expect_${file}_$<CONFIG>.cmake")
    file(GENERATE OUTPUT "${file}" CONTENT "set(COMMAND [==[${arg_COMMAND}]==])
set(EXIT [==[${arg_EXIT}]==])
set(MATCH [==[${arg_MATCH}]==])
set(OUTPUT [==[${arg_OUTPUT}]==])
set(PLACELESS [==[${arg_PLACELESS}]==])
include([==[${fixpool_expect_script}]==])
")
    add_test(NAME "${arg_NAME}" COMMAND "${CMAKE_COMMAND}" -P "${file}")
endfunction()
