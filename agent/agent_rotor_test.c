/* SPDX-License-Identifier: Apache-2.0 */
/* The agent with a real engine: what only that shows. With AGENT_TEST_WAMR it is WAMR. */
#include <stdlib.h>

#include "agent/rig_test.h"
#include "agent/rotor_module_test.h"
#include "test/test.h"
#if defined(AGENT_TEST_WAMR)
#include "port/wamr/wamr.h"
#endif

#define SAW(text)                                                                                  \
	do {                                                                                       \
		if (!rig_saw(r, text)) {                                                           \
			TEST_FAIL("not seen: %s\n in\n%s", text, r->log);                          \
		}                                                                                  \
	} while (0)

#if defined(AGENT_TEST_WAMR)
/* No rule of this engine: pages are backed whole; it counts no fuel. */
#define FUEL_LIMIT_SAYS "refused: the engine wamr counts no fuel: limit the time instead"
#define FAR_SAYS        "\"reason\":\"done\""
#define TASK_LIMITS     ""
#define SLICE_MS        10 /* its slices are times */

static const struct agent_engine *engine(void)
{
	static char pool[8 << 20];
	static bool begun;

	begun = begun || agent_engine_wamr_init(pool, sizeof(pool));
	return begun ? &agent_engine_wamr : NULL;
}
#else
#define FUEL_LIMIT_SAYS "limit reached: fuel: 12345 units of fuel"
#define FAR_SAYS        "\"error\":\"limit reached: memory: "
#define TASK_LIMITS     "\"limits\":{\"fuel\":9999},"
#define SLICE_MS        0

static const struct agent_engine *engine(void)
{
	return &agent_engine_rotor;
}
#endif

static struct rig *ready(size_t pool_bytes, uint32_t stack_bytes)
{
	struct rig *r = rig_new();

	r->engine = engine();
	r->pool_bytes = pool_bytes;
	r->limits.stack_bytes = stack_bytes;
	r->limits.heap_bytes = 256; /* get_proplet_id allocates there */
	r->limits.slice_fuel = 1000;
	r->limits.tasks_max = 24;
	r->slice_ms = SLICE_MS;
	rig_boot(r);
	rig_online(r);
	rig_run(r, 1);
	return r;
}

static void start(struct rig *r, const char *id, const char *function, const char *extra)
{
	static char file[8192];

	rig_base64(file, test_module, sizeof(test_module));
	rig_say(r, "control/manager/start/p1",
		"{\"id\":\"%s\",\"name\":\"x\",\"function\":\"%s\",\"epoch\":1,%s\"file\":\"%s\"}",
		id, function, extra, file);
}

TEST(each_function)
{
	static const struct {
		const char *function, *extra, *want;
	} cases[] = {
		{"add", "\"inputs\":[40,2],", "\"results\":\"42\",\"epoch\":1,\"reason\":\"done\""},
		{"say", "", "\"results\":\"hello\""},
		{"say", "",
		 "control/proplet/output "
		 "{\"proplet_id\":\"p1\",\"task_id\":\"a\",\"epoch\":1,\"seq\":0,\"data\":"
		 "\"hello\"}"},
		{"bad", "", "\"error\":\"trap: a host function got a pointer outside the memory"},
		{"crash", "",
		 "\"error\":\"trap: integer divide by zero\",\"epoch\":1,\"reason\":\"trap\""},
		{"crash", "", "\"name\":\"deep\""},
		{"spin", "\"limits\":{\"fuel\":12345},", FUEL_LIMIT_SAYS},
		{"recurse", "\"inputs\":[0],",
		 "\"error\":\"limit reached: stack: call stack exhausted"},
		{"far", "", FAR_SAYS},
		{"far", "\"limits\":{\"memory_bytes\":65536},", "\"reason\":\"done\""},
		{"count", "\"inputs\":[100000],", "\"results\":\"5000050000\""},
		{"doze", "", "\"results\":\"42\""},
		{"doze", "\"capabilities\":[\"time\"],", "\"results\":\"42\""},
		{"whoami", "", "\"results\":\"p1\""},
		{"half", "\"inputs\":[0.3],", "\"results\":\"0.15\""},
		{"two", "", "\"results\":\"-3,0.25\""},
		{"nothing", "",
		 "refused: unknown function 'nothing'; the module exports add, say, bad"},
	};

	for (size_t i = 0; i < BASE_COUNT(cases); i++) {
		struct rig *r = ready(256 * 1024, 2048);

		start(r, "a", cases[i].function, cases[i].extra);
		rig_run(r, 1500);
		SAW(cases[i].want);
		rig_free(r);
	}
}

