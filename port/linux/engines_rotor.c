/* SPDX-License-Identifier: Apache-2.0 */
#include "port/linux/engines.h"
#include "port/linux/log.h"

const struct agent_engine *engines_find(const char *name, size_t pool_bytes)
{
	if (strcmp(name, agent_engine_rotor.name) == 0) {
		return &agent_engine_rotor;
	}
	LOG_E("unknown engine; this program has: rotor", "engine=%s", name);
	return NULL;
}
