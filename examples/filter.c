/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cleans up what a sensor measured: the median of the last five samples removes spikes, a
 * second-order low-pass (Butterworth, cut-off a tenth of the sampling rate) smooths the rest.
 *
 * In:  samples, one input each
 * Out: the filtered value of the last sample; with --invoke trace all of them, published one by one
 */
#include "libc.h"
#include "proplet.h"

#define WINDOW 5

struct ring {
	float samples[WINDOW];
	unsigned next, count;
};

/* Transposed direct form II. */
struct biquad {
	float b0, b1, b2, a1, a2;
	float z1, z2;
};

static struct ring ring;
static struct biquad low_pass = {.b0 = 0.06745527f,
				 .b1 = 0.13491055f,
				 .b2 = 0.06745527f,
				 .a1 = -1.1429805f,
				 .a2 = 0.4128016f};

static void ring_put(struct ring *r, float sample)
{
	r->samples[r->next] = sample;
	r->next = (r->next + 1) % WINDOW;
	if (r->count < WINDOW) {
		r->count++;
	}
}

static float ring_median(const struct ring *r)
{
	float sorted[WINDOW];

	for (unsigned i = 0; i < r->count; i++) {
		unsigned at = i;

		for (; at > 0 && sorted[at - 1] > r->samples[i]; at--) {
			sorted[at] = sorted[at - 1];
		}
		sorted[at] = r->samples[i];
	}
	return sorted[r->count / 2];
}

static float biquad_step(struct biquad *f, float in)
{
	float out = f->b0 * in + f->z1;

	f->z1 = f->b1 * in - f->a1 * out + f->z2;
	f->z2 = f->b2 * in - f->a2 * out;
	return out;
}

/* Starts settled on the first sample instead of climbing from 0. */
static void biquad_settle(struct biquad *f, float at)
{
	f->z2 = (f->b2 - f->a2) * at;
	f->z1 = (f->b1 - f->a1) * at + f->z2;
}

static float filter_step(int idx)
{
	ring_put(&ring, (float)proplet_input_f64(idx));
	if (idx == 0) {
		biquad_settle(&low_pass, ring_median(&ring));
	}
	return biquad_step(&low_pass, ring_median(&ring));
}

PROPLET_EXPORT(filter) float filter(void)
{
	float out = 0;

	for (int i = 0; i < proplet_input_count(); i++) {
		out = filter_step(i);
	}
	return out;
}

PROPLET_EXPORT(trace) void trace(void)
{
	char line[48];

	for (int i = 0; i < proplet_input_count(); i++) {
		double out = filter_step(i);

		proplet_publish(line, snprintf(line, sizeof(line), "%.3f", out));
	}
}
