/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: [OPTION...] [GROUP] COMMAND [OPTION | ARGUMENT]...
 *
 * Rules: 1. Options may stand anywhere; "--" ends them.
 *        2. What looks like a negative number is an argument.
 *        3. Every value is checked here, so that commands can trust it.
 */
#include "cli/cli.h"

#include <ctype.h>
#include <string.h>

const struct cli_option_row cli_options[CLI_OPT_COUNT] = {
#define OPTION(id, name, letter, kind, value, help) {name, letter, CLI_##kind, value, help},
	CLI_OPTION_LIST(OPTION)
#undef OPTION
};

const struct cli_command cli_commands[] = {
#define COMMAND(group, name, function, args, min, max, options, help)                              \
	{group, name, function, args, min, max, options, help},
	CLI_COMMAND_LIST(COMMAND)
#undef COMMAND
};
const size_t cli_command_count = sizeof(cli_commands) / sizeof(cli_commands[0]);

bool args_takes(const struct cli_command *command, enum cli_option option)
{
	if (option <= CLI_OPT_HELP || command == NULL) {
		return option <= CLI_OPT_HELP;
	}
	size_t len = strlen(cli_options[option].name);
	for (const char *at = command->options; (at = strstr(at, cli_options[option].name)); at++) {
		if ((at == command->options || at[-1] == ' ') && at[len] == ' ') {
			return true;
		}
	}
	return false;
}

bool args_has(const struct cli_args *args, enum cli_option option)
{
	return args_text(args, option, NULL) != NULL;
}

const char *args_text(const struct cli_args *args, enum cli_option option, const char *otherwise)
{
	for (int i = args->given_count; i-- > 0;) {
		if (args->given[i].option == option) {
			return args->given[i].value;
		}
	}
	return otherwise;
}

uint64_t args_number(const struct cli_args *args, enum cli_option option, uint64_t otherwise)
{
	const char *value = args_text(args, option, NULL);
	uint64_t number = 0;

	if (value == NULL || !args_value(cli_options[option].kind, value, &number)) {
		return otherwise;
	}
	return number;
}

const char *args_next(const struct cli_args *args, enum cli_option option, int *at)
{
	while (*at < args->given_count) {
		int i = (*at)++;

		if (args->given[i].option == option) {
			return args->given[i].value;
		}
	}
	return NULL;
}

/* ---- values ---- */

static uint64_t unit_of(enum cli_kind kind, const char *suffix)
{
	static const struct {
		enum cli_kind kind;
		const char *suffix;
		uint64_t factor;
	} units[] = {
		{CLI_NUMBER, "", 1},        {CLI_NUMBER, "k", 1000},
		{CLI_NUMBER, "m", 1000000}, {CLI_NUMBER, "g", 1000000000},
		{CLI_SIZE, "", 1},          {CLI_SIZE, "b", 1},
		{CLI_SIZE, "k", 1 << 10},   {CLI_SIZE, "kb", 1 << 10},
		{CLI_SIZE, "m", 1 << 20},   {CLI_SIZE, "mb", 1 << 20},
		{CLI_SIZE, "g", 1 << 30},   {CLI_SIZE, "gb", 1 << 30},
		{CLI_TIME, "", 1},          {CLI_TIME, "ms", 1},
		{CLI_TIME, "s", 1000},      {CLI_TIME, "m", 60000},
		{CLI_TIME, "min", 60000},   {CLI_TIME, "h", 3600000},
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (units[i].kind == kind && strcasecmp(units[i].suffix, suffix) == 0) {
			return units[i].factor;
		}
	}
	return 0;
}

bool args_value(enum cli_kind kind, const char *word, uint64_t *out)
{
	uint64_t number = 0;
	const char *at = word;

	for (; isdigit((unsigned char)*at); at++) {
		if (number > (UINT64_MAX - 9) / 10) {
			return false;
		}
		number = number * 10 + (uint64_t)(*at - '0');
	}
	uint64_t factor = unit_of(kind, at);
	if (at == word || factor == 0 || number > INT64_MAX / factor) {
		return false;
	}
	*out = number * factor;
	return true;
}

/* Whether the value is one of "a|b|c"; any is if the words are none of that form. */
static bool is_choice(const char *words, const char *value)
{
	size_t len = strlen(value);

	if (strchr(words, '|') == NULL) {
		return true;
	}
	for (const char *at = words; *at != 0; at += *at == '|') {
		size_t n = strcspn(at, "|");

		if (n == len && strncmp(at, value, n) == 0) {
			return true;
		}
		at += n;
	}
	return false;
}

