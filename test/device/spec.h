/* SPDX-License-Identifier: Apache-2.0 */
/* The specification's tests on a device: see spec.c. */
#ifndef TEST_DEVICE_SPEC_H
#define TEST_DEVICE_SPEC_H

#include <stddef.h>
#include <stdint.h>

struct spec_counts {
	int passed, failed;
	int left_out; /* commands on modules that the block has no room for */
	uint64_t fuel;
};

/* Runs the commands of a list (list_bytes at list), with everything in block. Prints what fails, beginning with
 * name. 0, or -1 if the list is not one. */
int spec_run(const char *name, const uint8_t *list, size_t list_bytes, void *block,
	     size_t block_bytes, struct spec_counts *out);

#endif
