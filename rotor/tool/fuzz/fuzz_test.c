/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzzers do, without them: the kept corpus, and some random programs. */
#include <dirent.h>
#include <stdlib.h>

#include "base/prng.h"
#include "rotor/tool/fuzz/check.h"
#include "rotor/tool/fuzz/gen.h"
#include "test/test.h"

#define CORPUS "rotor/tool/fuzz/corpus"

/* Reads a file of the corpus; 0 if it cannot be read. */
static size_t read_file(const char *name, uint8_t *out, size_t cap)
{
	char path[512];
	size_t bytes;
	FILE *f;

	snprintf(path, sizeof(path), CORPUS "/%s", name);
	f = fopen(path, "rb");
	if (f == NULL) {
		return 0;
	}
	bytes = fread(out, 1, cap, f);
	fclose(f);
	return bytes;
}

TEST(the_corpus_harms_nothing)
{
	static uint8_t bytes[1 << 16];
	DIR *dir = opendir(CORPUS);
	unsigned count = 0;

	EXPECT(dir != NULL);
	for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
		size_t n = entry->d_name[0] != '.' ? read_file(entry->d_name, bytes, sizeof(bytes))
						   : 0;

		for (unsigned variant = 0; n != 0 && variant < 3; variant++) {
			(void)check_run(bytes, n, variant * 12345 + 1);
		}
		count += n != 0;
	}
	EXPECT(count > 10);
	if (dir != NULL) {
		closedir(dir);
	}
}

/* The same valid modules, with bytes changed here and there. */
static void damage(struct prng *prng, uint8_t *bytes, size_t count)
{
	for (unsigned i = prng_below(prng, 4) + 1; i != 0; i--) {
		bytes[8 + prng_below(prng, (uint32_t)count - 8)] = (uint8_t)prng_next(prng);
	}
}

TEST(random_programs_do_the_same_in_any_way)
{
	static uint8_t module[1 << 16];
	uint8_t choices[2000];
	struct prng prng;

	for (unsigned seed = 1; seed <= 120; seed++) {
		size_t bytes;

		prng_init(&prng, seed * 1000003u);
		for (size_t i = 0; i < sizeof(choices); i++) {
			choices[i] = (uint8_t)(prng_next(&prng) >> 32);
		}
		bytes = gen_module(choices, sizeof(choices), module, sizeof(module));
		EXPECT(bytes != 0);
		if (check_run(module, bytes, seed) == 0) {
			TEST_FAIL("program %u is refused", seed);
		}
		for (unsigned i = 0; i < 20; i++) {
			damage(&prng, module, bytes);
			(void)check_load(module, bytes, i);
		}
	}
}

TEST_MAIN(T(the_corpus_harms_nothing) T(random_programs_do_the_same_in_any_way))
