/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's nouns as statements that SQLite and PostgreSQL both take.
 *
 * In:    rows to write, conditions to read by. Out: rows to a callback.
 * Owns:  one transaction that gathers writes until store_commit.
 * Rules: a write begins the transaction; after a failed write or commit all of it is undone.
 */
#include "manager/store/db.h"
#include "manager/store/store_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SCHEMA_VERSION 1

enum statement {
#define S(name, sql) ST_##name,
	STORE_STATEMENT_LIST(S)
#undef S
	ST_COUNT
};

static const char *const statements[] = {
#define S(name, sql) sql,
	STORE_STATEMENT_LIST(S)
#undef S
};

struct store {
	const struct db_ops *ops;
	struct db *db;
	int64_t seq; /* last one given */
	bool open_transaction;
	bool failed; /* a write of the transaction failed */
	char error[200];
};

/* Parameters in the making. */
struct params {
	struct db_value v[DB_PARAMS_MAX];
	int count;
};

static void put_int(struct params *p, int64_t i)
{
	p->v[p->count++] = (struct db_value){.type = DB_INT, .i = i};
}

static void put_text(struct params *p, const char *s)
{
	if (s == NULL) {
		p->v[p->count++] = (struct db_value){.type = DB_NULL};
	} else {
		p->v[p->count++] =
			(struct db_value){.type = DB_TEXT, .bytes = s, .size = strlen(s)};
	}
}

static void put_blob(struct params *p, const void *bytes, size_t size)
{
	p->v[p->count++] = (struct db_value){.type = DB_BLOB, .bytes = bytes, .size = size};
}

static void schema(char *sql, size_t bytes, const char *blob)
{
	snprintf(
		sql, bytes,
		"CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BIGINT NOT NULL);"
		"CREATE TABLE IF NOT EXISTS tasks (seq BIGINT NOT NULL, id TEXT PRIMARY KEY, name "
		"TEXT, node_id TEXT, workflow_id TEXT, job_id TEXT, spec TEXT NOT NULL, results "
		"TEXT, error TEXT, report TEXT, created_ms BIGINT, updated_ms BIGINT, start_ms "
		"BIGINT, finish_ms BIGINT, next_run_ms BIGINT, epoch BIGINT, state INTEGER, phase "
		"INTEGER, priority INTEGER);"
		"CREATE INDEX IF NOT EXISTS tasks_seq ON tasks (seq);"
		"CREATE INDEX IF NOT EXISTS tasks_name ON tasks (name, seq);"
		"CREATE INDEX IF NOT EXISTS tasks_workflow ON tasks (workflow_id) WHERE "
		"workflow_id IS NOT NULL;"
		"CREATE INDEX IF NOT EXISTS tasks_job ON tasks (job_id) WHERE job_id IS NOT NULL;"
		"CREATE TABLE IF NOT EXISTS groups (seq BIGINT NOT NULL, id TEXT PRIMARY KEY, kind "
		"TEXT, name TEXT, mode TEXT, created_ms BIGINT);"
		"CREATE TABLE IF NOT EXISTS nodes (id TEXT PRIMARY KEY, name TEXT, metadata TEXT, "
		"alive_at TEXT, created_ms BIGINT, draining INTEGER);"
		"CREATE TABLE IF NOT EXISTS modules (seq BIGINT NOT NULL, digest TEXT PRIMARY KEY, "
		"source TEXT, size BIGINT, created_ms BIGINT, bytes %s NOT NULL);"
		"CREATE INDEX IF NOT EXISTS modules_source ON modules (source) WHERE source IS NOT "
		"NULL;"
		"CREATE TABLE IF NOT EXISTS history (kind INTEGER, subject TEXT, seq BIGINT, "
		"time_ms BIGINT, body TEXT, PRIMARY KEY (kind, subject, seq));"
		"INSERT INTO meta (name, value) VALUES ('schema', %d) ON CONFLICT (name) DO "
		"NOTHING;",
		blob, SCHEMA_VERSION);
}

static const struct db_ops *ops_of(const char *url, const char **where)
{
	if (strncmp(url, "postgres://", 11) == 0 || strncmp(url, "postgresql://", 13) == 0) {
		*where = url;
		return &db_postgres;
	}
	if (strncmp(url, "sqlite://", 9) == 0) {
		*where = url + 9;
		return &db_sqlite;
	}
	if (strncmp(url, "sqlite:", 7) == 0) {
		*where = url + 7;
		return &db_sqlite;
	}
	return NULL;
}

