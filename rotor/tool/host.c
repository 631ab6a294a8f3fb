/* SPDX-License-Identifier: Apache-2.0 */
/* The system's side of a program: stdout and stderr, clocks, random bytes. */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "rotor/tool/tool.h"

static uint64_t now_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t host_monotonic_ns(void)
{
	return now_ns(CLOCK_MONOTONIC);
}

void host_sleep_until(uint64_t monotonic_ns)
{
	struct timespec ts = {.tv_sec = (time_t)(monotonic_ns / 1000000000u),
			      .tv_nsec = (long)(monotonic_ns % 1000000000u)};

	(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

/* A reader that has gone away ends the program like any other refusal. */
static bool host_write(struct rotor_env *env, unsigned fd, const char *bytes, uint32_t count)
{
	if (fd == 2) {
		fflush(stdout);
	}
	return fwrite(bytes, 1, count, fd == 2 ? stderr : stdout) == count;
}

static uint64_t host_clock(struct rotor_env *env, enum rotor_clock clock)
{
	return now_ns(clock == ROTOR_CLOCK_REAL ? CLOCK_REALTIME : CLOCK_MONOTONIC);
}

static void host_random(struct rotor_env *env, uint8_t *out, uint32_t bytes)
{
	while (bytes != 0) {
		ssize_t n = getrandom(out, bytes, 0);

		if (n < 0 && errno != EINTR) {
			abort();
		}
		out += n > 0 ? n : 0;
		bytes -= n > 0 ? (uint32_t)n : 0;
	}
}

const struct rotor_env_ops host_ops = {host_write, host_clock, host_random};
