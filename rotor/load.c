/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading a module: from pieces of bytes to items, from items to sections.
 *
 * In:     pieces of any size; Out: a struct rotor_module at the bottom of the caller's block.
 * Owns:   the block while loading: module data grow from its bottom, the loader's own state and the
 *         stack of the function being read lie at its top.
 * Bounds: no recursion; every byte is read once, but a type and the name of an export are compared with all before them.
 * Not:    what the items mean (load_sections.c, load_segments.c, load_code.c, validate.c).
 * Spec:   WebAssembly 2.0 5.2 (values), 5.5 (modules).
 */
#include "rotor/instance.h"
#include "rotor/load.h"

int load_fail(struct rotor_loader *l, enum rotor_err code, const char *text)
{
	size_t n = strlen(text);

	l->error = code;
	l->diag.code = code;
	l->diag.offset = load_offset(l);
	n = BASE_MIN(n, sizeof(l->diag.text) - 1);
	memcpy(l->diag.text, text, n);
	l->diag.text[n] = 0;
	return (int)code;
}

int load_fail_idx(struct rotor_loader *l, enum rotor_err code, const char *text, uint32_t idx)
{
	char digits[12], *d = digits + sizeof(digits);
	size_t n;

	load_fail(l, code, text);
	*--d = 0;
	do {
		*--d = (char)('0' + idx % 10);
		idx /= 10;
	} while (idx != 0);
	*--d = ' ';
	n = strlen(l->diag.text);
	if (n + strlen(d) < sizeof(l->diag.text)) {
		memcpy(l->diag.text + n, d, strlen(d) + 1);
	}
	return (int)code;
}

int load_malformed(struct rotor_loader *l, const char *text)
{
	return load_fail(l, ROTOR_ERR_MALFORMED, text);
}

int load_invalid(struct rotor_loader *l, const char *text)
{
	return load_fail(l, ROTOR_ERR_INVALID, text);
}

int load_unknown(struct rotor_loader *l, const char *text, uint32_t idx)
{
	return load_fail_idx(l, ROTOR_ERR_INVALID, text, idx);
}

/* ---- memory ---- */

int load_room(struct rotor_loader *l, uint32_t count, size_t bytes)
{
	if (count > (size_t)(l->high - l->low) / bytes) {
		return load_fail(l, ROTOR_ERR_MEMORY, "the block is too small for this module");
	}
	return 0;
}

void *load_alloc(struct rotor_loader *l, size_t bytes, size_t align)
{
	uint8_t *at = l->block + base_align_up((size_t)(l->low - l->block), align);

	if (at > l->high || bytes > (size_t)(l->high - at)) {
		load_fail(l, ROTOR_ERR_MEMORY, "the block is too small for this module");
		return NULL;
	}
	l->low = at + bytes;
	memset(at, 0, bytes);
	return at;
}

void *load_alloc_temp(struct rotor_loader *l, size_t bytes)
{
	bytes = base_align_up(bytes, 8);
	if (bytes > (size_t)(l->high - l->low)) {
		load_fail(l, ROTOR_ERR_MEMORY, "the block is too small for this module");
		return NULL;
	}
	l->high -= bytes;
	memset(l->high, 0, bytes);
	return l->high;
}

/* ---- reading ---- */

/* No byte left in the window: the end of what is being read, or only of the piece. */
static int out_of_bytes(struct rotor_loader *l)
{
	if (l->start_offset + (uint32_t)(l->end - l->start) >= l->limit) {
		return load_malformed(l, "unexpected end of section or function");
	}
	return LOAD_MORE;
}

int load_u8(struct rotor_loader *l, uint8_t *out)
{
	if (l->p == l->end) {
		return out_of_bytes(l);
	}
	*out = *l->p++;
	return 0;
}

/* LEB128 of at most bits bits (Wasm 2.0 5.2.2). */
static int leb(struct rotor_loader *l, unsigned bits, bool is_signed, uint64_t *out)
{
	uint64_t v = 0;
	unsigned shift = 0;
	uint8_t byte, rest;

	for (;; shift += 7) {
		TRY(load_u8(l, &byte));
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (shift + 7 >= bits) {
			break;
		}
		if ((byte & 0x80) == 0) {
			if (is_signed && (byte & 0x40)) {
				v |= ~UINT64_C(0) << (shift + 7);
			}
			*out = v;
			return 0;
		}
	}
	if (byte & 0x80) {
		return load_malformed(l, "integer representation too long");
	}
	/* The last byte: its unused bits must be zeros, or copies of the sign. */
	rest = (uint8_t)((byte & 0x7f) >> (bits - shift - (is_signed ? 1 : 0)));
	if (rest != 0 && !(is_signed && rest == 0x7f >> (bits - shift - 1))) {
		return load_malformed(l, "integer too large");
	}
	if (is_signed && rest != 0 && bits < 64) {
		v |= ~UINT64_C(0) << bits;
	}
	*out = v;
	return 0;
}

