/* SPDX-License-Identifier: Apache-2.0 */
/* All handlers as labels of one function, for small machines; see exec.h. Empty for others. */
#include "rotor/exec.h"
#include "rotor/numeric.h"

#if defined(ROTOR_DISPATCH_GOTO)

#if defined(ROTOR_DISPATCH_THUMB)
register const uint16_t *pc __asm__("r4");
register uint32_t *fp __asm__("r5");
register uint32_t acc __asm__("r6");
register struct exec *x __asm__("r7");
register uint32_t acc_high __asm__("r8");
register const void *const *labels __asm__("r9");
register uint8_t *mem __asm__("r10");
register uint32_t mem_bytes __asm__("r11");
#endif

/* The last byte's address of an access out of bounds. */
#if defined(ACCESS_LAST)
#define EXEC_GOTO_LOCALS
#else
#define EXEC_GOTO_LOCALS uint32_t access_last;
#define ACCESS_LAST
#endif

#if defined(ROTOR_SMALL)
#include "rotor/exec_shared.h"
#else
#define EXEC_SHARED_LOCALS
#define EXEC_SHARED_ENDS
#endif

/* From here on the files of handlers are the body of exec_start. */
#define EXEC_HANDLERS 1

void EXEC_START(struct exec *exec)
{
	static const void *const table[FORM_OP_COUNT] = {
#define R(name, units, maps) [F_##name] = LABEL_AT(h_##name),
		FORM_PLAIN_LIST(R)
#undef R
#define LABEL_(operands, result, name)                                                             \
	[F_##name##_##operands##result] = LABEL_AT(h_##name##_##operands##result),
#define R(name, in, out, set, ...) SET_##set(LABEL_, name)
			FORM_BIN_LIST(R) FORM_DIV_LIST(R) FORM_UN_LIST(R) FORM_TRUNC_LIST(R)
#undef R
#define R(name, in, out, set) SET_##set(LABEL_, name)
				FORM_LOAD_LIST(R) FORM_STORE_LIST(R)
#undef R
#define R(name, in, set) SET_##set(LABEL_, name)
					FORM_SELECT_LIST(R)
#undef R
#define R(name, in, set, ...)                                                                      \
	SET_##set(LABEL_, name) SET_BR_##set(LABEL_, BR_##name) SET_BACK_##set(LABEL_, BACK_##name)
						FORM_CMP_LIST(R)
#undef R
#define P(kind, first, second) [F_##first##__##second] = LABEL_AT(h_##first##__##second),
							FORM_PAIR_LIST(P)
#undef P
	};
	EXEC_GOTO_LOCALS
	EXEC_SHARED_LOCALS
	EXEC_LOCALS(exec, table);

dispatch:
	goto *labels[*pc];
#include "rotor/exec_numeric.c"
#include "rotor/exec_memory.c"
#include "rotor/exec_control.c"
#include "rotor/exec_pairs.c"
#include "rotor/exec_cold.c"
	EXEC_SHARED_ENDS
}

#endif
