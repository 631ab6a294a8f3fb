/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How handlers are written and how one goes on to the next.
 *
 * A handler is a function made by HANDLER(name) { ... }. It reads PC, FP, MEM and X, the accumulators
 * by GETA_type and SETA_type, and ends with NEXT(units), GO, LEAVE or CALL(another).
 *
 * Three ways of dispatch from the same text:
 *   TAIL  handlers are functions that call each other at their end, everything in registers: machines
 *         with many of them, if the compiler makes tail calls
 *   GOTO  handlers are labels of one function (exec_goto.c includes the other files): small machines.
 *         With GCC on Arm (Thumb-2) everything lies in fixed registers, and the next handler is two
 *         instructions away (exec_thumb.h)
 *   LOOP  handlers are functions that a loop calls: debug and sanitizer builds
 */
#ifndef ROTOR_EXEC_H
#define ROTOR_EXEC_H

#include "rotor/instance.h"

/* Units and cells as seen by handlers. */
typedef uint32_t __attribute__((aligned(2), may_alias)) unit32;
typedef float __attribute__((aligned(2), may_alias)) unit_f32;
typedef double __attribute__((aligned(2), may_alias)) unit_f64;
typedef uint32_t __attribute__((may_alias)) cell_u32;
typedef int32_t __attribute__((may_alias)) cell_i32;
typedef float __attribute__((may_alias)) cell_f32;
#if defined(__thumb2__) && defined(__GNUC__) && !defined(__clang__)
/* Both cells are one access of words there: GCC makes it of what it takes for aligned. */
#define CELL64 __attribute__((may_alias))
#else
#define CELL64 __attribute__((aligned(4), may_alias))
#endif
typedef uint64_t CELL64 cell_u64;
typedef int64_t CELL64 cell_i64;
typedef double CELL64 cell_f64;

enum {
	FUEL_SLICE = 8192
};

struct exec;
struct exec_table;

#if defined(ROTOR_DISPATCH_LOOP)
#elif UINTPTR_MAX > UINT32_MAX && (defined(__clang__) || defined(__OPTIMIZE__))
#define ROTOR_DISPATCH_TAIL 1
#elif UINTPTR_MAX <= UINT32_MAX
#define ROTOR_DISPATCH_GOTO 1
#if defined(__thumb2__) && defined(__OPTIMIZE__) && !defined(__clang__) && __GNUC__ >= 11
#define ROTOR_DISPATCH_THUMB 1
#endif
#else
#define ROTOR_DISPATCH_LOOP 1
#endif

/* Whether a file of handlers has them where it stands, or only inside exec_goto.c. */
#if !defined(ROTOR_DISPATCH_GOTO)
#define EXEC_HANDLERS 1
#endif

#if defined(__clang__) && !defined(ROTOR_DISPATCH_LOOP)
#define EXEC_TAIL __attribute__((musttail)) return
#else
#define EXEC_TAIL return
#endif

#if defined(ROTOR_DISPATCH_LOOP)

#define EXEC_REGS                                                                                  \
	uint64_t acc;                                                                              \
	float facc;                                                                                \
	double dacc;                                                                               \
	bool stopped;
#define PARAMS struct exec *x
#define PASS   x
#define PC     (x->pc)
#define FP     (x->fp)
#define MEM    (x->mem)
#define ACC32  (x->acc)
#define ACC64  (x->acc)
#define FACC   (x->facc)
#define DACC   (x->dacc)
#define GO     return
#define LEAVE                                                                                      \
	do {                                                                                       \
		x->stopped = true;                                                                 \
		return;                                                                            \
	} while (0)

#elif defined(ROTOR_DISPATCH_TAIL)

#define EXEC_REGS
#define PARAMS                                                                                     \
	const uint16_t *pc, uint32_t *fp, const struct exec_table *table, uint64_t acc,            \
		uint8_t *mem, struct exec *x, float facc, double dacc
#define PASS  pc, fp, table, acc, mem, x, facc, dacc
#define PC    pc
#define FP    fp
#define MEM   mem
#define ACC32 acc
#define ACC64 acc
#define FACC  facc
#define DACC  dacc
#define GO    EXEC_TAIL table->handlers[*pc](PASS)

#elif defined(ROTOR_DISPATCH_THUMB)

#include "rotor/exec_thumb.h"

#else

#define EXEC_REGS
#define PC              pc
#define FP              fp
#define MEM             (x->mem)
#define ACC32           acc
#define ACC64           acc64
#define FACC            facc
#define DACC            dacc
#define GO              goto dispatch
/* The function that holds them, and what they keep there. */
#define EXEC_START      exec_start
#define LABEL_AT(label) &&label
#define EXEC_LOCALS(exec, table)                                                                   \
	struct exec *x = exec;                                                                     \
	const void *const *labels = table;                                                         \
	const uint16_t *pc = x->pc;                                                                \
	uint32_t *fp = x->fp, acc = 0;                                                             \
	uint64_t acc64 = 0;                                                                        \
	float facc = 0;                                                                            \
	double dacc = 0

