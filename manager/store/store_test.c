/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One conformance test for every database behind store.h. SQLite always; PostgreSQL at
 * $PROPLET_POSTGRES when that is set (its tables are dropped first).
 */
#include "manager/store/store.h"
#include "test/test.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char url[300];
static char path[200];
static struct store *s;

static void open_again(void)
{
	char error[300] = "";

	s = store_open(url, false, error, sizeof(error));
	if (s == NULL) {
		printf("cannot open %s: %s\n", url, error);
		exit(1);
	}
}

static void begin(void)
{
	char command[800];

	if (path[0] != '\0') {
		snprintf(command, sizeof(command), "rm -f '%s' '%s-wal' '%s-shm'", path, path,
			 path);
	} else {
		snprintf(command, sizeof(command),
			 "psql -q '%s' -c 'DROP TABLE IF EXISTS meta, tasks, groups, nodes, "
			 "modules, "
			 "history' 2>/dev/null",
			 url);
	}
	EXPECT_EQ(system(command), 0);
	open_again();
}

static void end(void)
{
	store_close(s);
	s = NULL;
}

static void commit_and_reopen(void)
{
	EXPECT_EQ(store_commit(s), STORE_OK);
	store_close(s);
	open_again();
}

/* A row kept for looking at. */
static struct {
	char id[64], name[64], spec[200], results[200], error[200], report[200], node[64], job[64];
	int64_t start_ms, finish_ms, next_run_ms, created_ms;
	uint32_t epoch;
	int state, phase, priority;
	int count;
	char order[200];
} seen;

static void text(char *to, size_t bytes, const char *from)
{
	snprintf(to, bytes, "%s", from != NULL ? from : "(null)");
}

static void see_task(void *user, const struct store_task *t)
{
	text(seen.id, sizeof(seen.id), t->id);
	text(seen.name, sizeof(seen.name), t->name);
	text(seen.spec, sizeof(seen.spec), t->spec);
	text(seen.results, sizeof(seen.results), t->results);
	text(seen.error, sizeof(seen.error), t->error);
	text(seen.report, sizeof(seen.report), t->report);
	text(seen.node, sizeof(seen.node), t->node_id);
	text(seen.job, sizeof(seen.job), t->job_id);
	seen.start_ms = t->start_ms;
	seen.finish_ms = t->finish_ms;
	seen.next_run_ms = t->next_run_ms;
	seen.created_ms = t->created_ms;
	seen.epoch = t->epoch;
	seen.state = t->state;
	seen.phase = t->phase;
	seen.priority = t->priority;
	seen.count++;
	snprintf(seen.order + strlen(seen.order), sizeof(seen.order) - strlen(seen.order), "%s ",
		 t->id);
}

static void look(const char *id)
{
	memset(&seen, 0, sizeof(seen));
	EXPECT_EQ(store_task_get(s, id, see_task, NULL), STORE_OK);
}

static const char *list(struct store_task_filter f, uint64_t offset, uint64_t limit)
{
	memset(&seen, 0, sizeof(seen));
	EXPECT_EQ(store_task_list(s, &f, offset, limit, see_task, NULL), STORE_OK);
	return seen.order;
}

static enum store_err insert(const char *id, const char *job, const char *spec)
{
	struct store_task t = {.id = id,
			       .name = "n",
			       .job_id = job,
			       .spec = spec,
			       .created_ms = 1700000000123,
			       .priority = 50};

	return store_task_insert(s, &t);
}

TEST(tasks_last)
{
	begin();
	EXPECT_EQ(insert("a", NULL, "{\"x\":\"\xc3\xa9 'quoted' \\\" $1 ?1\"}"), STORE_OK);
	EXPECT_EQ(insert("a", NULL, "{}"), STORE_CONFLICT);
	look("a");
	EXPECT_EQ(seen.created_ms, 1700000000123);
	commit_and_reopen();
	look("a");
	EXPECT_STR(seen.spec, "{\"x\":\"\xc3\xa9 'quoted' \\\" $1 ?1\"}");
	EXPECT_STR(seen.results, "(null)");
	EXPECT_STR(seen.node, "(null)");
	EXPECT_EQ(store_task_get(s, "b", see_task, NULL), STORE_ABSENT);
	end();
}

