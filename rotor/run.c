/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls from outside, and the loop that runs an instance and those it calls.
 *
 * A call from outside is an activation: a record on the instance's stack, then the arguments. A call of
 * another instance's function is an activation there, whose caller is an instance; deepest says which
 * one runs. So nothing recurses on the host's stack.
 *
 * States of an instance (enum run_state):
 *
 *     IDLE --rotor_call--> READY --runs--> READY (FUEL) | PENDING | CROSS | TRAPPED | IDLE (DONE)
 *     PENDING --rotor_answer--> READY | TRAPPED;  PENDING --rotor_call--> READY (nested)
 *     CROSS --callee done--> READY;  TRAPPED --rotor_call--> READY
 */
#include "rotor/native_run.h"

static struct rotor_instance *deepest(struct rotor_instance *root)
{
	return root->deepest == root->number ? root : instance_by_number(root, root->deepest);
}

/* Cells that a call of func needs from its arguments on. */
static uint32_t call_cells(const struct rotor_module *m, uint32_t func)
{
	const struct functype *t = module_functype(m, func);

	if (func < m->func_imports || module_native(m) != NULL) {
		return BASE_MAX(t->param_cells, t->result_cells);
	}
	return m->funcs[func].frame_cells;
}

/* The first free cell above what the instance is doing. */
static uint32_t stack_top(const struct rotor_instance *in)
{
	uint32_t func;

	if (in->activation == 0) {
		return 0;
	}
	func = module_func_at(in->module, in->pc);
	if (in->pc < FORM_PROLOGUE_UNITS || func == ROTOR_NO_IDX) {
		func = instance_activation(in)->func;
	}
	return in->fp + call_cells(in->module, func);
}

enum rotor_host instance_call_host(struct rotor_instance *in, uint32_t func, uint32_t *cells)
{
	const struct rotor_host_func *host = in->bindings[func].host;
	struct rotor_call call = {in, in->imports->user, cells, host};
	enum rotor_host how = host->fn(&call);

	if (how != ROTOR_HOST_AGAIN) {
		in->progress[0] = 0;
		in->progress[1] = 0;
	}
	return how;
}

/* Ends the innermost activation: the outer one is as it was. */
static void leave(struct rotor_instance *in)
{
	const struct activation a = *instance_activation(in);

	if (module_native(in->module) != NULL && in->pc == FORM_IN_NATIVE) {
		native_leave(in);
	}
	in->activation = a.outer;
	in->pc = a.pc;
	in->fp = a.fp;
	in->state = (uint8_t)a.state;
	in->pending_func = a.pending_func;
	in->pending_at = a.pending_at;
}

static uint32_t stack_end(const struct rotor_instance *in)
{
	return module_native(in->module) != NULL ? native_stack_end(in) : in->stack_cells;
}

/* Begins an activation; args are the argument's cells. False: no stack left. */
static bool enter(struct rotor_instance *in, uint32_t func, uint32_t caller, const uint32_t *args)
{
	const struct rotor_module *m = in->module;
	const struct func *f = &m->funcs[func];
	uint32_t at = stack_top(in), fp = at + ACTIVATION_CELLS;
	struct activation *a = (struct activation *)&in->stack[at];

	if ((uint64_t)fp + call_cells(m, func) > stack_end(in)) {
		return false;
	}
	*a = (struct activation){
		.outer = in->activation,
		.pc = in->pc,
		.fp = in->fp,
		.func = func,
		.caller = caller,
		.state = in->state,
		.deepest = in->deepest,
		.pending_func = in->pending_func,
		.pending_at = in->pending_at,
	};
	in->activation = at + 1;
	in->fp = fp;
	in->progress[0] = 0; /* left over if the last call was given up */
	in->progress[1] = 0;
	in->state = RUN_READY;
	memmove(in->stack + fp, args, module_functype(m, func)->param_cells * 4u);
	in->pc = FORM_AT_IMPORT;
	if (func >= m->func_imports && module_native(m) != NULL) {
		in->pc = FORM_AT_NATIVE;
	} else if (func >= m->func_imports) {
		memset(in->stack + fp + f->zero_from, 0, f->zero_count * 4u);
		in->stack[fp + f->zero_from + f->zero_count] = FORM_AT_HALT;
		in->pc = f->form;
	}
	return true;
}

