/* SPDX-License-Identifier: Apache-2.0 */
/* 32-bit floats: a cascade of biquad filters and a convolution over a synthetic signal. Default
 * n: 400, on a device 1. */
#include "kernel.h"

#define SAMPLES 4096
#define TAPS    24

struct biquad {
	float b0, b1, b2, a1, a2, z1, z2;
};

static float signal[SAMPLES], out[SAMPLES], taps[TAPS];
static struct biquad stages[3] = {
	{0.0675f, 0.1349f, 0.0675f, -1.1430f, 0.4128f, 0, 0},
	{0.2066f, 0.4131f, 0.2066f, -0.3695f, 0.1958f, 0, 0},
	{0.9565f, -1.9131f, 0.9565f, -1.9112f, 0.9150f, 0, 0},
};

static float biquad_step(struct biquad *s, float x)
{
	float y = s->b0 * x + s->z1;

	s->z1 = s->b1 * x - s->a1 * y + s->z2;
	s->z2 = s->b2 * x - s->a2 * y;
	return y;
}

static void convolve(void)
{
	for (int i = 0; i + TAPS <= SAMPLES; i++) {
		float sum = 0;

		for (int k = 0; k < TAPS; k++) {
			sum += out[i + k] * taps[k];
		}
		signal[i] = sum * 0.5f + signal[i] * 0.5f;
	}
}

int run(int n)
{
	uint32_t random = 7;

	for (int i = 0; i < SAMPLES; i++) {
		signal[i] = (float)(int32_t)kernel_random(&random) * (1.0f / 2147483648.0f);
	}
	for (int i = 0; i < TAPS; i++) {
		taps[i] = 1.0f / (float)(TAPS + i);
	}
	for (int round = 0; round < n; round++) {
		for (int i = 0; i < SAMPLES; i++) {
			float x = signal[i];

			for (int s = 0; s < 3; s++) {
				x = biquad_step(&stages[s], x);
			}
			out[i] = x;
		}
		convolve();
		signal[round % SAMPLES] += 1.0f;
	}
	float sum = 0;
	for (int i = 0; i < SAMPLES; i++) {
		sum += signal[i] < 0 ? -signal[i] : signal[i];
	}
	return (int)(sum * 1000.0f);
}
