/* SPDX-License-Identifier: Apache-2.0 */
/* Divides by zero four calls deep: the task fails with the reason and a backtrace of names, and
 * nothing else on the node notices. */

#define KEEP __attribute__((noinline))

KEEP static int ratio(int litres, int seconds)
{
	return litres / seconds;
}

KEEP static int flow_rate(int litres, int seconds)
{
	return ratio(litres, seconds) * 60;
}

KEEP static int pump_report(int pump)
{
	return flow_rate(100 + pump, pump - 3) + 1;
}

__attribute__((export_name("crash"))) int crash(void)
{
	int total = 0;

	for (int pump = 1; pump <= 4; pump++) {
		total += pump_report(pump);
	}
	return total;
}
