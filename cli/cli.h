/* SPDX-License-Identifier: Apache-2.0 */
/*
 * propctl: what its files share. main.c is where to start reading.
 *
 *     argv --args.c--> struct cli_args --command--> http.c --> manager
 *                                          `-----> table.c, stdout
 *
 * Rules: 1. stdout carries what was asked for, stderr everything else.
 *        2. A command returns an exit status of enum cli_exit; who detects an error says it.
 *        3. Texts of text() live until text_reset(): nobody frees them.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <curl/curl.h>
#include <jansson.h>

#include "cli/command_list.h"

/* As in sysexits.h where it has a word for it. */
enum cli_exit {
	CLI_OK = 0,
	CLI_NO = 1,           /* the question was answered: no */
	CLI_USAGE = 64,       /* wrong command line */
	CLI_DATA = 65,        /* a file or value is wrong */
	CLI_NOT_FOUND = 66,   /* no such file, task, node... */
	CLI_UNAVAILABLE = 69, /* the manager cannot be reached, or no node takes the task */
	CLI_FAILED = 70,      /* the task failed, or the manager could not do it */
	CLI_PROTOCOL = 76,    /* the answer is not what a manager says */
	CLI_LIMIT = 75,       /* a limit or the time to wait was reached */
	CLI_INTERRUPTED = 130 /* by Ctrl-C */
};

/* ---- options and arguments (args.c) ---- */

enum cli_option {
#define OPTION(id, name, letter, kind, value, help) CLI_OPT_##id,
	CLI_OPTION_LIST(OPTION)
#undef OPTION
	CLI_OPT_COUNT
};

enum cli_kind {
	CLI_FLAG,
	CLI_TEXT,
	CLI_NUMBER, /* 0 or more */
	CLI_SIZE,   /* bytes, with k, m, g */
	CLI_TIME,   /* milliseconds, with ms, s, m, h */
	CLI_PAIR,   /* KEY=VALUE, repeatable */
	CLI_LIST    /* repeatable */
};

struct cli_option_row {
	const char *name;
	char letter;
	enum cli_kind kind;
	const char *value, *help;
};
extern const struct cli_option_row cli_options[CLI_OPT_COUNT];

struct cli;
struct cli_command {
	const char *group, *name;
	int (*run)(struct cli *cli);
	const char *args;
	int min, max;        /* arguments */
	const char *options; /* names */
	const char *help;    /* NULL: not shown */
};
extern const struct cli_command cli_commands[];
extern const size_t cli_command_count;

enum {
	CLI_ARGS_MAX = 1024, /* arguments and options of one command line */
};

struct cli_args {
	const struct cli_command *command;
	const char *args[CLI_ARGS_MAX];
	int count;
	struct {
		enum cli_option option;
		const char *value; /* "" for a flag */
	} given[CLI_ARGS_MAX];
	int given_count;
};

/* Reads a command line. CLI_OK, or CLI_USAGE and it was said on stderr. Asking for help is not an
 * error: command is then set as far as it is known. Keeps argv's texts. */
int args_parse(struct cli_args *args, int argc, char **argv);
/* Does the command take the option? The global ones always. */
bool args_takes(const struct cli_command *command, enum cli_option option);
bool args_has(const struct cli_args *args, enum cli_option option);
/* The last value given, or otherwise. */
const char *args_text(const struct cli_args *args, enum cli_option option, const char *otherwise);
uint64_t args_number(const struct cli_args *args, enum cli_option option, uint64_t otherwise);
/* The next value of a repeatable option; *at begins with 0. NULL: no more. */
const char *args_next(const struct cli_args *args, enum cli_option option, int *at);
/* Numbers, sizes and times as text; false if it is none or too big. */
bool args_value(enum cli_kind kind, const char *text, uint64_t *out);

/* ---- help (help.c, completion.c) ---- */

void help_general(FILE *out);
void help_command_of(FILE *out, const struct cli_command *command);
void help_group(FILE *out, const char *group);
bool help_is_group(const char *word);

/* ---- texts (text.c) ---- */

