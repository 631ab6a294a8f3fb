# SPDX-License-Identifier: Apache-2.0
# WAMR's Zephyr module leaves it to the application to say how it is built.
set(ZEPHYR_WASM_MICRO_RUNTIME_CMAKE_DIR ${CMAKE_CURRENT_LIST_DIR}/wamr)
set(ZEPHYR_WASM_MICRO_RUNTIME_KCONFIG ${CMAKE_CURRENT_LIST_DIR}/wamr/Kconfig)
