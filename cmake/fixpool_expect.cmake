# fixpool_expect(NAME name COMMAND command... [EXIT status] [MATCH regex...]): a test that runs a command in a process of
# its own and checks how it ended (a number, "abort" for SIGABRT, or "failure" for anything but 0; 0 when not said) and
# that what it printed matches every regex, in any order. CTest alone cannot: it fails whatever aborts.
set(fixpool_expect_script "${CMAKE_CURRENT_LIST_DIR}/expect.cmake")

function(fixpool_expect)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;EXIT" "COMMAND;MATCH")
    if(NOT DEFINED arg_EXIT)
        set(arg_EXIT 0)
    endif()
    add_test(NAME "${arg_NAME}" COMMAND "${CMAKE_COMMAND}" "-DCOMMAND=${arg_COMMAND}" "-DEXIT=${arg_EXIT}"
             "-DMATCH=${arg_MATCH}" -P "${fixpool_expect_script}" COMMAND_EXPAND_LISTS)
endfunction()