#endif

/* After what may have changed the memory's size. */
#if !defined(RELOAD)
#define RELOAD                                                                                     \
	do {                                                                                       \
	} while (0)
#endif
#if !defined(SETA_u32)
#define SETA_u32(v) ACC32 = (uint32_t)(v)
#define SETA_u64(v) ACC64 = (uint64_t)(v)
#define GETA_u64    ((uint64_t)ACC64)
#endif

#if !defined(ROTOR_DISPATCH_LOOP)
#define LEAVE                                                                                      \
	do {                                                                                       \
		x->pc = pc;                                                                        \
		x->fp = fp;                                                                        \
		return;                                                                            \
	} while (0)
#endif

#define X x
#if defined(ROTOR_DISPATCH_GOTO)
#if !defined(HANDLER_BEGIN)
#define HANDLER_BEGIN
#endif
#define HANDLER(name) h_##name: HANDLER_BEGIN
#define COLD_HANDLER(name)                                                                         \
	name:                                                                                      \
	HANDLER_BEGIN
#define CALL(label) goto label
#else
#define HANDLER(name)      void h_##name(PARAMS)
#define COLD_HANDLER(name) COLD void name(PARAMS)
#define CALL(function)     EXEC_TAIL function(PASS)
#endif
#if !defined(NEXT)
#define NEXT(units)                                                                                \
	do {                                                                                       \
		PC += (units);                                                                     \
		GO;                                                                                \
	} while (0)
#endif
#define TRAP(reason)                                                                               \
	do {                                                                                       \
		X->trap = ROTOR_TRAP_##reason;                                                     \
		CALL(cold_trap);                                                                   \
	} while (0)
/* Pays for what was just entered; PC is already there, or units before it. */
#if !defined(CHARGE_AND_GO)
#define CHARGE_AND_GO(cost)                                                                        \
	do {                                                                                       \
		X->slice -= (int32_t)(cost);                                                       \
		if (UNLIKELY(X->slice < 0)) {                                                      \
			CALL(cold_fuel);                                                           \
		}                                                                                  \
		GO;                                                                                \
	} while (0)
#define CHARGE_AND_NEXT(cost, units)                                                               \
	do {                                                                                       \
		PC += (units);                                                                     \
		CHARGE_AND_GO(cost);                                                               \
	} while (0)
#endif

/* After a function that the compiler knows; see exec_thumb.h. */
#if !defined(CALLED)
#define CALLED
#endif
/* The compiler is to have v as it is, not as the sum that it came from. */
#if !defined(IN_REGISTER)
#define IN_REGISTER(v)
#endif

/* Jumps by the 32-bit distance in unit n; by that with a 32-bit cost before it; back by a 16-bit
 * distance with a 16-bit cost before it. */
#define JUMP(n)                                                                                    \
	do {                                                                                       \
		PC += (int32_t) * (const unit32 *)&PC[n];                                          \
		NEXT(n);                                                                           \
	} while (0)
#if !defined(JUMP_LOOP)
#define JUMP_LOOP(n)                                                                               \
	do {                                                                                       \
		uint32_t cost_ = *(const unit32 *)&PC[n];                                          \
		PC += (int32_t) * (const unit32 *)&PC[(n) + 2];                                    \
		CHARGE_AND_NEXT(cost_, (n) + 2);                                                   \
	} while (0)
#define JUMP_BACK(n)                                                                               \
	do {                                                                                       \
		uint32_t cost_ = PC[n];                                                            \
		PC -= PC[(n) + 1];                                                                 \
		CHARGE_AND_NEXT(cost_, (n) + 1);                                                   \
	} while (0)
#endif

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define COLD        __attribute__((noinline, cold))

/* What a run needs at hand; lives on the C stack while rotor_run runs. */
struct exec {
	uint8_t *mem;
	uint64_t mem_bytes; /* what accesses are checked against */
	const uint16_t *form;
	const struct func *funcs;
	uint32_t *globals;
	uint32_t *stack_end;
	int32_t slice; /* fuel until the next look around */
	uint32_t number, func_imports, func_own;
	uint32_t own_refs; /* of own functions; that of own_funcs[0] is this */
	const struct func *own_funcs;
	uint32_t target; /* function that exec_target found */
	uint8_t why, trap;
	struct rotor_instance *in;
	uint64_t budget, granted; /* fuel not given to slices yet, and given */
	const uint32_t *interrupt;
	uint64_t address; /* of an access out of bounds */
	uint32_t cost;    /* of a bulk step */
	const uint16_t *pc;
	uint32_t *fp;
	EXEC_REGS
};

