# SPDX-License-Identifier: Apache-2.0
# An Xtensa LX7 with register windows: QEMU's machine "sim" with the core de233_fpu, simcalls, picolibc; xtensa/cc compiles.
# Memory: 8 MB for the program at 1 MB; 96 MB at 0x27f00000 are board_xtensa.c's.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR xtensa)
set(CMAKE_C_COMPILER ${CMAKE_CURRENT_LIST_DIR}/xtensa/cc)
set(CMAKE_ASM_COMPILER ${CMAKE_C_COMPILER})
set(CMAKE_AR xtensa-lx106-elf-ar CACHE FILEPATH "")
set(CMAKE_RANLIB xtensa-lx106-elf-ranlib CACHE FILEPATH "")
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(PROPLET_BOARD xtensa)
set(CMAKE_C_FLAGS_INIT "-Wno-format")
set(CMAKE_EXE_LINKER_FLAGS_INIT "--runtime=${CMAKE_BINARY_DIR}/xtensa-runtime")
set(CMAKE_CROSSCOMPILING_EMULATOR ${CMAKE_CURRENT_LIST_DIR}/emulate xtensa)
get_property(trial GLOBAL PROPERTY IN_TRY_COMPILE)
if(NOT trial)
  execute_process(COMMAND ${CMAKE_C_COMPILER} --runtime ${CMAKE_BINARY_DIR}/xtensa-runtime COMMAND_ERROR_IS_FATAL ANY)
endif()
