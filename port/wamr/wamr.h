/* SPDX-License-Identifier: Apache-2.0 */
/* WAMR as the agent's engine: the table of agent/engine.h over wasm_export.h. */
#ifndef WAMR_WAMR_H
#define WAMR_WAMR_H

#include "agent/engine.h"

/* Starts WAMR with a pool of its own, which it keeps: instances, their memories and its forms of
 * modules live there. Once, before the engine is used; false: the pool is too small. */
bool agent_engine_wamr_init(void *pool, size_t bytes);

extern const struct agent_engine agent_engine_wamr;

#endif
