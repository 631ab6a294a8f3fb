/* SPDX-License-Identifier: Apache-2.0 */
/* printf without a C library in the module: the worker has one built in. What is printed goes to
 * the task's log. */
#include "libc.h"

__attribute__((export_name("hello"))) void hello(void)
{
	static const char *const planets[] = {"Mercury", "Venus", "Earth", "Mars"};
	static const double year_days[] = {87.97, 224.7, 365.26, 686.98};

	printf("hello from a sandbox of a few kilobytes\n");
	for (unsigned i = 0; i < sizeof(planets) / sizeof(planets[0]); i++) {
		printf("%u  %-8s %7.2f days\n", i + 1, planets[i], year_days[i]);
	}
}
