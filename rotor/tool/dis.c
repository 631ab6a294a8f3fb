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
 * Operands: s3 a slot, acc the accumulator, #5 a constant; places are counted in units of the form.
 * Two operations that are one in the form stand with a + between them.
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

/* What the units of an operation mean, one letter each: S slot, A accumulator (no unit), K L D
 * constants of 16, 32 and 64 bits, o offset, u v unsigned of 16 and 32 bits, j jump, c cost, b cost
 * and jump back; > what follows is a result, ? the two slots of a select. */
struct op {
	const char *name, *operands, *more;
	unsigned bytes; /* of an access */
};

/* The result of a variant: A the accumulator, S also a slot. */
#define RESULT_A                 ">A"
#define RESULT_S                 ">AS"
#define NO_RESULT_A              ""
#define OP_(op, text, ops, more) [op] = {text, ops, more, 0},

/* Of an access with and without offset. */
#define OFFSET_(has)  OFFSET__(has)
#define OFFSET__(has) OFFSET_##has
#define OFFSET_1      "o"
#define OFFSET_0      ""

#define VALUE_(ops_, res, name) OP_(F_##name##_##ops_##res, #name, #ops_, RESULT_##res)
#define LOAD_(ops_, res, name, type)                                                               \
	[F_##name##_##ops_##                                                                       \
		res] = {#name, #ops_, OFFSET_(LOAD_OFFSET_##ops_) RESULT_##res, sizeof(type)},
#define STORE_(ops_, res, name, type)                                                              \
	[F_##name##_##ops_##res] = {#name, #ops_, OFFSET_(STORE_OFFSET_##ops_) NO_##RESULT_##res,  \
				    sizeof(type)},
#define SELECT_(ops_, res, name) OP_(F_##name##_##ops_##res, #name, #ops_, "?" RESULT_##res)
#define BRANCH_(ops_, res, name) OP_(F_##name##_##ops_##res, #name, #ops_, "j")
#define BACK_(ops_, res, name)   OP_(F_##name##_##ops_##res, #name, #ops_, "b")

static const struct op ops[FORM_OP_COUNT] = {
#define R(name, units, maps) OP_(F_##name, #name, NULL, NULL)
	FORM_PLAIN_LIST(R)
#undef R
#define R(name, in, out, set, ...) SET_##set(VALUE_, name)
		FORM_BIN_LIST(R) FORM_DIV_LIST(R) FORM_UN_LIST(R) FORM_TRUNC_LIST(R)
#undef R
#define R(name, in, out, set) SET_##set(LOAD_, name, in)
			FORM_LOAD_LIST(R)
#undef R
#define R(name, in, out, set) SET_##set(STORE_, name, in)
				FORM_STORE_LIST(R)
#undef R
#define R(name, in, set) SET_##set(SELECT_, name)
					FORM_SELECT_LIST(R)
#undef R
#define R(name, in, set, ...)                                                                      \
	SET_##set(VALUE_, name) SET_BR_##set(BRANCH_, BR_##name) SET_BACK_##set(BACK_, BACK_##name)
						FORM_CMP_LIST(R)
#undef R
};

/* The same for operations without variants; those that are not here show plain numbers. */
static const char *const plain_units[FORM_OP_COUNT] = {
	[F_MOV32] = "S>S",
	[F_MOV64] = "S>S",
	[F_LEA_SL] = "SL>S",
	[F_LEA_SS] = "SS>S",
	[F_K16_32] = "K>S",
	[F_K32_32] = "L>S",
	[F_K16_64] = "K>S",
	[F_K32_64] = "L>S",
	[F_K64_64] = "D>S",
	[F_KA_I32] = "L>A",
	[F_KA_I64] = "L>A",
	[F_KA_F32] = "L>A",
	[F_KA_F64] = "D>A",
	[F_STA_I32] = "A>S",
	[F_STA_I64] = "A>S",
	[F_STA_F32] = "A>S",
	[F_STA_F64] = "A>S",
	[F_LDA_I32] = "S>A",
	[F_LDA_I64] = "S>A",
	[F_LDA_F32] = "S>A",
	[F_LDA_F64] = "S>A",
	[F_BR] = "j",
	[F_BR_LOOP] = "cj",
	[F_BRNZ_S] = "Sj",
	[F_BRNZ_A] = "Aj",
	[F_BRZ_S] = "Sj",
	[F_BRZ_A] = "Aj",
	[F_BACKNZ_S] = "Sb",
	[F_BACKNZ_A] = "Ab",
	[F_BACKZ_S] = "Sb",
	[F_BACKZ_A] = "Ab",
	[F_RETURN32] = "SS",
	[F_RETURN64] = "SS",
	[F_REF_FUNC] = "Sv",
	[F_CALL] = FORM_CALL_PLACE == 0 ? "uu" : "uvu",
	[F_CALL_FAR] = "vu",
	[F_TAIL_CALL] = "vSuS",
	[F_CALL_INDIRECT] = "Suuu",
	[F_ADDR_S] = "Sv>A",
	[F_ADDR_A] = "Av>A",
};

/* Operations that one of the form does at most. */
enum {
	PARTS_MAX = 8
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

/* A constant of 32 or 64 bits, as a float where the operation's name tells that it is one. */
static void show_constant(const struct op *op, const uint16_t *unit, bool wide)
{
	struct rotor_value v = {.u64 = form_get32(unit)};

	if (wide) {
		v.u64 |= (uint64_t)form_get32(unit + 2) << 32;
		v.type = strstr(op->name, "F64") != NULL ? ROTOR_F64 : ROTOR_I64;
	} else {
		v.type = strstr(op->name, "F32") != NULL ? ROTOR_F32 : ROTOR_I32;
	}
	printf(" #");
	value_print(stdout, &v);
}

/* One letter's worth of units; at is the place of the first. Returns how many. */
static unsigned show_letter(const struct op *op, char letter, const uint16_t *unit, uint32_t at)
{
	switch (letter) {
	case 'A':
		printf(" acc");
		return 0;
	case 'S':
		printf(" s%u", *unit);
		return 1;
	case 'K':
		printf(" #%d", (int16_t)*unit);
		return 1;
	case 'L':
	case 'D':
		show_constant(op, unit, letter == 'D');
		return letter == 'D' ? 4 : 2;
	case 'o':
		printf(" +%u", *unit + 1 - op->bytes);
		return 1;
	case 'u':
		printf(" %u", *unit);
		return 1;
	case 'v':
		printf(" %u", (unsigned)form_get32(unit));
		return 2;
	case 'c':
		printf(" cost %u", (unsigned)form_get32(unit));
		return 2;
	case 'j':
		printf(" to %u", (unsigned)(at + form_get32(unit)));
		return 2;
	case 'b':
		printf(" cost %u to %u", unit[0], (unsigned)(at + 1 - unit[1]));
		return 2;
	case '?':
		printf(" ? s%u : s%u", unit[0], unit[1]);
		return 2;
	default:
		printf(" ->");
		return 0;
	}
}

/* The units from *at on, up to end, as the letters say. */
static void show_letters(const struct op *op, const char *letters, const uint16_t *form,
			 uint32_t *at, uint32_t end)
{
	for (; *letters != 0 && *at <= end; letters++) {
		*at += show_letter(op, *letters, form + *at, *at);
	}
}

/* An operation whose units begin at at. */
static void show_units(uint16_t opcode, const uint16_t *form, uint32_t at, uint32_t end)
{
	const struct op *op = &ops[opcode];
	const char *letters = op->operands != NULL ? op->operands : plain_units[opcode];

	printf("%-20s", op->name != NULL ? op->name : "?");
	if (letters != NULL) {
		show_letters(op, letters, form, &at, end);
		show_letters(op, op->more != NULL ? op->more : "", form, &at, end);
	}
	for (; at < end; at++) {
		printf(" %d", (int16_t)form[at]);
	}
	putchar('\n');
}

/* The pair that an operation is; NULL if it is none. */
static const struct form_pair *pair_of(uint16_t opcode)
{
	for (int i = 0; i < FORM_PAIR_COUNT; i++) {
		if (form_pairs[i].both == opcode) {
			return &form_pairs[i];
		}
	}
	return NULL;
}

/* The operation at pc; a pair is shown as its two, of which the first may be a pair itself. */
static void show_op(const uint16_t *form, uint32_t pc)
{
	uint16_t parts[PARTS_MAX] = {form[pc]};
	unsigned last = 0;
	uint32_t at = pc + 1;

	for (const struct form_pair *p; (p = pair_of(parts[last])) != NULL; last++) {
		ASSERT(last + 1 < PARTS_MAX);
		parts[last] = p->second;
		parts[last + 1] = p->first;
	}
	printf("                %6u  ", (unsigned)pc);
	for (;; last--) {
		uint32_t end =
			last == 0 ? pc + form_length(form + pc) : at + form_units(parts[last]) - 1;

		show_units(parts[last], form, at, end);
		if (last == 0) {
			return;
		}
		printf("                     +  ");
		at = end;
	}
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
	while (pc < end && form_maps(form[pc]) == 0) {
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
