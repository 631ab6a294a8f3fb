/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"
#include "test/engine/interrupt_load.h"

const struct rotor_module *interrupt_load(void *block, size_t block_bytes, const uint8_t *wasm,
					  size_t wasm_bytes)
{
	const struct rotor_module *module;

	ASSERT(rotor_load(block, block_bytes, wasm, wasm_bytes, 0, &module, NULL) == ROTOR_OK);
	return module;
}
