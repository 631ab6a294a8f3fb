/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WAMR behind agent/engine.h.
 *
 * In:    blocks of the agent's pool (module bytes, bookkeeping), WAMR's pool (all else)
 * Out:   the rows of agent_engine_wamr
 * Owns:  WAMR's runtime; a thread for each call that is under way (sync.h)
 * States of an instance:
 *        IDLE --call, run--> RUNNING <--> PENDING (a host function waits for its answer)
 *                               +--> DONE or TRAPPED --call--> ...
 * Rules: 1. WAMR cannot stop in the middle and go on, so a call has a thread of its own. run waits
 *           for it, for SLICE_MS at most; the program goes on meanwhile.
 *        2. Host functions are carried out only inside a run: nothing of the agent is touched between.
 *        3. release ends a call by wasm_runtime_terminate, which loops and calls heed, and joins.
 * Not:   fuel, save and attach, WASI, start functions (they would run where nothing can stop them):
 *        refused with a reason. What a program prints goes to the process's output, not to the log.
 */
#include "port/wamr/wamr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wasm_export.h>

#include "agent/host.h"
#include "agent/host_list.h"
#include "port/wamr/sync.h"

enum {
	SLICE_MS = 10,
	VALUES_MAX = 64,
	FRAMES_MAX = 8,
	FRAME_NAME_BYTES = 48,
	NATIVES_MAX = 24,
	TRACE_BYTES = 640,
};

struct agent_module {
	wasm_module_t wasm;
	uint64_t memory_bytes_min;
	uint8_t *types; /* of exported functions, one after the other */
	uint32_t bytes;
	bool has_start;
	uint8_t image[]; /* WAMR writes into it */
};

struct agent_loader {
	struct rotor_diag diag;
	struct agent_module *module;
	size_t cap; /* of the image and the types */
};

enum state {
	IDLE,
	RUNNING,
	PENDING,
	DONE,
	TRAPPED
};

struct agent_instance {
	struct agent_module *module;
	struct agent_run *run;
	wasm_module_inst_t wasm;
	wasm_exec_env_t env;
	wasm_function_inst_t func;
	struct sync sync;
	enum state state;
	bool threaded, inside, answered, quit, interrupted, exited;
	uint32_t arg_count, result_count;
	wasm_val_t args[VALUES_MAX], results[VALUES_MAX];
	int32_t answer;
	const char *answer_trap;
	char trap_text[96];
	uint32_t frame_count;
	struct {
		uint32_t func_idx, offset;
		char name[FRAME_NAME_BYTES];
	} frames[FRAMES_MAX];
};

/* ---- host functions ----------------------------------------------------------------------------*/

static void native(wasm_exec_env_t env, uint64_t *cells)
{
	wasm_module_inst_t wasm = wasm_runtime_get_module_inst(env);
	struct agent_instance *i = wasm_runtime_get_custom_data(wasm);
	const struct agent_host_row *row = wasm_runtime_get_function_attachment(env);
	struct agent_call call = {0};
	const char *types = row->type;
	enum rotor_host how = ROTOR_HOST_TRAP;

	for (uint32_t k = 0; types[k] != ')'; k++) {
		call.arg[k] = types[k] == 'i' || types[k] == 'f' ? (uint32_t)cells[k] : cells[k];
	}
	sync_lock(&i->sync);
	while (!i->inside && !i->quit) {
		sync_wait(&i->sync);
	}
	if (!i->quit) {
		how = row->fn(i->run, &call);
	}
	if (how == ROTOR_HOST_LATER) {
		i->answered = false;
		i->state = PENDING;
		sync_tell(&i->sync);
		while (!(i->answered && i->state == RUNNING) && !i->quit) {
			sync_wait(&i->sync);
		}
		call.result = (uint32_t)i->answer;
		call.trap = i->answer_trap;
	}
	if (i->quit) {
		wasm_runtime_set_exception(wasm, "terminated");
	} else if (how == ROTOR_HOST_TRAP || (how == ROTOR_HOST_LATER && call.trap != NULL)) {
		wasm_runtime_set_exception(wasm, call.trap != NULL ? call.trap : "refused");
	} else if (strchr(types, ')')[1] != 0) {
		cells[0] = call.result;
	}
	sync_unlock(&i->sync);
}

