/* SPDX-License-Identifier: Apache-2.0 */
/* The manager's core by stories: jobs, workflows, schedules, restarts, full tables, a random world. */
#include "manager/core/story_test.h"

/* ---- groups ---- */

static void group(const char *id, enum manager_group_kind kind, enum manager_job_mode mode)
{
	struct manager_event e = {.kind = MANAGER_EVENT_GROUP_ADD};

	e.u.group.id = id;
	e.u.group.kind = kind;
	e.u.group.mode = mode;
	step(e);
}

/* "c<a,b" adds c that depends on a and b; "c!a" runs when a failed. */
static void member(const char *group_id, const char *text)
{
	struct manager_event e = {.kind = MANAGER_EVENT_TASK_ADD};
	char id[2] = {text[0], '\0'};

	e.u.add.spec = spec(id);
	e.u.add.spec.run_if = text[1] == '!' ? MANAGER_RUN_IF_FAILURE : MANAGER_RUN_IF_SUCCESS;
	e.u.add.group_id = group_id;
	step(e);
	for (const char *p = text + 1; *p != '\0'; p++) {
		struct manager_event d = {.kind = MANAGER_EVENT_TASK_DEPEND};
		char on[2] = {*p, '\0'};

		if (*p == '<' || *p == '!' || *p == ',') {
			continue;
		}
		d.u.depend.task_id = id;
		d.u.depend.on_id = on;
		EXPECT_EQ(step(d), MANAGER_ANSWER_OK);
	}
}

static void members(const char *group_id, const char *const *texts)
{
	struct manager_event ready = {.kind = MANAGER_EVENT_GROUP_READY};

	for (; *texts != NULL; texts++) {
		member(group_id, *texts);
	}
	ready.u.group.id = group_id;
	step(ready);
}

static enum manager_answer group_command(enum manager_event_kind kind, const char *id)
{
	struct manager_event e = {.kind = kind};

	e.u.group.id = id;
	return step(e);
}

#define GROUP(kind, mode, ...)                                                                     \
	do {                                                                                       \
		begin();                                                                           \
		node("n");                                                                         \
		group("g", kind, mode);                                                            \
		members("g", (const char *const[]){__VA_ARGS__, NULL});                            \
	} while (0)

TEST(workflow_by_its_dependencies)
{
	GROUP(MANAGER_GROUP_WORKFLOW, 0, "a", "b", "c<a,b", "d<c", "e!c", "f<e");
	EXPECT_EQ(command(MANAGER_EVENT_TASK_START, "a"), MANAGER_ANSWER_OK);
	EXPECT_EQ(STARTS("a", NULL, 0) + STARTS("b", NULL, 0), 2);
	done("a", "n", 1);
	EXPECT_EQ(STARTS("c", NULL, 0), 0);
	done("b", "n", 1);
	EXPECT_EQ(STARTS("c", NULL, 0), 1);
	done("c", "n", 1);
	EXPECT_EQ(STARTS("d", NULL, 0), 1);
	EXPECT_EQ(STATE("e"), MANAGER_SKIPPED);
	EXPECT_EQ(STATE("f"), MANAGER_SKIPPED); /* a skipped task releases its dependents */
	done("d", "n", 1);
	EXPECT_EQ(live(), 0);
}

TEST(workflow_run_if_failure)
{
	GROUP(MANAGER_GROUP_WORKFLOW, 0, "a", "b<a", "c!a", "d<c");
	command(MANAGER_EVENT_TASK_START, "a");
	result_full("a", "n", 1, MANAGER_REASON_TRAP);
	EXPECT_EQ(STATE("b"), MANAGER_SKIPPED);
	EXPECT_EQ(STARTS("c", NULL, 0), 1);
	done("c", "n", 1);
	EXPECT_EQ(STARTS("d", NULL, 0), 1);
	done("d", "n", 1);
	EXPECT_EQ(live(), 0);
}

TEST(starting_a_leaf_says_unmet_and_begins)
{
	GROUP(MANAGER_GROUP_WORKFLOW, 0, "a", "b<a");
	EXPECT_EQ(command(MANAGER_EVENT_TASK_START, "b"), MANAGER_ANSWER_UNMET);
	EXPECT_EQ(STARTS("a", NULL, 0), 1);
	done("a", "n", 1);
	EXPECT_EQ(STARTS("b", NULL, 0), 1);
}

