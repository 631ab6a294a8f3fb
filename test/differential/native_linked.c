/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linked modules of the fuzzers' generator, some of them compiled in this process: native code and
 * the interpreter call each other.
 *
 *     rotor_native_linked [--seed N] [--count N]
 *
 * Out: the last line is "N passed, N failed". The first difference ends the program, with its seed.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/prng.h"
#include "rotor/rotor.h"
#include "rotor/tool/fuzz/check.h"
#include "rotor/tool/fuzz/gen.h"
#include "rotorc/rotorc.h"
#include "rotorc/target.h"

enum {
	CHOICES = 6000,
	WORLD_BYTES_MAX = 1 << 20,
	PARTS_MAX = 3,
	BLOCK_BYTES = 1 << 20,
	IMAGE_BYTES_MAX = 2 << 20
};

static struct {
	uint8_t *images; /* memory that can be executed: IMAGE_BYTES_MAX for each part */
	unsigned long seed;
	unsigned native; /* bit per part */
	int level;
} t;

/* NULL: it cannot be compiled. */
static const struct rotor_module *compile(unsigned part, const uint8_t *wasm, size_t bytes,
					  uint8_t *block)
{
	const struct rotor_image_policy policy = {.target = rotor_image_target(),
						  .allow_unsigned = true};
	struct rotorc_options options = {.target = rotorc_target_find(rotorc_target_host()),
					 .level = t.level};
	uint8_t *at = t.images + (size_t)part * IMAGE_BYTES_MAX;
	const struct rotor_module *module = NULL;
	struct rotorc_image image;
	struct rotor_diag diag = {.text = ""};
	char why[512];

	if (rotorc_compile(wasm, bytes, &options, &image, why, sizeof(why)) != ROTORC_OK) {
		printf("seed %lu: not compiled: %s\n", t.seed, why);
		return NULL;
	}
	if (image.size <= IMAGE_BYTES_MAX) {
		memcpy(at, image.bytes, image.size);
		if (rotor_load_image(block, BLOCK_BYTES, at, image.size, &policy, &module, &diag) !=
		    ROTOR_OK) {
			printf("seed %lu: the image is refused: %s\n", t.seed, diag.text);
		}
	}
	free(image.bytes);
	return module;
}

static const struct rotor_module *load(unsigned part, const uint8_t *wasm, size_t bytes)
{
	static _Alignas(8) uint8_t blocks[PARTS_MAX][BLOCK_BYTES];
	const struct rotor_module *module = NULL;

	if ((t.native >> part & 1) != 0) {
		return compile(part, wasm, bytes, blocks[part]);
	}
	return rotor_load(blocks[part], BLOCK_BYTES, wasm, bytes, 0, &module, NULL) == ROTOR_OK
		       ? module
		       : NULL;
}

static int try_seed(unsigned long seed)
{
	static const uint8_t levels[] = {2, 2, 1, 3, 0};
	static uint8_t choices[CHOICES], world[WORLD_BYTES_MAX];
	struct prng prng;
	size_t bytes;

	prng_init(&prng, seed);
	for (size_t i = 0; i < CHOICES; i++) {
		choices[i] = (uint8_t)(prng_next(&prng) >> 32);
	}
	bytes = gen_linked(choices, CHOICES, world, sizeof(world));
	t.seed = seed;
	t.native = 1 + (unsigned)(seed % 7);
	t.level = levels[seed % sizeof(levels)];
	return bytes != 0 && check_linked(world, bytes, (unsigned)seed, load) != 0;
}

static void tell_seed(int signal_number)
{
	char text[64];
	int count = snprintf(text, sizeof(text), "seed %lu, native %u, level %d\n", t.seed,
			     t.native, t.level);

	if (write(STDERR_FILENO, text, (size_t)count) == count) {
		signal(signal_number, SIG_DFL);
	}
	_exit(1);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"seed", required_argument, NULL, 's'},
						{"count", required_argument, NULL, 'n'},
						{NULL, 0, NULL, 0}};
	unsigned long first = 1, count = 300, passed = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?') {
			fputs("rotor_native_linked [--seed N] [--count N]\n", stderr);
			return 64;
		}
		*(c == 's' ? &first : &count) = strtoul(optarg, NULL, 10);
	}
	t.images = mmap(NULL, (size_t)PARTS_MAX * IMAGE_BYTES_MAX,
			PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (t.images == MAP_FAILED) {
		perror("mmap");
		return 71;
	}
	signal(SIGABRT, tell_seed);
	signal(SIGSEGV, tell_seed);
	for (unsigned long i = 0; i < count; i++) {
		passed += (unsigned long)try_seed(first + i);
	}
	printf("%lu passed, %lu failed\n", passed, count - passed);
	return passed != count;
}
