/* SPDX-License-Identifier: Apache-2.0 */
/* Help and the manual page, made from the tables of command_list.h. */
#include "cli/cli.h"

#include <ctype.h>
#include <string.h>

#ifndef PROPLET_VERSION
#define PROPLET_VERSION "unknown"
#endif

static const struct {
	const char *name, *help;
} groups[] = {
	{"node", "Workers"},
	{"task", "Tasks"},
	{"job", "Jobs: tasks that are started together"},
	{"workflow", "Workflows: tasks that depend on each other"},
	{"module", "Modules"},
};

static const struct {
	int status;
	const char *help;
} exits[] = {
	{CLI_OK, "done; the task completed"},
	{CLI_NO, "no result yet; no node is alive (status)"},
	{CLI_USAGE, "wrong command line"},
	{CLI_DATA, "a file or value is wrong"},
	{CLI_NOT_FOUND, "no such file, task, node..."},
	{CLI_UNAVAILABLE, "the manager cannot be reached, or no node takes the task"},
	{CLI_FAILED, "the task failed (trap, refused...), or the manager could not do it"},
	{CLI_LIMIT, "a limit of the task, or the time to wait, was reached"},
	{CLI_PROTOCOL, "what answered is no manager"},
	{CLI_INTERRUPTED, "ended by Ctrl-C"},
};

bool help_is_group(const char *word)
{
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (strcmp(groups[i].name, word) == 0) {
			return true;
		}
	}
	return false;
}

static void print_commands(FILE *out, const char *group)
{
	for (size_t i = 0; i < cli_command_count; i++) {
		const struct cli_command *c = &cli_commands[i];

		if (strcmp(c->group, group) == 0 && c->help != NULL) {
			fprintf(out, "  %-38s %s\n",
				text("%s%s%s %s", group, group[0] ? " " : "", c->name, c->args),
				c->help);
		}
	}
}

/* Help that is too long for its line goes on below, under itself. */
static void print_wrapped(FILE *out, const char *head, const char *help)
{
	int at = fprintf(out, "  %-28s ", head);
	int begin = 31;

	if (at > begin) {
		fprintf(out, "\n%*s", begin, "");
	}
	at = begin;
	while (*help != 0) {
		int len = (int)strcspn(help, " ");

		if (at > begin && at + 1 + len > 97) {
			fprintf(out, "\n%*s", begin, "");
			at = begin;
		}
		at += fprintf(out, "%s%.*s", at > begin ? " " : "", len, help);
		help += len + (help[len] == ' ');
	}
	fputc('\n', out);
}

static void print_option(FILE *out, enum cli_option o)
{
	const struct cli_option_row *row = &cli_options[o];

	print_wrapped(out,
		      text("%s--%s%s%s", row->letter ? text("-%c, ", row->letter) : "    ",
			   row->name, row->value ? " " : "", row->value ? row->value : ""),
		      row->help);
}

static void print_globals(FILE *out)
{
	fputs("\nAlways:\n", out);
	for (int o = 0; o <= CLI_OPT_HELP; o++) {
		print_option(out, (enum cli_option)o);
	}
}

void help_general(FILE *out)
{
	fputs("propctl: runs WebAssembly tasks on a fleet of devices, through its manager.\n\n"
	      "  propctl run FILE.wasm [ARG...]         the quickest way to see something\n\n"
	      "Commands:\n",
	      out);
	print_commands(out, "");
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		fprintf(out, "\n%s:\n", groups[i].help);
		print_commands(out, groups[i].name);
	}
	print_globals(out);
	fputs("\nA TASK, NODE, JOB or WORKFLOW is an id, the beginning of one, or a name; of tasks "
	      "with\n"
	      "one name the one that has not ended, else the newest.\n"
	      "More: propctl help COMMAND, man propctl\n",
	      out);
}

void help_group(FILE *out, const char *group)
{
	fprintf(out, "Usage: propctl %s COMMAND\n\n", group);
	print_commands(out, group);
	fprintf(out, "\nMore: propctl help %s COMMAND\n", group);
}

static const char *example_of(const struct cli_command *c)
{
	static const struct {
		const char *command, *example;
	} examples[] = {
		{"run",
		 "propctl run add.wasm 2 3\n"
		 "  propctl run add.wasm --invoke mean 2.5 4\n"
		 "  propctl run forever.wasm --time 2s\n"
		 "  propctl run readings.wasm --daemon --detach --cap sensor,time temperature\n"
		 "  propctl run wasi.wasm --env GREETING=hi -- -x a b"},
		{"invoke", "propctl run greet.wasm --latent      then: propctl invoke greet Ada"},
		{"create",
		 "propctl task create nightly --file report.wasm --schedule \"0 3 * * *\""},
		{"logs", "propctl task logs readings --follow"},
		{"drain", "propctl node drain attic"},
		{"completion", "propctl completion bash > /etc/bash_completion.d/propctl"},
	};

	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		if (strcmp(examples[i].command, c->name) == 0 && strcmp(c->group, "job") != 0 &&
		    strcmp(c->group, "workflow") != 0) {
			return examples[i].example;
		}
	}
	return NULL;
}