static int check_value(enum cli_option option, const char *value)
{
	static const char *const hints[] = {
		[CLI_NUMBER] = "a number, such as 100",
		[CLI_SIZE] = "a number of bytes, such as 4096, 64k or 1m",
		[CLI_TIME] = "a time, such as 500ms, 30s or 5m; a plain number is milliseconds",
		[CLI_PAIR] = "KEY=VALUE",
		[CLI_LIST] = NULL,
	};
	const struct cli_option_row *row = &cli_options[option];
	uint64_t number = 0;
	bool good = row->kind == CLI_PAIR ? strchr(value, '=') != NULL && value[0] != '='
					  : args_value(row->kind, value, &number);

	if (row->kind == CLI_TEXT || row->kind == CLI_LIST) {
		good = value[0] != 0;
		if (!good) {
			return fail(CLI_USAGE, "--%s needs %s, not an empty word", row->name,
				    row->value);
		}
	}
	if (row->kind == CLI_TEXT && !is_choice(row->value, value)) {
		return fail(CLI_USAGE, "--%s '%s': give one of %s", row->name, text_clean(value),
			    row->value);
	}
	if (good && option == CLI_OPT_PRIORITY && (number < 1 || number > 100)) {
		return fail(CLI_USAGE, "--priority '%s': it goes from 1 to 100", value);
	}
	if (!good && strspn(value, "0123456789") > 15 &&
	    (row->kind == CLI_NUMBER || row->kind == CLI_SIZE || row->kind == CLI_TIME)) {
		return fail(CLI_USAGE, "--%s '%s': it is too large", row->name, value);
	}
	return good ? CLI_OK
		    : fail(CLI_USAGE, "--%s '%s': give %s", row->name, value, hints[row->kind]);
}

/* ---- commands ---- */

static const struct cli_command *command_find(const char *group, const char *name)
{
	for (size_t i = 0; i < cli_command_count; i++) {
		if (strcmp(cli_commands[i].group, group) == 0 &&
		    strcmp(cli_commands[i].name, name) == 0) {
			return &cli_commands[i];
		}
	}
	return NULL;
}

static int unknown_command(const char *group, const char *word)
{
	const char *best = NULL;
	int best_distance = 3;

	for (size_t i = 0; i < cli_command_count; i++) {
		const struct cli_command *c = &cli_commands[i];
		const char *name = group[0] == 0 && c->group[0] != 0 ? c->group : c->name;
		int d = text_distance(word, name);

		if ((group[0] == 0 || strcmp(c->group, group) == 0) && c->help != NULL &&
		    d < best_distance) {
			best = name;
			best_distance = d;
		}
	}
	const char *space = group[0] == 0 ? "" : " ";
	if (best != NULL) {
		return fail(CLI_USAGE, "unknown command '%s%s%s'; did you mean '%s%s%s'?", group,
			    space, text_clean(word), group, space, best);
	}
	return fail(CLI_USAGE, "unknown command '%s%s%s'; see: propctl help%s%s", group, space,
		    text_clean(word), space, group);
}

/* ---- the parser ---- */

struct parser {
	struct cli_args *args;
	int argc, at;
	char **argv;
	const char *group;
	bool options_ended;
};

static int give(struct parser *p, enum cli_option option, const char *value)
{
	if (p->args->given_count == CLI_ARGS_MAX) {
		return fail(CLI_USAGE, "more than %d options", CLI_ARGS_MAX);
	}
	p->args->given[p->args->given_count].option = option;
	p->args->given[p->args->given_count++].value = value;
	return CLI_OK;
}

static int unknown_option(const struct parser *p, const char *word, size_t len)
{
	const struct cli_command *c = p->args->command;
	const char *best = NULL;

	for (int o = 0; o < CLI_OPT_COUNT; o++) {
		if (args_takes(c, (enum cli_option)o) && word[1] == '-' &&
		    text_distance(text("%.*s", (int)len - 2, word + 2), cli_options[o].name) < 3) {
			best = cli_options[o].name;
		}
	}
	if (best != NULL) {
		return fail(CLI_USAGE, "unknown option '%.*s'; did you mean '--%s'?", (int)len,
			    word, best);
	}
	if (c == NULL) {
		return fail(CLI_USAGE, "unknown option '%.*s'; see: propctl help", (int)len, word);
	}
	return fail(CLI_USAGE, "'propctl %s%s%s' has no option '%.*s'; see: propctl help %s%s%s",
		    c->group, c->group[0] ? " " : "", c->name, (int)len, word, c->group,
		    c->group[0] ? " " : "", c->name);
}

