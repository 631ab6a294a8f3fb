/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks native images and makes modules of them.
 *
 * Rules: 1. Nothing of an image is believed before its signature, or its digest where unsigned images are allowed,
 *           has been checked over all of it.
 *        2. The module in it goes through the same loader as any other.
 * Spec:  docs/native-image.md
 */
#include "rotor/native_run.h"

#include "base/sha256.h"
#include "rotor/image.h"

static enum rotor_err refuse(struct rotor_diag *diag, enum rotor_err code, uint32_t offset,
			     const char *text)
{
	(void)instance_error(diag, code, text);
	if (diag != NULL) {
		diag->offset = offset;
	}
	return code;
}

static uint32_t field(const uint8_t *image, enum rotor_image_field f)
{
	return base_load_u32(image + f);
}

static bool part_fits(const uint8_t *image, enum rotor_image_field at, uint64_t bytes,
		      uint32_t align)
{
	uint32_t from = field(image, at), end = field(image, IMAGE_BYTES) - IMAGE_SIGNATURE_BYTES;

	return from >= IMAGE_HEADER_BYTES && from <= end && bytes <= end - from &&
	       from % align == 0;
}

bool rotor_is_image(const void *bytes, size_t count)
{
	return count >= 4 && memcmp(bytes, "\0rot", 4) == 0;
}

static enum rotor_err check_shape(const uint8_t *image, size_t bytes, struct rotor_diag *diag)
{
	if (bytes < IMAGE_HEADER_BYTES + IMAGE_SIGNATURE_BYTES || !rotor_is_image(image, bytes)) {
		return refuse(diag, ROTOR_ERR_MALFORMED, 0, "this is no native image");
	}
	if (base_load_u16(image + IMAGE_VERSION) != ROTOR_IMAGE_VERSION) {
		return refuse(diag, ROTOR_ERR_UNSUPPORTED, IMAGE_VERSION,
			      "the image's format is of another version");
	}
	if (field(image, IMAGE_BYTES) != bytes) {
		return refuse(diag, ROTOR_ERR_MALFORMED, IMAGE_BYTES, "the image is truncated");
	}
	if (!part_fits(image, IMAGE_MODULE_AT, field(image, IMAGE_MODULE_BYTES), 1) ||
	    !part_fits(image, IMAGE_FUNCS_AT, UINT64_C(12) * field(image, IMAGE_FUNC_COUNT), 4) ||
	    !part_fits(image, IMAGE_THUNKS_AT, UINT64_C(4) * field(image, IMAGE_TYPE_COUNT), 4) ||
	    !part_fits(image, IMAGE_MAP_AT, field(image, IMAGE_MAP_BYTES), 1) ||
	    !part_fits(image, IMAGE_TEXT_AT, field(image, IMAGE_TEXT_BYTES), 64)) {
		return refuse(diag, ROTOR_ERR_MALFORMED, 0, "a part of the image lies outside it");
	}
	return ROTOR_OK;
}

static enum rotor_err check_target(const uint8_t *image, const struct rotor_image_policy *p,
				   struct rotor_diag *diag)
{
	if (base_load_u16(image + IMAGE_TARGET) != p->target) {
		return refuse(diag, ROTOR_ERR_UNSUPPORTED, IMAGE_TARGET,
			      "the image is for another kind of processor");
	}
	if (field(image, IMAGE_ABI) != ROTOR_NATIVE_ABI) {
		return refuse(diag, ROTOR_ERR_UNSUPPORTED, IMAGE_ABI,
			      "the image is for another version of the engine");
	}
	if ((field(image, IMAGE_FLAGS) & IMAGE_FLAG_FUEL) == 0 && !p->allow_unmetered) {
		return refuse(diag, ROTOR_ERR_UNSUPPORTED, IMAGE_FLAGS,
			      "the image does not count fuel");
	}
	if (p->wasm_digest != NULL && memcmp(image + IMAGE_WASM_DIGEST, p->wasm_digest, 32) != 0) {
		return refuse(diag, ROTOR_ERR_ARGUMENT, IMAGE_WASM_DIGEST,
			      "the image was made from another module");
	}
	return ROTOR_OK;
}

static bool is_trusted(const uint8_t *key, const struct rotor_image_policy *p)
{
	for (uint32_t i = 0; i < p->key_count; i++) {
		if (memcmp(p->keys + 32 * (size_t)i, key, 32) == 0) {
			return true;
		}
	}
	return false;
}

