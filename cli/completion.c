/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completion for shells, made from the tables of command_list.h. Ids and names come from the manager
 * by the hidden command "complete", which says nothing when it cannot be reached.
 */
#include "cli/cli.h"

#include <string.h>

/* The words that may follow: groups and commands, or the commands of a group. */
static const char *words_of(const char *group)
{
	const char *out = "";

	for (size_t i = 0; i < cli_command_count; i++) {
		const struct cli_command *c = &cli_commands[i];
		const char *word = group[0] == 0 && c->group[0] != 0 ? c->group : c->name;
		bool mine = group[0] == 0 || strcmp(c->group, group) == 0;
		bool again = i > 0 && group[0] == 0 && c->group[0] != 0 &&
			     strcmp(cli_commands[i - 1].group, c->group) == 0;

		if (mine && !again && c->help != NULL) {
			out = text("%s%s%s", out, out[0] ? " " : "", word);
		}
	}
	return out;
}

static const char *options_of(const struct cli_command *c)
{
	const char *out = "";

	for (int o = 0; o < CLI_OPT_COUNT; o++) {
		if (args_takes(c, (enum cli_option)o)) {
			out = text("%s%s--%s", out, out[0] ? " " : "", cli_options[o].name);
		}
	}
	return out;
}

/* What the arguments of a command are: a word for "complete", "file", or "". */
static const char *noun_of(const struct cli_command *c)
{
	static const struct {
		const char *word, *noun;
	} nouns[] = {
		{"TASK", "task"}, {"NODE", "node"},  {"JOB", "job"},
		{"FILE", "file"}, {"bash", "shell"}, {"MODULE", "file"},
	};

	for (size_t i = 0; i < sizeof(nouns) / sizeof(nouns[0]); i++) {
		if (strncmp(c->args, nouns[i].word, strlen(nouns[i].word)) == 0) {
			return nouns[i].noun;
		}
	}
	return "";
}

static void print_cases(const char *format)
{
	for (size_t i = 0; i < cli_command_count; i++) {
		const struct cli_command *c = &cli_commands[i];

		if (c->help != NULL) {
			const char *key = text("%s%s%s", c->group, c->group[0] ? " " : "", c->name);

			/* The format is one of the constants below. */
			printf(format, key, options_of(c), noun_of(c));
		}
	}
}

static void print_groups(const char *format)
{
	for (size_t i = 0; i < cli_command_count; i++) {
		const char *group = cli_commands[i].group;

		if (group[0] != 0 && (i == 0 || strcmp(cli_commands[i - 1].group, group) != 0)) {
			printf(format, group, words_of(group));
		}
	}
}

static void bash(void)
{
	fputs("# Completion of propctl for bash.\n"
	      "_propctl() {\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	      "\tlocal w words=() options= noun= key\n"
	      "\tfor w in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
	      "\t\t[[ $w == -* ]] || words+=(\"$w\")\n"
	      "\tdone\n"
	      "\tcase $prev in\n"
	      "\t--file|-f|--cacert) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n"
	      "\t--node) noun=node ;;\n"
	      "\t--aot) COMPREPLY=($(compgen -W 'auto always never' -- \"$cur\")); return ;;\n"
	      "\t--cap|-c) COMPREPLY=($(compgen -W 'gpio sensor kv time publish' -- \"$cur\")); "
	      "return ;;\n"
	      "\tesac\n"
	      "\tkey=${words[0]}\n",
	      stdout);
	printf("\tcase $key in\n\t'') COMPREPLY=($(compgen -W '%s' -- \"$cur\")); return ;;\n",
	       words_of(""));
	print_groups(
		"\t%s) [ ${#words[@]} -ge 2 ] || { COMPREPLY=($(compgen -W '%s' -- \"$cur\")); "
		"return; }; key+=\" ${words[1]}\" ;;\n");
	fputs("\tesac\n\tcase $key in\n", stdout);
	print_cases("\t'%s') options='%s'; noun=${noun:-%s} ;;\n");
	fputs("\tesac\n"
	      "\tcase $cur,$noun in\n"
	      "\t-*) COMPREPLY=($(compgen -W \"$options\" -- \"$cur\")) ;;\n"
	      "\t*,file) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n"
	      "\t*,shell) COMPREPLY=($(compgen -W 'bash zsh fish' -- \"$cur\")) ;;\n"
	      "\t*,?*) COMPREPLY=($(compgen -W \"$(propctl complete \"$noun\" 2>/dev/null)\" -- "
	      "\"$cur\")) ;;\n"
	      "\tesac\n"
	      "}\n"
	      "complete -o filenames -F _propctl propctl\n",
	      stdout);
}

