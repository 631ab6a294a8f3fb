/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manager's durable state, in our nouns: tasks, groups (jobs, workflows), nodes, modules and
 * bounded histories. Behind it SQLite or PostgreSQL, chosen by a URL:
 *
 *     sqlite:///absolute/path    sqlite:relative/path    sqlite::memory:
 *     postgres://user:password@host:port/database
 *
 * Rules: 1. Writes gather in one transaction until store_commit; what was written is readable at
 *           once on the same store, and durable when store_commit has returned STORE_OK.
 *        2. Strings given are borrowed for the call; strings of rows are lent to the callback.
 *        3. One thread uses one store.
 *        4. One manager at a time has it open, until it closes it or ends, however it ends.
 */
#ifndef MANAGER_STORE_STORE_H
#define MANAGER_STORE_STORE_H

#include "base/base.h"

#define STORE_HISTORY_MAX 128 /* entries kept of one kind for one subject, unless told otherwise */

enum store_err {
	STORE_OK,
	STORE_ABSENT,   /* there is no such row */
	STORE_CONFLICT, /* there is one already */
	STORE_FAILED,   /* the database failed; store_error() says how */
};

struct store;

/* A task. NULL strings are kept as such. Times are Unix milliseconds, 0 for never. */
struct store_task {
	const char *id;
	const char *name;
	const char *node_id; /* last one */
	const char *workflow_id;
	const char *job_id;
	const char *spec;    /* JSON: what the user gave */
	const char *results; /* JSON */
	const char *error;
	const char *report; /* JSON: what the worker told beside the result */
	int64_t created_ms, updated_ms, start_ms, finish_ms, next_run_ms;
	uint32_t epoch;
	int state;
	int phase;
	int priority;
	bool clear; /* store_task_move: a new run begins: results and report are emptied first */
};

/* Which tasks: all conditions that are set must hold. */
struct store_task_filter {
	const char *workflow_id, *job_id, *node_id;
	const char *spec_like; /* SQL LIKE pattern on the spec: a first sieve */
	const char *find;      /* the whole name, or the beginning of the id */
	int state;             /* -1 for any */
	bool live;             /* those the core must know after a restart */
	bool oldest_first;     /* else the newest */
};

struct store_group {
	const char *id;
	const char *kind; /* "job", "workflow" */
	const char *name;
	const char *mode;
	int64_t created_ms;
};

struct store_node {
	const char *id;
	const char *name;
	const char *metadata; /* JSON */
	const char *alive_at; /* JSON array of Unix milliseconds */
	int64_t created_ms;
	bool draining;
};

struct store_module {
	const char *digest; /* "sha256:<64 hex>" */
	const char *source; /* where it came from, or NULL */
	uint64_t size;
	int64_t created_ms;
};

/* Kinds of history, each kept for subjects (a task id or node id). */
enum store_history {
	STORE_NODE_METRICS,
	STORE_TASK_METRICS,
	STORE_LOG,
	STORE_OUTPUT,
	STORE_EVENT, /* of a task, or of the fleet under the subject "" */
	STORE_PART,  /* results of a broadcast's nodes */
};

struct store_entry {
	const char *body; /* JSON */
	int64_t time_ms;
	uint64_t seq; /* from 1 */
};

typedef void store_task_fn(void *user, const struct store_task *row);
typedef void store_group_fn(void *user, const struct store_group *row);
typedef void store_node_fn(void *user, const struct store_node *row);
typedef void store_module_fn(void *user, const struct store_module *row);
typedef void store_entry_fn(void *user, const struct store_entry *row);
typedef void store_bytes_fn(void *user, const void *bytes, size_t size);

/*
 * Opens (and makes, where possible) the database. NULL on failure, with a sentence in error.
 * quick gives up durability against power loss, not against the end of the process.
 */
struct store *store_open(const char *url, bool quick, char *error, size_t error_bytes);

/* Whether another manager has the database open now, so that store_open would fail. */
bool store_taken(const char *url);

/* Commits and closes; NULL is fine. */
void store_close(struct store *s);

