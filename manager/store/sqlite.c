/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite behind db.h: write-ahead log, statements prepared once.
 *
 * Rules: 1 synchronous=FULL, so that a commit is on the disk; quick: NORMAL, which the end of the
 *          process cannot hurt, only that of the machine.
 *        2 One manager at a time, by a lock of ours on the file; others may read it meanwhile, so that
 *          it can be backed up.
 *        3 The log's file has its full size from the start. Syncing a file that grows makes the
 *          file system write its own journal too, some 4 ms on a busy disk where 0.2 ms do.
 */
#include "manager/store/db.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define LOG_PAGES   1000 /* WAL frames between checkpoints; matches wal_autocheckpoint below */
#define FRAME_BYTES (4096 + 24)
#define LOG_BYTES   ((sqlite3_int64)(LOG_PAGES + 250) * FRAME_BYTES)

struct db {
	sqlite3 *sqlite;
	int lock_fd; /* closed after SQLite: its own locks on the file would go with it */
	sqlite3_stmt *prepared[DB_STATEMENTS_MAX];
};

static sqlite3_stmt *stmt_of(const struct db_row *r)
{
	return (sqlite3_stmt *)(uintptr_t)r;
}

static int64_t row_int(const struct db_row *r, int column)
{
	return sqlite3_column_int64(stmt_of(r), column);
}

static const char *row_text(const struct db_row *r, int column)
{
	return (const char *)sqlite3_column_text(stmt_of(r), column);
}

static const void *row_blob(const struct db_row *r, int column, size_t *size)
{
	const void *p = sqlite3_column_blob(stmt_of(r), column);

	*size = (size_t)sqlite3_column_bytes(stmt_of(r), column);
	return p != NULL ? p : "";
}

static enum store_err script(struct db *db, const char *sql)
{
	return sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK ? STORE_OK
									    : STORE_FAILED;
}

static void close_db(struct db *db)
{
	for (int i = 0; i < DB_STATEMENTS_MAX; i++) {
		sqlite3_finalize(db->prepared[i]);
	}
	sqlite3_close(db->sqlite);
	if (db->lock_fd >= 0) {
		close(db->lock_fd);
	}
	free(db);
}

/*
 * Fills the write-ahead log with zeros up to LOG_BYTES. SQLite reads a log up to the first frame
 * whose salt is not the header's, so what follows its last frame may be anything. A failure
 * (a full disk) is no error: the log grows as it would have.
 */
static void fill_log(struct db *db)
{
	static const char zeros[65536];
	sqlite3_file *log = NULL;
	sqlite3_int64 size = 0;
	int rc = sqlite3_file_control(db->sqlite, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);

	if (rc != SQLITE_OK || log == NULL || log->pMethods == NULL ||
	    log->pMethods->xFileSize(log, &size) != SQLITE_OK) {
		return;
	}
	while (rc == SQLITE_OK && size < LOG_BYTES) {
		rc = log->pMethods->xWrite(log, zeros, (int)sizeof(zeros), size);
		size += (sqlite3_int64)sizeof(zeros);
	}
	log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
}

static const char *advice(int code)
{
	switch (code) {
	case SQLITE_BUSY:
		return "another program is writing it";
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return "move it away to begin anew, or put a copy of it in its place";
	case SQLITE_FULL:
		return "the disk is full";
	default:
		return "can this user write it and its directory?";
	}
}

static bool lock(struct db *db, const char *path, char *error, size_t error_bytes)
{
	db->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (db->lock_fd < 0) {
		snprintf(error, error_bytes,
			 "cannot open '%s': %s; its directory must exist and be writable", path,
			 strerror(errno));
		return false;
	}
	if (flock(db->lock_fd, LOCK_EX | LOCK_NB) != 0) {
		snprintf(error, error_bytes, "cannot use '%s': %s", path,
			 errno == EWOULDBLOCK
				 ? "another manager is using it; give this one its own with --store"
				 : strerror(errno));
		return false;
	}
	return true;
}

