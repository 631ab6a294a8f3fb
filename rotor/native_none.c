/* SPDX-License-Identifier: Apache-2.0 */
/* Builds that run no native code. */
#include "rotor/native_run.h"

uint16_t rotor_image_target(void)
{
	return 0;
}

bool rotor_is_image(const void *bytes, size_t count)
{
	return count >= 4 && memcmp(bytes, "\0rot", 4) == 0;
}

enum rotor_err rotor_load_image(void *block, size_t block_bytes, const void *image,
				size_t image_bytes, const struct rotor_image_policy *policy,
				const struct rotor_module **out, struct rotor_diag *diag)
{
	return instance_error(diag, ROTOR_ERR_UNSUPPORTED, "this build runs no native code");
}

enum stop native_run(struct rotor_instance *in, uint64_t *fuel, uint64_t *used,
		     const uint32_t *interrupt)
{
	ASSERT(in == NULL);
	return STOP_TRAP;
}

void native_leave(struct rotor_instance *in)
{
	ASSERT(in == NULL);
}

uint32_t native_stack_end(const struct rotor_instance *in)
{
	return in->stack_cells;
}

bool native_frame(const struct rotor_instance *in, uint32_t i, struct rotor_frame *out)
{
	return false;
}
