/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A linker for one object: what LLVM emits becomes a blob that runs wherever it is put, from flash
 * too.
 *
 * In:    one relocatable ELF object (32 or 64 bits, little-endian) in memory
 * Out:   text and read-only data at fixed distances, relative relocations applied; function
 * symbols; line table Rules: 1. Only relative relocations inside the blob are accepted, so nothing
 * is left to do on the device.
 *        2. Writable data and symbols from outside are errors: generated code has neither.
 * Spec:  System V ABI; psABIs of x86-64, AArch64, Arm, RISC-V; Xtensa's relocations as in its ELF
 * supplement.
 */
#include "rotorc/link.h"

#include "base/base.h"

#include <elf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

struct section {
	const char *name;
	uint32_t type, link, info;
	uint64_t flags, align, entsize;
	const uint8_t *bytes;
	uint64_t size;
	bool placed;     /* it is part of the blob */
	uint32_t offset; /* then where */
};

struct symbol {
	const char *name;
	uint8_t kind;
	uint16_t section;
	uint64_t value, size;
};

struct reloc {
	uint64_t offset;
	uint32_t type, symbol;
	int64_t addend;
};

struct linker {
	const uint8_t *object;
	size_t size;
	bool is64;
	uint16_t machine;
	struct section *sections;
	uint32_t section_count;
	struct symbol *symbols;
	uint32_t symbol_count;
	struct rotorc_blob *out;
	char *why;
	size_t cap;
};

static int fail(struct linker *l, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(l->why, l->cap, format, args);
	va_end(args);
	return -1;
}

/* ---- reading the object
 * ------------------------------------------------------------------------------- */

static int read_section(struct linker *l, uint64_t at, struct section *s, uint32_t *name)
{
	uint64_t offset;

	if (l->is64) {
		Elf64_Shdr h;

		if (at + sizeof(h) > l->size) {
			return fail(l, "the object ends inside its section headers");
		}
		memcpy(&h, l->object + at, sizeof(h));
		*s = (struct section){.type = h.sh_type,
				      .link = h.sh_link,
				      .info = h.sh_info,
				      .flags = h.sh_flags,
				      .align = h.sh_addralign,
				      .entsize = h.sh_entsize,
				      .size = h.sh_size};
		*name = h.sh_name;
		offset = h.sh_offset;
	} else {
		Elf32_Shdr h;

		if (at + sizeof(h) > l->size) {
			return fail(l, "the object ends inside its section headers");
		}
		memcpy(&h, l->object + at, sizeof(h));
		*s = (struct section){.type = h.sh_type,
				      .link = h.sh_link,
				      .info = h.sh_info,
				      .flags = h.sh_flags,
				      .align = h.sh_addralign,
				      .entsize = h.sh_entsize,
				      .size = h.sh_size};
		*name = h.sh_name;
		offset = h.sh_offset;
	}
	if (s->type != SHT_NOBITS && offset + s->size > l->size) {
		return fail(l, "a section lies outside the object");
	}
	s->bytes = l->object + offset;
	return 0;
}

static int read_sections(struct linker *l)
{
	const Elf64_Ehdr *e64 = (const void *)l->object;
	const Elf32_Ehdr *e32 = (const void *)l->object;
	uint32_t names_idx;
	uint64_t at;

	if (l->size < sizeof(Elf64_Ehdr) || memcmp(l->object, ELFMAG, SELFMAG) != 0) {
		return fail(l, "the compiler gave no ELF object");
	}
	l->is64 = l->object[EI_CLASS] == ELFCLASS64;
	l->machine = l->is64 ? e64->e_machine : e32->e_machine;
	l->section_count = l->is64 ? e64->e_shnum : e32->e_shnum;
	names_idx = l->is64 ? e64->e_shstrndx : e32->e_shstrndx;
	at = l->is64 ? e64->e_shoff : e32->e_shoff;
	if (l->section_count == 0) {
		/* More than 65,279 sections: the count stands in the first header. */
		struct section first;
		uint32_t name;

		if (read_section(l, at, &first, &name) != 0) {
			return -1;
		}
		l->section_count = (uint32_t)first.size;
	}
	l->sections = calloc(l->section_count, sizeof(*l->sections));
	uint32_t *names = calloc(l->section_count, sizeof(*names));

	for (uint32_t i = 0; i < l->section_count; i++) {
		if (read_section(l, at + i * (l->is64 ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr)),
				 &l->sections[i], &names[i]) != 0) {
			free(names);
			return -1;
		}
	}
	for (uint32_t i = 0; i < l->section_count; i++) {
		l->sections[i].name = (const char *)l->sections[names_idx].bytes + names[i];
	}
	free(names);
	return 0;
}

