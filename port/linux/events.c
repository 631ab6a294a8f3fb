/* SPDX-License-Identifier: Apache-2.0 */
/* What happens next. See worker.h. */
#include "port/linux/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define QUIT_MS     5000 /* for results and farewell after SIGTERM */
#define NODE_MS_MIN 500

/* ---- answers to actions -----------------------------------------------------------------------*/

static void grow_answers(struct worker *w)
{
	uint32_t room = w->answer_room ? 2 * w->answer_room : 32;
	struct answer *grown = calloc(room, sizeof(*grown));

	ASSERT(grown != NULL);
	for (uint32_t i = 0; i < w->answer_count; i++) {
		grown[i] = w->answers[(w->answer_first + i) % w->answer_room];
	}
	free(w->answers);
	w->answers = grown;
	w->answer_room = room;
	w->answer_first = 0;
}

void worker_answer(struct worker *w, const struct agent_event *event, void *owned)
{
	if (w->answer_count == w->answer_room) {
		grow_answers(w);
	}
	w->answers[(w->answer_first + w->answer_count++) % w->answer_room] =
		(struct answer){*event, owned};
}

static bool take_answer(struct worker *w, struct agent_event *out)
{
	struct answer *a;

	free(w->answer_owned);
	w->answer_owned = NULL;
	if (w->answer_count == 0) {
		return false;
	}
	a = &w->answers[w->answer_first];
	*out = a->event;
	w->answer_owned = a->owned;
	w->answer_first = (w->answer_first + 1) % w->answer_room;
	w->answer_count--;
	return true;
}

/* ---- boot -------------------------------------------------------------------------------------*/

static bool take_journal(struct worker *w, struct agent_event *out)
{
	if (w->booted || !w->agent_config.journal) {
		return false;
	}
	while (w->journal_next < JOURNAL_KEYS_MAX) {
		uint16_t key = (uint16_t)w->journal_next++;
		const struct journal_record *r = &w->journal.records[key];

		if (r->data) {
			out->kind = AGENT_EVENT_JOURNAL;
			out->journal.key = key;
			out->journal.record = r->data;
			out->journal.bytes = r->bytes;
			return true;
		}
	}
	w->booted = true;
	out->kind = AGENT_EVENT_JOURNAL_END;
	return true;
}

/* ---- notes of other threads -------------------------------------------------------------------*/

/* The next piece of the message at hand. */
static bool take_piece(struct worker *w, struct agent_event *out)
{
	struct note *n = w->note;
	uint32_t piece_max = BASE_MIN((uint32_t)w->config.rx_buffer, AGENT_PIECE_BYTES_MAX);
	uint32_t left;

	if (n == NULL || n->kind != NOTE_MESSAGE ||
	    (w->note_begun && w->note_done == n->data_bytes)) {
		return false;
	}
	left = n->data_bytes - w->note_done;
	out->kind = AGENT_EVENT_MESSAGE;
	out->message.topic = n->topic;
	out->message.topic_bytes = n->topic_bytes;
	out->message.total_bytes = n->data_bytes;
	out->message.first = !w->note_begun;
	out->message.piece = n->data + w->note_done;
	out->message.piece_bytes = BASE_MIN(left, piece_max);
	out->message.last = left <= piece_max;
	w->note_begun = true;
	w->note_done += out->message.piece_bytes;
	return true;
}

static bool take_published(struct worker *w, const struct note *n, struct agent_event *out)
{
	uint16_t *ref = &w->ref_of_mid[n->number & 0xffff];

	out->kind = AGENT_EVENT_PUBLISHED;
	out->published.ref = *ref;
	out->published.ok = n->flag;
	*ref = 0;
	return out->published.ref != 0;
}

static void link_up(struct worker *w, const struct note *n)
{
	if (w->config.collect_system_info && n->text[0] && strcmp(n->text, "127.0.0.1") != 0) {
		snprintf(w->facts.ip, sizeof(w->facts.ip), "%.63s", n->text);
	}
	LOG_I("connected", "broker=%s session=%s", w->config.mqtt_address,
	      n->flag ? "kept" : "new");
}

static void link_down(struct worker *w, const struct note *n)
{
	w->linked = false;
	w->done = w->done || w->leaving;
	log_line(w->leaving ? LOG_INFO : LOG_WARN, "disconnected", "broker=%s reason=\"%s\"",
		 w->config.mqtt_address, w->leaving ? "as asked" : n->text);
}

