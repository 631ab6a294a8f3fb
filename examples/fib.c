/* SPDX-License-Identifier: Apache-2.0 */
/* Fibonacci numbers the slow way: nothing but calls. Good for seeing fuel and time limits work. */

__attribute__((export_name("fib"))) long long fib(int n)
{
	return n < 2 ? n : fib(n - 1) + fib(n - 2);
}
