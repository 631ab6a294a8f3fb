/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numeric instructions: one LLVM instruction where the target has it, a helper of the engine's where not.
 *
 * Rules: 1. Floats are LLVM floats only on targets with a unit for them, otherwise their bits as integers, so that no call
 *           to a library that the device may not have is ever generated.
 *        2. A trap is tested before the instruction whose behaviour LLVM leaves open.
 *        3. Arithmetic makes a signalling NaN quiet, but LLVM takes x * 1 for x, x - 0 too, and a number made double and float
 *           again for itself. So it must not learn that a float is 1 or 0: gen_push() hides constants, and floats made of
 *           integers are hidden, too, as integers are that could be loaded as floats. What it may see is an operand that
 *           is written as another constant, which is harmless as long as the other operand is none.
 * Spec:  Wasm 2.0 4.3
 */
#include "rotorc/gen.h"

#include "base/base.h"

#include <llvm-c/Core.h>
#include <math.h>
#include <stdio.h>

enum helper {
#define HELPER(name, type) HELPER_##name,
#include "rotor/native_helper_list.h"
#undef HELPER
};

static bool has_unit(const struct gen *g, uint8_t type)
{
	return type == ROTOR_F32 ? g->t->f32_unit : g->t->f64_unit;
}

static LLVMValueRef helper1(struct gen *g, unsigned helper, LLVMValueRef a)
{
	LLVMValueRef args[] = {gen_as_bits(g, a)};

	return gen_call_helper(g, helper, args);
}

static LLVMValueRef helper2(struct gen *g, unsigned helper, LLVMValueRef a, LLVMValueRef b)
{
	LLVMValueRef args[] = {gen_as_bits(g, a), gen_as_bits(g, b)};

	return gen_call_helper(g, helper, args);
}

/* ---- integers ----------------------------------------------------------------------------------------- */

static void compare_ints(struct gen *g, unsigned which)
{
	static const LLVMIntPredicate predicates[] = {
		LLVMIntEQ,  LLVMIntNE,  LLVMIntSLT, LLVMIntULT, LLVMIntSGT,
		LLVMIntUGT, LLVMIntSLE, LLVMIntULE, LLVMIntSGE, LLVMIntUGE};
	LLVMValueRef b = gen_pop(g), a = gen_pop(g);

	gen_push(g, ROTOR_I32,
		 LLVMBuildZExt(g->b, LLVMBuildICmp(g->b, predicates[which], a, b, ""), g->i32, ""));
}

static void eqz(struct gen *g)
{
	LLVMValueRef a = gen_pop(g);
	LLVMValueRef c = LLVMBuildICmp(g->b, LLVMIntEQ, a, LLVMConstNull(LLVMTypeOf(a)), "");

	gen_push(g, ROTOR_I32, LLVMBuildZExt(g->b, c, g->i32, ""));
}

/* Division and remainder: signed or not. The overflow of the quotient traps; that of the remainder is 0. */
static void divide(struct gen *g, uint8_t type, unsigned which)
{
	bool is_signed = which == 0 || which == 2, wants_rem = which >= 2;
	LLVMValueRef b = gen_pop(g), a = gen_pop(g), r;
	LLVMTypeRef t = gen_type(g, type);
	static const unsigned helpers[] = {HELPER_i64_div_s, HELPER_i64_div_u, HELPER_i64_rem_s,
					   HELPER_i64_rem_u};

	gen_trap_if(g, LLVMBuildICmp(g->b, LLVMIntEQ, b, LLVMConstNull(t), ""),
		    ROTOR_TRAP_DIV_ZERO);
	if (is_signed) {
		LLVMValueRef minus_one = LLVMBuildICmp(g->b, LLVMIntEQ, b, LLVMConstAllOnes(t), "");

		if (wants_rem) {
			b = LLVMBuildSelect(g->b, minus_one, LLVMConstInt(t, 1, 0), b, "");
		} else {
			LLVMValueRef least = LLVMConstInt(
				t, type == ROTOR_I64 ? (uint64_t)1 << 63 : 0x80000000u, 0);
			LLVMValueRef is_least = LLVMBuildICmp(g->b, LLVMIntEQ, a, least, "");

			gen_trap_if(g, LLVMBuildAnd(g->b, minus_one, is_least, ""),
				    ROTOR_TRAP_OVERFLOW);
		}
	}
	if (type == ROTOR_I64 && !g->t->i64_native) {
		r = helper2(g, helpers[which], a, b);
	} else {
		static const LLVMOpcode ops[] = {LLVMSDiv, LLVMUDiv, LLVMSRem, LLVMURem};

		r = LLVMBuildBinOp(g->b, ops[which], a, b, "");
	}
	gen_push(g, type, r);
}

