/* SPDX-License-Identifier: Apache-2.0 */
/* The engines of this build: engines_rotor.c alone, or engines_wamr.c with an installed WAMR. */
#ifndef LINUX_ENGINES_H
#define LINUX_ENGINES_H

#include "agent/engine.h"

/* The engine of that name, ready to be used; NULL, with a line in the log, when there is none.
 * pool_bytes: of an engine that has a heap of its own. */
const struct agent_engine *engines_find(const char *name, size_t pool_bytes);

#endif
