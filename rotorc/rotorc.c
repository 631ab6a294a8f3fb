/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiler as a whole: validate, generate, emit, link, and write the image.
 *
 * Rules: 1. The engine's own loader decides whether a module is valid; nothing here is run on one that is not.
 *        2. The image holds the module without its function bodies, so a device needs nothing else.
 */
#include "rotorc/rotorc.h"

#include "base/base.h"
#include "base/sha256.h"
#include "rotor/image.h"
#include "rotor/native.h"
#include "rotorc/emit.h"
#include "rotorc/gen.h"
#include "rotorc/lines.h"
#include "rotorc/link.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

struct buffer {
	uint8_t *bytes;
	size_t size, cap;
};

static void put(struct buffer *b, const void *bytes, size_t n)
{
	if (b->size + n > b->cap) {
		b->cap = (b->size + n) * 2 + 1024;
		b->bytes = realloc(b->bytes, b->cap);
	}
	if (n != 0) {
		memcpy(b->bytes + b->size, bytes, n);
	}
	b->size += n;
}

static void put_u32(struct buffer *b, uint32_t v)
{
	uint8_t le[4];

	base_store_u32(le, v);
	put(b, le, 4);
}

static void put_uleb(struct buffer *b, uint32_t v)
{
	do {
		uint8_t byte = (uint8_t)((v & 0x7F) | (v > 0x7F ? 0x80 : 0));

		put(b, &byte, 1);
		v >>= 7;
	} while (v != 0);
}

/* Small numbers of either sign as small unsigned ones. */
static uint32_t zigzag(int32_t v)
{
	return (uint32_t)v << 1 ^ (uint32_t)(v >> 31);
}

static void align(struct buffer *b, size_t to)
{
	static const uint8_t zeros[64];

	put(b, zeros, base_align_up(b->size, to) - b->size);
}

/* A code section whose bodies are no more than "unreachable". */
static void put_empty_code(struct buffer *b, uint32_t count)
{
	static const uint8_t body[] = {3, 0, 0x00, 0x0B};
	struct buffer c = {0};
	uint8_t id = 10;

	put_uleb(&c, count);
	for (uint32_t i = 0; i < count; i++) {
		put(&c, body, sizeof(body));
	}
	put(b, &id, 1);
	put_uleb(b, (uint32_t)c.size);
	put(b, c.bytes, c.size);
	free(c.bytes);
}

/* The module without its functions' bodies and without custom sections other than the names. */
static void put_module(struct buffer *b, const struct rc_module *m)
{
	struct rc_reader r = {m->bytes + 8, m->bytes + m->size, m->bytes};

	put(b, m->bytes, 8);
	while (r.at < r.end) {
		const uint8_t *section = r.at;
		uint8_t id = *r.at++;
		uint32_t length = rc_read_u32(&r);
		const uint8_t *end = r.at + length;
		bool names = id == 0 && length >= 5 && memcmp(r.at, "\004name", 5) == 0;

		if (id == 10) {
			put_empty_code(b, m->func_count - m->imported_count);
		} else if (id != 0 || names) {
			put(b, section, (size_t)(end - section));
		}
		r.at = end;
	}
}

/* Symbol offsets by number: f<n> or thunk.<n>. */
static uint32_t *index_symbols(const struct rotorc_blob *blob, const char *prefix, uint32_t count,
			       bool thumb)
{
	uint32_t *offsets = malloc((count + 1) * sizeof(*offsets));
	size_t length = strlen(prefix);

	memset(offsets, 0xFF, (count + 1) * sizeof(*offsets));
	for (uint32_t i = 0; i < blob->symbol_count; i++) {
		const char *name = blob->symbols[i].name;

		if (strncmp(name, prefix, length) == 0 && name[length] >= '0' &&
		    name[length] <= '9') {
			unsigned long n = strtoul(name + length, NULL, 10);

			if (n < count) {
				offsets[n] = blob->symbols[i].offset | (thumb ? 1 : 0);
			}
		}
	}
	return offsets;
}

static void put_funcs(struct buffer *b, const struct rc_module *m, const struct rotorc_blob *blob,
		      bool thumb)
{
	uint32_t *offsets = index_symbols(blob, "f", m->func_count, thumb);

	for (uint32_t i = 0; i < m->func_count; i++) {
		put_u32(b, offsets[i]);
		put_u32(b, m->types[m->funcs[i].type].same);
		put_u32(b, m->funcs[i].cost);
	}
	free(offsets);
}

