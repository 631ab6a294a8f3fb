/* SPDX-License-Identifier: Apache-2.0 */
/* Indirect calls: shapes with methods, and handlers in a table. Default n: 300, on a device 2. */
#include "kernel.h"

#define SHAPES 1024

struct shape;

struct methods {
	int (*area)(const struct shape *);
	int (*edge)(const struct shape *);
	void (*grow)(struct shape *, int);
};

struct shape {
	const struct methods *methods;
	int a, b, c;
};

static int rectangle_area(const struct shape *s)
{
	return s->a * s->b;
}

static int rectangle_edge(const struct shape *s)
{
	return 2 * (s->a + s->b);
}

static void rectangle_grow(struct shape *s, int by)
{
	s->a += by;
	s->b ^= by;
}

static int triangle_area(const struct shape *s)
{
	return s->a * s->b / 2;
}

static int triangle_edge(const struct shape *s)
{
	return s->a + s->b + s->c;
}

static void triangle_grow(struct shape *s, int by)
{
	s->c += by;
	s->a = (s->a + s->c) & 1023;
}

static int circle_area(const struct shape *s)
{
	return 355 * s->a / 113 * s->a;
}

static int circle_edge(const struct shape *s)
{
	return 710 * s->a / 113;
}

static void circle_grow(struct shape *s, int by)
{
	s->a = (s->a + by) & 2047;
}

static const struct methods classes[] = {
	{rectangle_area, rectangle_edge, rectangle_grow},
	{triangle_area, triangle_edge, triangle_grow},
	{circle_area, circle_edge, circle_grow},
};
static struct shape shapes[SHAPES];

int run(int n)
{
	uint32_t random = 99, sum = 0;

	for (int i = 0; i < SHAPES; i++) {
		uint32_t r = kernel_random(&random);

		shapes[i] = (struct shape){&classes[r % 3], (int)(r >> 8 & 255),
					   (int)(r >> 16 & 255), (int)(r >> 24)};
	}
	for (int round = 0; round < n * 8; round++) {
		for (int i = 0; i < SHAPES; i++) {
			struct shape *s = &shapes[i];

			sum += (uint32_t)s->methods->area(s);
			s->methods->grow(s, (round + i) & 3);
			sum ^= (uint32_t)s->methods->edge(s);
		}
	}
	return (int)sum;
}
