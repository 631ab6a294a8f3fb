/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/prng.h"
#include "test/test.h"
#include "wire/wire.h"

static const struct wire_table *const tables[] = {
#define X(name, LIST) &wire_table_##name,
	WIRE_MESSAGE_LIST(X)
#undef X
};

static uint64_t message[256], message2[256];
static char arena[65536], arena2[65536], text[65536];

/* ---- any message, by its table */

static struct prng prng;
static char *spare; /* where made-up texts lie */

static struct wire_text some_text(uint32_t bytes_min, uint32_t bytes_max)
{
	static const char *const parts[] = {"a", "\"", "\\", "\n", "\x01", "é",
					    "€", "😀",  "</", "Z",  "\x7f", "/"};
	char *at = spare;
	uint32_t want =
		bytes_min + prng_below(&prng, BASE_MIN(bytes_max, bytes_min + 24) - bytes_min + 1);

	while ((uint32_t)(spare - at) < want) {
		const char *part = parts[prng_below(&prng, BASE_COUNT(parts))];

		if (spare - at + strlen(part) <= bytes_max) {
			spare = stpcpy(spare, part);
		} else {
			*spare++ = 'x';
		}
	}
	*spare++ = 0;
	return (struct wire_text){at, (uint32_t)(spare - at - 1)};
}

static void some_list(struct wire_list *list, uint32_t even)
{
	uint32_t n = even * (1 + prng_below(&prng, 4));
	char *buf = spare;

	spare += 1024;
	for (uint32_t i = 0; i < n; i++) {
		struct wire_text item = some_text(0, 20);

		if (!wire_list_add(list, buf, 1024, item.at, item.bytes)) {
			TEST_FAIL("no room");
		}
	}
}

static void some_message(const struct wire_table *table, void *object, bool all);

static void some_objects(const struct wire_row *row, struct wire_objects *objects)
{
	uint32_t n = prng_below(&prng, 4);

	for (uint32_t i = 0; i < n; i++) {
		struct wire_link *link;

		spare += (8 - (uintptr_t)spare % 8) % 8;
		link = (struct wire_link *)spare;
		spare += row->sub->bytes;
		some_message(row->sub, link, true);
		if (objects->last != NULL) {
			((struct wire_link *)(uintptr_t)objects->last)->next = link;
		} else {
			objects->first = link;
		}
		objects->last = link;
		objects->count++;
	}
}

static void some_value(const struct wire_row *row, char *object)
{
	void *to = object + row->offset;
	uint32_t words = 0;

	switch (row->kind) {
	case WIRE_KIND_TEXT:
	case WIRE_KIND_SCALAR:
		*(struct wire_text *)to =
			some_text((uint32_t)row->lo, (uint32_t)BASE_MIN(row->hi, 40));
		break;
	case WIRE_KIND_BOOL:
		*(bool *)to = prng_below(&prng, 2) != 0;
		break;
	case WIRE_KIND_INT:
		*(int64_t *)to = prng_below(&prng, 3) == 0 ? row->hi
				 : prng_below(&prng, 2) == 0
					 ? row->lo
					 : row->lo + (int64_t)(prng_next(&prng) %
							       (uint64_t)(row->hi - row->lo));
		break;
	case WIRE_KIND_NUM:
		*(double *)to = prng_below(&prng, 1000000) / 128.0;
		break;
	case WIRE_KIND_TIME:
		((struct wire_time *)to)->ms = (int64_t)(prng_next(&prng) % 2000000000000u);
		((struct wire_time *)to)->uptime = prng_below(&prng, 2) != 0;
		break;
	case WIRE_KIND_LIST:
	case WIRE_KIND_PAIRS:
		some_list(to, row->kind == WIRE_KIND_LIST ? 1 : 2);
		break;
	case WIRE_KIND_BYTES:
		*(struct wire_bytes *)to =
			(struct wire_bytes){(const uint8_t *)tables, prng_below(&prng, 100)};
		break;
	case WIRE_KIND_DIGEST:
		memset(to, (int)prng_below(&prng, 256), 32);
		break;
	case WIRE_KIND_ANY:
		if (prng_below(&prng, 2) == 0) {
			static const char json[] =
				"{\"a\":[1,2.5,\"\\u0001x\",{}],\"\":null,\"b\":[]}";
			*(struct wire_any *)to = (struct wire_any){json, sizeof(json) - 1, true};
		} else {
			struct wire_text t = some_text(0, 30);
			*(struct wire_any *)to = (struct wire_any){t.at, t.bytes, false};
		}
		break;
	case WIRE_KIND_OBJECT:
		some_message(row->sub, to, true);
		break;
	case WIRE_KIND_OBJECTS:
		some_objects(row, to);
		break;
	case WIRE_KIND_WORD:
		while (row->words[words] != NULL) {
			words++;
		}
		*(uint8_t *)to = (uint8_t)prng_below(&prng, words);
	}
}

