/* SPDX-License-Identifier: Apache-2.0 */
/* The program propsim: its commands and options. */
#include "sim/sim.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	EXIT_VIOLATION = 1,
	EXIT_USAGE = 64,
	EXIT_DATA = 65
};

static const char usage[] =
	"Simulates a fleet: the shipping worker and manager cores under virtual time, with "
	"faults.\n"
	"\n"
	"Usage: propsim run SCENARIO [OPTION...]     '-' for SCENARIO: the defaults\n"
	"       propsim mutations SCENARIO [OPTION...] breaks one rule at a time and tells which "
	"seed notices\n"
	"       propsim keys                         what a scenario can say, with the defaults\n"
	"\n"
	"  --seed N         the first seed (1)\n"
	"  --seeds N        how many seeds, one after the other (1)\n"
	"  --nodes N        workers, in place of the scenario's\n"
	"  --hours N        virtual hours, likewise\n"
	"  --set KEY=VALUE  any key of the scenario\n"
	"  --trace ID       the story of one task (task-17), or the log of one worker "
	"(node-00003)\n"
	"  --mutation NAME  break a rule (propsim mutations lists them)\n"
	"  --twice          run each seed twice: the hashes must agree\n"
	"  --quiet          only the last line\n"
	"\n"
	"The last line is \"N passed, N failed\": seeds without and with violations. Exit status: "
	"0, 1 violations, 64 usage,\n"
	"65 the scenario is wrong.\n";

struct options {
	struct sim_scenario s;
	struct sim_options o;
	uint64_t seeds;
	bool twice, quiet;
};

static const struct {
	const char *word, *text;
} mutations[] = {{"none", ""},
#define X(name, word, text) {word, text},
		 SIM_MUTATION_LIST(X)
#undef X
};

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void print_percentiles(const char *what, uint64_t *list, uint32_t count)
{
	if (count == 0) {
		printf("  %-34s none\n", what);
		return;
	}
	qsort(list, count, sizeof(*list), by_size);
	printf("  %-34s p50 %.1f s, p99 %.1f s, max %.1f s (%u)\n", what,
	       (double)list[count / 2] / 1e3, (double)list[count - 1 - count / 100] / 1e3,
	       (double)list[count - 1] / 1e3, count);
}

static void print_summary(const struct options *o, uint64_t seed, struct sim_stats *s,
			  uint64_t hash, double took)
{
	printf("seed %llu: %llu workers, %.1f h in %.1f s, %.1f million events, hash %016llx\n",
	       (unsigned long long)seed, (unsigned long long)o->s.nodes,
	       (double)o->s.duration / HOUR, took, (double)s->events / 1e6,
	       (unsigned long long)hash);
	printf("  tasks      accepted %llu, completed %llu, failed %llu, open %llu, placements "
	       "%llu, reassigned %llu\n",
	       (unsigned long long)s->accepted, (unsigned long long)s->ended_ok,
	       (unsigned long long)s->ended_bad, (unsigned long long)s->open,
	       (unsigned long long)s->placements, (unsigned long long)s->reassigned);
	printf("  faults     link cuts %llu, power cuts %llu, manager kills %llu, broker restarts "
	       "%llu, partitions %llu,\n"
	       "             messages doubled %llu, journal writes torn %llu, late results refused "
	       "%llu\n",
	       (unsigned long long)s->cuts, (unsigned long long)s->power_cuts,
	       (unsigned long long)s->manager_kills, (unsigned long long)s->broker_restarts,
	       (unsigned long long)s->partitions, (unsigned long long)s->duplicates,
	       (unsigned long long)s->torn, (unsigned long long)s->results_late);
	print_percentiles("from acceptance to the first slice", s->wait_ms, s->wait_count);
	print_percentiles("from a worker's end to elsewhere", s->move_ms, s->move_count);
	printf("  messages %llu, violations %llu\n", (unsigned long long)s->messages,
	       (unsigned long long)s->violations);
}

static uint64_t run_seed(const struct options *o, uint64_t seed, bool tell)
{
	struct sim_options one = o->o;
	struct sim_stats stats, again;
	struct timespec from, to;
	uint64_t hash, other;

	one.seed = seed;
	one.verbose = tell;
	clock_gettime(CLOCK_MONOTONIC, &from);
	sim_run(&o->s, &one, &stats, &hash);
	clock_gettime(CLOCK_MONOTONIC, &to);
	if (o->twice) {
		one.trace = NULL;
		sim_run(&o->s, &one, &again, &other);
		free(again.move_ms);
		free(again.wait_ms);
		if (other != hash) {
			printf("seed %llu: two runs differ\n", (unsigned long long)seed);
			stats.violations++;
		}
	}
	if (tell) {
		print_summary(o, seed, &stats, hash,
			      (double)(to.tv_sec - from.tv_sec) +
				      (double)(to.tv_nsec - from.tv_nsec) / 1e9);
	}
	free(stats.move_ms);
	free(stats.wait_ms);
	return stats.violations;
}

static int run(const struct options *o)
{
	uint64_t failed = 0;

	for (uint64_t i = 0; i < o->seeds; i++) {
		uint64_t v = run_seed(o, o->o.seed + i, !o->quiet && o->seeds == 1);

		if (v != 0) {
			failed++;
			printf("seed %llu: %llu violations\n", (unsigned long long)(o->o.seed + i),
			       (unsigned long long)v);
		}
	}
	printf("%llu passed, %llu failed\n", (unsigned long long)(o->seeds - failed),
	       (unsigned long long)failed);
	return failed != 0 ? EXIT_VIOLATION : 0;
}