/* Formats into memory that lives until text_reset. Never NULL. */
const char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Zeroed memory that lives as long. */
void *text_alloc(size_t bytes);
void text_reset(void);
/* "propctl: ..." on stderr; returns status. */
int fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Something to be told besides, on stderr. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* 1536 -> "1.5 KB"; 1500 ms -> "1.5 s". */
const char *text_bytes(uint64_t bytes);
const char *text_ms(uint64_t ms);
/* How long ago an RFC 3339 time was: "3m"; "-" if there is none. */
const char *text_age(const char *rfc3339, int64_t now_s);
bool text_time_parse(const char *rfc3339, int64_t *seconds);
/* The words of a column's width: UTF-8, control characters replaced by '?'. */
const char *text_clean(const char *raw);
size_t text_width(const char *utf8);
/* Writes raw, without what could steer a terminal if out is one. Ends the line if need be. */
void text_put(FILE *out, const char *raw);
/* Is text a task's id as a whole: 8-4-4-4-12 hexadecimal digits? */
bool text_is_uuid(const char *word);
/* How many letters have to be changed to make one of the other, roughly: for "did you mean". */
int text_distance(const char *a, const char *b);
/* For a URL's path or query. */
const char *text_url(const char *raw);

/* ---- tables (table.c) ---- */

struct table {
	const char *headers[12]; /* ended by NULL */
	const char **cells;
	size_t count, capacity;
};
/* Adds the next cell, from left to right; NULL: "-". */
void table_add(struct table *t, const char *cell);
/* Prints it, aligned, lines cut at width columns (0: as wide as it is, on a terminal its width). */
void table_print(const struct table *t, FILE *out, size_t width);
/* Columns and lines of the terminal at fd; 80 and 24 if it does not tell. */
void table_screen(int fd, size_t *columns, size_t *lines);
bool table_coloured(FILE *out);

/* ---- HTTP (http.c) ---- */

struct http {
	CURL *curl;
	const char *base;
	const char *token; /* PROPCTL_TOKEN; NULL: none */
	bool patient;      /* Ctrl-C does not end the request under way */
	bool silent;       /* says nothing of a request that found no manager */
	char error[CURL_ERROR_SIZE];
};

struct http_body {
	const char *type;     /* NULL: JSON */
	const char *filename; /* not NULL: multipart with one part "file" of this name */
	const void *data;
	size_t bytes;
};

struct http_reply {
	long status;
	json_t *json; /* NULL if the body is empty or no JSON */
	char *body;
	size_t bytes, capacity;
	const char *location; /* the header Location; NULL: none. Until the next request */
};

enum {
	HTTP_REPLY_BYTES_MAX = 64 << 20, /* of a body: more than any page of a manager */
};

/* Opens the client for the manager's URL; CLI_USAGE if it is none. */
int http_open(struct http *http, const struct cli_args *args);
void http_close(struct http *http);
/* One request. CLI_OK when an answer came, whatever its status; otherwise it was said why not. */
int http_send(struct http *http, const char *method, const char *path, const struct http_body *body,
	      struct http_reply *reply);
void http_free(struct http_reply *reply);
/* A GET whose answer goes on and on, as lines: line is called for each, until Ctrl-C (CLI_OK) or
 * until the manager ends it. */
int http_lines(struct http *http, const char *path, void (*line)(void *user, const char *text),
	       void *user);
/* One request with a JSON body (taken; NULL: none). CLI_OK only for a 2xx status with JSON, which
 * what is not a GET may lack; otherwise what is said names what was wanted. */
int http_json(struct http *http, const char *method, const char *path, json_t *body,
	      const char *what, struct http_reply *reply);
/* Says an answer that is no success; returns the exit status for it. */
int http_refused(struct http *http, const char *what, const struct http_reply *reply);
/* Set by Ctrl-C: a request under way ends. */
extern volatile int http_interrupted;

/* ---- the manager's nouns (api.c) ---- */