/* ---- calls from the host ---- */

static enum rotor_err check_call(const struct rotor_instance *in, uint32_t func,
				 const struct rotor_value *args, uint32_t count,
				 struct rotor_diag *diag)
{
	const struct functype *t;

	if (in->running || in->state == RUN_READY || in->state == RUN_CROSS) {
		return instance_error(diag, ROTOR_ERR_STATE, "a call is running");
	}
	if (func >= in->module->func_count) {
		return instance_error(diag, ROTOR_ERR_ARGUMENT, "there is no such function");
	}
	t = module_functype(in->module, func);
	if (count != t->param_count) {
		return instance_error(diag, ROTOR_ERR_ARGUMENT, "wrong number of arguments");
	}
	for (uint32_t i = 0; i < count; i++) {
		if (args[i].type != t->types[i]) {
			return instance_error(diag, ROTOR_ERR_ARGUMENT,
					      "an argument is of another type");
		}
	}
	return ROTOR_OK;
}

enum rotor_err rotor_call(struct rotor_instance *in, uint32_t func, const struct rotor_value *args,
			  uint32_t count, struct rotor_diag *diag)
{
	uint32_t *cells;

	TRY(check_call(in, func, args, count, diag));
	if (in->state == RUN_TRAPPED) {
		leave(in);
	}
	if (!enter(in, func, CALLER_HOST, in->stack)) {
		return instance_error(diag, ROTOR_ERR_LIMIT,
				      "the stack is too small for this call");
	}
	cells = in->stack + in->fp;
	for (uint32_t i = 0; i < count; i++) {
		*cells++ = args[i].u32;
		if (type_cells((uint8_t)args[i].type) == 2) {
			*cells++ = (uint32_t)(args[i].u64 >> 32);
		}
	}
	if (func >= in->module->func_imports) {
		in->fuel_used += in->module->funcs[func].cost;
	}
	in->deepest = in->number;
	in->trap = ROTOR_TRAP_NONE;
	in->detail[0] = 0;
	in->has_results = false;
	return ROTOR_OK;
}

enum rotor_err rotor_call_name(struct rotor_instance *in, const char *name,
			       const struct rotor_value *args, uint32_t count,
			       struct rotor_diag *diag)
{
	uint32_t func = ROTOR_NO_IDX;

	(void)rotor_module_find(in->module, name, ROTOR_FUNC, &func);
	return rotor_call(in, func, args, count, diag);
}

uint32_t rotor_results(struct rotor_instance *in, struct rotor_value *out, uint32_t cap)
{
	const uint32_t *cells = in->stack + in->result_at;
	const struct functype *t;

	if (!in->has_results) {
		return 0;
	}
	t = module_functype(in->module, in->result_func);
	for (uint32_t i = 0; i < t->result_count && i < cap; i++) {
		out[i].type = (enum rotor_type)t->types[t->param_count + i];
		out[i].u64 = *cells++;
		if (type_cells((uint8_t)out[i].type) == 2) {
			out[i].u64 |= (uint64_t)*cells++ << 32;
		}
	}
	return t->result_count;
}

/* ---- segments and start ---- */

static bool place_elem(struct rotor_instance *in, const struct elem *e)
{
	struct table *t = instance_table(in, e->table);
	uint32_t at = (uint32_t)instance_const(in, &e->offset);

	if ((uint64_t)at + e->count > t->count) {
		return false;
	}
	for (uint32_t i = 0; i < e->count; i++) {
		t->elems[at + i] = instance_elem(in, e, i);
	}
	return true;
}

static bool place_data(struct rotor_instance *in, const struct data *d)
{
	uint32_t at = (uint32_t)instance_const(in, &d->offset);

	if ((uint64_t)at + d->length > in->memory->backed) {
		return false;
	}
	if (d->length > 0) {
		memcpy(in->memory->bytes + at, d->bytes, d->length);
	}
	return true;
}

