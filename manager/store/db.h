/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The little that the store needs of a database: numbered statements with typed parameters, rows
 * read column by column, transactions. Private to manager/store.
 */
#ifndef MANAGER_STORE_DB_H
#define MANAGER_STORE_DB_H

#include "manager/store/store.h"

#define DB_PARAMS_MAX     20
#define DB_STATEMENTS_MAX 64

enum db_type {
	DB_NULL,
	DB_INT,
	DB_TEXT,
	DB_BLOB,
};

struct db_value {
	enum db_type type;
	int64_t i;
	const void *bytes;
	size_t size;
};

struct db;
struct db_row;

/* A row; columns from 0. Text and blob are lent until the callback returns; text may be NULL. */
struct db_row_ops {
	int64_t (*int_at)(const struct db_row *r, int column);
	const char *(*text_at)(const struct db_row *r, int column);
	const void *(*blob_at)(const struct db_row *r, int column, size_t *size);
};

typedef void db_row_fn(void *user, const struct db_row *row);

struct db_ops {
	struct db_row_ops row;
	/* Types of columns for the schema. */
	const char *blob_type;
	struct db *(*open)(const char *where, bool quick, char *error, size_t error_bytes);
	void (*close)(struct db *db);
	/* Whether another manager has the database open now. */
	bool (*taken)(const char *where);
	/* Several statements without parameters. */
	enum store_err (*script)(struct db *db, const char *sql);
	/*
	 * One statement: parameters are ?1, ?2... in sql; id < DB_STATEMENTS_MAX keeps it
	 * prepared (always the same sql then), id -1 does not. rows: how many were touched.
	 */
	enum store_err (*run)(struct db *db, int id, const char *sql, const struct db_value *values,
			      int count, db_row_fn *fn, void *user, int64_t *rows);
	const char *(*error)(const struct db *db);
};

extern const struct db_ops db_sqlite;
extern const struct db_ops db_postgres;

#endif
