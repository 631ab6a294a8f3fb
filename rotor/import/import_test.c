/* SPDX-License-Identifier: Apache-2.0 */
/* libc against the C library here. */
#include <ctype.h>
#include <strings.h>

#include "base/prng.h"
#include "rotor/import/instance_test.h"

TEST(tables_have_whole_rows)
{
	const struct rotor_host_func *tables[] = {rotor_libc, rotor_wasi};

	for (unsigned t = 0; t < 2; t++) {
		for (const struct rotor_host_func *f = tables[t]; f->name != NULL; f++) {
			EXPECT(f->fn != NULL && f->module != NULL);
			EXPECT_EQ(strspn(f->type, "iIfF"), strcspn(f->type, ")"));
		}
	}
}

TEST(printf_reads_its_arguments)
{
	uint32_t format = 100, list = 1004;
	double f = 3.14159;

	fresh();
	put(format, "%d %s %lld %.2f %c %x %5u|%hhd %zu\n");
	put(200, "text");
	put_u32(list, (uint32_t)-5);
	put_u32(list + 4, 200);
	base_store_u64(instance.memory + 1016, (uint64_t)-1234567890123);
	memcpy(instance.memory + 1024, &f, 8);
	put_u32(1032, 'x');
	put_u32(1036, 0xBEEF);
	put_u32(1040, 42);
	put_u32(1044, 0x1FF);
	put_u32(1048, 0xFFFFFFFF);
	EXPECT_EQ(CALL("printf", format, list), 55);
	EXPECT_STR(my.out, "-5 text -1234567890123 3.14 x beef    42|-1 4294967295\n");
	EXPECT_EQ(CALL("snprintf", 3000, 8, format, list), 55);
	EXPECT_STR(text_at(3000), "-5 text");
	EXPECT_EQ(CALL("snprintf", 0, 0, format, list), 55);
	EXPECT_EQ(CALL("sprintf", 3000, format, list), 55);
	EXPECT_STR(text_at(3000), my.out);
}

TEST(printf_long_double_and_count)
{
	fresh();
	put(100, "%Lg %n%d");
	base_store_u64(instance.memory + 1008, 0);
	base_store_u64(instance.memory + 1016, 0x4000921FB54442D1);
	put_u32(1024, 500);
	put_u32(1028, 7);
	put_u32(500, 99);
	CALL("printf", 100, 1004);
	EXPECT_EQ(how, ROTOR_HOST_DONE);
	EXPECT_STR(my.out, "3.14159 7");
	EXPECT_EQ(get_u32(500), 8);
}

TEST(printf_refuses_bad_pointers)
{
	fresh();
	put(100, "%s");
	EXPECT_TRAP(CALL("printf", 70000, 0), ROTOR_TRAP_MEMORY);
	EXPECT_STR(instance.detail, "printf: bad pointer 0x11170");
	EXPECT_TRAP(CALL("printf", 100, 65534), ROTOR_TRAP_MEMORY);
	put_u32(200, 0xFFFFFFF0);
	EXPECT_TRAP(CALL("printf", 100, 200), ROTOR_TRAP_MEMORY);
	memset(instance.memory + 65000, 'x', 536);
	put_u32(200, 65000);
	EXPECT_TRAP(CALL("printf", 100, 200), ROTOR_TRAP_MEMORY);
	put(100, "%.10s");
	CALL("printf", 100, 200);
	EXPECT_EQ(how, ROTOR_HOST_DONE);
	EXPECT_STR(my.out, "xxxxxxxxxx");
	put(100, "0123456789");
	EXPECT_TRAP(CALL("sprintf", 65530, 100, 200), ROTOR_TRAP_MEMORY);
	EXPECT_TRAP(CALL("snprintf", 65530, 11, 100, 200), ROTOR_TRAP_MEMORY);
	EXPECT_EQ(CALL("snprintf", 65530, 6, 100, 200), 10);
	EXPECT_STR(text_at(65530), "01234");
	put(100, "%99999d");
	EXPECT_EQ(CALL("printf", 100, 200), UINT32_MAX);
}

