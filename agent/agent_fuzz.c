/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzer of the agent: the bytes are a list of events: messages (built from words of the protocol and
 * raw bytes, cut anywhere), time, lost connections, faults of the store, restarts. The rules of the
 * agent's state are checked after every step.
 */
#include <stdio.h>
#include <stdlib.h>

#include "agent/rig_test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct input {
	const uint8_t *at, *end;
};

static uint8_t byte(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

static const char *const topics[] = {
	"control/manager/start",    "control/manager/start/p1", "control/manager/stop",
	"control/manager/stop/p1",  "control/manager/invoke",   "control/manager/ack/p1",
	"control/manager/lease/p1", "registry/server",          "registry/server/p1",
	"control/manager/start/p2", "control/proplet/alive",
};

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

/* Words of messages: @ stands for the base64 of a module script. */
static const char *const words[] = {
	"\"id\":\"a\",",
	"\"id\":\"b\",",
	"\"id\":\"c\",",
	"\"name\":\"f\",",
	"\"function\":\"g\",",
	"\"file\":\"@0\",",
	"\"file\":\"@1\",",
	"\"file\":\"@2\",",
	"\"file\":\"@3\",",
	"\"file\":\"@4\",",
	"\"file\":\"@5\",",
	"\"file\":\"AAAA\",",
	"\"inputs\":[1,2],",
	"\"inputs\":[],",
	"\"epoch\":1,",
	"\"epoch\":2,",
	"\"epoch\":3,",
	"\"proplet_id\":\"p1\",",
	"\"proplet_id\":\"p2\",",
	"\"broadcast\":true,",
	"\"daemon\":true,",
	"\"latent\":true,",
	"\"priority\":90,",
	"\"lease_ms\":500,",
	"\"policy\":\"park\",",
	"\"policy\":\"stop\",",
	"\"limits\":{\"fuel\":500},",
	"\"limits\":{\"time_ms\":50,\"output_bytes\":20},",
	"\"limits\":{\"memory_bytes\":9000},",
	"\"capabilities\":[\"time\",\"kv\",\"publish\"],",
	"\"env\":{\"A\":\"b\",\"C\":\"d\"},",
	"\"invocation_id\":\"i\",",
	"\"invocation_id\":\"j\",",
	"\"task_id\":\"a\",",
	"\"task_id\":\"b\",",
	"\"tasks\":[{\"id\":\"a\",\"epoch\":1},{\"id\":\"b\",\"epoch\":2}],",
	"\"app_name\":\"x/y\",",
	"\"image_url\":\"x/y\",",
	"\"chunk_idx\":0,",
	"\"chunk_idx\":1,",
	"\"total_chunks\":2,",
	"\"offset\":0,",
	"\"offset\":3,",
	"\"size\":30,",
	"\"data\":\"@0\",",
	"\"data\":\"@1\",",
	"\"error\":\"no\",",
	"\"module\":{\"digest\":\"sha256:" ZEROS "\"},",
	"\"app_name\":\"sha256:" ZEROS "\",",
	"\"monitoring_profile\":{\"enabled\":true,\"interval\":1},",
	"\"cli_args\":null,",
	"\"encrypted\":true,",
	"\"id\":null,",
	"\"x\":{\"y\":[1,2,{}]},",
	"\"error\":\"\",",
};

static const char *const scripts[] = {
	"fake\nfunc f ii i sum\nfunc g - - ret 1\n",
	"fake\nfunc f - - sleep 20;pub one;log two;app n v;kvget k;burn 200\n",
	"fake\nfunc f - - forever\n",
	"fake\nwasi\nfunc _start - - print hello;print you;pub z\nfunc _initialize - - log i\n",
	"fake\nfunc f - - trap x\nfunc g - - stack\n",
	"fake\nmem 9000\nheap\nfunc f - - badptr\nfunc g - - exit 2\n",
};

static size_t put_word(char *out, const char *word)
{
	const char *at = strchr(word, '@');
	size_t n;

	if (at == NULL) {
		return (size_t)sprintf(out, "%s", word);
	}
	n = (size_t)sprintf(out, "%.*s", (int)(at - word), word);
	n += rig_base64(out + n, scripts[at[1] - '0'], (uint32_t)strlen(scripts[at[1] - '0']));
	return n + (size_t)sprintf(out + n, "%s", at + 2);
}

static void message(struct rig *r, struct input *in)
{
	char text[4096] = "{";
	size_t n = 1;
	uint8_t topic = byte(in), count = byte(in) % 12;

	while (count-- > 0) {
		uint8_t word = byte(in);

		if (word < 250) {
			n += put_word(text + n, words[word % BASE_COUNT(words)]);
		} else {
			text[n++] = (char)byte(in);
		}
	}
	if (text[n - 1] == ',') {
		n--;
	}
	text[n++] = '}';
	if (byte(in) > 240) {
		n = byte(in) % n;
	}
	r->piece_bytes = 1 + byte(in) * 4 % 1023;
	rig_message(r, topics[topic % BASE_COUNT(topics)], text, n);
}

static void slice_back(struct rig *r, struct input *in)
{
	struct agent_slice s;
	uint32_t k;

	if (r->held_count == 0) {
		return;
	}
	k = byte(in) % r->held_count;
	s = r->held[k];
	r->held[k] = r->held[--r->held_count];
	rig_event(r, &(struct agent_event){.kind = AGENT_EVENT_SLICE_DONE,
					   .slice = {s.slot, agent_slice_run(&s)}});
}

static void one(struct rig *r, struct input *in)
{
	switch (byte(in) % 16) {
	case 0:
		rig_event(r, &(struct agent_event){.kind = AGENT_EVENT_DISCONNECTED});
		break;
	case 1:
	case 2:
		rig_online(r);
		break;
	case 3:
		r->now_ms += byte(in) * byte(in);
		rig_event(r, &(struct agent_event){.kind = AGENT_EVENT_TICK});
		break;
	case 4:
		r->store_fails_at = r->store_actions + byte(in) % 8;
		break;
	case 5:
		r->publish_fails = byte(in) % 2;
		r->hold_acks = byte(in) % 4 == 0;
		break;
	case 6:
	case 7:
	case 8:
		slice_back(r, in);
		break;
	case 9:
		if (byte(in) < 60) {
			rig_boot(r);
		}
		break;
	case 10:
		rig_event(r, &(struct agent_event){.kind = AGENT_EVENT_PUBLISHED,
						   .published = {byte(in), byte(in) % 2}});
		break;
	case 11:
		rig_event(r, &(struct agent_event){
				     .kind = AGENT_EVENT_HOST_DONE,
				     .host = {.slot = byte(in) % 8, .data = "x", .data_bytes = 1}});
		break;
	default:
		message(r, in);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct input in = {data, data + bytes};
	struct rig *r = rig_new();
	uint8_t how = byte(&in);

	r->config.store = how & 1;
	r->config.journal = how >> 1 & 1;
	r->store_mapped = how >> 2 & 1;
	r->config.qos = how >> 3 & 1;
	r->hold_slices = true;
	r->limits.slices_max = 1 + (how >> 4 & 3);
	r->limits.tasks_max = 3;
	r->limits.modules_max = 2;
	r->pool_bytes = how >> 6 & 1 ? 6000 : 40000;
	r->text_bytes = how >> 7 ? 8192 : 2048;
	rig_boot(r);
	rig_online(r);
	while (in.at < in.end && r->steps < 5000) {
		one(r, &in);
	}
	if (strstr(r->log, "RIG:") != NULL) {
		abort();
	}
	rig_free(r);
	return 0;
}