static void shift(struct gen *g, uint8_t type, LLVMOpcode op)
{
	LLVMTypeRef t = gen_type(g, type);
	LLVMValueRef b = gen_pop(g), a = gen_pop(g);

	b = LLVMBuildAnd(g->b, b, LLVMConstInt(t, type == ROTOR_I64 ? 63 : 31, 0), "");
	gen_push(g, type, LLVMBuildBinOp(g->b, op, a, b, ""));
}

static void rotate(struct gen *g, uint8_t type, bool left)
{
	LLVMTypeRef t = gen_type(g, type);
	LLVMValueRef b = gen_pop(g), a = gen_pop(g), args[] = {a, a, b};

	gen_push(g, type, gen_intrinsic(g, left ? "llvm.fshl" : "llvm.fshr", t, args, 3));
}

static void count_bits(struct gen *g, uint8_t type, unsigned which)
{
	static const char *const names[] = {"llvm.ctlz", "llvm.cttz", "llvm.ctpop"};
	LLVMValueRef args[] = {gen_pop(g), LLVMConstNull(g->i1)};

	gen_push(g, type,
		 gen_intrinsic(g, names[which], gen_type(g, type), args, which == 2 ? 1 : 2));
}

static void simple_int(struct gen *g, uint8_t type, LLVMOpcode op)
{
	LLVMValueRef b = gen_pop(g), a = gen_pop(g);

	gen_push(g, type, LLVMBuildBinOp(g->b, op, a, b, ""));
}

/* which counts from clz: 0x67 for i32, 0x79 for i64. */
static void integer(struct gen *g, uint8_t type, unsigned which)
{
	static const LLVMOpcode simple[] = {LLVMAdd, LLVMSub, LLVMMul};
	static const LLVMOpcode logic[] = {LLVMAnd, LLVMOr, LLVMXor};
	static const LLVMOpcode shifts[] = {LLVMShl, LLVMAShr, LLVMLShr};

	if (which <= 2) {
		count_bits(g, type, which);
	} else if (which <= 5) {
		simple_int(g, type, simple[which - 3]);
	} else if (which <= 9) {
		divide(g, type, which - 6);
	} else if (which <= 12) {
		simple_int(g, type, logic[which - 10]);
	} else if (which <= 15) {
		shift(g, type, shifts[which - 13]);
	} else {
		rotate(g, type, which == 16);
	}
}

static void extend(struct gen *g, uint8_t type, LLVMTypeRef from)
{
	LLVMValueRef low = LLVMBuildTrunc(g->b, gen_pop(g), from, "");

	gen_push(g, type, LLVMBuildSExt(g->b, low, gen_type(g, type), ""));
}

/* ---- floats ------------------------------------------------------------------------------------------- */

static LLVMValueRef hide(struct gen *g, LLVMValueRef v)
{
	static const char *const certain[] = {"nounwind", "willreturn"};
	LLVMTypeRef t = LLVMTypeOf(v), type = LLVMFunctionType(t, &t, 1, 0);
	LLVMValueRef same, call;
	char where[8];

	int n = snprintf(where, sizeof(where), "=%s,0",
			 t == g->f32 || t == g->f64 ? g->t->float_register : "r");

	same = LLVMGetInlineAsm(type, "", 0, where, (size_t)n, 0, 0, LLVMInlineAsmDialectATT, 0);
	call = LLVMBuildCall2(g->b, type, same, &v, 1, "");
	for (unsigned i = 0; i < BASE_COUNT(certain); i++) {
		unsigned kind = LLVMGetEnumAttributeKindForName(certain[i], strlen(certain[i]));

		LLVMAddCallSiteAttribute(call, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
					 LLVMCreateEnumAttribute(g->lc, kind, 0));
	}
	LLVMAddCallSiteAttribute(call, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
				 g->touches_none);
	return call;
}