static void some_message(const struct wire_table *table, void *object, bool all)
{
	struct wire_limits *any = object;

	memset(object, 0, table->bytes);
	for (uint32_t i = 0; i < table->row_count; i++) {
		if (all || table->rows[i].need || prng_below(&prng, 2) == 0) {
			some_value(&table->rows[i], object);
			any->seen |= UINT64_C(1) << i;
		}
	}
}

TEST(every_message_round_trips)
{
	static char room[65536];

	EXPECT(sizeof(message) >= sizeof(struct wire_start));
	for (int round = 0; round < 300; round++) {
		for (size_t t = 0; t < BASE_COUNT(tables); t++) {
			struct wire_reader r;
			size_t n, n2;

			prng_init(&prng, (uint64_t)round * 100 + t);
			spare = room;
			some_message(tables[t], message, round % 2 == 0);
			n = wire_write(tables[t], message, 0, text, sizeof(text));
			if (wire_read_all(&r, tables[t], message2, arena, sizeof(arena), text, n) !=
			    WIRE_DONE) {
				TEST_FAIL("%s\n%.*s", r.diag, (int)n, text);
				return;
			}
			n2 = wire_write(tables[t], message2, 0, arena2, sizeof(arena2));
			EXPECT(n == n2 && memcmp(text, arena2, n) == 0);
		}
	}
}

TEST(written_in_windows)
{
	for (size_t t = 0; t < BASE_COUNT(tables); t++) {
		static char room[65536];
		size_t n;

		prng_init(&prng, t);
		spare = room;
		some_message(tables[t], message, true);
		n = wire_write(tables[t], message, 0, text, sizeof(text));
		EXPECT_EQ(wire_write(tables[t], message, 0, NULL, 0), n);
		for (size_t window = 1; window < 40; window++) {
			for (size_t from = 0; from < n; from += window) {
				memset(arena2, 'x', window + 1);
				EXPECT_EQ(wire_write(tables[t], message, from, arena2, window), n);
				if (memcmp(arena2, text + from, BASE_MIN(window, n - from)) != 0 ||
				    arena2[window] != 'x') {
					TEST_FAIL("%s: window of %zu at %zu", tables[t]->name,
						  window, from);
					return;
				}
			}
		}
	}
}

/* ---- reading piece by piece */

struct fed {
	enum wire_status status;
	uint8_t data[4096];
	uint32_t data_bytes;
};

static void feed(struct wire_reader *r, struct fed *fed, const void *piece, size_t bytes,
		 uint32_t room)
{
	uint8_t sink[64];

	do {
		r->sink = sink;
		r->sink_bytes = room;
		fed->status = wire_read(r, &piece, &bytes);
		if (fed->status == WIRE_DATA) {
			memcpy(fed->data + fed->data_bytes, sink, r->sink_used);
			fed->data_bytes += r->sink_used;
		}
	} while (fed->status == WIRE_DATA);
	EXPECT(fed->status == WIRE_ERROR || bytes == 0);
}

