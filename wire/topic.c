/* SPDX-License-Identifier: Apache-2.0 */
/* Topics: m/<tenant>/c/<channel>/ and a row of WIRE_TOPIC_LIST. */
#include "wire/wire.h"

struct topic_row {
	const char *text;
	const struct wire_table *table;
};

static const struct topic_row topics[] = {
#define X(name, topic, message) {topic, &wire_table_##message},
	WIRE_TOPIC_LIST(X)
#undef X
};

static bool has_id(const char *text)
{
	return text[strlen(text) - 1] == '+';
}

/* Appends what there is room for; returns the length with it. */
static size_t append(char *buf, size_t cap, size_t at, const char *text, size_t bytes)
{
	if (at + 1 < cap) {
		memcpy(buf + at, text, BASE_MIN(bytes, cap - 1 - at));
	}
	return at + bytes;
}

size_t wire_topic_write(const struct wire_place *place, enum wire_topic topic, const char *id,
			char *buf, size_t cap)
{
	const char *text = topics[topic].text;
	size_t n = append(buf, cap, 0, "m/", 2);

	n = append(buf, cap, n, place->tenant, strlen(place->tenant));
	n = append(buf, cap, n, "/c/", 3);
	n = append(buf, cap, n, place->channel, strlen(place->channel));
	n = append(buf, cap, n, "/", 1);
	n = append(buf, cap, n, text, strlen(text) - has_id(text));
	n = has_id(text) ? append(buf, cap, n, id, strlen(id)) : n;
	if (cap > 0) {
		buf[BASE_MIN(n, cap - 1)] = 0;
	}
	return n;
}

/* Takes a word off the beginning of the topic. */
static bool take(const char **at, size_t *bytes, const char *word)
{
	size_t n = strlen(word);

	CHECK(*bytes >= n && memcmp(*at, word, n) == 0, false);
	*at += n;
	*bytes -= n;
	return true;
}

enum wire_topic wire_topic_parse(const struct wire_place *place, const char *topic, size_t bytes,
				 struct wire_text *id)
{
	*id = wire_text_of("");
	CHECK(take(&topic, &bytes, "m/") && take(&topic, &bytes, place->tenant), WIRE_TOPIC_COUNT);
	CHECK(take(&topic, &bytes, "/c/") && take(&topic, &bytes, place->channel),
	      WIRE_TOPIC_COUNT);
	CHECK(take(&topic, &bytes, "/"), WIRE_TOPIC_COUNT);
	for (int i = 0; i < WIRE_TOPIC_COUNT; i++) {
		const char *text = topics[i].text;
		size_t n = strlen(text) - has_id(text);

		if (bytes < n || memcmp(topic, text, n) != 0) {
			continue;
		}
		if (!has_id(text) && bytes == n) {
			return (enum wire_topic)i;
		}
		if (has_id(text) && bytes > n && memchr(topic + n, '/', bytes - n) == NULL) {
			*id = (struct wire_text){topic + n, (uint32_t)(bytes - n)};
			return (enum wire_topic)i;
		}
	}
	return WIRE_TOPIC_COUNT;
}

const struct wire_table *wire_topic_table(enum wire_topic topic)
{
	return topics[topic].table;
}
