/* SPDX-License-Identifier: Apache-2.0 */
/*
 * propctl: the command line of a Proplet fleet.
 *
 *     argv -> args.c (by the tables of command_list.h) -> a command -> http.c -> the manager
 *
 * Start reading: command_list.h, then run.c.
 */
#include "cli/cli.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* The second Ctrl-C ends the program as it would any other. */
static void on_interrupt(int signal_number)
{
	http_interrupted = 1;
	signal(signal_number, SIG_DFL);
}

static void signals_set(void)
{
	struct sigaction action = {.sa_handler = on_interrupt};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int help_asked(const struct cli_args *args)
{
	if (args->command != NULL && args->command->help != NULL) {
		help_command_of(stdout, args->command);
	} else if (args->count > 0) {
		help_group(stdout, args->args[0]);
	} else {
		help_general(stdout);
	}
	return CLI_OK;
}

static bool offline(const struct cli_command *c)
{
	return c->run == help_command || c->run == man_command || c->run == version_command ||
	       c->run == completion_command;
}

static int run(struct cli *cli)
{
	int status = CLI_OK;

	if (!offline(cli->args.command)) {
		status = http_open(&cli->http, &cli->args);
	}
	if (status == CLI_OK) {
		status = cli->args.command->run(cli);
	}
	http_close(&cli->http);
	return status;
}

int main(int argc, char **argv)
{
	static struct cli cli;
	int status = args_parse(&cli.args, argc, argv);

	if (status == CLI_OK && args_has(&cli.args, CLI_OPT_HELP)) {
		status = help_asked(&cli.args);
	} else if (status == CLI_OK) {
		cli.json = args_has(&cli.args, CLI_OPT_JSON);
		cli.quiet = args_has(&cli.args, CLI_OPT_QUIET);
		signals_set();
		status = run(&cli);
	}
	json_decref(cli.labels);
	text_reset();
	/* A full disk must not look like success. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		status = status == CLI_OK ? fail(CLI_FAILED, "standard output cannot be written")
					  : status;
	}
	return status;
}
