/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an instance consists of: one block. Its layout is the same on every machine (host pointers
 * take 8 bytes, rotor_attach sets them), so a copied block goes on elsewhere.
 */
#ifndef ROTOR_INSTANCE_H
#define ROTOR_INSTANCE_H

#include "rotor/module.h"

/* A host pointer in a block; 8 bytes everywhere. */
#define HOST_PTR(type, name)                                                                       \
	union {                                                                                    \
		type name;                                                                         \
		uint64_t name##_8;                                                                 \
	}

#define INSTANCE_MAGIC 0x33725052u

/* Funcrefs are shared through tables: instance number of the group, function index plus 1. */
enum {
	REF_FUNC_BITS = 20,
	REF_FUNC_MASK = (1 << REF_FUNC_BITS) - 1,
	GROUP_MAX = 4095
};

struct table {
	HOST_PTR(uint32_t *, elems);
	uint32_t count, max; /* max: what there is room for */
	uint32_t declared_max;
	uint8_t type;
};

struct memory {
	HOST_PTR(uint8_t *, bytes);
	uint64_t backed; /* bytes that can be used now: what accesses are checked against */
	uint64_t room;   /* bytes in the block */
	uint64_t zeroed; /* bytes [0, zeroed) hold data or zeros */
	uint32_t pages, pages_max;
	uint32_t declared_max;
	uint8_t page_shift;
	bool used_only; /* backed is less than the pages say */
};

/* What an imported function is bound to. */
struct binding {
	HOST_PTR(const struct rotor_host_func *, host); /* NULL: another instance's function */
	HOST_PTR(struct rotor_instance *, instance);
	uint32_t func;
};

/* An activation: a call from outside. Its record lies on the stack below the arguments. */
struct activation {
	uint32_t outer;  /* place of the outer one's record plus 1; 0: none */
	uint32_t pc, fp; /* of the outer one, where it waits */
	uint32_t func;
	uint32_t caller;                   /* instance number plus 1 that called, or CALLER_* */
	uint32_t state;                    /* of the outer one: enum run_state */
	uint32_t deepest;                  /* the instance's own deepest before */
	uint32_t pending_func, pending_at; /* of the outer one */
};
enum {
	ACTIVATION_CELLS = sizeof(struct activation) / 4
};
#define CALLER_HOST  0u
#define CALLER_START UINT32_MAX

enum run_state {
	RUN_IDLE,    /* nothing to run */
	RUN_READY,   /* pc and fp say where to go on */
	RUN_PENDING, /* a host function was called and said LATER */
	RUN_CROSS,   /* waits for a call of another instance's function */
	RUN_TRAPPED, /* pc and fp say where; for the backtrace */
};

/* Segments are placed, and the start function called, in this order. */
enum init_state {
	INIT_ELEMS,
	INIT_DATA,
	INIT_START,
	INIT_DONE
};

struct rotor_instance {
	uint32_t magic;
	uint8_t state, init, trap;
	bool running, has_results, linked;
	uint32_t number; /* in the group */
	uint32_t interrupt;
	uint32_t stack_cells;
	uint32_t activation; /* place of the record plus 1; 0: none */
	uint32_t pc, fp;
	uint32_t pending_func, pending_at; /* the import that is called; place of its arguments */
	uint32_t cross_func, cross_number; /* function of another instance that is called */
	uint32_t deepest; /* number of the instance that runs on this one's behalf */
	uint32_t result_at, result_func;
	uint32_t heap_at, heap_bytes;
	HOST_PTR(const struct rotor_module *, module);
	HOST_PTR(uint32_t *, stack);
	HOST_PTR(struct rotor_instance *, next); /* ring of the group */
	HOST_PTR(struct memory *, memory);       /* own or another's; NULL: none */
	HOST_PTR(uint64_t *, table_ptrs);        /* struct table * of all tables, 8 bytes each */
	HOST_PTR(uint32_t *, globals);
	HOST_PTR(const struct rotor_imports *, imports);
	HOST_PTR(struct table *, tables);     /* own ones */
	HOST_PTR(struct binding *, bindings); /* of imported functions */
	HOST_PTR(uint64_t *, global_ptrs);    /* uint32_t * of imported globals */
	HOST_PTR(uint8_t *, dropped);         /* bit per element segment, then per data segment */
	uint64_t fuel_used;
	struct memory own_memory;
	uint64_t block_bytes, module_hash;
	union {
		struct rotor_call call; /* filled when rotor_pending is asked */
		uint64_t call_8[4];
	};
	uint32_t table_elems_max; /* the limit that the tables' rooms were shared out from */
	int32_t exit_code;
	uint32_t host_charge; /* of host functions, not yet taken from the fuel */
	uint32_t progress[2]; /* of a host function that does its work in parts */
	char detail[64];
};