TEST(moves)
{
	begin();
	EXPECT_EQ(insert("a", NULL, "{}"), STORE_OK);
	struct store_task t = {.id = "a",
			       .state = 2,
			       .phase = 3,
			       .epoch = 4000000000u,
			       .node_id = "n1",
			       .start_ms = 1700000000456,
			       .updated_ms = 1};
	EXPECT_EQ(store_task_move(s, &t), STORE_OK);
	t = (struct store_task){.id = "a",
				.state = 3,
				.phase = 9,
				.epoch = 4000000000u,
				.results = "\"42\"",
				.report = "{\"fuel\":1}",
				.finish_ms = 5};
	EXPECT_EQ(store_task_move(s, &t), STORE_OK);
	look("a");
	EXPECT_EQ(seen.start_ms, 1700000000456); /* kept */
	EXPECT_EQ(seen.epoch, 4000000000u);
	EXPECT_STR(seen.node, "n1");
	EXPECT_STR(seen.results, "\"42\"");
	t = (struct store_task){.id = "a", .state = 4, .error = "boom"};
	EXPECT_EQ(store_task_move(s, &t), STORE_OK);
	look("a");
	EXPECT_STR(seen.results, "\"42\"");
	EXPECT_STR(seen.error, "boom");
	t = (struct store_task){.id = "a", .state = 2, .clear = true};
	EXPECT_EQ(store_task_move(s, &t), STORE_OK);
	look("a");
	EXPECT_STR(seen.results, "(null)");
	EXPECT_STR(seen.report, "(null)");
	EXPECT_STR(seen.error, "(null)");
	t.id = "absent";
	EXPECT_EQ(store_task_move(s, &t), STORE_ABSENT);
	end();
}

TEST(updates_and_deletes)
{
	begin();
	EXPECT_EQ(insert("a", NULL, "{}"), STORE_OK);
	struct store_task t = {
		.id = "a", .name = "m", .spec = "{\"y\":1}", .priority = 7, .next_run_ms = 99};
	EXPECT_EQ(store_task_update(s, &t), STORE_OK);
	look("a");
	EXPECT_STR(seen.name, "m");
	EXPECT_EQ(seen.priority, 7);
	EXPECT_EQ(seen.next_run_ms, 99);
	EXPECT_EQ(store_task_schedule(s, "a", 0), STORE_OK);
	EXPECT_EQ(store_task_delete(s, "a"), STORE_OK);
	EXPECT_EQ(store_task_delete(s, "a"), STORE_ABSENT);
	end();
}

TEST(lists)
{
	uint64_t count = 0;

	begin();
	EXPECT_EQ(insert("a", "j", "{\"metadata\":{\"k\":1}}"), STORE_OK);
	EXPECT_EQ(insert("b", NULL, "{}"), STORE_OK);
	EXPECT_EQ(insert("c", "j", "{}"), STORE_OK);
	struct store_task t = {.id = "b", .state = 2, .phase = 4, .node_id = "n1"};
	EXPECT_EQ(store_task_move(s, &t), STORE_OK);
	t = (struct store_task){.id = "c", .state = 3, .phase = 9};
	EXPECT_EQ(store_task_move(s, &t), STORE_OK);
	EXPECT_STR(list((struct store_task_filter){.state = -1}, 0, 10), "c b a ");
	EXPECT_STR(list((struct store_task_filter){.state = -1, .oldest_first = true}, 0, 10),
		   "a b c ");
	EXPECT_STR(list((struct store_task_filter){.state = -1}, 1, 1), "b ");
	EXPECT_STR(list((struct store_task_filter){.state = 2}, 0, 10), "b ");
	EXPECT_STR(list((struct store_task_filter){.state = -1, .job_id = "j"}, 0, 10), "c a ");
	EXPECT_STR(list((struct store_task_filter){.state = -1, .node_id = "n1"}, 0, 10), "b ");
	EXPECT_STR(list((struct store_task_filter){.state = -1, .live = true}, 0, 10), "b ");
	EXPECT_STR(
		list((struct store_task_filter){.state = -1, .spec_like = "%\"metadata\"%"}, 0, 10),
		"a ");
	EXPECT_EQ(store_task_schedule(s, "c", 5), STORE_OK);
	EXPECT_STR(list((struct store_task_filter){.state = -1, .live = true}, 0, 10), "c b ");
	EXPECT_EQ(store_task_count(s, &(struct store_task_filter){.state = -1}, &count), STORE_OK);
	EXPECT_EQ(count, 3);
	EXPECT_EQ(
		store_task_count(s, &(struct store_task_filter){.state = 2, .job_id = "j"}, &count),
		STORE_OK);
	EXPECT_EQ(count, 0);
	end();
}

