/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must be known of a function's loops before code is generated for them: one pass over the body that follows labels.
 *
 * Rules: 1. Instructions are counted as gen.c counts them, dead ones too.
 */
#include "rotorc/module.h"

#include <stdlib.h>

enum {
	NO_LOOP = -1
};

struct label {
	int64_t loop; /* its index, or NO_LOOP */
	uint32_t begin;
};

struct pass {
	struct rc_loop *loops;
	struct label *labels;
	uint32_t count, depth, loop_cap, label_cap;
	uint32_t insn_count;
};

static void push_label(struct pass *p, bool is_loop)
{
	if (p->depth == p->label_cap) {
		p->label_cap = p->label_cap * 2 + 32;
		p->labels = realloc(p->labels, p->label_cap * sizeof(*p->labels));
	}
	if (is_loop && p->count == p->loop_cap) {
		p->loop_cap = p->loop_cap * 2 + 16;
		p->loops = realloc(p->loops, p->loop_cap * sizeof(*p->loops));
	}
	p->labels[p->depth++] =
		(struct label){is_loop ? (int64_t)p->count : NO_LOOP, p->insn_count};
	if (is_loop) {
		p->loops[p->count++] = (struct rc_loop){.innermost = true};
	}
}

static void note_branch(struct pass *p, uint32_t depth)
{
	const struct label *l = &p->labels[p->depth - 1 - depth];
	struct rc_loop *loop = l->loop == NO_LOOP ? NULL : &p->loops[l->loop];
	uint32_t price = p->insn_count - l->begin;

	if (loop != NULL && (loop->branches == 0 || loop->price != price)) {
		loop->branches++;
		loop->price = price;
	}
}

/* Tells all loops around that there is one inside, or a call. */
static void note_inside(struct pass *p, bool call)
{
	for (uint32_t i = p->depth; i-- > 0;) {
		if (p->labels[i].loop != NO_LOOP) {
			struct rc_loop *loop = &p->loops[p->labels[i].loop];

			/* Those around the nearest loop know of loops, and through it of its calls. */
			loop->calls |= call;
			loop->innermost &= call;
			break;
		}
	}
}

static void end_label(struct pass *p)
{
	const struct label *l = &p->labels[--p->depth];

	if (l->loop != NO_LOOP && p->loops[l->loop].calls) {
		note_inside(p, true);
	}
}

static void note(struct pass *p, const struct rc_insn *in)
{
	struct rc_reader targets = {in->targets, NULL, NULL};

	p->insn_count++;
	switch (in->op) {
	case 0x03:
		note_inside(p, false);
		/* fallthrough */
	case 0x02:
	case 0x04:
		push_label(p, in->op == 0x03);
		break;
	case 0x0B:
		end_label(p);
		break;
	case 0x0C:
	case 0x0D:
		note_branch(p, in->a);
		break;
	case 0x0E:
		for (uint32_t i = 0; i <= in->a; i++) {
			note_branch(p, rc_read_u32(&targets));
		}
		break;
	case 0x10:
	case 0x11:
		note_inside(p, true);
		break;
	default:
		break;
	}
}

struct rc_loop *rc_read_loops(const struct rc_module *m, const struct rc_func *f)
{
	struct pass p = {0};
	struct rc_reader r;
	struct rc_insn in;

	rc_reader_init(&r, m, f);
	rc_skip_locals(&r);
	push_label(&p, false);
	while (rc_read_insn(&r, &in)) {
		note(&p, &in);
	}
	free(p.labels);
	return p.loops;
}
