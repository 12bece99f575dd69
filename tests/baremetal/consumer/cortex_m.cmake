# A toolchain file as firmware projects have them. CPU is the processor, such as cortex-m0.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_CXX_COMPILER arm-none-eabi-g++)
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES CPU)
set(CMAKE_CXX_FLAGS_INIT "-mcpu=${CPU} -mthumb -fno-exceptions -fno-rtti")
set(CMAKE_EXE_LINKER_FLAGS_INIT "--specs=nano.specs --specs=nosys.specs")