static void first_int(void *user, const struct db_row *row)
{
	struct {
		const struct db_ops *ops;
		int64_t value;
	} *to = user;

	to->value = to->ops->row.int_at(row, 0);
}

static enum store_err scalar(struct store *s, int id, const char *sql, const struct params *p,
			     int64_t *value)
{
	struct {
		const struct db_ops *ops;
		int64_t value;
	} to = {s->ops, 0};
	enum store_err err = s->ops->run(s->db, id, sql, p != NULL ? p->v : NULL,
					 p != NULL ? p->count : 0, first_int, &to, NULL);

	*value = to.value;
	return err;
}

static bool prepare_schema(struct store *s, char *error, size_t error_bytes)
{
	char sql[4096];
	int64_t version = 0;

	schema(sql, sizeof(sql), s->ops->blob_type);
	if (s->ops->script(s->db, sql) != STORE_OK ||
	    scalar(s, -1, "SELECT value FROM meta WHERE name = 'schema'", NULL, &version) !=
		    STORE_OK) {
		snprintf(error, error_bytes, "cannot make the tables: %s", s->ops->error(s->db));
		return false;
	}
	if (version != SCHEMA_VERSION) {
		snprintf(error, error_bytes,
			 "the database has schema version %lld, this program knows %d; use the "
			 "program that made it",
			 (long long)version, SCHEMA_VERSION);
		return false;
	}
	return true;
}

struct store *store_open(const char *url, bool quick, char *error, size_t error_bytes)
{
	const char *where = NULL;
	const struct db_ops *ops = ops_of(url, &where);
	struct store *s;

	if (ops == NULL) {
		snprintf(error, error_bytes,
			 "'%s' is no store; expected sqlite:///path or "
			 "postgres://user@host/database",
			 url);
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	if (s == NULL) {
		snprintf(error, error_bytes, "out of memory");
		return NULL;
	}
	s->ops = ops;
	s->db = ops->open(where, quick, error, error_bytes);
	if (s->db == NULL || !prepare_schema(s, error, error_bytes)) {
		store_close(s);
		return NULL;
	}
	return s;
}

bool store_taken(const char *url)
{
	const char *where = NULL;
	const struct db_ops *ops = ops_of(url, &where);

	return ops != NULL && ops->taken(where);
}

void store_close(struct store *s)
{
	if (s == NULL) {
		return;
	}
	if (s->db != NULL) {
		enum store_err err = store_commit(s);

		(void)err; /* nobody is left to tell */
		s->ops->close(s->db);
	}
	free(s);
}

bool store_dirty(const struct store *s)
{
	return s->open_transaction;
}

const char *store_error(const struct store *s)
{
	return s->error[0] != '\0' ? s->error : s->ops->error(s->db);
}

static enum store_err fail(struct store *s, enum store_err err)
{
	if (err == STORE_FAILED) {
		snprintf(s->error, sizeof(s->error), "%s", s->ops->error(s->db));
	}
	return err;
}

enum store_err store_commit(struct store *s)
{
	bool failed = s->failed;

	if (!s->open_transaction) {
		return STORE_OK;
	}
	s->open_transaction = false;
	s->failed = false;
	if (!failed && s->ops->script(s->db, "COMMIT") == STORE_OK) {
		return STORE_OK;
	}
	if (!failed) {
		(void)fail(s, STORE_FAILED);
	}
	(void)s->ops->script(s->db, "ROLLBACK");
	return STORE_FAILED;
}

static enum store_err query(struct store *s, enum statement id, const struct params *p,
			    db_row_fn *fn, void *user, int64_t *rows)
{
	return fail(s, s->ops->run(s->db, (int)id, statements[id], p->v, p->count, fn, user, rows));
}

/* A write: absent is what to answer when it touched no row. */
static enum store_err write_rows(struct store *s, enum statement id, const struct params *p,
				 enum store_err absent)
{
	int64_t rows = 0;
	enum store_err err;

