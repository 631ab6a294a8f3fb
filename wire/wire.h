/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire: the protocol's messages, both directions, in bounded memory.
 *
 *     bytes as they arrive --wire_read--> struct wire_<message>, base64 in decoded pieces
 *     struct wire_<message> --wire_write--> JSON, whole or window by window
 *
 * In:     JSON in pieces of any size; an arena for the texts; a buffer for decoded base64.
 * Out:    a struct whose `seen` has a bit per key that was there; or JSON.
 * Owns:   nothing. Texts lie in the arena until the caller uses it for something else.
 * Rules:  1. The rows of messages_list.h are the truth; struct, reader and writer come from them.
 *         2. Unknown keys are skipped at any depth up to WIRE_DEPTH_MAX; null counts as absent.
 *         3. Wrong type, missing key, bad UTF-8, out of bounds: an error naming the key's path.
 * Bounds: no recursion; work in proportion to the bytes; the reader is about 300 bytes.
 * Spec:   RFC 8259 (JSON), RFC 4648 section 4 (base64), RFC 3339 (timestamps), docs/protocol.md.
 *
 *     struct wire_start m;
 *     struct wire_reader r;
 *     wire_read_begin(&r, &wire_table_start, &m, arena, sizeof(arena), 0);
 *     for each piece:
 *             do {
 *                     r.sink = buf; r.sink_bytes = sizeof(buf);       before each wire_read
 *                     status = wire_read(&r, &piece, &bytes);
 *                     if (status == WIRE_DATA) use r.sink[0..r.sink_used) of r.row->key
 *             } while (status == WIRE_DATA);
 *     status is WIRE_MORE until wire_read_end(&r) says WIRE_DONE; or WIRE_ERROR: r.diag.
 */
#ifndef WIRE_WIRE_H
#define WIRE_WIRE_H

#include "base/base.h"
#include "wire/messages_list.h"
#include "wire/words_list.h"

/* ---- values ----------------------------------------------------------------------------------*/

enum {
	WIRE_DEPTH_MAX = 32,     /* of nested objects and arrays in a message */
	WIRE_KEY_BYTES_MAX = 32, /* longer keys are unknown ones */
	WIRE_NUMBER_BYTES_MAX = 63,
	WIRE_DIGEST_BYTES = 32,
};

/* A string: ended by 0, which bytes does not count; it may hold further zeros (\u0000). */
struct wire_text {
	const char *at;
	uint32_t bytes;
};

/* Strings one after the other; numbers are kept as their source text. PAIRS: key, value, key... */
struct wire_list {
	const char *at;        /* each: 4 bytes little-endian length, the bytes, 0 */
	uint32_t count, bytes; /* of strings; of all that lies at at */
	bool numbers;          /* writing: items are put as numbers where they look like numbers */
};

/* BYTES, for writing. */
struct wire_bytes {
	const uint8_t *at;
	uint32_t bytes;
};

/* ANY: the text of a string, or (raw) the JSON of another value. */
struct wire_any {
	const char *at;
	uint32_t bytes;
	bool raw;
};

struct wire_digest {
	uint8_t sha256[WIRE_DIGEST_BYTES];
};

/* A timestamp: milliseconds since 1970, or (uptime) since the device started. */
struct wire_time {
	int64_t ms;
	bool uptime;
};

/* OBJECTS: the first of a chain; each begins with its next. */
struct wire_link {
	const struct wire_link *next;
};
struct wire_objects {
	const struct wire_link *first, *last;
	uint32_t count;
};

typedef struct wire_text wire_TEXT, wire_SCALAR;
typedef bool wire_BOOL;
typedef int64_t wire_INT;
typedef double wire_NUM;
typedef struct wire_time wire_TIME;
typedef struct wire_list wire_LIST, wire_PAIRS;
typedef struct wire_bytes wire_BYTES;
typedef struct wire_digest wire_DIGEST;
typedef struct wire_any wire_ANY;

