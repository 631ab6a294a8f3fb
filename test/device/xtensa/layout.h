/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of the emulated Xtensa core, for C and assembly: one page of 1 MB, then one of 128 MB, both in a row. */
#ifndef TEST_DEVICE_XTENSA_LAYOUT_H
#define TEST_DEVICE_XTENSA_LAYOUT_H

#define BOARD_MEMORY     0x27f00000
#define BOARD_REST       0x28000000
#define BOARD_PAGE_BYTES 0x00100000
#define BOARD_PHYSICAL   0x20000000 /* less than the address in memory by so much */

#endif