static void read_symbols(struct linker *l)
{
	for (uint32_t i = 0; i < l->section_count; i++) {
		const struct section *s = &l->sections[i];

		if (s->type != SHT_SYMTAB) {
			continue;
		}
		const char *names = (const char *)l->sections[s->link].bytes;

		l->symbol_count = (uint32_t)(s->size / s->entsize);
		l->symbols = calloc(l->symbol_count, sizeof(*l->symbols));
		for (uint32_t k = 0; k < l->symbol_count; k++) {
			struct symbol *to = &l->symbols[k];

			if (l->is64) {
				Elf64_Sym y;

				memcpy(&y, s->bytes + k * sizeof(y), sizeof(y));
				*to = (struct symbol){names + y.st_name, ELF64_ST_TYPE(y.st_info),
						      y.st_shndx, y.st_value, y.st_size};
			} else {
				Elf32_Sym y;

				memcpy(&y, s->bytes + k * sizeof(y), sizeof(y));
				*to = (struct symbol){names + y.st_name, ELF32_ST_TYPE(y.st_info),
						      y.st_shndx, y.st_value, y.st_size};
			}
		}
	}
}

static struct reloc read_reloc(const struct linker *l, const struct section *s, uint64_t i)
{
	const uint8_t *at = s->bytes + i * s->entsize;
	struct reloc r = {0};

	if (l->is64) {
		Elf64_Rela a;

		memcpy(&a, at, sizeof(a));
		return (struct reloc){a.r_offset, (uint32_t)ELF64_R_TYPE(a.r_info),
				      (uint32_t)ELF64_R_SYM(a.r_info), a.r_addend};
	}
	if (s->type == SHT_RELA) {
		Elf32_Rela a;

		memcpy(&a, at, sizeof(a));
		return (struct reloc){a.r_offset, ELF32_R_TYPE(a.r_info), ELF32_R_SYM(a.r_info),
				      a.r_addend};
	}
	Elf32_Rel a;

	memcpy(&a, at, sizeof(a));
	r = (struct reloc){a.r_offset, ELF32_R_TYPE(a.r_info), ELF32_R_SYM(a.r_info), 0};
	return r;
}

/* ---- layout
 * ------------------------------------------------------------------------------------------- */