int load_u32(struct rotor_loader *l, uint32_t *out)
{
	uint64_t v;

	TRY(leb(l, 32, false, &v));
	*out = (uint32_t)v;
	return 0;
}

int load_s32(struct rotor_loader *l, uint32_t *out)
{
	uint64_t v;

	TRY(leb(l, 32, true, &v));
	*out = (uint32_t)v;
	return 0;
}

int load_s33(struct rotor_loader *l, int64_t *out)
{
	uint64_t v;

	TRY(leb(l, 33, true, &v));
	*out = (int64_t)v;
	return 0;
}

int load_s64(struct rotor_loader *l, uint64_t *out)
{
	return leb(l, 64, true, out);
}

int load_bytes(struct rotor_loader *l, const uint8_t **out, uint32_t count)
{
	if ((size_t)(l->end - l->p) < count) {
		return out_of_bytes(l);
	}
	*out = l->p;
	l->p += count;
	return 0;
}

/* A count of things that take a byte each at least. */
int load_count(struct rotor_loader *l, uint32_t *out)
{
	TRY(load_u32(l, out));
	if (*out > l->limit - load_offset(l)) {
		return load_malformed(l, "unexpected end: longer than its section");
	}
	return 0;
}

int load_valtype(struct rotor_loader *l, uint8_t *out)
{
	TRY(load_u8(l, out));
	if ((*out < ROTOR_F64 || *out > ROTOR_I32) && !type_is_ref(*out)) {
		return load_malformed(l, "malformed value type");
	}
	return 0;
}

int load_reftype(struct rotor_loader *l, uint8_t *out)
{
	TRY(load_u8(l, out));
	if (!type_is_ref(*out)) {
		return load_malformed(l, "malformed reference type");
	}
	return 0;
}

/* ---- names (5.2.4) ---- */

static bool utf8_feed(struct utf8 *u, uint8_t byte)
{
	if (u->need > 0) {
		if (byte < u->low || byte > u->high) {
			return false;
		}
		u->need--;
		u->low = 0x80;
		u->high = 0xbf;
		return true;
	}
	if (byte < 0x80) {
		return true;
	}
	if (byte < 0xc2 || byte > 0xf4) {
		return false;
	}
	u->need = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
	u->low = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
	u->high = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
	return true;
}

/* Appends a length to the module data. */
static int put_leb(struct rotor_loader *l, uint32_t v)
{
	do {
		uint8_t *at = load_alloc(l, 1, 1);

		CHECK(at != NULL, (int)l->error);
		*at = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
		v >>= 7;
	} while (v != 0);
	return 0;
}

int load_name(struct rotor_loader *l, uint8_t then, const uint8_t **at)
{
	const uint8_t *here = l->p;
	uint32_t bytes;

	TRY(load_u32(l, &bytes));
	if (bytes > l->limit - load_offset(l)) {
		return load_malformed(l, "unexpected end: longer than its section");
	}
	if (at != NULL) {
		*at = l->stays ? here : l->low;
	}
	if (at != NULL && !l->stays) {
		TRY(put_leb(l, bytes));
	}
	l->temp_u32 = at != NULL && !l->stays;
	l->left = bytes;
	l->utf8.need = 0;
	l->name_then = then;
	l->step = STEP_NAME;
	return 0;
}

int step_name(struct rotor_loader *l)
{
	uint32_t n = (uint32_t)BASE_MIN((size_t)(l->end - l->p), l->left);
	uint8_t *copy;

	if (n == 0 && l->left > 0) {
		return out_of_bytes(l);
	}
	for (uint32_t i = 0; i < n; i++) {
		if (!utf8_feed(&l->utf8, l->p[i])) {
			return load_malformed(l, "malformed UTF-8 encoding");
		}
	}
	if (l->temp_u32) {
		copy = load_alloc(l, n, 1);
		CHECK(copy != NULL, (int)l->error);
		memcpy(copy, l->p, n);
	}
	l->p += n;
	l->left -= n;
	if (l->left == 0) {
		if (l->utf8.need != 0) {
			return load_malformed(l, "malformed UTF-8 encoding");
		}
		l->step = l->name_then;
	}
	return 0;
}