#define X(name, type, fn) {name, (void *)native, "(" type, NULL},
static NativeSymbol proplet_natives[] = {AGENT_HOST_LIST(X)};
static NativeSymbol env_natives[] = {AGENT_HOST_LIST(X) AGENT_HOST_ENV_LIST(X)};
#undef X

bool agent_engine_wamr_init(void *pool, size_t bytes)
{
	RuntimeInitArgs args = {.mem_alloc_type = Alloc_With_Pool};

	for (uint32_t k = 0; k < BASE_COUNT(env_natives); k++) {
		env_natives[k].attachment = (void *)(uintptr_t)&agent_host_rows[k];
	}
	for (uint32_t k = 0; k < BASE_COUNT(proplet_natives); k++) {
		proplet_natives[k].attachment = (void *)(uintptr_t)&agent_host_rows[k];
	}
	args.mem_alloc_option.pool.heap_buf = pool;
	args.mem_alloc_option.pool.heap_size = (uint32_t)bytes;
	args.max_thread_num = 4;
	if (!wasm_runtime_full_init(&args)) {
		return false;
	}
	wasm_runtime_set_log_level(WASM_LOG_LEVEL_FATAL);
	return wasm_runtime_register_natives_raw("proplet", proplet_natives,
						 BASE_COUNT(proplet_natives)) &&
	       wasm_runtime_register_natives_raw("env", env_natives, BASE_COUNT(env_natives));
}

/* ---- modules -----------------------------------------------------------------------------------*/

static enum rotor_err fail(struct rotor_diag *diag, enum rotor_err code, const char *text,
			   const char *more)
{
	if (diag != NULL) {
		diag->code = code;
		diag->offset = 0;
		snprintf(diag->text, sizeof(diag->text), "%s%s", text, more);
	}
	return code;
}

static enum rotor_err load_begin(void *block, size_t block_bytes, struct agent_loader **out)
{
	struct agent_loader *l = (struct agent_loader *)((char *)block + (block_bytes & ~7u)) - 1;

	if (block_bytes < sizeof(*l) + sizeof(struct agent_module) + 8) {
		return ROTOR_ERR_MEMORY;
	}
	*l = (struct agent_loader){.module = block};
	memset(l->module, 0, sizeof(*l->module));
	l->cap = (size_t)((char *)l - (char *)l->module->image);
	*out = l;
	return ROTOR_OK;
}

static enum rotor_err load_feed(struct agent_loader *l, const void *piece, size_t bytes)
{
	if (bytes > l->cap - l->module->bytes) {
		return fail(&l->diag, ROTOR_ERR_MEMORY, "the block is too small for this module",
			    "");
	}
	memcpy(l->module->image + l->module->bytes, piece, bytes);
	l->module->bytes += (uint32_t)bytes;
	return ROTOR_OK;
}

static uint32_t leb(const uint8_t *at, uint32_t end, uint32_t *from)
{
	uint32_t v = 0;

	for (uint32_t shift = 0; *from < end && shift < 35; shift += 7) {
		uint8_t b = at[(*from)++];

		v |= (uint32_t)(b & 127) << shift;
		if (b < 128) {
			break;
		}
	}
	return v;
}

/* What WAMR's interface does not tell: a start section, the memory's minimum. */
static void look_at_sections(struct agent_module *m)
{
	uint32_t at = 8;

	while (at < m->bytes && m->image[1] == 'a' && m->image[2] == 's') {
		uint8_t id = m->image[at++];
		uint32_t size = leb(m->image, m->bytes, &at), next = at + size;

		m->has_start = m->has_start || id == 8;
		if (id == 5 && leb(m->image, m->bytes, &at) > 0) {
			at++; /* flags */
			m->memory_bytes_min = (uint64_t)leb(m->image, m->bytes, &at) * 65536;
		}
		if (next < at || size > m->bytes) {
			return;
		}
		at = next;
	}
}

static uint8_t type_of(wasm_valkind_t kind)
{
	switch (kind) {
	case WASM_I32:
		return ROTOR_I32;
	case WASM_I64:
		return ROTOR_I64;
	case WASM_F32:
		return ROTOR_F32;
	case WASM_F64:
		return ROTOR_F64;
	case WASM_FUNCREF:
		return ROTOR_FUNCREF;
	default:
		return ROTOR_EXTERNREF;
	}
}