TEST(a_sequential_job_waits)
{
	GROUP(MANAGER_GROUP_JOB, MANAGER_JOB_SEQUENTIAL, "a", "b", "c", "d<a");
	EXPECT_EQ(group_command(MANAGER_EVENT_GROUP_START, "g"), MANAGER_ANSWER_OK);
	EXPECT_EQ(STARTS(NULL, NULL, 0), 1);
	done("a", "n", 1);
	EXPECT_EQ(STARTS("b", NULL, 0), 1);
	EXPECT_EQ(STARTS("c", NULL, 0) + STARTS("d", NULL, 0), 0);
	done("b", "n", 1);
	EXPECT_EQ(STARTS("c", NULL, 0), 1);
	done("c", "n", 1);
	EXPECT_EQ(STARTS("d", NULL, 0), 1);
	done("d", "n", 1);
	EXPECT_EQ(live(), 0);
}

TEST(sequential_with_a_dependency_backwards)
{
	GROUP(MANAGER_GROUP_JOB, MANAGER_JOB_SEQUENTIAL, "a", "b");
	begin();
	node("n");
	group("g", MANAGER_GROUP_JOB, MANAGER_JOB_SEQUENTIAL);
	member("g", "a");
	member("g", "b");
	struct manager_event d = {.kind = MANAGER_EVENT_TASK_DEPEND};
	d.u.depend.task_id = "a";
	d.u.depend.on_id = "b";
	step(d);
	group_command(MANAGER_EVENT_GROUP_START, "g");
	EXPECT_EQ(STARTS("b", NULL, 0), 1);
	EXPECT_EQ(STARTS("a", NULL, 0), 0);
	done("b", "n", 1);
	EXPECT_EQ(STARTS("a", NULL, 0), 1);
}

TEST(a_failure_stops_the_job)
{
	GROUP(MANAGER_GROUP_JOB, MANAGER_JOB_PARALLEL, "a", "b", "c<b");
	group_command(MANAGER_EVENT_GROUP_START, "g");
	EXPECT_EQ(STARTS(NULL, NULL, 0), 2);
	result_full("a", "n", 1, MANAGER_REASON_TRAP);
	EXPECT_EQ(STOPS("b", "n", 1), 1);
	EXPECT_EQ(STATE("c"), MANAGER_SKIPPED);
	result_full("b", "n", 1, MANAGER_REASON_STOPPED);
	EXPECT_EQ(STATE("b"), MANAGER_INTERRUPTED);
	EXPECT_EQ(live(), 0);
}

TEST(a_job_runs_again)
{
	GROUP(MANAGER_GROUP_JOB, MANAGER_JOB_PARALLEL, "a", "b<a");
	group_command(MANAGER_EVENT_GROUP_START, "g");
	EXPECT_EQ(group_command(MANAGER_EVENT_GROUP_START, "g"), MANAGER_ANSWER_RUNNING);
	done("a", "n", 1);
	done("b", "n", 1);
	EXPECT_EQ(live(), 0);
	group("g", MANAGER_GROUP_JOB, MANAGER_JOB_PARALLEL);
	struct manager_event e = {.kind = MANAGER_EVENT_TASK_ADD};
	e.u.add.group_id = "g";
	e.u.add.phase = MANAGER_PHASE_DONE;
	e.u.add.state = MANAGER_COMPLETED;
	e.u.add.epoch = 1;
	e.u.add.spec = spec("a");
	step(e);
	e.u.add.spec = spec("b");
	step(e);
	EXPECT_EQ(group_command(MANAGER_EVENT_GROUP_START, "g"), MANAGER_ANSWER_OK);
	EXPECT_EQ(STARTS("a", "n", 2), 1);
}

TEST(stop_a_job)
{
	GROUP(MANAGER_GROUP_JOB, MANAGER_JOB_SEQUENTIAL, "a", "b", "c");
	group_command(MANAGER_EVENT_GROUP_START, "g");
	EXPECT_EQ(group_command(MANAGER_EVENT_GROUP_STOP, "g"), MANAGER_ANSWER_OK);
	EXPECT_EQ(STOPS("a", "n", 1), 1);
	EXPECT_EQ(STATE("b"), MANAGER_SKIPPED);
	result_full("a", "n", 1, MANAGER_REASON_STOPPED);
	EXPECT_EQ(live(), 0);
}

TEST(a_job_larger_than_the_action_list)
{
	begin();
	node("n");
	group("g", MANAGER_GROUP_JOB, MANAGER_JOB_PARALLEL);
	for (int i = 0; i < 1500; i++) {
		struct manager_event e = {.kind = MANAGER_EVENT_TASK_ADD};
		char id[16];

		snprintf(id, sizeof(id), "t%d", i);
		e.u.add.spec = spec(id);
		e.u.add.group_id = "g";
		step(e);
	}
	group_command(MANAGER_EVENT_GROUP_START, "g");
	EXPECT_EQ(STARTS(NULL, NULL, 0), 1500);
	gone("n"); /* and 1,500 tasks of a node that dies */
	alive("n", NULL);
}