/* ---- sections ---- */

static int step_magic(struct rotor_loader *l)
{
	const uint8_t *b;

	TRY(load_bytes(l, &b, 8));
	if (memcmp(b, "\0asm", 4) != 0) {
		l->p = b;
		return load_malformed(l, "magic header not detected");
	}
	if (base_load_u32(b + 4) != 1) {
		l->p = b + 4;
		return load_malformed(l, "unknown binary version");
	}
	l->step = STEP_SECTION;
	return 0;
}

enum {
	SECTION_IDS = 13,
	RANK_END = 13
};
enum {
	RANK_TYPE = 1,
	RANK_CODE = 11,
	RANK_DATA = 12
};

/* Order of the sections, and the step that reads an item of each. */
static const struct {
	uint8_t rank, item;
} sections[SECTION_IDS] = {
	{0, STEP_CUSTOM},      {1, STEP_TYPE},   {2, STEP_IMPORT}, {3, STEP_FUNCTION},
	{4, STEP_TABLE},       {5, STEP_MEMORY}, {6, STEP_GLOBAL}, {7, STEP_EXPORT},
	{8, STEP_START},       {9, STEP_ELEM},   {11, STEP_BODY},  {12, STEP_DATA},
	{10, STEP_DATA_COUNT},
};

/* Prepares, with no items, what the sections left out would have. */
static int prepare_until(struct rotor_loader *l, unsigned rank)
{
	while (l->rank + 1u < rank) {
		l->rank++;
		TRY(load_prepare(l, l->rank, 0));
	}
	return 0;
}

static int step_section(struct rotor_loader *l)
{
	uint8_t id;
	uint32_t bytes, end;

	TRY(load_u8(l, &id));
	TRY(load_u32(l, &bytes));
	if (id >= SECTION_IDS) {
		return load_malformed(l, "malformed section id");
	}
	end = load_offset(l) + bytes;
	if (end < bytes) {
		return load_malformed(l, "unexpected end: the section is too long");
	}
	l->section = id;
	l->section_end = end;
	l->limit = end;
	if (id == 0) {
		l->step = STEP_CUSTOM;
		return 0;
	}
	if (sections[id].rank <= l->rank) {
		return load_malformed(l, "unexpected content after last section: wrong order");
	}
	TRY(prepare_until(l, sections[id].rank));
	l->rank = sections[id].rank;
	l->i = 0;
	l->step = STEP_COUNT;
	if (id == 10) {
		l->m->code_bytes = bytes;
	}
	return 0;
}

static int step_count(struct rotor_loader *l)
{
	uint8_t item = sections[l->section].item;

	if (item == STEP_START || item == STEP_DATA_COUNT) {
		l->count = 1;
	} else {
		TRY(load_count(l, &l->count));
		TRY(load_prepare(l, l->rank, l->count));
	}
	l->step = STEP_NEXT;
	return 0;
}

static int step_next(struct rotor_loader *l)
{
	if (l->i < l->count) {
		l->step = sections[l->section].item;
		return 0;
	}
	if (load_offset(l) != l->section_end) {
		return load_malformed(l, "section size mismatch: bytes are left");
	}
	l->limit = UINT32_MAX;
	l->step = STEP_SECTION;
	return 0;
}

/* ---- custom sections: all are skipped but the function names ---- */

static int step_custom(struct rotor_loader *l)
{
	const uint8_t *here = l->p, *name;
	uint32_t bytes;

	TRY(load_u32(l, &bytes));
	if (bytes != 4) {
		l->p = here;
		return load_name(l, STEP_SKIP, NULL);
	}
	TRY(load_bytes(l, &name, 4));
	if (memcmp(name, "name", 4) == 0) {
		l->step = STEP_NAMES;
		return 0;
	}
	l->p = here;
	return load_name(l, STEP_SKIP, NULL);
}

static int step_skip(struct rotor_loader *l)
{
	uint32_t left = l->section_end - load_offset(l);
	uint32_t n = (uint32_t)BASE_MIN((size_t)(l->end - l->p), left);

	l->p += n;
	if (n < left) {
		return n == 0 ? LOAD_MORE : 0;
	}
	l->limit = UINT32_MAX;
	l->step = STEP_SECTION;
	return 0;
}

