/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The programs of the simulated fleet, and the engine that "runs" them: run(work_ms, behaviour) uses up 1,000 units of
 * fuel for each millisecond of work.
 *
 * Rules: 1. An instance lies in its block like a real one; nothing else is kept.
 *        2. Time passes outside: the world decides when a slice is over and how much it burnt.
 */
#include "sim/sim.h"

#include "base/sha256.h"

#include <stdio.h>

enum {
	MODULES_MAX = 64,
	FUEL_PER_MS = 1000
};

static struct {
	uint8_t bytes[SIM_MODULE_BYTES], digest[32];
	bool made;
} modules[MODULES_MAX];

struct agent_module {
	uint32_t number;
};

struct agent_loader {
	uint8_t head[8];
	uint32_t bytes;
	struct rotor_diag diag;
	void *block;
};

struct agent_instance {
	uint64_t need, used;
	uint32_t behaviour;
	bool interrupted, begun;
};

void module_make(uint32_t number, uint8_t out[SIM_MODULE_BYTES])
{
	struct prng p;

	prng_init(&p, number);
	for (int i = 0; i < SIM_MODULE_BYTES; i++) {
		out[i] = (uint8_t)prng_next(&p);
	}
	memcpy(out, number == SIM_BROKEN_MODULE ? "junk" : "\0asm", 4);
	base_store_u32(out + 4, number);
}

static void make(uint32_t number)
{
	struct sha256 h;

	ASSERT(number < MODULES_MAX);
	if (modules[number].made) {
		return;
	}
	modules[number].made = true;
	module_make(number, modules[number].bytes);
	sha256_init(&h);
	sha256_add(&h, modules[number].bytes, SIM_MODULE_BYTES);
	sha256_end(&h, modules[number].digest);
}

const uint8_t *module_bytes(uint32_t number)
{
	make(number);
	return modules[number].bytes;
}

const uint8_t *module_digest(uint32_t number)
{
	make(number);
	return modules[number].digest;
}

uint32_t module_find(const uint8_t *digest)
{
	for (uint32_t i = 0; i < MODULES_MAX; i++) {
		if (modules[i].made && memcmp(modules[i].digest, digest, 32) == 0) {
			return i;
		}
	}
	return UINT32_MAX;
}

uint64_t sim_instance_left(const struct agent_instance *i)
{
	return i->interrupted ? 0 : i->need > i->used ? i->need - i->used : 0;
}

bool sim_instance_fresh(const struct agent_instance *i)
{
	return i->used == 0 && !i->begun;
}

bool sim_instance_interrupted(const struct agent_instance *i)
{
	return i->interrupted;
}

/* ---- loading ------------------------------------------------------------------------------------------ */

static enum rotor_err load_begin(void *block, size_t block_bytes, struct agent_loader **out)
{
	struct agent_loader *l = block;

	if (block_bytes < sizeof(*l) + sizeof(struct agent_module)) {
		return ROTOR_ERR_MEMORY;
	}
	memset(l, 0, sizeof(*l));
	l->block = block;
	*out = l;
	return ROTOR_OK;
}

static enum rotor_err load_feed(struct agent_loader *l, const void *piece, size_t bytes)
{
	const uint8_t *p = piece;

	for (size_t i = 0; i < bytes; i++, l->bytes++) {
		if (l->bytes < sizeof(l->head)) {
			l->head[l->bytes] = p[i];
		}
	}
	return ROTOR_OK;
}

static enum rotor_err finish(const uint8_t *head, uint32_t bytes, void *block,
			     struct agent_module **out, size_t *used, struct rotor_diag *diag)
{
	struct agent_module m;

	if (bytes != SIM_MODULE_BYTES || memcmp(head, "\0asm", 4) != 0) {
		if (diag != NULL) {
			diag->code = ROTOR_ERR_MALFORMED;
			snprintf(diag->text, sizeof(diag->text), "no module");
		}
		return ROTOR_ERR_MALFORMED;
	}
	m.number = base_load_u32(head + 4);
	memcpy(block, &m, sizeof(m));
	*out = block;
	*used = base_align_up(sizeof(m), 8);
	return ROTOR_OK;
}

static enum rotor_err load_end(struct agent_loader *l, struct agent_module **out, size_t *used)
{
	uint8_t head[8];

	memcpy(head, l->head, sizeof(head));
	return finish(head, l->bytes, l->block, out, used, &l->diag);
}

static const struct rotor_diag *load_diag(const struct agent_loader *l)
{
	return &l->diag;
}

static void load_drop(struct agent_loader *l)
{
	memset(l, 0, sizeof(*l));
}

static enum rotor_err load_mapped(void *block, size_t block_bytes, const void *wasm,
				  size_t wasm_bytes, struct agent_module **out, size_t *used,
				  struct rotor_diag *diag)
{
	if (block_bytes < 64) {
		return ROTOR_ERR_MEMORY;
	}
	return finish(wasm, (uint32_t)wasm_bytes, block, out, used, diag);
}

static void unload(struct agent_module *m)
{
	(void)m;
}

/* ---- facts -------------------------------------------------------------------------------------------- */

static void facts(const struct agent_module *m, struct agent_module_facts *out)
{
	(void)m;
	*out = (struct agent_module_facts){
		.func_count = 1, .memory_bytes_min = 512, .memory_bytes_used = 512};
}

