/* SPDX-License-Identifier: Apache-2.0 */
/* The program propsim: its commands and options. */
#include "sim/sim.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	EXIT_VIOLATION = 1,
	EXIT_USAGE = 64,
	EXIT_DATA = 65,
	SCENARIOS_MAX = 16,
	SETTINGS_MAX = 32,
	JOBS_MAX = 64
};

static const char usage[] =
	"Simulates a fleet: the shipping worker and manager cores under virtual time, with "
	"faults.\n"
	"\n"
	"Usage: propsim run SCENARIO... [OPTION...]        '-' for SCENARIO: the defaults\n"
	"       propsim mutations SCENARIO... [OPTION...]  breaks one rule at a time and tells "
	"which\n"
	"                                                  seed notices; without SCENARIO: the "
	"list\n"
	"       propsim keys                               what a scenario can say, with the "
	"defaults\n"
	"\n"
	"  --seed N         the first seed (1)\n"
	"  --seeds N        how many seeds of each scenario (1); N..M: from N to M; forever: "
	"until\n"
	"                   it is interrupted\n"
	"  --minutes N      ends after that time\n"
	"  --jobs N         runs at a time (the number of processors)\n"
	"  --nodes N        workers, in place of the scenario's\n"
	"  --hours N        virtual hours, likewise\n"
	"  --set KEY=VALUE  any key of the scenario\n"
	"  --trace ID       the story of one task (task-17), or the log of one worker "
	"(node-00003)\n"
	"  --mutation NAME  break a rule (propsim mutations lists them)\n"
	"  --twice          run each seed twice: the hashes must agree\n"
	"  --quiet          only the seeds that fail, and the last line\n"
	"  --version\n"
	"\n"
	"The last line is \"N passed, N failed\": runs without and with violations. Exit status:\n"
	"0, 1 violations or nothing that --trace names, 64 usage, 65 a scenario is wrong.\n";

struct options {
	struct sim_plan plan;
	struct sim_scenario scenarios[SCENARIOS_MAX];
	const char *names[SCENARIOS_MAX];
	struct {
		const char *key;
		char value[64];
	} set[SETTINGS_MAX];
	unsigned set_count;
};

static void die(int status, const char *why)
{
	fprintf(stderr, "propsim: %s\n", why);
	exit(status);
}

/* Settings hold for all scenarios, wherever they stand on the command line. */
static void set(struct options *o, const char *key, const char *value, const char *unit)
{
	if (o->set_count == SETTINGS_MAX) {
		die(EXIT_USAGE, "too many settings");
	}
	o->set[o->set_count].key = key;
	snprintf(o->set[o->set_count].value, sizeof(o->set[0].value), "%s%s", value, unit);
	o->set_count++;
}

static void set_pair(struct options *o, char *pair)
{
	char *value = strchr(pair, '=');

	if (value == NULL) {
		die(EXIT_USAGE, "--set takes KEY=VALUE");
	}
	*value++ = 0;
	set(o, pair, value, "");
}

static enum sim_mutation find_mutation(const char *word)
{
	enum sim_mutation m = sim_mutation_of(word);

	if (m == SIM_MUTATION_NONE) {
		fprintf(stderr, "propsim: unknown mutation '%s'; propsim mutations lists them\n",
			word);
		exit(EXIT_USAGE);
	}
	return m;
}

enum {
	OPT_SEED = 1,
	OPT_SEEDS,
	OPT_MINUTES,
	OPT_JOBS,
	OPT_NODES,
	OPT_HOURS,
	OPT_SET,
	OPT_TRACE,
	OPT_MUTATION,
	OPT_TWICE,
	OPT_QUIET,
	OPT_VERSION,
	OPT_HELP
};