static const char start_full[] =
	"{\"x\":{\"y\":[1,{\"z\":\"\\\"}\"}]},\"file\":\"AGFzbQEAAAABBwFgAn9/"
	"AX8DAgEABwcBA2FkZAAACgkBBwAgACABags=\","
	"\"inputs\":[\"10\",-20.5,\"\\u00e9\\ud83d\\ude00\",null,true], "
	"\"env\":{\"K\":\"v\",\"N\":3},\"cli_args\":null,"
	"\"limits\":{\"fuel\":1e6,\"other\":[[]]},\"priority\":70,\"id\":\"t-1\",\"name\":\"add\","
	"\"policy\":\"park\","
	"\"module\":{\"digest\":\"sha256:"
	"00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF\",\"size\":7},"
	"\"parent_results\":{\"a\":[1,\"two\",{\"three\":null}]},\"broadcast\":false}";

static void check_start(const struct wire_start *m, const struct fed *fed)
{
	struct wire_text item;

	EXPECT(wire_text_is(m->id, "t-1") && wire_text_is(m->name, "add"));
	EXPECT_EQ(m->inputs.count, 5);
	EXPECT(wire_list_item(&m->inputs, 1, &item) && wire_text_is(item, "-20.5"));
	EXPECT(wire_list_item(&m->inputs, 2, &item) && wire_text_is(item, "é😀"));
	EXPECT(wire_list_item(&m->inputs, 3, &item) && item.bytes == 0);
	EXPECT(wire_list_item(&m->inputs, 4, &item) && wire_text_is(item, "true"));
	EXPECT(wire_pairs_find(&m->env, "N", &item) && wire_text_is(item, "3"));
	EXPECT(!WIRE_HAS(m, start, cli_args) && WIRE_HAS(m, start, broadcast));
	EXPECT_EQ(m->limits.fuel, 1000000);
	EXPECT_EQ(m->policy, WIRE_POLICY_PARK);
	EXPECT_EQ(m->module.digest.sha256[31], 0xFF);
	EXPECT(wire_text_is((struct wire_text){m->parent_results.at, m->parent_results.bytes},
			    "{\"a\":[1,\"two\",{\"three\":null}]}"));
	EXPECT_EQ(fed->data_bytes, 41);
	EXPECT_EQ(m->file.bytes, 41);
	EXPECT(memcmp(fed->data, "\0asm\1\0\0\0", 8) == 0 && fed->data[40] == 0x0B);
}

TEST(any_split_gives_the_same)
{
	static struct fed fed;
	struct wire_start m;
	struct wire_reader r;
	size_t n = sizeof(start_full) - 1;

	for (size_t split = 0; split <= n; split++) {
		memset(&fed, 0, sizeof(fed));
		wire_read_begin(&r, &wire_table_start, &m, arena, sizeof(arena), 0);
		feed(&r, &fed, start_full, split, 3 + split % 50);
		feed(&r, &fed, start_full + split, n - split, 3 + split % 50);
		EXPECT_EQ(wire_read_end(&r), WIRE_DONE);
		check_start(&m, &fed);
	}
	for (size_t piece = 1; piece < 50; piece++) {
		memset(&fed, 0, sizeof(fed));
		wire_read_begin(&r, &wire_table_start, &m, arena, sizeof(arena), 0);
		for (size_t at = 0; at < n; at += piece) {
			feed(&r, &fed, start_full + at, BASE_MIN(piece, n - at), 5);
		}
		EXPECT_EQ(wire_read_end(&r), WIRE_DONE);
		check_start(&m, &fed);
	}
}

TEST(every_cut_and_every_small_arena_is_an_error)
{
	struct wire_start m;
	struct wire_reader r;
	size_t n = sizeof(start_full) - 1, room = 0;

	for (size_t cut = 0; cut < n; cut++) {
		EXPECT_EQ(wire_read_all(&r, &wire_table_start, &m, arena, sizeof(arena), start_full,
					cut),
			  WIRE_ERROR);
	}
	for (; room < 1000; room++) {
		char *small = malloc(room + 1); /* so that a sanitizer sees its end */
		enum wire_status status =
			wire_read_all(&r, &wire_table_start, &m, small, room, start_full, n);

		free(small);
		if (status == WIRE_DONE) {
			break;
		}
		EXPECT_EQ(status, WIRE_ERROR);
	}
	EXPECT(room > 100 && room < 300);
}

