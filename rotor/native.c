/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running native code: the same stops as the interpreter's, by switching between two stacks.
 *
 *     in->stack: activation, arguments, results ->  ...  <- native frames | base | native_state
 *
 * In:    an instance whose module has native code; fuel.
 * Rules: 1. Native code comes back only by a request; one is carried out to its end before it goes on.
 *        2. Fuel is counted as in exec.c: slices from a budget, a debt is counted when a run ends.
 *        3. A nested activation's frames lie below the outer one's, which is as it was when that ends.
 * Not:   checking images (native_load.c).
 */
#include "rotor/native_run.h"

#include "rotor/exec.h"

enum {
	RED_ZONE_BYTES = 128, /* below a stack pointer, that code may use without saying so */
	MARGIN_BYTES = 768,   /* below the limit, for leaving and for helpers */
	RESERVE_MAX = 1 << 30
};

/* Above the native frames of an activation: what the outer one needs again. */
struct base {
	uintptr_t outer_base, outer_sp, outer_limit;
	uintptr_t pad;
};

static struct native_state *state_of(const struct rotor_instance *in)
{
	uintptr_t top = (uintptr_t)(in->stack + in->stack_cells);

	return (struct native_state *)((top - sizeof(struct native_state)) & ~(uintptr_t)15);
}

/* Whether native code of an activation outside the innermost one waits. */
static bool is_nested(const struct rotor_instance *in)
{
	const struct activation *a = instance_activation(in);

	while (a->outer != 0 && a->pc != FORM_IN_NATIVE) {
		a = (const struct activation *)&in->stack[a->outer - 1];
	}
	return a->outer != 0;
}

static uintptr_t native_top(const struct rotor_instance *in, bool nested)
{
	const struct native_state *s = state_of(in);
	uintptr_t top = nested ? s->ctx.native_sp - RED_ZONE_BYTES : (uintptr_t)s;

	return (top & ~(uintptr_t)15) - sizeof(struct base);
}

uint32_t native_stack_end(const struct rotor_instance *in)
{
	bool nested = in->activation != 0 && (in->pc == FORM_IN_NATIVE || is_nested(in));
	uintptr_t need = in->module->native->frame_bytes + 2 * MARGIN_BYTES;
	uintptr_t top = native_top(in, nested), bottom = (uintptr_t)in->stack;

	return top - bottom > need ? (uint32_t)((top - bottom - need) / 4) : 0;
}

/* Cells of the activation's arguments and results. */
static uint32_t io_cells(const struct rotor_module *m, uint32_t func)
{
	const struct functype *t = module_functype(m, func);

	return BASE_MAX(t->param_cells, t->result_cells);
}

static uint32_t type_index(const struct rotor_module *m, uint32_t func)
{
	return m->funcs[func].type;
}

/* What may have changed since native code last ran: memory grows, an instance that trapped gets another number. */
static void refresh(struct rotor_instance *in, struct rotor_native_ctx *ctx)
{
	ctx->self = instance_ref(in, 0);
	ctx->memory = in->memory != NULL ? in->memory->bytes : NULL;
	ctx->memory_bytes = in->memory != NULL ? (size_t)in->memory->backed : 0;
}

static void fill_context(struct rotor_instance *in, struct native_state *s)
{
	const struct native *n = in->module->native;

	memset(s, 0, sizeof(*s));
	s->ctx.leave = rotor_native_leave;
	s->ctx.fuel_stop = rotor_native_fuel;
	s->ctx.globals = in->globals;
	s->ctx.imported_globals = in->global_ptrs;
	s->ctx.tables = in->table_ptrs;
	s->ctx.funcs = n->funcs;
	s->ctx.text = n->text;
	s->ctx.helpers = rotor_native_helpers.rows;
	s->ctx.slice = ROTOR_NATIVE_SLICE;
}

