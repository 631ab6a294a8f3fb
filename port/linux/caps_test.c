/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities: key-value pairs that last, bounds, pins, sensors. */
#include "port/linux/caps.h"
#include "port/linux/files.h"
#include "test/test.h"

#include <stdlib.h>
#include <unistd.h>

static char dir[64];
static char *no_sensors[] = {NULL};
static struct config config = {.gpio_dir = "", .sensors = no_sensors};
static struct caps caps;

static void begin(void)
{
	snprintf(dir, sizeof(dir), "/tmp/proplet-caps-test-%d", (int)getpid());
	EXPECT_EQ(files_make_dirs(dir), 0);
	EXPECT_EQ(caps_init(&caps, &config, dir), 0);
}

static void end(void)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	EXPECT_EQ(system(command), 0);
}

static int32_t call(enum agent_host_op op, const char *scope, const char *name, const void *data,
		    uint32_t bytes, struct caps_answer *out)
{
	struct agent_action a = {.kind = AGENT_ACTION_HOST_CALL};

	a.host.op = op;
	a.host.scope = scope;
	a.host.name = name;
	a.host.data = data;
	a.host.data_bytes = bytes;
	caps_call(&caps, &a, out);
	return out->status;
}

static int32_t set(const char *scope, const char *name, const char *text)
{
	struct caps_answer out;

	return call(AGENT_HOST_KV_SET, scope, name, text, (uint32_t)strlen(text), &out);
}

static void expect_value(const char *scope, const char *name, const char *want)
{
	struct caps_answer out;

	if (call(AGENT_HOST_KV_GET, scope, name, NULL, 0, &out) != 0) {
		EXPECT(want == NULL);
		return;
	}
	EXPECT_STR(out.data, want ? want : "(absent)");
	free(out.data);
}

TEST(pairs_of_any_name)
{
	static const char *const names[] = {"", "a", "..", "../../etc/x", "a/b", "\n", "long name"};
	struct caps_answer out;

	begin();
	for (size_t i = 0; i < BASE_COUNT(names); i++) {
		EXPECT_EQ(set("task", names[i], names[i]), 0);
		EXPECT_EQ(set(names[i], "key", names[i]), 0);
	}
	for (size_t i = 0; i < BASE_COUNT(names); i++) {
		expect_value("task", names[i], names[i]);
		expect_value(names[i], "key", names[i]);
	}
	EXPECT_EQ(call(AGENT_HOST_KV_DELETE, "task", "a", NULL, 0, &out), 0);
	EXPECT_EQ(call(AGENT_HOST_KV_DELETE, "task", "a", NULL, 0, &out), CAPS_ABSENT);
	expect_value("task", "a", NULL);
	end();
}

TEST(bounds)
{
	static char big[CAPS_VALUE_BYTES_MAX + 1];
	struct caps_answer out;
	char name[16];
	int kept = 0;

	begin();
	EXPECT_EQ(call(AGENT_HOST_KV_SET, "t", "k", big, sizeof(big), &out), CAPS_REFUSED);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "%d", i);
		kept += call(AGENT_HOST_KV_SET, "t", name, big, CAPS_VALUE_BYTES_MAX, &out) == 0;
	}
	EXPECT_EQ(kept, CAPS_SCOPE_BYTES_MAX / (CAPS_VALUE_BYTES_MAX + 512));
	EXPECT_EQ(set("t", "0", "a kept one can be replaced"), 0);
	EXPECT_EQ(set("other", "k", "another task has room"), 0);
	end();
}

static int32_t pin(enum agent_host_op op, int32_t number, int32_t value, int64_t *out)
{
	struct agent_action a = {.kind = AGENT_ACTION_HOST_CALL};
	struct caps_answer answer;

	a.host.op = op;
	a.host.value[0] = number;
	a.host.value[1] = value;
	caps_call(&caps, &a, &answer);
	*out = answer.value;
	return answer.status;
}

TEST(pins)
{
	int64_t v;

	begin();
	EXPECT_EQ(pin(AGENT_HOST_GPIO_WRITE, 5, 1, &v), 0);
	EXPECT_EQ(pin(AGENT_HOST_GPIO_READ, 5, 0, &v), 0);
	EXPECT_EQ(v, 1);
	EXPECT_EQ(pin(AGENT_HOST_GPIO_READ, -1, 0, &v), CAPS_ABSENT);
	EXPECT_EQ(pin(AGENT_HOST_GPIO_READ, CAPS_PINS_MAX, 0, &v), CAPS_ABSENT);
	config.gpio_dir = dir;
	EXPECT_EQ(pin(AGENT_HOST_GPIO_READ, 6, 0, &v), CAPS_ABSENT);
	EXPECT_EQ(pin(AGENT_HOST_GPIO_WRITE, 6, 7, &v), 0);
	EXPECT_EQ(pin(AGENT_HOST_GPIO_READ, 6, 0, &v), 0);
	EXPECT_EQ(v, 1);
	config.gpio_dir = "";
	end();
}

TEST(sensors)
{
	static char file[96];
	char *list[] = {"fixed=-2.25", "huge=1e300", "bad=xyz", file, NULL};
	struct caps_answer out;

	begin();
	config.sensors = list;
	snprintf(file, sizeof(file), "temp=%s/temp", dir);
	EXPECT_EQ(files_put(dir, "temp", "21.5 C\n", 7), 0);
	EXPECT_EQ(call(AGENT_HOST_SENSOR, "t", "fixed", NULL, 0, &out), 0);
	EXPECT_EQ(out.value, -2250000);
	EXPECT_EQ(call(AGENT_HOST_SENSOR, "t", "temp", NULL, 0, &out), 0);
	EXPECT_EQ(out.value, 21500000);
	EXPECT_EQ(call(AGENT_HOST_SENSOR, "t", "huge", NULL, 0, &out), 0);
	EXPECT_EQ(out.value, INT64_MAX);
	EXPECT_EQ(call(AGENT_HOST_SENSOR, "t", "bad", NULL, 0, &out), CAPS_BROKEN);
	EXPECT_EQ(call(AGENT_HOST_SENSOR, "t", "fix", NULL, 0, &out), CAPS_ABSENT);
	config.sensors = no_sensors;
	end();
}

TEST(words)
{
	char *known[] = {"kv", "gpio", NULL}, *none[] = {"none", NULL}, *bad[] = {"root", NULL};
	const char *wrong;

	EXPECT_EQ(caps_of_words(known, &wrong), 1u << AGENT_CAP_KV | 1u << AGENT_CAP_GPIO);
	EXPECT(wrong == NULL);
	EXPECT_EQ(caps_of_words(none, &wrong), 0);
	EXPECT(wrong == NULL);
	EXPECT_EQ(caps_of_words(bad, &wrong), 0);
	EXPECT_STR(wrong, "root");
}

TEST_MAIN(T(pairs_of_any_name) T(bounds) T(pins) T(sensors) T(words))
