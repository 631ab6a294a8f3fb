/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE

#include <sys/mman.h>

#include "base/base.h"
#include "rotorc/rotorc.h"
#include "rotorc/target.h"
#include "test/engine/interrupt_load.h"

/* Images stay for the whole run. */
const struct rotor_module *interrupt_load(void *block, size_t block_bytes, const uint8_t *wasm,
					  size_t wasm_bytes)
{
	struct rotorc_options options = {.target = rotorc_target_find(rotorc_target_host()),
					 .level = 2};
	struct rotor_image_policy policy = {.target = rotor_image_target(), .allow_unsigned = true};
	const struct rotor_module *module;
	struct rotorc_image image;
	char why[256];
	void *code;

	ASSERT(rotorc_compile(wasm, wasm_bytes, &options, &image, why, sizeof(why)) == ROTORC_OK);
	code = mmap(NULL, image.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT(code != MAP_FAILED);
	memcpy(code, image.bytes, image.size);
	ASSERT(mprotect(code, image.size, PROT_READ | PROT_EXEC) == 0);
	ASSERT(rotor_load_image(block, block_bytes, code, image.size, &policy, &module, NULL) ==
	       ROTOR_OK);
	return module;
}