/* ---- messages: struct wire_start with members as listed, WIRE_ROW_start_id its row ------------*/

#define WIRE_MEMBER_F(kind, member, key, lo, hi, flags)   wire_##kind member;
#define WIRE_MEMBER_O(kind, member, key, sub, max, flags) WIRE_MEMBER_##kind(member, sub)
#define WIRE_MEMBER_OBJECT(member, sub)                   struct wire_##sub member;
#define WIRE_MEMBER_OBJECTS(member, sub)                  struct wire_objects member; /* of struct wire_<sub> */
#define WIRE_MEMBER_W(member, key, words, flags)          uint8_t member;

#define X(name, LIST)                                                                              \
	struct wire_##name {                                                                       \
		struct wire_link link; /* in OBJECTS */                                            \
		uint64_t seen;         /* bit WIRE_ROW_<name>_<member>: the key is there */        \
		LIST(WIRE_MEMBER_F, WIRE_MEMBER_O, WIRE_MEMBER_W)                                  \
	};
WIRE_PART_LIST(X)
WIRE_MESSAGE_LIST(X)
#undef X

/* Rows are counted by the bytes of a struct of one byte per row. */
#define WIRE_ROW_F(kind, member, key, lo, hi, flags)   uint8_t member;
#define WIRE_ROW_O(kind, member, key, sub, max, flags) uint8_t member;
#define WIRE_ROW_W(member, key, words, flags)          uint8_t member;
#define X(name, LIST)                                                                              \
	struct wire_rows_##name {                                                                  \
		LIST(WIRE_ROW_F, WIRE_ROW_O, WIRE_ROW_W)                                           \
	};
WIRE_PART_LIST(X)
WIRE_MESSAGE_LIST(X)
#undef X

/* The bit of a key in `seen`: WIRE_BIT(start, id). */
#define WIRE_BIT(name, member)    (UINT64_C(1) << offsetof(struct wire_rows_##name, member))
/* Whether message m (a struct wire_<name> *) has the key. */
#define WIRE_HAS(m, name, member) (((m)->seen & WIRE_BIT(name, member)) != 0)
/* Sets a key for writing: WIRE_SET(&m, alive, running, 3). */
#define WIRE_SET(m, name, member, ...)                                                             \
	((m)->member = (__VA_ARGS__), (m)->seen |= WIRE_BIT(name, member))
/* Sets a text key from a string ended by 0, unless it is NULL. */
#define WIRE_SET_STR(m, name, member, str)                                                         \
	do {                                                                                       \
		if ((str) != NULL) {                                                               \
			WIRE_SET(m, name, member, wire_text_of(str));                              \
		}                                                                                  \
	} while (0)

enum wire_kind {
	WIRE_KIND_TEXT,
	WIRE_KIND_SCALAR,
	WIRE_KIND_BOOL,
	WIRE_KIND_INT,
	WIRE_KIND_NUM,
	WIRE_KIND_TIME,
	WIRE_KIND_LIST,
	WIRE_KIND_PAIRS,
	WIRE_KIND_BYTES,
	WIRE_KIND_DIGEST,
	WIRE_KIND_ANY,
	WIRE_KIND_OBJECT,
	WIRE_KIND_OBJECTS,
	WIRE_KIND_WORD,
};

/* One key of a message. */
struct wire_row {
	const char *key;
	uint8_t kind; /* enum wire_kind */
	bool need;
	uint16_t offset; /* of the member */
	int64_t lo, hi;
	const struct wire_table *sub; /* OBJECT, OBJECTS */
	const char *const *words;     /* WORD: ended by NULL */
};

struct wire_table {
	const char *name;          /* of the message */
	uint16_t row_count, bytes; /* bytes: of the struct */
	const struct wire_row *rows;
};

#define X(name, LIST) extern const struct wire_table wire_table_##name;
WIRE_PART_LIST(X)
WIRE_MESSAGE_LIST(X)
#undef X

