/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many runs: seeds and scenarios shared out over processes, the totals, the mutations.
 *
 *     item (scenario, seed) --> process --> record: violations, counts, times of moves --> totals
 *
 * Rules: 1. A process is lost when an assertion fails: that seed has failed, the others go on.
 *        2. What is printed does not depend on the number of processes.
 */
#include "sim/sim.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	JOBS_MAX = 64
};

static const struct {
	const char *word, *text;
} mutations[] = {{"none", ""},
#define X(name, word, text) {word, text},
		 SIM_MUTATION_LIST(X)
#undef X
};

enum sim_mutation sim_mutation_of(const char *word)
{
	for (int m = 1; m < SIM_MUTATION_COUNT; m++) {
		if (strcmp(mutations[m].word, word) == 0) {
			return (enum sim_mutation)m;
		}
	}
	return SIM_MUTATION_NONE;
}

void sim_mutations_list(void)
{
	for (int m = 1; m < SIM_MUTATION_COUNT; m++) {
		printf("%-15s %s\n", mutations[m].word, mutations[m].text);
	}
}

/* ---- what is printed ---------------------------------------------------------------------------------- */

typedef unsigned long long ull;

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void print_list(const char *what, const struct sim_list *l)
{
	uint32_t n = l->count;

	if (n == 0) {
		return;
	}
	qsort(l->ms, n, sizeof(*l->ms), by_size);
	printf("  %-34s p50 %.1f s, p99 %.1f s, max %.1f s (%u)\n", what,
	       (double)l->ms[n / 2] / 1e3, (double)l->ms[n - 1 - n / 100] / 1e3,
	       (double)l->ms[n - 1] / 1e3, n);
}

static void print_moves(const struct sim_stats *s)
{
	print_list("from a worker's end to elsewhere", &s->lists[SIM_LIST_MOVE]);
	print_list("from a device's end to elsewhere", &s->lists[SIM_LIST_MOVE_DEVICE]);
	if (s->lists[SIM_LIST_MOVE].count + s->lists[SIM_LIST_MOVE_DEVICE].count != 0) {
		printf("    later than three heartbeats and a lease: %llu\n", (ull)s->moved_late);
	}
	print_list("  while something else was missing", &s->lists[SIM_LIST_MOVE_HELD]);
	if (s->lists[SIM_LIST_MOVE_HELD].count != 0) {
		printf("    manager or broker: %llu, a worker with room: %llu, a link to the next "
		       "worker: %llu\n",
		       (ull)s->moved_held[SIM_HELD_OUTAGE], (ull)s->moved_held[SIM_HELD_ROOM],
		       (ull)s->moved_held[SIM_HELD_NEXT]);
	}
}

static void print_stats(struct sim_stats *s)
{
	printf("  tasks      accepted %llu (of %llu jobs and workflows), completed %llu, failed "
	       "%llu, "
	       "skipped %llu, open %llu,\n"
	       "             placements %llu, reassigned %llu, moved for balance %llu\n",
	       (ull)s->accepted, (ull)s->groups, (ull)s->ended_ok, (ull)s->ended_bad,
	       (ull)s->skipped, (ull)s->open, (ull)s->placements, (ull)s->reassigned,
	       (ull)s->balanced);
	printf("  faults     link cuts %llu, power cuts %llu, batteries empty %llu, sleeps %llu, "
	       "partitions %llu,\n"
	       "             manager kills %llu, broker restarts %llu (%llu lost all sessions), "
	       "drains %llu,\n"
	       "             messages doubled %llu, journal writes torn %llu, clocks moved %llu, "
	       "late results refused %llu\n",
	       (ull)s->cuts, (ull)s->power_cuts, (ull)s->batteries, (ull)s->sleeps,
	       (ull)s->partitions, (ull)s->manager_kills, (ull)s->broker_restarts,
	       (ull)s->session_losses, (ull)s->drains, (ull)s->duplicates, (ull)s->torn,
	       (ull)s->jumps, (ull)s->results_late);
	printf("  energy     %.1f Wh, %.1f J for each task that was completed\n",
	       (double)s->energy_uj / 3.6e9,
	       s->ended_ok != 0 ? (double)s->energy_uj / 1e6 / (double)s->ended_ok : 0.0);
	print_list("from acceptance to the first slice", &s->lists[SIM_LIST_WAIT]);
	print_moves(s);
	printf("  messages %llu, run by two at once (idempotent) %llu, violations %llu\n",
	       (ull)s->messages, (ull)s->double_runs, (ull)s->violations);
}