/* Writes the types of a function to out if there is one; how many they are. */
static uint32_t put_types(wasm_func_type_t type, uint8_t *out)
{
	uint32_t params = wasm_func_type_get_param_count(type);
	uint32_t results = wasm_func_type_get_result_count(type);

	for (uint32_t k = 0; out != NULL && k < params + results; k++) {
		out[k] = type_of(k < params ? wasm_func_type_get_param_valkind(type, k)
					    : wasm_func_type_get_result_valkind(type, k - params));
	}
	return params + results;
}

/* Exported function i, counted among functions; where its types are from the first's. */
static bool exported(const struct agent_module *m, uint32_t i, wasm_export_t *out, uint32_t *types)
{
	int32_t count = wasm_runtime_get_export_count(m->wasm);

	*types = 0;
	for (int32_t k = 0; k < count; k++) {
		wasm_runtime_get_export_type(m->wasm, k, out);
		if (out->kind == WASM_IMPORT_EXPORT_KIND_FUNC && i-- == 0) {
			return true;
		}
		if (out->kind == WASM_IMPORT_EXPORT_KIND_FUNC) {
			*types += put_types(out->u.func_type, NULL);
		}
	}
	return false;
}

static enum rotor_err finish(struct agent_module *m, size_t cap, struct rotor_diag *diag,
			     struct agent_module **out, size_t *used)
{
	char why[128] = "";
	wasm_export_t export;
	uint32_t types;

	m->wasm = wasm_runtime_load(m->image, m->bytes, why, sizeof(why));
	if (m->wasm == NULL) {
		return fail(diag,
			    strstr(why, "allocate") != NULL ? ROTOR_ERR_MEMORY
							    : ROTOR_ERR_MALFORMED,
			    why, "");
	}
	look_at_sections(m);
	exported(m, UINT32_MAX, &export, &types);
	if (types > cap - m->bytes) {
		wasm_runtime_unload(m->wasm);
		return fail(diag, ROTOR_ERR_MEMORY, "the block is too small for this module", "");
	}
	m->types = m->image + m->bytes;
	*used = base_align_up((size_t)(m->types + types - (uint8_t *)m), 8);
	for (uint32_t k = 0; exported(m, k, &export, &types); k++) {
		put_types(export.u.func_type, m->types + types);
	}
	*out = m;
	return ROTOR_OK;
}

static enum rotor_err load_end(struct agent_loader *l, struct agent_module **out, size_t *used)
{
	return finish(l->module, l->cap, &l->diag, out, used);
}

static const struct rotor_diag *load_diag(const struct agent_loader *loader)
{
	return &loader->diag;
}

static void load_drop(struct agent_loader *loader)
{
}

static enum rotor_err load_mapped(void *block, size_t block_bytes, const void *wasm,
				  size_t wasm_bytes, struct agent_module **out, size_t *used,
				  struct rotor_diag *diag)
{
	struct agent_module *m = block;

	if (block_bytes < sizeof(*m) || wasm_bytes > block_bytes - sizeof(*m)) {
		return fail(diag, ROTOR_ERR_MEMORY, "the block is too small for this module", "");
	}
	memset(m, 0, sizeof(*m));
	memcpy(m->image, wasm, wasm_bytes);
	m->bytes = (uint32_t)wasm_bytes;
	return finish(m, block_bytes - sizeof(*m), diag, out, used);
}

static void unload(struct agent_module *m)
{
	wasm_runtime_unload(m->wasm);
}

static bool import(const struct agent_module *m, uint32_t i, struct rotor_import *out)
{
	wasm_import_t import;

	if ((int32_t)i >= wasm_runtime_get_import_count(m->wasm)) {
		return false;
	}
	wasm_runtime_get_import_type(m->wasm, (int32_t)i, &import);
	*out = (struct rotor_import){
		.module = import.module_name,
		.name = import.name,
		.module_bytes = (uint32_t)strlen(import.module_name),
		.name_bytes = (uint32_t)strlen(import.name),
		.kind = (enum rotor_kind)import.kind,
	};
	return true;
}

static void facts(const struct agent_module *m, struct agent_module_facts *out)
{
	wasm_import_t import;

	*out = (struct agent_module_facts){
		.import_count = (uint32_t)wasm_runtime_get_import_count(m->wasm),
		.memory_bytes_min = m->memory_bytes_min,
		.memory_bytes_used = m->memory_bytes_min,
		.memory_grows = true,
	};
	for (uint32_t k = 0; k < out->import_count; k++) {
		wasm_runtime_get_import_type(m->wasm, (int32_t)k, &import);
		out->uses_heap = out->uses_heap || strcmp(import.name, "malloc") == 0 ||
				 strncmp(import.name, "get_", 4) == 0;
	}
}

