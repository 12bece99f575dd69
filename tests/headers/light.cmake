# What is dear to compile does not come with memory_pool.hpp.
cmake_minimum_required(VERSION 3.21)
execute_process(COMMAND echo "#include <fixpool/memory_pool.hpp>"
                COMMAND "${COMPILER}" -std=c++20 -M -x c++ "-I${INCLUDE}" - OUTPUT_VARIABLE files COMMAND_ERROR_IS_FATAL ANY)
foreach(heavy IN ITEMS mutex memory iostream memory_resource functional algorithm thread)
    if(files MATCHES "/${heavy}[ \n\\]")
        message(SEND_ERROR "memory_pool.hpp includes <${heavy}>")
    endif()
endforeach()
if(NOT files MATCHES "/span[ \n\\]")
    message(FATAL_ERROR "the list of included files is not as expected:\n${files}")
endif()
message("memory_pool.hpp comes without <mutex>, <memory>, <iostream>, <memory_resource>")