static inline struct activation *instance_activation(const struct rotor_instance *in)
{
	return (struct activation *)&in->stack[in->activation - 1];
}

/* Takes what host functions charged from a slice of fuel, into debt if need be. */
static inline void instance_pay(struct rotor_instance *in, int32_t *slice)
{
	if (*slice > INT32_MIN / 2) {
		*slice -= (int32_t)in->host_charge;
	}
	in->host_charge = 0;
}

static inline struct table *instance_table(const struct rotor_instance *in, uint32_t idx)
{
	return (struct table *)(uintptr_t)in->table_ptrs[idx];
}

/* The instance with that number of the group; NULL if there is none. */
struct rotor_instance *instance_by_number(struct rotor_instance *in, uint32_t number);

/* The cells of global idx, its own or another instance's. */
uint32_t *instance_global(const struct rotor_instance *in, uint32_t idx);

static inline uint32_t instance_ref(const struct rotor_instance *in, uint32_t func)
{
	return in->number << REF_FUNC_BITS | (func + 1);
}

/* Cells that a block has beyond the end of the stack, as entering a function zeroes four at a time. */
enum {
	STACK_SPARE_CELLS = 4
};

/* The value of a constant expression, as cells. */
uint64_t instance_const(const struct rotor_instance *in, const struct const_expr *e);

/* The value of an element of a segment. */
uint32_t instance_elem(const struct rotor_instance *in, const struct elem *e, uint32_t i);

/* Grows: the old size, or UINT32_MAX. Memory grows by pages, whose bytes must be zeroed before. */
uint32_t memory_grow(struct memory *m, uint32_t pages);
uint32_t table_grow(struct table *t, uint32_t count, uint32_t fill);
/* Whether memory can grow by pages; *end is its size in bytes then. */
bool memory_can_grow(const struct memory *m, uint32_t pages, uint64_t *end);

static inline bool instance_dropped(const struct rotor_instance *in, uint32_t bit)
{
	return (in->dropped[bit / 8] >> bit % 8 & 1) != 0;
}
static inline void instance_drop(struct rotor_instance *in, uint32_t bit)
{
	in->dropped[bit / 8] |= (uint8_t)(1u << bit % 8);
}

/* run.c: calls an import that is bound to a host function. */
enum rotor_host instance_call_host(struct rotor_instance *in, uint32_t func, uint32_t *cells);

/* link.c */
enum rotor_err link_imports(struct rotor_instance *in, const struct rotor_imports *imports,
			    struct rotor_diag *diag);
bool link_same_type(const struct functype *a, const struct functype *b);
enum rotor_err instance_fail(struct rotor_diag *diag, enum rotor_err code, const char *text,
			     const char *name, size_t name_bytes);
/* The same without a name. */
enum rotor_err instance_error(struct rotor_diag *diag, enum rotor_err code, const char *text);

/* exec.c: runs from pc and fp on until it stops. */
enum stop {
	STOP_DONE,
	STOP_TRAP,
	STOP_FUEL,
	STOP_HOST,
	STOP_CROSS
};

/* What a run stops for when a host function has not answered. */
static inline enum stop instance_stop(enum rotor_host how)
{
	return how == ROTOR_HOST_LATER   ? STOP_HOST
	       : how == ROTOR_HOST_AGAIN ? STOP_FUEL
					 : STOP_TRAP;
}

/* *fuel: what may be used, then what is left. What was used is added to *used. */
enum stop exec_run(struct rotor_instance *in, uint64_t *fuel, uint64_t *used,
		   const uint32_t *interrupt);

#endif
