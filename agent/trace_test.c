/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the golden traces in agent/traces (Markdown) against an agent on the scripted engine.
 *
 * In a block fenced by ```trace, a line "> VERB ARGS" is an event, the lines "< TEXT" after it are all
 * that the agent does then, in order; "*" stands for any text. "= NAME VALUE" sets up the rig before
 * "> boot". In JSON, @{SCRIPT} is the base64 of a module script ("|" for its line ends), #{SCRIPT} its
 * digest.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/rig_test.h"
#include "base/sha256.h"

static const char folder[] = "agent/traces";

struct trace {
	const char *file;
	int line;
	struct rig *rig;
	const char *seen; /* of the rig's log: the next line to compare */
	bool failed;
};

static void fail(struct trace *t, const char *what, const char *text)
{
	printf("%s:%d: %s: %s\n", t->file, t->line, what, text);
	t->failed = true;
}

/* Whether text matches the pattern, where "*" stands for anything. */
static bool matches(const char *pattern, const char *text, size_t bytes)
{
	const char *end = text + bytes, *star = NULL, *from = NULL;

	while (text < end) {
		if (*pattern == '*') {
			star = ++pattern;
			from = text;
		} else if (*pattern == *text) {
			pattern++;
			text++;
		} else if (star != NULL) {
			pattern = star;
			text = ++from;
		} else {
			return false;
		}
	}
	while (*pattern == '*') {
		pattern++;
	}
	return *pattern == 0;
}

/* Lines for people are not part of a trace. */
static void skip_logs(struct trace *t)
{
	while (strncmp(t->seen, "log ", 4) == 0) {
		t->seen = strchr(t->seen, '\n') + 1;
	}
}

static void expect(struct trace *t, const char *pattern)
{
	const char *end;

	skip_logs(t);
	end = strchr(t->seen, '\n');
	if (end == NULL) {
		fail(t, "nothing more was done, expected", pattern);
		return;
	}
	if (!matches(pattern, t->seen, (size_t)(end - t->seen))) {
		fail(t, "expected", pattern);
		printf("    got %.*s\n", (int)(end - t->seen), t->seen);
	}
	t->seen = end + 1;
}

static void expect_no_more(struct trace *t)
{
	skip_logs(t);
	if (t->seen[0] != 0) {
		fail(t, "also done, but not expected", t->seen);
	}
	rig_clear(t->rig);
	t->seen = t->rig->log;
}

/* Replaces @{...} and #{...}. */
static void expand(const char *from, char *to, size_t cap)
{
	char script[4096], *out = to;

	while (*from != 0 && (size_t)(out - to) + 3000 < cap) {
		const char *end = strchr(from, '}');
		uint32_t n;

		if ((*from != '@' && *from != '#') || from[1] != '{' || end == NULL) {
			*out++ = *from++;
			continue;
		}
		n = (uint32_t)(end - from - 2);
		memcpy(script, from + 2, n);
		for (uint32_t i = 0; i < n; i++) {
			script[i] = script[i] == '|' ? '\n' : script[i];
		}
		if (*from == '@') {
			out += rig_base64(out, script, n);
		} else {
			struct sha256 h;
			uint8_t sum[32];

			sha256_init(&h);
			sha256_add(&h, script, n);
			sha256_end(&h, sum);
			wire_digest_text(sum, out);
			out += WIRE_DIGEST_TEXT - 1;
		}
		from = end + 1;
	}
	*out = 0;
}

static void slice_back(struct rig *r)
{
	struct agent_slice s;

	if (r->held_count == 0) {
		return;
	}
	s = r->held[--r->held_count];
	rig_event(r, &(struct agent_event){.kind = AGENT_EVENT_SLICE_DONE,
					   .slice = {s.slot, agent_slice_run(&s)}});
}

static void event(struct trace *t, char *line)
{
	static char json[1 << 16];
	char *args = strchr(line, ' ');
	struct rig *r = t->rig;

	args = args != NULL ? (*args = 0, args + 1) : line + strlen(line);
	if (strcmp(line, "boot") == 0) {
		rig_boot(r);
	} else if (strcmp(line, "connected") == 0) {
		rig_event(r, &(struct agent_event){.kind = AGENT_EVENT_CONNECTED});
	} else if (strcmp(line, "subscribed") == 0) {
		rig_event(r, &(struct agent_event){.kind = AGENT_EVENT_SUBSCRIBED,
						   .subscribed.ok = true});
	} else if (strcmp(line, "disconnected") == 0) {
		rig_event(r, &(struct agent_event){.kind = AGENT_EVENT_DISCONNECTED});
	} else if (strcmp(line, "quit") == 0) {
		rig_event(r, &(struct agent_event){.kind = AGENT_EVENT_QUIT});
	} else if (strcmp(line, "after") == 0) {
		rig_run(r, strtoull(args, NULL, 10));
	} else if (strcmp(line, "slice") == 0) {
		slice_back(r);
	} else if (strcmp(line, "message") == 0) {
		char *payload = strchr(args, ' ');

		*payload++ = 0;
		expand(payload, json, sizeof(json));
		rig_message(r, args, json, strlen(json));
	} else {
		fail(t, "unknown event", line);
	}
}

static void setting(struct trace *t, const char *line)
{
	struct rig *r = t->rig;
	char name[32];
	int value;

	if (sscanf(line, "%31s %d", name, &value) != 2) {
		fail(t, "a setting needs a name and a number", line);
	} else if (strcmp(name, "store") == 0) {
		r->config.store = value != 0;
	} else if (strcmp(name, "journal") == 0) {
		r->config.journal = value != 0;
	} else if (strcmp(name, "hold_slices") == 0) {
		r->hold_slices = value != 0;
	} else if (strcmp(name, "heartbeat_ms") == 0) {
		r->config.heartbeat_ms = (uint32_t)value;
	} else if (strcmp(name, "piece_bytes") == 0) {
		r->piece_bytes = (uint32_t)value;
	} else {
		fail(t, "unknown setting", line);
	}
}

static void line_of_trace(struct trace *t, char *line)
{
	line[strcspn(line, "\n")] = 0;
	if (strncmp(line, "> ", 2) == 0) {
		expect_no_more(t);
		event(t, line + 2);
		t->seen = t->rig->log;
	} else if (strncmp(line, "< ", 2) == 0) {
		expect(t, line + 2);
	} else if (strncmp(line, "= ", 2) == 0) {
		setting(t, line + 2);
	} else if (line[0] != 0) {
		fail(t, "not a line of a trace", line);
	}
}

static bool run_file(const char *path)
{
	static char line[1 << 14];
	struct trace t = {.file = path};
	FILE *f = fopen(path, "r");
	bool inside = false;
	int traces = 0;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		t.line++;
		if (!inside && strncmp(line, "```trace", 8) == 0) {
			inside = true;
			traces++;
			t.rig = rig_new();
			/* so that the times of a trace are its own events' */
			t.rig->config.heartbeat_ms = 1000000000;
			t.seen = t.rig->log;
		} else if (inside && strncmp(line, "```", 3) == 0) {
			expect_no_more(&t);
			rig_free(t.rig);
			inside = false;
		} else if (inside) {
			line_of_trace(&t, line);
		}
	}
	if (f != NULL) {
		fclose(f);
	}
	return traces > 0 && !t.failed;
}

int main(void)
{
	int passed = 0, failed = 0;
	DIR *d;

	/* from the source tree's root, or from a folder of a build below it */
	for (int up = 0; access(folder, R_OK) != 0 && up < 4; up++) {
		if (chdir("..") != 0) {
			break;
		}
	}
	d = opendir(folder);
	for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
		char path[512];

		if (strlen(e->d_name) < 4 ||
		    strcmp(e->d_name + strlen(e->d_name) - 3, ".md") != 0) {
			continue;
		}
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		if (run_file(path)) {
			passed++;
		} else {
			printf("FAIL %s\n", path);
			failed++;
		}
	}
	if (d != NULL) {
		closedir(d);
	}
	failed += passed + failed == 0;
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}
