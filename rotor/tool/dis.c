/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rotor dis: the translated form of functions, beside the WebAssembly it came from.
 *
 *     0x0042  local.get 0
 *     0x0044  i32.load offset=8 align=4
 *                   120  I32_LOAD      s0 +8 -> acc
 *
 * Each operation that can trap or call knows its place in the module; those before it that do not
 * stand together with it.
 * Operands: s3 a slot, acc the accumulator, #5 a constant, @120 a place in the form.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "rotor/form.h"
#include "rotor/module.h"
#include "rotor/tool/tool.h"
#include "rotor/tool/wasm_text.h"

/* How an operation's units are read; the form's classes, and some more. */
enum layout {
	PLAIN,
	VALUE,
	ACCESS,
	SELECTS,
	BRANCHES
};

struct op {
	const char *name, *operands, *result;
	uint8_t layout;
};

#define VARIANT_(ops_, result_, name, layout) {#name, #ops_, #result_, layout},

static const struct op ops[FORM_OP_COUNT] = {
#define R(name, units, maps) {#name, "", "", PLAIN},
	FORM_PLAIN_LIST(R)
#undef R
#define R(name, in, out, set, ...) SET_##set(VARIANT_, name, VALUE)
		FORM_BIN_LIST(R) FORM_DIV_LIST(R) FORM_UN_LIST(R) FORM_TRUNC_LIST(R)
#undef R
#define R(name, in, out, set) SET_##set(VARIANT_, name, ACCESS)
			FORM_LOAD_LIST(R) FORM_STORE_LIST(R)
#undef R
#define R(name, in, set) SET_##set(VARIANT_, name, SELECTS)
				FORM_SELECT_LIST(R)
#undef R
#define R(name, in, set, ...)                                                                      \
	SET_##set(VARIANT_, name, VALUE) SET_##set(VARIANT_, BR_##name, BRANCHES)                  \
		SET_##set(VARIANT_, BACK_##name, BRANCHES)
					FORM_CMP_LIST(R)
#undef R
};

/* One function being shown. */
struct view {
	const struct rotor_module *module;
	const struct mapped *file;
	uint32_t func;
	uint32_t wasm_at, wasm_end; /* of the body's instructions not shown yet */
};

static void show_wasm_until(struct view *v, uint32_t offset)
{
	const uint8_t *bytes = v->file->bytes;
	char text[200];

	while (v->wasm_at <= offset && v->wasm_at < v->wasm_end) {
		size_t n = wasm_instr_text(text, sizeof(text), bytes + v->wasm_at,
					   v->wasm_end - v->wasm_at);

		if (n == 0) {
			printf("  0x%04x  ?\n", (unsigned)v->wasm_at);
			v->wasm_at = v->wasm_end;
			return;
		}
		printf("  0x%04x  %s\n", (unsigned)v->wasm_at, text);
		v->wasm_at += (uint32_t)n;
	}
}

/* A constant of 32 or 64 bits. */
static void show_constant(const struct op *op, const uint16_t *unit, bool wide)
{
	struct rotor_value v = {.type = ROTOR_I32, .u64 = form_get32(unit)};

	if (wide) {
		v.type = ROTOR_F64;
		v.u64 |= (uint64_t)form_get32(unit + 2) << 32;
	} else if (strncmp(op->name, "F32_", 4) == 0) {
		v.type = ROTOR_F32;
	}
	printf(" #");
	value_print(stdout, &v);
}

/* The operands that the variant's name tells: A accumulator, S slot, K L D constants of 16, 32 and
 * 64 bits. Returns the next unit. */
static const uint16_t *show_operands(const struct op *op, const uint16_t *unit)
{
	for (const char *kind = op->operands; *kind != 0; kind++) {
		switch (*kind) {
		case 'A':
			printf(" acc");
			break;
		case 'S':
			printf(" s%u", *unit++);
			break;
		case 'K':
			printf(" #%d", (int16_t)*unit++);
			break;
		default:
			show_constant(op, unit, *kind == 'D');
			unit += *kind == 'D' ? 4 : 2;
			break;
		}
	}
	return unit;
}

static void show_variant(const struct op *op, const uint16_t *unit, const uint16_t *end)
{
	bool store = strstr(op->name, "STORE") != NULL;

	unit = show_operands(op, unit);
	if (op->layout == ACCESS) {
		printf(" +%u", *unit++);
	} else if (op->layout == SELECTS) {
		printf(" ? s%u : s%u", unit[0], unit[1]);
		unit += 2;
	} else if (op->layout == BRANCHES) {
		printf(" units");
		for (; unit < end; unit++) {
			printf(" %d", (int16_t)*unit);
		}
		return;
	}
	if (!store) {
		printf(" -> acc");
		if (*op->result == 'S') {
			printf(", s%u", *unit);
		}
	}
}

static void show_op(const uint16_t *form, uint32_t pc)
{
	const uint16_t *unit = form + pc + 1, *end = form + pc + form_length(form + pc);
	const struct op *op = &ops[form[pc]];

	printf("                %6u  %-20s", (unsigned)pc, op->name);
	if (op->layout != PLAIN) {
		show_variant(op, unit, end);
	} else {
		for (; unit < end; unit++) {
			printf(" %d", (int16_t)*unit);
		}
	}
	putchar('\n');
}

