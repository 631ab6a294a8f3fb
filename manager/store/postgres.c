/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PostgreSQL behind db.h, by libpq: statements prepared once, parameters with their types.
 *
 * Rules: 1. A lost connection is a failure like any other: the manager ends, and goes on from what is
 *           stored when it is started again.
 *        2. One manager at a time: an advisory lock of the connection, which ends with it. The server
 *           asks a silent connection for signs of life, so that the lock of a lost machine ends soon.
 */
#include "manager/store/db.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#define OID_BYTEA 17
#define OID_INT8  20
#define OID_TEXT  25
#define SQL_BYTES 2048

struct db {
	PGconn *conn;
	bool prepared[DB_STATEMENTS_MAX];
	unsigned char *blob; /* lent by blob_at */
};

struct db_row {
	PGresult *result;
	struct db *db;
	int row;
};

/* Parameters as libpq wants them. */
struct bound {
	const char *values[DB_PARAMS_MAX];
	int lengths[DB_PARAMS_MAX];
	int formats[DB_PARAMS_MAX];
	Oid types[DB_PARAMS_MAX];
	char numbers[DB_PARAMS_MAX][24];
};

static int64_t row_int(const struct db_row *r, int column)
{
	return strtoll(PQgetvalue(r->result, r->row, column), NULL, 10);
}

static const char *row_text(const struct db_row *r, int column)
{
	return PQgetisnull(r->result, r->row, column) ? NULL
						      : PQgetvalue(r->result, r->row, column);
}

static const void *row_blob(const struct db_row *r, int column, size_t *size)
{
	const char *text = PQgetvalue(r->result, r->row, column);

	PQfreemem(r->db->blob);
	*size = 0;
	r->db->blob = PQunescapeBytea((const unsigned char *)text, size);
	return r->db->blob != NULL ? (const void *)r->db->blob : "";
}

static enum store_err script(struct db *db, const char *sql)
{
	PGresult *r = PQexec(db->conn, sql);
	ExecStatusType status = PQresultStatus(r);

	PQclear(r);
	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? STORE_OK : STORE_FAILED;
}

static void close_db(struct db *db)
{
	PQfreemem(db->blob);
	PQfinish(db->conn);
	free(db);
}

static void quiet(void *arg, const PGresult *result)
{
}

/* The lock's number: "prpl" as bytes. A manager that was just killed may have it for a moment still. */
static bool lock(struct db *db)
{
	return script(db, "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5;"
			  "SET tcp_keepalives_count = 3; SET lock_timeout = '5s';"
			  "SELECT pg_advisory_lock(1886547052); SET lock_timeout = 0") == STORE_OK;
}

static bool taken(const char *url)
{
	PGconn *conn = PQconnectdb(url);
	PGresult *r = PQexec(conn, "SELECT pg_try_advisory_lock(1886547052)");
	bool held = PQresultStatus(r) == PGRES_TUPLES_OK && PQgetvalue(r, 0, 0)[0] == 'f';

	PQclear(r);
	PQfinish(conn);
	return held;
}

static struct db *open_db(const char *url, bool quick, char *error, size_t error_bytes)
{
	struct db *db = calloc(1, sizeof(*db));

	if (db == NULL) {
		snprintf(error, error_bytes, "out of memory");
		return NULL;
	}
	db->conn = PQconnectdb(url);
	if (PQstatus(db->conn) != CONNECTION_OK) {
		snprintf(error, error_bytes, "cannot reach PostgreSQL: %s",
			 PQerrorMessage(db->conn));
		close_db(db);
		return NULL;
	}
	PQsetNoticeReceiver(db->conn, quiet, NULL);
	if (!lock(db)) {
		snprintf(error, error_bytes,
			 "cannot use the database: another manager is using it: %s",
			 PQerrorMessage(db->conn));
		close_db(db);
		return NULL;
	}
	if (quick && script(db, "SET synchronous_commit = off") != STORE_OK) {
		snprintf(error, error_bytes, "PostgreSQL: %s", PQerrorMessage(db->conn));
		close_db(db);
		return NULL;
	}
	return db;
}

static void bind(struct bound *b, const struct db_value *values, int count)
{
	for (int i = 0; i < count; i++) {
		const struct db_value *v = &values[i];

		b->values[i] = v->bytes;
		b->lengths[i] = (int)v->size;
		b->formats[i] = v->type == DB_BLOB;
		b->types[i] = v->type == DB_INT    ? OID_INT8
			      : v->type == DB_BLOB ? OID_BYTEA
						   : OID_TEXT;
		if (v->type == DB_INT) {
			snprintf(b->numbers[i], sizeof(b->numbers[i]), "%lld", (long long)v->i);
			b->values[i] = b->numbers[i];
		} else if (v->type == DB_NULL) {
			b->values[i] = NULL;
		} else if (v->bytes == NULL) {
			b->values[i] = "";
		}
	}
}

/* ?N of our statements is $N here. */
static void translate(const char *sql, char out[SQL_BYTES])
{
	size_t i = 0;

	for (; sql[i] != '\0' && i < SQL_BYTES - 1; i++) {
		out[i] = sql[i];
		if (out[i] == '?') {
			out[i] = '$';
		}
	}
	out[i] = '\0';
}

static bool prepare(struct db *db, int id, const char *sql, const struct bound *b, int count,
		    const char *name)
{
	PGresult *r;
	bool ok;

	if (db->prepared[id]) {
		return true;
	}
	r = PQprepare(db->conn, name, sql, count, b->types);
	ok = PQresultStatus(r) == PGRES_COMMAND_OK;
	PQclear(r);
	db->prepared[id] = ok;
	return ok;
}

static enum store_err run(struct db *db, int id, const char *sql, const struct db_value *values,
			  int count, db_row_fn *fn, void *user, int64_t *rows)
{
	struct bound b = {0};
	struct db_row row = {.db = db};
	char text[SQL_BYTES], name[16];
	ExecStatusType status;

	bind(&b, values, count);
	translate(sql, text);
	snprintf(name, sizeof(name), "s%d", id);
	if (id < 0) {
		row.result = PQexecParams(db->conn, text, count, b.types, b.values, b.lengths,
					  b.formats, 0);
	} else if (prepare(db, id, text, &b, count, name)) {
		row.result =
			PQexecPrepared(db->conn, name, count, b.values, b.lengths, b.formats, 0);
	}
	status = PQresultStatus(row.result);
	for (row.row = 0; status == PGRES_TUPLES_OK && row.row < PQntuples(row.result); row.row++) {
		if (fn != NULL) {
			fn(user, &row);
		}
	}
	if (rows != NULL) {
		*rows = strtoll(PQcmdTuples(row.result), NULL, 10);
	}
	PQclear(row.result);
	return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ? STORE_OK : STORE_FAILED;
}

static const char *error_text(const struct db *db)
{
	return PQerrorMessage(db->conn);
}

const struct db_ops db_postgres = {
	.row = {row_int, row_text, row_blob},
	.blob_type = "BYTEA",
	.open = open_db,
	.close = close_db,
	.taken = taken,
	.script = script,
	.run = run,
	.error = error_text,
};