LLVMValueRef gen_hide(struct gen *g, LLVMValueRef v)
{
	bool as_bits = LLVMTypeOf(v) == g->f32 && strcmp(g->t->float_register, "r") == 0;

	return as_bits ? gen_from_bits(g, ROTOR_F32, hide(g, gen_as_bits(g, v))) : hide(g, v);
}

/* A value that is an LLVM float, hidden; another as it is. */
static LLVMValueRef hide_float(struct gen *g, LLVMValueRef v)
{
	LLVMTypeRef t = LLVMTypeOf(v);

	return t == g->f32 || t == g->f64 ? gen_hide(g, v) : v;
}

/* Sign operations work on the bits, as the specification wants for NaN too. which: 0 abs, 1 neg, 2 copysign. */
static void sign_op(struct gen *g, uint8_t type, unsigned which)
{
	bool wide = type == ROTOR_F64;
	LLVMTypeRef t = wide ? g->i64 : g->i32;
	LLVMValueRef sign = LLVMConstInt(t, wide ? (uint64_t)1 << 63 : 0x80000000u, 0),
		     rest = LLVMConstNot(sign);
	LLVMValueRef other = which == 2 ? gen_as_bits(g, gen_pop(g)) : NULL,
		     a = gen_as_bits(g, gen_pop(g)), r;

	if (which == 0) {
		r = LLVMBuildAnd(g->b, a, rest, "");
	} else if (which == 1) {
		r = LLVMBuildXor(g->b, a, sign, "");
	} else {
		r = LLVMBuildOr(g->b, LLVMBuildAnd(g->b, a, rest, ""),
				LLVMBuildAnd(g->b, other, sign, ""), "");
	}
	gen_push(g, type, gen_from_bits(g, type, r));
}

/* ceil floor trunc nearest sqrt, counted from 0. */
static void float_unary(struct gen *g, uint8_t type, unsigned which)
{
	static const char *const names[] = {"llvm.ceil", "llvm.floor", "llvm.trunc",
					    "llvm.roundeven", "llvm.sqrt"};
	static const unsigned h32[] = {HELPER_f32_ceil, HELPER_f32_floor, HELPER_f32_trunc,
				       HELPER_f32_nearest, HELPER_f32_sqrt};
	static const unsigned h64[] = {HELPER_f64_ceil, HELPER_f64_floor, HELPER_f64_trunc,
				       HELPER_f64_nearest, HELPER_f64_sqrt};
	bool rounds = type == ROTOR_F32 ? g->t->f32_round : g->t->f64_round;
	bool roots = type == ROTOR_F32 ? g->t->f32_sqrt_div : g->t->f64_unit;
	LLVMValueRef a = gen_pop(g), r;

	if (has_unit(g, type) && (which == 4 ? roots : rounds)) {
		r = gen_intrinsic(g, names[which], gen_type(g, type), &a, 1);
	} else {
		r = gen_from_bits(g, type,
				  helper1(g, type == ROTOR_F32 ? h32[which] : h64[which], a));
	}
	gen_push(g, type, r);
}

/* Takes an operand; a constant that the optimiser may see, since its absolute is not neutral, is seen. */
static LLVMValueRef pop_operand(struct gen *g, double neutral)
{
	LLVMValueRef literal = g->stack[g->height - 1].literal, v = gen_pop(g);
	LLVMBool loses;
	double absolute;

	if (literal == NULL) {
		return v;
	}
	absolute = fabs(LLVMConstRealGetDouble(literal, &loses));
	return isnan(absolute) || absolute == neutral ? v : literal;
}

/* min and max: -0 is less than 0, and a NaN wins: the sum, which is one, made quiet for certain. */
static LLVMValueRef min_max(struct gen *g, uint8_t type, bool max, LLVMValueRef a, LLVMValueRef b)
{
	LLVMValueRef args[] = {a, b}, nan = LLVMBuildFCmp(g->b, LLVMRealUNO, a, b, "");
	LLVMValueRef r =
		gen_intrinsic(g, max ? "llvm.maximum" : "llvm.minimum", gen_type(g, type), args, 2);
	LLVMValueRef sum = gen_as_bits(g, LLVMBuildFAdd(g->b, a, b, ""));

	sum = LLVMBuildOr(g->b, sum,
			  LLVMConstInt(LLVMTypeOf(sum),
				       type == ROTOR_F64 ? (uint64_t)0x7FF8 << 48 : 0x7FC00000u, 0),
			  "");
	return LLVMBuildSelect(g->b, nan, gen_from_bits(g, type, sum), r, "");
}