static bool find(const struct agent_module *m, const char *name, uint32_t name_bytes,
		 struct agent_func *out)
{
	wasm_export_t export;
	uint32_t types;

	for (uint32_t k = 0; exported(m, k, &export, &types); k++) {
		if (strlen(export.name) == name_bytes &&
		    memcmp(export.name, name, name_bytes) == 0) {
			out->idx = k;
			out->type.types = m->types + types;
			out->type.param_count =
				(uint16_t)wasm_func_type_get_param_count(export.u.func_type);
			out->type.result_count =
				(uint16_t)wasm_func_type_get_result_count(export.u.func_type);
			return true;
		}
	}
	return false;
}

static bool export_name(const struct agent_module *m, uint32_t i, const char **name,
			uint32_t *bytes)
{
	wasm_export_t export;
	uint32_t types;

	if (!exported(m, i, &export, &types)) {
		return false;
	}
	*name = export.name;
	*bytes = (uint32_t)strlen(export.name);
	return true;
}

/* ---- instances ---------------------------------------------------------------------------------*/

static size_t instance_bytes(const struct agent_module *m, const struct rotor_limits *limits)
{
	return base_align_up(sizeof(struct agent_instance), 8);
}

/* What this engine leaves to others, and imports that nobody offers. */
static enum rotor_err acceptable(const struct agent_module *m, struct rotor_diag *diag)
{
	wasm_import_t import;
	wasm_export_t export;
	uint32_t types;
	int32_t count = wasm_runtime_get_import_count(m->wasm);

	if (m->has_start) {
		return fail(diag, ROTOR_ERR_UNSUPPORTED,
			    "the engine wamr runs no module with a start function", "");
	}
	for (uint32_t k = 0; exported(m, k, &export, &types); k++) {
		if (strcmp(export.name, "__post_instantiate") == 0 ||
		    strcmp(export.name, "__wasm_call_ctors") == 0) {
			return fail(diag, ROTOR_ERR_UNSUPPORTED,
				    "the engine wamr runs no module that exports ", export.name);
		}
	}
	for (int32_t k = 0; k < count; k++) {
		wasm_runtime_get_import_type(m->wasm, k, &import);
		if (strncmp(import.module_name, "wasi", 4) == 0) {
			return fail(diag, ROTOR_ERR_UNSUPPORTED,
				    "the engine wamr has no WASI here: ", import.name);
		}
		if (import.kind == WASM_IMPORT_EXPORT_KIND_FUNC && !import.linked) {
			return fail(diag, ROTOR_ERR_LINK, "unknown import ", import.name);
		}
	}
	return ROTOR_OK;
}

static enum rotor_err instantiate_in_pool(struct agent_instance *i,
					  const struct rotor_limits *limits,
					  struct rotor_diag *diag)
{
	uint64_t most = BASE_MAX(limits->memory_bytes_max, i->module->memory_bytes_min);
	uint32_t stack = limits->stack_bytes != 0 ? limits->stack_bytes : 16384;
	struct InstantiationArgs2 *args;
	char why[128] = "";

	if (!wasm_runtime_instantiation_args_create(&args)) {
		return fail(diag, ROTOR_ERR_MEMORY, "the pool of the engine wamr is full", "");
	}
	wasm_runtime_instantiation_args_set_default_stack_size(args, stack);
	wasm_runtime_instantiation_args_set_host_managed_heap_size(args, limits->heap_bytes);
	wasm_runtime_instantiation_args_set_max_memory_pages(args, (uint32_t)(most / 65536));
	wasm_runtime_instantiation_args_set_custom_data(args, i);
	i->wasm = wasm_runtime_instantiate_ex2(i->module->wasm, args, why, sizeof(why));
	wasm_runtime_instantiation_args_destroy(args);
	i->env = i->wasm != NULL ? wasm_runtime_create_exec_env(i->wasm, stack) : NULL;
	if (i->env == NULL) {
		if (i->wasm != NULL) {
			wasm_runtime_deinstantiate(i->wasm);
		}
		return fail(diag, ROTOR_ERR_MEMORY, "the engine wamr has no room: ", why);
	}
	return ROTOR_OK;
}

