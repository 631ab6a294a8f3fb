/* SPDX-License-Identifier: Apache-2.0 */
/* An ordinary C program with the C library of its toolchain (wasi-libc): arguments, environment,
 * standard output, exit status. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(int argc, char **argv)
{
	const char *greeting = getenv("GREETING");

	printf("%s from %s\n", greeting ? greeting : "hello", argc > 0 ? argv[0] : "nobody");
	if (argc < 2) {
		printf("give me words to sort\n");
		return 1;
	}
	qsort(argv + 1, (size_t)argc - 1, sizeof(argv[0]), compare);
	for (int i = 1; i < argc; i++) {
		printf("%d %s\n", i, argv[i]);
	}
	return 0;
}
