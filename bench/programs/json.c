/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A JSON reader and writer: builds a tree of nodes from text, walks it, writes it again.
 * Default n: 500, on a device 1.
 */
#include "bench/kernels/kernel.h"

#define TEXT_BYTES 24000
#define NODES_MAX  4000
#define DEPTH_MAX  32

enum kind {
	KIND_NULL,
	KIND_BOOL,
	KIND_NUMBER,
	KIND_STRING,
	KIND_ARRAY,
	KIND_OBJECT,
};

struct node {
	enum kind kind;
	int name, name_bytes; /* of a member */
	int at, bytes;        /* of a string */
	double number;
	int first, last, next; /* nodes; 0 is none */
};

struct reader {
	const char *text;
	int at;
	int error;
};

static char text[TEXT_BYTES], written[TEXT_BYTES];
static struct node nodes[NODES_MAX];
static int node_count, written_bytes;

static void put(char c)
{
	if (written_bytes < TEXT_BYTES - 1) {
		written[written_bytes++] = c;
	}
}

static void put_text(const char *s)
{
	while (*s != 0) {
		put(*s++);
	}
}

static void put_number(double v)
{
	char digits[24];
	int count = 0;

	if (v < 0) {
		put('-');
		v = -v;
	}
	uint64_t whole = (uint64_t)v;
	uint32_t thousandths = (uint32_t)((v - (double)whole) * 1000 + 0.5);
	do {
		digits[count++] = (char)('0' + whole % 10);
		whole /= 10;
	} while (whole != 0);
	while (count > 0) {
		put(digits[--count]);
	}
	if (thousandths != 0) {
		put('.');
		put((char)('0' + thousandths / 100 % 10));
		put((char)('0' + thousandths / 10 % 10));
		put((char)('0' + thousandths % 10));
	}
}

static int new_node(enum kind kind)
{
	if (node_count >= NODES_MAX) {
		return 0;
	}
	nodes[node_count] = (struct node){.kind = kind};
	return node_count++;
}

static void skip_space(struct reader *r)
{
	while (r->text[r->at] == ' ' || r->text[r->at] == '\n' || r->text[r->at] == '\t') {
		r->at++;
	}
}

static int accept(struct reader *r, char c)
{
	skip_space(r);
	if (r->text[r->at] != c) {
		return 0;
	}
	r->at++;
	return 1;
}

static void read_string(struct reader *r, int *at, int *bytes)
{
	skip_space(r);
	if (r->text[r->at] != '"') {
		r->error = 1;
		return;
	}
	*at = ++r->at;
	while (r->text[r->at] != '"') {
		if (r->text[r->at] == 0) {
			r->error = 1;
			return;
		}
		r->at += r->text[r->at] == '\\' ? 2 : 1;
	}
	*bytes = r->at++ - *at;
}

static double read_number(struct reader *r)
{
	double v = 0, unit = 1;
	int negative = r->text[r->at] == '-';

	r->at += negative;
	while (r->text[r->at] >= '0' && r->text[r->at] <= '9') {
		v = v * 10 + (r->text[r->at++] - '0');
	}
	if (r->text[r->at] == '.') {
		r->at++;
		while (r->text[r->at] >= '0' && r->text[r->at] <= '9') {
			unit /= 10;
			v += unit * (r->text[r->at++] - '0');
		}
	}
	return negative ? -v : v;
}

static int read_word(struct reader *r)
{
	static const char *const words[] = {"null", "true", "false"};

	for (int w = 0; w < 3; w++) {
		int i = 0;

		while (words[w][i] != 0 && r->text[r->at + i] == words[w][i]) {
			i++;
		}
		if (words[w][i] == 0) {
			int node = new_node(w == 0 ? KIND_NULL : KIND_BOOL);

			nodes[node].number = w == 1;
			r->at += i;
			return node;
		}
	}
	r->error = 1;
	return 0;
}

static int read_value(struct reader *r, int depth);

static void append(int parent, int child)
{
	if (nodes[parent].last != 0) {
		nodes[nodes[parent].last].next = child;
	} else {
		nodes[parent].first = child;
	}
	nodes[parent].last = child;
}

