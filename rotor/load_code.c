/* SPDX-License-Identifier: Apache-2.0 */
/* Function bodies: their frame, locals and the loop over instructions. Spec: WebAssembly 2.0 5.5.13. */
#include "rotor/translate.h"

/* Reads size and number of local groups, makes places for the locals' types. */
int step_body(struct rotor_loader *l)
{
	struct body *b = &l->body;
	uint32_t bytes, groups, end;

	TRY(load_u32(l, &bytes));
	if (bytes > l->section_end - load_offset(l) || bytes == 0) {
		return load_malformed(l, "unexpected end: longer than its section");
	}
	if (bytes > INT32_MAX) {
		return load_fail(l, ROTOR_ERR_LIMIT, "a function body is over 2 GiB");
	}
	end = load_offset(l) + bytes;
	b->offset = load_offset(l);
	TRY(load_count(l, &groups)); /* within the section; is it within the body? */
	if (load_offset(l) > end || groups > end - load_offset(l)) {
		return load_malformed(l, "unexpected end of section or function");
	}
	b->end = end;
	b->func = l->m->func_imports + l->i;
	b->type = module_functype(l->m, b->func);
	b->groups_left = groups;
	b->run_count = 0;
	b->local_count = 0;
	b->local_cells = 0;
	b->instr_count = 0;
	b->depth = 1;
	b->skim = false;
	l->origin = (struct entry *)l->high;
	TRY(load_room(l, groups, sizeof(struct local_run)));
	b->runs = load_alloc_temp(l, (groups + b->type->param_count) * sizeof(struct local_run));
	CHECK(b->runs != NULL, (int)l->error);
	l->limit = end;
	l->step = STEP_LOCALS;
	return 0;
}

static int add_locals(struct rotor_loader *l, uint32_t count, uint8_t type)
{
	struct body *b = &l->body;
	struct local_run *last = b->run_count > 0 ? &b->runs[b->run_count - 1] : NULL;
	uint64_t cells = b->local_cells + (uint64_t)count * type_cells(type);

	if (count > UINT32_MAX - b->local_count) {
		return load_malformed(l, "too many locals");
	}
	b->local_count += count;
	if (last != NULL && last->type == type) {
		last->end = b->local_count;
	} else {
		last = &b->runs[b->run_count++];
		last->end = b->local_count;
		last->slot = (uint16_t)b->local_cells;
		last->type = type;
	}
	/* Checked against the frame's limit when all are read: too many is malformed first. */
	b->local_cells = (uint32_t)BASE_MIN(cells, UINT32_C(0x7fffffff));
	return 0;
}

static int begin_instrs(struct rotor_loader *l)
{
	struct body *b = &l->body;

	if (b->local_cells > 60000) {
		return load_fail(l, ROTOR_ERR_LIMIT,
				 "a function has more than 60000 cells of locals");
	}
	l->high = (uint8_t *)l->origin - base_align_up(b->run_count * sizeof(struct local_run), 8);
	memmove(l->high, b->runs, b->run_count * sizeof(struct local_run));
	b->runs = (struct local_run *)l->high;
	l->sp = (struct entry *)l->high;
	TRY(validate_begin(l));
	l->step = STEP_INSTR;
	return 0;
}

int step_locals(struct rotor_loader *l)
{
	struct body *b = &l->body;
	uint32_t count;
	uint8_t type;

	if (b->local_count == 0 && b->run_count == 0) {
		for (uint32_t i = 0; i < b->type->param_count; i++) {
			TRY(add_locals(l, 1, b->type->types[i]));
		}
	}
	if (b->groups_left == 0) {
		return begin_instrs(l);
	}
	TRY(load_u32(l, &count));
	TRY(load_valtype(l, &type));
	TRY(add_locals(l, count, type));
	b->groups_left--;
	return 0;
}

bool validate_local(const struct body *b, uint32_t idx, uint8_t *type, uint16_t *slot)
{
	uint32_t low = 0, high = b->run_count, first;

	if (idx >= b->local_count) {
		return false;
	}
	while (low + 1 < high) {
		uint32_t mid = (low + high) / 2;

		if (b->runs[mid - 1].end <= idx) {
			low = mid;
		} else {
			high = mid;
		}
	}
	first = low == 0 ? 0 : b->runs[low - 1].end;
	*type = b->runs[low].type;
	*slot = (uint16_t)(b->runs[low].slot + (idx - first) * type_cells(*type));
	return true;
}

/* The last end was read. */
static int end_body(struct rotor_loader *l)
{
	if (load_offset(l) != l->body.end) {
		return load_fail(l, ROTOR_ERR_MALFORMED, "section size mismatch: function body");
	}
	if (l->body.skim) {
		l->error = ROTOR_ERR_INVALID;
		return ROTOR_ERR_INVALID;
	}
	TRY(t_end(l));
	l->high = (uint8_t *)l->origin;
	l->limit = l->section_end;
	l->func_bodies++;
	l->i++;
	l->step = STEP_NEXT;
	return 0;
}

/* An invalid body may still turn out to be malformed, which is the error then. */
static int or_skim(struct rotor_loader *l, int err)
{
	if (err != ROTOR_ERR_INVALID) {
		return err;
	}
	l->body.skim = true;
	l->error = ROTOR_OK;
	return 0;
}

static int read_targets(struct rotor_loader *l, uint32_t count)
{
	if (count >= l->body.end - load_offset(l)) {
		return load_malformed(l, "unexpected end: too many targets");
	}
	l->body.targets_left = count + 1;
	l->step = STEP_TARGETS;
	return 0;
}

int step_instr(struct rotor_loader *l)
{
	struct body *b = &l->body;
	uint32_t at = load_offset(l);
	struct instr in;

	TRY(decode_instr(l, &in));
	b->at = at;
	b->instr_count++;
	b->depth += in.op >= 0x02 && in.op <= 0x04;
	b->depth -= in.op == 0x0b;
	if (in.op == 0x0e) {
		TRY(read_targets(l, in.a));
	}
	if (!b->skim) {
		TRY(or_skim(l, validate_instr(l, &in)));
	}
	return b->depth == 0 ? end_body(l) : 0;
}

int step_targets(struct rotor_loader *l)
{
	struct body *b = &l->body;
	uint32_t depth;

	TRY(load_u32(l, &depth));
	if (!b->skim) {
		TRY(or_skim(l, validate_target(l, depth)));
	}
	if (--b->targets_left > 0) {
		return 0;
	}
	l->step = STEP_INSTR;
	return b->skim ? 0 : validate_targets_end(l);
}
