/* SPDX-License-Identifier: Apache-2.0 */
/* The program `rotor`: runs WebAssembly modules, looks into them, runs the official suite. */
#include <stdarg.h>
#include <string.h>

#include "rotor/tool/tool.h"

static const struct {
	const char *name, *what;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"run", "run a program", command_run},
	{"info", "what a module is and needs", command_info},
	{"dis", "the translated form, beside the WebAssembly", command_dis},
	{"spec", "run the official test suite", command_spec},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

void complain(const char *format, ...)
{
	char text[1024];
	va_list args;

	fflush(stdout);
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fputs("rotor: ", stderr);
	print_foreign(stderr, text, strlen(text));
	fputc('\n', stderr);
}

void print_foreign(FILE *to, const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		uint8_t c = (uint8_t)text[i], next = i + 1 < bytes ? (uint8_t)text[i + 1] : 0;
		bool high = c == 0xC2 && next >= 0x80 && next < 0xA0; /* U+0080 to U+009F */

		fputc(c < ' ' || c == 0x7F || high ? '.' : c, to);
		i += high;
	}
}

static void help(void)
{
	puts("Usage: rotor COMMAND [OPTION...] FILE...\n\nCommands:");
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		printf("  %-6s %s\n", commands[i].name, commands[i].what);
	}
	puts("\nrotor COMMAND --help tells more; rotor --version tells the version.");
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
		help();
		return EXIT_OK;
	}
	if (strcmp(name, "--version") == 0) {
		puts("rotor " ROTOR_TOOL_VERSION);
		return EXIT_OK;
	}
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(name, commands[i].name) == 0) {
			return commands[i].run(argc - 1, argv + 1);
		}
	}
	complain(*name != 0 ? "unknown command '%s'; see rotor --help"
			    : "no command%s; see rotor --help",
		 name);
	return EXIT_USAGE;
}