TEST(output_can_be_refused)
{
	fresh();
	put(100, "hello");
	my.refuse = true;
	EXPECT_TRAP(CALL("puts", 100), ROTOR_TRAP_HOST);
	EXPECT_TRAP(CALL("printf", 100, 0), ROTOR_TRAP_HOST);
	EXPECT_TRAP(CALL("putchar", 'x'), ROTOR_TRAP_HOST);
	my.refuse = false;
	CALL("puts", 100);
	EXPECT_EQ(CALL("putchar", 'x'), 'x');
	EXPECT_STR(my.out, "hello\nx");
}

static int sign_of(int v)
{
	return (v > 0) - (v < 0);
}

TEST(strings_like_libc)
{
	static const char *const texts[] = {"",     "a",      "abc",    "abcabd", "ABC",
					    "abcd", "hello.", "l",      "lo",     "llo h",
					    "\xff", "a\xff",  "xyzabc", "bc"};
	const uint32_t a = 1000, b = 2000;

	fresh();
	for (unsigned i = 0; i < BASE_COUNT(texts); i++) {
		for (unsigned k = 0; k < BASE_COUNT(texts); k++) {
			const char *s = texts[i], *t = texts[k], *hit = strstr(s, t);
			uint32_t n = (uint32_t)k % 5;

			put(a, s);
			put(b, t);
			EXPECT_EQ(CALL("strlen", a), strlen(s));
			EXPECT_EQ(CALL("strnlen", a, n), strnlen(s, n));
			EXPECT_EQ(sign_of((int)CALL("strcmp", a, b)), sign_of(strcmp(s, t)));
			EXPECT_EQ(sign_of((int)CALL("strncmp", a, b, n)),
				  sign_of(strncmp(s, t, n)));
			EXPECT_EQ(sign_of((int)CALL("strcasecmp", a, b)),
				  sign_of(strcasecmp(s, t)));
			EXPECT_EQ(sign_of((int)CALL("strncasecmp", a, b, n)),
				  sign_of(strncasecmp(s, t, n)));
			EXPECT_EQ(CALL("strspn", a, b), strspn(s, t));
			EXPECT_EQ(CALL("strcspn", a, b), strcspn(s, t));
			EXPECT_EQ(CALL("strstr", a, b), hit != NULL ? a + (hit - s) : 0);
			hit = strchr(s, t[0]);
			EXPECT_EQ(CALL("strchr", a, (uint8_t)t[0]),
				  hit != NULL ? a + (hit - s) : 0);
			hit = strrchr(s, t[0]);
			EXPECT_EQ(CALL("strrchr", a, (uint8_t)t[0]),
				  hit != NULL ? a + (hit - s) : 0);
			hit = memchr(s, t[0], strlen(s));
			EXPECT_EQ(CALL("memchr", a, (uint8_t)t[0], (uint32_t)strlen(s)),
				  hit != NULL ? a + (hit - s) : 0);
		}
	}
}

/* Strings of few letters, whose beginnings come again and again. */
static void few_letters(struct prng *prng, char *text, uint32_t max)
{
	uint32_t bytes = prng_below(prng, max), letters = 1 + prng_below(prng, 3);

	for (uint32_t i = 0; i < bytes; i++) {
		text[i] = (char)('a' + prng_below(prng, letters));
	}
	text[bytes] = 0;
}

TEST(strstr_like_libc)
{
	char s[64], find[16];
	struct prng prng;

	fresh();
	prng_init(&prng, 4);
	for (unsigned i = 0; i < 30000; i++) {
		const char *hit;

		few_letters(&prng, s, 60);
		few_letters(&prng, find, 2 + i % 14);
		hit = strstr(s, find);
		put(1000, s);
		put(2000, find);
		if (CALL("strstr", 1000, 2000) != (hit != NULL ? 1000 + (uint32_t)(hit - s) : 0)) {
			TEST_FAIL("strstr(\"%s\", \"%s\") is %u", s, find, cells[0]);
			return;
		}
	}
}

TEST(work_is_charged)
{
	fresh();
	memset(instance.memory + 1000, 'a', 30000);
	charged = 0;
	CALL("memset", 40000, 1, 6400);
	EXPECT_EQ(charged, 100);
	charged = 0;
	CALL("strlen", 1000);
	EXPECT_EQ(charged, 30000 / 16);
	charged = 0;
	put(100, "%5000d");
	CALL("snprintf", 0, 0, 100, 200);
	EXPECT_EQ(charged, 5000 / 2);
	charged = 0;
	CALL("isalpha", 'x');
	EXPECT_EQ(charged, 0);
}