/* ---- one run ------------------------------------------------------------------------------------------ */

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void stats_free(struct sim_stats *s)
{
	for (int i = 0; i < SIM_LIST_COUNT; i++) {
		free(s->lists[i].ms);
	}
}

static void run_one(const struct sim_plan *p, unsigned scenario, uint64_t seed,
		    enum sim_mutation mutation, bool tell, struct sim_stats *stats)
{
	const struct sim_scenario *s = &p->scenarios[scenario];
	struct sim_options o = {
		.seed = seed, .mutation = mutation, .trace = p->trace, .verbose = tell};
	double from = seconds();
	uint64_t hash, other;

	sim_run(s, &o, stats, &hash);
	if (p->twice) {
		struct sim_stats again;

		o.trace = NULL;
		o.verbose = false;
		sim_run(s, &o, &again, &other);
		stats_free(&again);
		if (other != hash) {
			printf("%s, seed %llu: two runs differ\n", p->names[scenario], (ull)seed);
			stats->violations++;
		}
	}
	if (tell) {
		printf("seed %llu: %llu workers, %.1f h in %.1f s, %.1f million events, hash "
		       "%016llx\n",
		       (ull)seed, (ull)s->nodes, (double)s->duration / HOUR, seconds() - from,
		       (double)stats->events / 1e6, (ull)hash);
		print_stats(stats);
	}
}

/* ---- runs in processes -------------------------------------------------------------------------------- */

/* What a process says: the item it begins, then how it ended, then the times. */
struct record {
	uint64_t item;
	struct sim_stats stats;
	bool done;
};

struct job {
	int fd;
	pid_t pid;
	uint64_t next, at; /* the item to begin with; the one that it has begun */
};

struct totals {
	struct sim_stats stats;
	uint64_t passed, failed;
};

static void write_all(int fd, const void *data, size_t bytes)
{
	const char *at = data;

	while (bytes > 0) {
		ssize_t n = write(fd, at, bytes);

		if (n <= 0) {
			_exit(EXIT_FAILURE); /* nobody listens any more */
		}
		at += n;
		bytes -= (size_t)n;
	}
}

static bool read_all(int fd, void *data, size_t bytes)
{
	char *at = data;

	while (bytes > 0) {
		ssize_t n = read(fd, at, bytes);

		if (n <= 0) {
			return false;
		}
		at += n;
		bytes -= (size_t)n;
	}
	return true;
}

static uint64_t items_of(const struct sim_plan *p)
{
	return p->seeds == UINT64_MAX ? UINT64_MAX : p->seeds * p->count;
}

static void work(const struct sim_plan *p, uint64_t item, int fd)
{
	for (; item < items_of(p); item += p->jobs) {
		struct record r = {.item = item};

		write_all(fd, &r, sizeof(r));
		run_one(p, (unsigned)(item % p->count), p->seed + item / p->count, p->mutation,
			false, &r.stats);
		r.done = true;
		write_all(fd, &r, sizeof(r));
		for (int i = 0; i < SIM_LIST_COUNT; i++) {
			const struct sim_list *l = &r.stats.lists[i];

			write_all(fd, l->ms, l->count * sizeof(*l->ms));
		}
		stats_free(&r.stats);
	}
}

