/* SPDX-License-Identifier: Apache-2.0 */
/* 64-bit floats in locals, a data-dependent loop: the Mandelbrot set. Default n: 550, on a device 20. */
#include "kernel.h"

static int escape(double cx, double cy)
{
	double x = 0, y = 0;
	int i = 0;

	while (i < 100) {
		double xx = x * x, yy = y * y;

		if (xx + yy > 4) {
			break;
		}
		y = 2 * x * y + cy;
		x = xx - yy + cx;
		i++;
	}
	return i;
}

int run(int n)
{
	uint32_t sum = 0;

	for (int row = 0; row < n; row++) {
		for (int column = 0; column < n; column++) {
			sum = kernel_mix(sum,
					 (uint32_t)escape(3.0 * column / n - 2, 2.0 * row / n - 1));
		}
	}
	return (int)sum;
}
