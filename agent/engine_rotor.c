/* SPDX-License-Identifier: Apache-2.0 */
/* rotor as the agent's engine: its rows of engine.h, and the host functions in rotor's form. */
#include "agent/engine.h"
#include "agent/host.h"
#include "agent/host_list.h"

/* Types of the agent are rotor's under other names. */
static struct rotor_instance *inner(const struct agent_instance *instance)
{
	return (struct rotor_instance *)(uintptr_t)instance;
}

static const struct rotor_module *module_of(const struct agent_module *module)
{
	return (const struct rotor_module *)module;
}

/* ---- host functions */

static uint32_t cells_of(char type)
{
	return type == 'I' || type == 'F' ? 2 : 1;
}

/* Every row's function: finds the agent's by the row's place in its table. */
static enum rotor_host host_call(struct rotor_call *call, const struct agent_host_row *row)
{
	struct agent_run *run = call->user;
	struct agent_call c = {0};
	const char *t = row->type;
	enum rotor_host how;
	uint32_t cell = 0;

	for (uint32_t i = 0; *t != ')'; i++, t++) {
		c.arg[i] =
			cells_of(*t) == 2 ? rotor_arg_u64(call, cell) : rotor_arg_u32(call, cell);
		cell += cells_of(*t);
	}
	how = row->fn(run, &c);
	if (how == ROTOR_HOST_TRAP) {
		rotor_set_trap(call->instance, ROTOR_TRAP_HOST, c.trap);
	} else if (how == ROTOR_HOST_DONE && t[1] != 0 && cells_of(t[1]) == 2) {
		rotor_result_u64(call, c.result);
	} else if (how == ROTOR_HOST_DONE && t[1] != 0) {
		rotor_result_u32(call, (uint32_t)c.result);
	}
	return how;
}

static enum rotor_host proplet_entry(struct rotor_call *call);
static enum rotor_host env_entry(struct rotor_call *call);

#define X(name, type, fn) {"proplet", name, type, proplet_entry},
static const struct rotor_host_func proplet_table[] = {AGENT_HOST_LIST(X){NULL, NULL, NULL, NULL}};
#undef X
#define X(name, type, fn) {"env", name, type, env_entry},
static const struct rotor_host_func env_table[] = {
	AGENT_HOST_LIST(X) AGENT_HOST_ENV_LIST(X){NULL, NULL, NULL, NULL}};
#undef X

static enum rotor_host proplet_entry(struct rotor_call *call)
{
	return host_call(call, &agent_host_rows[call->func - proplet_table]);
}

static enum rotor_host env_entry(struct rotor_call *call)
{
	return host_call(call, &agent_host_rows[call->func - env_table]);
}

static const struct rotor_host_func *const host_tables[] = {proplet_table, rotor_libc, rotor_wasi,
							    env_table};

/* ---- modules */

static enum rotor_err load_begin(void *block, size_t block_bytes, struct agent_loader **out)
{
	return rotor_load_begin(block, block_bytes, (struct rotor_loader **)out);
}

static enum rotor_err load_feed(struct agent_loader *loader, const void *piece, size_t bytes)
{
	return rotor_load_feed((struct rotor_loader *)loader, piece, bytes);
}

static enum rotor_err load_end(struct agent_loader *loader, struct agent_module **out, size_t *used)
{
	const struct rotor_module *module;

	TRY(rotor_load_end((struct rotor_loader *)loader, &module));
	*used = rotor_module_bytes(module);
	*out = (struct agent_module *)(uintptr_t)module;
	return ROTOR_OK;
}

static const struct rotor_diag *load_diag(const struct agent_loader *loader)
{
	return rotor_load_diag((const struct rotor_loader *)loader);
}

static void load_drop(struct agent_loader *loader)
{
}

static enum rotor_err load_mapped(void *block, size_t block_bytes, const void *wasm,
				  size_t wasm_bytes, struct agent_module **out, size_t *used,
				  struct rotor_diag *diag)
{
	const struct rotor_module *module;

	TRY(rotor_load(block, block_bytes, wasm, wasm_bytes, ROTOR_LOAD_BYTES_STAY, &module, diag));
	*used = rotor_module_bytes(module);
	*out = (struct agent_module *)(uintptr_t)module;
	return ROTOR_OK;
}

static const char *image_target(uint32_t *abi)
{
	*abi = rotor_image_abi();
	return rotor_image_target_name(rotor_image_target());
}