#if !defined(ROTOR_DISPATCH_GOTO)
typedef void (*exec_handler)(PARAMS);
struct exec_table {
	exec_handler handlers[FORM_OP_COUNT];
};
extern const struct exec_table exec_table;
#endif

/* Types by the names of opcode_list.h. */
typedef uint32_t ctype_u32;
typedef int32_t ctype_i32;
typedef uint64_t ctype_u64;
typedef int64_t ctype_i64;
typedef float ctype_f32;
typedef double ctype_f64;
#define GETA_u32    ((uint32_t)ACC32)
#define GETA_i32    ((int32_t)(uint32_t)ACC32)
#define GETA_i64    ((int64_t)GETA_u64)
#define GETA_f32    FACC
#define GETA_f64    DACC
#define SETA_i32(v) SETA_u32(v)
#define SETA_i64(v) SETA_u64(v)
#define SETA_f32(v) FACC = (v)
#define SETA_f64(v) DACC = (v)

/* The value in the slot that unit n names. */
#define SLOT(type, n) (*(cell_##type *)&FP[PC[n]])

/* The long constant at unit n. */
#define LONG_u32(n) (*(const unit32 *)&PC[n])
#define LONG_i32(n) ((int32_t) * (const unit32 *)&PC[n])
#define LONG_u64(n) ((uint64_t)(int64_t)(int32_t) * (const unit32 *)&PC[n])
#define LONG_f32(n) (*(const unit_f32 *)&PC[n])
#define LONG_f64(n) (*(const unit_f64 *)&PC[n])

/* Operands a and b; how many units they take; the result r. */
#define GET_SS(type)   ctype_##type a = SLOT(type, 1), b = SLOT(type, 2)
#define GET_AS(type)   ctype_##type a = GETA_##type, b = SLOT(type, 1)
#define GET_SA(type)   ctype_##type a = SLOT(type, 1), b = GETA_##type
#define GET_SK(type)   ctype_##type a = SLOT(type, 1), b = (ctype_##type)(int16_t)PC[2]
#define GET_AK(type)   ctype_##type a = GETA_##type, b = (ctype_##type)(int16_t)PC[1]
#define GET_SL(type)   ctype_##type a = SLOT(type, 1), b = LONG_##type(2)
#define GET_AL(type)   ctype_##type a = GETA_##type, b = LONG_##type(1)
#define GET_SD         GET_SL
#define GET_AD         GET_AL
#define GET_S(type)    ctype_##type a = SLOT(type, 1)
#define GET_A(type)    ctype_##type a = GETA_##type
#define UNITS_SS       2
#define UNITS_AS       1
#define UNITS_SA       1
#define UNITS_SK       2
#define UNITS_AK       1
#define UNITS_SL       3
#define UNITS_AL       2
#define UNITS_SD       5
#define UNITS_AD       4
#define UNITS_SLS      4
#define UNITS_SLA      3
#define UNITS_SSS      3
#define UNITS_SSA      2
#define UNITS_SLK      4
#define UNITS_L        2
#define UNITS_LS       3
#define UNITS_LA       2
#define UNITS_S        1
#define UNITS_A        0
#define PUT_A(type, n) SETA_##type(r)
#define PUT_S(type, n)                                                                             \
	SETA_##type(r);                                                                            \
	SLOT(type, n) = r

/* Bytes of memory, where they are at hand. */
#if !defined(MEM_BYTES)
#define MEM_BYTES ((uint32_t)X->mem_bytes)
#endif

/* Checks bytes at a, or at a plus an offset: the last one is at a plus unit n then. at is where they
 * are. has: 1 if there is an offset, else 0. */
#define ACCESS(has, bytes, n)  ACCESS_(has, bytes, n)
#define ACCESS_(has, bytes, n) ACCESS_##has(bytes, n)
#if defined(ACCESS_1)
#elif UINTPTR_MAX > UINT32_MAX
#define ACCESS_TO(bytes, to_last)                                                                  \
	uint64_t last = (uint64_t)a + (to_last);                                                   \
	if (UNLIKELY(last >= X->mem_bytes)) {                                                      \
		X->address = last;                                                                 \
		CALL(cold_trap_memory);                                                            \
	}                                                                                          \
	uint8_t *at = MEM + (size_t)(last - ((bytes)-1))
#else
#define ACCESS_TO(bytes, to_last)                                                                  \
	uint32_t last;                                                                             \
	if (UNLIKELY(__builtin_add_overflow(a, (uint32_t)(to_last), &last))) {                     \
		TRAP_WRAPPED(last);                                                                \
	}                                                                                          \
	if (UNLIKELY(last >= MEM_BYTES)) {                                                         \
		TRAP_BEYOND(last);                                                                 \
	}                                                                                          \
	uint8_t *at = MEM + (last - ((bytes)-1))
