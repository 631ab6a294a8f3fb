/* SPDX-License-Identifier: Apache-2.0 */
/* The imports against an instance that is nothing but a memory, and against the C library here. */
#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "base/base.h"
#include "base/prng.h"
#include "rotor/import/impl.h"
#include "test/test.h"

/* ---- the instance ---- */

enum {
	MEMORY_BYTES = 65536,
	HEAP_AT = 0x8004,
	HEAP_BYTES = 16384
};

struct rotor_instance {
	uint8_t *memory; /* from malloc, so that a sanitizer sees what lies outside */
	uint32_t heap_bytes;
	enum rotor_trap trap;
	char detail[64];
	int32_t exit_code;
	struct rotor_call *pending;
};

void *rotor_memory_at(struct rotor_instance *i, uint32_t at, uint32_t bytes)
{
	return at <= MEMORY_BYTES && bytes <= MEMORY_BYTES - at ? i->memory + at : NULL;
}

const char *rotor_memory_str(struct rotor_instance *i, uint32_t at, uint32_t *bytes)
{
	const uint8_t *end =
		at < MEMORY_BYTES ? memchr(i->memory + at, 0, MEMORY_BYTES - at) : NULL;

	if (end == NULL) {
		return NULL;
	}
	*bytes = (uint32_t)(end - (i->memory + at));
	return (const char *)i->memory + at;
}

void *rotor_memory(struct rotor_instance *i, uint64_t *bytes)
{
	*bytes = MEMORY_BYTES;
	return i->memory;
}

void rotor_heap(const struct rotor_instance *i, uint32_t *at, uint32_t *bytes)
{
	*at = HEAP_AT;
	*bytes = i->heap_bytes;
}

void rotor_set_trap(struct rotor_instance *i, enum rotor_trap trap, const char *text)
{
	i->trap = trap;
	snprintf(i->detail, sizeof(i->detail), "%s", text);
}

void rotor_set_exit(struct rotor_instance *i, int32_t code)
{
	i->trap = ROTOR_TRAP_EXIT;
	i->exit_code = code;
}

static uint64_t charged;

void rotor_charge(struct rotor_instance *i, uint32_t units)
{
	charged += units;
}

struct rotor_call *rotor_pending(struct rotor_instance *i)
{
	return i->pending;
}

void rotor_answer(struct rotor_instance *i, enum rotor_host how)
{
	i->pending = NULL;
}

bool rotor_module_import(const struct rotor_module *m, uint32_t i, struct rotor_import *out)
{
	const struct rotor_import *imports = (const struct rotor_import *)m;

	*out = imports[i];
	return imports[i].name != NULL;
}

/* ---- the embedder ---- */

struct my {
	struct rotor_env env;
	char out[512], err[512];
	uint64_t now;
	bool refuse;
};

static bool my_write(struct rotor_env *env, unsigned fd, const char *bytes, uint32_t count)
{
	struct my *my = (struct my *)env;
	char *to = fd == 2 ? my->err : my->out;

	if (my->refuse) {
		return false;
	}
	strncat(to, bytes, BASE_MIN(count, 511 - strlen(to)));
	return true;
}

static uint64_t my_clock(struct rotor_env *env, enum rotor_clock clock)
{
	return ((struct my *)env)->now + (clock == ROTOR_CLOCK_REAL ? 1000000000000u : 0);
}

static void my_random(struct rotor_env *env, uint8_t *out, uint32_t bytes)
{
	memset(out, 0x5A, bytes);
}

static const struct rotor_env_ops my_ops = {my_write, my_clock, my_random};

static struct rotor_instance instance;
static struct my my;
static uint32_t cells[16];
static enum rotor_host how;

static void fresh(void)
{
	static const char *const args[] = {"prog", "one", "two words"};
	static const char *const environ_[] = {"A=1", "PATH=/bin"};

	free(instance.memory);
	instance = (struct rotor_instance){.memory = calloc(1, MEMORY_BYTES),
					   .heap_bytes = HEAP_BYTES};
	my = (struct my){.env = {.ops = &my_ops,
				 .args = args,
				 .arg_count = 3,
				 .environ = environ_,
				 .environ_count = 2}};
}

