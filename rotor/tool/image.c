/* SPDX-License-Identifier: Apache-2.0 */
/* Modules and native images alike: which it is, whom to trust, and making its code executable. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "rotor/tool/tool.h"
#include "rotor/tool/image.h"

#include "base/base.h"

#if defined(ROTOR_TOOL_SODIUM)
#include <sodium.h>

static bool verify(void *user, const uint8_t *key, const uint8_t *signature, const void *bytes,
		   size_t count)
{
	(void)user;
	return sodium_init() >= 0 && crypto_sign_verify_detached(signature, bytes, count, key) == 0;
}
#else
#define verify NULL
#endif

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *at = c != 0 ? strchr(digits, c | 0x20) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

void image_trust_key(struct image_trust *trust, const char *path)
{
	struct mapped file;
	uint8_t *key = trust->keys[trust->key_count];

	if (trust->key_count == IMAGE_KEYS_MAX) {
		complain("at most %d keys can be trusted", IMAGE_KEYS_MAX);
		exit(EXIT_USAGE);
	}
	if (!file_map(path, &file)) {
		exit(EXIT_INVALID);
	}
	for (size_t i = 0; i < 32; i++) {
		const char *text = file.bytes;
		int high = file.count >= 64 ? hex_digit(text[2 * i]) : -1;
		int low = high >= 0 ? hex_digit(text[2 * i + 1]) : -1;

		if (low < 0) {
			complain("%s is no public key: 64 hexadecimal digits, as rotorc keygen "
				 "writes to FILE.pub",
				 path);
			exit(EXIT_INVALID);
		}
		key[i] = (uint8_t)(high << 4 | low);
	}
	trust->key_count++;
	file_unmap(&file);
}

enum rotor_err module_load(void *block, size_t block_bytes, const struct mapped *file,
			   const struct image_trust *trust, const struct rotor_module **out,
			   struct rotor_diag *diag)
{
	struct rotor_image_policy policy = {
		.target = rotor_image_target(),
		.keys = trust->keys[0],
		.key_count = trust->key_count,
		.allow_unsigned = trust->allow_unsigned,
		.allow_unmetered = trust->allow_unsigned,
		.verify = verify,
	};

	if (!rotor_is_image(file->bytes, file->count)) {
		return rotor_load(block, block_bytes, file->bytes, file->count,
				  ROTOR_LOAD_BYTES_STAY, out, diag);
	}
	TRY(rotor_load_image(block, block_bytes, file->bytes, file->count, &policy, out, diag));
	if (mprotect((void *)(uintptr_t)file->bytes, file->count, PROT_READ | PROT_EXEC) != 0) {
		diag->code = ROTOR_ERR_UNSUPPORTED;
		strcpy(diag->text, "this system does not let the image be executed");
		return ROTOR_ERR_UNSUPPORTED;
	}
	return ROTOR_OK;
}