static bool find(const struct agent_module *m, const char *name, uint32_t name_bytes,
		 struct agent_func *out)
{
	static const uint8_t types[] = {ROTOR_I32, ROTOR_I32, ROTOR_I32};

	(void)m;
	if (name_bytes != 3 || memcmp(name, "run", 3) != 0) {
		return false;
	}
	*out = (struct agent_func){.idx = 0,
				   .type = {.param_count = 2, .result_count = 1, .types = types}};
	return true;
}

static bool import(const struct agent_module *m, uint32_t i, struct rotor_import *out)
{
	(void)m, (void)i, (void)out;
	return false;
}

static bool export_name(const struct agent_module *m, uint32_t i, const char **name,
			uint32_t *bytes)
{
	(void)m;
	*name = "run";
	*bytes = 3;
	return i == 0;
}

/* ---- running ------------------------------------------------------------------------------------------ */

static size_t instance_bytes(const struct agent_module *m, const struct rotor_limits *limits)
{
	(void)limits;
	return m->number == SIM_GREEDY_MODULE ? 1u << 30 : 1024;
}

static enum rotor_err instantiate(void *block, size_t block_bytes, struct agent_module *m,
				  struct agent_run *run, const struct rotor_limits *limits,
				  struct agent_instance **out, struct rotor_diag *diag)
{
	(void)m, (void)run, (void)limits, (void)diag;
	if (block_bytes < 1024) {
		return ROTOR_ERR_MEMORY;
	}
	memset(block, 0, sizeof(struct agent_instance));
	*out = block;
	return ROTOR_OK;
}

static void release(struct agent_instance *i)
{
	memset(i, 0, sizeof(*i));
}

static enum rotor_err call(struct agent_instance *i, uint32_t func_idx,
			   const struct rotor_value *args, uint32_t count, struct rotor_diag *diag)
{
	(void)func_idx, (void)diag;
	if (count != 2) {
		return ROTOR_ERR_ARGUMENT;
	}
	i->need = (uint64_t)args[0].u32 * FUEL_PER_MS;
	i->behaviour = args[1].u32;
	if (i->behaviour == SIM_ENDLESS) {
		i->need = UINT64_MAX / 2;
	}
	return ROTOR_OK;
}

static enum agent_run_status run(struct agent_instance *i, uint64_t fuel)
{
	i->interrupted = false;
	i->begun = true;
	if (i->need - i->used > fuel) {
		i->used += fuel;
		return AGENT_RUN_FUEL;
	}
	i->used = i->need;
	return i->behaviour == SIM_TRAPS ? AGENT_RUN_TRAP : AGENT_RUN_DONE;
}

static void answer(struct agent_instance *i, int32_t result, const char *trap)
{
	(void)i, (void)result, (void)trap;
}

static bool again(struct agent_instance *i)
{
	(void)i;
	return true;
}

static uint32_t heap_alloc(struct agent_instance *i, uint32_t bytes)
{
	(void)i, (void)bytes;
	return 0;
}

static void interrupt(struct agent_instance *i)
{
	i->interrupted = true;
}

static uint32_t results(struct agent_instance *i, struct rotor_value *out, uint32_t cap)
{
	if (cap != 0) {
		out[0] = (struct rotor_value){.type = ROTOR_I32,
					      .u32 = (uint32_t)(i->used / FUEL_PER_MS)};
	}
	return 1;
}

static void *memory_at(struct agent_instance *i, uint32_t at, uint32_t bytes)
{
	return at <= 512 && bytes <= 512 - at ? (uint8_t *)i + 512 + at : NULL;
}

static uint64_t memory_bytes(struct agent_instance *i)
{
	(void)i;
	return 512;
}

static uint64_t fuel_used(const struct agent_instance *i)
{
	return i->used;
}

static uint32_t stack_peak(const struct agent_instance *i)
{
	(void)i;
	return 64;
}

static void ending(const struct agent_instance *i, struct agent_ending *out)
{
	(void)i;
	*out = (struct agent_ending){
		.trap = ROTOR_TRAP_UNREACHABLE, .text = "unreachable", .detail = ""};
}

static bool frame(const struct agent_instance *i, uint32_t n, struct rotor_frame *out)
{
	(void)i, (void)n, (void)out;
	return false;
}

static const char *const features[] = {"multivalue", "bulk", NULL};

const struct agent_engine sim_engine = {
	.name = "rotor",
	.features = features,
	.load_begin = load_begin,
	.load_feed = load_feed,
	.load_end = load_end,
	.load_diag = load_diag,
	.load_drop = load_drop,
	.load_mapped = load_mapped,
	.unload = unload,
	.facts = facts,
	.find = find,
	.import = import,
	.export_name = export_name,
	.instance_bytes = instance_bytes,
	.instantiate = instantiate,
	.release = release,
	.call = call,
	.run = run,
	.answer = answer,
	.again = again,
	.heap_alloc = heap_alloc,
	.interrupt = interrupt,
	.results = results,
	.memory_at = memory_at,
	.memory_bytes = memory_bytes,
	.fuel_used = fuel_used,
	.stack_peak = stack_peak,
	.ending = ending,
	.frame = frame,
};
