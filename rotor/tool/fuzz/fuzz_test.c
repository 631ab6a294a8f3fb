/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzzers do, without them: the kept corpus, and some random programs. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "rotor/tool/fuzz/check.h"
#include "rotor/tool/fuzz/gen.h"
#include "test/test.h"

/* What fuzz_load takes: modules; what fuzz_run takes: two bytes, then choices. */
#define CORPUS     "rotor/tool/fuzz/corpus"
#define CORPUS_RUN "rotor/tool/fuzz/corpus_run"

/* Reads a file of a corpus; 0 if it cannot be read. */
static size_t read_file(const char *folder, const char *name, uint8_t *out, size_t cap)
{
	char path[512];
	size_t bytes;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "rb");
	if (f == NULL) {
		return 0;
	}
	bytes = fread(out, 1, cap, f);
	fclose(f);
	return bytes;
}

/* In memory of exactly its size, so that a sanitizer sees what is read behind it. */
static void try_module(const uint8_t *bytes, size_t count)
{
	uint8_t *exact = malloc(count);

	EXPECT(exact != NULL);
	memcpy(exact, bytes, count);
	for (unsigned variant = 0; variant < 3; variant++) {
		(void)check_run(exact, count, variant * 12345 + 1);
	}
	free(exact);
}

static void try_choices(const uint8_t *bytes, size_t count)
{
	static uint8_t module[1 << 18];
	size_t module_bytes = gen_module(bytes + 2, count - 2, module, sizeof(module));

	EXPECT(module_bytes != 0);
	EXPECT(check_run(module, module_bytes, bytes[0] | (unsigned)bytes[1] << 8) != 0);
}

/* Tries each file of a folder; returns how many there were. */
static unsigned try_all(const char *folder, void (*try_one)(const uint8_t *bytes, size_t count))
{
	static uint8_t bytes[1 << 16];
	DIR *dir = opendir(folder);
	unsigned count = 0;

	EXPECT(dir != NULL);
	for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
		size_t n = entry->d_name[0] != '.'
				   ? read_file(folder, entry->d_name, bytes, sizeof(bytes))
				   : 0;

		if (n > 2) {
			try_one(bytes, n);
			count++;
		}
	}
	if (dir != NULL) {
		closedir(dir);
	}
	return count;
}

TEST(the_corpus_harms_nothing)
{
	EXPECT(try_all(CORPUS, try_module) > 10);
	EXPECT(try_all(CORPUS_RUN, try_choices) > 10);
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

TEST(linked_random_programs_do_the_same_in_any_way)
{
	static uint8_t world[1 << 17];
	uint8_t choices[4000];
	struct prng prng;

	for (unsigned seed = 1; seed <= 300; seed++) {
		size_t bytes;

		prng_init(&prng, seed);
		for (size_t i = 0; i < sizeof(choices); i++) {
			choices[i] = (uint8_t)(prng_next(&prng) >> 32);
		}
		bytes = gen_linked(choices, sizeof(choices), world, sizeof(world));
		EXPECT(bytes != 0);
		if (check_linked(world, bytes, seed, NULL) == 0) {
			TEST_FAIL("program %u is refused", seed);
		}
	}
}

TEST_MAIN(T(the_corpus_harms_nothing) T(random_programs_do_the_same_in_any_way)
		  T(linked_random_programs_do_the_same_in_any_way))