/* Options of other commands count as unknown. */
static int option_find(const struct parser *p, const char *word, size_t len)
{
	for (int o = 0; o < CLI_OPT_COUNT; o++) {
		const struct cli_option_row *row = &cli_options[o];
		bool named = word[1] == '-' ? strlen(row->name) == len - 2 &&
						      strncmp(row->name, word + 2, len - 2) == 0
					    : len == 2 && row->letter == word[1];

		if (named &&
		    (p->args->command == NULL ? o <= CLI_OPT_HELP
					      : args_takes(p->args->command, (enum cli_option)o))) {
			return o;
		}
	}
	return -1;
}

/* --name=value, --name value, -n value */
static int parse_option(struct parser *p, const char *word)
{
	const char *equals = word[1] == '-' ? strchr(word, '=') : NULL;
	size_t len = equals != NULL ? (size_t)(equals - word) : strlen(word);
	int found = option_find(p, word, len);

	if (found < 0) {
		return unknown_option(p, word, len);
	}
	enum cli_option option = (enum cli_option)found;
	if (cli_options[option].kind == CLI_FLAG) {
		if (equals != NULL) {
			return fail(CLI_USAGE, "--%s takes no value", cli_options[option].name);
		}
		return give(p, option, "");
	}
	const char *value = equals != NULL ? equals + 1 : NULL;
	if (value == NULL && p->at < p->argc) {
		value = p->argv[p->at++];
	}
	if (value == NULL) {
		return fail(CLI_USAGE, "--%s needs a value: --%s %s", cli_options[option].name,
			    cli_options[option].name, cli_options[option].value);
	}
	int status = check_value(option, value);
	return status != CLI_OK ? status : give(p, option, value);
}

static int parse_word(struct parser *p, const char *word)
{
	if (p->args->command != NULL) {
		if (p->args->count == CLI_ARGS_MAX) {
			return fail(CLI_USAGE, "more than %d arguments", CLI_ARGS_MAX);
		}
		p->args->args[p->args->count++] = word;
		return CLI_OK;
	}
	p->args->command = command_find(p->group, word);
	if (p->args->command != NULL) {
		return CLI_OK;
	}
	if (p->group[0] == 0 && help_is_group(word)) {
		p->group = word;
		return CLI_OK;
	}
	return unknown_command(p->group, word);
}

static int check_count(const struct cli_args *args)
{
	const struct cli_command *c = args->command;
	const char *space = c->group[0] != 0 ? " " : "";

	if (args->count < c->min) {
		return fail(CLI_USAGE, "something is missing: propctl %s%s%s %s", c->group, space,
			    c->name, c->args);
	}
	if (c->max >= 0 && args->count > c->max) {
		return fail(CLI_USAGE, "'%s' is too much: propctl %s%s%s%s%s",
			    text_clean(args->args[c->max]), c->group, space, c->name,
			    c->args[0] != 0 ? " " : "", c->args);
	}
	return CLI_OK;
}

static bool is_option(const struct parser *p, const char *word)
{
	bool number = isdigit((unsigned char)word[1]) && p->args->command != NULL;

	return !p->options_ended && word[0] == '-' && word[1] != 0 &&
	       !(number && option_find(p, word, strlen(word)) < 0) && strcmp(word, "-inf") != 0;
}

static int parse_all(struct parser *p)
{
	int status = CLI_OK;

	while (p->at < p->argc && status == CLI_OK) {
		const char *word = p->argv[p->at++];

		if (!p->options_ended && strcmp(word, "--") == 0) {
			p->options_ended = true;
		} else if (p->args->command == NULL && strcmp(word, "--version") == 0) {
			status = parse_word(p, "version");
		} else if (is_option(p, word)) {
			status = parse_option(p, word);
		} else {
			status = parse_word(p, word);
		}
	}
	return status;
}

int args_parse(struct cli_args *args, int argc, char **argv)
{
	struct parser p = {.args = args, .argc = argc, .at = 1, .argv = argv, .group = ""};

	args->command = NULL;
	args->count = args->given_count = 0;
	int status = parse_all(&p);
	if (status != CLI_OK) {
		return status;
	}
	if (args_has(args, CLI_OPT_HELP)) {
		if (args->command == NULL && p.group[0] != 0) {
			args->args[args->count++] = p.group;
		}
		return CLI_OK;
	}
	if (args->command == NULL && p.group[0] != 0) {
		help_group(stderr, p.group);
		return CLI_USAGE;
	}
	if (args->command == NULL) {
		help_general(stderr);
		return CLI_USAGE;
	}
	return check_count(args);
}