static void hire(const struct sim_plan *p, struct job *j)
{
	int ends[2];

	fflush(stdout);
	if (pipe(ends) != 0 || (j->pid = fork()) < 0) {
		perror("propsim");
		exit(EXIT_FAILURE);
	}
	if (j->pid == 0) {
		close(ends[0]);
		work(p, j->next, ends[1]);
		fflush(stdout);
		_exit(0);
	}
	close(ends[1]);
	j->fd = ends[0];
	j->at = UINT64_MAX;
}

static void append(struct sim_list *to, uint32_t more, int fd)
{
	if (to->count + more > to->cap) {
		to->cap = (to->count + more) * 2;
		to->ms = realloc(to->ms, to->cap * sizeof(*to->ms));
	}
	if (more > 0 && read_all(fd, to->ms + to->count, more * sizeof(*to->ms))) {
		to->count += more;
	}
}

/* Adds up the counters: all that lies before the lists. */
static void add(struct sim_stats *to, struct sim_stats *from, int fd)
{
	uint64_t *a = (uint64_t *)to, *b = (uint64_t *)from;

	for (size_t i = 0; i < offsetof(struct sim_stats, lists) / sizeof(uint64_t); i++) {
		a[i] += b[i];
	}
	for (int i = 0; i < SIM_LIST_COUNT; i++) {
		append(&to->lists[i], from->lists[i].count, fd);
	}
}

static void print_failed(const struct sim_plan *p, uint64_t item, const char *how, uint64_t count)
{
	printf("%s, seed %llu: %llu %s\n", p->names[item % p->count],
	       (ull)(p->seed + item / p->count), (ull)count, how);
	fflush(stdout);
}

static void print_progress(const struct sim_plan *p, const struct totals *t)
{
	uint64_t n = t->passed + t->failed;

	if (!p->quiet && n % 1000 == 0) {
		printf("... %llu runs, %llu failed\n", (ull)n, (ull)t->failed);
		fflush(stdout);
	}
}

/* Takes what a process says; false when it says no more. */
static bool hear(const struct sim_plan *p, struct job *j, struct totals *t)
{
	struct record r;

	if (!read_all(j->fd, &r, sizeof(r))) {
		int status;

		close(j->fd);
		waitpid(j->pid, &status, 0);
		if (j->at == UINT64_MAX) {
			return false;
		}
		t->failed++;
		print_failed(p, j->at, "assertion, which ended its process", 1);
		j->next = j->at + p->jobs;
		if (j->next >= items_of(p)) {
			return false;
		}
		hire(p, j);
		return true;
	}
	j->at = r.item;
	if (r.done) {
		add(&t->stats, &r.stats, j->fd);
		j->at = UINT64_MAX;
		t->failed += r.stats.violations != 0;
		t->passed += r.stats.violations == 0;
		if (r.stats.violations != 0) {
			print_failed(p, r.item, "violations", r.stats.violations);
		}
		print_progress(p, t);
	}
	return true;
}

static void run_many(const struct sim_plan *p, struct totals *t)
{
	struct job jobs[JOBS_MAX];
	struct pollfd fds[JOBS_MAX];
	double end = p->minutes != 0 ? seconds() + (double)p->minutes * 60 : 0;
	unsigned left = 0;

	for (unsigned i = 0; i < p->jobs; i++) {
		jobs[i].next = i;
		fds[i].fd = -1;
		if (i < items_of(p)) {
			hire(p, &jobs[i]);
			fds[i] = (struct pollfd){.fd = jobs[i].fd, .events = POLLIN};
			left++;
		}
	}
	while (left > 0 && (end == 0 || seconds() < end)) {
		if (poll(fds, p->jobs, 1000) <= 0) {
			continue;
		}
		for (unsigned i = 0; i < p->jobs; i++) {
			if (fds[i].fd >= 0 && fds[i].revents != 0) {
				bool more = hear(p, &jobs[i], t);

				fds[i].fd = more ? jobs[i].fd : -1;
				left -= !more;
			}
		}
	}
	for (unsigned i = 0; i < p->jobs; i++) {
		if (fds[i].fd >= 0) {
			kill(jobs[i].pid, SIGKILL);
			close(jobs[i].fd);
			waitpid(jobs[i].pid, NULL, 0);
		}
	}
}

