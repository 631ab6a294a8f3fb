/* SPDX-License-Identifier: Apache-2.0 */
/* Values as text. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/fmt.h"
#include "base/num.h"
#include "rotor/tool/tool.h"

const char *type_name(enum rotor_type type)
{
	switch (type) {
	case ROTOR_I32:
		return "i32";
	case ROTOR_I64:
		return "i64";
	case ROTOR_F32:
		return "f32";
	case ROTOR_F64:
		return "f64";
	case ROTOR_FUNCREF:
		return "funcref";
	case ROTOR_EXTERNREF:
		return "externref";
	}
	return "?";
}

const char *kind_name(enum rotor_kind kind)
{
	static const char *const names[] = {"func", "table", "memory", "global"};

	return (unsigned)kind < 4 ? names[kind] : "?";
}

/* An integer of so many bits, signed or not: the bits in *out. */
static bool parse_integer(const char *text, unsigned bits, uint64_t *out)
{
	bool negative = *text == '-';
	uint64_t v, limit = negative ? (uint64_t)1 << (bits - 1) : UINT64_MAX >> (64 - bits);

	text += *text == '-' || *text == '+';
	if (!num_u64(text, strlen(text), &v) || v > limit) {
		return false;
	}
	*out = negative ? 0 - v : v;
	return true;
}

/* "null", or for externref a number of the host's. */
static bool parse_ref(const char *text, enum rotor_type type, uint32_t *out)
{
	uint64_t v;

	if (strcmp(text, "null") == 0) {
		*out = ROTOR_REF_NULL;
		return true;
	}
	if (type != ROTOR_EXTERNREF || !parse_integer(text, 32, &v) || v == UINT32_MAX) {
		return false;
	}
	*out = (uint32_t)v + 1;
	return true;
}

bool value_parse(const char *text, enum rotor_type type, struct rotor_value *out)
{
	out->type = type;
	out->u64 = 0;
	switch (type) {
	case ROTOR_I32:
		return parse_integer(text, 32, &out->u64) &&
		       ((out->u64 = (uint32_t)out->u64), true);
	case ROTOR_I64:
		return parse_integer(text, 64, &out->u64);
	case ROTOR_F32:
		return num_f32(text, strlen(text), &out->f32);
	case ROTOR_F64:
		return num_f64(text, strlen(text), &out->f64);
	default:
		return parse_ref(text, type, &out->ref);
	}
}

void value_print(FILE *to, const struct rotor_value *value)
{
	char text[FMT_FLOAT_BYTES];

	switch (value->type) {
	case ROTOR_I32:
		fprintf(to, "%" PRId32, value->i32);
		return;
	case ROTOR_I64:
		fprintf(to, "%" PRId64, value->i64);
		return;
	case ROTOR_F32:
		fmt_f32(text, value->f32);
		break;
	case ROTOR_F64:
		fmt_f64(text, value->f64);
		break;
	default:
		if (value->ref == ROTOR_REF_NULL) {
			strcpy(text, "null");
		} else if (value->type == ROTOR_EXTERNREF) {
			snprintf(text, sizeof(text), "%" PRIu32, value->ref - 1);
		} else {
			snprintf(text, sizeof(text), "func:%" PRIx32, value->ref);
		}
	}
	fputs(text, to);
}

static void types_print(FILE *to, const uint8_t *types, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		fprintf(to, "%s%s", i != 0 ? ", " : "", type_name(types[i]));
	}
}

void functype_print(FILE *to, const struct rotor_functype *type)
{
	fputc('(', to);
	types_print(to, type->types, type->param_count);
	fputs(") -> ", to);
	if (type->result_count != 1) {
		fputc('(', to);
	}
	types_print(to, type->types + type->param_count, type->result_count);
	if (type->result_count != 1) {
		fputc(')', to);
	}
}
