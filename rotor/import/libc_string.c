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

/* Argument i as a string; NULL: the trap is set. */
static const char *string_arg(struct rotor_call *call, unsigned i, uint32_t *bytes)
{
	const char *s = import_string(call, i, bytes);

	if (s != NULL) {
		import_charge(call, *bytes, CHARGE_READ);
	}
	return s;
}

/* Argument i as bytes; NULL: the trap is set. Not NULL for no bytes, wherever it points. */
static uint8_t *bytes_arg(struct rotor_call *call, unsigned i, uint32_t bytes)
{
	uint8_t *at =
		rotor_memory_at(call->instance, bytes != 0 ? rotor_arg_u32(call, i) : 0, bytes);

	if (at == NULL) {
		(void)import_trap_pointer(call, rotor_arg_u32(call, i));
		return NULL;
	}
	import_charge(call, bytes, CHARGE_MOVED);
	return at;
}

/* The same for a string that may also end where max bytes are read. */
static const uint8_t *limited_arg(struct rotor_call *call, unsigned i, uint32_t max,
				  uint32_t *bytes)
{
	uint32_t avail;
	const uint8_t *s = import_tail(call, rotor_arg_u32(call, i), &avail), *end;

	end = s != NULL ? memchr(s, 0, BASE_MIN(avail, max)) : NULL;
	if (s == NULL || (end == NULL && avail < max)) {
		(void)import_trap_pointer(call, rotor_arg_u32(call, i));
		return NULL;
	}
	*bytes = end != NULL ? (uint32_t)(end - s) : max;
	import_charge(call, *bytes, CHARGE_READ);
	return s;
}

FN(memcmp)
{
	uint32_t bytes = rotor_arg_u32(call, 2);
	const uint8_t *a = bytes_arg(call, 0, bytes), *b = bytes_arg(call, 1, bytes);

	CHECK(a != NULL && b != NULL, ROTOR_HOST_TRAP);
	return done(call, (uint32_t)memcmp(a, b, bytes));
}

FN(memmove)
{
	uint32_t bytes = rotor_arg_u32(call, 2);
	uint8_t *to = bytes_arg(call, 0, bytes);
	const uint8_t *from = bytes_arg(call, 1, bytes);

	CHECK(to != NULL && from != NULL, ROTOR_HOST_TRAP);
	memmove(to, from, bytes);
	return ROTOR_HOST_DONE;
}

FN(memset)
{
	uint32_t bytes = rotor_arg_u32(call, 2);
	uint8_t *to = bytes_arg(call, 0, bytes);

	CHECK(to != NULL, ROTOR_HOST_TRAP);
	memset(to, (int)(rotor_arg_u32(call, 1) & 0xFF), bytes);
	return ROTOR_HOST_DONE;
}

FN(memchr)
{
	uint32_t bytes = rotor_arg_u32(call, 2);
	const uint8_t *at = bytes_arg(call, 0, bytes), *hit;

	CHECK(at != NULL, ROTOR_HOST_TRAP);
	hit = memchr(at, (int)(rotor_arg_u32(call, 1) & 0xFF), bytes);
	return done(call, hit != NULL ? rotor_arg_u32(call, 0) + (uint32_t)(hit - at) : 0);
}

FN(strlen)
{
	uint32_t bytes;

	CHECK(string_arg(call, 0, &bytes) != NULL, ROTOR_HOST_TRAP);
	return done(call, bytes);
}

FN(strnlen)
{
	uint32_t bytes;

	CHECK(limited_arg(call, 0, rotor_arg_u32(call, 1), &bytes) != NULL, ROTOR_HOST_TRAP);
	return done(call, bytes);
}

FN(strchr)
{
	uint32_t bytes;
	const char *s = string_arg(call, 0, &bytes), *hit;

	CHECK(s != NULL, ROTOR_HOST_TRAP);
	hit = memchr(s, (int)(rotor_arg_u32(call, 1) & 0xFF), bytes + 1);
	return done(call, hit != NULL ? rotor_arg_u32(call, 0) + (uint32_t)(hit - s) : 0);
}