/* The last byte is at last, at 2^32 plus last. */
#if defined(ROTOR_DISPATCH_GOTO)
#define TRAP_BEYOND(last)                                                                          \
	do {                                                                                       \
		access_last = last;                                                                \
		CALL(cold_trap_beyond);                                                            \
	} while (0)
#define TRAP_WRAPPED(last)                                                                         \
	do {                                                                                       \
		access_last = last;                                                                \
		CALL(cold_trap_wrapped);                                                           \
	} while (0)
#else
#define TRAP_BEYOND(last)                                                                          \
	do {                                                                                       \
		X->address = last;                                                                 \
		CALL(cold_trap_memory);                                                            \
	} while (0)
#define TRAP_WRAPPED(last)                                                                         \
	do {                                                                                       \
		X->address = UINT64_C(0x100000000) + (last);                                       \
		CALL(cold_trap_memory);                                                            \
	} while (0)
#endif
#endif
#if !defined(ACCESS_1)
#define ACCESS_1(bytes, n) ACCESS_TO(bytes, PC[n])
#define ACCESS_0(bytes, n) ACCESS_TO(bytes, (bytes)-1)
#endif

static inline bool add_offset(struct exec *x, uint32_t a, const uint16_t *at, uint32_t *out)
{
	uint64_t sum = (uint64_t)a + *(const unit32 *)at;

	x->address = sum;
	*out = (uint32_t)sum;
	return sum <= UINT32_MAX;
}

/* Four cells; zeroing goes beyond what it must, up to STACK_SPARE_CELLS - 1 cells. */
typedef uint32_t __attribute__((vector_size(16), aligned(4), may_alias)) cells4;

#if !defined(ROTOR_DISPATCH_GOTO)
/* Declarations of all handlers. */
#define DECLARE_(operands, result, name) HANDLER(name##_##operands##result);
#define R(name, units, maps)             HANDLER(name);
FORM_PLAIN_LIST(R)
#undef R
#define R(name, in, out, set, ...) SET_##set(DECLARE_, name)
FORM_BIN_LIST(R)
FORM_DIV_LIST(R)
FORM_UN_LIST(R)
FORM_TRUNC_LIST(R)
#undef R
#define R(name, in, out, set) SET_##set(DECLARE_, name)
FORM_LOAD_LIST(R)
FORM_STORE_LIST(R)
#undef R
#define R(name, in, set) SET_##set(DECLARE_, name)
FORM_SELECT_LIST(R)
#undef R
#define R(name, in, set, ...)                                                                      \
	SET_##set(DECLARE_, name) SET_BR_##set(DECLARE_, BR_##name)                                \
		SET_BACK_##set(DECLARE_, BACK_##name)
FORM_CMP_LIST(R)
#undef R

#define P(kind, first, second) HANDLER(first##__##second);
FORM_PAIR_LIST(P)
#undef P

/* Cold ends of handlers. */
void cold_trap(PARAMS);
void cold_trap_memory(PARAMS); /* X->address: where */
void cold_fuel(PARAMS);
void cold_import(PARAMS);
void cold_import_far(PARAMS);
void cold_enter_import(PARAMS);
void cold_indirect(PARAMS);
void cold_tail_elsewhere(PARAMS);
void cold_bulk(PARAMS);
#endif

/* Runs handlers from x->pc on until one leaves. */
void exec_start(struct exec *x);
#if defined(ROTOR_DISPATCH_THUMB)
void exec_thumb(struct exec *x);
#endif

/* bulk.c: one step of the operation at pc; X->cost is what it costs. */
enum bulk {
	BULK_DONE,
	BULK_AGAIN,
	BULK_TRAP
};
enum bulk bulk_step(struct exec *x, const uint16_t *pc, uint32_t *fp);

/* exec.c: the function that index names in a table; a trap is in x. */
enum target {
	TARGET_OWN,
	TARGET_IMPORT,
	TARGET_CROSS,
	TARGET_TRAP
};
enum target exec_target(struct exec *x, uint32_t index, uint32_t type, uint32_t table);
/* Calls import func with these arguments. True: go on; otherwise x->why says what to stop for. */
bool exec_import(struct exec *x, uint32_t func, const uint16_t *pc, uint32_t *fp, uint32_t *cells);
/* An indirect call, at slot delta of the frame, of other than an own function; true: go on. */
bool exec_elsewhere(struct exec *x, const uint16_t *pc, uint32_t *fp, uint32_t delta);
bool exec_interrupted(const struct exec *x);
/* Gives the next slice from the budget; false if it is time to stop. */
bool exec_next_slice(struct exec *x);

#endif