static enum rotor_err load_image(void *block, size_t block_bytes, const void *image,
				 size_t image_bytes, const struct rotor_image_policy *policy,
				 struct agent_module **out, size_t *used, struct rotor_diag *diag)
{
	const struct rotor_module *module;
	struct rotor_image_policy p = *policy;

	p.target = rotor_image_target();
	TRY(rotor_load_image(block, block_bytes, image, image_bytes, &p, &module, diag));
	*used = rotor_module_bytes(module);
	*out = (struct agent_module *)(uintptr_t)module;
	return ROTOR_OK;
}

static void unload(struct agent_module *module)
{
}

static bool name_is(const char *name, uint32_t bytes, const char *want)
{
	return strlen(want) == bytes && memcmp(name, want, bytes) == 0;
}

static bool gives_text(const struct rotor_import *import)
{
#define X(name_, type, fn) || name_is(import->name, import->name_bytes, name_)
	return name_is(import->module, import->module_bytes, "env") &&
	       (false AGENT_HOST_ENV_LIST(X));
#undef X
}

static bool is_row(const struct rotor_host_func *rows, const struct rotor_import *import)
{
	for (; rows->name != NULL; rows++) {
		if (name_is(import->name, import->name_bytes, rows->name) &&
		    name_is(import->module, import->module_bytes, rows->module)) {
			return true;
		}
	}
	return false;
}

/* libc functions that print; the others need no buffer. */
static bool prints(const struct rotor_import *import)
{
	return import->name_bytes > 0 && is_row(rotor_libc, import) &&
	       (import->name[0] == 'p' || name_is(import->name, import->name_bytes, "vprintf"));
}

static void facts(const struct agent_module *module, struct agent_module_facts *out)
{
	struct rotor_module_info info;
	struct rotor_import import;

	rotor_module_info(module_of(module), &info);
	*out = (struct agent_module_facts){
		.func_count = info.func_count,
		.import_count = info.import_count,
		.memory_bytes_min = info.has_memory ? info.memory_bytes_min : 0,
		.memory_bytes_used = info.has_memory ? info.memory_bytes_used : 0,
		.memory_grows = info.memory_grows,
		.native = info.native_bytes != 0,
		.uses_heap = rotor_import_wants_heap(module_of(module)),
	};
	for (uint32_t i = 0; rotor_module_import(module_of(module), i, &import); i++) {
		bool wasi = is_row(rotor_wasi, &import);

		out->uses_wasi = out->uses_wasi || wasi;
		out->prints = out->prints || prints(&import) ||
			      (wasi && name_is(import.name, import.name_bytes, "fd_write"));
		out->uses_heap = out->uses_heap || gives_text(&import);
	}
}

static bool find(const struct agent_module *module, const char *name, uint32_t name_bytes,
		 struct agent_func *out)
{
	struct rotor_export export;

	for (uint32_t i = 0; rotor_module_export(module_of(module), i, &export); i++) {
		if (export.kind == ROTOR_FUNC && export.name_bytes == name_bytes &&
		    memcmp(export.name, name, name_bytes) == 0) {
			out->idx = export.idx;
			out->type = rotor_module_functype(module_of(module), export.idx);
			return true;
		}
	}
	return false;
}

static bool import(const struct agent_module *module, uint32_t i, struct rotor_import *out)
{
	return rotor_module_import(module_of(module), i, out);
}

static bool export_name(const struct agent_module *module, uint32_t i, const char **name,
			uint32_t *bytes)
{
	struct rotor_export export;

	for (uint32_t k = 0; rotor_module_export(module_of(module), k, &export); k++) {
		if (export.kind == ROTOR_FUNC && i-- == 0) {
			*name = export.name;
			*bytes = export.name_bytes;
			return true;
		}
	}
	return false;
}

/* ---- instances */

/* A stack is given in the interpreter's terms: native frames have wider cells on a 64-bit processor,
 * and native code needs some for itself. */
static struct rotor_limits limits_of(const struct agent_module *module,
				     const struct rotor_limits *limits)
{
	struct rotor_limits l = *limits;
	struct rotor_module_info info;

	rotor_module_info(module_of(module), &info);
	if (info.native_bytes != 0 && l.stack_bytes != 0) {
		l.stack_bytes = l.stack_bytes * (uint32_t)(sizeof(void *) / 4) + info.native_bytes;
	}
	return l;
}

static size_t instance_bytes(const struct agent_module *module, const struct rotor_limits *limits)
{
	struct rotor_limits l = limits_of(module, limits);

	return rotor_instance_bytes(module_of(module), &l);
}

