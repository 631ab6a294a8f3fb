/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "port/linux/engines.h"
#include "port/linux/log.h"
#include "port/wamr/wamr.h"

const struct agent_engine *engines_find(const char *name, size_t pool_bytes)
{
	if (strcmp(name, agent_engine_rotor.name) == 0) {
		return &agent_engine_rotor;
	}
	if (strcmp(name, agent_engine_wamr.name) == 0) {
		void *pool = malloc(pool_bytes); /* as long as the program runs */

		if (pool != NULL && agent_engine_wamr_init(pool, pool_bytes)) {
			return &agent_engine_wamr;
		}
		LOG_E("the engine wamr does not start", "pool=%zu", pool_bytes);
		return NULL;
	}
	LOG_E("unknown engine; this program has: rotor, wamr", "engine=%s", name);
	return NULL;
}
