/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds that run native images only: in place of the decoder of function bodies, the translator and the interpreter.
 *
 * The module inside an image has bodies that are no more than "unreachable"; they are skipped. A module with real bodies
 * is refused.
 */
#include "rotor/load.h"
#include "rotor/native_run.h"

int step_body(struct rotor_loader *l)
{
	static const uint8_t empty[] = {0, 0x00, 0x0b};
	const uint8_t *body;
	uint32_t bytes;

	TRY(load_u32(l, &bytes));
	if (bytes != sizeof(empty)) {
		return load_fail(l, ROTOR_ERR_UNSUPPORTED,
				 "this build runs native images, not modules");
	}
	TRY(load_bytes(l, &body, bytes));
	if (memcmp(body, empty, sizeof(empty)) != 0) {
		return load_fail(l, ROTOR_ERR_UNSUPPORTED,
				 "this build runs native images, not modules");
	}
	l->func_bodies++;
	l->i++;
	l->step = STEP_NEXT;
	return 0;
}

/* Steps that no body leads to. */
int step_locals(struct rotor_loader *l)
{
	return load_fail(l, ROTOR_ERR_UNSUPPORTED, "this build decodes no function bodies");
}

int step_instr(struct rotor_loader *l)
{
	return step_locals(l);
}

int step_targets(struct rotor_loader *l)
{
	return step_locals(l);
}

enum stop exec_run(struct rotor_instance *in, uint64_t *fuel, uint64_t *used,
		   const uint32_t *interrupt)
{
	ASSERT(in == NULL); /* every module is native */
	return STOP_TRAP;
}
