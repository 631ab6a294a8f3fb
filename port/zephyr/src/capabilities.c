/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tasks may be granted: pins, sensors, small storage.
 *
 * In:    HOST_CALL actions; the agent has checked that the task may
 * Out:   the answer, at once
 * Rules: 1. Only the pins of the devicetree node /proplet can be reached, by their position there.
 *        2. Sensors are found by name: "channel" takes the first device that has it,
 *           "device/channel" that one.
 *        3. Pairs belong to the task's name: another task cannot see them.
 */
#include <errno.h>
#include <string.h>

#include <zephyr/drivers/gpio.h>
#include <zephyr/drivers/sensor.h>
#include <zephyr/kernel.h>

#include "app.h"
#include "settings.h"

enum {
	NOT_FOUND = -1,
	TOO_LONG = -2,
	DENIED = -3,
	FAILED = -4
}; /* of examples/proplet.h */

static uint8_t value[CONFIG_PROPLET_KV_BYTES];

/* ---- gpio ----------------------------------------------------------------------------------*/

#define PINS DT_NODE_HAS_PROP(DT_PATH(proplet), task_gpios)

#if defined(CONFIG_PROPLET_CAP_GPIO) && PINS

#define PIN(node, prop, idx) GPIO_DT_SPEC_GET_BY_IDX(node, prop, idx),
static const struct gpio_dt_spec pins[] = {DT_FOREACH_PROP_ELEM(DT_PATH(proplet), task_gpios, PIN)};
static uint32_t outputs; /* bit per pin */

static int pin_read(int32_t pin, int64_t *out)
{
	if (pin < 0 || pin >= (int32_t)ARRAY_SIZE(pins)) {
		return NOT_FOUND;
	}
	if ((outputs & 1u << pin) == 0 && gpio_pin_configure_dt(&pins[pin], GPIO_INPUT) != 0) {
		return FAILED;
	}
	*out = gpio_pin_get_dt(&pins[pin]);
	return *out < 0 ? FAILED : 0;
}

static int pin_write(int32_t pin, int32_t level)
{
	if (pin < 0 || pin >= (int32_t)ARRAY_SIZE(pins)) {
		return NOT_FOUND;
	}
	if ((outputs & 1u << pin) == 0 &&
	    gpio_pin_configure_dt(&pins[pin], GPIO_OUTPUT | GPIO_INPUT) != 0 &&
	    gpio_pin_configure_dt(&pins[pin], GPIO_OUTPUT) != 0) {
		return FAILED;
	}
	outputs |= 1u << pin;
	return gpio_pin_set_dt(&pins[pin], level != 0) == 0 ? 0 : FAILED;
}

#else

static int pin_read(int32_t pin, int64_t *out)
{
	return NOT_FOUND;
}
static int pin_write(int32_t pin, int32_t level)
{
	return NOT_FOUND;
}

#endif

/* ---- sensors --------------------------------------------------------------------------------*/

#if defined(CONFIG_PROPLET_CAP_SENSOR)

static const struct {
	const char *name;
	enum sensor_channel channel;
} channels[] = {
	{"temperature", SENSOR_CHAN_AMBIENT_TEMP},
	{"die", SENSOR_CHAN_DIE_TEMP},
	{"humidity", SENSOR_CHAN_HUMIDITY},
	{"pressure", SENSOR_CHAN_PRESS},
	{"light", SENSOR_CHAN_LIGHT},
	{"proximity", SENSOR_CHAN_PROX},
	{"co2", SENSOR_CHAN_CO2},
	{"voc", SENSOR_CHAN_VOC},
	{"accel_x", SENSOR_CHAN_ACCEL_X},
	{"accel_y", SENSOR_CHAN_ACCEL_Y},
	{"accel_z", SENSOR_CHAN_ACCEL_Z},
	{"gyro_x", SENSOR_CHAN_GYRO_X},
	{"gyro_y", SENSOR_CHAN_GYRO_Y},
	{"gyro_z", SENSOR_CHAN_GYRO_Z},
	{"voltage", SENSOR_CHAN_VOLTAGE},
	{"current", SENSOR_CHAN_CURRENT},
	{"power", SENSOR_CHAN_POWER},
	{"distance", SENSOR_CHAN_DISTANCE},
	{"rpm", SENSOR_CHAN_RPM},
};

