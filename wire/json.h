/* SPDX-License-Identifier: Apache-2.0 */
/* Private to wire/: JSON as tokens, from bytes that come in pieces. */
#ifndef WIRE_JSON_H
#define WIRE_JSON_H

#include "wire/wire.h"

enum json_token {
	JSON_MORE, /* the piece is used up */
	JSON_ERROR,
	JSON_OBJECT,
	JSON_OBJECT_END,
	JSON_ARRAY,
	JSON_ARRAY_END,
	JSON_KEY,      /* a part of a key; text */
	JSON_KEY_END,  /* the key is whole */
	JSON_TEXT,     /* a part of a string; text */
	JSON_TEXT_END, /* the string is whole */
	JSON_NUMBER,   /* text: as it stood there */
	JSON_TRUE,
	JSON_FALSE,
	JSON_NULL,
};

void wire_json_begin(struct wire_json *j);

/* The next token; *p moves past it. Parts of strings point into the piece or into j, UTF-8 checked,
 * escapes decoded. On ERROR *text is a sentence. */
enum json_token wire_json_next(struct wire_json *j, const uint8_t **p, const uint8_t *end,
			       const char **text, size_t *bytes);

/* Whether the value that began the text is complete. */
bool wire_json_ended(const struct wire_json *j);

#endif
