# fixpool_expect(NAME name COMMAND command... [EXIT end] [MATCH regex...] [OUTPUT file] [PLACELESS]): a test that runs a
# command in a process of its own. It checks how that ended (a number, "abort" for SIGABRT, or "failure" for anything but 0; 0
# when not said), that what it printed matches every regex, and that it is the file's text. PLACELESS: before
# that, each address becomes `0x...`, and source files lose their folders. CTest alone cannot: it fails what aborts.
set(fixpool_expect_script "${CMAKE_CURRENT_LIST_DIR}/expect.cmake")

function(fixpool_expect)
    cmake_parse_arguments(PARSE_ARGV 0 arg "PLACELESS" "NAME;EXIT;OUTPUT" "COMMAND;MATCH")
    if(NOT DEFINED arg_EXIT)
        set(arg_EXIT 0)
    endif()
    # The script is handed lists as they are, and regular expressions: so they travel in a file.
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