/* ---- messages as Propeller's programs send them */

static enum wire_status read_str(const struct wire_table *table, void *m, const char *json)
{
	static struct wire_reader r;

	return wire_read_all(&r, table, m, arena, sizeof(arena), json, strlen(json));
}

TEST(recorded_commands)
{
	struct wire_start s;
	struct wire_stop stop;
	struct wire_invoke invoke;

	EXPECT_EQ(read_str(&wire_table_start, &s,
			   "{\"id\":\"0b7c1f2e-6a0d-4f0e-9c1b-5f6d3f0c9a11\",\"name\":\"add\","
			   "\"state\":0,"
			   "\"file\":\"AGFzbQEAAAA=\",\"inputs\":[\"10\",\"20\"],\"cli_args\":null,"
			   "\"broadcast\":false,\"daemon\":false,\"latent\":false,\"env\":{"
			   "\"LEVEL\":\"3\"},"
			   "\"encrypted\":false,\"proplet_id\":\"5c4b7c38-5b0c-4f7e-8b7f-"
			   "1d2a1f7f4e21\"}"),
		  WIRE_DONE);
	EXPECT_EQ(s.file.bytes, 8);
	EXPECT(s.file.at != NULL && memcmp(s.file.at, "\0asm\1\0\0\0", 8) == 0);
	EXPECT_EQ(s.inputs.count, 2);
	EXPECT_EQ(read_str(&wire_table_stop, &stop,
			   "{\"id\":\"a\",\"name\":\"b\",\"state\":\"2\",\"broadcast\":false,"
			   "\"proplet_id\":\"c\"}"),
		  WIRE_DONE);
	EXPECT(wire_text_is(stop.state, "2"));
	EXPECT_EQ(read_str(&wire_table_stop, &stop, "{\"id\":\"a\",\"state\":2}"), WIRE_DONE);
	EXPECT(wire_text_is(stop.state, "2"));
	EXPECT_EQ(read_str(&wire_table_invoke, &invoke,
			   "{\"broadcast\":false,\"id\":\"6f\",\"inputs\":[\"\\\"world\\\"\"],"
			   "\"invocation_id\":\"c1\",\"proplet_id\":\"5c\",\"env\":{\"GREETING\":"
			   "\"hola\"}}"),
		  WIRE_DONE);
	EXPECT_EQ(read_str(&wire_table_invoke, &invoke,
			   "{\"broadcast\":false,\"id\":\"6f\",\"inputs\":null,\"invocation_id\":"
			   "\"c1\"}"),
		  WIRE_DONE);
}

