/* SPDX-License-Identifier: Apache-2.0 */
/* Traps: reasons in words, what host functions say, and the backtrace. */
#include "rotor/native_run.h"

enum rotor_trap rotor_trap(const struct rotor_instance *in)
{
	return (enum rotor_trap)in->trap;
}

const char *rotor_trap_text(enum rotor_trap trap)
{
	static const char *const texts[] = {
		[ROTOR_TRAP_NONE] = "no trap",
		[ROTOR_TRAP_UNREACHABLE] = "unreachable",
		[ROTOR_TRAP_MEMORY] = "out of bounds memory access",
		[ROTOR_TRAP_TABLE] = "out of bounds table access",
		[ROTOR_TRAP_ELEMENT] = "undefined element",
		[ROTOR_TRAP_NULL] = "uninitialized element",
		[ROTOR_TRAP_SIGNATURE] = "indirect call type mismatch",
		[ROTOR_TRAP_DIV_ZERO] = "integer divide by zero",
		[ROTOR_TRAP_OVERFLOW] = "integer overflow",
		[ROTOR_TRAP_CONVERSION] = "invalid conversion to integer",
		[ROTOR_TRAP_STACK] = "call stack exhausted",
		[ROTOR_TRAP_UNBACKED] = "memory beyond what the limits back",
		[ROTOR_TRAP_HOST] = "a host function refused",
		[ROTOR_TRAP_EXIT] = "the program ended itself",
	};

	return (size_t)trap < BASE_COUNT(texts) ? texts[trap] : "unknown trap";
}

void rotor_set_trap(struct rotor_instance *in, enum rotor_trap trap, const char *text)
{
	size_t n = text != NULL ? strlen(text) : 0;

	n = BASE_MIN(n, sizeof(in->detail) - 1);
	in->trap = (uint8_t)trap;
	if (n > 0) {
		memcpy(in->detail, text, n);
	}
	in->detail[n] = 0;
}

const char *rotor_trap_detail(const struct rotor_instance *in)
{
	return in->detail;
}

void rotor_set_exit(struct rotor_instance *in, int32_t code)
{
	in->exit_code = code;
	in->trap = ROTOR_TRAP_EXIT;
}

int32_t rotor_exit_code(const struct rotor_instance *in)
{
	return in->exit_code;
}

/* A place of the walk from the innermost frame outwards. */
struct walk {
	uint32_t pc, fp, activation;
};

/* Goes to the frame that called; false: there is none. */
static bool outward(const struct rotor_instance *in, struct walk *w)
{
	const struct rotor_module *m = in->module;
	uint32_t func = module_func_at(m, w->pc);
	uint32_t back = FORM_AT_HALT;

	if (w->pc >= FORM_PROLOGUE_UNITS && func != ROTOR_NO_IDX) {
		back = in->stack[w->fp + m->funcs[func].zero_from + m->funcs[func].zero_count];
	}
	if (back != FORM_AT_HALT) {
		w->pc = back - 1;
		w->fp -= m->form[back - 1];
		return true;
	}
	const struct activation *a = (const struct activation *)&in->stack[w->activation - 1];

	w->pc = a->pc;
	w->fp = a->fp;
	w->activation = a->outer;
	return w->activation != 0;
}

bool rotor_frame(const struct rotor_instance *in, uint32_t i, struct rotor_frame *out)
{
	struct walk w = {in->pc, in->fp, in->activation};

	if (w.activation == 0) {
		return false;
	}
	if (module_native(in->module) != NULL) {
		return native_frame(in, i, out);
	}
	for (; i > 0; i--) {
		if (!outward(in, &w)) {
			return false;
		}
	}
	memset(out, 0, sizeof(*out));
	if (w.pc < FORM_PROLOGUE_UNITS) {
		out->func_idx = ((const struct activation *)&in->stack[w.activation - 1])->func;
	} else {
		out->func_idx = module_func_at(in->module, w.pc);
		out->offset = module_offset_at(in->module, out->func_idx, w.pc);
	}
	if (!rotor_module_funcname(in->module, out->func_idx, &out->name, &out->name_bytes)) {
		out->name = NULL;
	}
	return true;
}
