/* SPDX-License-Identifier: Apache-2.0 */
/* The file of an upload: the body as it is, or the part of a form (RFC 7578) named file. */
#define _GNU_SOURCE /* memmem */

#include "manager/http/call.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The parameter of a header line: name="text" or name=text. */
static bool parameter(const char *line, const char *end, const char *name, char *out, size_t bytes)
{
	size_t n = strlen(name);

	for (const char *p = line; p + n + 1 < end; p++) {
		bool starts = (p == line || p[-1] == ' ' || p[-1] == ';') && p[n] == '=';
		const char *v = p + n + 1, *stop;

		if (!starts || strncasecmp(p, name, n) != 0) {
			continue;
		}
		stop = *v == '"' ? memchr(v + 1, '"', (size_t)(end - v - 1)) : NULL;
		v += *v == '"';
		for (stop = stop != NULL ? stop : v;
		     stop < end && *stop != '"' && *stop != ';' && *stop != '\r' && *stop != ' ';) {
			stop++;
		}
		snprintf(out, bytes, "%.*s", (int)(stop - v), v);
		return true;
	}
	return false;
}

/* One part: its head ends with an empty line. */
static void upload_part(struct upload *u, const char *part, const char *end)
{
	const char *body = memmem(part, (size_t)(end - part), "\r\n\r\n", 4);
	char name[32] = "", file[256] = "";
	size_t n;

	if (body == NULL || !parameter(part, body, "name", name, sizeof(name)) ||
	    strcmp(name, "file") != 0) {
		return;
	}
	u->seen = true;
	parameter(part, body, "filename", file, sizeof(file));
	n = strlen(file);
	u->bad_name = n < 6 || strcmp(file + n - 5, ".wasm") != 0;
	u->bytes = body + 4;
	u->size = (size_t)(end - u->bytes);
}

/* RFC 7578: parts between lines of "--" and the boundary. */
static void upload_parts(struct upload *u, const char *type, const char *body, size_t bytes)
{
	const char *end = body + bytes, *at, *next;
	char boundary[80] = "\r\n--";
	size_t n;

	if (!parameter(type, type + strlen(type), "boundary", boundary + 4, sizeof(boundary) - 4)) {
		return;
	}
	n = strlen(boundary);
	if (bytes < n - 2 || memcmp(body, boundary + 2, n - 2) != 0) {
		return;
	}
	for (at = body + n - 2; !u->seen; at = next + n) {
		next = memmem(at, (size_t)(end - at), boundary, n);
		if (next == NULL) {
			return;
		}
		upload_part(u, at, next);
	}
}

/* The file's bytes; false when the call has been answered. */
bool upload_read(struct call *c, struct upload *u)
{
	const char *type =
		MHD_lookup_connection_value(c->connection, MHD_HEADER_KIND, "Content-Type");

	if (type != NULL && strncmp(type, "multipart/form-data", 19) != 0) {
		u->bytes = c->body != NULL ? c->body : "";
		u->size = c->body_bytes;
		return true;
	}
	if (type != NULL && c->body != NULL) {
		upload_parts(u, type, c->body, c->body_bytes);
	}
	if (u->bad_name) {
		call_error(c, 400, "file: its name must end in .wasm");
	} else if (!u->seen) {
		call_error(c, 400, "file: is missing; send a multipart form with the field file");
	}
	return u->seen && !u->bad_name;
}
