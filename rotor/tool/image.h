/* SPDX-License-Identifier: Apache-2.0 */
/* Native images in the tool. */
#ifndef ROTOR_TOOL_IMAGE_H
#define ROTOR_TOOL_IMAGE_H

#include "rotor/tool/tool.h"

enum {
	IMAGE_KEYS_MAX = 8
};

/* Whose images are run. */
struct image_trust {
	uint8_t keys[IMAGE_KEYS_MAX][32];
	uint32_t key_count;
	bool allow_unsigned;
};

/* Adds the public key in a file of 64 hexadecimal digits. Ends the program if it is none. */
void image_trust_key(struct image_trust *trust, const char *path);

/* Loads what a file holds, a module or a native image. */
enum rotor_err module_load(void *block, size_t block_bytes, const struct mapped *file,
			   const struct image_trust *trust, const struct rotor_module **out,
			   struct rotor_diag *diag);

#endif