static void put_thunks(struct buffer *b, const struct rc_module *m, const struct rotorc_blob *blob,
		       bool thumb)
{
	uint32_t *offsets = index_symbols(blob, "thunk.", m->type_count, thumb);

	for (uint32_t i = 0; i < m->type_count; i++) {
		put_u32(b, offsets[m->types[i].same]);
	}
	free(offsets);
}

/* Rows of the map: distance to the row before in the text, and in the module. */
static int put_map(struct buffer *b, const struct rotorc_blob *blob, unsigned address_bytes,
		   char *why, size_t cap)
{
	struct lines_row *rows;
	uint32_t count, text = 0, offset = 0;

	if (lines_read(blob->lines, blob->lines_size, address_bytes, &rows, &count) != 0) {
		snprintf(why, cap, "the compiler's line table is not understood");
		return -1;
	}
	for (uint32_t i = 0; i < count; i++) {
		bool last = i + 1 < count &&
			    rows[i + 1].text == rows[i].text; /* the later row counts */

		if (last || rows[i].offset == offset) {
			continue;
		}
		put_uleb(b, rows[i].text - text);
		put_uleb(b, zigzag((int32_t)(rows[i].offset - offset)));
		text = rows[i].text;
		offset = rows[i].offset;
	}
	free(rows);
	return 0;
}

static void set(struct buffer *b, enum rotor_image_field field, size_t v)
{
	base_store_u32(b->bytes + field, (uint32_t)v);
}

static void put_header(struct buffer *b, const struct rc_module *m, const struct rotorc_options *o,
		       uint32_t frame)
{
	static const uint8_t zeros[IMAGE_HEADER_BYTES];
	struct sha256 digest;

	put(b, zeros, sizeof(zeros));
	memcpy(b->bytes, "\0rot", 4);
	base_store_u16(b->bytes + IMAGE_VERSION, ROTOR_IMAGE_VERSION);
	base_store_u16(b->bytes + IMAGE_TARGET, o->target->id);
	set(b, IMAGE_ABI, ROTOR_NATIVE_ABI);
	set(b, IMAGE_FLAGS,
	    (o->no_fuel ? 0 : IMAGE_FLAG_FUEL) | (m->memory_grows ? IMAGE_FLAG_MEMORY_GROWS : 0));
	set(b, IMAGE_FRAME_BYTES, frame);
	set(b, IMAGE_MEMORY_BYTES, m->memory_sure);
	set(b, IMAGE_WASM_BYTES, m->size);
	sha256_init(&digest);
	sha256_add(&digest, m->bytes, m->size);
	sha256_end(&digest, b->bytes + IMAGE_WASM_DIGEST);
}

static void sign(struct buffer *b, const uint8_t *key)
{
	uint8_t signature[IMAGE_SIGNATURE_BYTES] = {0};

	set(b, IMAGE_BYTES, b->size + sizeof(signature));
	if (key != NULL) {
		/* libsodium keeps the public key behind the seed. */
		memcpy(b->bytes + IMAGE_KEY, key + 32, 32);
		crypto_sign_detached(signature, NULL, b->bytes, b->size, key);
	} else {
		struct sha256 digest; /* so that an altered one is noticed all the same */

		sha256_init(&digest);
		sha256_add(&digest, b->bytes, b->size);
		sha256_end(&digest, signature);
	}
	put(b, signature, sizeof(signature));
}

static int write_image(struct buffer *b, const struct rc_module *m, const struct rotorc_options *o,
		       const struct rotorc_blob *blob, uint32_t frame, char *why, size_t cap)
{
	size_t at;

	put_header(b, m, o, frame);
	set(b, IMAGE_MODULE_AT, b->size);
	at = b->size;
	put_module(b, m);
	set(b, IMAGE_MODULE_BYTES, b->size - at);
	align(b, 8);
	set(b, IMAGE_FUNCS_AT, b->size);
	set(b, IMAGE_FUNC_COUNT, m->func_count);
	put_funcs(b, m, blob, o->target->thumb);
	set(b, IMAGE_THUNKS_AT, b->size);
	set(b, IMAGE_TYPE_COUNT, m->type_count);
	put_thunks(b, m, blob, o->target->thumb);
	set(b, IMAGE_MAP_AT, b->size);
	at = b->size;
	if (put_map(b, blob, o->target->pointer_bits / 8, why, cap) != 0) {
		return -1;
	}
	set(b, IMAGE_MAP_BYTES, b->size - at);
	align(b, 64);
	set(b, IMAGE_TEXT_AT, b->size);
	set(b, IMAGE_TEXT_BYTES, blob->size);
	put(b, blob->bytes, blob->size);
	sign(b, o->key);
	return 0;
}