static bool sensor_try(const struct device *dev, enum sensor_channel channel, int64_t *out)
{
	struct sensor_value v;

	if (!device_is_ready(dev) || sensor_sample_fetch(dev) != 0 ||
	    sensor_channel_get(dev, channel, &v) != 0) {
		return false;
	}
	*out = (int64_t)v.val1 * 1000000 + v.val2;
	return true;
}

static int sensor_of(const char *device, size_t device_bytes, enum sensor_channel channel,
		     int64_t *out)
{
	STRUCT_SECTION_FOREACH(sensor_info, info)
	{
		const char *name = info->dev->name;

		if (device_bytes != 0 &&
		    (strlen(name) != device_bytes || strncmp(name, device, device_bytes) != 0)) {
			continue;
		}
		if (sensor_try(info->dev, channel, out)) {
			return 0;
		}
	}
	return NOT_FOUND;
}

static int sensor_measure(const char *name, int64_t *out)
{
	const char *slash = strchr(name, '/'), *channel = slash != NULL ? slash + 1 : name;

	for (size_t i = 0; i < ARRAY_SIZE(channels); i++) {
		if (strcmp(channels[i].name, channel) == 0) {
			return sensor_of(name, slash != NULL ? slash - name : 0,
					 channels[i].channel, out);
		}
	}
	return NOT_FOUND;
}

#else

static int sensor_measure(const char *name, int64_t *out)
{
	return NOT_FOUND;
}

#endif

/* ---- all ------------------------------------------------------------------------------------*/

static int storage_status(int err)
{
	return err >= 0 ? err : err == -ENOENT ? NOT_FOUND : err == -EMSGSIZE ? TOO_LONG : FAILED;
}

uint32_t capabilities(void)
{
	return (IS_ENABLED(CONFIG_PROPLET_CAP_GPIO) && PINS ? 1u << AGENT_CAP_GPIO : 0) |
	       (IS_ENABLED(CONFIG_PROPLET_CAP_SENSOR) ? 1u << AGENT_CAP_SENSOR : 0) |
	       (CONFIG_PROPLET_KV_ENTRIES > 0 ? 1u << AGENT_CAP_KV : 0) | 1u << AGENT_CAP_TIME |
	       1u << AGENT_CAP_PUBLISH;
}

static int kv_read(const struct agent_action *action, struct agent_event *out)
{
	int n = settings_kv_get(action->host.scope, action->host.name, value, sizeof(value));

	out->host.data = value;
	out->host.data_bytes = n < 0 ? 0 : n;
	return storage_status(n);
}

void capability_do(const struct agent_action *action, struct agent_event *out)
{
	const int32_t *v = action->host.value;
	int status = DENIED;

	switch (action->host.op) {
	case AGENT_HOST_GPIO_READ:
		status = pin_read(v[0], &out->host.value);
		break;
	case AGENT_HOST_GPIO_WRITE:
		status = pin_write(v[0], v[1]);
		break;
	case AGENT_HOST_SENSOR:
		status = sensor_measure(action->host.name, &out->host.value);
		break;
	case AGENT_HOST_KV_GET:
		status = kv_read(action, out);
		break;
	case AGENT_HOST_KV_SET:
		status =
			storage_status(settings_kv_put(action->host.scope, action->host.name,
						       action->host.data, action->host.data_bytes));
		break;
	case AGENT_HOST_KV_DELETE:
		status = storage_status(settings_kv_delete(action->host.scope, action->host.name));
		break;
	}
	out->host.status = status;
}