static enum rotor_err instantiate(void *block, size_t block_bytes, struct agent_module *module,
				  struct agent_run *run, const struct rotor_limits *limits,
				  struct agent_instance **out, struct rotor_diag *diag)
{
	struct agent_instance *i = block;

	if (block_bytes < sizeof(*i)) {
		return fail(diag, ROTOR_ERR_MEMORY, "no room for the instance", "");
	}
	TRY(acceptable(module, diag));
	memset(i, 0, sizeof(*i));
	i->module = module;
	i->run = run;
	TRY(instantiate_in_pool(i, limits, diag));
	sync_init(&i->sync);
	*out = i;
	return ROTOR_OK;
}

/* Takes the lines "#00: 0x0042 - name" of WAMR's backtrace. */
static void take_frames(struct agent_instance *i)
{
	char text[TRACE_BYTES] = "", *line = text, *name;

	wasm_runtime_dump_call_stack_to_buf(i->env, text, sizeof(text) - 1);
	while (i->frame_count < FRAMES_MAX && (line = strstr(line, ": 0x")) != NULL) {
		i->frames[i->frame_count].offset = (uint32_t)strtoul(line + 4, &name, 16);
		if (strncmp(name, " - ", 3) != 0) {
			break;
		}
		line = name + strcspn(name, "\n");
		snprintf(i->frames[i->frame_count++].name, FRAME_NAME_BYTES, "%.*s",
			 (int)(line - name - 3), name + 3);
	}
}

static void thread(void *user)
{
	struct agent_instance *i = user;
	bool ok = wasm_runtime_init_thread_env();

	ok = ok && wasm_runtime_call_wasm_a(i->env, i->func, i->result_count, i->results,
					    i->arg_count, i->args);
	sync_lock(&i->sync);
	if (!ok) {
		const char *why = wasm_runtime_get_exception(i->wasm);

		snprintf(i->trap_text, sizeof(i->trap_text), "%s",
			 why != NULL && strncmp(why, "Exception: ", 11) == 0 ? why + 11
			 : why != NULL                                       ? why
									     : "no thread");
		take_frames(i);
	}
	i->state = ok ? DONE : TRAPPED;
	sync_tell(&i->sync);
	sync_unlock(&i->sync);
	wasm_runtime_destroy_thread_env();
}

static void join(struct agent_instance *i)
{
	if (i->threaded) {
		sync_thread_join(&i->sync);
		i->threaded = false;
	}
}

static void release(struct agent_instance *i)
{
	sync_lock(&i->sync);
	i->quit = true;
	if (i->threaded && (i->state == RUNNING || i->state == PENDING)) {
		wasm_runtime_terminate(i->wasm);
	}
	sync_tell(&i->sync);
	sync_unlock(&i->sync);
	join(i);
	wasm_runtime_destroy_exec_env(i->env);
	wasm_runtime_deinstantiate(i->wasm);
	sync_end(&i->sync);
}

/* ---- calls -------------------------------------------------------------------------------------*/

static void value_in(wasm_val_t *to, const struct rotor_value *from)
{
	memset(to, 0, sizeof(*to));
	switch (from->type) {
	case ROTOR_I64:
		to->kind = WASM_I64;
		to->of.i64 = from->i64;
		break;
	case ROTOR_F32:
		to->kind = WASM_F32;
		to->of.f32 = from->f32;
		break;
	case ROTOR_F64:
		to->kind = WASM_F64;
		to->of.f64 = from->f64;
		break;
	default:
		to->kind = WASM_I32;
		to->of.i32 = from->i32;
	}
}

static enum rotor_err call(struct agent_instance *i, uint32_t func_idx,
			   const struct rotor_value *args, uint32_t count, struct rotor_diag *diag)
{
	wasm_export_t export;
	uint32_t types;

	join(i);
	if (!exported(i->module, func_idx, &export, &types) || count > VALUES_MAX) {
		return fail(diag, ROTOR_ERR_ARGUMENT, "no such function", "");
	}
	i->func = wasm_runtime_lookup_function(i->wasm, export.name);
	i->arg_count = count;
	i->result_count = wasm_func_type_get_result_count(export.u.func_type);
	if (i->func == NULL || i->result_count > VALUES_MAX ||
	    count != wasm_func_type_get_param_count(export.u.func_type)) {
		return fail(diag, ROTOR_ERR_ARGUMENT, "wrong number of arguments", "");
	}
	for (uint32_t k = 0; k < count; k++) {
		value_in(&i->args[k], &args[k]);
	}
	i->state = IDLE;
	i->frame_count = 0;
	i->trap_text[0] = 0;
	return ROTOR_OK;
}

