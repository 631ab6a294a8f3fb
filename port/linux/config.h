/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's settings: flags before environment before config.toml before defaults.
 *
 * In:    argv, the environment, a file. Out: struct config; an error that names key, place, remedy.
 * Owns:  the texts in struct config, until config_free.
 */
#ifndef LINUX_CONFIG_H
#define LINUX_CONFIG_H

#include "base/base.h"
#include "port/linux/log.h"

#include <stdio.h>

#define CONFIG_C_TEXT    char *
#define CONFIG_C_SECRET  char *
#define CONFIG_C_INT     int64_t
#define CONFIG_C_SIZE    int64_t
#define CONFIG_C_MS      int64_t
#define CONFIG_C_SECONDS int64_t /* milliseconds */
#define CONFIG_C_BOOL    bool
#define CONFIG_C_LIST    char ** /* ended by NULL; never NULL itself */
#define CONFIG_C_LEVEL   enum log_level

struct config {
#define SECTION(title)
#define ROW(member, type, env, def, min, max, arg, help) CONFIG_C_##type member;
#include "port/linux/config_list.h"
};

enum config_result {
	CONFIG_RUN,       /* go on */
	CONFIG_EXIT_OK,   /* --help, --version, --print-config were answered on stdout */
	CONFIG_EXIT_USAGE /* the error was told on stderr: exit 64 */
};

/* Reads all sources. env is environ or a test's own. */
MUST_USE enum config_result config_read(struct config *config, int argc, char **argv, char **env);
void config_free(struct config *config);

/* Every value and where it came from, in the form of config.toml; secrets as "***". */
void config_print(FILE *out, const struct config *config);

/* The first error as one sentence; for tests. Lent until the next config_read. */
const char *config_error(void);

#endif