static void show_head(const struct view *v)
{
	const struct func *f = &v->module->funcs[v->func];
	struct rotor_functype type = rotor_module_functype(v->module, v->func);
	const char *name;
	uint32_t bytes;

	printf("function %u", (unsigned)v->func);
	if (rotor_module_funcname(v->module, v->func, &name, &bytes)) {
		putchar(' ');
		print_foreign(stdout, name, bytes);
	}
	putchar(' ');
	functype_print(stdout, &type);
	printf("  frame %u cells, costs %u\n", f->frame_cells, (unsigned)f->cost);
}

/* Reads an unsigned number; the module is known to be well formed. */
static uint32_t read_u32(const struct mapped *file, uint32_t *at)
{
	const uint8_t *p = (const uint8_t *)file->bytes + *at;
	uint32_t v = module_leb(&p);

	*at = (uint32_t)(p - (const uint8_t *)file->bytes);
	return v;
}

/* Where the bodies of the code section begin; *count of them. 0: there is none. */
static uint32_t find_bodies(const struct mapped *file, uint32_t *count)
{
	const uint8_t *bytes = file->bytes;
	uint32_t at = 8;

	while (at < file->count) {
		uint8_t section = bytes[at++];
		uint32_t length = read_u32(file, &at);

		if (section == 10) {
			*count = read_u32(file, &at);
			return at;
		}
		at += length;
	}
	*count = 0;
	return 0;
}

/* Behind the declarations of locals. */
static uint32_t skip_locals(const struct mapped *file, uint32_t at)
{
	for (uint32_t groups = read_u32(file, &at); groups != 0; groups--) {
		(void)read_u32(file, &at);
		at++;
	}
	return at;
}

/* The next operation from pc on that knows its place in the module; end if there is none. */
static uint32_t next_mapped(const uint16_t *form, uint32_t pc, uint32_t end)
{
	while (pc < end && (form_units[form[pc]] & FORM_MAPPED) == 0) {
		pc += form_length(form + pc);
	}
	return pc;
}

/* The WebAssembly up to an operation that knows its place, then the form up to and with it. */
static void show_function(struct view *v)
{
	const struct rotor_module *m = v->module;
	uint32_t pc = m->funcs[v->func].form;
	uint32_t end = pc + form_get32(m->form + pc - FORM_HEADER_UNITS + 2);

	show_head(v);
	while (pc < end) {
		uint32_t mapped = next_mapped(m->form, pc, end);

		show_wasm_until(v,
				mapped < end ? module_offset_at(m, v->func, mapped) : UINT32_MAX);
		for (; pc <= mapped && pc < end; pc += form_length(m->form + pc)) {
			show_op(m->form, pc);
		}
	}
	show_wasm_until(v, UINT32_MAX);
}

/* ---- which functions ---- */

/* Is that the function that the user named, by name or by index? */
static bool is_wanted(const struct rotor_module *module, uint32_t func, const char *which)
{
	const char *name;
	uint32_t bytes;
	char *end;

	if (which == NULL) {
		return true;
	}
	if (isdigit((unsigned char)*which) && strtoul(which, &end, 10) == func && *end == 0) {
		return true;
	}
	return rotor_module_funcname(module, func, &name, &bytes) && strlen(which) == bytes &&
	       memcmp(which, name, bytes) == 0;
}

static int show_file(const char *path, const char *which)
{
	struct mapped file;
	struct rotor_module_info info;
	const struct rotor_module *module = module_open(path, &file);
	uint32_t bodies, at, shown = 0;

	if (module == NULL) {
		return EXIT_INVALID;
	}
	rotor_module_info(module, &info);
	at = find_bodies(&file, &bodies);
	for (uint32_t i = 0; i < bodies; i++) {
		uint32_t body_bytes = read_u32(&file, &at);
		struct view v = {module, &file, info.func_count - bodies + i,
				 skip_locals(&file, at), at + body_bytes};

		at += body_bytes;
		if (is_wanted(module, v.func, which)) {
			show_function(&v);
			shown++;
		}
	}
	if (which != NULL && shown == 0) {
		complain("%s defines no function '%s'", path, which);
		return EXIT_INVALID;
	}
	return EXIT_OK;
}

int command_dis(int argc, char **argv)
{
	struct options o = {.argc = argc, .at = 1, .argv = argv};

	while (option_left(&o)) {
		if (option_is(&o, "--help", false) || option_is(&o, "-h", false)) {
			puts("Usage: rotor dis FILE [FUNC]\n\n"
			     "Prints the translated form of each function, or of FUNC (a name or "
			     "an "
			     "index),\nbeside the WebAssembly it came from.");
			return EXIT_OK;
		}
		option_unknown(&o, "dis");
	}
	if (argc - o.at != 1 && argc - o.at != 2) {
		complain("rotor dis takes FILE and perhaps FUNC");
		return EXIT_USAGE;
	}
	return show_file(argv[o.at], argc - o.at == 2 ? argv[o.at + 1] : NULL);
}