static void set_imports(struct agent_run *run)
{
	run->imports = (struct rotor_imports){
		.tables = host_tables,
		.table_count = BASE_COUNT(host_tables),
		.user = run,
	};
}

static enum rotor_err instantiate(void *block, size_t block_bytes, struct agent_module *module,
				  struct agent_run *run, const struct rotor_limits *limits,
				  struct agent_instance **out, struct rotor_diag *diag)
{
	struct rotor_limits l = limits_of(module, limits);

	set_imports(run);
	return rotor_instantiate(block, block_bytes, module_of(module), &run->imports, &l,
				 (struct rotor_instance **)out, diag);
}

static enum rotor_err attach(void *block, size_t block_bytes, struct agent_module *module,
			     struct agent_run *run, struct agent_instance **out,
			     struct rotor_diag *diag)
{
	set_imports(run);
	return rotor_attach(block, block_bytes, module_of(module), &run->imports,
			    (struct rotor_instance **)out, diag);
}

static void release(struct agent_instance *instance)
{
}

static enum rotor_err call(struct agent_instance *instance, uint32_t func_idx,
			   const struct rotor_value *args, uint32_t count, struct rotor_diag *diag)
{
	return rotor_call(inner(instance), func_idx, args, count, diag);
}

static enum agent_run_status run(struct agent_instance *instance, uint64_t fuel)
{
	switch (rotor_run(inner(instance), fuel)) {
	case ROTOR_DONE:
		return AGENT_RUN_DONE;
	case ROTOR_TRAP:
		return AGENT_RUN_TRAP;
	case ROTOR_FUEL:
		return AGENT_RUN_FUEL;
	default:
		return AGENT_RUN_LATER;
	}
}

static void answer(struct agent_instance *instance, int32_t result, const char *trap)
{
	struct rotor_call *pending = rotor_pending(inner(instance));
	const char *results = strchr(pending->func->type, ')') + 1;

	if (trap != NULL) {
		rotor_set_trap(inner(instance), ROTOR_TRAP_HOST, trap);
		rotor_answer(inner(instance), ROTOR_HOST_TRAP);
		return;
	}
	if (*results != 0) {
		rotor_result_u32(pending, (uint32_t)result);
	}
	rotor_answer(inner(instance), ROTOR_HOST_DONE);
}

static bool again(struct agent_instance *instance)
{
	return rotor_import_again(inner(instance));
}

static uint32_t heap_alloc(struct agent_instance *instance, uint32_t bytes)
{
	return rotor_heap_alloc(inner(instance), bytes);
}

static void interrupt(struct agent_instance *instance)
{
	rotor_interrupt(inner(instance));
}

static uint32_t results(struct agent_instance *instance, struct rotor_value *out, uint32_t cap)
{
	return rotor_results(inner(instance), out, cap);
}

static void *memory_at(struct agent_instance *instance, uint32_t at, uint32_t bytes)
{
	return rotor_memory_at(inner(instance), at, bytes);
}

static uint64_t memory_bytes(struct agent_instance *instance)
{
	uint64_t bytes;

	rotor_memory(inner(instance), &bytes);
	return bytes;
}

static uint64_t fuel_used(const struct agent_instance *instance)
{
	return rotor_fuel_used(inner(instance));
}

static uint32_t stack_peak(const struct agent_instance *instance)
{
	return rotor_stack_peak(inner(instance));
}

static void ending(const struct agent_instance *instance, struct agent_ending *out)
{
	const struct rotor_instance *i = inner(instance);

	out->trap = rotor_trap(i);
	out->exit_code = rotor_exit_code(i);
	out->text = rotor_trap_text(out->trap);
	out->detail = rotor_trap_detail(i);
}

static bool frame(const struct agent_instance *instance, uint32_t i, struct rotor_frame *out)
{
	return rotor_frame(inner(instance), i, out);
}

static const char *const features[] = {"multivalue", "bulk", "reftypes", "tailcall", "extconst",
				       "pagesizes",  "wasi", "libc",     "save",     NULL};

const struct agent_engine agent_engine_rotor = {
	.name = "rotor",
	.features = features,
	.load_begin = load_begin,
	.load_feed = load_feed,
	.load_end = load_end,
	.load_diag = load_diag,
	.load_drop = load_drop,
	.load_mapped = load_mapped,
	.image_target = image_target,
	.load_image = load_image,
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
	.attach = attach,
};