static void see_group(void *user, const struct store_group *g)
{
	text(seen.name, sizeof(seen.name), g->name);
	text(seen.node, sizeof(seen.node), g->mode);
	seen.count++;
}

TEST(groups)
{
	uint64_t count = 0;

	begin();
	struct store_group g = {
		.id = "g", .kind = "job", .name = "x", .mode = "parallel", .created_ms = 3};
	EXPECT_EQ(store_group_insert(s, &g), STORE_OK);
	EXPECT_EQ(store_group_insert(s, &g), STORE_CONFLICT);
	g = (struct store_group){.id = "w", .kind = "workflow"};
	EXPECT_EQ(store_group_insert(s, &g), STORE_OK);
	commit_and_reopen();
	memset(&seen, 0, sizeof(seen));
	EXPECT_EQ(store_group_get(s, "g", see_group, NULL), STORE_OK);
	EXPECT_STR(seen.node, "parallel");
	EXPECT_EQ(store_group_get(s, "h", see_group, NULL), STORE_ABSENT);
	EXPECT_EQ(store_group_list(s, "job", 0, 10, see_group, NULL), STORE_OK);
	EXPECT_EQ(seen.count, 2);
	EXPECT_EQ(store_group_count(s, "workflow", &count), STORE_OK);
	EXPECT_EQ(count, 1);
	end();
}

static void see_node(void *user, const struct store_node *n)
{
	text(seen.name, sizeof(seen.name), n->name);
	text(seen.spec, sizeof(seen.spec), n->metadata);
	text(seen.node, sizeof(seen.node), n->alive_at);
	seen.state = n->draining;
	seen.created_ms = n->created_ms;
	seen.count++;
}

TEST(nodes)
{
	begin();
	struct store_node n = {
		.id = "n", .name = "", .metadata = "{}", .alive_at = "[]", .created_ms = 5};
	EXPECT_EQ(store_node_put(s, &n), STORE_OK); /* heard of, not yet announced */
	n.name = "first";
	EXPECT_EQ(store_node_put(s, &n), STORE_OK);
	n = (struct store_node){
		.id = "n", .name = "second", .metadata = "{\"a\":1}", .alive_at = "[1]"};
	EXPECT_EQ(store_node_put(s, &n), STORE_OK);
	EXPECT_EQ(store_node_get(s, "n", see_node, NULL), STORE_OK);
	EXPECT_STR(seen.name, "first"); /* the name stays */
	EXPECT_EQ(seen.created_ms, 5);
	EXPECT_STR(seen.spec, "{\"a\":1}");
	n = (struct store_node){.id = "n", .alive_at = "[2]", .draining = true};
	EXPECT_EQ(store_node_touch(s, &n), STORE_OK);
	commit_and_reopen();
	memset(&seen, 0, sizeof(seen));
	EXPECT_EQ(store_node_list(s, 0, 100, see_node, NULL), STORE_OK);
	EXPECT_EQ(seen.count, 1);
	EXPECT_EQ(seen.state, 1);
	EXPECT_STR(seen.node, "[2]");
	EXPECT_EQ(store_node_delete(s, "n"), STORE_OK);
	EXPECT_EQ(store_node_touch(s, &n), STORE_ABSENT);
	end();
}

static uint8_t bytes[300];
static size_t bytes_size;

static void see_bytes(void *user, const void *p, size_t size)
{
	bytes_size = size;
	memcpy(bytes, p, BASE_MIN(size, sizeof(bytes)));
}