/* A member by path: "metadata.cpu_arch". NULL if there is none. */
json_t *api_get(const json_t *object, const char *path);
/* As text: strings as they are, numbers and booleans printed; NULL if absent or null. */
const char *api_text(const json_t *object, const char *path);
uint64_t api_number(const json_t *object, const char *path, uint64_t otherwise);
/* State of a task as a word, from the number or the word that a manager sends. */
const char *api_state(const json_t *task);
bool api_state_ended(const char *state);
/* Nobody has started the task, and no schedule will. False of a manager that does not say. */
bool api_idle(const json_t *task);
/* A whole collection, page by page, at most max rows (0: all): a new array. */
int api_list(struct http *http, const char *path, const char *key, uint64_t max, json_t **out);
/* The id that word means: an id, the beginning of one id, or a name. kind: task, node, job,
 * workflow. Of several tasks of one name: the one that has not ended, otherwise the newest. Says it
 * when there is none, or when it is the beginning of several. */
int api_find(struct http *http, const char *kind, const char *word, const char **id);
/* The same, but several of one name are an error, too. */
int api_find_only(struct http *http, const char *kind, const char *word, const char **id);
/* Prints a JSON value for programs. */
void api_print(const json_t *json);
/* The first eight characters of an id. */
const char *api_short(const char *id);

/* ---- modules (module.c) ---- */

struct module_file {
	const char *path;
	uint8_t *bytes;
	size_t size;
	char digest[72]; /* sha256:<64 hex> */
};
/* Reads a file and checks that it is a module. */
int module_read(struct module_file *file, const char *path);
void module_free(struct module_file *file);
/* Uploads it unless the manager has it. *stored: it keeps modules by digest; otherwise the module
 * has to be sent within the task. */
int module_offer(struct http *http, const struct module_file *file, bool *stored);
/* Puts the module into a task's JSON, by digest or as text. */
void module_attach(json_t *task, const struct module_file *file, bool stored);
/* Names of the exported functions, at most max; how many were found. */
int exports_read(const struct module_file *file, const char **names, int max);
/* What a module in this file is called: without folder and ending. */
const char *module_stem(const char *path);
/* Sets a task's function, which has to be exported if it is given: without it none if the worker
 * finds the right one by itself (named like the task, main, run), _start of a program, else the one
 * named like the file, else the only one. CLI_DATA: it was said. */
int exports_set(const struct module_file *file, const char *path, json_t *task);
const char *module_base64(const uint8_t *bytes, size_t size);

/* ---- the program ---- */

struct cli {
	struct cli_args args;
	struct http http;
	bool json, quiet;
	json_t *labels; /* of nodes, once one was asked for */
};

/* A task's JSON from the options; args are its inputs. */
int task_body(struct cli *cli, const char *name, const char *const *inputs, int input_count,
	      json_t **out);
/* Waits for a task's end, printing what it logs and publishes; then its result. The status tells
 * how it ended. task: as it was last seen, or NULL. stop_on_interrupt: Ctrl-C stops the task. */
int wait_task(struct cli *cli, const char *id, json_t *task, bool stop_on_interrupt);
/* Says on stderr where a task or a part of one ended. */
void backtrace_print(const json_t *task);
/* What a node is called: its name if no other has it, otherwise the beginning of its id. */
const char *node_label(struct cli *cli, const char *id);
/* A line of stdout for each line of value: "label: ...". */
void node_value_print(const char *label, const char *value);
/* What each node answered to the last run of a broadcast: a new array; NULL: the manager has no
 * such list. task: as it was last seen. */
json_t *parts_get(struct cli *cli, const char *id, const json_t *task);
/* Prints them: values on stdout, but those that seen (node id -> text, or NULL) has already;
 * failures of the task of this name on stderr. How many failed. */
size_t parts_print(struct cli *cli, const char *name, const json_t *parts, const json_t *seen);
/* Prints rows of tasks as a table. */
void task_table(const json_t *tasks);
/* Are all keys of a task, of a job or workflow known? CLI_DATA: one is not, which was said. */
int keys_check_task(const char *path, const json_t *task);
int keys_check_group(const char *path, const json_t *group, bool job);
/* Reads a JSON file that holds an object or an array. */
int read_json_file(const char *path, json_t **out);

#define COMMAND(group, name, function, args, min, max, options, help) int function(struct cli *cli);
CLI_COMMAND_LIST(COMMAND)
#undef COMMAND

#endif