static int read_members(struct reader *r, enum kind kind, char end, int depth)
{
	int node = new_node(kind), name = 0, name_bytes = 0;

	r->at++;
	if (accept(r, end)) {
		return node;
	}
	do {
		if (kind == KIND_OBJECT) {
			read_string(r, &name, &name_bytes);
			r->error |= !accept(r, ':');
		}
		int child = read_value(r, depth + 1);

		nodes[child].name = name;
		nodes[child].name_bytes = name_bytes;
		append(node, child);
	} while (!r->error && accept(r, ','));
	r->error |= !accept(r, end);
	return node;
}

static int read_value(struct reader *r, int depth)
{
	int node;

	skip_space(r);
	char c = r->text[r->at];
	if (r->error || depth > DEPTH_MAX) {
		r->error = 1;
		return 0;
	}
	if (c == '{') {
		return read_members(r, KIND_OBJECT, '}', depth);
	}
	if (c == '[') {
		return read_members(r, KIND_ARRAY, ']', depth);
	}
	if (c == '"') {
		node = new_node(KIND_STRING);
		read_string(r, &nodes[node].at, &nodes[node].bytes);
		return node;
	}
	if (c == '-' || (c >= '0' && c <= '9')) {
		node = new_node(KIND_NUMBER);
		nodes[node].number = read_number(r);
		return node;
	}
	return read_word(r);
}

static void put_slice(int at, int bytes)
{
	put('"');
	for (int i = 0; i < bytes; i++) {
		put(text[at + i]);
	}
	put('"');
}

static void write_node(int node)
{
	const struct node *n = &nodes[node];

	switch (n->kind) {
	case KIND_NULL:
		put_text("null");
		break;
	case KIND_BOOL:
		put_text(n->number != 0 ? "true" : "false");
		break;
	case KIND_NUMBER:
		put_number(n->number);
		break;
	case KIND_STRING:
		put_slice(n->at, n->bytes);
		break;
	case KIND_ARRAY:
	case KIND_OBJECT:
		put(n->kind == KIND_ARRAY ? '[' : '{');
		for (int child = n->first; child != 0; child = nodes[child].next) {
			if (child != n->first) {
				put(',');
			}
			if (n->kind == KIND_OBJECT) {
				put_slice(nodes[child].name, nodes[child].name_bytes);
				put(':');
			}
			write_node(child);
		}
		put(n->kind == KIND_ARRAY ? ']' : '}');
		break;
	}
}

/* Writes a fleet's report as a device would send it. */
static void write_report(uint32_t seed)
{
	written_bytes = 0;
	put_text("{\"version\": 3, \"site\": \"north hall\", \"nodes\": [");
	for (int i = 0; i < 90; i++) {
		uint32_t r = kernel_random(&seed);

		put_text(i == 0 ? "\n" : ",\n");
		put_text("  {\"name\": \"sensor\", \"id\": ");
		put_number(r >> 8);
		put_text(", \"temperature\": ");
		put_number((double)(r & 0xffff) / 1000 - 20);
		put_text(r & 1 ? ", \"alive\": true"
			       : ", \"alive\": false, \"reason\": \"battery \\\"low\\\"\"");
		put_text(", \"history\": [");
		for (int k = 0; k < 6; k++) {
			put_number((double)(r >> k & 1023) / 8);
			put_text(k < 5 ? ", " : "]");
		}
		put_text(", \"tags\": {\"floor\": 2, \"room\": null}}");
	}
	put_text("]}");
	put(0);
	for (int i = 0; i < written_bytes; i++) {
		text[i] = written[i];
	}
}

int run(int n)
{
	uint32_t sum = 0;

	for (int round = 0; round < n; round++) {
		if (round % 8 == 0) {
			write_report((uint32_t)round + 1);
		}
		struct reader r = {text, 0, 0};

		node_count = 1;
		int root = read_value(&r, 0);
		written_bytes = 0;
		write_node(root);
		for (int i = 0; i < written_bytes; i += 7) {
			sum = kernel_mix(sum, (uint8_t)written[i]);
		}
		sum = kernel_mix(sum, (uint32_t)(node_count + r.error * 100000));
	}
	return (int)sum;
}