/* The event that a note amounts to; false if it is none. */
static bool event_of_note(struct worker *w, const struct note *n, struct agent_event *out)
{
	switch (n->kind) {
	case NOTE_CONNECTED:
		link_up(w, n);
		out->kind = AGENT_EVENT_CONNECTED;
		out->link.session_present = n->flag;
		return true;
	case NOTE_DISCONNECTED:
		link_down(w, n);
		out->kind = AGENT_EVENT_DISCONNECTED;
		out->link.text = n->text;
		return true;
	case NOTE_SUBSCRIBED:
		out->kind = AGENT_EVENT_SUBSCRIBED;
		out->subscribed.ok = n->flag;
		return true;
	case NOTE_MESSAGE:
		return take_piece(w, out);
	case NOTE_PUBLISHED:
		return take_published(w, n, out);
	case NOTE_SLICE:
		out->kind = AGENT_EVENT_SLICE_DONE;
		out->slice.slot = (uint16_t)n->number;
		out->slice.status = n->status;
		return true;
	}
	return false;
}

static bool take_note(struct worker *w, struct agent_event *out)
{
	for (;;) {
		note_free(w->note);
		w->note_done = 0;
		w->note_begun = false;
		w->note = inbox_take(&w->inbox);
		if (w->note == NULL) {
			return false;
		}
		if (event_of_note(w, w->note, out)) {
			return true;
		}
	}
}

/* ---- signals and timers -----------------------------------------------------------------------*/

static bool take_signal(struct worker *w, struct agent_event *out)
{
	struct signalfd_siginfo s;

	if (read(w->signal_fd, &s, sizeof(s)) != sizeof(s)) {
		return false;
	}
	LOG_I("ending", "signal=%u", s.ssi_signo);
	if (w->quits++ > 0) {
		LOG_W("ending at once: asked twice", "%s", "");
		w->done = true;
		return false;
	}
	w->quit_deadline_ms = sysinfo_now_ms() + QUIT_MS;
	out->kind = AGENT_EVENT_QUIT;
	return true;
}

static bool take_node(struct worker *w, uint64_t now, struct agent_event *out)
{
	uint64_t pause = (uint64_t)BASE_MAX(w->config.metrics_interval / 2, NODE_MS_MIN);

	if (!w->config.enable_monitoring || now < w->node_due_ms) {
		return false;
	}
	w->node_due_ms = now + pause;
	out->kind = AGENT_EVENT_NODE;
	out->node = &w->node;
	sysinfo_measure(&w->meter, &w->node);
	w->node.battery_percent = (int32_t)w->config.battery_percent;
	return true;
}

static bool take_event(struct worker *w, uint64_t now, struct agent_event *out)
{
	if (take_answer(w, out) || take_journal(w, out) || take_signal(w, out) ||
	    take_piece(w, out) || take_note(w, out) || take_node(w, now, out)) {
		return true;
	}
	out->kind = AGENT_EVENT_TICK;
	return w->actions.wake_ms <= now;
}

static int wait_ms(const struct worker *w, uint64_t now)
{
	uint64_t until = w->actions.wake_ms;

	if (w->config.enable_monitoring) {
		until = BASE_MIN(until, w->node_due_ms);
	}
	if (w->quits) {
		until = BASE_MIN(until, w->quit_deadline_ms);
	}
	if (until == AGENT_NEVER) {
		return -1;
	}
	return until <= now ? 0 : (int)BASE_MIN(until - now, 3600000u);
}

static void wait_for(struct worker *w, int timeout_ms)
{
	struct pollfd fds[2 + STATUS_FDS_MAX] = {
		{.fd = w->inbox.fd, .events = POLLIN},
		{.fd = w->signal_fd, .events = POLLIN},
	};
	int count = 2 + status_poll(&w->status, fds + 2);

	if (poll(fds, (nfds_t)count, timeout_ms) > 0) {
		status_serve(&w->status, fds + 2, w);
	}
}

bool worker_next_event(struct worker *w, struct agent_event *out)
{
	uint64_t now = sysinfo_now_ms();

	memset(out, 0, sizeof(*out));
	if (!take_event(w, now, out)) {
		wait_for(w, wait_ms(w, now));
		now = sysinfo_now_ms();
		if (w->quits && now >= w->quit_deadline_ms) {
			LOG_W("ending without farewell: the broker does not answer", "%s", "");
			w->done = true;
		}
		if (!take_event(w, now, out)) {
			return false;
		}
	}
	out->now_ms = now;
	out->wall_ms = sysinfo_wall_ms();
	return true;
}