/* From LLVM's form to the image. */
static enum rotorc_err emit_image(const struct rc_module *m, const struct rotorc_options *o,
				  struct rotorc_code *code, struct buffer *out, char *why,
				  size_t cap)
{
	const struct emit_options emit = {o->cpu, o->features, o->level};
	uint32_t *frames = calloc(m->func_count + 1, sizeof(*frames));
	enum rotorc_err err = ROTORC_ERR_COMPILE;
	struct rotorc_blob blob;
	uint8_t *object;
	size_t size;

	if (emit_object(code, o->target, &emit, &object, &size, frames, m->func_count, why, cap) !=
	    0) {
		free(frames);
		return err;
	}
	if (rotorc_link(object, size, &blob, why, cap) == 0) {
		if (write_image(out, m, o, &blob, rc_module_stack_room(m, frames), why, cap) == 0) {
			err = ROTORC_OK;
		}
		rotorc_blob_free(&blob);
	}
	free(object);
	free(frames);
	return err;
}

enum rotorc_err rotorc_try(const struct rotorc_options *o, char *why, size_t cap)
{
	const struct emit_options emit = {o->cpu, o->features, o->level};

	return emit_try(o->target, &emit, why, cap) == 0 ? ROTORC_OK : ROTORC_ERR_TARGET;
}

static enum rotorc_err compile(const struct rc_module *m, const struct rotorc_options *o,
			       struct buffer *out, char *why, size_t cap)
{
	const struct rotorc_gen_options gen = {.fuel = !o->no_fuel, .small = o->small};
	struct rotorc_target target = *o->target;
	struct rotorc_code code;
	enum rotorc_err err;

	if (o->cpu != NULL || o->features != NULL) {
		target.keeps = target.keeps_other;
	}
	if (gen_module(m, &target, &gen, &code, why, cap) != 0) {
		return ROTORC_ERR_TARGET;
	}
	err = emit_image(m, o, &code, out, why, cap);
	if (err == ROTORC_OK && o->llvm != NULL) {
		*o->llvm = gen_text(&code);
	}
	gen_free(&code);
	return err;
}

/* The engine's verdict on a module. The block grows until it is large enough. */
static enum rotorc_err validate(const uint8_t *wasm, size_t size, void **block,
				const struct rotor_module **module, char *why, size_t cap)
{
	struct rotor_diag diag = {0};
	size_t bytes = size * 16 + 65536;
	enum rotor_err err;

	for (;;) {
		*block = malloc(bytes);
		err = rotor_load(*block, bytes, wasm, size, ROTOR_LOAD_BYTES_STAY, module, &diag);
		if (err == ROTOR_OK) {
			return ROTORC_OK;
		}
		free(*block);
		if (err != ROTOR_ERR_MEMORY || bytes > ((size_t)1 << 32)) {
			break;
		}
		bytes *= 4;
	}
	snprintf(why, cap, "at byte %u: %s", (unsigned)diag.offset, diag.text);
	return ROTORC_ERR_MODULE;
}

enum rotorc_err rotorc_compile(const uint8_t *wasm, size_t size,
			       const struct rotorc_options *options, struct rotorc_image *out,
			       char *why, size_t cap)
{
	const struct rotor_module *module;
	struct rc_module m;
	struct buffer b = {0};
	enum rotorc_err err;
	void *block;

	if (sodium_init() < 0) {
		snprintf(why, cap, "libsodium does not start");
		return ROTORC_ERR_KEY;
	}
	err = validate(wasm, size, &block, &module, why, cap);
	if (err != ROTORC_OK) {
		return err;
	}
	rc_module_read(&m, wasm, size, module);
	err = compile(&m, options, &b, why, cap);
	rc_module_free(&m);
	free(block);
	if (err != ROTORC_OK) {
		free(b.bytes);
		return err;
	}
	*out = (struct rotorc_image){b.bytes, b.size};
	return ROTORC_OK;
}