/* add sub mul div min max, counted from 0. */
static void float_binary(struct gen *g, uint8_t type, unsigned which)
{
	static const LLVMOpcode ops[] = {LLVMFAdd, LLVMFSub, LLVMFMul, LLVMFDiv};
	static const unsigned h32[] = {HELPER_f32_add, HELPER_f32_sub, HELPER_f32_mul,
				       HELPER_f32_div, HELPER_f32_min, HELPER_f32_max};
	static const unsigned h64[] = {HELPER_f64_add, HELPER_f64_sub, HELPER_f64_mul,
				       HELPER_f64_div, HELPER_f64_min, HELPER_f64_max};
	double neutral = which < 2 ? 0 : 1;
	LLVMValueRef b = pop_operand(g, neutral), a = pop_operand(g, neutral), r;
	bool native = has_unit(g, type) &&
		      !(type == ROTOR_F32 && which == 3 && !g->t->f32_sqrt_div) &&
		      !(which >= 4 && g->t->pointer_bits == 32);

	if (!native) {
		r = gen_from_bits(g, type,
				  helper2(g, type == ROTOR_F32 ? h32[which] : h64[which], a, b));
	} else if (which < 4) {
		r = LLVMBuildBinOp(g->b, ops[which], a, b, "");
	} else {
		r = min_max(g, type, which == 5, a, b);
	}
	gen_push(g, type, r);
}

static void compare_floats(struct gen *g, uint8_t type, unsigned which)
{
	static const LLVMRealPredicate predicates[] = {LLVMRealOEQ, LLVMRealUNE, LLVMRealOLT,
						       LLVMRealOGT, LLVMRealOLE, LLVMRealOGE};
	LLVMValueRef b = pop_operand(g, -1), a = pop_operand(g, -1), r; /* none is neutral */

	if (has_unit(g, type)) {
		r = LLVMBuildZExt(g->b, LLVMBuildFCmp(g->b, predicates[which], a, b, ""), g->i32,
				  "");
	} else {
		r = helper2(g, (type == ROTOR_F32 ? HELPER_f32_eq : HELPER_f64_eq) + which, a, b);
	}
	gen_push(g, ROTOR_I32, r);
}

/* ---- conversions -------------------------------------------------------------------------------------- */

/* The trap tests of trunc: not a number, or no integer of the type below or above. */
static void check_trunc(struct gen *g, uint8_t from, LLVMValueRef a, unsigned kind)
{
	static const double low[] = {-2147483649.0, -1.0, -9223372036854777856.0, -1.0};
	static const double low32[] = {-2147483904.0, -1.0, -9223373136366403584.0, -1.0};
	static const double high[] = {2147483648.0, 4294967296.0, 9223372036854775808.0,
				      18446744073709551616.0};
	LLVMValueRef r;

	if (!has_unit(g, from)) {
		LLVMValueRef args[] = {a, gen_i32(g, kind)};

		r = gen_call_helper(
			g, from == ROTOR_F32 ? HELPER_f32_trunc_check : HELPER_f64_trunc_check,
			args);
		gen_trap_if(g, LLVMBuildICmp(g->b, LLVMIntEQ, r, gen_i32(g, 1), ""),
			    ROTOR_TRAP_CONVERSION);
		gen_trap_if(g, LLVMBuildICmp(g->b, LLVMIntEQ, r, gen_i32(g, 2), ""),
			    ROTOR_TRAP_OVERFLOW);
		return;
	}
	LLVMTypeRef t = gen_type(g, from);
	LLVMValueRef above, below;

	gen_trap_if(g, LLVMBuildFCmp(g->b, LLVMRealUNO, a, a, ""), ROTOR_TRAP_CONVERSION);
	below = LLVMBuildFCmp(g->b, LLVMRealOLE, a,
			      LLVMConstReal(t, from == ROTOR_F32 ? low32[kind] : low[kind]), "");
	above = LLVMBuildFCmp(g->b, LLVMRealOGE, a, LLVMConstReal(t, high[kind]), "");
	gen_trap_if(g, LLVMBuildOr(g->b, below, above, ""), ROTOR_TRAP_OVERFLOW);
}