/* Texts that take several steps, whose interesting places are at their ends. */
TEST(long_texts_like_libc)
{
	enum {
		BYTES = 16384 + 5000
	};
	static char s[2 * BYTES], set[] = "ab";
	static uint8_t mirror[MEMORY_BYTES];
	struct prng prng;

	fresh();
	prng_init(&prng, 9);
	for (uint32_t n = BYTES - 20; n < BYTES; n++) {
		const uint32_t a = 100, b = a + BYTES + 7;

		for (uint32_t i = 0; i < n; i++) {
			s[i] = (char)('a' + prng_below(&prng, 2));
		}
		s[n] = 0;
		s[n - 1] = s[n / 2] = 'z';
		put(a, s);
		EXPECT_EQ(CALL("strlen", a), n);
		EXPECT_EQ(CALL("strnlen", a, n - 3), n - 3);
		EXPECT_EQ(CALL("strchr", a, 'x'), 0);
		EXPECT_EQ(CALL("strchr", a, 0), a + n);
		EXPECT_EQ(CALL("strrchr", a, 'z'), a + n - 1);
		EXPECT_EQ(CALL("memchr", a, 0, n + 1), a + n);
		EXPECT_EQ(CALL("strspn", a, put(50, set)), n / 2);
		EXPECT_EQ(CALL("strstr", a, put(50, s + n - 40)), a + (strstr(s, s + n - 40) - s));
		EXPECT_EQ(CALL("strstr", a, put(50, "zz")), 0);
		EXPECT_EQ(CALL("stpcpy", b, a), b + n);
		EXPECT_STR(text_at(b), s);
		EXPECT_EQ(CALL("strcmp", a, b), 0);
		EXPECT_EQ(CALL("memcmp", a, b, n), 0);
		instance.memory[b + n - 1]++;
		EXPECT(CALL("strcasecmp", a, b) > INT32_MAX);
		EXPECT(CALL("memcmp", a, b, n) > INT32_MAX);
		EXPECT_EQ(CALL("strncmp", a, b, n - 1), 0);
		memset(instance.memory + b, 'x', BYTES + 4);
		EXPECT_EQ(CALL("strncpy", b, a, BYTES), b);
		EXPECT_EQ(strlen(text_at(b)), n);
		EXPECT_EQ(instance.memory[b + BYTES - 1], 0);
		EXPECT_EQ(instance.memory[b + BYTES], 'x');
		EXPECT_EQ(CALL("strcat", b, a), b);
		EXPECT_EQ(CALL("strncat", b, a, 100), b);
		EXPECT_EQ(strlen(text_at(b)), 2 * n + 100);
		EXPECT_EQ(memcmp(text_at(b + n), s, n) + memcmp(text_at(b + 2 * n), s, 100), 0);
		for (uint32_t i = 0; i < MEMORY_BYTES; i++) {
			instance.memory[i] = (uint8_t)prng_below(&prng, 256);
		}
		uint32_t to = prng_below(&prng, 40000), from = prng_below(&prng, 40000);

		memcpy(mirror, instance.memory, MEMORY_BYTES);
		memmove(mirror + to, mirror + from, n);
		EXPECT_EQ(CALL("memmove", to, from, n), to);
		memset(mirror + from, 7, n);
		EXPECT_EQ(CALL("memset", from, 7, n), from);
		EXPECT_EQ(memcmp(mirror, instance.memory, MEMORY_BYTES), 0);
	}
}

TEST(long_blocks_of_the_heap)
{
	uint32_t at, other;

	fresh();
	instance.heap_bytes = MEMORY_BYTES - HEAP_AT;
	memset(instance.memory + 20, 'a', 16500);
	at = CALL("strdup", 20);
	EXPECT(at > HEAP_AT);
	EXPECT_EQ(strcmp(text_at(at), text_at(20)), 0);
	CALL("free", at);
	memset(instance.memory + at + 100, 1, 17000);
	at = CALL("calloc", 1, 17000);
	EXPECT(at > HEAP_AT);
	EXPECT_EQ(instance.memory[at] + memcmp(text_at(at), text_at(at + 1), 16999), 0);
	CALL("free", at);
	at = CALL("malloc", 12000);
	other = CALL("malloc", 10);
	EXPECT(other != 0);
	memset(instance.memory + at, 5, 12000);
	other = CALL("realloc", at, 18000);
	EXPECT(other != at && other != 0);
	EXPECT_EQ(instance.memory[other + 11999], 5);
	EXPECT(CALL("malloc", 11000) == at);
}

