/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for PostgreSQL where libpq was absent when the program was built. */
#include "manager/store/db.h"

#include <stdio.h>

static struct db *open_db(const char *url, bool quick, char *error, size_t error_bytes)
{
	snprintf(error, error_bytes,
		 "this program was built without PostgreSQL; install libpq-dev and build again, or "
		 "use sqlite:///path");
	return NULL;
}

static bool taken(const char *url)
{
	return false;
}

const struct db_ops db_postgres = {.open = open_db, .taken = taken, .blob_type = "BYTEA"};
