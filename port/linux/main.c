/* SPDX-License-Identifier: Apache-2.0 */
/* proplet: the worker on Linux. */
#include "port/linux/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void loop(struct worker *w)
{
	struct agent_event event = {.kind = AGENT_EVENT_TICK};

	event.now_ms = sysinfo_now_ms();
	event.wall_ms = sysinfo_wall_ms();
	do {
		agent_step(w->agent, &event, &w->actions);
		worker_act(w);
		while (!w->done && !worker_next_event(w, &event)) {
		}
	} while (!w->done);
}

int main(int argc, char **argv)
{
	static struct worker w;
	int err;

	switch (config_read(&w.config, argc, argv, environ)) {
	case CONFIG_EXIT_OK:
		config_free(&w.config);
		return 0;
	case CONFIG_EXIT_USAGE:
		return 64;
	case CONFIG_RUN:
		break;
	}
	err = worker_start(&w);
	if (err == 0) {
		loop(&w);
		LOG_I("ended", "%s", "");
		worker_end(&w);
	}
	return err;
}