static void see_module(void *user, const struct store_module *m)
{
	text(seen.id, sizeof(seen.id), m->digest);
	text(seen.name, sizeof(seen.name), m->source);
	seen.created_ms = (int64_t)m->size;
	seen.count++;
}

TEST(modules)
{
	uint8_t all[256];
	uint64_t count = 0;

	begin();
	for (int i = 0; i < 256; i++) {
		all[i] = (uint8_t)i;
	}
	struct store_module m = {.digest = "sha256:1", .size = 256};
	EXPECT_EQ(store_module_put(s, &m, all), STORE_OK);
	m.source = "http://x/a";
	EXPECT_EQ(store_module_put(s, &m, all), STORE_OK); /* again, now with a source */
	m = (struct store_module){.digest = "sha256:2", .source = "http://x/a", .size = 0};
	EXPECT_EQ(store_module_put(s, &m, ""), STORE_OK);
	commit_and_reopen();
	EXPECT_EQ(store_module_bytes(s, "sha256:1", see_bytes, NULL), STORE_OK);
	EXPECT_EQ(bytes_size, 256);
	EXPECT_EQ(memcmp(bytes, all, 256), 0);
	EXPECT_EQ(store_module_bytes(s, "sha256:2", see_bytes, NULL), STORE_OK);
	EXPECT_EQ(bytes_size, 0);
	EXPECT_EQ(store_module_bytes(s, "sha256:3", see_bytes, NULL), STORE_ABSENT);
	memset(&seen, 0, sizeof(seen));
	EXPECT_EQ(store_module_get(s, "sha256:1", see_module, NULL), STORE_OK);
	EXPECT_EQ(seen.created_ms, 256);
	EXPECT_STR(seen.name, "http://x/a");
	EXPECT_EQ(store_module_find(s, "http://x/a", see_module, NULL), STORE_OK);
	EXPECT_STR(seen.id, "sha256:2"); /* the last one */
	EXPECT_EQ(store_module_find(s, "nowhere", see_module, NULL), STORE_ABSENT);
	EXPECT_EQ(store_module_count(s, &count), STORE_OK);
	EXPECT_EQ(count, 2);
	EXPECT_EQ(store_module_list(s, 0, 10, see_module, NULL), STORE_OK);
	EXPECT_EQ(seen.count, 4);
	end();
}

static void see_entry(void *user, const struct store_entry *e)
{
	snprintf(seen.order + strlen(seen.order), sizeof(seen.order) - strlen(seen.order),
		 "%llu:%s ", (unsigned long long)e->seq, e->body);
}

static const char *history(uint64_t after, uint64_t offset, uint64_t limit, bool newest_first)
{
	seen.order[0] = '\0';
	EXPECT_EQ(store_history_list(s, STORE_LOG, "t", after, offset, limit, newest_first,
				     see_entry, NULL),
		  STORE_OK);
	return seen.order;
}

TEST(histories_are_bounded)
{
	uint64_t count = 0;

	begin();
	for (int i = 1; i <= 7; i++) {
		char body[16];

		snprintf(body, sizeof(body), "%d", i);
		EXPECT_EQ(store_history_add(s, STORE_LOG, "t", i, body, 5), STORE_OK);
	}
	EXPECT_EQ(store_history_add(s, STORE_OUTPUT, "t", 1, "o", 5), STORE_OK);
	EXPECT_EQ(store_history_add(s, STORE_LOG, "u", 1, "u", 5), STORE_OK);
	commit_and_reopen();
	EXPECT_STR(history(0, 0, 100, false), "3:3 4:4 5:5 6:6 7:7 ");
	EXPECT_STR(history(5, 0, 100, false), "6:6 7:7 ");
	EXPECT_STR(history(0, 1, 2, true), "6:6 5:5 ");
	EXPECT_EQ(store_history_count(s, STORE_LOG, "t", &count), STORE_OK);
	EXPECT_EQ(count, 5);
	EXPECT_EQ(store_history_clear(s, "t"), STORE_OK);
	EXPECT_STR(history(0, 0, 100, false), "");
	EXPECT_EQ(store_history_count(s, STORE_LOG, "u", &count), STORE_OK);
	EXPECT_EQ(count, 1);
	end();
}