static enum rotor_trap place_segments(struct rotor_instance *in)
{
	const struct rotor_module *m = in->module;

	for (uint32_t i = 0; i < m->elem_count; i++) {
		const struct elem *e = &m->elems[i];

		if (e->mode == SEGMENT_ACTIVE && !place_elem(in, e)) {
			return ROTOR_TRAP_TABLE;
		}
		if (e->mode != SEGMENT_PASSIVE) {
			instance_drop(in, i);
		}
	}
	for (uint32_t i = 0; i < m->data_count; i++) {
		const struct data *d = &m->datas[i];

		if (d->mode == SEGMENT_ACTIVE && !place_data(in, d)) {
			return ROTOR_TRAP_MEMORY;
		}
		if (d->mode == SEGMENT_ACTIVE) {
			instance_drop(in, m->elem_count + i);
		}
	}
	return ROTOR_TRAP_NONE;
}

/* The first run: places segments, puts the start function before what was called. */
static enum rotor_trap initialize(struct rotor_instance *in)
{
	enum rotor_trap trap = place_segments(in);

	in->init = INIT_DONE;
	if (trap == ROTOR_TRAP_NONE && in->module->start != ROTOR_NO_IDX) {
		if (!enter(in, in->module->start, CALLER_START, in->stack)) {
			return ROTOR_TRAP_STACK;
		}
		if (in->module->start >= in->module->func_imports) {
			in->fuel_used += in->module->funcs[in->module->start].cost;
		}
	}
	return trap;
}

/* ---- running ---- */

/* Takes back everything that runs on root's behalf, up to its own innermost activation. */
static void unwind(struct rotor_instance *root)
{
	struct rotor_instance *in = deepest(root);

	while (in != NULL && in->activation != 0) {
		uint32_t caller = instance_activation(in)->caller;

		if (caller == CALLER_HOST || caller == CALLER_START) {
			break;
		}
		leave(in);
		in = instance_by_number(root, caller - 1);
	}
	root->deepest = root->number;
}

static enum rotor_status trapped(struct rotor_instance *root, struct rotor_instance *in)
{
	if (in != root) {
		root->trap = in->trap;
		root->exit_code = in->exit_code;
		memcpy(root->detail, in->detail, sizeof(root->detail));
	}
	unwind(root); /* also if it was called again by another, which it had called */
	root->state = RUN_TRAPPED;
	if (root->activation == 0) {
		root->state = RUN_IDLE; /* while segments were placed */
	} else if (instance_activation(root)->caller == CALLER_START) {
		/* Nothing that was called before the start function will run. */
		instance_activation(root)->outer = 0;
		instance_activation(root)->state = RUN_IDLE;
	}
	return ROTOR_TRAP;
}

static void go_on_after_call(struct rotor_instance *in)
{
	in->state = RUN_READY;
	if (module_native(in->module) != NULL && in->pc == FORM_IN_NATIVE) {
		return;
	}
	in->pc += form_length(in->module->form + in->pc);
}

/* An activation of in ended. True: what root was asked for is done. */
static bool returned(struct rotor_instance *root, struct rotor_instance *in)
{
	const struct activation a = *instance_activation(in);
	const struct functype *t = module_functype(in->module, a.func);
	uint32_t results = in->activation - 1 + ACTIVATION_CELLS;
	struct rotor_instance *caller;

	leave(in);
	if (a.caller == CALLER_START) {
		return in->state != RUN_READY;
	}
	if (a.caller == CALLER_HOST) {
		in->deepest = a.deepest;
		in->result_at = results;
		in->result_func = a.func;
		in->has_results = true;
		return true;
	}
	caller = instance_by_number(root, a.caller - 1);
	memcpy(caller->stack + caller->pending_at, in->stack + results, t->result_cells * 4u);
	go_on_after_call(caller);
	root->deepest = caller->number;
	return false;
}

