/* SPDX-License-Identifier: Apache-2.0 */
/* rotor_outcomes FILE...: calls run and hash of each, or of all that are linked in a FILE.link, and prints
 * a line, as v8.mjs does. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rotor/rotor.h"
#include "rotor/tool/fuzz/check.h"

static void print_outcome(const char *name, const struct check_outcome *o)
{
	printf(" %s", name);
	if (o->status == ROTOR_TRAP) {
		printf(" trap:%s", rotor_trap_text((enum rotor_trap)o->trap));
		return;
	}
	if (o->status != ROTOR_DONE) {
		printf(" status:%d", o->status);
		return;
	}
	for (uint32_t i = 0; i < o->count && i < 16; i++) {
		if (o->bits[i] == UINT64_MAX && i >= 2) {
			printf(" nan");
		} else {
			printf(" %" PRIx64, o->bits[i]);
		}
	}
}

static void try_module(const uint8_t *bytes, size_t count)
{
	static const char *const names[] = {"run", "hash"};
	struct check_outcome out[2];
	unsigned n = check_calls(bytes, count, names, 2, out);

	for (unsigned k = 0; k < n; k++) {
		print_outcome(names[k], &out[k]);
	}
	printf(n == 2 ? "\n" : " refused\n");
}

int main(int argc, char **argv)
{
	static uint8_t bytes[1 << 20];

	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "rb");
		size_t count = f != NULL ? fread(bytes, 1, sizeof(bytes), f) : 0;

		if (f != NULL) {
			fclose(f);
		}
		printf("%s:", argv[i]);
		if (strstr(argv[i], ".link") != NULL) {
			check_linked_print(bytes, count);
		} else {
			try_module(bytes, count);
		}
	}
	return 0;
}