TEST(what_is_not_committed_is_gone_after_a_kill)
{
	int status;
	pid_t child;

	begin();
	EXPECT_EQ(insert("a", NULL, "{}"), STORE_OK);
	EXPECT_EQ(store_commit(s), STORE_OK);
	store_close(s);
	child = fork();
	if (child == 0) {
		open_again();
		if (insert("b", NULL, "{}") != STORE_OK || store_commit(s) != STORE_OK ||
		    insert("c", NULL, "{}") != STORE_OK) {
			_exit(1);
		}
		_exit(9); /* as a kill: no rollback, no close */
	}
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(WEXITSTATUS(status), 9);
	open_again();
	EXPECT(!store_dirty(s));
	EXPECT_STR(list((struct store_task_filter){.state = -1, .oldest_first = true}, 0, 10),
		   "a b ");
	end();
}

static struct store_task_filter finding(const char *word)
{
	return (struct store_task_filter){.state = -1, .find = word};
}

TEST(found_by_name_or_id)
{
	uint64_t count = 0;

	begin();
	EXPECT_EQ(insert("0a-1", NULL, "{}"), STORE_OK);
	EXPECT_EQ(insert("0a-2", NULL, "{}"), STORE_OK);
	EXPECT_EQ(insert("0b%_", NULL, "{}"), STORE_OK);
	EXPECT_EQ(insert("0B", NULL, "{}"), STORE_OK);
	EXPECT_STR(list(finding("0a-1"), 0, 10), "0a-1 ");
	EXPECT_STR(list(finding("0a"), 0, 10), "0a-2 0a-1 ");
	EXPECT_STR(list(finding("0b"), 0, 10), "0b%_ ");
	EXPECT_STR(list(finding("0b_"), 0, 10), "");
	EXPECT_STR(list(finding("'"), 0, 10), "");
	EXPECT_STR(list(finding("n"), 0, 10), "0B 0b%_ 0a-2 0a-1 ");
	EXPECT_STR(list(finding("n"), 1, 2), "0b%_ 0a-2 ");
	struct store_task_filter all = finding("n");
	EXPECT_EQ(store_task_count(s, &all, &count), STORE_OK);
	EXPECT_EQ(count, 4);
	end();
}

TEST(order_survives_restarts)
{
	begin();
	EXPECT_EQ(insert("b", NULL, "{}"), STORE_OK);
	commit_and_reopen();
	EXPECT_EQ(insert("a", NULL, "{}"), STORE_OK);
	EXPECT_EQ(insert("c", NULL, "{}"), STORE_OK);
	EXPECT_STR(list((struct store_task_filter){.state = -1, .oldest_first = true}, 0, 10),
		   "b a c ");
	end();
}

TEST(bad_addresses_are_named)
{
	static const char *const bad[] = {"odd", "mysql://x", "sqlite:///no/such/dir/x.db",
					  "postgres://nobody@127.0.0.1:1/none"};

	for (size_t i = 0; i < BASE_COUNT(bad); i++) {
		char error[300] = "";

		EXPECT(store_open(bad[i], false, error, sizeof(error)) == NULL);
		EXPECT(strlen(error) > 20);
	}
}

/* clang-format off */
static const struct test_case tests[] = {TEST_LIST_(
	T(tasks_last)
	T(moves)
	T(updates_and_deletes)
	T(lists)
	T(groups)
	T(nodes)
	T(modules)
	T(histories_are_bounded)
	T(what_is_not_committed_is_gone_after_a_kill)
	T(found_by_name_or_id)
	T(order_survives_restarts)
	T(bad_addresses_are_named))};
/* clang-format on */

int main(int argc, char **argv)
{
	const char *postgres = getenv("PROPLET_POSTGRES");

	if (postgres != NULL && postgres[0] != '\0') {
		snprintf(url, sizeof(url), "%s", postgres);
	} else {
		const char *dir = getenv("TMPDIR");

		snprintf(path, sizeof(path), "%s/proplet-store-test-%d.db",
			 dir != NULL ? dir : "/tmp", (int)getpid());
		snprintf(url, sizeof(url), "sqlite://%s", path);
	}
	int status = test_main(tests, argc, argv);
	if (path[0] != '\0') {
		unlink(path);
	}
	return status;
}