TEST(what_is_one_step_has_a_limit)
{
	fresh();
	memset(instance.memory + 1000, ' ', 20000);
	EXPECT_TRAP(CALL("atoi", 1000), ROTOR_TRAP_MEMORY);
	EXPECT_EQ(CALL("snprintf", 0, 0, 1000, 100), UINT32_MAX);
	put(100, "%60000d%60000d%60000d%d");
	EXPECT_EQ(CALL("snprintf", 0, 0, 100, 200), UINT32_MAX);
	put(100, "%60000d%60000d%d");
	EXPECT_EQ(CALL("snprintf", 0, 0, 100, 200), 120001);
}

TEST(copies)
{
	fresh();
	put(1000, "hello");
	EXPECT_EQ(CALL("strcpy", 2000, 1000), 2000);
	EXPECT_STR(text_at(2000), "hello");
	EXPECT_EQ(CALL("strcat", 2000, 1000), 2000);
	EXPECT_STR(text_at(2000), "hellohello");
	EXPECT_EQ(CALL("strncat", 2000, 1000, 2), 2000);
	EXPECT_STR(text_at(2000), "hellohellohe");
	EXPECT_EQ(CALL("stpcpy", 2000, 1000), 2005);
	memset(instance.memory + 3000, 'x', 10);
	EXPECT_EQ(CALL("strncpy", 3000, 1000, 8), 3000);
	EXPECT_EQ(memcmp(instance.memory + 3000, "hello\0\0\0xx", 10), 0);
	EXPECT_EQ(CALL("memcpy", 4000, 1000, 6), 4000);
	EXPECT_STR(text_at(4000), "hello");
	EXPECT_EQ(CALL("memmove", 4001, 4000, 6), 4001);
	EXPECT_STR(text_at(4000), "hhello");
	EXPECT_EQ(CALL("memset", 4000, 0x141, 3), 4000);
	EXPECT_STR(text_at(4000), "AAAllo");
	EXPECT_EQ(CALL("memcmp", 4000, 4001, 2), 0);
	EXPECT_EQ(CALL("memcmp", 70000, 80000, 0), 0);
	EXPECT_TRAP(CALL("memcpy", 65530, 0, 7), ROTOR_TRAP_MEMORY);
	EXPECT_TRAP(CALL("memset", 0xFFFFFFFF, 0, 1), ROTOR_TRAP_MEMORY);
	EXPECT_TRAP(CALL("strcpy", 65533, 1000), ROTOR_TRAP_MEMORY);
	EXPECT_TRAP(CALL("strlen", 65537), ROTOR_TRAP_MEMORY);
	memset(instance.memory + 65500, 'x', 36);
	EXPECT_TRAP(CALL("strlen", 65500), ROTOR_TRAP_MEMORY);
	EXPECT_TRAP(CALL("strcmp", 65500, 65500), ROTOR_TRAP_MEMORY);
	EXPECT_TRAP(CALL("strncpy", 1000, 65500, 37), ROTOR_TRAP_MEMORY);
	EXPECT_EQ(CALL("strncmp", 65500, 65500, 36), 0);
}