/* Words: enum wire_policy { WIRE_POLICY_KEEP... }, wire_words_policy[]. */
#define X(name, word) WIRE_POLICY_##name,
enum wire_policy {
	WIRE_WORDS_POLICY(X) WIRE_POLICY_COUNT
};
#undef X
#define X(name, word) WIRE_AOT_##name,
enum wire_aot {
	WIRE_WORDS_AOT(X) WIRE_AOT_COUNT
};
#undef X
#define X(name, word) WIRE_LEVEL_##name,
enum wire_level {
	WIRE_WORDS_LEVEL(X) WIRE_LEVEL_COUNT
};
#undef X
#define X(name, word) WIRE_REASON_##name,
enum wire_reason {
	WIRE_WORDS_REASON(X) WIRE_REASON_COUNT
};
#undef X
extern const char *const wire_words_POLICY[],
	*const wire_words_AOT[], *const wire_words_LEVEL[], *const wire_words_REASON[];

/* ---- reading ---------------------------------------------------------------------------------*/

enum wire_status {
	WIRE_MORE, /* the piece is used up */
	WIRE_DATA, /* sink_used decoded bytes of a BYTES key lie in sink; call again with the rest */
	WIRE_DONE,  /* of wire_read_end: the message is whole and valid */
	WIRE_ERROR, /* diag says what; every further call says the same */
};

/* The JSON reader's state; private. */
struct wire_json {
	uint8_t state, depth, number_bytes, literal, literal_at;
	uint8_t utf8_left, utf8_min, utf8_max; /* continuation bytes to come, bounds of the next */
	uint8_t unit_digits;
	bool in_key;
	uint16_t unit, high; /* of a \u escape; the high surrogate before it, or 0 */
	uint32_t arrays;     /* bit per depth: 1 array, 0 object */
	char out[4];         /* a decoded escape */
	char number[WIRE_NUMBER_BYTES_MAX + 1];
};

struct wire_level_state {
	const struct wire_table
		*table;             /* NULL: a LIST, PAIRS, TIME object or an array of OBJECTS */
	const struct wire_row *row; /* the key whose value is being read */
	void *object;
	uint32_t count; /* items of an array so far */
};

enum {
	WIRE_LEVELS_MAX = 5
};

struct wire_reader {
	/* by the caller, before each wire_read when the message has a BYTES key */
	uint8_t *sink;
	uint32_t sink_bytes; /* at least 3 */
	/* for the caller */
	uint32_t sink_used;
	const struct wire_row *row; /* of the data: its key */
	uint32_t data_bytes;        /* decoded so far of that key */
	char diag[112];             /* after WIRE_ERROR: a sentence, ended by 0 */
	/* private */
	void *message;
	const struct wire_table *table;
	char *arena;
	uint32_t arena_bytes, arena_used, text_from;
	uint64_t ignore;
	struct wire_json json;
	struct wire_level_state level[WIRE_LEVELS_MAX];
	uint8_t level_count, key_bytes, mode, skip_depth, base64_count, base64_pad;
	uint32_t base64_bits;
	bool begun, failed, whole, keep, text_open, raw_comma, key_long;
	char key[WIRE_KEY_BYTES_MAX];
};

/* Begins a message. Texts go to the arena (kept until the message's texts are done with); ignore
 * has the WIRE_BITs of top-level keys to skip unread. The message is cleared. */
void wire_read_begin(struct wire_reader *r, const struct wire_table *table, void *message,
		     void *arena, size_t arena_bytes, uint64_t ignore);

/* Reads on: *piece and *bytes move past what was taken. */
enum wire_status wire_read(struct wire_reader *r, const void **piece, size_t *bytes);

/* The message's bytes are over: DONE or ERROR. */
enum wire_status wire_read_end(struct wire_reader *r);

/* Reads a message that lies in memory as a whole; its BYTES keys are decoded into the arena, too
 * (their members then tell where). */