/* Makes all writes so far durable. After STORE_FAILED they are undone. */
MUST_USE enum store_err store_commit(struct store *s);

/* True when there are writes that store_commit has not made durable. */
bool store_dirty(const struct store *s);

/* The database's last complaint. Lent until the next call. */
const char *store_error(const struct store *s);

MUST_USE enum store_err store_task_insert(struct store *s, const struct store_task *t);
/* The user's part: name, spec, priority, next_run_ms, updated_ms. */
MUST_USE enum store_err store_task_update(struct store *s, const struct store_task *t);
/*
 * The machine's part: state, phase, epoch, times; node_id unless NULL; error always; results and
 * report unless NULL. start_ms is kept when 0.
 */
MUST_USE enum store_err store_task_move(struct store *s, const struct store_task *t);
MUST_USE enum store_err store_task_schedule(struct store *s, const char *id, int64_t next_run_ms);
MUST_USE enum store_err store_task_delete(struct store *s, const char *id);
MUST_USE enum store_err store_task_get(struct store *s, const char *id, store_task_fn *fn,
				       void *user);
MUST_USE enum store_err store_task_list(struct store *s, const struct store_task_filter *f,
					uint64_t offset, uint64_t limit, store_task_fn *fn,
					void *user);
MUST_USE enum store_err store_task_count(struct store *s, const struct store_task_filter *f,
					 uint64_t *count);

MUST_USE enum store_err store_group_insert(struct store *s, const struct store_group *g);
MUST_USE enum store_err store_group_get(struct store *s, const char *id, store_group_fn *fn,
					void *user);
MUST_USE enum store_err store_group_list(struct store *s, const char *kind, uint64_t offset,
					 uint64_t limit, store_group_fn *fn, void *user);
MUST_USE enum store_err store_group_count(struct store *s, const char *kind, uint64_t *count);

/* Makes or replaces; created_ms of a known node stays, and its name if it has one. */
MUST_USE enum store_err store_node_put(struct store *s, const struct store_node *n);
/* alive_at and draining alone. */
MUST_USE enum store_err store_node_touch(struct store *s, const struct store_node *n);
MUST_USE enum store_err store_node_delete(struct store *s, const char *id);
MUST_USE enum store_err store_node_get(struct store *s, const char *id, store_node_fn *fn,
				       void *user);
MUST_USE enum store_err store_node_list(struct store *s, uint64_t offset, uint64_t limit,
					store_node_fn *fn, void *user);

/* Keeps bytes under their digest; STORE_OK too when they are there. */
MUST_USE enum store_err store_module_put(struct store *s, const struct store_module *m,
					 const void *bytes);
MUST_USE enum store_err store_module_get(struct store *s, const char *digest, store_module_fn *fn,
					 void *user);
MUST_USE enum store_err store_module_bytes(struct store *s, const char *digest, store_bytes_fn *fn,
					   void *user);
MUST_USE enum store_err store_module_list(struct store *s, uint64_t offset, uint64_t limit,
					  store_module_fn *fn, void *user);
MUST_USE enum store_err store_module_count(struct store *s, uint64_t *count);
/* The module that was last put with this source. */
MUST_USE enum store_err store_module_find(struct store *s, const char *source, store_module_fn *fn,
					  void *user);

/* Adds an entry; of more than keep entries the oldest goes. */
MUST_USE enum store_err store_history_add(struct store *s, enum store_history kind,
					  const char *subject, int64_t time_ms, const char *body,
					  uint32_t keep);
/* Entries with seq > after, oldest first; or, newest_first, the newest. */
MUST_USE enum store_err store_history_list(struct store *s, enum store_history kind,
					   const char *subject, uint64_t after, uint64_t offset,
					   uint64_t limit, bool newest_first, store_entry_fn *fn,
					   void *user);
MUST_USE enum store_err store_history_count(struct store *s, enum store_history kind,
					    const char *subject, uint64_t *count);
MUST_USE enum store_err store_history_clear(struct store *s, const char *subject);

#endif