bool sim_plan_run(const struct sim_plan *p)
{
	struct totals t = {0};
	bool told;

	if (items_of(p) == 1) {
		run_one(p, 0, p->seed, p->mutation, !p->quiet, &t.stats);
		t.failed = t.stats.violations != 0;
		t.passed = !t.failed;
	} else {
		run_many(p, &t);
		if (!p->quiet) {
			printf("in all:\n");
			print_stats(&t.stats);
		}
	}
	told = p->trace == NULL || t.stats.told != 0;
	stats_free(&t.stats);
	if (!told) {
		fprintf(stderr, "propsim: nothing happened to %s: no run has it\n", p->trace);
	}
	printf("%llu passed, %llu failed\n", (ull)t.passed, (ull)t.failed);
	return t.failed == 0 && told;
}

/* ---- mutations ---------------------------------------------------------------------------------------- */

/* In a process of its own, since an assertion that stops it notices, too. */
static bool notices(const struct sim_plan *p, unsigned scenario, uint64_t seed, enum sim_mutation m)
{
	struct sim_stats stats;
	pid_t child = fork();
	int status;

	if (child == 0) {
		FILE *quiet = freopen("/dev/null", "w", stderr);

		run_one(p, scenario, seed, m, false, &stats);
		_exit(quiet == NULL || stats.violations != 0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child) {
		fputs("propsim: no process for a mutation\n", stderr);
		exit(EXIT_FAILURE);
	}
	return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

/* Looks for a seed that notices; its line goes to fd. */
static void try_mutation(const struct sim_plan *p, enum sim_mutation m, int fd)
{
	for (uint64_t item = 0; item < items_of(p); item++) {
		unsigned scenario = (unsigned)(item % p->count);
		uint64_t seed = p->seed + item / p->count;

		if (notices(p, scenario, seed, m)) {
			dprintf(fd, "%-15s noticed by seed %-3llu of %-10s %s\n", mutations[m].word,
				(ull)seed, p->names[scenario], mutations[m].text);
			_exit(0);
		}
	}
	dprintf(fd, "%-15s NOT noticed by %llu runs: %s\n", mutations[m].word, (ull)items_of(p),
		mutations[m].text);
	_exit(1);
}

static void begin_mutation(const struct sim_plan *p, enum sim_mutation m, struct job *j)
{
	int ends[2];

	fflush(stdout);
	if (pipe(ends) != 0 || (j->pid = fork()) < 0) {
		perror("propsim");
		exit(EXIT_FAILURE);
	}
	if (j->pid == 0) {
		try_mutation(p, m, ends[1]);
	}
	close(ends[1]);
	j->fd = ends[0];
}

bool sim_plan_mutations(const struct sim_plan *p)
{
	struct job jobs[SIM_MUTATION_COUNT];
	unsigned failed = 0;
	int begun = 1;

	for (int m = 1; m < SIM_MUTATION_COUNT; m++) {
		char line[256];
		int status;
		ssize_t n;

		while (begun < SIM_MUTATION_COUNT && begun < m + (int)p->jobs) {
			begin_mutation(p, (enum sim_mutation)begun, &jobs[begun]);
			begun++;
		}
		n = read(jobs[m].fd, line, sizeof(line));
		fwrite(line, 1, n > 0 ? (size_t)n : 0, stdout);
		fflush(stdout);
		close(jobs[m].fd);
		waitpid(jobs[m].pid, &status, 0);
		failed += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	}
	printf("%u passed, %u failed\n", (unsigned)SIM_MUTATION_COUNT - 1 - failed, failed);
	return failed == 0;
}