enum wire_status wire_read_all(struct wire_reader *r, const struct wire_table *table, void *message,
			       void *arena, size_t arena_bytes, const void *json, size_t bytes);

/* ---- writing ---------------------------------------------------------------------------------*/

/* The length of the message as JSON: keys in the rows' order, those of `seen`. Bytes from `from` on
 * go to buf, at most cap of them, so a long message can be written window by window. Text that is
 * not UTF-8 is sent with U+FFFD in place of its bad bytes. */
size_t wire_write(const struct wire_table *table, const void *message, size_t from, char *buf,
		  size_t cap);

/* ---- values' helpers -------------------------------------------------------------------------*/

/* A text that lends a string ended by 0; NULL: "". */
static inline struct wire_text wire_text_of(const char *str)
{
	struct wire_text t = {str != NULL ? str : "", str != NULL ? (uint32_t)strlen(str) : 0};

	return t;
}

bool wire_text_is(struct wire_text text, const char *str);
bool wire_text_same(struct wire_text a, struct wire_text b);

/* The next item of a list: *at begins at 0. False after the last. */
bool wire_list_next(const struct wire_list *list, uint32_t *at, struct wire_text *out);
/* Item i, by walking. */
bool wire_list_item(const struct wire_list *list, uint32_t i, struct wire_text *out);
/* Appends to a list that lies in buf; false when it does not fit. The items of a LIST, or keys and
 * values of PAIRS in turn. Begin with an empty list. */
bool wire_list_add(struct wire_list *list, char *buf, size_t cap, const char *text, size_t bytes);
/* The value of a key of PAIRS. */
bool wire_pairs_find(const struct wire_list *pairs, const char *key, struct wire_text *out);

/* "sha256:<hex>" of a digest, ended by 0: WIRE_DIGEST_TEXT bytes; and back. */
enum {
	WIRE_DIGEST_TEXT = 7 + 64 + 1
};
void wire_digest_text(const uint8_t *sha256, char out[WIRE_DIGEST_TEXT]);
bool wire_digest_parse(struct wire_text text, uint8_t *sha256);

/* RFC 3339 of milliseconds since 1970 (UTC, ended by 0): WIRE_TIME_TEXT bytes; and back. */
enum {
	WIRE_TIME_TEXT = 32
};
void wire_time_text(int64_t ms, char out[WIRE_TIME_TEXT]);
bool wire_time_parse(struct wire_text text, int64_t *ms);

/* The number of a word in a list ended by NULL, -1 if it is none. */
int wire_word(const char *const *words, struct wire_text text);

/* Bytes of the longest valid UTF-8 prefix. */
size_t wire_utf8_valid(const char *text, size_t bytes);

/* Base64 (RFC 4648 section 4, padded): the length of n bytes encoded. */
static inline size_t wire_base64_bytes(size_t n)
{
	return (n + 2) / 3 * 4;
}

/* ---- topics ----------------------------------------------------------------------------------*/

enum wire_topic {
#define X(name, topic, message) WIRE_TOPIC_##name,
	WIRE_TOPIC_LIST(X)
#undef X
	WIRE_TOPIC_COUNT /* also: none of these */
};

/* Whose topics: m/<tenant>/c/<channel>/. */
struct wire_place {
	const char *tenant, *channel;
};

/* Writes the topic, ended by 0; id replaces a "+" at its end ("+" itself makes a filter). Returns its
 * length, which is cap or more if it does not fit. */
size_t wire_topic_write(const struct wire_place *place, enum wire_topic topic, const char *id,
			char *buf, size_t cap);

/* Which topic this is, and the proplet id at its end (empty if it has none). */
enum wire_topic wire_topic_parse(const struct wire_place *place, const char *topic, size_t bytes,
				 struct wire_text *id);

/* The message that goes over a topic. */
const struct wire_table *wire_topic_table(enum wire_topic topic);

#endif
