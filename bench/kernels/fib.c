/* SPDX-License-Identifier: Apache-2.0 */
/* Recursive calls of one argument: Fibonacci numbers. Default n: 36, on a device 18. */
#include "kernel.h"

static int fib(int n)
{
	return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

int run(int n)
{
	return fib(n);
}