void help_command_of(FILE *out, const struct cli_command *c)
{
	const char *example = example_of(c);
	bool any = false;

	fprintf(out, "Usage: propctl %s%s%s [OPTION...] %s\n\n%c%s.\n", c->group,
		c->group[0] ? " " : "", c->name, c->args, toupper((unsigned char)c->help[0]),
		c->help + 1);
	for (int o = CLI_OPT_HELP + 1; o < CLI_OPT_COUNT; o++) {
		if (args_takes(c, (enum cli_option)o)) {
			fputs(any ? "" : "\nOptions:\n", out);
			any = true;
			print_option(out, (enum cli_option)o);
		}
	}
	print_globals(out);
	if (example != NULL) {
		fprintf(out, "\nFor example:\n  %s\n", example);
	}
}

int help_command(struct cli *cli)
{
	const struct cli_args *args = &cli->args;

	if (args->count == 0) {
		help_general(stdout);
		return CLI_OK;
	}
	const char *group = help_is_group(args->args[0]) ? args->args[0] : "";
	const char *name = args->args[group[0] ? 1 : 0];
	if (group[0] == 0 && args->count > 1) {
		return fail(CLI_USAGE, "'%s' is too much: propctl help %s",
			    text_clean(args->args[1]), text_clean(name));
	}
	if (group[0] != 0 && args->count == 1) {
		help_group(stdout, group);
		return CLI_OK;
	}
	for (size_t i = 0; i < cli_command_count; i++) {
		if (strcmp(cli_commands[i].group, group) == 0 && cli_commands[i].help != NULL &&
		    strcmp(cli_commands[i].name, name) == 0) {
			help_command_of(stdout, &cli_commands[i]);
			return CLI_OK;
		}
	}
	return fail(CLI_USAGE, "there is no command '%s%s%s'; see: propctl help", group,
		    group[0] ? " " : "", text_clean(name));
}

int version_command(struct cli *cli)
{
	if (cli->json) {
		printf("{\"version\":\"%s\"}\n", PROPLET_VERSION);
	} else {
		printf("propctl %s\n", PROPLET_VERSION);
	}
	return CLI_OK;
}

/* ---- the manual page ---- */

/* roff takes a line's first dot or apostrophe, and any backslash or hyphen, as its own. */
static void man_text(const char *words)
{
	for (const char *at = words; *at != 0; at++) {
		if (*at == '-') {
			fputs("\\-", stdout);
		} else if (*at == '\\') {
			fputs("\\e", stdout);
		} else if (at == words && (*at == '.' || *at == '\'')) {
			printf("\\&%c", *at);
		} else {
			putchar(*at);
		}
	}
}

static void man_option(enum cli_option o)
{
	const struct cli_option_row *row = &cli_options[o];

	fputs(".TP\n\\fB", stdout);
	man_text(text("%s--%s", row->letter ? text("-%c, ", row->letter) : "", row->name));
	fputs("\\fR", stdout);
	if (row->value != NULL) {
		fputs(" \\fI", stdout);
		man_text(row->value);
		fputs("\\fR", stdout);
	}
	putchar('\n');
	man_text(row->help);
	putchar('\n');
}

static void man_one(const struct cli_command *c)
{
	const char *with = NULL;

	printf(".TP\n\\fB%s%s%s\\fR ", c->group, c->group[0] ? " " : "", c->name);
	man_text(c->args);
	putchar('\n');
	man_text(text("%c%s.", toupper((unsigned char)c->help[0]), c->help + 1));
	putchar('\n');
	for (int o = CLI_OPT_HELP + 1; o < CLI_OPT_COUNT; o++) {
		if (args_takes(c, (enum cli_option)o)) {
			with = text("%s%s--%s", with ? with : "Options: ", with ? ", " : "",
				    cli_options[o].name);
		}
	}
	if (with != NULL) {
		fputs(".br\n", stdout);
		man_text(text("%s.", with));
		putchar('\n');
	}
}

int man_command(struct cli *cli)
{
	(void)cli;
	printf(".TH PROPCTL 1 \"\" \"propctl %s\" \"Proplet\"\n"
	       ".SH NAME\npropctl \\- run WebAssembly tasks on a fleet of devices\n"
	       ".SH SYNOPSIS\n.B propctl\n[\\fIOPTION\\fR...] \\fICOMMAND\\fR "
	       "[\\fIARGUMENT\\fR...]\n"
	       ".SH DESCRIPTION\n"
	       "Speaks to a manager over HTTP. A task, node or job is named by its id, the\n"
	       "beginning of it, or its name; of tasks with one name the one that has not\n"
	       "ended is meant, else the newest. What was asked for goes to standard output,\n"
	       "everything else to standard error.\n.SH COMMANDS\n",
	       PROPLET_VERSION);
	for (size_t i = 0; i < cli_command_count; i++) {
		if (cli_commands[i].help != NULL) {
			man_one(&cli_commands[i]);
		}
	}
	fputs(".SH OPTIONS\n", stdout);
	for (int o = 0; o < CLI_OPT_COUNT; o++) {
		man_option((enum cli_option)o);
	}
	fputs(".SH EXIT STATUS\n", stdout);
	for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++) {
		printf(".TP\n%d\n", exits[i].status);
		man_text(exits[i].help);
		putchar('\n');
	}
	fputs(".P\nA program that ends itself with a status of its own gives that one.\n"
	      ".SH ENVIRONMENT\n"
	      ".TP\nPROPCTL_URL\nThe manager's address.\n"
	      ".TP\nPROPCTL_TOKEN\nSent as bearer token.\n"
	      ".TP\nPROPCTL_CACERT\nCertificates to trust.\n"
	      ".TP\nNO_COLOR\nIf set, nothing is coloured.\n"
	      ".SH SEE ALSO\nproplet(1), proplet\\-manager(1), rotor(1)\n",
	      stdout);
	return CLI_OK;
}
