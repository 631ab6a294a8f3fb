/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: values, options, what is accepted where. */
#include "cli/cli.h"

#include <stdlib.h>
#include <unistd.h>

#include "test/test.h"

static struct cli_args args;

/* Splits a line at blanks and parses it. */
static int parse(const char *line)
{
	static char words[512];
	static char *argv[64];
	int argc = 0;

	snprintf(words, sizeof(words), "propctl %s", line);
	for (char *at = strtok(words, " "); at != NULL; at = strtok(NULL, " ")) {
		argv[argc++] = at;
	}
	return args_parse(&args, argc, argv);
}

TEST(values)
{
	static const struct {
		enum cli_kind kind;
		const char *word;
		uint64_t value;
	} good[] = {
		{CLI_NUMBER, "0", 0},
		{CLI_NUMBER, "10k", 10000},
		{CLI_SIZE, "64k", 65536},
		{CLI_SIZE, "1M", 1 << 20},
		{CLI_SIZE, "2gb", 2ull << 30},
		{CLI_TIME, "250", 250},
		{CLI_TIME, "2s", 2000},
		{CLI_TIME, "5m", 300000},
		{CLI_NUMBER, "9223372036854775807", INT64_MAX},
	};
	static const char *const bad[] = {"",
					  "k",
					  "-1",
					  "1x",
					  "1 k",
					  "0x10",
					  "1.5",
					  "9223372036854775808",
					  "99999999999999999999",
					  "1kk"};
	uint64_t value = 0;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		EXPECT(args_value(good[i].kind, good[i].word, &value));
		EXPECT_EQ(value, good[i].value);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		EXPECT(!args_value(CLI_NUMBER, bad[i], &value));
		EXPECT(!args_value(CLI_SIZE, bad[i], &value));
	}
}

TEST(arguments_and_options)
{
	EXPECT_EQ(parse("run a.wasm -5 --fuel 10 -n=x --time=2s 7 -- --fuel"), CLI_USAGE);
	EXPECT_EQ(parse("run a.wasm -5 --fuel 10 -n x --time=2s 7 -- --fuel -h"), CLI_OK);
	EXPECT_EQ(args.count, 5);
	EXPECT_STR(args.args[1], "-5");
	EXPECT_STR(args.args[3], "--fuel");
	EXPECT_STR(args.args[4], "-h");
	EXPECT_EQ(args_number(&args, CLI_OPT_FUEL, 0), 10);
	EXPECT_EQ(args_number(&args, CLI_OPT_TIME, 0), 2000);
	EXPECT_EQ(args_number(&args, CLI_OPT_STACK, 77), 77);
	EXPECT_STR(args_text(&args, CLI_OPT_NAME, ""), "x");
	EXPECT(!args_has(&args, CLI_OPT_HELP));
}

TEST(repeated_options)
{
	int at = 0;

	EXPECT_EQ(parse("-j run -e A=1 a.wasm -e B=2 -m x -m y"), CLI_OK);
	EXPECT_STR(args_next(&args, CLI_OPT_ENV, &at), "A=1");
	EXPECT_STR(args_next(&args, CLI_OPT_ENV, &at), "B=2");
	EXPECT(args_next(&args, CLI_OPT_ENV, &at) == NULL);
	EXPECT_STR(args_text(&args, CLI_OPT_MANAGER, ""), "y");
	EXPECT(args_has(&args, CLI_OPT_JSON));
}

/* Every command takes its options and no others; every name in a list of options exists. */
TEST(tables_agree)
{
	for (size_t c = 0; c < cli_command_count; c++) {
		size_t named = 0, taken = 0;

		for (const char *at = cli_commands[c].options; *at != 0; at++) {
			named += *at == ' ';
		}
		for (int o = CLI_OPT_HELP + 1; o < CLI_OPT_COUNT; o++) {
			taken += args_takes(&cli_commands[c], (enum cli_option)o);
		}
		if (named != taken) {
			TEST_FAIL("%s %s names %zu options, %zu exist", cli_commands[c].group,
				  cli_commands[c].name, named, taken);
		}
	}
}

TEST(letters_are_unique)
{
	for (size_t c = 0; c < cli_command_count; c++) {
		char seen[128] = {0};

		for (int o = 0; o < CLI_OPT_COUNT; o++) {
			int letter = cli_options[o].letter;

			if (letter != 0 && args_takes(&cli_commands[c], (enum cli_option)o)) {
				EXPECT(!seen[letter]);
				seen[letter] = 1;
			}
		}
	}
}

TEST(too_many)
{
	static char word[] = "x", run[] = "run", option[] = "-e", pair[] = "A=1";
	static char *argv[3 * CLI_ARGS_MAX];
	int argc = 0;

	argv[argc++] = run;
	argv[argc++] = run;
	while (argc < 2 * CLI_ARGS_MAX) {
		argv[argc++] = word;
	}
	EXPECT_EQ(args_parse(&args, argc, argv), CLI_USAGE);
	for (argc = 2; argc < 3 * CLI_ARGS_MAX - 1; argc += 2) {
		argv[argc] = option;
		argv[argc + 1] = pair;
	}
	EXPECT_EQ(args_parse(&args, argc, argv), CLI_USAGE);
	text_reset();
}

TEST_MAIN(T(values) T(arguments_and_options) T(repeated_options) T(tables_agree)
		  T(letters_are_unique) T(too_many))
