/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzer of the reader: the first byte chooses the message, the second how it is cut. What is read must
 * not depend on the cuts, and what was read and written must read the same.
 */
#include <stdio.h>
#include <stdlib.h>

#include "wire/wire.h"

static const struct wire_table *const tables[] = {
#define X(name, LIST) &wire_table_##name,
	WIRE_MESSAGE_LIST(X)
#undef X
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static enum wire_status in_pieces(struct wire_reader *r, const struct wire_table *table, void *m,
				  void *arena, size_t room, const uint8_t *data, size_t bytes,
				  size_t piece)
{
	uint8_t sink[16];

	wire_read_begin(r, table, m, arena, room, 0);
	for (size_t at = 0; at < bytes; at += piece) {
		const void *p = data + at;
		size_t n = BASE_MIN(piece, bytes - at);
		enum wire_status status;

		do {
			r->sink = sink;
			r->sink_bytes = 3 + piece % 14;
			status = wire_read(r, &p, &n);
		} while (status == WIRE_DATA);
		if (status == WIRE_ERROR) {
			return status;
		}
	}
	return wire_read_end(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static uint64_t m1[256], m2[256];
	static char arena1[1 << 14], arena2[1 << 14], text1[1 << 16], text2[1 << 16];
	struct wire_reader r1, r2;
	const struct wire_table *table;
	enum wire_status one, cut;
	size_t n1, n2, piece;

	if (bytes < 2) {
		return 0;
	}
	table = tables[data[0] % BASE_COUNT(tables)];
	piece = 1 + data[1] % 40;
	data += 2;
	bytes -= 2;
	one = wire_read_all(&r1, table, m1, arena1, sizeof(arena1), data, bytes);
	cut = in_pieces(&r2, table, m2, arena2, sizeof(arena2), data, bytes, piece);
	if (one != cut) {
		fprintf(stderr, "whole: %s\ncut: %s\n", r1.diag, r2.diag);
		abort();
	}
	if (one != WIRE_DONE) {
		return 0;
	}
	n1 = wire_write(table, m1, 0, text1, sizeof(text1));
	if (n1 > sizeof(text1) ||
	    wire_read_all(&r2, table, m2, arena2, sizeof(arena2), text1, n1) != WIRE_DONE) {
		return 0; /* longer escaped than it was */
	}
	n2 = wire_write(table, m2, 0, text2, sizeof(text2));
	if (n1 != n2 || memcmp(text1, text2, n1) != 0) {
		fprintf(stderr, "%.*s\n%.*s\n", (int)n1, text1, (int)n2, text2);
		abort();
	}
	return 0;
}
