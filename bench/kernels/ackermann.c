/* SPDX-License-Identifier: Apache-2.0 */
/* Recursive calls, deep and of several arguments: Ackermann's and Takeuchi's functions. Default
 * n: 3500, on a device 5. */
#include "kernel.h"

static int ackermann(int m, int n)
{
	if (m == 0) {
		return n + 1;
	}
	if (n == 0) {
		return ackermann(m - 1, 1);
	}
	return ackermann(m - 1, ackermann(m, n - 1));
}

static int tak(int x, int y, int z)
{
	if (y >= x) {
		return z;
	}
	return tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y));
}

int run(int n)
{
	int sum = 0;

	for (int i = 0; i < n; i++) {
		sum += ackermann(2, 40 + i % 8) + tak(14, 8 - i % 2, 4);
	}
	return sum;
}
