/* SPDX-License-Identifier: Apache-2.0 */
/* The modules and instances of one file of the suite, and how they are linked. */
#ifndef ROTOR_TOOL_SPEC_UNIT_H
#define ROTOR_TOOL_SPEC_UNIT_H

#include "rotor/tool/tool.h"

/* Bytes of a name as the suite has it: any, 0 too. */
struct spec_name {
	const char *bytes;
	size_t count;
};

/* One module, and its instance if it came so far. Lives as long as the file is worked on, since
 * others may be linked to it, even if it trapped. */
struct spec_unit {
	struct spec_unit *next;
	char *name; /* $name in the file; NULL if none */
	struct mapped file;
	void *module_block, *instance_block;
	size_t module_block_bytes, instance_block_bytes;
	const struct rotor_module *module;
	struct rotor_instance *instance;
	struct rotor_imports imports;
	struct rotor_extern *externs;
	struct rotor_diag diag; /* the last error */
};

/* A unit known to others by the name that they import from. */
struct spec_registered {
	struct spec_registered *next;
	char *as;
	struct spec_unit *unit;
};

struct spec_world {
	struct spec_unit *units, *current;
	struct spec_registered *registered;
	uint32_t piece_bytes; /* load piece by piece, 0: whole */
	bool native; /* a module FILE runs as FILE.raot; a good one without that is refused */
};

/* Begins with the module "spectest" alone; ends with everything freed. */
bool spec_world_begin(struct spec_world *world, uint32_t piece_bytes);
void spec_world_end(struct spec_world *world);

/* Loads the file's module into a new unit; NULL if the file cannot be read. *err says how it went. */
struct spec_unit *spec_unit_load(struct spec_world *world, const char *path, const char *name,
				 enum rotor_err *err);

/* Links and instantiates; runs what instantiation runs. *status as rotor_run says it, if OK. */
enum rotor_err spec_unit_instantiate(struct spec_world *world, struct spec_unit *unit,
				     enum rotor_status *status);

/* Runs until something is to be told; FUEL: it did not end in a sensible time. */
enum rotor_status spec_unit_run(struct spec_unit *unit);

void spec_register(struct spec_world *world, const char *as, struct spec_unit *unit);

/* The unit of that name, the current one for NULL; NULL if there is none. */
struct spec_unit *spec_find_unit(const struct spec_world *world, const char *name);

/* The export of that kind; false if there is none. */
bool spec_find_export(const struct spec_unit *unit, struct spec_name name, enum rotor_kind kind,
		      uint32_t *idx);

#endif
