/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A daemon: reads a sensor every so often and publishes an average of each eight readings.
 *
 * In:  name of the sensor (temperature), milliseconds between readings (100), averages to publish
 *      before it ends (0: never ends)
 * Out: one JSON object for each average
 * Needs the capabilities sensor and time.
 */
#include "libc.h"
#include "proplet.h"

#define BATCH 8

static char sensor[32] = "temperature";
static int sensor_len = 11;
static int interval_ms = 100;
static int rounds;

static void settings(void)
{
	int given = proplet_input_count();

	if (given > 0) {
		sensor_len = proplet_input_copy(0, sensor, sizeof(sensor));
	}
	if (sensor_len > (int)sizeof(sensor)) {
		sensor_len = sizeof(sensor);
	}
	if (given > 1) {
		interval_ms = (int)proplet_input_i64(1);
	}
	if (given > 2) {
		rounds = (int)proplet_input_i64(2);
	}
}

static int average(double *out)
{
	double sum = 0;

	for (int i = 0; i < BATCH; i++) {
		double value = 0;
		int error = proplet_sensor_read(sensor, sensor_len, &value);

		if (error != PROPLET_OK) {
			return error;
		}
		sum += value;
		error = proplet_sleep_ms(interval_ms);
		if (error != PROPLET_OK) {
			return error;
		}
	}
	*out = sum / BATCH;
	return PROPLET_OK;
}

PROPLET_EXPORT(readings) int readings(void)
{
	char line[96];

	settings();
	for (int i = 0; rounds == 0 || i < rounds; i++) {
		double value = 0;
		int error = average(&value);

		if (error != PROPLET_OK) {
			proplet_note("readings: no such sensor, or the capabilities sensor and "
				     "time were not given");
			return error;
		}
		proplet_publish(line, snprintf(line, sizeof(line),
					       "{\"sensor\":\"%.*s\",\"n\":%d,\"mean\":%.2f}",
					       sensor_len, sensor, i + 1, value));
	}
	return PROPLET_OK;
}
