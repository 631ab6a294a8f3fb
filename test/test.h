/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unit-test harness: include it in one test program, list the tests in TEST_MAIN.
 *
 *     TEST(adds) { EXPECT_EQ(1 + 1, 2); }
 *     TEST_MAIN(T(adds))
 *
 * A test goes on after a failed EXPECT, and is counted once. The last line printed is
 * "N passed, N failed"; the exit status is 1 if any test failed. An argument selects tests by name.
 */
#ifndef TEST_TEST_H
#define TEST_TEST_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int test_failed_here;

struct test_case {
	const char *name;
	void (*run)(void);
};

#define TEST_FAIL(...)                                                                             \
	do {                                                                                       \
		test_failed_here = 1;                                                              \
		printf("%s:%d: ", __FILE__, __LINE__);                                             \
		printf(__VA_ARGS__);                                                               \
		printf("\n");                                                                      \
	} while (0)

#define EXPECT(cond)                                                                               \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			TEST_FAIL("expected %s", #cond);                                           \
		}                                                                                  \
	} while (0)

#define EXPECT_EQ(got, want)                                                                       \
	do {                                                                                       \
		long long got_ = (long long)(got), want_ = (long long)(want);                      \
		if (got_ != want_) {                                                               \
			TEST_FAIL("%s is %lld, expected %lld", #got, got_, want_);                 \
		}                                                                                  \
	} while (0)

#define EXPECT_STR(got, want)                                                                      \
	do {                                                                                       \
		const char *got_ = (got), *want_ = (want);                                         \
		if (strcmp(got_, want_) != 0) {                                                    \
			TEST_FAIL("%s is \"%s\", expected \"%s\"", #got, got_, want_);             \
		}                                                                                  \
	} while (0)

#define TEST(name) static void test_##name(void)

static int test_main(const struct test_case *cases, int argc, char **argv)
{
	int passed = 0, failed = 0;

	for (const struct test_case *c = cases; c->name != NULL; c++) {
		if (argc > 1 && strstr(c->name, argv[1]) == NULL) {
			continue;
		}
		test_failed_here = 0;
		c->run();
		if (test_failed_here) {
			failed++;
			printf("FAIL %s\n", c->name);
		} else {
			passed++;
		}
	}
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}

#define TEST_CASE_(name) {#name, test_##name},
#define TEST_LIST_(...)                                                                            \
	__VA_ARGS__                                                                                \
	{                                                                                          \
		0, 0                                                                               \
	}
/* Names the tests: TEST_MAIN(T(adds) T(subtracts)). */
#define T(name) TEST_CASE_(name)
#define TEST_MAIN(list)                                                                            \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		static const struct test_case cases[] = {TEST_LIST_(list)};                        \
		return test_main(cases, argc, argv);                                               \
	}

#endif
