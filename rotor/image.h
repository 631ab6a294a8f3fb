/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file format of native images (.raot), little-endian; docs/native-image.md tells it byte by byte.
 *
 *     header | module | functions | thunks | call map | text | signature
 */
#ifndef ROTOR_IMAGE_H
#define ROTOR_IMAGE_H

#include <stdint.h>

#define ROTOR_IMAGE_VERSION 2u

/* Processors: X(number in the header, name). Numbers are never reused. */
#define ROTOR_IMAGE_TARGET_LIST(X)                                                                 \
	X(1, "x86_64")                                                                             \
	X(2, "aarch64")                                                                            \
	X(3, "thumbv7m")                                                                           \
	X(4, "thumbv7em")                                                                          \
	X(5, "thumbv7emf")                                                                         \
	X(6, "rv32imac")                                                                           \
	X(7, "rv32imc")                                                                            \
	X(8, "xtensa-esp32s3")

/* Byte offsets of the header's fields; 32 bits each unless it says otherwise. */
enum rotor_image_field {
	IMAGE_MAGIC = 0,   /* 00 'r' 'o' 't' */
	IMAGE_VERSION = 4, /* 16 bits */
	IMAGE_TARGET = 6,  /* 16 bits */
	IMAGE_ABI = 8,
	IMAGE_FLAGS = 12,     /* IMAGE_FLAG_* */
	IMAGE_BYTES = 16,     /* of the whole image with its signature */
	IMAGE_MODULE_AT = 20, /* the Wasm module without its code section */
	IMAGE_MODULE_BYTES = 24,
	IMAGE_FUNCS_AT = 28, /* struct rotor_native_func for each function */
	IMAGE_FUNC_COUNT = 32,
	IMAGE_THUNKS_AT = 36, /* text offset of each type's thunk; UINT32_MAX none */
	IMAGE_TYPE_COUNT = 40,
	IMAGE_MAP_AT = 44, /* from return addresses to module offsets */
	IMAGE_MAP_BYTES = 48,
	IMAGE_TEXT_AT = 52, /* a multiple of 64 */
	IMAGE_TEXT_BYTES = 56,
	IMAGE_FRAME_BYTES = 60,  /* of the largest stack frame */
	IMAGE_MEMORY_BYTES = 64, /* an instance must back that much of memory 0 */
	IMAGE_WASM_BYTES = 68,   /* of the module it was compiled from */
	IMAGE_WASM_DIGEST = 72,  /* 32 bytes: SHA-256 of that module */
	IMAGE_KEY = 104,         /* 32 bytes: Ed25519 public key of the signer; 0 unsigned */
	IMAGE_HEADER_BYTES = 136,
	IMAGE_SIGNATURE_BYTES = 64, /* at the image's end, over everything before */
};

enum {
	IMAGE_FLAG_FUEL = 1u << 0,         /* the code counts fuel */
	IMAGE_FLAG_MEMORY_GROWS = 1u << 1, /* memory.grow occurs in it */
};

#endif