static bool taken(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	bool held = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;

	if (fd >= 0) {
		close(fd);
	}
	return held;
}

static struct db *open_db(const char *path, bool quick, char *error, size_t error_bytes)
{
	struct db *db = calloc(1, sizeof(*db));
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;

	if (db == NULL) {
		snprintf(error, error_bytes, "out of memory");
		return NULL;
	}
	if (!lock(db, path, error, error_bytes)) {
		close_db(db);
		return NULL;
	}
	if (sqlite3_open_v2(path, &db->sqlite, flags, NULL) != SQLITE_OK) {
		snprintf(error, error_bytes, "cannot open '%s': %s", path,
			 sqlite3_errmsg(db->sqlite));
		close_db(db);
		return NULL;
	}
	sqlite3_busy_timeout(db->sqlite, 2000);
	if (script(db, "PRAGMA journal_mode=WAL; PRAGMA cache_size=-4096; PRAGMA temp_store=MEMORY;"
		       "PRAGMA wal_autocheckpoint=1000;"
		       "BEGIN IMMEDIATE; COMMIT;") != STORE_OK ||
	    script(db, quick ? "PRAGMA synchronous=NORMAL;" : "PRAGMA synchronous=FULL;") !=
		    STORE_OK) {
		snprintf(error, error_bytes, "cannot use '%s': %s; %s", path,
			 sqlite3_errmsg(db->sqlite), advice(sqlite3_errcode(db->sqlite)));
		close_db(db);
		return NULL;
	}
	fill_log(db);
	return db;
}

static void bind(sqlite3_stmt *st, int at, const struct db_value *v)
{
	switch (v->type) {
	case DB_INT:
		sqlite3_bind_int64(st, at, v->i);
		break;
	case DB_TEXT:
		sqlite3_bind_text64(st, at, v->bytes, v->size, SQLITE_STATIC, SQLITE_UTF8);
		break;
	case DB_BLOB:
		sqlite3_bind_blob64(st, at, v->bytes, v->size, SQLITE_STATIC);
		break;
	default:
		sqlite3_bind_null(st, at);
		break;
	}
}

static enum store_err step(struct db *db, sqlite3_stmt *st, db_row_fn *fn, void *user,
			   int64_t *rows)
{
	int64_t count = 0;
	int rc;

	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		count++;
		if (fn != NULL) {
			fn(user, (const struct db_row *)st);
		}
	}
	if (rows != NULL) {
		*rows = sqlite3_stmt_readonly(st) ? count : sqlite3_changes(db->sqlite);
	}
	if (rc == SQLITE_DONE) {
		return STORE_OK;
	}
	return (rc & 0xff) == SQLITE_CONSTRAINT ? STORE_CONFLICT : STORE_FAILED;
}

static enum store_err run(struct db *db, int id, const char *sql, const struct db_value *values,
			  int count, db_row_fn *fn, void *user, int64_t *rows)
{
	sqlite3_stmt *st = id >= 0 ? db->prepared[id] : NULL;
	unsigned flags = id >= 0 ? SQLITE_PREPARE_PERSISTENT : 0;
	enum store_err err;

	if (st == NULL && sqlite3_prepare_v3(db->sqlite, sql, -1, flags, &st, NULL) != SQLITE_OK) {
		return STORE_FAILED;
	}
	for (int i = 0; i < count; i++) {
		bind(st, i + 1, &values[i]);
	}
	err = step(db, st, fn, user, rows);
	if (id < 0) {
		sqlite3_finalize(st);
		return err;
	}
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	db->prepared[id] = st;
	return err;
}

static const char *error_text(const struct db *db)
{
	return sqlite3_errmsg(db->sqlite);
}

const struct db_ops db_sqlite = {
	.row = {row_int, row_text, row_blob},
	.blob_type = "BLOB",
	.open = open_db,
	.close = close_db,
	.taken = taken,
	.script = script,
	.run = run,
	.error = error_text,
};
