/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must be known of a module as a whole before code is generated: which functions test fuel and stack when they are
 * entered, and which tables never change.
 *
 *     calls: function --call--> function     indirect: function --call_indirect--> any function that may be in a table
 *
 * Rules: 1. Every cycle of calls has a function that tests; so has every chain of calls that is long or costly. Functions
 *           that do not test charge all the same, and whoever is next to test or to leave finds out.
 *        2. A table is fixed if the module alone fills it, by segments in known places, and never changes it.
 */
#include "rotorc/module.h"

#include "base/base.h"

#include <stdlib.h>

enum {
	WEIGHT_MAX = 256, /* fuel that a call may take without a test */
	CHAIN_MAX = 3,    /* functions that call each other without a test of the stack */
	FRAME_EXTRA = 16, /* bytes of a frame that LLVM may not count: the return address */
};

/* Edges of the graph of calls: those of function i are to[first[i]] up to to[first[i + 1]]. */
struct graph {
	uint32_t *first, *to;
	uint32_t count, cap;
	uint32_t hub; /* the node that stands for all functions that may be in tables */
};

static void add_edge(struct graph *g, uint32_t to)
{
	if (g->count == g->cap) {
		g->cap = g->cap * 2 + 256;
		g->to = realloc(g->to, g->cap * sizeof(*g->to));
	}
	g->to[g->count++] = to;
}

/* ---- one pass over all bodies ---- */

static void note_table_use(struct rc_module *m, const struct rc_insn *in)
{
	switch (in->op) {
	case 0x26:   /* table.set */
	case 0xFC0E: /* table.copy: a is the destination */
	case 0xFC0F: /* table.grow */
	case 0xFC11: /* table.fill */
		m->tables[in->a].changes = true;
		break;
	case 0xFC0C: /* table.init: b is the table */
		m->tables[in->b].changes = true;
		break;
	default:
		break;
	}
}

static void read_body(struct rc_module *m, uint32_t idx, struct graph *g)
{
	struct rc_func *f = &m->funcs[idx];
	struct rc_reader r;
	struct rc_insn in;

	rc_reader_init(&r, m, f);
	rc_skip_locals(&r);
	f->cost = 0;
	while (rc_read_insn(&r, &in)) {
		f->cost++;
		switch (in.op) {
		case 0x12:
			m->tail_calls = true;
			/* fallthrough */
		case 0x10:
			if (!m->funcs[in.a].imported) {
				add_edge(g, in.a);
			}
			break;
		case 0x13:
			m->tail_calls = true;
			/* fallthrough */
		case 0x11:
			add_edge(g, g->hub);
			break;
		case 0xD2:
			m->funcs[in.a].in_table = true;
			break;
		default:
			note_table_use(m, &in);
			break;
		}
	}
}

/* ---- cycles: Tarjan's algorithm, without recursion ---- */

struct walk {
	const struct graph *g;
	uint32_t *order, *low, *next, *stack, *path;
	bool *on_stack, *cyclic;
	uint32_t *done; /* nodes, callees before callers */
	uint32_t done_count, height, clock;
};

static void close_component(struct walk *w, uint32_t v)
{
	bool many = w->stack[w->height - 1] != v;
	uint32_t u;

	do {
		u = w->stack[--w->height];
		w->on_stack[u] = false;
		w->cyclic[u] |= many;
		w->done[w->done_count++] = u;
	} while (u != v);
}

static void open_node(struct walk *w, uint32_t v)
{
	w->order[v] = w->low[v] = ++w->clock;
	w->next[v] = w->g->first[v];
	w->stack[w->height++] = v;
	w->on_stack[v] = true;
}

static void walk_from(struct walk *w, uint32_t root)
{
	uint32_t depth = 0;

	w->path[depth++] = root;
	open_node(w, root);
	while (depth > 0) {
		uint32_t v = w->path[depth - 1], to;

		if (w->next[v] == w->g->first[v + 1]) {
			depth--;
			if (depth > 0) {
				uint32_t up = w->path[depth - 1];

				w->low[up] = BASE_MIN(w->low[up], w->low[v]);
			}
			if (w->low[v] == w->order[v]) {
				close_component(w, v);
			}
			continue;
		}
		to = w->g->to[w->next[v]++];
		w->cyclic[v] |= to == v;
		if (w->order[to] == 0) {
			w->path[depth++] = to;
			open_node(w, to);
		} else if (w->on_stack[to]) {
			w->low[v] = BASE_MIN(w->low[v], w->order[to]);
		}
	}
}