static bool thread_start(struct agent_instance *i)
{
	i->state = RUNNING;
	i->threaded = sync_thread_start(&i->sync, thread, i);
	return i->threaded;
}

static void wait_while_running(struct agent_instance *i)
{
	int64_t end = sync_now_ms() + SLICE_MS;

	while (i->state == RUNNING && !i->interrupted && sync_wait_until(&i->sync, end)) {
	}
}

static enum agent_run_status run(struct agent_instance *i, uint64_t fuel)
{
	enum state state;

	sync_lock(&i->sync);
	if (i->state == IDLE && !thread_start(i)) {
		i->state = TRAPPED;
		snprintf(i->trap_text, sizeof(i->trap_text), "no thread for the program");
	} else if (i->state == PENDING && i->answered) {
		i->state = RUNNING;
	}
	i->inside = true;
	sync_tell(&i->sync);
	wait_while_running(i);
	i->inside = i->interrupted = false;
	state = i->state;
	sync_unlock(&i->sync);
	return state == DONE      ? AGENT_RUN_DONE
	       : state == TRAPPED ? AGENT_RUN_TRAP
	       : state == PENDING ? AGENT_RUN_LATER
				  : AGENT_RUN_FUEL;
}

static void answer(struct agent_instance *i, int32_t result, const char *trap)
{
	sync_lock(&i->sync);
	i->answer = result;
	i->answer_trap = trap;
	i->answered = true;
	sync_unlock(&i->sync);
}

/* No host function of this engine is asked again: those are of WASI. */
static bool again(struct agent_instance *i)
{
	return true;
}

static uint32_t heap_alloc(struct agent_instance *i, uint32_t bytes)
{
	void *at;

	return (uint32_t)wasm_runtime_module_malloc(i->wasm, bytes, &at);
}

static void interrupt(struct agent_instance *i)
{
	sync_lock(&i->sync);
	i->interrupted = true;
	sync_tell(&i->sync);
	sync_unlock(&i->sync);
}

static uint32_t results(struct agent_instance *i, struct rotor_value *out, uint32_t cap)
{
	for (uint32_t k = 0; k < BASE_MIN(i->result_count, cap); k++) {
		out[k].type = (enum rotor_type)type_of(i->results[k].kind);
		out[k].i64 = i->results[k].of.i64;
	}
	return i->result_count;
}

static uint64_t memory_bytes(struct agent_instance *i)
{
	wasm_memory_inst_t memory = wasm_runtime_get_default_memory(i->wasm);

	return memory == NULL ? 0
			      : wasm_memory_get_cur_page_count(memory) *
					wasm_memory_get_bytes_per_page(memory);
}

static void *memory_at(struct agent_instance *i, uint32_t at, uint32_t bytes)
{
	uint64_t all = memory_bytes(i);

	if (at > all || bytes > all - at) {
		return NULL;
	}
	return (char *)wasm_memory_get_base_address(wasm_runtime_get_default_memory(i->wasm)) + at;
}

static void ending(const struct agent_instance *i, struct agent_ending *out)
{
	*out = (struct agent_ending){.trap = ROTOR_TRAP_HOST, .detail = i->trap_text};
	for (int trap = ROTOR_TRAP_UNREACHABLE; trap < ROTOR_TRAP_HOST; trap++) {
		if (strcmp(i->trap_text, rotor_trap_text((enum rotor_trap)trap)) == 0) {
			out->trap = (enum rotor_trap)trap;
			out->detail = "";
		}
	}
	if (strstr(i->trap_text, "stack overflow") != NULL) {
		out->trap = ROTOR_TRAP_STACK;
		out->detail = "";
	}
	out->text = rotor_trap_text(out->trap);
}

static bool frame(const struct agent_instance *i, uint32_t k, struct rotor_frame *out)
{
	if (k >= i->frame_count) {
		return false;
	}
	*out = (struct rotor_frame){
		.offset = i->frames[k].offset,
		.name = i->frames[k].name,
		.name_bytes = (uint32_t)strlen(i->frames[k].name),
	};
	return true;
}

static const char *const features[] = {"multivalue", "bulk", "reftypes", NULL};

const struct agent_engine agent_engine_wamr = {
	.name = "wamr",
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
	.ending = ending,
	.frame = frame,
};
