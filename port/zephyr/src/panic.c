/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why the last run ended, kept in RAM that a reset leaves alone.
 *
 * In:    Zephyr's fatal errors, the watchdog's warning, the reset cause of the hardware
 * Out:   one line for the log, the shell and P/control/proplet/event
 * Rules: 1. The record counts only with its magic and check word, so RAM after power-on is nothing.
 *        2. A fatal error ends in a reset: a device in the field has nobody to press the button.
 */
#include <stdio.h>
#include <string.h>

#include <zephyr/drivers/hwinfo.h>
#include <zephyr/fatal.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/logging/log_ctrl.h>
#include <zephyr/sys/reboot.h>

#include "app.h"
#include "compat.h"
#include "mqtt.h"

LOG_MODULE_DECLARE(proplet, CONFIG_PROPLET_LOG_LEVEL);

#define MAGIC           0x43494e50u
#define REASON_WATCHDOG 0x100u /* beside Zephyr's own */

struct record {
	uint32_t magic, reason, pc, uptime_ms, step, check;
	char thread[16];
};

static __noinit struct record record;
static char text[128];
static uint32_t step; /* what the main loop is at: its sign << 8 | kind */
static bool reported;

static uint32_t check_of(const struct record *r)
{
	return ~(r->magic ^ r->reason * 3 ^ r->pc * 5 ^ r->uptime_ms * 7 ^ r->step * 11);
}

static const char *reason_text(uint32_t reason)
{
	switch (reason) {
	case K_ERR_CPU_EXCEPTION:
		return "CPU exception";
	case K_ERR_SPURIOUS_IRQ:
		return "unexpected interrupt";
	case K_ERR_STACK_CHK_FAIL:
		return "stack overflow";
	case K_ERR_KERNEL_OOPS:
		return "kernel oops";
	case K_ERR_KERNEL_PANIC:
		return "panic";
	case REASON_WATCHDOG:
		return "watchdog";
	default:
		return "fault";
	}
}

static void record_say(void)
{
	const char *name = app_step_name(record.step >> 8, record.step & 0xff);

	record.thread[sizeof(record.thread) - 1] = 0;
	snprintf(text, sizeof(text), "%s in %s at 0x%08x after %u s, the main loop at %s",
		 reason_text(record.reason), record.thread, record.pc, record.uptime_ms / 1000,
		 name);
}

void panic_init(void)
{
	uint32_t cause = 0;

	if (record.magic == MAGIC && record.check == check_of(&record)) {
		record_say();
	} else if (hwinfo_get_reset_cause(&cause) == 0 && (cause & RESET_WATCHDOG) != 0) {
		snprintf(text, sizeof(text), "watchdog: the main loop made no progress");
		(void)hwinfo_clear_reset_cause();
	}
	record.magic = 0;
	if (text[0] != 0) {
		LOG_ERR("the last run ended: %s", text);
	}
}

const char *panic_text(void)
{
	return text;
}

void panic_report(const struct agent_config *config)
{
	char topic[160], payload[256];
	struct agent_action action = {.kind = AGENT_ACTION_PUBLISH};

	if (reported || text[0] == 0 || !mqtt_is_up()) {
		return;
	}
	reported = true;
	snprintf(topic, sizeof(topic), "m/%s/c/%s/control/proplet/event", config->tenant_id,
		 config->channel_id);
	snprintf(payload, sizeof(payload),
		 "{\"proplet_id\":\"%s\",\"kind\":\"restart\",\"text\":\"%s\"}", config->proplet_id,
		 text);
	action.publish.topic = topic;
	action.publish.payload = payload;
	action.publish.payload_bytes = strlen(payload);
	mqtt_publish_this(&action);
}

void panic_step(char what, uint8_t kind)
{
	step = (uint32_t)what << 8 | kind;
}

static void record_make(uint32_t reason, uint32_t pc)
{
	const char *name = k_thread_name_get(k_current_get());

	record.magic = MAGIC;
	record.reason = reason;
	record.pc = pc;
	record.uptime_ms = k_uptime_get_32();
	record.step = step;
	record.check = check_of(&record);
	memset(record.thread, 0, sizeof(record.thread));
	strncpy(record.thread, name != NULL ? name : "?", sizeof(record.thread) - 1);
}

/* No line in the log: the interrupt may have met whoever writes one. */
void panic_watchdog(void)
{
	record_make(REASON_WATCHDOG, compat_interrupted_pc());
	sys_reboot(SYS_REBOOT_COLD);
}

void k_sys_fatal_error_handler(unsigned int reason, COMPAT_FATAL_ESF *esf)
{
	record_make(reason, compat_esf_pc(esf));
	LOG_PANIC();
	LOG_ERR("restarting after: %s", reason_text(reason));
	sys_reboot(SYS_REBOOT_COLD);
	CODE_UNREACHABLE;
}