/* A subsection of the name section; what is wrong in it is skipped, as it has no meaning. */
static int step_names(struct rotor_loader *l)
{
	uint8_t id;
	uint32_t bytes;
	int err;

	l->step = STEP_SKIP;
	if (load_offset(l) == l->section_end) {
		return 0;
	}
	l->step = STEP_NAMES;
	err = load_u8(l, &id);
	err = err != 0 ? err : load_u32(l, &bytes);
	if (err == LOAD_MORE) {
		return err;
	}
	l->step = STEP_SKIP;
	if (err != 0 || bytes > l->section_end - load_offset(l)) {
		l->error = ROTOR_OK;
		return 0;
	}
	l->left = bytes;
	l->temp_u32 = id == 1 && (l->stays || bytes < (size_t)(l->high - l->low));
	if (l->temp_u32) {
		l->m->names = l->stays ? l->p : l->low;
		l->m->names_bytes = bytes;
	}
	l->step = STEP_NAMES_BYTES;
	return 0;
}

static int step_names_bytes(struct rotor_loader *l)
{
	uint32_t n = (uint32_t)BASE_MIN((size_t)(l->end - l->p), l->left);
	uint8_t *copy;

	if (n == 0 && l->left > 0) {
		return LOAD_MORE;
	}
	if (l->temp_u32 && !l->stays) {
		copy = load_alloc(l, n, 1);
		CHECK(copy != NULL, (int)l->error);
		memcpy(copy, l->p, n);
	}
	l->p += n;
	l->left -= n;
	if (l->left == 0) {
		l->step = STEP_NAMES;
	}
	return 0;
}

/* ---- pieces ---- */

static const load_step_fn steps[STEP_COUNT_OF] = {
	[STEP_MAGIC] = step_magic,
	[STEP_SECTION] = step_section,
	[STEP_COUNT] = step_count,
	[STEP_NEXT] = step_next,
	[STEP_NAME] = step_name,
	[STEP_TYPE] = step_type,
	[STEP_TYPE_VALUES] = step_type_values,
	[STEP_IMPORT] = step_import,
	[STEP_IMPORT_FIELD] = step_import_field,
	[STEP_IMPORT_DESC] = step_import_desc,
	[STEP_FUNCTION] = step_function,
	[STEP_TABLE] = step_table,
	[STEP_MEMORY] = step_memory,
	[STEP_GLOBAL] = step_global,
	[STEP_CONST] = step_const,
	[STEP_EXPORT] = step_export,
	[STEP_EXPORT_DESC] = step_export_desc,
	[STEP_START] = step_start,
	[STEP_ELEM] = step_elem,
	[STEP_ELEM_KIND] = step_elem_kind,
	[STEP_ELEM_ITEM] = step_elem_item,
	[STEP_ELEM_EXPR] = step_elem_expr,
	[STEP_DATA_COUNT] = step_data_count,
	[STEP_BODY] = step_body,
	[STEP_LOCALS] = step_locals,
	[STEP_INSTR] = step_instr,
	[STEP_TARGETS] = step_targets,
	[STEP_DATA] = step_data,
	[STEP_DATA_LENGTH] = step_data_length,
	[STEP_DATA_BYTES] = step_data_bytes,
	[STEP_CUSTOM] = step_custom,
	[STEP_NAMES] = step_names,
	[STEP_NAMES_BYTES] = step_names_bytes,
	[STEP_SKIP] = step_skip,
};

/* Runs steps over [from, from + bytes), the module's bytes from offset on; *used is how many. */
static int run_steps(struct rotor_loader *l, const uint8_t *from, size_t bytes, size_t *used)
{
	uint32_t offset = l->start_offset;
	const uint8_t *item;
	int err;

	l->start = from;
	l->p = from;
	do {
		uint32_t room = l->limit - offset;

		l->end = from + BASE_MIN(bytes, room);
		item = l->p;
		err = steps[l->step](l);
	} while (err == 0);
	if (err == LOAD_MORE) {
		l->p = item;
	}
	*used = (size_t)(l->p - from);
	l->start_offset = offset + (uint32_t)*used;
	l->start = l->p;
	return err;
}

/* Adds to the carry from the piece, runs steps over it; the piece's bytes taken. */
static int feed_carry(struct rotor_loader *l, const uint8_t *piece, size_t bytes, size_t *taken)
{
	uint32_t had = l->carry_bytes;
	size_t add = BASE_MIN(bytes, LOAD_CARRY_BYTES - had), used;
	int err;

	memcpy(l->carry + had, piece, add);
	l->carry_bytes += (uint32_t)add;
	err = run_steps(l, l->carry, l->carry_bytes, &used);
	CHECK(err == LOAD_MORE, err);
	if (used >= had) {
		*taken = used - had; /* the rest is read from the piece itself */
		l->carry_bytes = 0;
	} else {
		*taken = add;
		l->carry_bytes -= (uint32_t)used;
		memmove(l->carry, l->carry + used, l->carry_bytes);
		ASSERT(l->carry_bytes < LOAD_CARRY_BYTES);
	}
	return LOAD_MORE;
}