/* ---- schedules ---- */

TEST(a_schedule_fires_and_skips_when_late)
{
	begin();
	node("n");
	struct manager_task_spec s = spec("t");
	s.next_run_ms = 1700000000000 + (int64_t)now + 5000;
	add(s);
	pass(4999);
	EXPECT_EQ(STARTS("t", NULL, 0), 0);
	pass(1);
	EXPECT_EQ(STARTS("t", NULL, 0), 1);
	struct manager_event e = {.kind = MANAGER_EVENT_TASK_SCHEDULE};
	e.u.task.id = "t";
	e.u.task.next_run_ms = 1700000000000 + (int64_t)now + 5000;
	step(e);
	done("t", "n", 1);
	alive("n", "");
	pass(5000);
	EXPECT_EQ(STARTS("t", "n", 2), 1);
	done("t", "n", 2);
	EXPECT_EQ(live(), 0); /* no next run was set */
}

/* ---- restore ---- */

TEST(restored_tasks_go_on)
{
	begin();
	struct manager_event e = {.kind = MANAGER_EVENT_NODE_RESTORE};
	e.u.node = (struct manager_node_facts){.id = "a", .name = "n", .ours = true};
	e.u.node.fit.battery_percent = 255;
	step(e);
	e = (struct manager_event){.kind = MANAGER_EVENT_TASK_ADD};
	e.u.add.spec = spec("t");
	e.u.add.phase = MANAGER_PHASE_ASSIGNED;
	e.u.add.state = MANAGER_RUNNING;
	e.u.add.epoch = 7;
	e.u.add.node_id = "a";
	step(e);
	e.u.add.spec = spec("q");
	e.u.add.phase = MANAGER_PHASE_QUEUED;
	e.u.add.state = MANAGER_PENDING;
	e.u.add.epoch = 2;
	step(e);
	row_of("t")->epoch = 7;
	row_of("t")->state = MANAGER_RUNNING;
	node("a");
	EXPECT_EQ(STARTS("q", "a", 3), 1);
	alive("a", "q:3");
	pass(4000);
	alive("a", "q:3");
	alive("a", "q:3");
	EXPECT_EQ(STARTS("t", "a", 7), 1); /* it never got there: the same epoch again */
	done("t", "a", 7);
	EXPECT_EQ(STATE("t"), MANAGER_COMPLETED);
}

TEST(a_group_without_room_leaves)
{
	struct manager_event e = {.kind = MANAGER_EVENT_TASK_ADD};
	enum manager_answer last = MANAGER_ANSWER_OK;
	char id[16];

	begin();
	group("g", MANAGER_GROUP_JOB, MANAGER_JOB_PARALLEL);
	for (int i = 0; last == MANAGER_ANSWER_OK; i++) {
		snprintf(id, sizeof(id), "t%d", i);
		e.u.add.spec = spec(id);
		e.u.add.group_id = "g";
		last = step(e);
	}
	EXPECT_EQ(last, MANAGER_ANSWER_FULL);
	EXPECT_EQ(group_command(MANAGER_EVENT_GROUP_DROP, "g"), MANAGER_ANSWER_OK);
	EXPECT(manager_group_find(m, "g") == NULL);
	EXPECT_EQ(live(), 0);
}

/* A workflow "b waits for a" after a restart, in the middle of a. */
static void restored_pair(void)
{
	struct manager_event e = {.kind = MANAGER_EVENT_TASK_ADD};

	begin();
	node("n");
	group("g", MANAGER_GROUP_WORKFLOW, 0);
	e.u.add.group_id = "g";
	e.u.add.spec = spec("b");
	e.u.add.phase = MANAGER_PHASE_BLOCKED;
	step(e);
	e.u.add.spec = spec("a");
	e.u.add.phase = MANAGER_PHASE_RUNNING;
	e.u.add.state = MANAGER_RUNNING;
	e.u.add.node_id = "n";
	e.u.add.epoch = 1;
	step(e);
}