	if (!s->open_transaction) {
		CHECK(s->ops->script(s->db, "BEGIN") == STORE_OK, fail(s, STORE_FAILED));
		s->open_transaction = true;
	}
	err = query(s, id, p, NULL, NULL, &rows);
	if (err != STORE_OK) {
		s->failed = true;
		return err;
	}
	return rows == 0 ? absent : STORE_OK;
}

/* A number that grows, over restarts too: microseconds, or one more than the last. */
static int64_t next_seq(struct store *s)
{
	struct timespec t;
	int64_t now;

	clock_gettime(CLOCK_REALTIME, &t);
	now = (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
	s->seq = now > s->seq ? now : s->seq + 1;
	return s->seq;
}

enum store_err store_task_insert(struct store *s, const struct store_task *t)
{
	struct params p = {0};

	put_text(&p, t->id);
	put_text(&p, t->name);
	put_text(&p, t->node_id);
	put_text(&p, t->workflow_id);
	put_text(&p, t->job_id);
	put_text(&p, t->spec);
	put_text(&p, t->results);
	put_text(&p, t->error);
	put_text(&p, t->report);
	put_int(&p, t->created_ms);
	put_int(&p, t->updated_ms);
	put_int(&p, t->start_ms);
	put_int(&p, t->finish_ms);
	put_int(&p, t->next_run_ms);
	put_int(&p, t->epoch);
	put_int(&p, t->state);
	put_int(&p, t->phase);
	put_int(&p, t->priority);
	put_int(&p, next_seq(s));
	return write_rows(s, ST_TASK_INSERT, &p, STORE_CONFLICT);
}

enum store_err store_task_update(struct store *s, const struct store_task *t)
{
	struct params p = {0};

	put_text(&p, t->id);
	put_text(&p, t->name);
	put_text(&p, t->spec);
	put_int(&p, t->priority);
	put_int(&p, t->next_run_ms);
	put_int(&p, t->updated_ms);
	return write_rows(s, ST_TASK_UPDATE, &p, STORE_ABSENT);
}

enum store_err store_task_move(struct store *s, const struct store_task *t)
{
	struct params p = {0};

	put_text(&p, t->id);
	put_int(&p, t->state);
	put_int(&p, t->phase);
	put_int(&p, t->epoch);
	put_int(&p, t->updated_ms);
	put_int(&p, t->start_ms);
	put_int(&p, t->finish_ms);
	put_text(&p, t->node_id);
	put_text(&p, t->error);
	put_text(&p, t->results);
	put_text(&p, t->report);
	put_int(&p, t->clear);
	return write_rows(s, ST_TASK_MOVE, &p, STORE_ABSENT);
}

enum store_err store_task_schedule(struct store *s, const char *id, int64_t next_run_ms)
{
	struct params p = {0};

	put_text(&p, id);
	put_int(&p, next_run_ms);
	return write_rows(s, ST_TASK_SCHEDULE, &p, STORE_ABSENT);
}

static enum store_err write_id(struct store *s, enum statement st, const char *id)
{
	struct params p = {0};

	put_text(&p, id);
	return write_rows(s, st, &p, STORE_ABSENT);
}

enum store_err store_task_delete(struct store *s, const char *id)
{
	return write_id(s, ST_TASK_DELETE, id);
}

/* Carries a row to the caller's callback in our nouns. */
struct reader {
	const struct db_row_ops *row;
	void *fn;
	void *user;
	uint64_t count;
};

static void read_task(void *user, const struct db_row *r)
{
	struct reader *to = user;
	const struct db_row_ops *o = to->row;
	struct store_task t = {
		.id = o->text_at(r, 0),
		.name = o->text_at(r, 1),
		.node_id = o->text_at(r, 2),
		.workflow_id = o->text_at(r, 3),
		.job_id = o->text_at(r, 4),
		.spec = o->text_at(r, 5),
		.results = o->text_at(r, 6),
		.error = o->text_at(r, 7),
		.report = o->text_at(r, 8),
		.created_ms = o->int_at(r, 9),
		.updated_ms = o->int_at(r, 10),
		.start_ms = o->int_at(r, 11),
		.finish_ms = o->int_at(r, 12),
		.next_run_ms = o->int_at(r, 13),
		.epoch = (uint32_t)o->int_at(r, 14),
		.state = (int)o->int_at(r, 15),
		.phase = (int)o->int_at(r, 16),
		.priority = (int)o->int_at(r, 17),
	};

	to->count++;
	((store_task_fn *)to->fn)(to->user, &t);
}

static void read_group(void *user, const struct db_row *r)
{
	struct reader *to = user;
	const struct db_row_ops *o = to->row;
	struct store_group g = {
		.id = o->text_at(r, 0),
		.kind = o->text_at(r, 1),
		.name = o->text_at(r, 2),
		.mode = o->text_at(r, 3),
		.created_ms = o->int_at(r, 4),
	};

	to->count++;
	((store_group_fn *)to->fn)(to->user, &g);
}

static void read_node(void *user, const struct db_row *r)
{
	struct reader *to = user;
	const struct db_row_ops *o = to->row;
	struct store_node n = {
		.id = o->text_at(r, 0),
		.name = o->text_at(r, 1),
		.metadata = o->text_at(r, 2),
		.alive_at = o->text_at(r, 3),
		.created_ms = o->int_at(r, 4),
		.draining = o->int_at(r, 5) != 0,
	};

	to->count++;
	((store_node_fn *)to->fn)(to->user, &n);
}

static void read_module(void *user, const struct db_row *r)
{
	struct reader *to = user;
	const struct db_row_ops *o = to->row;
	struct store_module m = {
		.digest = o->text_at(r, 0),
		.source = o->text_at(r, 1),
		.size = (uint64_t)o->int_at(r, 2),
		.created_ms = o->int_at(r, 3),
	};

	to->count++;
	((store_module_fn *)to->fn)(to->user, &m);
}

static void read_bytes(void *user, const struct db_row *r)
{
	struct reader *to = user;
	size_t size;
	const void *bytes = to->row->blob_at(r, 0, &size);

	to->count++;
	((store_bytes_fn *)to->fn)(to->user, bytes, size);
}

static void read_entry(void *user, const struct db_row *r)
{
	struct reader *to = user;
	const struct db_row_ops *o = to->row;
	struct store_entry e = {
		.seq = (uint64_t)o->int_at(r, 0),
		.time_ms = o->int_at(r, 1),
		.body = o->text_at(r, 2),
	};

	to->count++;
	((store_entry_fn *)to->fn)(to->user, &e);
}

static enum store_err read_all(struct store *s, enum statement id, const struct params *p,
			       db_row_fn *read, void *fn, void *user)
{
	struct reader to = {&s->ops->row, fn, user, 0};

	return query(s, id, p, read, &to, NULL);
}

static enum store_err read_one(struct store *s, enum statement st, const char *id, db_row_fn *read,
			       void *fn, void *user)
{
	struct reader to = {&s->ops->row, fn, user, 0};
	struct params p = {0};

	put_text(&p, id);
	TRY(query(s, st, &p, read, &to, NULL));
	return to.count == 0 ? STORE_ABSENT : STORE_OK;
}

enum store_err store_task_get(struct store *s, const char *id, store_task_fn *fn, void *user)
{
	return read_one(s, ST_TASK_GET, id, read_task, (void *)fn, user);
}

/* Appends " AND column op ?n" for a condition that is set. */
static void condition(char *sql, size_t bytes, struct params *p, const char *column,
		      const char *text)
{
	size_t at = strlen(sql);

	if (text != NULL) {
		put_text(p, text);
		snprintf(sql + at, bytes - at, " AND %s ?%d", column, p->count);
	}
}

/* Those of this name; if there are none, those whose id begins so. The range lets the index be
 * used in any collation; substr has the last word. */
static void find_condition(struct store *s, char *sql, size_t bytes, struct params *p,
			   const char *find)
{
	size_t at = strlen(sql);
	struct params one = {0};
	int64_t named = 0;

	if (find == NULL) {
		return;
	}
	put_text(&one, find);
	put_text(p, find);
	if (scalar(s, -1, "SELECT count(*) FROM (SELECT 1 FROM tasks WHERE name = ?1 LIMIT 1) AS t",
		   &one, &named) == STORE_OK &&
	    named > 0) {
		snprintf(sql + at, bytes - at, " AND name = ?%d", p->count);
		return;
	}
	snprintf(sql + at, bytes - at,
		 " AND id >= ?%d AND id <= ?%d || 'zzzz' AND substr(id, 1, %d) = ?%d", p->count,
		 p->count, (int)BASE_MIN(strlen(find), 1000u), p->count);
}

static void conditions(struct store *s, char *sql, size_t bytes, struct params *p,
		       const struct store_task_filter *f)
{
	size_t at;

	condition(sql, bytes, p, "workflow_id =", f->workflow_id);
	condition(sql, bytes, p, "job_id =", f->job_id);
	condition(sql, bytes, p, "node_id =", f->node_id);
	condition(sql, bytes, p, "spec LIKE", f->spec_like);
	find_condition(s, sql, bytes, p, f->find);
	at = strlen(sql);
	if (f->state >= 0) {
		put_int(p, f->state);
		snprintf(sql + at, bytes - at, " AND state = ?%d", p->count);
		at = strlen(sql);
	}
	if (f->live) {
		snprintf(sql + at, bytes - at, " AND (phase NOT IN (0, 9) OR next_run_ms <> 0)");
	}
}

enum store_err store_task_list(struct store *s, const struct store_task_filter *f, uint64_t offset,
			       uint64_t limit, store_task_fn *fn, void *user)
{
	char sql[1000] = "SELECT " TASK_COLUMNS " FROM tasks WHERE seq > 0";
	struct reader to = {&s->ops->row, (void *)fn, user, 0};
	struct params p = {0};
	size_t at;

	conditions(s, sql, sizeof(sql), &p, f);
	at = strlen(sql);
	put_int(&p, (int64_t)BASE_MIN(limit, INT64_MAX));
	put_int(&p, (int64_t)BASE_MIN(offset, INT64_MAX));
	snprintf(sql + at, sizeof(sql) - at, " ORDER BY seq %s LIMIT ?%d OFFSET ?%d",
		 f->oldest_first ? "ASC" : "DESC", p.count - 1, p.count);
	return fail(s, s->ops->run(s->db, -1, sql, p.v, p.count, read_task, &to, NULL));
}

static enum store_err count_of(struct store *s, int id, const char *sql, const struct params *p,
			       uint64_t *count)
{
	int64_t n = 0;
	enum store_err err = fail(s, scalar(s, id, sql, p, &n));

	*count = (uint64_t)n;
	return err;
}

enum store_err store_task_count(struct store *s, const struct store_task_filter *f, uint64_t *count)
{
	char sql[800] = "SELECT count(*) FROM tasks WHERE seq > 0";
	struct params p = {0};

	conditions(s, sql, sizeof(sql), &p, f);
	return count_of(s, -1, sql, &p, count);
}

enum store_err store_group_insert(struct store *s, const struct store_group *g)
{
	struct params p = {0};

	put_text(&p, g->id);
	put_text(&p, g->kind);
	put_text(&p, g->name);
	put_text(&p, g->mode);
	put_int(&p, g->created_ms);
	put_int(&p, next_seq(s));
	return write_rows(s, ST_GROUP_INSERT, &p, STORE_CONFLICT);
}

enum store_err store_group_get(struct store *s, const char *id, store_group_fn *fn, void *user)
{
	return read_one(s, ST_GROUP_GET, id, read_group, (void *)fn, user);
}

enum store_err store_group_list(struct store *s, const char *kind, uint64_t offset, uint64_t limit,
				store_group_fn *fn, void *user)
{
	struct params p = {0};

	put_text(&p, kind);
	put_int(&p, (int64_t)BASE_MIN(limit, INT64_MAX));
	put_int(&p, (int64_t)BASE_MIN(offset, INT64_MAX));
	return read_all(s, ST_GROUP_LIST, &p, read_group, (void *)fn, user);
}

enum store_err store_group_count(struct store *s, const char *kind, uint64_t *count)
{
	struct params p = {0};

	put_text(&p, kind);
	return count_of(s, ST_GROUP_COUNT, statements[ST_GROUP_COUNT], &p, count);
}

enum store_err store_node_put(struct store *s, const struct store_node *n)
{
	struct params p = {0};

	put_text(&p, n->id);
	put_text(&p, n->name);
	put_text(&p, n->metadata);
	put_text(&p, n->alive_at);
	put_int(&p, n->created_ms);
	put_int(&p, n->draining);
	return write_rows(s, ST_NODE_PUT, &p, STORE_ABSENT);
}

enum store_err store_node_touch(struct store *s, const struct store_node *n)
{
	struct params p = {0};

	put_text(&p, n->id);
	put_text(&p, n->alive_at);
	put_int(&p, n->draining);
	return write_rows(s, ST_NODE_TOUCH, &p, STORE_ABSENT);
}

enum store_err store_node_delete(struct store *s, const char *id)
{
	return write_id(s, ST_NODE_DELETE, id);
}

enum store_err store_node_get(struct store *s, const char *id, store_node_fn *fn, void *user)
{
	return read_one(s, ST_NODE_GET, id, read_node, (void *)fn, user);
}

enum store_err store_node_list(struct store *s, uint64_t offset, uint64_t limit, store_node_fn *fn,
			       void *user)
{
	struct params p = {0};

	put_int(&p, (int64_t)BASE_MIN(limit, INT64_MAX));
	put_int(&p, (int64_t)BASE_MIN(offset, INT64_MAX));
	return read_all(s, ST_NODE_LIST, &p, read_node, (void *)fn, user);
}

enum store_err store_module_put(struct store *s, const struct store_module *m, const void *bytes)
{
	struct params p = {0};

	put_text(&p, m->digest);
	put_text(&p, m->source);
	put_int(&p, (int64_t)m->size);
	put_int(&p, m->created_ms);
	put_blob(&p, bytes, (size_t)m->size);
	put_int(&p, next_seq(s));
	return write_rows(s, ST_MODULE_PUT, &p, STORE_ABSENT);
}

enum store_err store_module_get(struct store *s, const char *digest, store_module_fn *fn,
				void *user)
{
	return read_one(s, ST_MODULE_GET, digest, read_module, (void *)fn, user);
}

enum store_err store_module_bytes(struct store *s, const char *digest, store_bytes_fn *fn,
				  void *user)
{
	return read_one(s, ST_MODULE_BYTES, digest, read_bytes, (void *)fn, user);
}

enum store_err store_module_list(struct store *s, uint64_t offset, uint64_t limit,
				 store_module_fn *fn, void *user)
{
	struct params p = {0};

	put_int(&p, (int64_t)BASE_MIN(limit, INT64_MAX));
	put_int(&p, (int64_t)BASE_MIN(offset, INT64_MAX));
	return read_all(s, ST_MODULE_LIST, &p, read_module, (void *)fn, user);
}

enum store_err store_module_count(struct store *s, uint64_t *count)
{
	return count_of(s, ST_MODULE_COUNT, statements[ST_MODULE_COUNT], NULL, count);
}

enum store_err store_module_find(struct store *s, const char *source, store_module_fn *fn,
				 void *user)
{
	return read_one(s, ST_MODULE_FIND, source, read_module, (void *)fn, user);
}

static void put_subject(struct params *p, enum store_history kind, const char *subject)
{
	put_int(p, kind);
	put_text(p, subject);
}

enum store_err store_history_add(struct store *s, enum store_history kind, const char *subject,
				 int64_t time_ms, const char *body, uint32_t keep)
{
	struct params last = {0}, p = {0};
	int64_t seq = 0;

	put_subject(&last, kind, subject);
	TRY(fail(s, scalar(s, ST_HISTORY_LAST, statements[ST_HISTORY_LAST], &last, &seq)));
	put_subject(&p, kind, subject);
	put_int(&p, seq + 1);
	put_int(&p, time_ms);
	put_text(&p, body);
	TRY(write_rows(s, ST_HISTORY_ADD, &p, STORE_OK));
	if (seq + 1 <= keep) {
		return STORE_OK;
	}
	put_int(&last, seq + 1 - keep);
	return write_rows(s, ST_HISTORY_TRIM, &last, STORE_OK);
}

enum store_err store_history_list(struct store *s, enum store_history kind, const char *subject,
				  uint64_t after, uint64_t offset, uint64_t limit,
				  bool newest_first, store_entry_fn *fn, void *user)
{
	struct params p = {0};

	put_subject(&p, kind, subject);
	put_int(&p, (int64_t)BASE_MIN(after, INT64_MAX));
	put_int(&p, (int64_t)BASE_MIN(limit, INT64_MAX));
	put_int(&p, (int64_t)BASE_MIN(offset, INT64_MAX));
	return read_all(s, newest_first ? ST_HISTORY_NEW : ST_HISTORY_OLD, &p, read_entry,
			(void *)fn, user);
}

enum store_err store_history_count(struct store *s, enum store_history kind, const char *subject,
				   uint64_t *count)
{
	struct params p = {0};

	put_subject(&p, kind, subject);
	return count_of(s, ST_HISTORY_COUNT, statements[ST_HISTORY_COUNT], &p, count);
}

enum store_err store_history_clear(struct store *s, const char *subject)
{
	struct params p = {0};

	put_text(&p, subject);
	return write_rows(s, ST_HISTORY_CLEAR, &p, STORE_OK);
}