TEST(numbers_like_libc)
{
	static const char *const texts[] = {"0",
					    "42",
					    "-42",
					    "  +7 x",
					    "0x1f",
					    "0x",
					    "0xg",
					    "010",
					    "2147483647",
					    "2147483648",
					    "-1",
					    "-2147483648",
					    "zz",
					    "",
					    "-",
					    "9999999999999999999999",
					    "-9999999999999999999999",
					    "1e5",
					    "-2147483649",
					    "4294967295",
					    "4294967296",
					    "-4294967295"};
	static const int bases[] = {0, 10, 16, 8, 2, 36};

	fresh();
	for (unsigned i = 0; i < BASE_COUNT(texts); i++) {
		for (unsigned b = 0; b < BASE_COUNT(bases); b++) {
			char *end;
			long long v = strtoll(texts[i], &end, bases[b]);
			int32_t v32 = v > INT32_MAX   ? INT32_MAX
				      : v < INT32_MIN ? INT32_MIN
						      : (int32_t)v;

			put(1000, texts[i]);
			EXPECT_EQ((int32_t)CALL("strtol", 1000, 2000, (uint32_t)bases[b]), v32);
			EXPECT_EQ(get_u32(2000), 1000 + (end - texts[i]));
			CALL("strtoll", 1000, 0, (uint32_t)bases[b]);
			EXPECT_EQ((int64_t)(cells[0] | (uint64_t)cells[1] << 32), v);
			CALL("strtoull", 1000, 0, (uint32_t)bases[b]);
			EXPECT((cells[0] | (uint64_t)cells[1] << 32) ==
			       strtoull(texts[i], NULL, bases[b]));
		}
		EXPECT_EQ((int32_t)CALL("atoi", put(1000, "-17 apples")), -17);
	}
	EXPECT_EQ(CALL("strtoul", put(1000, "4294967295"), 0, 10), 4294967295);
	EXPECT_EQ(CALL("strtoul", put(1000, "-1"), 0, 10), 4294967295);
	EXPECT_EQ(CALL("strtoul", put(1000, "4294967296"), 0, 10), 4294967295);
	EXPECT_TRAP(CALL("strtol", 1000, 65534, 10), ROTOR_TRAP_MEMORY);
	EXPECT_TRAP(CALL("strtol", 65536, 0, 10), ROTOR_TRAP_MEMORY);
}

#define CHARACTER_ROW(name)                                                                        \
	{                                                                                          \
#name, name                                                                        \
	}

TEST(characters_like_libc)
{
	static const struct {
		const char *name;
		int (*fn)(int);
	} rows[] = {CHARACTER_ROW(isupper), CHARACTER_ROW(islower),  CHARACTER_ROW(isalpha),
		    CHARACTER_ROW(isdigit), CHARACTER_ROW(isxdigit), CHARACTER_ROW(isalnum),
		    CHARACTER_ROW(isspace), CHARACTER_ROW(isblank),  CHARACTER_ROW(isgraph),
		    CHARACTER_ROW(isprint), CHARACTER_ROW(ispunct),  CHARACTER_ROW(iscntrl)};

	fresh();
	for (int c = -1; c < 256; c++) {
		for (unsigned i = 0; i < BASE_COUNT(rows); i++) {
			if ((CALL(rows[i].name, (uint32_t)c) != 0) != (rows[i].fn(c) != 0)) {
				TEST_FAIL("%s(%d)", rows[i].name, c);
			}
		}
		EXPECT_EQ((int32_t)CALL("tolower", (uint32_t)c), tolower(c));
		EXPECT_EQ((int32_t)CALL("toupper", (uint32_t)c), toupper(c));
	}
}

TEST(ends)
{
	fresh();
	put(100, "bye");
	CALL("exit", 7);
	EXPECT_EQ(how, ROTOR_HOST_TRAP);
	EXPECT_EQ(instance.trap, ROTOR_TRAP_EXIT);
	EXPECT_EQ(instance.exit_code, 7);
	EXPECT_TRAP(CALL("abort", 0), ROTOR_TRAP_HOST);
	EXPECT_STR(instance.detail, "abort: the program gave up");
	EXPECT_TRAP(CALL("__cxa_throw", 0, 0, 0), ROTOR_TRAP_HOST);
}

TEST(time_of_libc)
{
	fresh();
	my.now = 5000000123;
	CALL("clock");
	EXPECT(cells[0] == (uint32_t)5000000123 && cells[1] == 1);
	EXPECT_EQ(CALL("clock_gettime", 1, 1000), 0);
	EXPECT_EQ(get_u32(1000), 5);
	EXPECT_EQ(get_u32(1008), 123);
	EXPECT_EQ(CALL("clock_gettime", 0, 1000), 0);
	EXPECT_EQ(get_u32(1000), 1005);
	EXPECT_TRAP(CALL("clock_gettime", 0, 65528), ROTOR_TRAP_MEMORY);
}

TEST_MAIN(T(tables_have_whole_rows) T(printf_reads_its_arguments) T(printf_long_double_and_count)
		  T(printf_refuses_bad_pointers) T(output_can_be_refused) T(strings_like_libc)
			  T(strstr_like_libc) T(work_is_charged) T(long_texts_like_libc)
				  T(long_blocks_of_the_heap) T(what_is_one_step_has_a_limit)
					  T(copies) T(numbers_like_libc) T(characters_like_libc)
						  T(ends) T(time_of_libc))