/* In a process of its own, since an assertion that stops it notices, too. */
static bool notices(const struct options *o, uint64_t seed)
{
	pid_t child;
	int status;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		_exit(run_seed(o, seed, false) != 0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child) {
		fputs("propsim: no process for a mutation\n", stderr);
		exit(EXIT_FAILURE);
	}
	return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

/* Each mutation must be noticed by a seed. */
static int run_mutations(struct options *o)
{
	unsigned failed = 0;

	for (int m = 1; m < SIM_MUTATION_COUNT; m++) {
		uint64_t i = 0;
		bool v = false;

		o->o.mutation = (enum sim_mutation)m;
		for (; i < o->seeds && !v; i++) {
			v = notices(o, o->o.seed + i);
		}
		if (v) {
			printf("%-14s noticed by seed %-5llu %s\n", mutations[m].word,
			       (unsigned long long)(o->o.seed + i - 1), mutations[m].text);
		} else {
			printf("%-14s NOT noticed by %llu seeds: %s\n", mutations[m].word,
			       (unsigned long long)o->seeds, mutations[m].text);
			failed++;
		}
	}
	printf("%u passed, %u failed\n", (unsigned)SIM_MUTATION_COUNT - 1 - failed, failed);
	return failed != 0 ? EXIT_VIOLATION : 0;
}

static void die(int status, const char *why)
{
	fprintf(stderr, "propsim: %s\n", why);
	exit(status);
}

static void set(struct options *o, const char *key, const char *value)
{
	char why[256];

	if (scenario_set(&o->s, key, value, why, sizeof(why)) != 0) {
		die(EXIT_USAGE, why);
	}
}

static void set_pair(struct options *o, char *pair)
{
	char *value = strchr(pair, '=');

	if (value == NULL) {
		die(EXIT_USAGE, "--set takes KEY=VALUE");
	}
	*value++ = 0;
	set(o, pair, value);
}

static enum sim_mutation find_mutation(const char *word)
{
	for (int m = 1; m < SIM_MUTATION_COUNT; m++) {
		if (strcmp(mutations[m].word, word) == 0) {
			return (enum sim_mutation)m;
		}
	}
	fprintf(stderr, "propsim: unknown mutation '%s'; there are:\n", word);
	for (int m = 1; m < SIM_MUTATION_COUNT; m++) {
		fprintf(stderr, "  %-14s %s\n", mutations[m].word, mutations[m].text);
	}
	exit(EXIT_USAGE);
}

enum {
	OPT_SEED = 1,
	OPT_SEEDS,
	OPT_NODES,
	OPT_HOURS,
	OPT_SET,
	OPT_TRACE,
	OPT_MUTATION,
	OPT_TWICE,
	OPT_QUIET,
	OPT_HELP
};

static const struct option long_options[] = {
	{"seed", required_argument, NULL, OPT_SEED},
	{"seeds", required_argument, NULL, OPT_SEEDS},
	{"nodes", required_argument, NULL, OPT_NODES},
	{"hours", required_argument, NULL, OPT_HOURS},
	{"set", required_argument, NULL, OPT_SET},
	{"trace", required_argument, NULL, OPT_TRACE},
	{"mutation", required_argument, NULL, OPT_MUTATION},
	{"twice", no_argument, NULL, OPT_TWICE},
	{"quiet", no_argument, NULL, OPT_QUIET},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

static uint64_t number(const char *text)
{
	char *end;
	unsigned long long v = strtoull(text, &end, 10);

	if (end == text || *end != 0) {
		die(EXIT_USAGE, "a number was expected; try propsim --help");
	}
	return v;
}

static void take_option(struct options *o, int c)
{
	char hours[32];

	switch (c) {
	case OPT_SEED:
		o->o.seed = number(optarg);
		break;
	case OPT_SEEDS:
		o->seeds = number(optarg);
		break;
	case OPT_NODES:
		set(o, "nodes", optarg);
		break;
	case OPT_HOURS:
		snprintf(hours, sizeof(hours), "%sh", optarg);
		set(o, "duration", hours);
		break;
	case OPT_SET:
		set_pair(o, optarg);
		break;
	case OPT_TRACE:
		o->o.trace = optarg;
		break;
	case OPT_MUTATION:
		o->o.mutation = find_mutation(optarg);
		break;
	case OPT_TWICE:
		o->twice = true;
		break;
	case OPT_QUIET:
		o->quiet = true;
		break;
	case OPT_HELP:
		fputs(usage, stdout);
		exit(0);
	default:
		exit(EXIT_USAGE);
	}
}

int main(int argc, char **argv)
{
	struct options o = {.o = {.seed = 1}, .seeds = 1};
	char why[512];
	int c;

	if (argc > 1 && strcmp(argv[1], "keys") == 0) {
		scenario_explain();
		return 0;
	}
	scenario_default(&o.s);
	if (argc > 2 && strcmp(argv[2], "-") != 0 && argv[2][0] != '-' &&
	    scenario_read(&o.s, argv[2], why, sizeof(why)) != 0) {
		die(EXIT_DATA, why);
	}
	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		take_option(&o, c);
	}
	if (optind + 2 != argc) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	if (o.s.nodes == 0 || o.s.nodes > 99999) {
		die(EXIT_USAGE, "nodes: from 1 to 99999");
	}
	if (strcmp(argv[optind], "run") == 0) {
		return run(&o);
	}
	if (strcmp(argv[optind], "mutations") == 0) {
		return run_mutations(&o);
	}
	die(EXIT_USAGE, "the commands are run, mutations and keys; try propsim --help");
}