/* Begins the native code of the innermost activation. */
static void begin(struct rotor_instance *in)
{
	const struct native *n = in->module->native;
	uint32_t func = instance_activation(in)->func, *cells = in->stack + in->fp;
	struct native_state *s = state_of(in);
	bool nested = is_nested(in);
	struct base *base;
	uint32_t thunk;

	if (!nested) {
		fill_context(in, s);
	}
	base = (struct base *)native_top(in, nested);
	*base = (struct base){s->base, s->ctx.native_sp, s->ctx.stack_limit, 0};
	s->base = (uintptr_t)base;
	s->ctx.stack_limit =
		(uintptr_t)(cells + io_cells(in->module, func)) + n->frame_bytes + MARGIN_BYTES;
	thunk = base_load_u32(n->thunks + 4 * (size_t)type_index(in->module, func));
	s->ctx.native_sp =
		rotor_native_prepare(&s->ctx, (uintptr_t)base, (uintptr_t)n->text + thunk,
				     (uintptr_t)n->text + n->funcs[func].text, cells);
	s->ctx.fuel +=
		(int32_t)n->funcs[func].cost; /* rotor_call has charged it; the code does so too */
	in->pc = FORM_IN_NATIVE;
}

void native_leave(struct rotor_instance *in)
{
	struct native_state *s = state_of(in);
	const struct base *base = (const struct base *)s->base;

	s->base = base->outer_base;
	s->ctx.native_sp = base->outer_sp;
	s->ctx.stack_limit = base->outer_limit;
	s->pending = false;
}

/* ---- fuel ---- */

struct meter {
	uint64_t budget; /* not yet given */
	const uint32_t *interrupt;
};

/* Runs native code, with a part of the budget for it to take from. */
static void enter(struct native_state *s, struct meter *m)
{
	s->ctx.reserve = (uint32_t)BASE_MIN(m->budget, (uint64_t)RESERVE_MAX);
	s->ctx.interrupt = m->interrupt;
	m->budget -= s->ctx.reserve;
	rotor_native_enter(&s->ctx);
	m->budget += s->ctx.reserve;
}

static bool interrupted(const struct meter *m)
{
	return __atomic_load_n(m->interrupt, __ATOMIC_RELAXED) != 0;
}

/* Gives the next slice; false if it is time to stop. */
static bool next_slice(struct meter *m, struct rotor_native_ctx *ctx)
{
	uint64_t give = BASE_MIN(m->budget, (uint64_t)((int64_t)ctx->slice - ctx->fuel));

	if (interrupted(m)) {
		return false;
	}
	m->budget -= give;
	ctx->fuel += (int32_t)give;
	return ctx->fuel >= 0;
}

/* ---- requests ---- */

static enum stop trap(struct rotor_instance *in, enum rotor_trap why)
{
	in->trap = (uint8_t)why;
	return STOP_TRAP;
}

/* Calls an imported function with arguments in cells. True: it is answered. */
static bool call_import(struct rotor_instance *in, uint32_t func, uint32_t *cells, enum stop *why)
{
	const struct binding *b = &in->bindings[func];
	enum rotor_host how;

	in->pending_func = func;
	in->pending_at = (uint32_t)(cells - in->stack);
	if (b->host == NULL) {
		in->cross_number = b->instance->number;
		in->cross_func = b->func;
		*why = STOP_CROSS;
		return false;
	}
	how = instance_call_host(in, func, cells);
	if (how == ROTOR_HOST_TRAP && in->trap == ROTOR_TRAP_NONE) {
		in->trap = ROTOR_TRAP_HOST;
	}
	*why = instance_stop(how);
	return how == ROTOR_HOST_DONE;
}

/* Calls an element of a table that is not an own function of the type. */
static bool call_element(struct rotor_instance *in, struct rotor_native_ctx *ctx, enum stop *why)
{
	const struct table *table = instance_table(in, ctx->operand3);
	const struct functype *type = in->module->types[ctx->operand2];
	struct rotor_instance *other;
	uint32_t ref, func;

	if (ctx->operand >= table->count) {
		*why = trap(in, ROTOR_TRAP_ELEMENT);
		return false;
	}
	ref = table->elems[ctx->operand];
	if (ref == ROTOR_REF_NULL) {
		*why = trap(in, ROTOR_TRAP_NULL);
		return false;
	}
	other = instance_by_number(in, ref >> REF_FUNC_BITS);
	func = (ref & REF_FUNC_MASK) - 1;
	if (other == NULL || !link_same_type(module_functype(other->module, func), type)) {
		*why = trap(in, ROTOR_TRAP_SIGNATURE);
		return false;
	}
	if (other == in) {
		return call_import(in, func, ctx->cells, why);
	}
	in->pending_at = (uint32_t)(ctx->cells - in->stack);
	in->cross_number = other->number;
	in->cross_func = func;
	*why = STOP_CROSS;
	return false;
}