/* kind: 0 i32_s, 1 i32_u, 2 i64_s, 3 i64_u. */
static void truncate(struct gen *g, uint8_t from, unsigned kind, bool saturate)
{
	static const unsigned h32[] = {HELPER_i32_trunc_sat_f32_s, HELPER_i32_trunc_sat_f32_u,
				       HELPER_i64_trunc_sat_f32_s, HELPER_i64_trunc_sat_f32_u};
	static const unsigned h64[] = {HELPER_i32_trunc_sat_f64_s, HELPER_i32_trunc_sat_f64_u,
				       HELPER_i64_trunc_sat_f64_s, HELPER_i64_trunc_sat_f64_u};
	uint8_t to = kind < 2 ? ROTOR_I32 : ROTOR_I64;
	LLVMTypeRef t = gen_type(g, to);
	LLVMValueRef a = gen_pop(g), r;

	if (!saturate) {
		check_trunc(g, from, a, kind);
	}
	if (!has_unit(g, from) || (to == ROTOR_I64 && g->t->pointer_bits == 32)) {
		r = helper1(g, from == ROTOR_F32 ? h32[kind] : h64[kind], a);
	} else if (saturate) {
		LLVMTypeRef overload[] = {t, LLVMTypeOf(a)};
		unsigned id = kind & 1 ? LLVMLookupIntrinsicID("llvm.fptoui.sat", 15)
				       : LLVMLookupIntrinsicID("llvm.fptosi.sat", 15);
		LLVMValueRef f = LLVMGetIntrinsicDeclaration(g->mod, id, overload, 2);

		r = LLVMBuildCall2(g->b, LLVMIntrinsicGetType(g->lc, id, overload, 2), f, &a, 1,
				   "");
	} else {
		r = kind & 1 ? LLVMBuildFPToUI(g->b, a, t, "") : LLVMBuildFPToSI(g->b, a, t, "");
	}
	gen_push(g, to, r);
}

/* kind: 0 i32_s, 1 i32_u, 2 i64_s, 3 i64_u. */
static void convert(struct gen *g, uint8_t to, unsigned kind)
{
	LLVMValueRef a = gen_pop(g), r;

	if (has_unit(g, to) && (kind < 2 || g->t->pointer_bits == 64)) {
		/* Of what is 0 or 1 LLVM makes a table of two floats, which it cannot address on Xtensa. */
		a = g->t->by_assembly ? gen_hide(g, a) : a;
		r = kind & 1 ? LLVMBuildUIToFP(g->b, a, gen_type(g, to), "")
			     : LLVMBuildSIToFP(g->b, a, gen_type(g, to), "");
		r = gen_hide(g, r);
	} else {
		r = helper1(
			g,
			(to == ROTOR_F32 ? HELPER_f32_convert_i32_s : HELPER_f64_convert_i32_s) +
				kind,
			a);
		r = gen_from_bits(g, to, r);
	}
	gen_push(g, to, r);
}

static void demote(struct gen *g)
{
	LLVMValueRef a = gen_pop(g);
	bool native = g->t->f64_unit && g->t->f32_unit;

	gen_push(g, ROTOR_F32,
		 native ? LLVMBuildFPTrunc(g->b, a, g->f32, "")
			: gen_from_bits(g, ROTOR_F32, helper1(g, HELPER_f32_demote_f64, a)));
}

static void promote(struct gen *g)
{
	LLVMValueRef a = gen_pop(g);
	bool native = g->t->f64_unit && g->t->f32_unit;

	gen_push(g, ROTOR_F64,
		 native ? gen_hide(g, LLVMBuildFPExt(g->b, a, g->f64, ""))
			: gen_from_bits(g, ROTOR_F64, helper1(g, HELPER_f64_promote_f32, a)));
}

