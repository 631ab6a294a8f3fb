/* SPDX-License-Identifier: Apache-2.0 */
/* Strings in and out: greets whoever is named. Deploy it with --latent and call it with
 * propctl invoke. */
#include "proplet.h"

PROPLET_EXPORT(greet) int greet(void)
{
	static char text[128] = "hello, ";
	int at = 7;

	if (proplet_input_count() == 0) {
		return proplet_say("hello, whoever you are");
	}
	int len = proplet_input_copy(0, text + at, (int)sizeof(text) - at);
	if (len > (int)sizeof(text) - at) {
		return proplet_say("hello, you with the long name");
	}
	return proplet_publish(text, at + len);
}
