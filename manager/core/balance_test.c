/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes that come back, and what they take over. */
#include "manager/core/story_test.h"

#define SETTLED 110000 /* ten heartbeats of 10 s, and one */

static uint32_t runs_on(const char *id)
{
	return manager_node_find(m, id)->fit.running;
}

/* A heartbeat of a worker that does what it is told: it runs what it was given, and stops what it is to stop. */
static void beat(const char *id)
{
	char held[1024] = "";
	size_t at = 0;

	for (int i = 0; i < row_count; i++) {
		const struct manager_task *t = manager_task_find(m, rows[i].id);
		const struct manager_node *n = t != NULL ? manager_node_at(m, t->node) : NULL;

		if (n == NULL || strcmp(n->id, id) != 0) {
			continue;
		}
		if (t->phase == MANAGER_PHASE_EVICTING) {
			result_full(rows[i].id, id, t->epoch, MANAGER_REASON_STOPPED);
			continue;
		}
		at += (size_t)snprintf(held + at, sizeof(held) - at, "%s%s:%u", at != 0 ? " " : "",
				       t->id, t->epoch);
	}
	alive(id, held);
}

/* a and, if it is there, b beat every ten seconds. */
static void beats(uint64_t ms, bool b)
{
	for (uint64_t until = now + ms; now < until;) {
		pass(10000);
		beat("a");
		if (b) {
			beat("b");
		}
	}
}

static struct manager_task_spec movable(const char *id)
{
	struct manager_task_spec s = spec(id);

	s.idempotent = true;
	return s;
}

static const char *const ids[] = {"t1", "t2", "t3", "t4", "t5", "t6"};

/* Six tasks on a, with which b would have shared them. */
static void crowd(struct manager_task_spec (*make)(const char *id))
{
	begin();
	node_full("a", true, 8, 0);
	for (size_t i = 0; i < BASE_COUNT(ids); i++) {
		start(make(ids[i]));
		pass(10);
	}
	beats(20000, false);
	EXPECT_EQ(runs_on("a"), 6);
	node_full("b", true, 8, 0);
}

TEST(a_node_that_comes_takes_a_part)
{
	crowd(movable);
	beats(SETTLED - 40000, true);
	EXPECT_EQ(runs_on("b"), 0); /* it has not been there for long */
	beats(SETTLED, true);
	EXPECT_EQ(runs_on("a"), 4);
	EXPECT_EQ(runs_on("b"), 2);
	EXPECT_EQ(notes[MANAGER_NOTE_TASK_BALANCED], 2);
	EXPECT_EQ(STARTS("t6", "b", 2), 1); /* the ones begun last */
	EXPECT_EQ(STARTS("t5", "b", 2), 1);
	beats(10 * SETTLED, true);
	EXPECT_EQ(notes[MANAGER_NOTE_TASK_BALANCED], 2);
}

TEST(what_must_not_begin_anew_stays)
{
	crowd(spec);
	beats(10 * SETTLED, true);
	EXPECT_EQ(runs_on("a"), 6);
	EXPECT_EQ(STOPS(NULL, NULL, 0), 0);
}

static struct manager_task_spec pinned(const char *id)
{
	struct manager_task_spec s = movable(id);

	s.need.pin_hash = placement_hash("id", "a");
	return s;
}

TEST(what_is_pinned_stays)
{
	crowd(pinned);
	beats(10 * SETTLED, true);
	EXPECT_EQ(runs_on("a"), 6);
}

TEST(what_has_moved_rests)
{
	crowd(movable);
	beats(2 * SETTLED, true);
	gone("a"); /* all that it had goes to b, and comes back from there */
	for (int i = 0; i < 6; i++) {
		pass(10000);
		beat("b");
	}
	EXPECT_EQ(runs_on("b"), 6);
	beats(2 * SETTLED, true);
	EXPECT_EQ(runs_on("a"), 2);
	EXPECT_EQ(STOPS("t6", "b", 0), 0);
	EXPECT_EQ(STOPS("t5", "b", 0), 0);
}

TEST(a_node_that_comes_and_goes_takes_nothing)
{
	crowd(movable);
	for (int i = 0; i < 20; i++) {
		beats(50000, true);
		gone("b");
		beats(10000, false);
	}
	EXPECT_EQ(notes[MANAGER_NOTE_TASK_BALANCED], 0);
}

TEST(a_drained_node_takes_its_part_afterwards)
{
	struct manager_event e = {.kind = MANAGER_EVENT_NODE_DRAIN};

	crowd(movable);
	e.u.node_id.id = "b";
	e.u.node_id.drain = true;
	step(e);
	beats(2 * SETTLED, true);
	EXPECT_EQ(runs_on("b"), 0);
	e.u.node_id.drain = false;
	step(e);
	beats(2 * SETTLED, true);
	EXPECT_EQ(runs_on("b"), 2);
}

TEST(nothing_moves_while_something_waits)
{
	struct manager_task_spec s = spec("waits");

	crowd(movable);
	s.queue = true;
	s.need.pin_hash = placement_hash("id", "c");
	start(s);
	beats(2 * SETTLED, true);
	EXPECT_EQ(runs_on("b"), 0);
	command(MANAGER_EVENT_TASK_STOP, "waits");
	beats(SETTLED, true);
	EXPECT_EQ(runs_on("b"), 2);
}

TEST_MAIN(T(a_node_that_comes_takes_a_part) T(what_must_not_begin_anew_stays)
		  T(what_is_pinned_stays) T(what_has_moved_rests)
			  T(a_node_that_comes_and_goes_takes_nothing)
				  T(a_drained_node_takes_its_part_afterwards)
					  T(nothing_moves_while_something_waits))
