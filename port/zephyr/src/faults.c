/* SPDX-License-Identifier: Apache-2.0 */
/* Ways for the main loop to fail, for tests of what happens then. */
#include <string.h>

#include <zephyr/kernel.h>

#include "app.h"

void fault_do(const char *what)
{
	void (*nowhere)(void) = (void (*)(void))(uintptr_t)0xe0000001;

	while (strcmp(what, "hang") == 0) {
		k_busy_wait(1000);
	}
	if (strcmp(what, "panic") == 0) {
		k_panic();
	}
	if (strcmp(what, "fault") == 0) {
		nowhere(); /* where no processor can execute */
	}
}