#if !defined(AGENT_TEST_WAMR)
static long fuel_with(uint32_t slice_fuel)
{
	struct rig *r = rig_new();
	const char *at;
	long fuel = -1;

	r->engine = engine();
	r->pool_bytes = 128 * 1024;
	r->limits.slice_fuel = slice_fuel;
	r->limits.stack_bytes = 512;
	rig_boot(r);
	rig_online(r);
	start(r, "a", "count", "\"inputs\":[500],");
	rig_run(r, 300);
	at = strstr(r->log, "\"fuel\":");
	if (at != NULL) {
		fuel = strtol(at + 7, NULL, 10);
	}
	rig_free(r);
	return fuel;
}

TEST(fuel_does_not_depend_on_slices)
{
	long fuel = fuel_with(1000000);

	EXPECT(fuel > 3000);
	for (uint32_t slice = 1; slice < 4000; slice = slice * 3 + 1) {
		EXPECT_EQ(fuel_with(slice), fuel);
	}
}

/* Twenty tasks at once, each with 4 KB of memory of its own: the pool that they need. */
TEST(twenty_tasks_with_memory)
{
	struct rig *r = ready(160 * 1024, 1024);
	struct agent_stats s;
	struct agent_task_view v;
	char id[16];

	for (int i = 0; i < 20; i++) {
		snprintf(id, sizeof(id), "t%d", i);
		start(r, id, "doze", "\"capabilities\":[\"time\"],");
	}
	agent_stats(r->agent, &s);
	EXPECT_EQ(s.tasks_used, 20);
	EXPECT_EQ(s.refused, 0);
	EXPECT(agent_task_view(r->agent, 3, &v) && v.state == AGENT_TASK_WAITING);
	EXPECT(v.pool_bytes < 4096 + 1024 + 2048);
	start(r, "more", "doze",
	      "\"capabilities\":[\"time\"],\"limits\":{\"memory_bytes\":65536},");
	SAW("\"task_id\":\"more\",\"proplet_id\":\"p1\",\"results\":\"\",\"error\":\"refused: no "
	    "room: needs ");
	rig_run(r, 1500);
	for (int i = 0; i < 20; i++) {
		char want[100];

		snprintf(want, sizeof(want),
			 "{\"task_id\":\"t%d\",\"proplet_id\":\"p1\",\"results\":\"42\"", i);
		SAW(want);
	}
	rig_free(r);
}
#endif

/* A program that never ends is stopped and gives all back, many at once, too. */
TEST(endless_tasks_are_stopped)
{
	struct rig *r = ready(256 * 1024, 2048);
	char id[16];

	for (int i = 0; i < 4; i++) {
		snprintf(id, sizeof(id), "t%d", i);
		start(r, id, "spin", "\"limits\":{\"time_ms\":1000},");
	}
	rig_run(r, 3000);
	for (int i = 0; i < 4; i++) {
		snprintf(id, sizeof(id), "\"t%d\"", i);
		SAW(id);
	}
	SAW("\"error\":\"limit reached: time: 1000 ms\"");
	rig_free(r);
}

/* Any pool: the task runs or is refused with the reason. */
TEST(every_pool_size)
{
	bool ran = false;

	for (size_t bytes = 8; bytes < 60000 && !ran; bytes += 256) {
		struct rig *r = ready(bytes, 1024);

		start(r, "a", "say", "");
		SAW("results {\"task_id\":\"a\"");
		ran = rig_saw(r, "\"reason\":\"done\"");
		rig_free(r);
	}
	EXPECT(ran);
}

TEST(every_cut_and_damage_of_a_module)
{
	static char file[8192];
	uint8_t wasm[sizeof(test_module)];

	for (uint32_t i = 0; i < sizeof(wasm); i++) {
		struct rig *r = ready(64 * 1024, 1024);
		uint32_t bytes = i % 2 == 0 ? i : (uint32_t)sizeof(wasm);

		memcpy(wasm, test_module, sizeof(wasm));
		wasm[i] ^= (uint8_t)(i % 2 == 0 ? 0 : 1 + i % 255);
		rig_base64(file, wasm, bytes);
		rig_say(r, "control/manager/start/p1",
			"{\"id\":\"a\",\"name\":\"add\",\"epoch\":1,\"inputs\":[1,2]," TASK_LIMITS
			"\"file\":\"%s\"}",
			file);
		rig_run(r, 10);
		SAW("results {\"task_id\":\"a\"");
		rig_free(r);
	}
}

#if defined(AGENT_TEST_WAMR)
#define OF_ROTOR
#else
#define OF_ROTOR T(fuel_does_not_depend_on_slices) T(twenty_tasks_with_memory)
#endif
TEST_MAIN(T(each_function) T(endless_tasks_are_stopped) OF_ROTOR T(every_pool_size)
		  T(every_cut_and_damage_of_a_module))
