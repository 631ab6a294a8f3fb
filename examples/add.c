/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest module: exported functions with parameters and a result, nothing imported. */

__attribute__((export_name("add"))) int add(int a, int b)
{
	return a + b;
}

/* Any exported function can be asked for: propctl run --invoke mean ... */
__attribute__((export_name("mean"))) double mean(double a, double b)
{
	return (a + b) / 2;
}
