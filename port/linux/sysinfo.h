/* SPDX-License-Identifier: Apache-2.0 */
/* Facts of this machine and process: for the announcement, for node metrics, for seeds and ids. */
#ifndef LINUX_SYSINFO_H
#define LINUX_SYSINFO_H

#include "agent/agent.h"

struct sysinfo_facts {
	char hostname[128], arch[64], os[64], ip[64];
	const char *environment; /* "docker" or "binary" */
	uint64_t total_memory_bytes;
};

uint64_t sysinfo_now_ms(void);   /* monotonic */
int64_t sysinfo_wall_ms(void);   /* since 1970 */
uint64_t sysinfo_random(void);   /* from the kernel */
void sysinfo_uuid(char out[37]); /* a random one, version 4 */
void sysinfo_read(struct sysinfo_facts *out);

/* CPU and memory of this process; percent since the call before. */
struct sysinfo_meter {
	uint64_t wall_ms;
	double cpu_seconds;
};
void sysinfo_measure(struct sysinfo_meter *meter, struct agent_node *out);

#endif