FN(strrchr)
{
	uint32_t bytes;
	const char *s = string_arg(call, 0, &bytes);

	CHECK(s != NULL, ROTOR_HOST_TRAP);
	for (uint32_t i = bytes + 1; i-- != 0;) {
		if ((uint8_t)s[i] == (rotor_arg_u32(call, 1) & 0xFF)) {
			return done(call, rotor_arg_u32(call, 0) + i);
		}
	}
	return done(call, 0);
}

/* Where two strings differ, or end, or max; the bytes that both have must reach that far. */
static uint32_t same_bytes(const uint8_t *a, const uint8_t *b, uint32_t max, bool fold)
{
	uint32_t i = 0;

	while (i < max && a[i] != 0 && (a[i] == b[i] || (fold && lower(a[i]) == lower(b[i])))) {
		i++;
	}
	return i;
}

/* Compares the strings of arguments 0 and 1, at most max bytes of them. */
static enum rotor_host compare(struct rotor_call *call, uint32_t max, bool fold)
{
	uint32_t a_bytes = 0, b_bytes = 0, both, i;
	const uint8_t *a = import_tail(call, rotor_arg_u32(call, 0), &a_bytes);
	const uint8_t *b = import_tail(call, rotor_arg_u32(call, 1), &b_bytes);

	both = BASE_MIN(a_bytes, b_bytes);
	both = BASE_MIN(both, max);
	i = same_bytes(a, b, both, fold);
	import_charge(call, i, CHARGE_READ);
	if (i == both && i < max) {
		return import_trap_pointer(call, rotor_arg_u32(call, i >= b_bytes));
	}
	if (i == max) {
		return done(call, 0);
	}
	return done(call, fold ? lower(a[i]) - lower(b[i]) : (unsigned)(a[i] - b[i]));
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

/* Copies bytes of the string s, and a 0, to the address at; false: the trap is set. */
static bool copy_string(struct rotor_call *call, uint32_t at, const void *s, uint32_t bytes)
{
	uint8_t *to = bytes < UINT32_MAX ? rotor_memory_at(call->instance, at, bytes + 1) : NULL;

	if (to == NULL) {
		(void)import_trap_pointer(call, at);
		return false;
	}
	memmove(to, s, bytes);
	to[bytes] = 0;
	return true;
}

FN(strcpy)
{
	uint32_t bytes;
	const char *s = string_arg(call, 1, &bytes);

	CHECK(s != NULL && copy_string(call, rotor_arg_u32(call, 0), s, bytes), ROTOR_HOST_TRAP);
	return ROTOR_HOST_DONE;
}

FN(stpcpy)
{
	uint32_t bytes;
	const char *s = string_arg(call, 1, &bytes);

	CHECK(s != NULL && copy_string(call, rotor_arg_u32(call, 0), s, bytes), ROTOR_HOST_TRAP);
	return done(call, rotor_arg_u32(call, 0) + bytes);
}

FN(strncpy)
{
	uint32_t max = rotor_arg_u32(call, 2), bytes;
	const uint8_t *s = limited_arg(call, 1, max, &bytes);
	uint8_t *to = bytes_arg(call, 0, max);

	CHECK(s != NULL && to != NULL, ROTOR_HOST_TRAP);
	memmove(to, s, bytes);
	memset(to + bytes, 0, max - bytes);
	return ROTOR_HOST_DONE;
}

FN(strcat)
{
	uint32_t have, bytes;
	const char *to = string_arg(call, 0, &have), *s = string_arg(call, 1, &bytes);

	CHECK(to != NULL && s != NULL, ROTOR_HOST_TRAP);
	CHECK(copy_string(call, rotor_arg_u32(call, 0) + have, s, bytes), ROTOR_HOST_TRAP);
	return ROTOR_HOST_DONE;
}

FN(strncat)
{
	uint32_t have, bytes;
	const char *to = string_arg(call, 0, &have);
	const uint8_t *s = limited_arg(call, 1, rotor_arg_u32(call, 2), &bytes);

	CHECK(to != NULL && s != NULL, ROTOR_HOST_TRAP);
	CHECK(copy_string(call, rotor_arg_u32(call, 0) + have, s, bytes), ROTOR_HOST_TRAP);
	return ROTOR_HOST_DONE;
}

/* The length of the beginning of argument 0 whose bytes are (or are not) all in argument 1. */
static enum rotor_host span(struct rotor_call *call, bool in)
{
	uint32_t bytes, set_bytes, n = 0;
	const char *s = string_arg(call, 0, &bytes), *set = string_arg(call, 1, &set_bytes);
	uint8_t has[32] = {0};

