/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running the form: the table of handlers, and the functions that handlers call.
 *
 * Rule: a host function runs with the instance's pc and fp written back.
 */
#include "rotor/exec.h"

#if !defined(ROTOR_DISPATCH_GOTO)
const struct exec_table exec_table = {{
#define R(name, units, maps) [F_##name] = h_##name,
	FORM_PLAIN_LIST(R)
#undef R
#define ENTRY_(operands, result, name)                                                             \
	[F_##name##_##operands##result] = h_##name##_##operands##result,
#define R(name, in, out, set, ...) SET_##set(ENTRY_, name)
		FORM_BIN_LIST(R) FORM_DIV_LIST(R) FORM_UN_LIST(R) FORM_TRUNC_LIST(R)
#undef R
#define R(name, in, out, set) SET_##set(ENTRY_, name)
			FORM_LOAD_LIST(R) FORM_STORE_LIST(R)
#undef R
#define R(name, in, set) SET_##set(ENTRY_, name)
				FORM_SELECT_LIST(R)
#undef R
#define R(name, in, set, ...)                                                                      \
	SET_##set(ENTRY_, name) SET_BR_##set(ENTRY_, BR_##name) SET_BACK_##set(ENTRY_, BACK_##name)
					FORM_CMP_LIST(R)
#undef R
#define P(kind, first, second) [F_##first##__##second] = h_##first##__##second,
						FORM_PAIR_LIST(P)
#undef P
}};
#endif

/* ---- fuel ---- */

bool exec_interrupted(const struct exec *x)
{
	return __atomic_load_n(x->interrupt, __ATOMIC_RELAXED) != 0;
}

bool exec_next_slice(struct exec *x)
{
	uint64_t give = BASE_MIN(x->budget, (uint64_t)((int64_t)FUEL_SLICE - x->slice));

	if (exec_interrupted(x)) {
		return false;
	}
	x->budget -= give;
	x->granted += give;
	x->slice += (int32_t)give;
	return x->slice >= 0;
}

/* ---- calls of other than own functions ---- */

COLD bool exec_import(struct exec *x, uint32_t func, const uint16_t *pc, uint32_t *fp,
		      uint32_t *cells)
{
	struct rotor_instance *in = x->in;
	const struct binding *b = &in->bindings[func];
	enum rotor_host how;

	in->pc = (uint32_t)(pc - x->form);
	in->fp = (uint32_t)(fp - in->stack);
	in->pending_func = func;
	in->pending_at = (uint32_t)(cells - in->stack);
	if (b->host == NULL) {
		in->cross_number = b->instance->number;
		in->cross_func = b->func;
		x->why = STOP_CROSS;
		return false;
	}
	do {
		how = instance_call_host(in, func, cells);
		instance_pay(in, &x->slice);
	} while (how == ROTOR_HOST_AGAIN && !exec_interrupted(x) &&
		 (x->slice >= 0 || exec_next_slice(x)));
	x->mem_bytes = in->memory != NULL ? in->memory->backed : 0;
	x->trap = in->trap != ROTOR_TRAP_NONE ? in->trap : (uint8_t)ROTOR_TRAP_HOST;
	x->why = (uint8_t)instance_stop(how);
	return how == ROTOR_HOST_DONE;
}

static enum target cross_target(struct exec *x, uint32_t ref, uint32_t type)
{
	struct rotor_instance *other = instance_by_number(x->in, ref >> REF_FUNC_BITS);
	uint32_t func = (ref & REF_FUNC_MASK) - 1;

	x->trap = ROTOR_TRAP_SIGNATURE;
	if (other == NULL ||
	    !link_same_type(module_functype(other->module, func), x->in->module->types[type])) {
		return TARGET_TRAP;
	}
	x->in->cross_number = other->number;
	x->in->cross_func = func;
	return TARGET_CROSS;
}

enum target exec_target(struct exec *x, uint32_t index, uint32_t type, uint32_t table)
{
	const struct table *t = instance_table(x->in, table);
	uint32_t ref;

	x->trap = ROTOR_TRAP_ELEMENT;
	if (index >= t->count) {
		return TARGET_TRAP;
	}
	ref = t->elems[index];
	x->trap = ROTOR_TRAP_NULL;
	if (ref == ROTOR_REF_NULL) {
		return TARGET_TRAP;
	}
	if (ref >> REF_FUNC_BITS != x->number) {
		return cross_target(x, ref, type);
	}
	x->target = (ref & REF_FUNC_MASK) - 1;
	x->trap = ROTOR_TRAP_SIGNATURE;
	if (x->funcs[x->target].type != type) {
		return TARGET_TRAP;
	}
	return x->target < x->func_imports ? TARGET_IMPORT : TARGET_OWN;
}

bool exec_elsewhere(struct exec *x, const uint16_t *pc, uint32_t *fp, uint32_t delta)
{
	struct rotor_instance *in = x->in;

	switch (exec_target(x, fp[pc[1]], pc[2], pc[3])) {
	case TARGET_IMPORT:
		return exec_import(x, x->target, pc, fp, fp + delta);
	case TARGET_CROSS:
		in->pending_at = (uint32_t)(fp + delta - in->stack);
		x->why = STOP_CROSS;
		return false;
	default:
		x->why = STOP_TRAP;
		return false;
	}
}

/* ---- a run ---- */

#if defined(ROTOR_DISPATCH_LOOP)
void exec_start(struct exec *x)
{
	while (!x->stopped) {
		exec_table.handlers[*x->pc](x);
	}
}
#elif defined(ROTOR_DISPATCH_TAIL)
void exec_start(struct exec *x)
{
	exec_table.handlers[*x->pc](x->pc, x->fp, &exec_table, 0, x->mem, x, 0, 0);
}
#endif

#if defined(ROTOR_DISPATCH_THUMB)
/* Handlers have registers 4 to 11 for themselves; this function saves and restores them. */
void exec_start(struct exec *x)
{
	register struct exec *arg __asm__("r0") = x;

	__asm__ volatile("sub sp, #4\n\tbl exec_thumb\n\tadd sp, #4"
			 : "+r"(arg)
			 :
			 : "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11",
			   "r12", "lr", "cc", "memory");
}
#endif

enum stop exec_run(struct rotor_instance *in, uint64_t *fuel, uint64_t *used,
		   const uint32_t *interrupt)
{
	struct exec x = {
		.mem = in->memory != NULL ? in->memory->bytes : NULL,
		.mem_bytes = in->memory != NULL ? in->memory->backed : 0,
		.form = in->module->form,
		.funcs = in->module->funcs,
		.globals = in->globals,
		.stack_end = in->stack + in->stack_cells,
		.number = in->number,
		.func_imports = in->module->func_imports,
		.func_own = in->module->func_count - in->module->func_imports,
		.own_refs = (in->number << REF_FUNC_BITS) + 1 + in->module->func_imports,
		.own_funcs = in->module->funcs + in->module->func_imports,
		.in = in,
		.budget = *fuel,
		.interrupt = interrupt,
		.pc = in->module->form + in->pc,
		.fp = in->stack + in->fp,
	};

	exec_start(&x);
	in->pc = (uint32_t)(x.pc - x.form);
	in->fp = (uint32_t)(x.fp - in->stack);
	if (x.why == STOP_TRAP) {
		in->trap = x.trap;
	}
	*fuel = x.budget + (x.slice > 0 ? (uint64_t)x.slice : 0);
	*used += x.granted - (uint64_t)(int64_t)x.slice;
	return (enum stop)x.why;
}