/* Decides by what is called, callees first. */
static void decide(struct rc_module *m, const struct walk *w, uint32_t v)
{
	struct rc_func *f = &m->funcs[v];
	uint64_t weight = f->cost;
	uint32_t chain = 0;

	for (uint32_t i = w->g->first[v]; i < w->g->first[v + 1]; i++) {
		const struct rc_func *callee = &m->funcs[w->g->to[i]];

		if (w->g->to[i] == w->g->hub) {
			weight += WEIGHT_MAX;
			chain = CHAIN_MAX;
		} else {
			weight += callee->tests_fuel ? 0 : callee->weight;
			chain = BASE_MAX(chain, callee->tests_stack ? 0 : callee->chain);
		}
	}
	f->tests_fuel = w->cyclic[v] || weight > WEIGHT_MAX;
	f->weight = (uint32_t)BASE_MIN(weight, (uint64_t)UINT32_MAX);
	f->tests_stack = w->cyclic[v] || chain >= CHAIN_MAX;
	f->chain = chain + 1;
}

static void find_cycles(struct rc_module *m, const struct graph *g)
{
	uint32_t n = m->func_count + 1;
	uint32_t *words = calloc(6 * (size_t)n, sizeof(*words));
	bool *flags = calloc(2 * (size_t)n, sizeof(*flags));
	struct walk w = {.g = g,
			 .order = words,
			 .low = words + n,
			 .next = words + 2 * n,
			 .stack = words + 3 * n,
			 .path = words + 4 * n,
			 .done = words + 5 * n,
			 .on_stack = flags,
			 .cyclic = flags + n};

	for (uint32_t i = 0; i < n; i++) {
		if (w.order[i] == 0) {
			walk_from(&w, i);
		}
	}
	for (uint32_t i = 0; i < w.done_count; i++) {
		if (w.done[i] != g->hub && !m->funcs[w.done[i]].imported) {
			decide(m, &w, w.done[i]);
		}
	}
	m->order = malloc(n * sizeof(*m->order));
	memcpy(m->order, w.done, n * sizeof(*m->order));
	free(words);
	free(flags);
}

uint32_t rc_module_stack_room(const struct rc_module *m, const uint32_t *frames)
{
	uint32_t *rooms = calloc(m->func_count + 1, sizeof(*rooms)), most = 0;

	for (uint32_t i = 0; i <= m->func_count; i++) {
		uint32_t v = m->order[i], below = 0;

		if (v == m->func_count || m->funcs[v].imported) {
			continue;
		}
		for (uint32_t k = m->call_first[v];
		     !m->funcs[v].tests_stack && k < m->call_first[v + 1]; k++) {
			below = BASE_MAX(below, rooms[m->calls[k]]);
		}
		rooms[v] = frames[v] + FRAME_EXTRA + below;
		most = BASE_MAX(most, rooms[v]);
	}
	free(rooms);
	return most + frames[m->func_count] + FRAME_EXTRA;
}

void rc_module_analyse(struct rc_module *m)
{
	struct graph g = {.hub = m->func_count};

	g.first = calloc(m->func_count + 2, sizeof(*g.first));
	for (uint32_t i = 0; i < m->func_count; i++) {
		g.first[i] = g.count;
		if (!m->funcs[i].imported) {
			read_body(m, i, &g);
		}
	}
	g.first[g.hub] = g.count;
	for (uint32_t i = 0; i < m->func_count; i++) {
		if (m->funcs[i].in_table && !m->funcs[i].imported) {
			add_edge(&g, i);
		}
	}
	g.first[g.hub + 1] = g.count;
	find_cycles(m, &g);
	for (uint32_t i = 0; i < m->table_count; i++) {
		struct rc_table *t = &m->tables[i];

		t->fixed &= !t->changes && !t->imported && !t->exported;
	}
	m->call_first = g.first;
	m->calls = g.to;
}