/* The interpreter's operation that a request stands for. */
static uint16_t form_of(uint32_t request)
{
	static const uint16_t ops[] = {
		F_MEMORY_GROW, F_MEMORY_SIZE, F_MEMORY_FILL, F_MEMORY_COPY, F_MEMORY_INIT,
		F_DATA_DROP,   F_TABLE_GET,   F_TABLE_SET,   F_TABLE_SIZE,  F_TABLE_GROW,
		F_TABLE_FILL,  F_TABLE_COPY,  F_TABLE_INIT,  F_ELEM_DROP,   F_REF_FUNC,
	};

	return ops[request - ROTOR_NATIVE_MEMORY_GROW];
}

/* The operation's units as the interpreter would have them, its operands in the cells. */
static void make_units(const struct rotor_native_ctx *ctx, uint16_t units[4])
{
	uint32_t request = ctx->request, operand = ctx->operand;

	units[0] = form_of(request);
	units[1] = 0;
	units[2] = (uint16_t)operand;
	units[3] = (uint16_t)(operand >> 16);
	if (request == ROTOR_NATIVE_DATA_DROP || request == ROTOR_NATIVE_ELEM_DROP) {
		units[1] = (uint16_t)operand;
	} else if (request == ROTOR_NATIVE_TABLE_COPY || request == ROTOR_NATIVE_TABLE_INIT) {
		units[2] = (uint16_t)(operand >> 16);
		units[3] = (uint16_t)operand;
	}
}

/* Operations on memory and tables as a whole. True: go on in native code. */
static bool do_bulk(struct rotor_instance *in, struct native_state *s, struct meter *m,
		    enum stop *why)
{
	struct exec x = {.in = in, .mem = s->ctx.memory, .mem_bytes = s->ctx.memory_bytes};
	uint16_t units[4];
	enum bulk how;

	make_units(&s->ctx, units);
	do {
		how = bulk_step(&x, units, s->ctx.cells);
		if (how == BULK_TRAP) {
			*why = trap(in, (enum rotor_trap)x.trap);
			return false;
		}
		s->ctx.fuel -= (int32_t)x.cost;
		s->pending = how == BULK_AGAIN;
		if ((s->ctx.fuel < 0 && !next_slice(m, &s->ctx)) || interrupted(m)) {
			*why = STOP_FUEL;
			return false;
		}
	} while (s->pending);
	return true;
}

/* A host function was called: what it costs is paid; it may have asked to stop, for room for what the
 * program prints, or to be called again. */
static bool after_call(struct rotor_instance *in, struct native_state *s, const struct meter *m,
		       bool answered, enum stop *why)
{
	instance_pay(in, &s->ctx.fuel);
	s->pending = !answered && *why == STOP_FUEL;
	if ((answered || s->pending) && interrupted(m)) {
		*why = STOP_FUEL;
		return false;
	}
	return answered || s->pending;
}

/* Carries out a request. True: go on in native code. */
static bool serve(struct rotor_instance *in, struct native_state *s, struct meter *m,
		  enum stop *why)
{
	struct rotor_native_ctx *ctx = &s->ctx;
	bool go_on;

	/* Small functions charge without testing, so that fuel may be found used up only here. */
	s->pending = ctx->fuel < 0 && ctx->request != ROTOR_NATIVE_FUEL && !next_slice(m, ctx);
	if (s->pending) {
		*why = STOP_FUEL;
		return false;
	}
	switch (ctx->request) {
	case ROTOR_NATIVE_DONE:
		*why = STOP_DONE;
		return false;
	case ROTOR_NATIVE_FUEL:
		*why = STOP_FUEL;
		return next_slice(m, ctx);
	case ROTOR_NATIVE_CALL:
		go_on = call_import(in, ctx->operand, ctx->cells, why);
		return after_call(in, s, m, go_on, why);
	case ROTOR_NATIVE_CALL_TABLE:
		go_on = call_element(in, ctx, why);
		return after_call(in, s, m, go_on, why);
	default:
		break;
	}
	if (ctx->request < ROTOR_NATIVE_DONE) {
		*why = trap(in, (enum rotor_trap)ctx->request);
		return false;
	}
	return do_bulk(in, s, m, why);
}

/* An exported import: there is no native code. */
static enum stop run_import(struct rotor_instance *in, struct meter *m, uint64_t *used)
{
	uint32_t func = instance_activation(in)->func;
	enum stop why = STOP_DONE;
	bool answered;