static const struct rotor_host_func *find(const char *name)
{
	for (const struct rotor_host_func *f = rotor_libc; f->name != NULL; f++) {
		if (strcmp(f->name, name) == 0) {
			return f;
		}
	}
	for (const struct rotor_host_func *f = rotor_wasi; f->name != NULL; f++) {
		if (strcmp(f->name, name) == 0) {
			return f;
		}
	}
	TEST_FAIL("no function %s", name);
	return rotor_libc;
}

/* Calls with i32 arguments; returns the first cell. */
static uint32_t call_with(const char *name, const uint32_t *args, unsigned count)
{
	static struct rotor_call call;

	memset(cells, 0xEE, sizeof(cells));
	memcpy(cells, args, count * 4);
	call = (struct rotor_call){&instance, &my, cells, find(name)};
	instance.trap = ROTOR_TRAP_NONE;
	how = call.func->fn(&call);
	instance.pending = how == ROTOR_HOST_LATER ? &call : NULL;
	return cells[0];
}

#define CALL(name, ...)                                                                            \
	call_with(name, (const uint32_t[]){0, ##__VA_ARGS__} + 1,                                  \
		  sizeof((const uint32_t[]){0, ##__VA_ARGS__}) / 4 - 1)

#define EXPECT_TRAP(expr, kind)                                                                    \
	do {                                                                                       \
		(void)(expr);                                                                      \
		EXPECT_EQ(how, ROTOR_HOST_TRAP);                                                   \
		EXPECT_EQ(instance.trap, kind);                                                    \
	} while (0)

static uint32_t put(uint32_t at, const char *text)
{
	memcpy(instance.memory + at, text, strlen(text) + 1);
	return at;
}

static const char *text_at(uint32_t at)
{
	return (const char *)instance.memory + at;
}

static void put_u32(uint32_t at, uint32_t v)
{
	base_store_u32(instance.memory + at, v);
}

static uint32_t get_u32(uint32_t at)
{
	return base_load_u32(instance.memory + at);
}

/* ---- libc ---- */

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
	EXPECT_EQ(charged, 5006 / 2);
	charged = 0;
	CALL("isalpha", 'x');
	EXPECT_EQ(charged, 0);
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

/* ---- the heap ---- */

struct piece {
	uint32_t at, bytes;
	uint8_t fill;
};

/* Is the piece inside the heap, aligned, and filled as it was left? */
static void check_piece(const struct piece *p)
{
	EXPECT(p->at >= HEAP_AT && p->at + p->bytes <= HEAP_AT + HEAP_BYTES && p->at % 8 == 0);
	for (uint32_t i = 0; i < p->bytes; i++) {
		if (instance.memory[p->at + i] != p->fill) {
			TEST_FAIL("piece 0x%x was overwritten at %u", p->at, i);
			return;
		}
	}
}

static void fill_piece(struct piece *p, uint8_t fill)
{
	p->fill = fill;
	memset(instance.memory + p->at, fill, p->bytes);
}

/* One random step of a program with 64 pieces. */
static void heap_step(struct prng *prng, struct piece *p)
{
	uint32_t bytes = prng_below(prng, prng_below(prng, 8) == 0 ? 3000 : 100);
	uint32_t at;

	if (p->at != 0) {
		check_piece(p);
	}
	if (prng_below(prng, 3) == 0) {
		uint32_t kept = BASE_MIN(bytes, p->bytes);

		at = CALL("realloc", p->at, bytes);
		if (at != 0) {
			*p = (struct piece){at, p->at != 0 ? kept : 0, p->fill};
			check_piece(p);
			p->bytes = bytes;
			fill_piece(p, (uint8_t)bytes);
		}
	} else if (p->at != 0) {
		CALL("free", p->at);
		*p = (struct piece){0};
	} else {
		*p = (struct piece){CALL("malloc", bytes), bytes, 0};
		if (p->at != 0) {
			fill_piece(p, (uint8_t)(bytes + 1));
		}
	}
	EXPECT(how != ROTOR_HOST_TRAP);
}

TEST(heap_random_program)
{
	for (unsigned seed = 1; seed < 30; seed++) {
		struct piece pieces[64] = {{0}};
		struct prng prng;
		uint32_t empty, whole;

		fresh();
		prng_init(&prng, seed);
		whole = CALL("malloc", 16000);
		EXPECT(whole != 0);
		CALL("free", whole);
		empty = rotor_heap_used(&instance);
		for (unsigned i = 0; i < 3000; i++) {
			heap_step(&prng, &pieces[prng_below(&prng, 64)]);
		}
		for (unsigned i = 0; i < 64; i++) {
			CALL("free", pieces[i].at);
			EXPECT_EQ(how, ROTOR_HOST_DONE);
		}
		EXPECT_EQ(rotor_heap_used(&instance), empty);
		EXPECT_EQ(CALL("malloc", 16000), whole);
		EXPECT_EQ(instance.memory[HEAP_AT - 1], 0);
		EXPECT_EQ(instance.memory[HEAP_AT + HEAP_BYTES], 0);
	}
}

TEST(heap_answers)
{
	fresh();
	EXPECT_EQ(CALL("malloc", 20000), 0);
	EXPECT_EQ(CALL("malloc", 0xFFFFFFFF), 0);
	EXPECT_EQ(CALL("calloc", 0x10000, 0x10001), 0);
	EXPECT_EQ(CALL("realloc", 0, 0xFFFFFFF0), 0);
	EXPECT(CALL("malloc", 0) != CALL("malloc", 0));
	memset(instance.memory + HEAP_AT + 2000, 0xFF, 100);
	uint32_t at = CALL("calloc", 50, 100);
	EXPECT(at != 0);
	for (unsigned i = 0; i < 5000; i++) {
		EXPECT_EQ(instance.memory[at + i], 0);
	}
	EXPECT_STR(text_at(CALL("strdup", put(100, "copy"))), "copy");
	EXPECT_TRAP(CALL("strdup", 65536), ROTOR_TRAP_MEMORY);
	CALL("free", 0);
	EXPECT_EQ(how, ROTOR_HOST_DONE);
	CALL("free", at);
	EXPECT_EQ(how, ROTOR_HOST_DONE);
	EXPECT_TRAP(CALL("free", at), ROTOR_TRAP_HOST);
	EXPECT_TRAP(CALL("free", 4), ROTOR_TRAP_HOST);
	EXPECT_TRAP(CALL("free", at + 4), ROTOR_TRAP_HOST);
	EXPECT_TRAP(CALL("free", 0xFFFFFFF0), ROTOR_TRAP_HOST);
	EXPECT_TRAP(CALL("realloc", 64, 10), ROTOR_TRAP_HOST);
	instance.heap_bytes = 0;
	EXPECT_EQ(CALL("malloc", 1), 0);
	EXPECT_TRAP(CALL("free", at), ROTOR_TRAP_HOST);
}

/* All bytes but the heap's must stay what they are, whatever stands in the heap. */
TEST(heap_scribbled_over)
{
	for (unsigned seed = 1; seed < 300; seed++) {
		struct prng prng;
		uint32_t pieces[16] = {0};

		fresh();
		prng_init(&prng, seed);
		memset(instance.memory, 0xA5, HEAP_AT);
		memset(instance.memory + HEAP_AT + HEAP_BYTES, 0xA5,
		       MEMORY_BYTES - HEAP_AT - HEAP_BYTES);
		for (unsigned i = 0; i < 400; i++) {
			uint32_t *p = &pieces[prng_below(&prng, 16)];
			uint32_t at = HEAP_AT + prng_below(&prng, 600), v = prng_below(&prng, 700);

			if (prng_below(&prng, 6) == 0) {
				put_u32(at & ~3u, prng_below(&prng, 2)
							  ? HEAP_AT + 4 + (v & ~7u)
							  : (uint32_t)prng_next(&prng) >>
								    prng_below(&prng, 32));
			}
			if (prng_below(&prng, 2) == 0) {
				*p = CALL("realloc", *p, v);
			} else {
				CALL("free", *p);
				*p = CALL("malloc", v);
			}
			if (how == ROTOR_HOST_TRAP) {
				*p = 0;
			}
		}
		for (uint32_t i = 0; i < MEMORY_BYTES; i++) {
			if (i == HEAP_AT) {
				i += HEAP_BYTES;
			}
			EXPECT_EQ(instance.memory[i], 0xA5);
		}
	}
}

TEST(heap_of_any_size)
{
	fresh();
	for (uint32_t bytes = 0; bytes < 3000; bytes += 7) {
		uint32_t at, most = 0;

		memset(instance.memory, 0, MEMORY_BYTES);
		instance.heap_bytes = bytes;
		for (uint32_t n = 1; n < bytes; n += 8) {
			at = CALL("malloc", n);
			if (at != 0) {
				most = n;
				EXPECT(at + n <= HEAP_AT + bytes);
				CALL("free", at);
			}
		}
		EXPECT(bytes < 256 || most + 200 > bytes);
	}
}

TEST(modules_that_want_a_heap)
{
	const struct rotor_import with[] = {{"env", "puts", 3, 4, ROTOR_FUNC, {0}},
					    {"env", "realloc", 3, 7, ROTOR_FUNC, {0}},
					    {0}};
	const struct rotor_import without[] = {{"evn", "malloc", 3, 6, ROTOR_FUNC, {0}}, {0}};

	EXPECT(rotor_import_wants_heap((const struct rotor_module *)with));
	EXPECT(!rotor_import_wants_heap((const struct rotor_module *)without));
}

/* ---- WASI ---- */

TEST(wasi_arguments)
{
	fresh();
	EXPECT_EQ(CALL("args_sizes_get", 1000, 1004), 0);
	EXPECT_EQ(get_u32(1000), 3);
	EXPECT_EQ(get_u32(1004), 5 + 4 + 10);
	EXPECT_EQ(CALL("args_get", 2000, 3000), 0);
	EXPECT_STR(text_at(get_u32(2000)), "prog");
	EXPECT_STR(text_at(get_u32(2008)), "two words");
	EXPECT_EQ(CALL("environ_sizes_get", 1000, 1004), 0);
	EXPECT_EQ(get_u32(1000), 2);
	EXPECT_EQ(CALL("environ_get", 2000, 3000), 0);
	EXPECT_STR(text_at(get_u32(2004)), "PATH=/bin");
	EXPECT_EQ(CALL("args_get", 65532, 3000), 21);
	EXPECT_EQ(CALL("args_get", 2000, 65530), 21);
	EXPECT_EQ(CALL("args_sizes_get", 65533, 0), 21);
}

TEST(wasi_writes)
{
	fresh();
	put(100, "hello ");
	put(200, "world\n");
	put_u32(1000, 100);
	put_u32(1004, 6);
	put_u32(1008, 200);
	put_u32(1012, 6);
	EXPECT_EQ(CALL("fd_write", 1, 1000, 2, 500), 0);
	EXPECT_STR(my.out, "hello world\n");
	EXPECT_EQ(get_u32(500), 12);
	EXPECT_EQ(CALL("fd_write", 2, 1008, 1, 500), 0);
	EXPECT_STR(my.err, "world\n");
	EXPECT_EQ(CALL("fd_write", 3, 1000, 2, 500), 8);
	EXPECT_EQ(CALL("fd_write", 1, 65530, 2, 500), 21);
	EXPECT_EQ(CALL("fd_write", 1, 1000, 0x20000001, 500), 28);
	EXPECT_EQ(CALL("fd_write", 1, 1000, 2, 65535), 21);
	put_u32(1008, 65535);
	EXPECT_EQ(CALL("fd_write", 1, 1000, 2, 500), 21);
	EXPECT_STR(my.out, "hello world\n");
	put_u32(1008, 200);
	my.refuse = true;
	EXPECT_TRAP(CALL("fd_write", 1, 1000, 2, 500), ROTOR_TRAP_HOST);
}

TEST(wasi_small_answers)
{
	fresh();
	EXPECT_EQ(CALL("fd_close", 1), 0);
	EXPECT_EQ(CALL("fd_close", 5), 8);
	EXPECT_EQ(CALL("fd_seek", 1, 0, 0, 0, 500), 70);
	EXPECT_EQ(CALL("fd_prestat_get", 3, 500), 8);
	EXPECT_EQ(CALL("path_open", 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), 52);
	EXPECT_EQ(CALL("fd_fdstat_get", 1, 500), 0);
	EXPECT_EQ(instance.memory[500], 2);
	EXPECT_EQ(get_u32(508), 64);
	EXPECT_EQ(CALL("fd_fdstat_get", 9, 500), 8);
	EXPECT_EQ(CALL("fd_fdstat_get", 1, 65520), 21);
	EXPECT_EQ(CALL("sched_yield"), 0);
	EXPECT_EQ(CALL("random_get", 600, 16), 0);
	EXPECT_EQ(get_u32(612), 0x5A5A5A5A);
	EXPECT_EQ(get_u32(616), 0);
	EXPECT_EQ(CALL("random_get", 65530, 16), 21);
	my.now = 77;
	EXPECT_EQ(CALL("clock_time_get", 1, 0, 0, 700), 0);
	EXPECT_EQ(get_u32(700), 77);
	EXPECT_EQ(CALL("clock_time_get", 9, 0, 0, 700), 28);
	EXPECT_EQ(CALL("clock_res_get", 0, 700), 0);
	CALL("proc_exit", 3);
	EXPECT_EQ(instance.exit_code, 3);
	EXPECT_EQ(how, ROTOR_HOST_TRAP);
}

static void subscribe(uint32_t i, uint8_t kind, uint32_t clock, uint64_t timeout, uint16_t flags)
{
	uint8_t *s = instance.memory + 1000 + i * 48;

	memset(s, 0, 48);
	base_store_u64(s, 100 + i);
	s[8] = kind;
	base_store_u32(s + 16, clock);
	base_store_u64(s + 24, timeout);
	base_store_u16(s + 40, flags);
}

TEST(wasi_sleeps_without_blocking)
{
	fresh();
	my.now = 1000;
	subscribe(0, 0, 1, 500, 0);
	subscribe(1, 0, 0, 1000000000000u + 1200, 1);
	CALL("poll_oneoff", 1000, 3000, 2, 500);
	EXPECT_EQ(how, ROTOR_HOST_LATER);
	EXPECT_EQ(my.env.wake_ns, 1200);
	my.now = 1199;
	EXPECT(!rotor_import_again(&instance));
	EXPECT_EQ(my.env.wake_ns, 1200);
	my.now = 1200;
	EXPECT(rotor_import_again(&instance));
	EXPECT_EQ(cells[0], 0);
	EXPECT(!my.env.sleeping);
	EXPECT_EQ(get_u32(500), 1);
	EXPECT_EQ(get_u32(3000), 101);
	EXPECT(!rotor_import_again(&instance));
	CALL("poll_oneoff", 1000, 3000, 1, 500);
	EXPECT_EQ(how, ROTOR_HOST_LATER);
	my.now = 1700;
	EXPECT(rotor_import_again(&instance));
	EXPECT_EQ(get_u32(500), 1);
	EXPECT_EQ(get_u32(3000), 100);
}

TEST(wasi_poll_answers)
{
	fresh();
	my.now = 1000;
	subscribe(0, 0, 1, 0, 0);
	EXPECT_EQ(CALL("poll_oneoff", 1000, 3000, 1, 500), 0);
	EXPECT_EQ(how, ROTOR_HOST_DONE);
	subscribe(0, 1, 0, 0, 0);
	subscribe(1, 0, 1, 100, 0);
	EXPECT_EQ(CALL("poll_oneoff", 1000, 3000, 2, 500), 0);
	EXPECT_EQ(get_u32(500), 1);
	EXPECT_EQ(base_load_u16(instance.memory + 3008), 52);
	EXPECT_EQ(CALL("poll_oneoff", 1000, 3000, 0, 500), 28);
	EXPECT_EQ(CALL("poll_oneoff", 65500, 3000, 1, 500), 21);
	subscribe(0, 0, 1, UINT64_MAX, 0);
	CALL("poll_oneoff", 1000, 3000, 1, 500);
	EXPECT_EQ(how, ROTOR_HOST_LATER);
	EXPECT(my.env.wake_ns == UINT64_MAX);
}

TEST_MAIN(T(tables_have_whole_rows) T(printf_reads_its_arguments) T(printf_long_double_and_count)
		  T(printf_refuses_bad_pointers) T(output_can_be_refused) T(strings_like_libc) T(
			  strstr_like_libc) T(work_is_charged) T(copies) T(numbers_like_libc)
			  T(characters_like_libc) T(ends) T(time_of_libc) T(heap_random_program)
				  T(heap_answers) T(heap_scribbled_over) T(heap_of_any_size)
					  T(modules_that_want_a_heap) T(wasi_arguments)
						  T(wasi_writes) T(wasi_small_answers)
							  T(wasi_sleeps_without_blocking)
								  T(wasi_poll_answers))
