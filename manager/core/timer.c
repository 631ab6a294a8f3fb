/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deadlines: a binary heap in which each task and each node has at most one entry.
 *
 * Rules: an object's heap_pos is its place + 1, or 0 when it waits for nothing.
 */
#include "manager/core/internal.h"

static void place(struct manager *m, uint32_t pos, struct heap_entry e)
{
	m->heap[pos] = e;
	if ((e.ref & HEAP_NODE) != 0) {
		m->nodes[e.ref & ~HEAP_NODE].heap_pos = pos + 1;
	} else {
		m->tasks[e.ref].heap_pos = pos + 1;
	}
}

static void sift(struct manager *m, uint32_t pos, struct heap_entry e)
{
	while (pos > 0 && m->heap[(pos - 1) / 2].due_ms > e.due_ms) {
		place(m, pos, m->heap[(pos - 1) / 2]);
		pos = (pos - 1) / 2;
	}
	for (;;) {
		uint32_t child = 2 * pos + 1;

		if (child + 1 < m->heap_count &&
		    m->heap[child + 1].due_ms < m->heap[child].due_ms) {
			child++;
		}
		if (child >= m->heap_count || m->heap[child].due_ms >= e.due_ms) {
			break;
		}
		place(m, pos, m->heap[child]);
		pos = child;
	}
	place(m, pos, e);
}

static void set(struct manager *m, uint32_t *pos, uint32_t ref, uint64_t due_ms)
{
	struct heap_entry e = {due_ms, ref};

	if (due_ms != MANAGER_NEVER) {
		sift(m, *pos != 0 ? *pos - 1 : m->heap_count++, e);
		return;
	}
	if (*pos != 0) {
		uint32_t hole = *pos - 1;

		*pos = 0;
		m->heap_count--;
		if (hole != m->heap_count) {
			sift(m, hole, m->heap[m->heap_count]);
		}
	}
}

void timer_task(struct manager *m, struct manager_task *t, uint64_t due_ms)
{
	t->due_ms = due_ms;
	set(m, &t->heap_pos, task_idx(m, t), due_ms);
}

void timer_node(struct manager *m, struct manager_node *n, uint64_t due_ms)
{
	n->due_ms = due_ms;
	set(m, &n->heap_pos, node_idx(m, n) | HEAP_NODE, due_ms);
}
