/* SPDX-License-Identifier: Apache-2.0 */
/* libc: memory, strings, characters. Strings are read no further than they are needed. */
#include "base/base.h"
#include "rotor/import/impl.h"

#define FN(name) enum rotor_host libc_##name(struct rotor_call *call)

static unsigned lower(unsigned c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static enum rotor_host done(struct rotor_call *call, uint32_t result)
{
	rotor_result_u32(call, result);
	return ROTOR_HOST_DONE;
}

/* The piece of argument 0 after what is done; that moves on. *from: where the piece begins. */
static bool next_text(struct rotor_call *call, uint32_t max, uint32_t *from,
		      struct import_text *out)
{
	uint32_t *progress = rotor_progress(call->instance);

	*from = *progress;
	CHECK(import_text(call, rotor_arg_u32(call, 0), *from, max, out), false);
	*progress += out->bytes;
	return true;
}

FN(memcmp)
{
	uint32_t bytes = rotor_arg_u32(call, 2);
	const uint8_t *a = import_bytes(call, rotor_arg_u32(call, 0), bytes), *b;
	struct import_part part;
	int order;

	CHECK(a != NULL, ROTOR_HOST_TRAP);
	b = import_bytes(call, rotor_arg_u32(call, 1), bytes);
	CHECK(b != NULL, ROTOR_HOST_TRAP);
	part = import_part(call, bytes, CHARGE_MOVED);
	order = memcmp(a + part.from, b + part.from, part.bytes);
	if (order == 0 && part.how == ROTOR_HOST_AGAIN) {
		return ROTOR_HOST_AGAIN;
	}
	return done(call, (uint32_t)((order > 0) - (order < 0)));
}

FN(memmove)
{
	return import_move(call, rotor_arg_u32(call, 0), rotor_arg_u32(call, 1),
			   rotor_arg_u32(call, 2));
}

FN(memset)
{
	return import_fill(call, rotor_arg_u32(call, 0), rotor_arg_u32(call, 1),
			   rotor_arg_u32(call, 2));
}

/* Answers where argument 1 is among bytes at s, which begin after from bytes of argument 0. If it
 * is not there: 0, or again if there is more to look at. */
static enum rotor_host find(struct rotor_call *call, const uint8_t *s, uint32_t from,
			    uint32_t bytes, bool more)
{
	const uint8_t *hit = memchr(s, (int)(rotor_arg_u32(call, 1) & 0xFF), bytes);

	if (hit == NULL && more) {
		return ROTOR_HOST_AGAIN;
	}
	return done(call, hit != NULL ? rotor_arg_u32(call, 0) + from + (uint32_t)(hit - s) : 0);
}

FN(memchr)
{
	uint32_t bytes = rotor_arg_u32(call, 2);
	const uint8_t *at = import_bytes(call, rotor_arg_u32(call, 0), bytes);
	struct import_part part;

	CHECK(at != NULL, ROTOR_HOST_TRAP);
	part = import_part(call, bytes, CHARGE_MOVED);
	return find(call, at + part.from, part.from, part.bytes, part.how == ROTOR_HOST_AGAIN);
}

static enum rotor_host measure(struct rotor_call *call, uint32_t max)
{
	struct import_text s;
	uint32_t from;

	CHECK(next_text(call, max, &from, &s), ROTOR_HOST_TRAP);
	return s.ended ? done(call, from + s.bytes) : ROTOR_HOST_AGAIN;
}

FN(strlen)
{
	return measure(call, UINT32_MAX);
}

FN(strnlen)
{
	return measure(call, rotor_arg_u32(call, 1));
}

FN(strchr)
{
	struct import_text s;
	uint32_t from;

	CHECK(next_text(call, UINT32_MAX, &from, &s), ROTOR_HOST_TRAP);
	return find(call, s.at, from, s.bytes + s.zero, !s.ended);
}

FN(strrchr)
{
	uint32_t *last = &rotor_progress(call->instance)[1], from;
	struct import_text s;

	CHECK(next_text(call, UINT32_MAX, &from, &s), ROTOR_HOST_TRAP);
	for (uint32_t i = s.bytes + s.zero; i-- != 0;) {
		if (s.at[i] == (rotor_arg_u32(call, 1) & 0xFF)) {
			*last = rotor_arg_u32(call, 0) + from + i;
			break;
		}
	}
	return s.ended ? done(call, *last) : ROTOR_HOST_AGAIN;
}

/* Compares the strings of arguments 0 and 1, at most max bytes of them. */
static enum rotor_host compare(struct rotor_call *call, uint32_t max, bool fold)
{
	uint32_t *i = rotor_progress(call->instance), a_bytes, b_bytes, looks;
	const uint8_t *a = import_tail(call, rotor_arg_u32(call, 0), &a_bytes);
	const uint8_t *b = import_tail(call, rotor_arg_u32(call, 1), &b_bytes);
	unsigned x = 0, y = 0;

	for (looks = 0; looks < IMPORT_STEP && *i < max; looks++) {
		CHECK(*i < a_bytes, import_trap_pointer(call, rotor_arg_u32(call, 0)));
		CHECK(*i < b_bytes, import_trap_pointer(call, rotor_arg_u32(call, 1)));
		x = fold ? lower(a[*i]) : a[*i];
		y = fold ? lower(b[*i]) : b[*i];
		if (x != y || x == 0) {
			break;
		}
		++*i;
	}
	import_charge(call, looks, CHARGE_READ);
	return looks < IMPORT_STEP ? done(call, x - y) : ROTOR_HOST_AGAIN;
}

FN(strcmp)
{
	return compare(call, UINT32_MAX, false);
}

FN(strncmp)
{
	return compare(call, rotor_arg_u32(call, 2), false);
}

FN(strcasecmp)
{
	return compare(call, UINT32_MAX, true);
}

FN(strncasecmp)
{
	return compare(call, rotor_arg_u32(call, 2), true);
}

/* Copies what is next of the string in argument 1, and a 0, to argument 0. progress[0]: copied so
 * far; progress[1]: bytes that stood before. */
static enum rotor_host copy(struct rotor_call *call, uint32_t max, struct import_text *s)
{
	uint32_t *progress = rotor_progress(call->instance);
	uint64_t at = (uint64_t)progress[0] + progress[1];
	uint8_t *to = NULL;

	CHECK(import_text(call, rotor_arg_u32(call, 1), progress[0], max, s), ROTOR_HOST_TRAP);
	if (at + s->bytes < UINT32_MAX) {
		to = rotor_memory_at(call->instance, rotor_arg_u32(call, 0),
				     (uint32_t)at + s->bytes + 1);
	}
	if (to == NULL) {
		return import_trap_pointer(call, rotor_arg_u32(call, 0));
	}
	memmove(to + at, s->at, s->bytes);
	to[at + s->bytes] = 0;
	progress[0] += s->bytes;
	return s->ended ? ROTOR_HOST_DONE : ROTOR_HOST_AGAIN;
}

FN(strcpy)
{
	struct import_text s;

	return copy(call, UINT32_MAX, &s);
}

FN(stpcpy)
{
	struct import_text s;
	enum rotor_host how = copy(call, UINT32_MAX, &s);

	if (how == ROTOR_HOST_DONE) {
		rotor_result_u32(call, rotor_arg_u32(call, 0) + *rotor_progress(call->instance));
	}
	return how;
}

FN(strncpy)
{
	uint32_t max = rotor_arg_u32(call, 2);
	uint8_t *to = import_bytes(call, rotor_arg_u32(call, 0), max);
	struct import_text s = {.bytes = 0};
	struct import_part part;

	CHECK(to != NULL, ROTOR_HOST_TRAP);
	part = import_part(call, max, CHARGE_MOVED);
	to += part.from;
	/* A 0 was put when the string had ended. */
	if (part.from == 0 || to[-1] != 0) {
		CHECK(import_text(call, rotor_arg_u32(call, 1), part.from, max, &s),
		      ROTOR_HOST_TRAP);
		memmove(to, s.at, s.bytes);
	}
	memset(to + s.bytes, 0, part.bytes - s.bytes);
	return part.how;
}

/* Measures first; what was copied already counts to the source alone. */
static enum rotor_host append(struct rotor_call *call, uint32_t max)
{
	uint32_t *progress = rotor_progress(call->instance);
	struct import_text s;

	if (progress[0] == 0) {
		CHECK(import_text(call, rotor_arg_u32(call, 0), progress[1], UINT32_MAX, &s),
		      ROTOR_HOST_TRAP);
		progress[1] += s.bytes;
		if (!s.ended) {
			return ROTOR_HOST_AGAIN;
		}
	}
	return copy(call, max, &s);
}

FN(strcat)
{
	return append(call, UINT32_MAX);
}

FN(strncat)
{
	return append(call, rotor_arg_u32(call, 2));
}

/* The length of the beginning of argument 0 whose bytes are (or are not) all in argument 1.
 * progress[0]: that length; progress[1]: bytes of argument 1 that the next one is not. */
static enum rotor_host span(struct rotor_call *call, bool in)
{
	uint32_t *n = rotor_progress(call->instance), *k = n + 1, bytes, set_bytes, looks;
	const uint8_t *s = import_tail(call, rotor_arg_u32(call, 0), &bytes);
	const uint8_t *set = import_tail(call, rotor_arg_u32(call, 1), &set_bytes);

	for (looks = 0; looks < IMPORT_STEP; looks++) {
		CHECK(*n < bytes, import_trap_pointer(call, rotor_arg_u32(call, 0)));
		CHECK(*k < set_bytes, import_trap_pointer(call, rotor_arg_u32(call, 1)));
		if (s[*n] != 0 && set[*k] != 0 && s[*n] != set[*k]) {
			++*k;
		} else if (s[*n] == 0 || (set[*k] != 0) != in) {
			break;
		} else {
			++*n;
			*k = 0;
		}
	}
	import_charge(call, looks, CHARGE_READ);
	return looks < IMPORT_STEP ? done(call, *n) : ROTOR_HOST_AGAIN;
}

FN(strspn)
{
	return span(call, true);
}

FN(strcspn)
{
	return span(call, false);
}

/* Holds argument 1 against each place of argument 0: simple, and what much of it costs is charged.
 * progress: the place, and the bytes that agree there. */
FN(strstr)
{
	uint32_t *i = rotor_progress(call->instance), *k = i + 1, bytes, find_bytes, looks;
	const uint8_t *s = import_tail(call, rotor_arg_u32(call, 0), &bytes);
	const uint8_t *find = import_tail(call, rotor_arg_u32(call, 1), &find_bytes);

	for (looks = 0; looks < IMPORT_STEP; looks++) {
		CHECK(*k < find_bytes, import_trap_pointer(call, rotor_arg_u32(call, 1)));
		if (find[*k] == 0) {
			break;
		}
		CHECK((uint64_t)*i + *k < bytes, import_trap_pointer(call, rotor_arg_u32(call, 0)));
		if (s[*i + *k] == find[*k]) {
			++*k;
		} else if (s[*i + *k] == 0) {
			*i = 0 - rotor_arg_u32(call, 0);
			break;
		} else {
			++*i;
			*k = 0;
		}
	}
	import_charge(call, looks, CHARGE_READ);
	return looks < IMPORT_STEP ? done(call, rotor_arg_u32(call, 0) + *i) : ROTOR_HOST_AGAIN;
}

/* ---- characters: those of the "C" locale ---- */

/* Between the two arguments, given a character as unsigned. */
static bool within(uint32_t c, char from, char to)
{
	return c - (uint32_t)from <= (uint32_t)(to - from);
}

FN(isupper)
{
	return done(call, within(rotor_arg_u32(call, 0), 'A', 'Z'));
}

FN(islower)
{
	return done(call, within(rotor_arg_u32(call, 0), 'a', 'z'));
}

FN(isalpha)
{
	return done(call, within(rotor_arg_u32(call, 0) | 0x20, 'a', 'z'));
}

FN(isdigit)
{
	return done(call, within(rotor_arg_u32(call, 0), '0', '9'));
}

FN(isxdigit)
{
	uint32_t c = rotor_arg_u32(call, 0);

	return done(call, within(c, '0', '9') || within(c | 0x20, 'a', 'f'));
}

static bool is_alnum(uint32_t c)
{
	return within(c, '0', '9') || within(c | 0x20, 'a', 'z');
}

FN(isalnum)
{
	return done(call, is_alnum(rotor_arg_u32(call, 0)));
}

FN(isspace)
{
	uint32_t c = rotor_arg_u32(call, 0);

	return done(call, c == ' ' || within(c, '\t', '\r'));
}

FN(isblank)
{
	uint32_t c = rotor_arg_u32(call, 0);

	return done(call, c == ' ' || c == '\t');
}

FN(isgraph)
{
	return done(call, within(rotor_arg_u32(call, 0), '!', '~'));
}

FN(isprint)
{
	return done(call, within(rotor_arg_u32(call, 0), ' ', '~'));
}

FN(ispunct)
{
	uint32_t c = rotor_arg_u32(call, 0);

	return done(call, within(c, '!', '~') && !is_alnum(c));
}

FN(iscntrl)
{
	uint32_t c = rotor_arg_u32(call, 0);

	return done(call, c < ' ' || c == 127);
}

FN(tolower)
{
	return done(call, lower(rotor_arg_u32(call, 0)));
}

FN(toupper)
{
	uint32_t c = rotor_arg_u32(call, 0);

	return done(call, within(c, 'a', 'z') ? c - 0x20 : c);
}