static bool starts(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* Literals of Xtensa's l32r stand before the code that reads them, so they go first. */
static int rank(const struct section *s)
{
	return starts(s->name, ".literal") ? 0 : (s->flags & SHF_EXECINSTR) ? 1 : 2;
}

static int lay_out(struct linker *l)
{
	uint64_t at = 0;

	for (int pass = 0; pass < 3; pass++) {
		for (uint32_t i = 0; i < l->section_count; i++) {
			struct section *s = &l->sections[i];

			if ((s->flags & SHF_ALLOC) == 0 || s->size == 0 || rank(s) != pass ||
			    starts(s->name, ".ARM.ex") || starts(s->name, ".eh_frame")) {
				continue;
			}
			if ((s->flags & SHF_WRITE) != 0 || s->type == SHT_NOBITS) {
				return fail(l, "generated code has writable data in %s", s->name);
			}
			at = base_align_up(at, s->align > 16 ? s->align : 16);
			s->placed = true;
			s->offset = (uint32_t)at;
			at += s->size;
		}
	}
	at = base_align_up(at, 16);
	if (at > UINT32_MAX / 4) {
		return fail(l, "the native code is too large (%llu bytes)", (unsigned long long)at);
	}
	l->out->bytes = calloc(1, at ? at : 16);
	l->out->size = (uint32_t)at;
	for (uint32_t i = 0; i < l->section_count; i++) {
		if (l->sections[i].placed) {
			memcpy(l->out->bytes + l->sections[i].offset, l->sections[i].bytes,
			       l->sections[i].size);
		}
	}
	return 0;
}

/* ---- relocations: P is the place, S the symbol's address plus addend, both in the blob
 * ---------------- */

static bool fits(int64_t v, int bits)
{
	return v >= -((int64_t)1 << (bits - 1)) && v < ((int64_t)1 << (bits - 1));
}

static void or_u32(uint8_t *at, uint32_t mask, uint32_t bits)
{
	base_store_u32(at, (base_load_u32(at) & ~mask) | (bits & mask));
}

static bool apply_x86_64(uint8_t *at, uint32_t type, int64_t s, int64_t p)
{
	if ((type != R_X86_64_PC32 && type != R_X86_64_PLT32) || !fits(s - p, 32)) {
		return false;
	}
	base_store_u32(at, (uint32_t)(s - p));
	return true;
}

static bool apply_aarch64(uint8_t *at, uint32_t type, int64_t s, int64_t p)
{
	int64_t d = s - p;

	switch (type) {
	case R_AARCH64_PREL32:
		base_store_u32(at, (uint32_t)d);
		return fits(d, 32);
	case R_AARCH64_CALL26:
	case R_AARCH64_JUMP26:
		or_u32(at, 0x03FFFFFFu, (uint32_t)(d >> 2));
		return fits(d, 28) && (d & 3) == 0;
	case R_AARCH64_ADR_PREL_LO21:
		or_u32(at, 0x60FFFFE0u, (uint32_t)((d & 3) << 29 | ((d >> 2) & 0x7FFFF) << 5));
		return fits(d, 21);
	case R_AARCH64_LD_PREL_LO19:
	case R_AARCH64_CONDBR19:
		or_u32(at, 0x00FFFFE0u, (uint32_t)((d >> 2) & 0x7FFFF) << 5);
		return fits(d, 21) && (d & 3) == 0;
	default:
		return false;
	}
}

/* Thumb-2 BL and B.W, encodings T1 and T4. */
static bool apply_thumb_branch(uint8_t *at, int64_t d)
{
	uint32_t s = (uint32_t)(d >> 24) & 1, i1 = (uint32_t)(d >> 23) & 1,
		 i2 = (uint32_t)(d >> 22) & 1;
	uint16_t hi = base_load_u16(at), lo = base_load_u16(at + 2);

	hi = (uint16_t)((hi & 0xF800) | s << 10 | ((d >> 12) & 0x3FF));
	lo = (uint16_t)((lo & 0xD000) | (!(i1 ^ s)) << 13 | (!(i2 ^ s)) << 11 | ((d >> 1) & 0x7FF));
	base_store_u16(at, hi);
	base_store_u16(at + 2, lo);
	return fits(d, 25);
}

/* The addend that a Thumb branch carries in its own bits. */
static int64_t thumb_branch_addend(const uint8_t *at)
{
	uint32_t hi = base_load_u16(at), lo = base_load_u16(at + 2);
	uint32_t s = hi >> 10 & 1, i1 = !((lo >> 13 & 1) ^ s), i2 = !((lo >> 11 & 1) ^ s);
	uint32_t v = s << 24 | i1 << 23 | i2 << 22 | (hi & 0x3FF) << 12 | (lo & 0x7FF) << 1;

	return (int32_t)(v << 7) >> 7;
}

static bool apply_arm(uint8_t *at, uint32_t type, int64_t s, int64_t p)
{
	switch (type) {
	case R_ARM_NONE:
		return true;
	case R_ARM_REL32:
		base_store_u32(at, (uint32_t)(s - p + (int32_t)base_load_u32(at)));
		return true;
	case R_ARM_THM_PC22: /* R_ARM_THM_CALL */
	case R_ARM_THM_JUMP24:
		return apply_thumb_branch(at, (s & ~1) + thumb_branch_addend(at) - p);
	default:
		return false;
	}
}

static void riscv_hi20(uint8_t *at, int64_t d)
{
	or_u32(at, 0xFFFFF000u, (uint32_t)(d + 0x800));
}

static void riscv_lo12_i(uint8_t *at, int64_t d)
{
	or_u32(at, 0xFFF00000u, (uint32_t)d << 20);
}

static void riscv_lo12_s(uint8_t *at, int64_t d)
{
	or_u32(at, 0xFE000F80u, ((uint32_t)d & 0xFE0) << 20 | ((uint32_t)d & 0x1F) << 7);
}

static bool apply_riscv(uint8_t *at, uint32_t type, int64_t s, int64_t p, int64_t hi)
{
	switch (type) {
	case R_RISCV_RELAX:
	case R_RISCV_ALIGN:
		return true;
	case R_RISCV_CALL:
	case R_RISCV_CALL_PLT:
		riscv_hi20(at, s - p);
		riscv_lo12_i(at + 4, s - p);
		return true;
	case R_RISCV_PCREL_HI20:
		riscv_hi20(at, s - p);
		return true;
	case R_RISCV_PCREL_LO12_I:
		riscv_lo12_i(at, hi);
		return true;
	case R_RISCV_PCREL_LO12_S:
		riscv_lo12_s(at, hi);
		return true;
	case R_RISCV_ADD32:
		base_store_u32(at, base_load_u32(at) + (uint32_t)s);
		return true;
	case R_RISCV_SUB32:
		base_store_u32(at, base_load_u32(at) - (uint32_t)s);
		return true;
	case R_RISCV_32_PCREL:
		base_store_u32(at, (uint32_t)(s - p));
		return true;
	default:
		return false;
	}
}

/* Xtensa SLOT0_OP: the instruction at the place tells which field it is (l32r, call8, j). */
static bool apply_xtensa(uint8_t *at, uint32_t type, int64_t s, int64_t p)
{
	enum {
		R_XTENSA_NONE_ = 0,
		R_XTENSA_SLOT0_OP_ = 20
	};

	if (type == R_XTENSA_NONE_) {
		return true;
	}
	if (type != R_XTENSA_SLOT0_OP_) {
		return false;
	}
	if ((at[0] & 0xF) == 1) { /* l32r: 16 bits of words back from the next word */
		int64_t d = (s - ((p + 3) & ~(int64_t)3)) >> 2;

		base_store_u16(at + 1, (uint16_t)d);
		return d < 0 && d >= -65536 && (s & 3) == 0;
	}
	if ((at[0] & 0xF) ==
	    5) { /* call0..call12: 18 bits of words from the next word but the low bits */
		int64_t d = (s - ((p & ~(int64_t)3) + 4)) >> 2;

		at[0] = (uint8_t)((at[0] & 0x3F) | (d & 3) << 6);
		base_store_u16(at + 1, (uint16_t)(d >> 2));
		return fits(d, 18) && (s & 3) == 0;
	}
	if ((at[0] & 0x3F) == 6) { /* j: 18 bits of bytes from p + 4 */
		int64_t d = s - (p + 4);

		at[0] = (uint8_t)((at[0] & 0x3F) | (d & 3) << 6);
		base_store_u16(at + 1, (uint16_t)(d >> 2));
		return fits(d, 18);
	}
	return false;
}

/* Where the AUIPC of a RISC-V low part points to: the symbol of the low part is the AUIPC's place.
 */
static int64_t riscv_hi_of(struct linker *l, const struct section *relocs,
			   const struct symbol *place)
{
	for (uint64_t i = 0; i < relocs->size / relocs->entsize; i++) {
		struct reloc r = read_reloc(l, relocs, i);

		if (r.offset == place->value && r.type == R_RISCV_PCREL_HI20) {
			const struct symbol *y = &l->symbols[r.symbol];

			return (int64_t)(l->sections[y->section].offset + y->value) + r.addend -
			       (int64_t)(l->sections[place->section].offset + place->value);
		}
	}
	return 0;
}

static int apply(struct linker *l, const struct section *relocs, const struct section *target,
		 struct reloc r)
{
	const struct symbol *y = &l->symbols[r.symbol];
	uint8_t *at = l->out->bytes + target->offset + r.offset;
	int64_t p = (int64_t)(target->offset + r.offset), s, hi = 0;
	bool ok;

	if (r.type == 0) {
		return 0;
	}
	if (y->section == SHN_UNDEF || y->section >= l->section_count) {
		return fail(l, "generated code needs the symbol '%s'", y->name);
	}
	if (!l->sections[y->section].placed) {
		return fail(l, "generated code refers to section %s", l->sections[y->section].name);
	}
	s = (int64_t)(l->sections[y->section].offset + y->value) + r.addend;
	switch (l->machine) {
	case EM_X86_64:
		ok = apply_x86_64(at, r.type, s, p);
		break;
	case EM_AARCH64:
		ok = apply_aarch64(at, r.type, s, p);
		break;
	case EM_ARM:
		ok = apply_arm(at, r.type, s, p);
		break;
	case EM_RISCV:
		if (r.type == R_RISCV_PCREL_LO12_I || r.type == R_RISCV_PCREL_LO12_S) {
			hi = riscv_hi_of(l, relocs, y);
		}
		ok = apply_riscv(at, r.type, s, p, hi);
		break;
	case EM_XTENSA:
		ok = apply_xtensa(at, r.type, s, p);
		break;
	default:
		return fail(l, "objects of machine %u are unknown here", l->machine);
	}
	if (!ok) {
		return fail(l,
			    "relocation %u against '%s' at %s+0x%llx cannot be made "
			    "position-independent",
			    r.type, y->name, target->name, (unsigned long long)r.offset);
	}
	return 0;
}

static int relocate(struct linker *l)
{
	for (uint32_t i = 0; i < l->section_count; i++) {
		const struct section *s = &l->sections[i];

		if ((s->type != SHT_REL && s->type != SHT_RELA) || !l->sections[s->info].placed) {
			continue;
		}
		for (uint64_t k = 0; k < s->size / s->entsize; k++) {
			if (apply(l, s, &l->sections[s->info], read_reloc(l, s, k)) != 0) {
				return -1;
			}
		}
	}
	return 0;
}

/* ---- what else the caller wants
 * ----------------------------------------------------------------------- */

static const struct section *find_section(const struct linker *l, const char *name)
{
	for (uint32_t i = 0; i < l->section_count; i++) {
		if (strcmp(l->sections[i].name, name) == 0) {
			return &l->sections[i];
		}
	}
	return NULL;
}

/* The line table, its addresses turned into offsets in the blob. */
static void take_lines(struct linker *l)
{
	const struct section *lines = find_section(l, ".debug_line");

	if (lines == NULL) {
		return;
	}
	l->out->lines = malloc(lines->size + 1);
	memcpy(l->out->lines, lines->bytes, lines->size);
	l->out->lines_size = (uint32_t)lines->size;
	for (uint32_t i = 0; i < l->section_count; i++) {
		const struct section *s = &l->sections[i];

		if ((s->type != SHT_REL && s->type != SHT_RELA) || &l->sections[s->info] != lines) {
			continue;
		}
		for (uint64_t k = 0; k < s->size / s->entsize; k++) {
			struct reloc r = read_reloc(l, s, k);
			const struct symbol *y = &l->symbols[r.symbol];
			uint8_t *at = l->out->lines + r.offset;
			uint64_t v = y->value + (uint64_t)r.addend;

			if (y->section == 0 || y->section >= l->section_count ||
			    !l->sections[y->section].placed) {
				continue; /* a name in .debug_line_str */
			}
			v += l->sections[y->section].offset;
			if (l->is64) {
				base_store_u64(at, v);
			} else {
				base_store_u32(
					at,
					(uint32_t)v + (s->type == SHT_REL ? base_load_u32(at) : 0));
			}
		}
	}
}

static void take_symbols(struct linker *l)
{
	l->out->symbols = calloc(l->symbol_count + 1, sizeof(*l->out->symbols));
	for (uint32_t i = 0; i < l->symbol_count; i++) {
		const struct symbol *y = &l->symbols[i];

		if (y->kind != STT_FUNC || y->section == 0 || y->section >= l->section_count ||
		    !l->sections[y->section].placed) {
			continue;
		}
		l->out->symbols[l->out->symbol_count++] = (struct rotorc_symbol){
			strdup(y->name),
			l->sections[y->section].offset +
				(uint32_t)(y->value - (l->machine == EM_ARM ? y->value & 1 : 0)),
			(uint32_t)y->size};
	}
}

int rotorc_link(const uint8_t *object, size_t size, struct rotorc_blob *out, char *why, size_t cap)
{
	struct linker l = {.object = object, .size = size, .out = out, .why = why, .cap = cap};
	int err;

	memset(out, 0, sizeof(*out));
	err = read_sections(&l);
	if (err == 0) {
		read_symbols(&l);
		err = lay_out(&l);
	}
	if (err == 0) {
		err = relocate(&l);
	}
	if (err == 0) {
		take_lines(&l);
		take_symbols(&l);
	}
	free(l.sections);
	free(l.symbols);
	if (err != 0) {
		rotorc_blob_free(out);
	}
	return err;
}

void rotorc_blob_free(struct rotorc_blob *blob)
{
	for (uint32_t i = 0; i < blob->symbol_count; i++) {
		free(blob->symbols[i].name);
	}
	free(blob->symbols);
	free(blob->bytes);
	free(blob->lines);
	memset(blob, 0, sizeof(*blob));
}