TEST(recorded_reports)
{
	struct wire_results res;
	struct wire_metrics met;
	struct wire_task_metrics task;
	struct wire_create create;

	EXPECT_EQ(read_str(&wire_table_results, &res,
			   "{\"task_id\":\"0b\",\"proplet_id\":\"5c\",\"results\":\"30\",\"error\":"
			   "null}"),
		  WIRE_DONE);
	EXPECT(!WIRE_HAS(&res, results, error) && !res.results.raw && res.results.bytes == 2);
	EXPECT_EQ(read_str(&wire_table_results, &res,
			   "{\"task_id\":\"0b\",\"results\":{\"update_b64\":\"eA==\",\"metrics\":{}"
			   "}}"),
		  WIRE_DONE);
	EXPECT(res.results.raw && res.results.at[0] == '{');
	EXPECT_EQ(
		read_str(&wire_table_metrics, &met,
			 "{\"proplet_id\":\"5c\",\"namespace\":\"default\",\"timestamp\":{\"secs_"
			 "since_epoch\":1766448000,"
			 "\"nanos_since_epoch\":120000000},\"cpu_metrics\":{\"user_seconds\":1.2,"
			 "\"system_seconds\":0.4,"
			 "\"percent\":3.1},\"memory_metrics\":{\"rss_bytes\":31457280,\"heap_"
			 "alloc_bytes\":0},\"network_metrics\":{\"rx_bytes\":12,\"tx_bytes\":34}}"),
		WIRE_DONE);
	EXPECT(met.timestamp.ms == 1766448000120 && !met.timestamp.uptime);
	EXPECT(met.cpu_metrics.percent == 3.1 && met.memory_metrics.rss_bytes == 31457280);
	EXPECT(met.network_metrics.rx_bytes == 12 && met.network_metrics.tx_bytes == 34);
	EXPECT_EQ(
		read_str(&wire_table_metrics, &met, "{\"proplet_id\":\"5c\",\"timestamp\":51234}"),
		WIRE_DONE);
	EXPECT(met.timestamp.ms == 51234 && met.timestamp.uptime);
	EXPECT_EQ(read_str(&wire_table_metrics, &met,
			   "{\"proplet_id\":\"5c\",\"timestamp\":\"2026-08-20T10:11:12.345678+02:"
			   "00\"}"),
		  WIRE_DONE);
	EXPECT_EQ(met.timestamp.ms, 1787213472345);
	EXPECT_EQ(
		read_str(
			&wire_table_task_metrics, &task,
			"{\"task_id\":\"0b\",\"proplet_id\":\"5c\",\"metrics\":{\"cpu_percent\":12."
			"5},\"aggregated\":null,"
			"\"timestamp\":{\"secs_since_epoch\":1766448010,\"nanos_since_epoch\":0}}"),
		WIRE_DONE);
	EXPECT(!WIRE_HAS(&task, task_metrics, aggregated));
	EXPECT_EQ(read_str(&wire_table_create, &create,
			   "{\"proplet_id\":\"5c4b\",\"namespace\":\"default\",\"metadata\":{"
			   "\"tags\":[\"edge\",\"lab\"],"
			   "\"os\":\"linux\",\"total_memory_bytes\":16777216000,\"wasm_runtime\":"
			   "\"wasmtime-internal\"}}"),
		  WIRE_DONE);
	EXPECT_EQ(create.metadata.total_memory_bytes, 16777216000);
	EXPECT(!WIRE_HAS(&create.metadata, metadata, engine));
}

/* ---- errors */

