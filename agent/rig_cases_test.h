/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent's test programs share: looking for lines of the rig's log, a worker that is online. */
#ifndef AGENT_RIG_CASES_TEST_H
#define AGENT_RIG_CASES_TEST_H

#include "agent/rig_test.h"
#include "test/test.h"

#define SAW(text)                                                                                  \
	do {                                                                                       \
		if (!rig_saw(r, text)) {                                                           \
			TEST_FAIL("not seen: %s\n in\n%s", text, r->log);                          \
		}                                                                                  \
	} while (0)
#define NOT(text)                                                                                  \
	do {                                                                                       \
		if (rig_saw(r, text)) {                                                            \
			TEST_FAIL("seen: %s\n in\n%s", text, r->log);                              \
		}                                                                                  \
	} while (0)

static inline struct rig *ready(void)
{
	struct rig *r = rig_new();

	rig_boot(r);
	rig_online(r);
	rig_run(r, 1);
	return r;
}

/* All is given back: no task, and the pool is whole but for cached modules. */
static inline void expect_rest(struct rig *r)
{
	struct agent_stats s;

	agent_stats(r->agent, &s);
	EXPECT_EQ(s.tasks_used, 0);
}

#endif