TEST(a_restored_workflow_waits_as_before)
{
	struct manager_event d = {.kind = MANAGER_EVENT_TASK_DEPEND};

	restored_pair();
	pass(1000);
	EXPECT_EQ(STARTS("b", NULL, 0), 0); /* what it waits for is not known yet */
	d.u.depend.task_id = "b";
	d.u.depend.on_id = "a";
	step(d);
	EXPECT_EQ(group_command(MANAGER_EVENT_GROUP_READY, "g"), MANAGER_ANSWER_OK);
	EXPECT_EQ(STARTS("b", NULL, 0), 0);
	done("a", "n", 1);
	EXPECT_EQ(STARTS("b", NULL, 0), 1);
	done("b", "n", 1);
	EXPECT_EQ(live(), 0);
}

/* A node that dies while the manager is away does not say so. */
TEST(restored_tasks_leave_a_node_that_never_comes)
{
	static const enum manager_phase phases[] = {MANAGER_PHASE_ASSIGNED, MANAGER_PHASE_RUNNING,
						    MANAGER_PHASE_ORPHANED};

	for (size_t i = 0; i < BASE_COUNT(phases); i++) {
		struct manager_event e = {.kind = MANAGER_EVENT_NODE_RESTORE};

		begin();
		e.u.node = (struct manager_node_facts){.id = "gone", .ours = true, .direct = true};
		step(e);
		e = (struct manager_event){.kind = MANAGER_EVENT_TASK_ADD};
		e.u.add.spec = spec("t");
		e.u.add.spec.policy = MANAGER_POLICY_STOP;
		e.u.add.spec.lease_ms = 60000;
		e.u.add.phase = phases[i];
		e.u.add.state = MANAGER_RUNNING;
		e.u.add.node_id = "gone";
		e.u.add.epoch = 1;
		step(e);
		for (int k = 0; k < 8; k++) {
			node("other");
			EXPECT_EQ(STARTS("t", NULL, 0), k == 7);
			pass(9500);
		}
	}
}

TEST(a_restored_broadcast_ends)
{
	begin();
	node("a");
	node("b");
	struct manager_event e = {.kind = MANAGER_EVENT_NODE_RESTORE};
	e.u.node = (struct manager_node_facts){.id = "c", .name = "n", .ours = true};
	step(e); /* never comes back */
	e = (struct manager_event){.kind = MANAGER_EVENT_TASK_ADD};
	e.u.add.spec = spec("t");
	e.u.add.spec.broadcast = true;
	e.u.add.phase = MANAGER_PHASE_RUNNING;
	e.u.add.state = MANAGER_RUNNING;
	e.u.add.epoch = 2;
	step(e);
	row_of("t")->epoch = 2;
	e = (struct manager_event){.kind = MANAGER_EVENT_TASK_REPORTED};
	e.u.reported.task_id = "t";
	e.u.reported.node_id = "a";
	e.u.reported.ok = true;
	step(e);
	done("t", "b", 2);
	EXPECT_EQ(live(), 1);
	pass(40000);
	EXPECT_EQ(STATE("t"), MANAGER_COMPLETED);
	EXPECT_EQ(live(), 0);
}

/* ---- limits ---- */

TEST(full_tables_say_so)
{
	begin();
	for (int i = 0; i < TASKS; i++) {
		char id[16];

		snprintf(id, sizeof(id), "t%d", i);
		EXPECT_EQ(add(spec(id)), MANAGER_ANSWER_OK);
	}
	EXPECT_EQ(add(spec("one-more")), MANAGER_ANSWER_FULL);
	EXPECT_EQ(command(MANAGER_EVENT_TASK_DROP, "t5"), MANAGER_ANSWER_OK);
	EXPECT_EQ(add(spec("one-more")), MANAGER_ANSWER_OK);
	for (int i = 0; i <= NODES; i++) {
		char id[16];

		snprintf(id, sizeof(id), "n%d", i);
		node(id);
	}
	EXPECT_EQ(notes[MANAGER_NOTE_NODES_FULL], 1);
}

/* ---- a random world ---- */

static uint64_t seed;

static uint32_t below(uint32_t bound)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed % bound);
}

/* What a worker of the model runs: task and epoch. */
static struct model {
	char id[16];
	uint32_t epoch;
} running[4][64];
static int running_count[4];

static int node_number(const char *id)
{
	return id[0] == '\0' ? -1 : id[1] - '0';
}

static void model_take(void)
{
	for (int i = 0; i < sent_count; i++) {
		int n = node_number(sent[i].node);

		if (n < 0 || n > 3) {
			continue;
		}
		if (sent[i].kind == MANAGER_ACTION_SEND_START && running_count[n] < 64 &&
		    below(8) != 0) {
			struct model *r = &running[n][running_count[n]++];

			snprintf(r->id, sizeof(r->id), "%s", sent[i].id);
			r->epoch = sent[i].epoch;
		} else if (sent[i].kind == MANAGER_ACTION_SEND_STOP) {
			for (int k = 0; k < running_count[n]; k++) {
				if (strcmp(running[n][k].id, sent[i].id) == 0 &&
				    running[n][k].epoch <= sent[i].epoch) {
					running[n][k] = running[n][--running_count[n]];
					break;
				}
			}
		}
	}
	sent_count = 0;
}

