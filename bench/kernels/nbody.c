/* SPDX-License-Identifier: Apache-2.0 */
/* 64-bit floats, dependent chains, square roots: five bodies under gravity. Default n: 350000, on a device 300. */
#include "kernel.h"

#define BODIES 5

struct body {
	double x, y, z, vx, vy, vz, mass;
};

static struct body bodies[BODIES];

static void start(void)
{
	uint32_t random = 11;

	for (int i = 0; i < BODIES; i++) {
		struct body *b = &bodies[i];

		b->x = (double)(kernel_random(&random) % 2000) / 100 - 10;
		b->y = (double)(kernel_random(&random) % 2000) / 100 - 10;
		b->z = (double)(kernel_random(&random) % 2000) / 100 - 10;
		b->vx = (double)(kernel_random(&random) % 200) / 100 - 1;
		b->vy = (double)(kernel_random(&random) % 200) / 100 - 1;
		b->vz = (double)(kernel_random(&random) % 200) / 100 - 1;
		b->mass = i == 0 ? 39.5 : 0.01 * (i + 1);
	}
}

static void attract(struct body *a, struct body *b, double dt)
{
	double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
	double square = dx * dx + dy * dy + dz * dz + 0.01;
	double pull = dt / (square * __builtin_sqrt(square));

	a->vx -= dx * b->mass * pull;
	a->vy -= dy * b->mass * pull;
	a->vz -= dz * b->mass * pull;
	b->vx += dx * a->mass * pull;
	b->vy += dy * a->mass * pull;
	b->vz += dz * a->mass * pull;
}

int run(int n)
{
	double sum = 0;

	start();
	for (int step = 0; step < n; step++) {
		for (int i = 0; i < BODIES; i++) {
			for (int j = i + 1; j < BODIES; j++) {
				attract(&bodies[i], &bodies[j], 0.001);
			}
		}
		for (int i = 0; i < BODIES; i++) {
			bodies[i].x += 0.001 * bodies[i].vx;
			bodies[i].y += 0.001 * bodies[i].vy;
			bodies[i].z += 0.001 * bodies[i].vz;
		}
	}
	for (int i = 0; i < BODIES; i++) {
		sum += bodies[i].x + bodies[i].y * 2 + bodies[i].z * 3;
	}
	return (int)(sum * 1000);
}
