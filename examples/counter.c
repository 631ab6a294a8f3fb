/* SPDX-License-Identifier: Apache-2.0 */
/* Counts how often it ran on this node, also across a loss of power. Needs the capability kv. */
#include "proplet.h"

PROPLET_EXPORT(counter) int counter(void)
{
	static const char key[] = "runs";
	unsigned runs = 0;

	if (proplet_kv_get(key, sizeof(key) - 1, (char *)&runs, sizeof(runs)) == PROPLET_DENIED) {
		proplet_note("counter: the capability kv was not given");
		return PROPLET_DENIED;
	}
	runs++;
	proplet_kv_set(key, sizeof(key) - 1, (const char *)&runs, sizeof(runs));
	return (int)runs;
}
