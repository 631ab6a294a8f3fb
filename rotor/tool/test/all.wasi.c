/* A program with wasi-libc unmodified: stdio, malloc, strings, math, qsort, argv; its output is the same as native. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int by_value(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

static void sorting(void)
{
	int values[500];
	unsigned seed = 7, sum = 0;

	for (int i = 0; i < 500; i++) {
		seed = seed * 1664525 + 1013904223;
		values[i] = (int)(seed >> 8) % 10000;
	}
	qsort(values, 500, sizeof(int), by_value);
	for (int i = 0; i < 500; i++) {
		sum = sum * 31 + (unsigned)values[i];
	}
	int key = values[123], *hit = bsearch(&key, values, 500, sizeof(int), by_value);
	printf("sorted %u %d %d\n", sum, values[0] <= values[1], *hit == key);
}

static void maths(void)
{
	printf("%.12f %.12f %.12f\n", sin(1), cos(2), tan(0.5));
	printf("%.12f %.12f %.12f\n", exp(1.5), log(10), pow(2, 0.5));
	printf("%.12f %.12f %g %g\n", sqrt(2), fmod(10, 3), floor(-1.5), ceil(1.2));
	printf("%d %d %g %g\n", isnan(NAN), isinf(INFINITY), INFINITY, -INFINITY);
	printf("%.3Lf\n", (long double)1 / 3);
}

static void strings(void)
{
	char text[] = "one,two;three four", *save, *copy = strdup("copied");

	for (char *t = strtok_r(text, ",; ", &save); t != NULL; t = strtok_r(NULL, ",; ", &save)) {
		printf("<%s>", t);
	}
	printf(" %s %s\n", copy, strrchr("a/b/c", '/'));
	free(copy);
	char number[32];
	int n = 0;
	double d = 0;
	snprintf(number, sizeof(number), "%d %s", 77, "3.25");
	printf("%d", sscanf(number, "%d %lf", &n, &d));
	printf(" %d %g %g %ld\n", n, d, strtod("1e-3x", NULL), strtol("zz", NULL, 36));
}

static void memory(void)
{
	unsigned sum = 0;
	void *kept[64] = {0};

	for (unsigned i = 0; i < 5000; i++) {
		unsigned k = i * 2654435761u >> 26;

		free(kept[k]);
		kept[k] = malloc(i % 3000 + 1);
		memset(kept[k], (int)i, i % 3000 + 1);
		sum += *(unsigned char *)kept[k];
	}
	char *big = calloc(1, 3000000);
	big[2999999] = 5;
	printf("memory %u %d %d\n", sum, big[2999999], big[1000]);
}

static void at_the_end(void)
{
	printf("bye\n");
}

int main(int argc, char **argv)
{
	printf("%d %s %s\n", argc, argv[1], argv[2]);
	sorting();
	maths();
	strings();
	memory();
	printf("%d %d\n", getenv("NO_SUCH_VARIABLE") == NULL, time(NULL) > 1500000000);
	struct timespec ts = {0, 2000000}, before, after;
	clock_gettime(CLOCK_MONOTONIC, &before);
	nanosleep(&ts, NULL);
	clock_gettime(CLOCK_MONOTONIC, &after);
	printf("slept %d\n",
	       (after.tv_sec - before.tv_sec) * 1000000000ll + after.tv_nsec - before.tv_nsec >=
		       2000000);
	printf("%" PRId64 " %d %s\n", INT64_MIN, (int)sizeof(intmax_t),
	       strerror(EINVAL) != NULL ? "error" : "");
	FILE *f = fopen("/no/such/file", "r");
	printf("%d\n", f == NULL);
	fprintf(stderr, "to stderr\n");
	atexit(at_the_end);
	exit(33);
}