	if (in->pc != FORM_AT_IMPORT) {
		return STOP_DONE;
	}
	do {
		answered = call_import(in, func, in->stack + in->fp, &why);
		*used += in->host_charge;
		m->budget -= BASE_MIN(m->budget, in->host_charge);
		in->host_charge = 0;
	} while (!answered && why == STOP_FUEL && m->budget > 0 && !interrupted(m));
	return answered ? STOP_DONE : why;
}

enum stop native_run(struct rotor_instance *in, uint64_t *fuel, uint64_t *used,
		     const uint32_t *interrupt)
{
	struct meter m = {.budget = *fuel, .interrupt = interrupt};
	struct native_state *s = state_of(in);
	enum stop why = STOP_DONE;

	if (in->pc != FORM_AT_NATIVE && in->pc != FORM_IN_NATIVE) {
		why = run_import(in, &m, used);
		*fuel = m.budget;
		return why;
	}
	if (in->pc == FORM_AT_NATIVE) {
		begin(in);
	}
	do {
		refresh(in, &s->ctx);
		if (!s->pending) {
			enter(s, &m);
		}
	} while (serve(in, s, &m, &why));
	*used += *fuel - m.budget - (uint64_t)(int64_t)s->ctx.fuel;
	*fuel = m.budget + (s->ctx.fuel > 0 ? (uint64_t)s->ctx.fuel : 0);
	s->ctx.fuel = 0;
	return why;
}

/* ---- backtrace ---- */

static uint32_t read_leb(const uint8_t **at)
{
	uint32_t v = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		byte = *(*at)++;
		v |= (uint32_t)(byte & 0x7f) << shift;
		shift += 7;
	} while ((byte & 0x80) != 0 && shift < 35);
	return v;
}

/* The module offset that the map has for a place in the text. */
static uint32_t map_offset(const struct native *n, uint32_t text)
{
	const uint8_t *at = n->map, *end = n->map + n->map_bytes;
	uint32_t row = 0, offset = 0, found = 0;

	while (at < end) {
		uint32_t delta;

		row += read_leb(&at);
		delta = read_leb(&at);
		offset += delta >> 1 ^ (0u - (delta & 1));
		if (row > text) {
			break;
		}
		found = offset;
	}
	return found;
}

/* The function whose code a place in the text is. */
static bool find_func(const struct rotor_module *m, uint32_t text, uint32_t *func)
{
	uint32_t best = 0;
	bool any = false;

	*func = 0;
	for (uint32_t i = m->func_imports; i < m->func_count; i++) {
		uint32_t from = m->native->funcs[i].text & ~1u;

		if (from <= text && (!any || from >= best)) {
			best = from;
			*func = i;
			any = true;
		}
	}
	return any;
}

static bool is_thunk(const struct rotor_module *m, uint32_t text, uint32_t func)
{
	uint32_t from = m->native->funcs[func].text & ~1u;

	for (uint32_t i = 0; i < m->type_count; i++) {
		uint32_t thunk = base_load_u32(m->native->thunks + 4 * (size_t)i) & ~1u;

		if (thunk <= text && thunk > from) {
			return true;
		}
	}
	return false;
}

bool native_frame(const struct rotor_instance *in, uint32_t i, struct rotor_frame *out)
{
	const struct rotor_module *m = in->module;
	const struct native_state *s = state_of(in);
	bool for_fuel = s->ctx.request == ROTOR_NATIVE_FUEL;
	struct rotor_native_frame f;
	uint32_t text, func;

	if (in->pc != FORM_IN_NATIVE || !rotor_native_frame_first(&s->ctx, &f)) {
		return false;
	}
	/* At a stop for fuel the first frame is rotor_native_fuel's. */
	for (uint32_t n = 0; n < i + for_fuel; n++) {
		if (!rotor_native_frame_next(&f, (uintptr_t)in->stack, s->base)) {
			return false;
		}
	}
	text = (uint32_t)((f.pc & ~(uintptr_t)1) - (uintptr_t)m->native->text) - 1;
	if (text >= m->native->text_bytes || !find_func(m, text, &func) ||
	    is_thunk(m, text, func)) {
		return false;
	}
	memset(out, 0, sizeof(*out));
	out->func_idx = func;
	out->offset = i == 0 && !for_fuel ? s->ctx.offset : map_offset(m->native, text);
	if (!rotor_module_funcname(m, func, &out->name, &out->name_bytes)) {
		out->name = NULL;
	}
	return true;
}
