/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the firmware around the agent: what the main loop waits for, what it carries out.
 */
#ifndef APP_H
#define APP_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/agent.h"

/* Requests of the shell to the main loop. */
enum app_request_kind {
	APP_REQUEST_STOP,
	APP_REQUEST_REBOOT,
	APP_REQUEST_FAULT /* of faults.c; id says which */
};
struct app_request {
	enum app_request_kind kind;
	char id[AGENT_ID_BYTES_MAX + 1];
};

extern struct agent *app_agent;
/* Held by the main loop around agent_step and by the shell while it looks inside. */
extern struct k_mutex app_lock;

/* ---- events.c: what happens ---- */

/* Waits for the next event, until wake_ms at the latest. */
void events_next(struct agent_event *out, uint64_t wake_ms);
/* An answer for the agent, made by the main loop itself. */
void events_push(const struct agent_event *event);
/* From any thread; false when too many wait. */
bool events_request(const struct app_request *request);
void events_start(void);

/* ---- actions.c: what is to be done ---- */

void actions_do(const struct agent_actions *actions);

/* ---- wamr.c: the engine, started; to be called once ---- */

#if defined(CONFIG_PROPLET_ENGINE_WAMR)
const struct agent_engine *engine(void);
#else
static inline const struct agent_engine *engine(void)
{
	return &agent_engine_rotor;
}
#endif

/* ---- trust.c: whose native images it runs ---- */

/* With CONFIG_PROPLET_NATIVE: the keys of the settings. Lent for good. */
const struct rotor_image_policy *trust_policy(void);

/* ---- node.c: who this worker is ---- */

/* Fills in the configuration from the settings; false, with a line in the log, while something
 * without which it cannot work is missing. */
bool node_configure(struct agent_config *config);
/* Facts that change, for AGENT_EVENT_NODE; lent until the next call. */
const struct agent_node *node_facts(void);
/* The address, when it changed. */
void node_refresh(void);

/* ---- panic.c: why the last run ended ---- */

/* Takes over what the last run left; to be called once, first. */
void panic_init(void);
/* One line, or "" if the last run ended well. */
const char *panic_text(void);
/* Publishes the line once, when the connection is there. */
void panic_report(const struct agent_config *config);
/* What the main loop is at: '>' with the kind of an event, '<' with that of an action. */
void panic_step(char what, uint8_t kind);
/* The watchdog's warning, in an interrupt: keeps the step and resets. */
void panic_watchdog(void);

/* ---- watchdog.c ---- */

#if defined(CONFIG_PROPLET_WATCHDOG)
void watchdog_start(void);
void watchdog_feed(void);
#else
static inline void watchdog_start(void)
{
}
static inline void watchdog_feed(void)
{
}
#endif

/* ---- store.c: modules in flash ---- */

/* Bytes of the partition; 0 when there is none. */
uint32_t store_init(void);
/* Carries out a STORE action; true with the answer filled in if there is one. */
bool store_do(const struct agent_action *action, struct agent_event *out);
/* Fetches the bytes of an answer STORE_DATA, just before it is handed in. */
void store_load(struct agent_event *event);

/* ---- capabilities.c ---- */

/* Bits of enum agent_cap that this board offers. */
uint32_t capabilities(void);
/* Carries out a HOST_CALL; the answer is at once. */
void capability_do(const struct agent_action *action, struct agent_event *out);

/* ---- faults.c: what tests break ---- */

#if defined(CONFIG_PROPLET_FAULTS)
/* In the main loop: "hang", "panic" or "fault"; does not return, unless it is another word. */
void fault_do(const char *what);
#else
static inline void fault_do(const char *what)
{
}
#endif

/* ---- steps.c: events and actions by name; what and kind as in panic_step ---- */

const char *app_step_name(char what, uint8_t kind);

/* ---- trace: the last events and actions, for the shell ---- */

struct trace_entry {
	uint32_t at_ms;
	char what; /* '>' an event, '<' an action */
	uint8_t kind;
	uint16_t detail;
};

#if defined(CONFIG_PROPLET_SHELL)
void trace_add(char what, uint8_t kind, uint16_t detail);
#else
static inline void trace_add(char what, uint8_t kind, uint16_t detail)
{
}
#endif

#endif
