/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzer: the input chooses a valid program, which is run in two ways that must agree. */
#include "rotor/tool/fuzz/check.h"
#include "rotor/tool/fuzz/gen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static uint8_t module[1 << 18];
	unsigned variant;
	size_t module_bytes;

	if (bytes < 2) {
		return 0;
	}
	variant = data[0] | (unsigned)data[1] << 8;
	module_bytes = gen_module(data + 2, bytes - 2, module, sizeof(module));
	if (module_bytes != 0 && check_run(module, module_bytes, variant) == 0) {
		__builtin_trap(); /* every generated module is valid */
	}
	return 0;
}