static void conversion(struct gen *g, uint32_t op)
{
	static const uint8_t from[] = {ROTOR_F32, ROTOR_F32, ROTOR_F64, ROTOR_F64};
	LLVMValueRef a;

	switch (op) {
	case 0xA7: /* i32.wrap_i64 */
		gen_push(g, ROTOR_I32, LLVMBuildTrunc(g->b, gen_pop(g), g->i32, ""));
		break;
	case 0xA8:
	case 0xA9:
	case 0xAA:
	case 0xAB:
		truncate(g, from[op - 0xA8], op & 1, false);
		break;
	case 0xAC:
		gen_push(g, ROTOR_I64, LLVMBuildSExt(g->b, gen_pop(g), g->i64, ""));
		break;
	case 0xAD:
		gen_push(g, ROTOR_I64, LLVMBuildZExt(g->b, gen_pop(g), g->i64, ""));
		break;
	case 0xAE:
	case 0xAF:
	case 0xB0:
	case 0xB1:
		truncate(g, from[op - 0xAE], 2 + (op & 1), false);
		break;
	case 0xB6:
		demote(g);
		break;
	case 0xBB:
		promote(g);
		break;
	case 0xBC: /* i32.reinterpret_f32 */
	case 0xBD:
		a = gen_as_bits(g, gen_pop(g));
		gen_push(g, op == 0xBC ? ROTOR_I32 : ROTOR_I64, a);
		break;
	case 0xBE: /* f32.reinterpret_i32 */
	case 0xBF:
		a = gen_pop(g);
		gen_push(g, op == 0xBE ? ROTOR_F32 : ROTOR_F64,
			 hide_float(g, gen_from_bits(g, op == 0xBE ? ROTOR_F32 : ROTOR_F64, a)));
		break;
	case 0xC0:
		extend(g, ROTOR_I32, g->i8);
		break;
	case 0xC1:
		extend(g, ROTOR_I32, g->i16);
		break;
	case 0xC2:
		extend(g, ROTOR_I64, g->i8);
		break;
	case 0xC3:
		extend(g, ROTOR_I64, g->i16);
		break;
	case 0xC4:
		extend(g, ROTOR_I64, g->i32);
		break;
	default: /* 0xB2..0xB5 to f32, 0xB7..0xBA to f64 */
		if (op < 0xB6) {
			convert(g, ROTOR_F32, op - 0xB2);
		} else {
			convert(g, ROTOR_F64, op - 0xB7);
		}
		break;
	}
}

/* which counts from abs: abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign. */
static void floating(struct gen *g, uint8_t type, unsigned which)
{
	if (which <= 1) {
		sign_op(g, type, which);
	} else if (which <= 6) {
		float_unary(g, type, which - 2);
	} else if (which <= 12) {
		float_binary(g, type, which - 7);
	} else {
		sign_op(g, type, 2);
	}
}

static void constant(struct gen *g, const struct rc_insn *in)
{
	static const uint8_t types[] = {ROTOR_I32, ROTOR_I64, ROTOR_F32, ROTOR_F64};
	uint8_t type = types[in->op - 0x41];
	bool wide = type == ROTOR_I64 || type == ROTOR_F64;
	LLVMValueRef bits = wide ? gen_i64(g, in->bits) : gen_i32(g, (uint32_t)in->bits);

	gen_push(g, type,
		 type == ROTOR_F32 || type == ROTOR_F64 ? gen_from_bits(g, type, bits) : bits);
}

void gen_numeric(struct gen *g, const struct rc_insn *in)
{
	static const uint8_t from[] = {ROTOR_F32, ROTOR_F32, ROTOR_F64, ROTOR_F64};
	uint32_t op = in->op;

	if (op >= 0xFC00) { /* saturating truncations */
		truncate(g, from[op & 3], (op & 4 ? 2 : 0) + (op & 1), true);
	} else if (op <= 0x44) {
		constant(g, in);
	} else if (op == 0x45 || op == 0x50) {
		eqz(g);
	} else if (op <= 0x4F) {
		compare_ints(g, op - 0x46);
	} else if (op <= 0x5A) {
		compare_ints(g, op - 0x51);
	} else if (op <= 0x60) {
		compare_floats(g, ROTOR_F32, op - 0x5B);
	} else if (op <= 0x66) {
		compare_floats(g, ROTOR_F64, op - 0x61);
	} else if (op <= 0x78) {
		integer(g, ROTOR_I32, op - 0x67);
	} else if (op <= 0x8A) {
		integer(g, ROTOR_I64, op - 0x79);
	} else if (op <= 0x98) {
		floating(g, ROTOR_F32, op - 0x8B);
	} else if (op <= 0xA6) {
		floating(g, ROTOR_F64, op - 0x99);
	} else {
		conversion(g, op);
	}
}