static void hash(struct rotor_loader *l, const uint8_t *p, size_t bytes)
{
	uint64_t h = l->m->hash;

	for (size_t i = 0; i < bytes; i++) {
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	}
	l->m->hash = h;
	l->m->wasm_bytes += (uint32_t)bytes;
}

enum rotor_err rotor_load_feed(struct rotor_loader *l, const void *piece, size_t bytes)
{
	const uint8_t *p = piece;
	size_t n;
	int err;

	CHECK(l->error == ROTOR_OK, l->error);
	if (bytes > UINT32_MAX - 64 - l->m->wasm_bytes) {
		return (enum rotor_err)load_fail(l, ROTOR_ERR_LIMIT, "the module is over 4 GiB");
	}
	hash(l, p, bytes);
	while (bytes > 0) {
		if (l->carry_bytes > 0) {
			err = feed_carry(l, p, bytes, &n);
		} else {
			err = run_steps(l, p, bytes, &n);
			if (err == LOAD_MORE && bytes - n < LOAD_CARRY_BYTES) {
				l->carry_bytes = (uint32_t)(bytes - n);
				memcpy(l->carry, p + n, l->carry_bytes);
				n = bytes;
			}
		}
		CHECK(err == LOAD_MORE, (enum rotor_err)err);
		p += n;
		bytes -= n;
	}
	return ROTOR_OK;
}

enum rotor_err rotor_load_begin(void *block, size_t block_bytes, struct rotor_loader **out)
{
	size_t top = base_align_up(sizeof(struct rotor_loader), 8);
	struct rotor_loader *l;

	block_bytes = BASE_MIN(block_bytes, (size_t)UINT32_MAX) & ~(size_t)7;
	if (block == NULL || block_bytes < top + sizeof(struct rotor_module)) {
		return ROTOR_ERR_MEMORY;
	}
	l = (struct rotor_loader *)((uint8_t *)block + block_bytes - top);
	memset(l, 0, sizeof(*l));
	l->block = block;
	l->low = block;
	l->high = (uint8_t *)l;
	l->limit = UINT32_MAX;
	l->m = load_alloc(l, sizeof(struct rotor_module), 8);
	/* Instances of another choice of variants, or of an older form, cannot go on here. */
	l->m->hash = UINT64_C(0xcbf29ce484222325) ^ FORM_OP_COUNT ^ FORM_VERSION << 16;
	l->m->start = ROTOR_NO_IDX;
	*out = l;
	return ROTOR_OK;
}

static int check_end(struct rotor_loader *l)
{
	if (l->step != STEP_SECTION || l->carry_bytes > 0) {
		return load_malformed(l, "unexpected end of the module");
	}
	TRY(prepare_until(l, RANK_END));
	if (l->func_bodies != l->func_defined) {
		return load_malformed(l, "function and code section have inconsistent lengths");
	}
	if (l->data_needed && !l->data_counted) {
		return load_invalid(l, "unknown data segment");
	}
	if (l->data_counted && l->data_count != l->m->data_count) {
		return load_malformed(l, "data count and data section have inconsistent lengths");
	}
	return 0;
}

enum rotor_err rotor_load_end(struct rotor_loader *l, const struct rotor_module **out)
{
	CHECK(l->error == ROTOR_OK, l->error);
	TRY((enum rotor_err)check_end(l));
	l->m->block_bytes = (uint32_t)base_align_up((size_t)(l->low - l->block), 8);
	l->m->complete = true;
	*out = l->m;
	return ROTOR_OK;
}

const struct rotor_diag *rotor_load_diag(const struct rotor_loader *l)
{
	return &l->diag;
}

enum rotor_err rotor_load(void *block, size_t block_bytes, const void *wasm, size_t wasm_bytes,
			  unsigned flags, const struct rotor_module **out, struct rotor_diag *diag)
{
	struct rotor_loader *l;
	enum rotor_err err = rotor_load_begin(block, block_bytes, &l);

	if (err != ROTOR_OK) {
		return instance_error(diag, err, "the block is too small for this module");
	}
	l->stays = (flags & ROTOR_LOAD_BYTES_STAY) != 0;
	err = rotor_load_feed(l, wasm, wasm_bytes);
	if (err == ROTOR_OK) {
		err = rotor_load_end(l, out);
	}
	if (diag != NULL) {
		*diag = l->diag;
	}
	return err;
}