	CHECK(s != NULL && set != NULL, ROTOR_HOST_TRAP);
	for (uint32_t i = 0; i < set_bytes; i++) {
		uint8_t c = (uint8_t)set[i];

		has[c / 8] |= (uint8_t)(1u << c % 8);
	}
	while (n < bytes && (has[(uint8_t)s[n] / 8] >> (uint8_t)s[n] % 8 & 1) == in) {
		n++;
	}
	return done(call, n);
}

FN(strspn)
{
	return span(call, true);
}

FN(strcspn)
{
	return span(call, false);
}

/* The maximal suffix of x for one order of letters or the other, and its period. */
static uint32_t max_suffix(const uint8_t *x, uint32_t bytes, bool other, uint32_t *period)
{
	uint32_t suffix = 0, j = 1, k = 0; /* suffix: its begin; compares x[suffix + k], x[j + k] */

	*period = 1;
	while (j + k < bytes) {
		uint8_t a = x[j + k], b = x[suffix + k];

		if (a == b) {
			if (++k == *period) {
				j += k;
				k = 0;
			}
		} else if ((a < b) != other) {
			j += k + 1;
			k = 0;
			*period = j - suffix;
		} else {
			suffix = j++;
			k = 0;
			*period = 1;
		}
	}
	return suffix;
}

/* What the search knows of the string that it looks for. */
struct needle {
	const uint8_t *x;
	uint32_t bytes, cut, period;
	bool repeats; /* has that period as a whole */
};

static void prepare(struct needle *n)
{
	uint32_t period, cut = max_suffix(n->x, n->bytes, true, &period);

	n->cut = max_suffix(n->x, n->bytes, false, &n->period);
	if (cut > n->cut) {
		n->cut = cut;
		n->period = period;
	}
	n->repeats = n->period + n->cut <= n->bytes && memcmp(n->x, n->x + n->period, n->cut) == 0;
	if (!n->repeats) {
		n->period = BASE_MAX(n->cut, n->bytes - n->cut) + 1;
	}
}

/* Finds it in s, by the two-way algorithm, whose work is in proportion to both lengths whatever
 * they hold; UINT32_MAX: it is not there. (Crochemore and Perrin, Journal of the ACM 38, 1991) */
static uint32_t search(const struct needle *n, const uint8_t *s, uint32_t bytes)
{
	uint32_t at = 0, known = 0; /* bytes at the begin that are known to agree */

	while (bytes - at >= n->bytes) {
		uint32_t right = BASE_MAX(n->cut, known), left = n->cut;

		while (right < n->bytes && n->x[right] == s[at + right]) {
			right++;
		}
		if (right < n->bytes) {
			at += right - n->cut + 1;
			known = 0;
			continue;
		}
		while (left > known && n->x[left - 1] == s[at + left - 1]) {
			left--;
		}
		if (left <= known) {
			return at;
		}
		at += n->period;
		known = n->repeats ? n->bytes - n->period : 0;
		if (at > bytes) {
			break;
		}
	}
	return UINT32_MAX;
}

FN(strstr)
{
	uint32_t bytes, at;
	const char *s = string_arg(call, 0, &bytes);
	struct needle n;

	n.x = (const uint8_t *)string_arg(call, 1, &n.bytes);
	CHECK(s != NULL && n.x != NULL, ROTOR_HOST_TRAP);
	if (n.bytes == 0) {
		return ROTOR_HOST_DONE;
	}
	prepare(&n);
	at = search(&n, (const uint8_t *)s, bytes);
	return done(call, at != UINT32_MAX ? rotor_arg_u32(call, 0) + at : 0);
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
