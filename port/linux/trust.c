/* SPDX-License-Identifier: Apache-2.0 */
/* Whose native images this worker runs. See trust.h. */
#include "port/linux/trust.h"
#include "port/linux/files.h"
#include "port/linux/log.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 64 digits at text, and nothing behind them but white space. */
static bool parse_key(const char *text, uint8_t *out, const char **rest)
{
	for (int i = 0; i < TRUST_KEY_BYTES; i++) {
		int high = digit((char)tolower((unsigned char)text[2 * i]));
		int low = high < 0 ? -1 : digit((char)tolower((unsigned char)text[2 * i + 1]));

		CHECK(low >= 0, false);
		out[i] = (uint8_t)(high << 4 | low);
	}
	text += 2 * TRUST_KEY_BYTES;
	CHECK(*text == 0 || isspace((unsigned char)*text), false);
	*rest = text;
	return true;
}

static const char *add(struct trust *t, const char *text)
{
	const char *rest = text;

	for (; isspace((unsigned char)*rest); rest++) {
	}
	do {
		CHECK(t->policy.key_count < TRUST_KEYS_MAX, "there are more than 16 keys");
		CHECK(parse_key(rest, t->keys + TRUST_KEY_BYTES * (size_t)t->policy.key_count,
				&rest),
		      "it is no key: a key has 64 hexadecimal digits");
		t->policy.key_count++;
		for (; isspace((unsigned char)*rest); rest++) {
		}
	} while (*rest != 0);
	return NULL;
}

static const char *add_file(struct trust *t, const char *path)
{
	char *text;
	size_t bytes;
	const char *wrong;

	errno = 0;
	text = files_get(path, 4096, &bytes);
	CHECK(text != NULL, errno != 0 ? strerror(errno) : "it cannot be read");
	wrong = add(t, text);
	free(text);
	return wrong;
}

static bool is_key(const char *word)
{
	return strlen(word) == 2 * TRUST_KEY_BYTES &&
	       strspn(word, "0123456789abcdefABCDEF") == 2 * TRUST_KEY_BYTES;
}

int trust_read(struct trust *t, const struct config *c)
{
	memset(t, 0, sizeof(*t));
	for (size_t i = 0; c->trust[i] != NULL; i++) {
		const char *wrong =
			is_key(c->trust[i]) ? add(t, c->trust[i]) : add_file(t, c->trust[i]);

		if (wrong != NULL) {
			LOG_E("trust: a key or a file of keys is wanted", "given=%s error=\"%s\"",
			      c->trust[i], wrong);
			return -1;
		}
	}
	t->policy.keys = t->keys;
	t->policy.allow_unsigned = c->allow_unsigned;
	t->policy.verify = trust_verify;
	t->on = c->native && rotor_image_target() != 0 && trust_verify != NULL;
	if (t->policy.key_count != 0 && !t->on) {
		LOG_W("keys are trusted, but this worker runs no native code", "native=%d build=%d",
		      c->native, rotor_image_target() != 0 && trust_verify != NULL);
	}
	return 0;
}

const struct rotor_image_policy *trust_policy(const struct trust *t)
{
	return t->on ? &t->policy : NULL;
}