static const struct option long_options[] = {
	{"seed", required_argument, NULL, OPT_SEED},
	{"seeds", required_argument, NULL, OPT_SEEDS},
	{"minutes", required_argument, NULL, OPT_MINUTES},
	{"jobs", required_argument, NULL, OPT_JOBS},
	{"nodes", required_argument, NULL, OPT_NODES},
	{"hours", required_argument, NULL, OPT_HOURS},
	{"set", required_argument, NULL, OPT_SET},
	{"trace", required_argument, NULL, OPT_TRACE},
	{"mutation", required_argument, NULL, OPT_MUTATION},
	{"twice", no_argument, NULL, OPT_TWICE},
	{"quiet", no_argument, NULL, OPT_QUIET},
	{"version", no_argument, NULL, OPT_VERSION},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

static uint64_t number_until(const char *option, const char *text, const char *rest)
{
	char *end = NULL;
	unsigned long long v = 0;

	errno = 0;
	if (*text >= '0' && *text <= '9') {
		v = strtoull(text, &end, 10);
	}
	if (end == NULL || errno != 0 || strncmp(end, rest, strlen(rest)) != 0 ||
	    (*rest == 0 && *end != 0)) {
		fprintf(stderr, "propsim: %s: '%s' is no number; try propsim --help\n", option,
			text);
		exit(EXIT_USAGE);
	}
	return v;
}

static uint64_t number(const char *option, const char *text)
{
	return number_until(option, text, "");
}

/* A number of which there must be one at least. */
static uint64_t count(const char *option, const char *text)
{
	uint64_t v = number(option, text);

	if (v == 0) {
		fprintf(stderr, "propsim: %s: at least 1\n", option);
		exit(EXIT_USAGE);
	}
	return v;
}

static void take_seeds(struct sim_plan *p, const char *text)
{
	const char *dots = strstr(text, "..");

	if (strcmp(text, "forever") == 0) {
		p->seeds = UINT64_MAX;
	} else if (dots == NULL) {
		p->seeds = count("--seeds", text);
	} else {
		uint64_t last = number("--seeds", dots + 2);

		p->seed = number_until("--seeds", text, "..");
		if (last < p->seed) {
			die(EXIT_USAGE, "--seeds N..M: the lower first");
		}
		p->seeds = last - p->seed + 1;
	}
}

static void take_option(struct options *o, int c)
{
	switch (c) {
	case OPT_SEED:
		o->plan.seed = number("--seed", optarg);
		break;
	case OPT_SEEDS:
		take_seeds(&o->plan, optarg);
		break;
	case OPT_MINUTES:
		o->plan.minutes = count("--minutes", optarg);
		break;
	case OPT_JOBS:
		o->plan.jobs = (unsigned)BASE_MIN(count("--jobs", optarg), (uint64_t)JOBS_MAX);
		break;
	case OPT_NODES:
		set(o, "nodes", optarg, "");
		break;
	case OPT_HOURS:
		set(o, "duration", optarg, "h");
		break;
	case OPT_SET:
		set_pair(o, optarg);
		break;
	case OPT_TRACE:
		if (strncmp(optarg, "task-", 5) != 0 && strncmp(optarg, "node-", 5) != 0) {
			die(EXIT_USAGE, "--trace takes a task (task-17) or a worker (node-00003)");
		}
		o->plan.trace = optarg;
		break;
	case OPT_MUTATION:
		o->plan.mutation = find_mutation(optarg);
		break;
	case OPT_TWICE:
		o->plan.twice = true;
		break;
	case OPT_QUIET:
		o->plan.quiet = true;
		break;
	case OPT_VERSION:
		puts("propsim " PROPLET_VERSION);
		exit(0);
	case OPT_HELP:
		fputs(usage, stdout);
		exit(0);
	default:
		fputs("Try propsim --help.\n", stderr);
		exit(EXIT_USAGE);
	}
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strcmp(path, "-") == 0 ? "defaults" : slash != NULL ? slash + 1 : path;
}

static void add_scenario(struct options *o, const char *path)
{
	struct sim_scenario *s = &o->scenarios[o->plan.count];
	char why[512];

	if (o->plan.count == SCENARIOS_MAX) {
		die(EXIT_USAGE, "too many scenarios");
	}
	scenario_default(s);
	if (strcmp(path, "-") != 0 && scenario_read(s, path, why, sizeof(why)) != 0) {
		die(EXIT_DATA, why);
	}
	for (unsigned i = 0; i < o->set_count; i++) {
		if (scenario_set(s, o->set[i].key, o->set[i].value, why, sizeof(why)) != 0) {
			die(EXIT_USAGE, why);
		}
	}
	if (scenario_check(s, why, sizeof(why)) != 0) {
		fprintf(stderr, "propsim: %s: %s\n", name_of(path), why);
		exit(EXIT_DATA);
	}
	o->names[o->plan.count++] = name_of(path);
}

int main(int argc, char **argv)
{
	static struct options o;
	const char *command;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	int c;

	o.plan = (struct sim_plan){
		.scenarios = o.scenarios, .names = o.names, .seed = 1, .seeds = 1};
	o.plan.jobs = (unsigned)BASE_MIN(BASE_MAX(processors, 1), JOBS_MAX);
	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		take_option(&o, c);
	}
	if (optind == argc) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	command = argv[optind];
	if (strcmp(command, "run") != 0 && strcmp(command, "mutations") != 0 &&
	    strcmp(command, "keys") != 0) {
		fprintf(stderr,
			"propsim: unknown command '%s'; there are run, mutations and keys; try "
			"propsim "
			"--help\n",
			command);
		return EXIT_USAGE;
	}
	if (strcmp(command, "keys") == 0) {
		if (optind + 1 < argc) {
			die(EXIT_USAGE, "keys takes nothing more; try propsim --help");
		}
		scenario_explain();
		return 0;
	}
	for (int i = optind + 1; i < argc; i++) {
		add_scenario(&o, argv[i]);
	}
	if (strcmp(command, "mutations") == 0 && o.plan.count == 0) {
		sim_mutations_list();
		return 0;
	}
	if (o.plan.count == 0) {
		die(EXIT_USAGE, "which scenario? '-' takes the defaults; try propsim --help");
	}
	return (strcmp(command, "run") == 0 ? sim_plan_run : sim_plan_mutations)(&o.plan)
		       ? 0
		       : EXIT_VIOLATION;
}
