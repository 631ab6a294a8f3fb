/* SPDX-License-Identifier: Apache-2.0 */
/* Options: "--name", "--name VALUE" or "--name=VALUE", before the first other argument. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rotor/tool/tool.h"

bool option_left(struct options *o)
{
	const char *text = o->at < o->argc ? o->argv[o->at] : NULL;

	if (text == NULL || text[0] != '-' || text[1] == 0) {
		return false;
	}
	if (strcmp(text, "--") == 0) {
		o->at++;
		return false;
	}
	return true;
}

bool option_is(struct options *o, const char *name, bool has_value)
{
	const char *text = o->argv[o->at];
	size_t bytes = strlen(name);

	if (strncmp(text, name, bytes) != 0 || (text[bytes] != 0 && text[bytes] != '=') ||
	    (text[bytes] == '=' && !has_value)) {
		return false;
	}
	o->at++;
	if (text[bytes] == '=') {
		o->value = text + bytes + 1;
	} else if (has_value) {
		if (o->at >= o->argc) {
			complain("%s needs a value", name);
			exit(EXIT_USAGE);
		}
		o->value = o->argv[o->at++];
	}
	return true;
}

void option_unknown(const struct options *o, const char *command)
{
	complain("unknown option '%s'; see rotor %s --help", o->argv[o->at], command);
	exit(EXIT_USAGE);
}

static uint64_t unit_of(const char *suffix)
{
	static const char letters[] = "kmg";
	const char *at = *suffix != 0 ? strchr(letters, *suffix | 0x20) : NULL;

	if (*suffix == 0) {
		return 1;
	}
	return at != NULL && suffix[1] == 0 ? (uint64_t)1 << 10 * (at - letters + 1) : 0;
}

uint64_t option_number(const char *name, const char *text, uint64_t max)
{
	char *end = NULL;
	uint64_t v = 0, unit = 0;

	errno = 0;
	if (*text >= '0' && *text <= '9') {
		v = strtoull(text, &end, 0);
		unit = unit_of(end);
	}
	if (unit == 0 || errno != 0 || v > max / unit) {
		complain(
			"%s: '%s' is not a number up to %llu, with k, m or g behind it if you like",
			name, text, (unsigned long long)max);
		exit(EXIT_USAGE);
	}
	return v * unit;
}