/* Both as a file found by compinit and as something to be sourced. */
static void zsh(void)
{
	fputs("#compdef propctl\n"
	      "# Completion of propctl for zsh.\n"
	      "_propctl() {\n"
	      "\tlocal cur=$words[CURRENT] prev=$words[CURRENT-1] options= noun= key\n"
	      "\tlocal -a given\n"
	      "\tgiven=(${words[2,CURRENT-1]:#-*})\n"
	      "\tcase $prev in\n"
	      "\t--file|-f|--cacert) _files; return ;;\n"
	      "\t--node) noun=node ;;\n"
	      "\t--cap|-c) compadd gpio sensor kv time publish; return ;;\n"
	      "\tesac\n"
	      "\tkey=$given[1]\n",
	      stdout);
	printf("\tcase $key in\n\t'') compadd %s; return ;;\n", words_of(""));
	print_groups(
		"\t%s) (( $#given >= 2 )) || { compadd %s; return; }; key+=\" $given[2]\" ;;\n");
	fputs("\tesac\n\tcase $key in\n", stdout);
	print_cases("\t'%s') options='%s'; : ${noun:=%s} ;;\n");
	fputs("\tesac\n"
	      "\tcase $cur,$noun in\n"
	      "\t-*) compadd -- ${=options} ;;\n"
	      "\t*,file) _files ;;\n"
	      "\t*,shell) compadd bash zsh fish ;;\n"
	      "\t*,?*) compadd -- ${(f)\"$(propctl complete $noun 2>/dev/null)\"} ;;\n"
	      "\tesac\n"
	      "}\n"
	      "if [[ $funcstack[1] == _propctl ]]; then _propctl; else compdef _propctl propctl; "
	      "fi\n",
	      stdout);
}

static void fish_options(const struct cli_command *c, const char *seen)
{
	for (int o = 0; o < CLI_OPT_COUNT; o++) {
		const struct cli_option_row *row = &cli_options[o];

		if (!args_takes(c, (enum cli_option)o)) {
			continue;
		}
		printf("complete -c propctl -n '%s' -l %s%s%s -d \"%s\"\n", seen, row->name,
		       row->letter ? text(" -s %c", row->letter) : "", row->value ? " -r" : "",
		       strchr(row->help, '"') ? row->name : row->help);
	}
}

static void fish(void)
{
	puts("# Completion of propctl for fish.\ncomplete -c propctl -f");
	printf("complete -c propctl -n __fish_use_subcommand -a '%s'\n", words_of(""));
	print_groups("complete -c propctl -n '__fish_seen_subcommand_from %s; and test (count "
		     "(commandline -opc)) -eq 2' -a '%s'\n");
	for (size_t i = 0; i < cli_command_count; i++) {
		const struct cli_command *c = &cli_commands[i];
		const char *noun = noun_of(c);
		const char *seen = c->group[0] ? text("__fish_seen_subcommand_from %s; and "
						      "__fish_seen_subcommand_from %s",
						      c->group, c->name)
					       : text("__fish_seen_subcommand_from %s", c->name);

		if (c->help == NULL) {
			continue;
		}
		if (strcmp(noun, "file") == 0) {
			printf("complete -c propctl -n '%s' -F\n", seen);
		} else if (strcmp(noun, "shell") == 0) {
			printf("complete -c propctl -n '%s' -a 'bash zsh fish'\n", seen);
		} else if (noun[0] != 0) {
			printf("complete -c propctl -n '%s' -a '(propctl complete %s)'\n", seen,
			       noun);
		}
		fish_options(c, seen);
	}
}

int completion_command(struct cli *cli)
{
	static const struct {
		const char *shell;
		void (*print)(void);
	} shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};

	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (strcmp(shells[i].shell, cli->args.args[0]) == 0) {
			shells[i].print();
			return CLI_OK;
		}
	}
	return fail(CLI_USAGE, "no completion for '%s'; there is bash, zsh and fish",
		    text_clean(cli->args.args[0]));
}

/* Names and ids, one a line. Silent: it stands in somebody's line of input. */
int complete_command(struct cli *cli)
{
	static const struct {
		const char *noun, *path, *key, *id;
	} nouns[] = {
		{"task", "/tasks", "tasks", "id"},
		{"node", "/proplets", "proplets", "id"},
		{"job", "/jobs", "jobs", "job_id"},
	};
	const json_t *row = NULL;
	json_t *rows = NULL;
	size_t i = 0;

	for (size_t n = 0; n < sizeof(nouns) / sizeof(nouns[0]); n++) {
		if (strcmp(nouns[n].noun, cli->args.args[0]) == 0 &&
		    (freopen("/dev/null", "w", stderr) == NULL ||
		     api_list(&cli->http, nouns[n].path, nouns[n].key, 200, &rows) != CLI_OK)) {
			return CLI_UNAVAILABLE;
		}
		json_array_foreach(rows, i, row)
		{
			const char *name = api_text(row, "name");
			const char *id = api_text(row, nouns[n].id);

			puts(id != NULL ? text_clean(api_short(id)) : "");
			if (name != NULL && strpbrk(name, " '\"\\$`\n") == NULL) {
				puts(text_clean(name));
			}
		}
		json_decref(rows);
		rows = NULL;
	}
	return CLI_OK;
}