TEST(errors_name_the_key)
{
	static const struct {
		const char *json, *error;
	} cases[] = {
		{"", "start: the message is cut off"},
		{"[1]", "start: the message is not a JSON object"},
		{"\"x\"", "start: the message is not a JSON object"},
		{"{}", "start.id: the key is missing"},
		{"{\"id\":null,\"name\":\"x\"}", "start.id: the key is missing"},
		{"{\"id\":\"x\"}", "start.name: the key is missing"},
		{"{\"id\":7}", "start.id: a string is needed"},
		{"{\"id\":[]}", "start.id: a string is needed"},
		{"{\"id\":\"\"}", "start.id: a length from 1 to 64 is needed"},
		{"{\"priority\":101}", "start.priority: a whole number from 0 to 100 is needed"},
		{"{\"priority\":1.5}", "start.priority: a whole number from 0 to 100 is needed"},
		{"{\"priority\":\"5\"}", "start.priority: a whole number is needed"},
		{"{\"limits\":{\"fuel\":-1}}",
		 "start.limits.fuel: a whole number from 0 to 9007199254740991 is needed"},
		{"{\"limits\":[]}", "start.limits: an object is needed"},
		{"{\"module\":{\"size\":1}}", "start.module.digest: the key is missing"},
		{"{\"module\":{\"digest\":\"sha256:12\"}}",
		 "start.module.digest: \"sha256:\" and 64 hex digits are needed"},
		{"{\"policy\":\"maybe\"}", "start.policy: one of the known words is needed"},
		{"{\"inputs\":\"1\"}", "start.inputs: an array of strings or numbers is needed"},
		{"{\"inputs\":[1,[2]]}",
		 "start.inputs[1]: an array of strings or numbers is needed"},
		{"{\"env\":{\"a\":{}}}", "start.env: an object of strings is needed"},
		{"{\"broadcast\":1}", "start.broadcast: true or false is needed"},
		{"{\"file\":\"A\"}",
		 "start.file: base64 is cut off: its length is no multiple of 4"},
		{"{\"file\":\"A===\"}", "start.file: not base64 (RFC 4648, with padding)"},
		{"{\"file\":\"AA=A\"}", "start.file: not base64 (RFC 4648, with padding)"},
		{"{\"file\":\"AA==AAAA\"}", "start.file: not base64 (RFC 4648, with padding)"},
		{"{\"file\":\"AAAA\",\"file\":\"AAAA\"}", "start.file: the key is there twice"},
		{"{\"file\":1}", "start.file: a base64 string is needed"},
		{"{\"id\":\"\xff\"}", "start.id: text is not valid UTF-8"},
		{"{\"id\":\"\xc3\"}", "start.id: text is not valid UTF-8"},
		{"{\"id\":\"\xed\xa0\x80\"}", "start.id: text is not valid UTF-8"},
		{"{\"id\":\"\\ud800\"}", "start.id: a \\u surrogate stands alone"},
		{"{\"id\":\"\\udc00\"}", "start.id: a \\u surrogate stands alone"},
		{"{\"id\":\"\\x\"}", "start.id: an unknown escape in a string"},
		{"{\"id\":\"\n\"}", "start.id: a control character in a string"},
		{"{\"id\":tru}", "start.id: unknown word; a string needs quotation marks"},
		{"{\"id\":01}", "start.id: not a number as JSON writes it"},
		{"{\"id\" \"x\"}", "start.id: a colon is missing after a key"},
		{"{\"id\":\"a\"\"b\"}", "start.id: a comma or closing bracket is missing"},
		{"{\"id\":\"a\",\"name\":\"b\"} x",
		 "start.name: something follows the end of the message"},
		{"{\"id\":\"a\",}", "start.id: a key in quotation marks is missing"},
	};

	for (size_t i = 0; i < BASE_COUNT(cases); i++) {
		static struct wire_reader r;
		struct wire_start m;

		EXPECT_EQ(wire_read_all(&r, &wire_table_start, &m, arena, sizeof(arena),
					cases[i].json, strlen(cases[i].json)),
			  WIRE_ERROR);
		if (strcmp(r.diag, cases[i].error) != 0 &&
		    strcmp(cases[i].json, "{\"id\" \"x\"}") != 0) {
			TEST_FAIL("%s\n gives %s\n wants %s", cases[i].json, r.diag,
				  cases[i].error);
		}
	}
}

TEST(nesting_is_bounded)
{
	struct wire_start m;
	char json[200] = "{\"x\":";

	memset(json + 5, '[', 100);
	EXPECT_EQ(read_str(&wire_table_start, &m, json), WIRE_ERROR);
	strcpy(json + 5 + 31, "1");
	memset(json + 5 + 32, ']', 31);
	strcpy(json + 5 + 63, ",\"id\":\"a\",\"name\":\"b\"}");
	EXPECT_EQ(read_str(&wire_table_start, &m, json), WIRE_DONE);
}

TEST(ignored_keys_take_no_room)
{
	struct wire_start m;
	struct wire_reader r;
	const void *piece = start_full;
	size_t bytes = sizeof(start_full) - 1;

	wire_read_begin(&r, &wire_table_start, &m, arena, 60,
			~(WIRE_BIT(start, id) | WIRE_BIT(start, name)));
	EXPECT_EQ(wire_read(&r, &piece, &bytes), WIRE_MORE);
	EXPECT_EQ(wire_read_end(&r), WIRE_DONE);
	EXPECT(wire_text_is(m.id, "t-1") && r.arena_used == 8);
}

TEST(bad_text_is_written_valid)
{
	struct wire_logs m = {0};
	size_t n;

	WIRE_SET(&m, logs, proplet_id, wire_text_of("p"));
	WIRE_SET(&m, logs, task_id, wire_text_of("t"));
	WIRE_SET(&m, logs, text, ((struct wire_text){"a\xff\xe2\x82z\0", 6}));
	n = wire_write(&wire_table_logs, &m, 0, text, sizeof(text));
	text[n] = 0;
	EXPECT_STR(text, "{\"proplet_id\":\"p\",\"task_id\":\"t\",\"text\":"
			 "\"a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz\\u0000\"}");
}

