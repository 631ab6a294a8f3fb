/* SPDX-License-Identifier: Apache-2.0 */
/* Shows what a native image holds. Spec: docs/native-image.md */
#include "rotorc/rotorc.h"

#include "base/base.h"
#include "rotor/image.h"
#include "rotor/native.h"
#include "rotorc/target.h"

#include <llvm-c/Disassembler.h>
#include <llvm-c/Target.h>
#include <stdio.h>
#include <stdlib.h>

static uint32_t field(const uint8_t *image, enum rotor_image_field f)
{
	return base_load_u32(image + f);
}

static void print_hex(const char *what, const uint8_t *bytes, unsigned count)
{
	printf("%-14s", what);
	for (unsigned i = 0; i < count; i++) {
		printf("%02x", bytes[i]);
	}
	printf("\n");
}

static bool part_fits(const uint8_t *image, size_t size, enum rotor_image_field at, uint64_t bytes)
{
	return field(image, at) <= size && bytes <= size - field(image, at);
}

static bool well_formed(const uint8_t *image, size_t size)
{
	return size >= IMAGE_HEADER_BYTES + IMAGE_SIGNATURE_BYTES &&
	       memcmp(image, "\0rot", 4) == 0 && field(image, IMAGE_BYTES) == size &&
	       part_fits(image, size, IMAGE_MODULE_AT, field(image, IMAGE_MODULE_BYTES)) &&
	       part_fits(image, size, IMAGE_FUNCS_AT, 12ull * field(image, IMAGE_FUNC_COUNT)) &&
	       part_fits(image, size, IMAGE_THUNKS_AT, 4ull * field(image, IMAGE_TYPE_COUNT)) &&
	       part_fits(image, size, IMAGE_MAP_AT, field(image, IMAGE_MAP_BYTES)) &&
	       part_fits(image, size, IMAGE_TEXT_AT, field(image, IMAGE_TEXT_BYTES));
}

static void print_header(const uint8_t *image, const struct rotorc_target *t)
{
	static const uint8_t none[32];
	uint32_t flags = field(image, IMAGE_FLAGS);

	printf("%-14s%u\n", "format", base_load_u16(image + IMAGE_VERSION));
	printf("%-14s%s\n", "target", t != NULL ? t->name : "unknown");
	printf("%-14s%u\n", "abi", field(image, IMAGE_ABI));
	printf("%-14s%s%s\n", "flags", flags & IMAGE_FLAG_FUEL ? "fuel " : "",
	       flags & IMAGE_FLAG_MEMORY_GROWS ? "memory-grows" : "");
	printf("%-14s%u bytes\n", "image", field(image, IMAGE_BYTES));
	printf("%-14s%u bytes, was %u\n", "module", field(image, IMAGE_MODULE_BYTES),
	       field(image, IMAGE_WASM_BYTES));
	printf("%-14s%u bytes at 0x%x\n", "text", field(image, IMAGE_TEXT_BYTES),
	       field(image, IMAGE_TEXT_AT));
	printf("%-14s%u bytes\n", "call map", field(image, IMAGE_MAP_BYTES));
	printf("%-14s%u bytes at most\n", "frame", field(image, IMAGE_FRAME_BYTES));
	print_hex("wasm sha256", image + IMAGE_WASM_DIGEST, 32);
	if (memcmp(image + IMAGE_KEY, none, 32) == 0) {
		printf("%-14snone\n", "signed by");
	} else {
		print_hex("signed by", image + IMAGE_KEY, 32);
	}
}

static void print_functions(const uint8_t *image)
{
	const uint8_t *rows = image + field(image, IMAGE_FUNCS_AT);

	for (uint32_t i = 0; i < field(image, IMAGE_FUNC_COUNT); i++) {
		uint32_t text = base_load_u32(rows + 12 * i);

		if (text == UINT32_MAX) {
			printf("function %-5u imported, type %u\n", i,
			       base_load_u32(rows + 12 * i + 4));
		} else {
			printf("function %-5u text 0x%x, type %u\n", i, text,
			       base_load_u32(rows + 12 * i + 4));
		}
	}
}

static void print_text(const uint8_t *image, const struct rotorc_target *t)
{
	const uint8_t *text = image + field(image, IMAGE_TEXT_AT);
	uint32_t size = field(image, IMAGE_TEXT_BYTES);
	LLVMDisasmContextRef d;

	LLVMInitializeAllTargetInfos();
	LLVMInitializeAllTargetMCs();
	LLVMInitializeAllDisassemblers();
	d = LLVMCreateDisasmCPUFeatures(t->triple, t->cpu, t->features, NULL, 0, NULL, NULL);
	if (d == NULL) {
		printf("this LLVM has no disassembler for %s\n", t->name);
		return;
	}
	for (uint32_t at = 0; at < size;) {
		char line[160] = "";
		size_t n = LLVMDisasmInstruction(d, (uint8_t *)text + at, size - at, at, line,
						 sizeof(line));

		if (n == 0) {
			n = t->pointer_bits == 32 && t->thumb ? 2 : 1;
			snprintf(line, sizeof(line), "\t.byte 0x%02x", text[at]);
		}
		printf("%8x%s\n", at, line);
		at += (uint32_t)n;
	}
	LLVMDisasmDispose(d);
}

int rotorc_inspect(const uint8_t *image, size_t size, bool disassemble)
{
	const struct rotorc_target *t;

	if (!well_formed(image, size)) {
		return -1;
	}
	t = rotorc_target_by_id(base_load_u16(image + IMAGE_TARGET));
	print_header(image, t);
	print_functions(image);
	if (disassemble && t != NULL) {
		print_text(image, t);
	}
	return 0;
}
