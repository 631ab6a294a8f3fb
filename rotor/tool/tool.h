/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands of the program `rotor` share. */
#ifndef ROTOR_TOOL_TOOL_H
#define ROTOR_TOOL_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "rotor/import/import.h"
#include "rotor/rotor.h"

enum exit_status {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 64,   /* wrong options or arguments of rotor itself */
	EXIT_INVALID = 65, /* a file, module or argument that cannot be used */
	EXIT_TRAP = 70,
	EXIT_LIMIT = 75, /* a limit was reached: fuel, time, memory */
};

/* A command: gets its own name as argv[0]. Returns the exit status. */
int command_run(int argc, char **argv);
int command_info(int argc, char **argv);
int command_dis(int argc, char **argv);
int command_spec(int argc, char **argv);

/* Prints "rotor: ..." and a line end on stderr. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints text that a module wrote: control characters, which a terminal might obey, become dots. */
void print_foreign(FILE *to, const char *text, size_t bytes);

/* ---- options (options.c) ---- */

struct options {
	int argc, at; /* at: the argument to look at next */
	char **argv;
	const char *value; /* of the option found */
};

/* Is the next argument the option NAME, with a value if has_value ("--name V", "--name=V")? Moves
 * on if so. A missing value ends the program with EXIT_USAGE. */
bool option_is(struct options *o, const char *name, bool has_value);

/* The next argument begins with '-' and is not "-"; "--" is skipped and is none. */
bool option_left(struct options *o);

/* A count with an optional k, m or g (1024s) behind it. Ends the program with EXIT_USAGE when the
 * text is not a number up to max. */
uint64_t option_number(const char *name, const char *text, uint64_t max);

/* Ends the program: an unknown option. */
_Noreturn void option_unknown(const struct options *o, const char *command);

/* ---- files and memory (file.c) ---- */

struct mapped {
	const void *bytes;
	size_t count;
};

/* Maps a file; false after complaining. */
bool file_map(const char *path, struct mapped *out);
void file_unmap(struct mapped *file);

/* Zeroed memory that costs only what is touched; NULL if there is no address space left. */
void *block_reserve(size_t bytes);
void block_free(void *block, size_t bytes);

/* Loads a file's module into memory of its own; NULL after complaining. */
const struct rotor_module *module_open(const char *path, struct mapped *file);

/* ---- values (value.c) ---- */

/* Reads text as a value of that type; false: it is not one. */
bool value_parse(const char *text, enum rotor_type type, struct rotor_value *out);
void value_print(FILE *to, const struct rotor_value *value);
const char *type_name(enum rotor_type type);
const char *kind_name(enum rotor_kind kind);

/* "(i32, i64) -> f32" */
void functype_print(FILE *to, const struct rotor_functype *type);

/* ---- the system's side of a program (host.c) ---- */

extern const struct rotor_env_ops host_ops;

uint64_t host_monotonic_ns(void);
void host_sleep_until(uint64_t monotonic_ns);

#endif