static enum rotor_err check_signature(const uint8_t *image, size_t bytes,
				      const struct rotor_image_policy *p, struct rotor_diag *diag)
{
	static const uint8_t none[32];
	size_t signed_bytes = bytes - IMAGE_SIGNATURE_BYTES;
	const uint8_t *key = image + IMAGE_KEY, *signature = image + signed_bytes;
	uint8_t digest[SHA256_BYTES];
	struct sha256 h;

	if (memcmp(key, none, sizeof(none)) != 0) {
		if (!is_trusted(key, p)) {
			return refuse(diag, ROTOR_ERR_ARGUMENT, IMAGE_KEY,
				      "the image is signed by a key that is not trusted here");
		}
		if (p->verify == NULL || !p->verify(p->user, key, signature, image, signed_bytes)) {
			return refuse(diag, ROTOR_ERR_MALFORMED, (uint32_t)signed_bytes,
				      "the image's signature is wrong: it was altered");
		}
		return ROTOR_OK;
	}
	if (!p->allow_unsigned) {
		return refuse(diag, ROTOR_ERR_ARGUMENT, IMAGE_KEY, "the image is not signed");
	}
	sha256_init(&h);
	sha256_add(&h, image, signed_bytes);
	sha256_end(&h, digest);
	if (memcmp(digest, signature, sizeof(digest)) != 0 ||
	    memcmp(signature + 32, none, sizeof(none)) != 0) {
		return refuse(diag, ROTOR_ERR_MALFORMED, (uint32_t)signed_bytes,
			      "the image's digest is wrong: it was altered");
	}
	return ROTOR_OK;
}

/* Rows that the compiler makes of a valid module; a wrong one would jump anywhere. */
static bool rows_fit(const uint8_t *image, const struct rotor_module *m)
{
	const uint8_t *funcs = image + field(image, IMAGE_FUNCS_AT);
	const uint8_t *thunks = image + field(image, IMAGE_THUNKS_AT);
	uint32_t text = field(image, IMAGE_TEXT_BYTES);

	if (field(image, IMAGE_FUNC_COUNT) != m->func_count ||
	    field(image, IMAGE_TYPE_COUNT) != m->type_count) {
		return false;
	}
	for (uint32_t i = 0; i < m->func_count; i++) {
		bool imported = base_load_u32(funcs + 12 * (size_t)i) == UINT32_MAX;

		if (imported != (i < m->func_imports) ||
		    (!imported && base_load_u32(funcs + 12 * (size_t)i) >= text) ||
		    base_load_u32(funcs + 12 * (size_t)i + 4) != m->funcs[i].type) {
			return false;
		}
	}
	for (uint32_t i = 0; i < m->type_count; i++) {
		if (base_load_u32(thunks + 4 * (size_t)i) >= text) {
			return false;
		}
	}
	return true;
}

static void attach_code(struct rotor_module *m, const uint8_t *image, struct native *n)
{
	*n = (struct native){
		.text = image + field(image, IMAGE_TEXT_AT),
		.map = image + field(image, IMAGE_MAP_AT),
		.thunks = image + field(image, IMAGE_THUNKS_AT),
		.funcs = (const void *)(image + field(image, IMAGE_FUNCS_AT)),
		.text_bytes = field(image, IMAGE_TEXT_BYTES),
		.map_bytes = field(image, IMAGE_MAP_BYTES),
		.frame_bytes = field(image, IMAGE_FRAME_BYTES),
		.memory_bytes = field(image, IMAGE_MEMORY_BYTES),
	};
	m->native = n;
	m->memory_grows = (field(image, IMAGE_FLAGS) & IMAGE_FLAG_MEMORY_GROWS) != 0;
	m->wasm_bytes = field(image, IMAGE_WASM_BYTES);
	for (uint32_t i = 0; i < m->func_count; i++) {
		m->funcs[i].cost = n->funcs[i].cost;
	}
}

enum rotor_err rotor_load_image(void *block, size_t block_bytes, const void *image, size_t bytes,
				const struct rotor_image_policy *policy,
				const struct rotor_module **out, struct rotor_diag *diag)
{
	const uint8_t *at = image;
	const struct rotor_module *loaded;
	struct rotor_module *m;

	TRY(check_shape(at, bytes, diag));
	TRY(check_target(at, policy, diag));
	TRY(check_signature(at, bytes, policy, diag));
	if ((uintptr_t)image % 8 != 0) {
		return refuse(diag, ROTOR_ERR_ARGUMENT, 0, "the image must lie at a multiple of 8");
	}
	TRY(rotor_load(block, block_bytes, at + field(at, IMAGE_MODULE_AT),
		       field(at, IMAGE_MODULE_BYTES), ROTOR_LOAD_BYTES_STAY, &loaded, diag));
	m = (struct rotor_module *)block;
	ASSERT(m == loaded);
	if (!rows_fit(at, m)) {
		return refuse(diag, ROTOR_ERR_MALFORMED, 0,
			      "the image's code does not belong to its module");
	}
	if (block_bytes - m->block_bytes < sizeof(struct native)) {
		return refuse(diag, ROTOR_ERR_MEMORY, 0, "the block is too small for the image");
	}
	attach_code(m, at, (struct native *)((uint8_t *)block + m->block_bytes));
	m->block_bytes += (uint32_t)base_align_up(sizeof(struct native), 8);
	*out = m;
	return ROTOR_OK;
}