static void model_alive(int n)
{
	char id[3] = {'n', (char)('0' + n), '\0'}, held[2048] = "";

	for (int k = 0; k < running_count[n] && k < 30; k++) {
		snprintf(held + strlen(held), sizeof(held) - strlen(held), "%s:%u ",
			 running[n][k].id, running[n][k].epoch);
	}
	alive(id, held);
}

static void model_result(int n)
{
	static const enum manager_reason reasons[] = {
		MANAGER_REASON_DONE,    MANAGER_REASON_DONE,    MANAGER_REASON_TRAP,
		MANAGER_REASON_STOPPED, MANAGER_REASON_REFUSED, MANAGER_REASON_LOST};
	char id[3] = {'n', (char)('0' + n), '\0'};
	int k;

	if (running_count[n] == 0) {
		return;
	}
	k = (int)below((uint32_t)running_count[n]);
	struct model r = running[n][k];
	running[n][k] = running[n][--running_count[n]];
	result_full(r.id, id, r.epoch, reasons[below(6)]);
}

static void random_task(int number)
{
	struct manager_task_spec s;
	char id[16];

	snprintf(id, sizeof(id), "t%d", number);
	s = spec(id);
	s.priority = (uint8_t)below(101);
	s.idempotent = below(2);
	s.queue = below(4) != 0;
	s.daemon = below(8) == 0;
	s.broadcast = below(16) == 0;
	s.lease_ms = below(3) * 10000;
	s.policy = (enum manager_policy)below(3);
	s.restart_attempts = below(3);
	s.need.memory_bytes = below(3) * 20000;
	start(s);
}

static void random_event(int i)
{
	int n = (int)below(4);
	char id[3] = {'n', (char)('0' + n), '\0'}, task[16];
	struct manager_event e = {0};

	snprintf(task, sizeof(task), "t%u", below((uint32_t)i + 1));
	switch (below(12)) {
	case 0:
	case 1:
	case 2:
		random_task(i);
		break;
	case 3:
		node_full(id, n != 3, (uint16_t)(n == 0 ? 4 : 0), n == 1 ? 100000 : 0);
		break;
	case 4:
		gone(id);
		running_count[n] = below(2) ? running_count[n] : 0;
		break;
	case 5:
		command(below(2) ? MANAGER_EVENT_TASK_STOP : MANAGER_EVENT_TASK_START, task);
		break;
	case 6:
		e.kind = MANAGER_EVENT_NODE_DRAIN;
		e.u.node_id.id = id;
		e.u.node_id.drain = below(3) == 0;
		e.u.node_id.deadline_ms = below(2) * 100;
		step(e);
		break;
	case 7:
		command(below(4) ? MANAGER_EVENT_TASK_INVOKE : MANAGER_EVENT_TASK_DROP, task);
		break;
	case 8:
		pass(below(15000));
		break;
	case 9:
		model_alive(n);
		break;
	default:
		model_result(n);
		break;
	}
	model_take();
}

TEST(a_random_world_holds_the_rules)
{
	for (uint64_t world = 1; world <= 60 && !test_failed_here; world++) {
		begin();
		seed = world * 0x9E3779B97F4A7C15u;
		memset(running_count, 0, sizeof(running_count));
		for (int i = 0; i < 600; i++) {
			random_event(i);
		}
		if (test_failed_here) {
			printf("in world %llu\n", (unsigned long long)world);
		}
	}
}

/* clang-format off */
TEST_MAIN(
	T(workflow_by_its_dependencies)
	T(workflow_run_if_failure)
	T(starting_a_leaf_says_unmet_and_begins)
	T(a_sequential_job_waits)
	T(sequential_with_a_dependency_backwards)
	T(a_failure_stops_the_job)
	T(a_job_runs_again)
	T(stop_a_job)
	T(a_job_larger_than_the_action_list)
	T(a_schedule_fires_and_skips_when_late)
	T(restored_tasks_go_on)
	T(restored_tasks_leave_a_node_that_never_comes)
	T(a_restored_workflow_waits_as_before)
	T(a_group_without_room_leaves)
	T(a_restored_broadcast_ends)
	T(full_tables_say_so)
	T(a_random_world_holds_the_rules))
/* clang-format on */
