/* SPDX-License-Identifier: Apache-2.0 */
/* A broker's address. See address.h. */
#include "port/linux/address.h"

#include <stdlib.h>
#include <strings.h>

static const struct {
	const char *name;
	bool tls;
} schemes[] = {{"tcp", false}, {"mqtt", false}, {"ssl", true}, {"tls", true}, {"mqtts", true}};

static const char *take_scheme(const char **text, struct address *out)
{
	const char *end = strstr(*text, "://");

	if (end == NULL) {
		return NULL;
	}
	for (size_t i = 0; i < BASE_COUNT(schemes); i++) {
		size_t n = strlen(schemes[i].name);

		if ((size_t)(end - *text) == n && strncasecmp(*text, schemes[i].name, n) == 0) {
			out->tls = schemes[i].tls;
			*text = end + 3;
			return NULL;
		}
	}
	return "unknown scheme; known: tcp, mqtt, ssl, tls, mqtts";
}

static const char *take_port(const char *text, struct address *out)
{
	char *end;
	long port = strtol(text, &end, 10);

	if (end == text || (*end && strcmp(end, "/") != 0) || port < 1 || port > 65535) {
		return "the port is not a number from 1 to 65535";
	}
	out->port = (int)port;
	return NULL;
}

const char *address_parse(const char *text, struct address *out)
{
	const char *host, *after, *wrong;
	size_t n;

	memset(out, 0, sizeof(*out));
	wrong = take_scheme(&text, out);
	CHECK(wrong == NULL, wrong);
	out->port = out->tls ? 8883 : 1883;
	host = text[0] == '[' ? text + 1 : text;
	n = text[0] == '[' ? strcspn(host, "]") : strcspn(host, ":/");
	CHECK(text[0] != '[' || host[n] == ']', "the bracket of the address is not closed");
	CHECK(n > 0 && n < sizeof(out->host), "the host is missing or too long");
	memcpy(out->host, host, n);
	after = host + n + (text[0] == '[');
	CHECK(*after == 0 || *after == ':' || strcmp(after, "/") == 0,
	      "something follows the host that is no port");
	return *after == ':' ? take_port(after + 1, out) : NULL;
}
