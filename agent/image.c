/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Native images: modules compiled ahead of time, and going back to WebAssembly without one.
 *
 * A start that names an image names the module it was made from, too. Whatever is wrong with the
 * image (unknown signer, altered, other processor, not to be had, no room), the task runs the module
 * and an event tells why: no answer of the manager is waited for.
 *
 * Rules: 1. Bytes become code only when the engine has checked them under the configured policy.
 *        2. An image is for the module that the start names, or it is refused.
 *        3. What may have to be saved (policy park) does not run from an image.
 */
#include "agent/state.h"
#include "base/fmt.h"

enum {
	LOAD_BYTES = 24 * 1024, /* beside the image: its module, loaded */
};

static void tell(struct agent *a, struct task *t, const char *why)
{
	char text[200];
	uint32_t bytes = (uint32_t)fmt_str(text, sizeof(text), "%s; the module runs instead", why);

	agent_act_log(a, AGENT_LOG_WARN, "task %s: native image refused: %s", t->id, why);
	agent_outbox_put(a, t, OUTBOX_EVENT, 0, wire_text_of("native_refused"),
			 (struct wire_text){text, bytes});
}

const char *agent_image_target(const struct agent *a, uint32_t *abi)
{
	if (a->config->images == NULL || a->engine->load_image == NULL) {
		return NULL;
	}
	return a->engine->image_target(abi);
}

/* Why this start's image is out of the question; NULL if it may do. */
static const char *out_of_question(const struct agent *a, const struct wire_start *m)
{
	uint32_t abi;
	const char *target = agent_image_target(a, &abi);

	if (target == NULL) {
		return "this worker runs no native code";
	}
	if (WIRE_HAS(&m->native, native, target) && !wire_text_is(m->native.target, target)) {
		return "the image is for another kind of processor";
	}
	if (!WIRE_HAS(m, start, module)) {
		return "the start does not name the image's module";
	}
	if (m->policy == WIRE_POLICY_PARK) {
		return "a program in native code cannot be saved, as policy park may ask for";
	}
	return NULL;
}

struct module *agent_image_want(struct agent *a, struct task *t, const struct wire_start *m)
{
	const struct wire_module *from = &m->module;
	const char *why;
	struct module *module;
	char diag[112];

	if (!WIRE_HAS(m, start, native) || m->aot == WIRE_AOT_NEVER) {
		return NULL;
	}
	why = out_of_question(a, m);
	if (why != NULL) {
		tell(a, t, why);
		return NULL;
	}
	module = agent_module_want(a, m->native.digest.sha256, NULL, (uint32_t)m->native.size, diag,
				   sizeof(diag));
	if (module == NULL) {
		tell(a, t, diag);
		return NULL;
	}
	if (module->refs == 0 && module->state != MODULE_LOADED) { /* a new one */
		module->image = true;
		module->wasm_size = (uint32_t)from->size;
		memcpy(module->wasm, from->digest.sha256, AGENT_DIGEST_BYTES);
	} else if (!module->image ||
		   memcmp(module->wasm, from->digest.sha256, AGENT_DIGEST_BYTES) != 0) {
		tell(a, t, "the image was made from another module");
		return NULL;
	}
	return module;
}

/* ---- loading */

bool agent_image_begin(struct agent *a, struct module *m, uint32_t size, char *diag,
		       size_t diag_bytes)
{
	if (!a->config->images_in_pool) {
		fmt_str(diag, diag_bytes, "this worker has no memory that a program can run from");
		return false;
	}
	agent_make_room(a, size);
	m->code = size != 0 ? pool_alloc(&a->pool, size) : NULL;
	if (m->code == NULL) {
		fmt_str(diag, diag_bytes,
			"no room: the image has %u bytes, the largest free block %u",
			(unsigned)size, (unsigned)pool_largest(&a->pool));
		return false;
	}
	return true;
}

bool agent_image_load(struct agent *a, struct module *m, const void *image, uint32_t bytes,
		      char *diag, size_t diag_bytes)
{
	struct rotor_image_policy policy = *a->config->images;
	struct rotor_diag d = {.text = ""};
	size_t want = (size_t)bytes + LOAD_BYTES, used = 0;

	policy.wasm_digest = m->wasm;
	agent_make_room(a, want);
	m->block = pool_alloc(&a->pool, BASE_MIN(want, (size_t)pool_largest(&a->pool)));
	if (m->block == NULL) {
		fmt_str(diag, diag_bytes, "no room: nothing is free to load an image into");
		return false;
	}
	if (a->engine->load_image(m->block, pool_block_bytes(&a->pool, m->block), image, bytes,
				  &policy, &m->module, &used, &d) != ROTOR_OK) {
		fmt_str(diag, diag_bytes, "%s", d.text);
		return false;
	}
	pool_shrink(&a->pool, m->block, used);
	return true;
}

/* ---- without it */

void agent_image_fall_back(struct agent *a, struct task *t, const char *why)
{
	struct module *m = &a->modules[t->module], *module;
	uint32_t size = m->wasm_size;
	uint8_t digest[AGENT_DIGEST_BYTES];
	char diag[112];

	ASSERT(m->image && t->state == AGENT_TASK_FETCHING && t->instance == NULL);
	memcpy(digest, m->wasm, sizeof(digest));
	tell(a, t, why);
	pool_free(&a->pool, t->extra);
	pool_free(&a->pool, t->result);
	t->extra = t->result = NULL;
	t->capturing = false;
	t->run->capture = NULL;
	t->run->capture_bytes = 0;
	agent_module_unref(a, t->module);
	t->module = NONE;
	module = agent_module_want(a, digest, NULL, size, diag, sizeof(diag));
	if (module == NULL || module->image) {
		agent_task_end(a, t, WIRE_REASON_REFUSED, "%s",
			       module == NULL ? diag : "the module is a native image");
		return;
	}
	t->module = agent_module_idx(a, module);
	module->refs++;
	if (module->state == MODULE_LOADED) {
		agent_launch(a, t);
	}
}