TEST(numbers_where_wanted)
{
	struct wire_start m = {0};
	static const char *const items[] = {"1", "-2.5", "007", "0",   "0.5",
					    "x", "",     "-",   "1e5", "5."};
	size_t n;

	for (size_t i = 0; i < BASE_COUNT(items); i++) {
		EXPECT(wire_list_add(&m.inputs, arena, sizeof(arena), items[i], strlen(items[i])));
	}
	m.inputs.numbers = true;
	m.seen = WIRE_BIT(start, inputs);
	n = wire_write(&wire_table_start, &m, 0, text, sizeof(text));
	text[n] = 0;
	EXPECT_STR(text, "{\"inputs\":[1,-2.5,\"007\",0,0.5,\"x\",\"\",\"-\",\"1e5\",\"5.\"]}");
}

TEST(times)
{
	char out[WIRE_TIME_TEXT];
	int64_t ms;

	wire_time_text(1766448000120, out);
	EXPECT_STR(out, "2025-12-23T00:00:00.120Z");
	EXPECT(wire_time_parse(wire_text_of(out), &ms) && ms == 1766448000120);
	EXPECT(wire_time_parse(wire_text_of("2000-02-29t23:59:60Z"), &ms) && ms == 951868800000);
	EXPECT(!wire_time_parse(wire_text_of("2000-13-01T00:00:00Z"), &ms));
	EXPECT(!wire_time_parse(wire_text_of("2000-12-01T00:00:00"), &ms));
}

TEST(topics)
{
	struct wire_place place = {"t", "c"};
	struct wire_text id;
	char buf[64];

	for (int i = 0; i < WIRE_TOPIC_COUNT; i++) {
		size_t n =
			wire_topic_write(&place, (enum wire_topic)i, "some-id", buf, sizeof(buf));

		EXPECT_EQ(wire_topic_parse(&place, buf, n, &id), i);
		EXPECT(id.bytes == 0 || wire_text_is(id, "some-id"));
		EXPECT(wire_topic_table((enum wire_topic)i) != NULL);
	}
	EXPECT_EQ(wire_topic_write(&place, WIRE_TOPIC_START_TO, "+", buf, sizeof(buf)), 31);
	EXPECT_STR(buf, "m/t/c/c/control/manager/start/+");
	EXPECT_EQ(wire_topic_parse(&place, "m/t/c/x/control/manager/start", 29, &id),
		  WIRE_TOPIC_COUNT);
	EXPECT_EQ(wire_topic_parse(&place, "m/t/c/c/control/manager/start/", 30, &id),
		  WIRE_TOPIC_COUNT);
	EXPECT_EQ(wire_topic_parse(&place, "", 0, &id), WIRE_TOPIC_COUNT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* The fuzzer on messages with a few bytes changed. */
TEST(damaged_messages)
{
	static char room[65536], data[65536];

	for (uint64_t seed = 0; seed < 20000; seed++) {
		size_t t, n;

		prng_init(&prng, seed);
		spare = room;
		t = prng_below(&prng, BASE_COUNT(tables));
		data[0] = (char)t;
		data[1] = (char)prng_next(&prng);
		some_message(tables[t], message, prng_below(&prng, 2) == 0);
		n = wire_write(tables[t], message, 0, data + 2, sizeof(data) - 2);
		for (uint32_t k = prng_below(&prng, 4); k > 0; k--) {
			data[2 + prng_below(&prng, (uint32_t)n)] =
				"\"\\{}[],:0e.-u\xff\xc3 atfn"[prng_below(&prng, 20)];
		}
		LLVMFuzzerTestOneInput((uint8_t *)data, n + 2);
	}
}

TEST_MAIN(T(every_message_round_trips) T(written_in_windows) T(any_split_gives_the_same)
		  T(every_cut_and_every_small_arena_is_an_error) T(recorded_commands)
			  T(recorded_reports) T(errors_name_the_key) T(nesting_is_bounded)
				  T(ignored_keys_take_no_room) T(bad_text_is_written_valid)
					  T(numbers_where_wanted) T(times) T(topics)
						  T(damaged_messages))
