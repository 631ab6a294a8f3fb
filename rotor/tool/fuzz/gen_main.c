/* SPDX-License-Identifier: Apache-2.0 */
/* rotor_gen [--linked] FOLDER FIRST_SEED COUNT: writes random modules as FOLDER/SEED.wasm, or some that
 * are linked as FOLDER/SEED.link. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "rotor/tool/fuzz/gen.h"

enum {
	CHOICES = 6000,
	MODULE_BYTES_MAX = 1 << 20
};

static int write_module(const char *folder, unsigned long seed, const char *kind,
			const uint8_t *bytes, size_t count)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%lu.%s", folder, seed, kind);
	f = fopen(path, "wb");
	if (f == NULL || fwrite(bytes, 1, count, f) != count || fclose(f) != 0) {
		perror(path);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static uint8_t choices[CHOICES], module[MODULE_BYTES_MAX];
	unsigned long first, count;
	int linked = argc > 1 && strcmp(argv[1], "--linked") == 0;

	argc -= linked;
	argv += linked;
	if (argc != 4) {
		fprintf(stderr, "Usage: rotor_gen [--linked] FOLDER FIRST_SEED COUNT\n");
		return 64;
	}
	first = strtoul(argv[2], NULL, 10);
	count = strtoul(argv[3], NULL, 10);
	for (unsigned long seed = first; seed < first + count; seed++) {
		struct prng prng;
		size_t bytes;

		prng_init(&prng, seed);
		for (size_t i = 0; i < CHOICES; i++) {
			choices[i] = (uint8_t)(prng_next(&prng) >> 32);
		}
		bytes = (linked ? gen_linked : gen_module)(choices, CHOICES, module,
							   sizeof(module));
		if (bytes != 0 &&
		    write_module(argv[1], seed, linked ? "link" : "wasm", module, bytes) != 0) {
			return 1;
		}
	}
	return 0;
}