/* in calls another instance's function. False: no stack there. */
static bool cross(struct rotor_instance *root, struct rotor_instance *in, uint64_t *fuel)
{
	struct rotor_instance *callee = instance_by_number(root, in->cross_number);
	const struct func *f = &callee->module->funcs[in->cross_func];
	uint64_t cost = in->cross_func >= callee->module->func_imports ? f->cost : 1;

	in->state = RUN_CROSS;
	if (!enter(callee, in->cross_func, in->number + 1, in->stack + in->pending_at)) {
		return false;
	}
	root->deepest = callee->number;
	root->fuel_used += cost;
	*fuel -= BASE_MIN(*fuel, cost);
	return true;
}

static enum rotor_status stopped(struct rotor_instance *root, struct rotor_instance *in)
{
	in->state = RUN_READY;
	__atomic_store_n(&root->interrupt, 0, __ATOMIC_RELAXED);
	return ROTOR_FUEL;
}

static enum stop run_one(struct rotor_instance *in, uint64_t *fuel, struct rotor_instance *root)
{
	if (module_native(in->module) != NULL) {
		return native_run(in, fuel, &root->fuel_used, &root->interrupt);
	}
	return exec_run(in, fuel, &root->fuel_used, &root->interrupt);
}

static enum rotor_status run(struct rotor_instance *root, uint64_t fuel)
{
	for (;;) {
		struct rotor_instance *in = deepest(root);
		enum stop why = run_one(in, &fuel, root);

		switch (why) {
		case STOP_DONE:
			if (returned(root, in)) {
				return ROTOR_DONE;
			}
			break;
		case STOP_TRAP:
			return trapped(root, in);
		case STOP_FUEL:
			return stopped(root, in);
		case STOP_HOST:
			in->state = RUN_PENDING;
			return ROTOR_HOST;
		case STOP_CROSS:
			if (!cross(root, in, &fuel)) {
				in->trap = ROTOR_TRAP_STACK;
				return trapped(root, in);
			}
			if (fuel == 0) {
				return stopped(root, deepest(root));
			}
			break;
		}
	}
}

enum rotor_status rotor_run(struct rotor_instance *root, uint64_t fuel)
{
	enum rotor_status status;

	if (root->running) {
		return ROTOR_FUEL; /* from a host function: it is running already */
	}
	if (root->init != INIT_DONE) {
		root->trap = (uint8_t)initialize(root);
		if (root->trap != ROTOR_TRAP_NONE) {
			root->activation = 0;
			return trapped(root, root);
		}
	}
	if (root->state == RUN_TRAPPED) {
		return ROTOR_TRAP;
	}
	if (root->state == RUN_IDLE) {
		return ROTOR_DONE;
	}
	if (deepest(root)->state == RUN_PENDING) {
		return ROTOR_HOST;
	}
	root->running = true;
	status = run(root, fuel);
	root->running = false;
	return status;
}

/* ---- host functions that answer later ---- */

struct rotor_call *rotor_pending(struct rotor_instance *root)
{
	struct rotor_instance *in = deepest(root);

	if (in->state != RUN_PENDING) {
		return NULL;
	}
	in->call = (struct rotor_call){in, in->imports->user, in->stack + in->pending_at,
				       in->bindings[in->pending_func].host};
	return &in->call;
}

void rotor_answer(struct rotor_instance *root, enum rotor_host how)
{
	struct rotor_instance *in = deepest(root);

	if (in->state != RUN_PENDING || how == ROTOR_HOST_LATER) {
		return;
	}
	if (how == ROTOR_HOST_DONE) {
		go_on_after_call(in);
		return;
	}
	if (in->trap == ROTOR_TRAP_NONE) {
		in->trap = ROTOR_TRAP_HOST;
	}
	(void)trapped(root, in);
}

void rotor_reset(struct rotor_instance *root)
{
	unwind(root);
	root->activation = 0;
	root->state = RUN_IDLE;
	root->trap = ROTOR_TRAP_NONE;
	root->detail[0] = 0;
	root->has_results = false;
	root->init = INIT_DONE;
}
