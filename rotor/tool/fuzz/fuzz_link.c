/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzer: the input chooses linked modules, which are run in two ways that must agree. */
#include "rotor/tool/fuzz/check.h"
#include "rotor/tool/fuzz/gen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static uint8_t world[1 << 18];
	unsigned variant;
	size_t world_bytes;

	if (bytes < 2) {
		return 0;
	}
	variant = data[0] | (unsigned)data[1] << 8;
	world_bytes = gen_linked(data + 2, bytes - 2, world, sizeof(world));
	if (world_bytes != 0 && check_linked(world, world_bytes, variant, NULL) == 0) {
		__builtin_trap(); /* every generated module is valid */
	}
	return 0;
}
