/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader of one DWARF 4 line table, which the compiler itself had made.
 *
 * Spec: DWARF 4, 6.2
 */
#include "rotorc/lines.h"

#include "base/base.h"

#include <stdbool.h>
#include <stdlib.h>

struct reader {
	const uint8_t *at, *end;
	bool bad;
};

struct state {
	uint64_t address;
	int64_t line;
};

struct program {
	uint8_t min_insn, line_range, opcode_base;
	int8_t line_base;
	const uint8_t *lengths;
	unsigned address_bytes;
};

struct rows {
	struct lines_row *rows;
	uint32_t count, cap;
};

static uint8_t get(struct reader *r)
{
	if (r->at >= r->end) {
		r->bad = true;
		return 0;
	}
	return *r->at++;
}

static uint64_t get_le(struct reader *r, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++) {
		v |= (uint64_t)get(r) << (8 * i);
	}
	return v;
}

static uint64_t get_uleb(struct reader *r)
{
	uint64_t v = 0;
	unsigned shift = 0;
	uint8_t b;

	do {
		b = get(r);
		v |= shift < 64 ? (uint64_t)(b & 0x7F) << shift : 0;
		shift += 7;
	} while ((b & 0x80) != 0 && !r->bad);
	return v;
}

static int64_t get_sleb(struct reader *r)
{
	uint64_t v = 0;
	unsigned shift = 0;
	uint8_t b;

	do {
		b = get(r);
		v |= shift < 64 ? (uint64_t)(b & 0x7F) << shift : 0;
		shift += 7;
	} while ((b & 0x80) != 0 && !r->bad);
	if (shift < 64 && (b & 0x40) != 0) {
		v |= ~(uint64_t)0 << shift;
	}
	return (int64_t)v;
}

static void add_row(struct rows *rows, const struct state *s, bool ends)
{
	if (rows->count == rows->cap) {
		rows->cap = rows->cap * 2 + 256;
		rows->rows = realloc(rows->rows, rows->cap * sizeof(*rows->rows));
	}
	rows->rows[rows->count++] =
		(struct lines_row){(uint32_t)s->address, ends ? 0 : (uint32_t)s->line};
}

static void extended(struct reader *r, const struct program *p, struct state *s, struct rows *rows)
{
	uint64_t length = get_uleb(r);
	const uint8_t *next = r->at + length;
	uint8_t op = get(r);

	if (op == 1) { /* end of a sequence */
		add_row(rows, s, true);
		*s = (struct state){0, 1};
	} else if (op == 2) {
		s->address = get_le(r, p->address_bytes);
	}
	if (length == 0 || next > r->end) {
		r->bad = true;
	} else {
		r->at = next;
	}
}

static void standard(struct reader *r, const struct program *p, struct state *s, struct rows *rows,
		     uint8_t op)
{
	switch (op) {
	case 1: /* copy */
		add_row(rows, s, false);
		break;
	case 2: /* advance pc */
		s->address += get_uleb(r) * p->min_insn;
		break;
	case 3: /* advance line */
		s->line += get_sleb(r);
		break;
	case 8: /* const add pc */
		s->address += (uint64_t)((255 - p->opcode_base) / p->line_range) * p->min_insn;
		break;
	case 9: /* fixed advance pc */
		s->address += get_le(r, 2);
		break;
	default: /* things not kept here: skip what they bring */
		for (uint8_t i = 0; i < p->lengths[op - 1]; i++) {
			get_uleb(r);
		}
		break;
	}
}

static void run(struct reader *r, const struct program *p, struct rows *rows)
{
	struct state s = {0, 1};

	while (r->at < r->end && !r->bad) {
		uint8_t op = get(r);

		if (op >= p->opcode_base) {
			s.address +=
				(uint64_t)((op - p->opcode_base) / p->line_range) * p->min_insn;
			s.line += p->line_base + (op - p->opcode_base) % p->line_range;
			add_row(rows, &s, false);
		} else if (op == 0) {
			extended(r, p, &s, rows);
		} else {
			standard(r, p, &s, rows, op);
		}
	}
}

static int by_text(const void *a, const void *b)
{
	const struct lines_row *x = a, *y = b;

	return x->text < y->text ? -1 : x->text > y->text;
}

static bool read_unit(struct reader *r, unsigned address_bytes, struct rows *rows)
{
	struct program p = {.address_bytes = address_bytes};
	uint64_t length = get_le(r, 4), header;
	struct reader unit = {r->at, r->at + length, false};

	if (r->bad || length > (uint64_t)(r->end - r->at) || get_le(&unit, 2) != 4) {
		return false;
	}
	r->at = unit.end;
	header = get_le(&unit, 4);
	const uint8_t *start = unit.at + header;

	p.min_insn = get(&unit);
	get(&unit); /* operations per instruction */
	get(&unit); /* default is_stmt */
	p.line_base = (int8_t)get(&unit);
	p.line_range = get(&unit);
	p.opcode_base = get(&unit);
	p.lengths = unit.at;
	if (unit.bad || start > unit.end || p.line_range == 0 || p.opcode_base == 0) {
		return false;
	}
	unit.at = start;
	run(&unit, &p, rows);
	return !unit.bad;
}

int lines_read(const uint8_t *table, size_t size, unsigned address_bytes, struct lines_row **out,
	       uint32_t *count)
{
	struct reader r = {table, table + size, false};
	struct rows rows = {0};

	while (r.at < r.end) {
		if (!read_unit(&r, address_bytes, &rows)) {
			free(rows.rows);
			return -1;
		}
	}
	if (rows.count != 0) {
		qsort(rows.rows, rows.count, sizeof(*rows.rows), by_text);
	}
	*out = rows.rows;
	*count = rows.count;
	return 0;
}
